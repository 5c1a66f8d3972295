/** The sender where signatures come later, as in browsers: in order, and on the connection they were made for. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { importSecretKey } from '#crypto';
import { Counters } from '../src/client/counters.js';
import { Outgoing } from '../src/client/in-flight.js';
import { Persister } from '../src/client/persister.js';
import { Sender } from '../src/client/sender.js';
import { MemoryStore } from '../src/client/store.js';
import {
  BundleHasher,
  decodeSubmitHeader,
  ERRORS,
  type ErrorCode,
  type ErrorFrame,
  encodeBundle,
  toHex,
} from '../src/protocol/index.js';
import { smallPolicy as policy } from './support/policy.js';
import { named } from './worlds.js';

const identity = importSecretKey(Uint8Array.from(named('signing test')));
const id = identity.publicKey;
const turn = () => new Promise<void>((resolve) => setImmediate(() => setImmediate(resolve)));

function rig() {
  const frames: string[] = [];
  const results: string[] = [];
  const asked: {
    readonly first: number;
    readonly hashes: Uint8Array;
    resolve: (signature: Uint8Array) => void;
    reject: (error: unknown) => void;
  }[] = [];
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
  const sign = (first: number, hashes: Uint8Array) =>
    new Promise<Uint8Array>((resolve, reject) => asked.push({ first, hashes, resolve, reject }));
  const options = { window: 8, windowBytes: 1 << 20, maxQueued: 10, policy, proven: true, sign };
  const sender = new Sender(counters, options, new BundleHasher(new Uint8Array(32)), []);
  counters.sender = sender;
  const send = (body = 0) => {
    const bundle = encodeBundle([{ mailbox: id, envelope: new Uint8Array(0) }], Uint8Array.of(body), id);
    sender.add(new Outgoing(bundle, null, (error) => results.push((error as { code: string }).code)));
  };
  const answer = (at: number, byte: number) => asked[at]!.resolve(new Uint8Array(64).fill(byte));
  const hashes = () => asked.map((each) => each.hashes);
  return { frames, results, asked, hashes, counters, send, answer };
}

function refusal(code: ErrorCode, firstCounter: number): ErrorFrame {
  const { number } = ERRORS[code];
  return {
    ...{ number, slot: 0, firstCounter, count: 1, expected: 0, retryAfterMs: 0 },
    ...{ mailbox: new Uint8Array(32), text: '' },
  };
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

test('what it numbers again after a refusal it signs again: two messages with one counter', async () => {
  const { hashes, counters, send, answer, asked } = rig();
  const sent = async () => {
    for (let i = 0; i < asked.length; i++) answer(i, i);
    await turn();
  };
  counters.opened(0, 0);
  send(1);
  send(2);
  await turn();
  await sent();
  counters.sender!.refused(refusal('no-such-mailbox', 1));
  counters.sender!.refused(refusal('counter-gap', 2));
  await turn();
  await sent();
  assert.equal(
    asked.map(({ first }) => first),
    [1, 1],
  );
  const [both, again] = hashes();
  assert.is(both!.length, 64);
  assert.is(again!.length, 32);
  assert.not.equal(again, both!.subarray(0, 32));
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
