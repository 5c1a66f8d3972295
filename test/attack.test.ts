/** What anybody can send to an open port: coded answers, and nobody else notices. */
import { randomBytes } from 'node:crypto';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  concat,
  decodeOpened,
  decodePlaced,
  ERRORS,
  type ErrorCode,
  type ErrorKind,
  encodeAck,
  encodeAskStill,
  encodeHello,
  encodeSession,
  encodeSubmit,
  FRAME,
  ZERO_HASH,
} from '../src/protocol/index.js';
import { attacked, bundleTo, FRONT, hello, OUTBOX, session, submit } from './support/attack.js';
import { crowd } from './support/attacked.js';
import { idOf } from './support/names.js';
import { Raw } from './support/raw.js';

const test = suite('attacks');

type State = 'new' | 'greeted' | 'open';
type Case = readonly [
  what: string,
  path: string,
  state: State,
  code: ErrorCode,
  frame: (raw: Raw) => Uint8Array,
];

const cut = (frame: Uint8Array) => frame.subarray(0, -1);
const extended = (frame: Uint8Array) => concat(frame, Uint8Array.of(0));
const withByte = (frame: Uint8Array, at: number, value: number) => {
  const copy = Uint8Array.from(frame);
  copy[at] = value;
  return copy;
};
const BAD = 'malformed-frame';
const WRONG = 'unexpected-frame';

const CASES: readonly Case[] = [
  ['nothing at all', FRONT, 'new', BAD, () => new Uint8Array(0)],
  ['type 0', FRONT, 'new', WRONG, () => Uint8Array.of(0)],
  ['an unknown type', FRONT, 'open', WRONG, () => Uint8Array.of(0x7f, 1, 2, 3)],
  ...[0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87].map(
    (type): Case => [`the server's type ${type}`, OUTBOX, 'open', WRONG, () => Uint8Array.of(type, 0, 0, 0)],
  ),
  ['hello cut', FRONT, 'new', BAD, (raw) => cut(hello(raw))],
  ['hello extended', FRONT, 'new', BAD, (raw) => extended(hello(raw))],
  ['hello of no kind', FRONT, 'new', BAD, (raw) => withByte(hello(raw), 1, 3)],
  ['hello of the other kind', FRONT, 'new', WRONG, (raw) => withByte(hello(raw), 1, 2)],
  [
    'hello with a checkpoint nobody signed',
    FRONT,
    'new',
    BAD,
    () =>
      encodeHello({
        kind: 1,
        nonce: randomBytes(32),
        checkpoint: { size: 2 ** 40, root: randomBytes(32), signature: randomBytes(64) },
      }),
  ],
  [
    'hello with a checkpoint of size 0 that is not empty',
    FRONT,
    'new',
    BAD,
    (raw) => withByte(hello(raw), 60, 1),
  ],
  ['a second hello', FRONT, 'greeted', WRONG, hello],
  ['session first', FRONT, 'new', WRONG, session],
  ['session cut', FRONT, 'greeted', BAD, (raw) => cut(session(raw))],
  ['session extended', FRONT, 'greeted', BAD, (raw) => extended(session(raw))],
  ['session of nobody', FRONT, 'greeted', BAD, () => encodeSession([])],
  [
    'session of 65,535, and one there',
    FRONT,
    'greeted',
    BAD,
    (raw) => withByte(withByte(session(raw), 1, 255), 2, 255),
  ],
  ['submit before hello', FRONT, 'new', BAD, submit],
  ['submit before session', FRONT, 'greeted', BAD, submit],
  ['submit on an outbox', OUTBOX, 'open', WRONG, submit],
  ['submit in a slot that is not open', FRONT, 'open', BAD, () => encodeSubmit(1, 1, [bundleTo('mallory')])],
  ['submit with a flag', FRONT, 'open', BAD, () => withByte(submit(), 3, 1)],
  ['submit of nothing', FRONT, 'open', BAD, () => encodeSubmit(0, 1, [])],
  ['submit from counter 0', FRONT, 'open', BAD, () => encodeSubmit(0, 0, [bundleTo('mallory')])],
  ['submit of the highest counter', FRONT, 'open', BAD, () => submit().fill(255, 4, 12)],
  ['submit cut in its header', FRONT, 'open', BAD, () => submit().subarray(0, 9)],
  ['submit extended', FRONT, 'open', BAD, () => extended(submit())],
  ['ack on the front', FRONT, 'open', WRONG, () => encodeAck([{ slot: 0, epoch: 1 }])],
  ['ack before session', OUTBOX, 'greeted', BAD, () => encodeAck([{ slot: 0, epoch: 1 }])],
  ['ack of a slot that is not open', OUTBOX, 'open', BAD, () => encodeAck([{ slot: 7, epoch: 1 }])],
  ['ack cut', OUTBOX, 'open', BAD, () => cut(encodeAck([{ slot: 0, epoch: 1 }]))],
  ['ack extended', OUTBOX, 'open', BAD, () => extended(encodeAck([{ slot: 0, epoch: 1 }]))],
  ['still of a slot that is not open', OUTBOX, 'open', BAD, () => encodeAskStill([3])],
  ['still extended', OUTBOX, 'open', BAD, () => extended(encodeAskStill([0]))],
];

