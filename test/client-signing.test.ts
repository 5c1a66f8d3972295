/** The sender where signatures come later, as in browsers: in order, and on the connection they were made for. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { importSecretKey } from '#crypto';
import { Counters } from '../src/client/counters.js';
import { Outgoing } from '../src/client/in-flight.js';
import { Persister } from '../src/client/persister.js';
import { Sender } from '../src/client/sender.js';
import { MemoryStore } from '../src/client/store.js';
import { BundleHasher, decodeSubmitHeader, encodeBundle, toHex } from '../src/protocol/index.js';
import { smallPolicy as policy } from './support/policy.js';
import { named } from './worlds.js';

const identity = importSecretKey(Uint8Array.from(named('signing test')));
const id = identity.publicKey;
const turn = () => new Promise<void>((resolve) => setImmediate(() => setImmediate(resolve)));

function rig() {
  const frames: string[] = [];
  const results: string[] = [];
  const asked: { resolve: (signature: Uint8Array) => void; reject: (error: unknown) => void }[] = [];
  const persister = new Persister(new MemoryStore(), (error) => {
    throw error;
  });
  const counters = new Counters(identity, toHex(id), undefined, persister, {
    submit: (all) => {
      for (const frame of all) {
        const { firstCounter, count, signature } = decodeSubmitHeader(frame);
        frames.push(`${firstCounter}+${count} signed ${signature![0]}`);
      }
    },
    receipt: () => {},
    conflict: () => {},
  });
  const sign = () => new Promise<Uint8Array>((resolve, reject) => asked.push({ resolve, reject }));
  const options = { window: 8, windowBytes: 1 << 20, maxQueued: 10, policy, proven: true, sign };
  const sender = new Sender(counters, options, new BundleHasher(new Uint8Array(32)), []);
  counters.sender = sender;
  const send = () => {
    const bundle = encodeBundle([{ mailbox: id, envelope: new Uint8Array(0) }], id, id);
    sender.add(new Outgoing(bundle, null, (error) => results.push((error as { code: string }).code)));
  };
  const answer = (at: number, byte: number) => asked[at]!.resolve(new Uint8Array(64).fill(byte));
  return { frames, results, asked, counters, send, answer };
}

test('frames keep their order, whichever signature comes first', async () => {
  const { frames, counters, send, answer } = rig();
  counters.opened(0, 0);
  send();
  await turn();
  send();
  await turn();
  answer(1, 2);
  await turn();
  assert.equal(frames, []);
  answer(0, 1);
  await turn();
  assert.equal(frames, ['1+1 signed 1', '2+1 signed 2']);
});

test('what was signed for a connection that is gone does not go out on the next', async () => {
  const { frames, counters, send, answer } = rig();
  counters.opened(0, 0);
  send();
  await turn();
  counters.disconnected();
  counters.opened(3, 0);
  await turn();
  answer(0, 1);
  answer(1, 2);
  await turn();
  assert.equal(frames, ['1+1 signed 2']);
});

test('who waits is told when signing fails', async () => {
  const { frames, results, asked, counters, send } = rig();
  counters.opened(0, 0);
  send();
  await turn();
  asked[0]!.reject(new Error('no key'));
  await turn();
  assert.equal([frames, results], [[], ['connection-lost']]);
});

test.run();
