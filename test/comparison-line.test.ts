/** The line of two clients that compare: whatever chunks bytes come in, over TCP, and with somebody who changes them. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { importSecretKey } from '#crypto';
import { encodeFrame, type Frame, MOST_BYTES, SAY } from '../src/client/comparison-frames.js';
import { ComparisonLine } from '../src/client/comparison-line.js';
import { type Client, MemoryStore } from '../src/client/index.js';
import { ComparisonError, type Duplex, Vectors } from '../src/client/vectors-entry.js';
import { concat, SIGNATURE_BYTES, toHex, Writer } from '../src/protocol/index.js';
import { clientOf, keyOf } from './client-helpers.js';
import {
  chat,
  compare,
  duplexes,
  end,
  id,
  liar,
  loseOne,
  mustProveThat,
  refused,
  started,
} from './support/comparing.js';

const test = suite('the line of a comparison');

// ---- chunks

const [ALICE, BOB] = ['alice', 'bob'].map((name) => importSecretKey(keyOf(name))) as [Signer, Signer];
type Signer = ReturnType<typeof importSecretKey>;

const line = (own: Signer, peer: Signer, duplex: Duplex) =>
  new ComparisonLine(
    { id: own.publicKey, peer: peer.publicKey, sign: own.sign },
    duplex,
    AbortSignal.timeout(10_000),
  );

async function digestsOver(line: ComparisonLine, names: readonly string[]): Promise<Uint8Array[]> {
  await line.open();
  const heard: Uint8Array[] = [];
  for (const name of names) heard.push((await line.swap(SAY.digest, { epoch: 7, digest: id(name) })).digest);
  return heard;
}

/** Bob's first two frames are one piece, as he says the second before Alice has read the first. */
async function heardIn(chunksOf: (piece: Uint8Array) => Iterable<unknown>): Promise<number> {
  const { one, other, toOne } = duplexes();
  let length = 0;
  const incoming = (async function* () {
    while (toOne.sent.length < 2) await new Promise(setImmediate);
    const piece = concat(...toOne.sent.slice(0, 2));
    length = piece.length;
    yield* chunksOf(piece) as Iterable<Uint8Array>;
    while (toOne.sent.length < 3) await new Promise(setImmediate);
    yield* chunksOf(toOne.sent[2]!) as Iterable<Uint8Array>;
  })();
  const [ofAlice, ofBob] = await Promise.all([
    digestsOver(line(ALICE, BOB, { ...one, incoming }), ['a', 'b']),
    digestsOver(line(BOB, ALICE, other), ['c', 'd']),
  ]);
  assert.equal(ofAlice, ['c', 'd'].map(id));
  assert.equal(ofBob, ['a', 'b'].map(id));
  return length;
}

const AS = [
  (bytes: Uint8Array) => bytes,
  (bytes: Uint8Array) => bytes.slice().buffer,
  (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.length),
  (bytes: Uint8Array) => Buffer.from(bytes),
];
const as = (bytes: Uint8Array, i: number) => AS[i % AS.length]!(bytes);

test('frames are the same in whatever chunks they come, and as whatever kind of bytes', async () => {
  const whole = await heardIn((piece) => [piece]);
  assert.is(whole, 4 + 41 + SIGNATURE_BYTES + 4 + 49 + SIGNATURE_BYTES);
  await heardIn((piece) => Array.from(piece, (byte, i) => as(Uint8Array.of(byte), i)));
  for (let at = 0; at <= whole; at++)
    await heardIn((piece) => [as(piece.subarray(0, at), at), as(piece.subarray(at), at + (at >> 2))]);
});

async function codeOf(duplex: Duplex, isFirst = true): Promise<string> {
  const opened = isFirst ? line(ALICE, BOB, duplex).open() : line(BOB, ALICE, duplex).open();
  const error = await opened.catch((error: unknown) => error);
  assert.instance(error, ComparisonError, String(error));
  return (error as ComparisonError).code;
}

const NOWHERE = { send: () => {} };