test('malformed and misplaced frames: a coded error, then the socket is closed', async () => {
  await attacked({}, async (_, url) => {
    for (const [what, path, state, code, make] of CASES) {
      const raw = await Raw.connect(url, path);
      if (state !== 'new') await raw.greet();
      if (state === 'open') await raw.open('mallory');
      raw.send(make(raw));
      assert.is((await raw.error()).number, ERRORS[code].number, `${what}: error`);
      const kind: ErrorKind = ERRORS[code];
      assert.is((await raw.closed).code, kind.close, `${what}: close code`);
    }
    const text = await Raw.connect(url, FRONT);
    text.socket.send('{"hello":true}');
    assert.is((await text.closed).code, ERRORS[BAD].close);
  });
});

test('an acknowledgment of what never was is answered, and the socket goes on', async () => {
  await attacked({}, async (_, url) => {
    const raw = await Raw.session(url, OUTBOX, 'mallory');
    for (const epoch of [1, 2 ** 40, Number.MAX_SAFE_INTEGER]) {
      raw.send(encodeAck([{ slot: 0, epoch }]));
      assert.is((await raw.error()).number, ERRORS['ack-unknown-epoch'].number);
    }
    raw.send(encodeAskStill([0]));
    await raw.next(FRAME.deliver);
    raw.close();
  });
});

test('sessions that were not signed for this challenge, by this key, or by no honest key', async () => {
  await attacked({}, async (_, url) => {
    const first = await Raw.connect(url, FRONT);
    const old = await first.greet();
    const raw = await Raw.connect(url, FRONT);
    await raw.greet();
    const refused = async (frame: Uint8Array, what: string) =>
      assert.is((await raw.opened(frame)).error, ERRORS['session-refused'].number, what);
    await refused(raw.sessionFrame('mallory', old), 'signed for another challenge');
    await refused(raw.sessionFrame('mallory', undefined, idOf('witness alice')), 'signed by another key');
    await refused(first.sessionFrame('mallory').fill(0, 43), 'no signature');
    // y = 1 (identity), y = −1 (order 2), y = 0 (order 4), order 8, and p + 1: the identity, not canonical.
    const small = [
      `01${'00'.repeat(31)}`,
      `ec${'ff'.repeat(30)}7f`,
      '00'.repeat(32),
      '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
      `ee${'ff'.repeat(30)}7f`,
    ];
    for (const key of small)
      await refused(raw.sessionFrame('mallory', undefined, Buffer.from(key, 'hex')), `key ${key}`);
    assert.is((await raw.open('mallory')).error, 0, 'a good one on the same socket');
    first.close();
    raw.close();
  });
});

