/**
 * A chatter with a store in a file, in a process that can be killed. Its events go to a file, each
 * before it takes effect. One argument: JSON of `ChatterTask`. Told over IPC: start, stop, close.
 */
import { openSync, writeSync } from 'node:fs';
import { FileStore } from '../../src/client/index.js';
import { Chatter } from './chatter.js';
import { randomFrom } from './names.js';

export interface ChatterTask {
  readonly name: string;
  readonly url: string;
  readonly names: readonly string[];
  readonly life: number;
  readonly first: number;
  readonly claimEvery: number;
  readonly seed: number;
  readonly store: string;
  readonly events: string;
}

export type ToChatter = { do: 'start' } | { do: 'stop'; mark: string } | { do: 'close' };
export type FromChatter = { did: 'open' | 'stop' | 'hear' | 'close'; mark: string };

const { store, events, seed, ...task } = JSON.parse(process.argv[2]!) as ChatterTask;
const file = openSync(events, 'a');
const chatter = new Chatter({
  ...task,
  store: () => new FileStore(store),
  random: randomFrom(seed),
  emit: (event) => writeSync(file, `${JSON.stringify(event)}\n`),
});
const tell = (did: FromChatter['did'], mark = '') => process.send!({ did, mark } satisfies FromChatter);

process.on('message', async (message: ToChatter) => {
  if (message.do === 'start') chatter.start();
  if (message.do === 'stop') {
    void chatter.heard(message.mark).then(() => tell('hear', message.mark));
    await chatter.stop(message.mark);
    tell('stop', message.mark);
  }
  if (message.do === 'close') {
    await chatter.close();
    tell('close');
    process.disconnect();
  }
});
// The test is gone: so is this.
process.on('disconnect', () => process.exit());

await chatter.open();
tell('open');