test('what is no bytes, or of a length that cannot be, is malformed; before the rest has come', async () => {
  for (const chunk of ['text', 1, null, undefined, {}, [1, 2], new Blob([])]) {
    const { one, toOne } = duplexes();
    toOne.push(chunk as never);
    assert.is(await codeOf(one), 'malformed', String(chunk));
  }
  const most = MOST_BYTES[SAY.nonce] + SIGNATURE_BYTES;
  for (const length of [0, SIGNATURE_BYTES - 1, most + 1, 2 ** 32 - 1]) {
    const { one, toOne } = duplexes();
    toOne.push(new Writer(4).u32(length).done());
    assert.is(await codeOf(one), 'malformed', `${length} bytes`);
  }
  for (const length of [SIGNATURE_BYTES, most]) {
    const { one, toOne } = duplexes();
    toOne.push(new Writer(4 + length).u32(length).bytes(new Uint8Array(length)).done());
    assert.is(await codeOf(one), 'not-authentic', `${length} bytes`);
  }
  const { one, toOne } = duplexes();
  toOne.push(Uint8Array.of(0, 0));
  toOne.end();
  assert.is(await codeOf(one), 'no-answer', 'it ends within a frame');
});

test('what is signed is what the document says, and good on one line alone', async () => {
  const { one, other, toOne, toOther } = duplexes();
  await Promise.all([digestsOver(line(ALICE, BOB, one), ['a']), digestsOver(line(BOB, ALICE, other), ['b'])]);
  const [first, second] = toOther.sent as [Uint8Array, Uint8Array];
  const [othersFirst] = toOne.sent as [Uint8Array];
  const frameOf = (packet: Uint8Array) => Buffer.from(packet.subarray(4, -SIGNATURE_BYTES));
  const { createHash, createPublicKey, verify } = await import('node:crypto');
  const hash = (...parts: Uint8Array[]) => createHash('sha256').update(Buffer.concat(parts)).digest();
  const isAliceLower = Buffer.compare(ALICE.publicKey, BOB.publicKey) < 0;
  const [lower, higher] = isAliceLower ? [first, othersFirst] : [othersFirst, first];
  const digest = hash(
    Buffer.from('csign1vt'),
    new Uint8Array(32),
    hash(frameOf(lower)),
    hash(frameOf(higher)),
  );
  const x = Buffer.from(ALICE.publicKey).toString('base64url');
  const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
  const signed = Buffer.concat([Buffer.from('countersign/v1 comparison'), digest, frameOf(second)]);
  assert.ok(verify(null, signed, key, second.subarray(-SIGNATURE_BYTES)));
  // Bob's frames once more: the first one may be an old one, and then Alice's random bytes are others.
  const again = duplexes();
  for (const each of toOne.sent) again.toOne.push(each);
  const replayed = line(ALICE, BOB, again.one);
  await replayed.open();
  const error = await replayed
    .swap(SAY.digest, { epoch: 7, digest: id('a') })
    .catch((error: unknown) => error as ComparisonError);
  assert.is((error as ComparisonError).code, 'not-authentic');
  // And Alice's own.
  const echo = duplexes();
  assert.is(
    await codeOf({ ...NOWHERE, ...echo.one, send: (bytes) => echo.toOne.push(bytes) }),
    'not-authentic',
  );
});

// ---- over TCP

const talk = (server: Started['server'], name: string, store = new MemoryStore()) =>
  clientOf(server, name, { vectors: new Vectors(), store });
type Started = Awaited<ReturnType<typeof started>>;

async function sockets(): Promise<[Socket, Socket]> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const near = connect((server.address() as AddressInfo).port, '127.0.0.1');
  const [far] = (await once(server, 'connection')) as [Socket];
  server.close();
  return [near, far];
}

const over = (socket: Socket): Duplex => ({ incoming: socket, send: (bytes) => socket.write(bytes) });

test('two clients compare over TCP, and prove what one of them lacks', async () => {
  const { server, cheat } = await started();
  const [alice, bob, cora] = await Promise.all([
    talk(server, 'alice'),
    talk(server, 'bob'),
    talk(server, 'cora'),
  ]);
  const compared = async () => {
    const ends = await sockets();
    const found = await Promise.all([
      alice.vectors!.compare(bob.id, over(ends[0])),
      bob.vectors!.compare(alice.id, over(ends[1])),
    ]);
    for (const each of ends) each.destroy();
    return found;
  };
  await chat(alice, bob, 2);
  for (let i = 0; i < 5; i++) for (const { outcome } of await compared()) assert.is(outcome, 'same');
  await loseOne(cheat, [alice, bob, cora], 2, 2);
  for (const found of await compared()) mustProveThat(found, server, /lost a message/);
  await end(server, alice, bob);
});