test('who opens no mailbox in time is sent away, whatever else it said', async () => {
  await attacked({ 'limits-handshake-ms': '300' }, async (_, url) => {
    const raws = await Promise.all([FRONT, OUTBOX, FRONT].map((path) => Raw.connect(url, path)));
    await raws[1]!.greet();
    await raws[2]!.greet();
    await raws[2]!.opened(raws[2]!.sessionFrame('mallory', randomBytes(32)));
    for (const raw of raws) assert.is((await raw.closed).code, ERRORS['handshake-timeout'].close);
  });
});

test('frames beyond the limits', async () => {
  await attacked({ 'limits-frame-bytes': '300000' }, async (_, url) => {
    const large = await Raw.session(url, FRONT, 'mallory');
    large.send(new Uint8Array(300_001).fill(FRAME.submit));
    assert.is((await large.closed).code, 1009);
    const raw = await Raw.session(url, FRONT, 'mallory');
    const many = encodeSubmit(0, 1, [bundleTo('mallory')]);
    many.fill(255, 12, 14);
    raw.send(many);
    const { number, count } = await raw.error();
    assert.is(number, ERRORS['too-many-bundles'].number);
    assert.is(count, 65_535);
    raw.send(submit());
    await raw.next(FRAME.placed);
    raw.close();
  });
});

test('one unknown recipient costs one bundle; those behind it are taken when they come again', async () => {
  await attacked({}, async (_, url) => {
    const raw = await Raw.session(url, FRONT, 'mallory');
    raw.send(encodeSubmit(0, 1, [bundleTo('mallory'), bundleTo('nobody'), bundleTo('mallory', 'later')]));
    const [refused, gap] = [await raw.error(), await raw.error()];
    assert.equal(
      [refused.number, refused.firstCounter, refused.count],
      [ERRORS['no-such-mailbox'].number, 2, 1],
    );
    assert.equal([...gap.mailbox], [...ZERO_HASH]);
    assert.equal([gap.number, gap.firstCounter, gap.count], [ERRORS['counter-gap'].number, 3, 1]);
    raw.send(encodeSubmit(0, 2, [bundleTo('mallory', 'later')]));
    const counters = new Set<number>();
    while (counters.size < 2)
      for (const { counter } of decodePlaced(await raw.next(FRAME.placed)).messages) counters.add(counter);
    assert.equal([...counters], [1, 2]);
    raw.close();
  });
});

test('a newer session takes over; the older is told, and only it', async () => {
  await attacked({}, async (_, url) => {
    for (const path of [FRONT, OUTBOX]) {
      const older = await Raw.session(url, path, 'mallory');
      const newer = await Raw.session(url, path, 'mallory');
      assert.is((await older.error()).number, ERRORS.displaced.number);
      assert.is((await older.closed).code, ERRORS.displaced.close);
      // With a second mailbox open, only the slot is lost.
      await newer.open('other');
      const newest = await Raw.session(url, path, 'mallory');
      const { number, slot } = await newer.error();
      assert.equal([number, slot], [ERRORS.displaced.number, 0]);
      assert.is(newer.socket.readyState, 1);
      newer.close();
      newest.close();
    }
    const twice = await Raw.connect(url, FRONT);
    await twice.greet();
    const one = twice.sessionFrame('mallory').subarray(3);
    twice.send(concat(Uint8Array.of(FRAME.session, 0, 2), one, one));
    // The later of the two has it.
    const answers = decodeOpened(await twice.next(FRAME.opened));
    assert.equal(
      answers.map(({ error }) => error),
      [ERRORS.displaced.number, 0],
    );
    twice.close();
  });
});

// test/long/attack.test.ts: ten thousand.
test('fifty clients at once', () => crowd(50));

test.run();
