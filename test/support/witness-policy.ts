/** A client that relies on witnesses, against a server that answers anything. */
import { importSecretKey } from '#crypto';
import { type WitnessOptions, watchWitnesses } from '../../src/client/witnesses.js';
import { type Checkpoint, checkpointOrigin } from '../../src/protocol/index.js';
import { SmallServer } from '../small-server.js';
import * as twin from '../twin/index.js';
import { keyPair, named } from '../worlds.js';
import { NotedLog } from './noted-log.js';

export const server = new SmallServer();
export const { serverId, manifest } = server.world;
export const origin = checkpointOrigin(serverId);
export const sequencer = {
  secret: named('sequencer 0'),
  id: Buffer.from(importSecretKey(Uint8Array.from(named('sequencer 0'))).publicKey),
};
export const SIZE = 5200;
export const one = new NotedLog(origin, SIZE, undefined, sequencer);
export const fork = new NotedLog(origin, SIZE, { from: 3000, name: 'forked' }, sequencer);
export const witnesses = ['w1.example', 'w2.example', 'w3.example'].map((name) => ({
  name,
  ...keyPair(name),
}));
export const keys = witnesses.map(({ name, id }) => twin.verifierKey(name, 4, id));

export function checkpointOf(log: NotedLog, size: number): Checkpoint {
  const checkpoint = twin.readCheckpoint(log.note(size))!;
  return { size, root: checkpoint.root, signature: checkpoint.lines[0]!.signature };
}

/** An anchor with cosignatures of the first `count` witnesses. */
export function anchor(log: NotedLog, size: number, count: number): string {
  const note = log.note(size);
  const { text } = twin.readCheckpoint(note)!;
  const lines = witnesses
    .slice(0, count)
    .map(({ name, secret, id }) =>
      twin.cosignature(name, id, 1n, twin.sign(secret, twin.cosignedMessage(1n, text))),
    );
  return note + lines.join('');
}

export const signed = {
  manifest: Buffer.from(server.manifest).toString('base64'),
  signature: Buffer.from(server.signature).toString('base64'),
};

interface Setting {
  readonly anchors?: readonly string[];
  /** Whose proofs the server gives. */
  readonly log?: NotedLog;
  readonly answers?: Readonly<Record<string, () => Response | Promise<Response>>>;
  readonly own?: Checkpoint;
  readonly policy?: Partial<WitnessOptions['witnesses']>;
  readonly more?: Partial<WitnessOptions>;
  /** Another build of the library. */
  readonly watch?: typeof watchWitnesses;
}

/** A watch over a client and a server of this kind; what was asked and told. */
export async function watched(setting: Setting) {
  const { anchors = [], log = one, answers = {}, own = checkpointOf(one, 5000), policy, more } = setting;
  const asked: { url: string; init: RequestInit }[] = [];
  let closed = 0;
  const client = { serverId, manifest, checkpoint: own, close: async () => void closed++ };
  const answer = (path: string): Response | Promise<Response> => {
    const given = Object.keys(answers).find((each) => path.startsWith(each));
    if (given) return answers[given]!();
    if (path === '/v1/anchors') return Response.json({ anchors });
    if (path === '/v1/manifest') return Response.json({ ...signed, version: 1 });
    if (path === '/v1/manifests/1') return Response.json({ manifests: [signed] });
    const [from, to] = path.split('/').slice(3).map(Number) as [number, number];
    return new Response(
      log
        .proof(from, to)
        .map((hash) => `${hash.toString('base64')}\n`)
        .join(''),
    );
  };
  const told: [string, unknown][] = [];
  const watching = (setting.watch ?? watchWitnesses)(client, {
    url: 'https://server.example/base',
    fetch: async (url, init) => {
      asked.push({ url: String(url), init: init! });
      return answer(String(url).replace('https://server.example/base', ''));
    },
    ...more,
    witnesses: { keys, threshold: 2, mode: 'fail-open', maxBehind: 2048, ...policy },
  });
  const watch = await watching.catch((error: Error) => error);
  if (watch instanceof Error) return { error: watch, closed, asked, told, client };
  for (const name of ['witnessed', 'unwitnessed', 'contradiction'] as const)
    watch.on(name, (value: unknown) => told.push([name, value]));
  const { newest } = watch;
  const error = await watch.check().then(
    () => null,
    (failed: Error) => failed,
  );
  return { watch, newest, error, closed, asked, told, client };
}