// ---- whoever carries the bytes

const packed = (frame: Frame, { sign }: Signer) => {
  const bytes = encodeFrame(frame);
  return new Writer(256)
    .u32(bytes.length + SIGNATURE_BYTES)
    .bytes(bytes)
    .bytes(sign(bytes))
    .done();
};

test('whoever carries the bytes moves no start and hides no loss; nor does a peer whose start cannot be', async () => {
  const { server, cheat } = await started();
  const stores = [new MemoryStore(), new MemoryStore()] as const;
  const [alice, bob, cora] = await Promise.all([
    talk(server, 'alice', stores[0]),
    talk(server, 'bob', stores[1]),
    talk(server, 'cora'),
  ]);
  await loseOne(cheat, [alice, bob, cora], 2, 2);
  for (const client of [alice, bob]) await client.still();
  const recorded = duplexes();
  await Promise.all([
    alice.vectors!.compare(bob.id, recorded.one),
    bob.vectors!.compare(alice.id, recorded.other),
  ]);
  const kept = () => [
    ...[alice, bob].map((each, i) => each.vectors!.book.pairOf(toHex([bob, alice][i]!.id)).saved),
    ...stores.map((store) =>
      [...store.load().kept].filter(([name]) => /^vectors \w+ (pair|forks)/.test(name)),
    ),
  ];
  const before = kept();
  assert.ok(before.length === 4);
  const { asOf } = alice.vectors!;
  const hello = (from: number, more: object = {}) =>
    ({
      ...{ says: SAY.hello, serverId: alice.serverId, sender: bob.id, scope: 0 },
      ...{ from, base: from, asOf: from, ...more },
    }) as Frame;
  const nonce: Frame = { says: SAY.nonce, nonce: id('nonce') };
  const mallory = importSecretKey(keyOf('mallory'));
  for (const from of [1, asOf, 2 ** 45]) {
    const forged = duplexes();
    for (const frame of [nonce, hello(from), hello(from)]) forged.toOne.push(packed(frame, mallory));
    assert.is(await refused(alice, bob.id, forged.one), 'not-authentic', `from ${from}`);
    // Bob's own first frame, and then another hello than his.
    const changed = duplexes();
    let turns = 0;
    const send = (bytes: Uint8Array) =>
      changed.toOne.push(turns++ === 1 ? packed(hello(from), mallory) : bytes);
    const others = refused(bob, alice.id, { incoming: changed.toOther, send }, 20_000);
    assert.is(await refused(alice, bob.id, changed.one), 'not-authentic', `from ${from}`);
    changed.toOther.end();
    assert.is(await others, 'no-answer');
  }
  const replayed = duplexes();
  for (const each of recorded.toOne.sent) replayed.toOne.push(each);
  assert.is(await refused(alice, bob.id, replayed.one), 'not-authentic');
  for (const [frame, code] of [
    [hello(2 ** 45), 'not-comparable'],
    [hello(asOf + 1, { asOf: 2 ** 45, base: 2 ** 45 }), 'not-comparable'],
    [hello(2, { asOf: 1 }), 'not-comparable'],
    [hello(asOf, { base: 0 }), 'malformed'],
  ] as const) {
    const spoken = duplexes();
    void liar('bob', alice.id, spoken, [frame, frame]);
    assert.is(await refused(alice, bob.id, spoken.one), code);
  }
  await mustBeAsBefore([alice, bob], kept, before);
  for (const found of (await compare(alice, bob)).slice(0, 2))
    mustProveThat(found as never, server, /lost a/);
  await end(server, alice, bob);
});

/** Also when all has been saved. */
async function mustBeAsBefore(
  clients: readonly Client[],
  kept: () => unknown,
  before: unknown,
): Promise<void> {
  for (const client of clients) await client.still();
  assert.equal(kept(), before);
}

test.run();
