/**
 * One rule, three verifiers that ship, one answer: on every published edge case, on forgeries made
 * to sit on the rule's edges, and against an oracle that shares no code with any of them. Node's WebCrypto
 * stands for that of browsers: with it, and where it has nothing.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { memoised, onceGood } from '../src/crypto/memo.js';
import * as noble from '../src/crypto/noble.js';
import * as node from '../src/crypto/node.js';
import * as web from '../src/crypto/web.js';
import * as oracle from './twin/rfc8032.js';
import { FIRST, runOptions, STRIDE } from './worlds.js';

interface Case {
  readonly name: string;
  readonly key: Uint8Array;
  readonly message: Uint8Array;
  readonly signature: Uint8Array;
}

const hex = (text: string) => Uint8Array.from(Buffer.from(text, 'hex'));

function readVectors(name: string) {
  return JSON.parse(readFileSync(new URL(`../../test/vectors/${name}`, import.meta.url), 'utf8'));
}

interface WycheproofFile {
  readonly testGroups: {
    readonly publicKey: { readonly pk: string };
    readonly tests: { tcId: number; comment: string; msg: string; sig: string; result: string }[];
  }[];
}

const wycheproofFile: WycheproofFile = readVectors('ed25519_wycheproof.json');
const wycheproof = wycheproofFile.testGroups.flatMap(({ publicKey, tests }) =>
  tests.map(({ tcId, comment, msg, sig, result }) => ({
    name: `Wycheproof ${tcId}: ${comment}`,
    key: hex(publicKey.pk),
    message: hex(msg),
    signature: hex(sig),
    tcId,
    result,
  })),
);

interface CctvRow {
  readonly number: number;
  readonly key: string;
  readonly sig: string;
  readonly msg: string;
  readonly flags: string[] | null;
}

const cctvFile: CctvRow[] = readVectors('ed25519_cctv.json');
const cctv: Case[] = cctvFile.map(({ number, key, sig, msg, flags }) => ({
  name: `CCTV ${number}: ${flags ?? 'nothing odd'}`,
  key: hex(key),
  message: Buffer.from(msg),
  signature: hex(sig),
}));

function verifySync(verifier: typeof node | typeof noble, { key, message, signature }: Case): boolean {
  let publicKey: node.PublicKey;
  try {
    publicKey = verifier.importPublicKey(key);
  } catch (error) {
    assert.instance(error, TypeError);
    return false;
  }
  return publicKey.verify(message, signature);
}

async function verifyWeb({ key, message, signature }: Case): Promise<boolean> {
  return (await web.isGoodKey(key)) && web.verifierOf(key).verify(message, signature);
}

const SUBTLE = ['importKey', 'verify', 'deriveBits', 'sign', 'exportKey'] as const;

/** Runs with WebCrypto as `change` makes each of its functions. */
async function withSubtle<T>(
  change: (own: () => Promise<never>) => () => Promise<never>,
  run: () => Promise<T>,
) {
  const { subtle } = globalThis.crypto as unknown as { subtle: Record<string, () => Promise<never>> };
  for (const name of SUBTLE) subtle[name] = change(subtle[name]!.bind(subtle));
  try {
    return await run();
  } finally {
    for (const name of SUBTLE) delete subtle[name];
  }
}

/** As in a browser that knows none of these algorithms. */
const withoutSubtle = <T>(run: () => Promise<T>) =>
  withSubtle(() => () => Promise.reject(new Error('no')), run);

/** The one answer of all of them, or an assertion that names who said what. */
async function agreedAnswer(test: Case): Promise<boolean> {
  const expected = oracle.verify(test.key, test.message, test.signature);
  const answers = {
    node: verifySync(node, test),
    noble: verifySync(noble, test),
    web: await verifyWeb(test),
  };
  const agreed = { node: expected, noble: expected, web: expected };
  assert.equal(answers, agreed, test.name);
  return expected;
}

/** Of the published cases an eighth in `npm test`; with RUNS=4 all. */
const isIn = (_: unknown, i: number) => i % STRIDE === FIRST;

const rule = suite('one rule');

rule('Wycheproof: all 151 have one answer, and it is the published result', async () => {
  const differing: number[] = [];
  for (const test of wycheproof.filter(isIn)) {
    if ((await agreedAnswer(test)) !== (test.result === 'valid')) differing.push(test.tcId);
  }
  assert.is(wycheproof.length, 151);
  assert.equal(differing, []);
});

rule('where WebCrypto has nothing the answers are the same', async () => {
  for (const test of wycheproof.filter(isIn))
    assert.is(await withoutSubtle(() => verifyWeb(test)), test.result === 'valid', test.name);
  const seed = new Uint8Array(32).fill(5);
  const identity = await withoutSubtle(() => Promise.resolve(web.identityOf(seed)));
  assert.equal(identity.publicKey, node.importSecretKey(seed).publicKey);
  assert.equal(await identity.sign(seed), Uint8Array.from(node.importSecretKey(seed).sign(seed)));
});

rule('CCTV: all 914 have one answer, and it is no but for the one that has nothing odd in it', async () => {
  for (const test of cctv.filter(isIn))
    assert.is(await agreedAnswer(test), test.name === 'CCTV 305: nothing odd', test.name);
  assert.is(cctv.length, 914);
  assert.is(cctv.filter(({ name }) => name === 'CCTV 305: nothing odd').length, 1);
});

rule('every key of the vectors is judged as RFC 8032 arithmetic judges it', async () => {
  const keys = new Map(
    [...wycheproof, ...cctv].map(({ key, name }) => [Buffer.from(key).toString('hex'), { key, name }]),
  );
  for (const { key, name } of keys.values()) {
    const good = oracle.isGoodKey(key);
    const judged = [noble.isGoodPoint(key), node.isGoodKey(key), await web.isGoodKey(key)];
    assert.equal(judged, [good, good, good], name);
  }
});

rule('WebCrypto alone judges good keys, verifies and signs: noble is not asked', async () => {
  let failed = 0;
  const counting =
    (own: (...args: unknown[]) => Promise<never>) =>
    (...args: unknown[]) =>
      own(...args).catch((error) => {
        failed++;
        throw error;
      });
  await withSubtle(counting, async () => {
    const identity = await web.identityOf(new Uint8Array(32).fill(4));
    const signature = await identity.sign(Uint8Array.of(1));
    assert.ok(await web.isGoodKey(identity.publicKey));
    assert.ok(await web.verifierOf(identity.publicKey).verify(Uint8Array.of(1), signature));
  });
  assert.is(failed, 0);
});

rule('all ways of judging a key agree on points with every torsion, and on bytes at random', async () => {
  const { key } = knownScalar(new Uint8Array(32).fill(9));
  const torsion = SMALL_ORDER.map(oracle.decode).filter((point) => point !== undefined);
  for (const point of torsion) {
    const sum = oracle.encode(oracle.add(oracle.decode(key)!, point));
    const identity = point.X === 0n && point.Y === 1n;
    assert.equal(
      [noble.isGoodPoint(sum), node.isGoodKey(sum), await web.isGoodKey(sum)],
      [identity, identity, identity],
    );
  }
  for (const small of SMALL_ORDER)
    assert.equal(
      [noble.isGoodPoint(small), node.isGoodKey(small), await web.isGoodKey(small)],
      [false, false, false],
    );
  const judged = { good: 0, bad: 0 };
  // Of bytes at random one in sixteen is a good key: made ones are among them, or there may be none.
  const any = fc.uint8Array({ minLength: 32, maxLength: 32 });
  const bytesOrKey = fc.oneof(
    any,
    any.map((seed) => knownScalar(seed).key),
  );
  await fc.assert(
    fc.asyncProperty(bytesOrKey, async (bytes) => {
      const good = node.isGoodKey(bytes);
      judged[good ? 'good' : 'bad']++;
      assert.equal([noble.isGoodPoint(bytes), await web.isGoodKey(bytes)], [good, good]);
    }),
    runOptions(150, 50),
  );
  assert.ok(judged.good > 0 && judged.bad > 0);
});

rule('the identity as R is refused, though it satisfies the equation', async () => {
  // Accepted by OpenSSL and by noble, refused by WebCrypto's specification, libsodium and newer Node.
  const onlyFault: string[] = [];
  for (const test of [...wycheproof, ...cctv]) {
    if (!oracle.isGoodKey(test.key) || !satisfiesEquation(test)) continue;
    if (!(await agreedAnswer(test))) onlyFault.push(test.name);
  }
  assert.equal(onlyFault, ['CCTV 304: low_order_R']);
});

/** s < L and encode(sB − kA) = R, and nothing else: the bare equation, which R = identity can pass. */
function satisfiesEquation({ key, message, signature }: Case): boolean {
  const R = oracle.expectedR(key, message, signature);
  return R !== undefined && Buffer.compare(R, signature.subarray(0, 32)) === 0;
}

/** A key pair whose secret scalar the test knows, so that it can make signatures with any R. */
function knownScalar(seed: Uint8Array): { key: Uint8Array; scalar: bigint } {
  const head = createHash('sha512').update(seed).digest().subarray(0, 32);
  head[0] &= 248;
  head[31] = (head[31] & 63) | 64;
  const scalar = oracle.toNumber(head) % oracle.L;
  return { scalar, key: oracle.encode(oracle.timesBase(scalar)) };
}

/** Every encoding that decodes, leniently or not, to a point of small order (8 points, 14 encodings). */
const SMALL_ORDER = [
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0000000000000000000000000000000000000000000000000000000000000080',
  '0100000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000080',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa',
].map(hex);

rule('forgeries by the owner of a good key are judged alike', async () => {
  const { key, scalar } = knownScalar(new Uint8Array(32).fill(7));
  const torsion = SMALL_ORDER.map(oracle.decode).filter((point) => point !== undefined);
  assert.is(torsion.length, 8);
  /** The signature (R, r + k·a): it satisfies the cofactored equation whenever R is rB plus torsion. */
  const signWith = (message: Uint8Array, R: Uint8Array, r: bigint) => {
    const s = (r + oracle.challenge(R, key, message) * scalar) % oracle.L;
    return Buffer.concat([R, oracle.littleEndian(s)]);
  };
  const verdicts = new Map<string, boolean[]>();
  const judge = async (name: string, message: Uint8Array, signature: Uint8Array) => {
    const answer = await agreedAnswer({ name, key, message, signature });
    verdicts.set(name, [...(verdicts.get(name) ?? []), answer]);
  };
  for (let i = 0; i < 4; i++) {
    const message = Uint8Array.of(i, 1, 2, 3);
    const r = BigInt(i * i) + 5n;
    const honest = signWith(message, oracle.encode(oracle.timesBase(r)), r);
    const s = oracle.toNumber(honest.subarray(32));
    await judge('honest', message, honest);
    await judge('s + L', message, Buffer.concat([honest.subarray(0, 32), oracle.littleEndian(s + oracle.L)]));
    for (const R of SMALL_ORDER) await judge('small-order R', message, signWith(message, R, 0n));
    for (const point of torsion.filter((each) => each.X !== 0n || each.Y !== 1n)) {
      const R = oracle.encode(oracle.add(oracle.timesBase(r), point));
      await judge('R with torsion', message, signWith(message, R, r));
    }
  }
  assert.ok(verdicts.get('honest')!.every((answer) => answer));
  for (const name of ['s + L', 'small-order R', 'R with torsion']) {
    assert.ok(
      verdicts.get(name)!.every((answer) => !answer),
      name,
    );
  }
});

rule('a signature of any other length than 64 bytes is refused, never thrown at', async () => {
  const signer = node.importSecretKey(new Uint8Array(32).fill(1));
  const message = Uint8Array.of(1);
  const signature = signer.sign(message);
  for (const wrong of [
    new Uint8Array(),
    signature.subarray(0, 63),
    Buffer.concat([signature, Uint8Array.of(0)]),
  ]) {
    const test = { name: `${wrong.length} bytes`, key: signer.publicKey, message, signature: wrong };
    assert.is(await agreedAnswer(test), false);
  }
});

rule('a flipped bit of a signature, or of the message, is refused', async () => {
  const signer = noble.importSecretKey(new Uint8Array(32).fill(2));
  const message = Uint8Array.of(0x55, 0xaa);
  const signed = Buffer.concat([signer.sign(message), message]);
  for (let bit = 0; bit < signed.length * 8; bit += 3) {
    const flipped = Uint8Array.from(signed);
    flipped[bit >> 3] ^= 1 << (bit & 7);
    const [signature, bytes] = [flipped.subarray(0, 64), flipped.subarray(64)];
    const test = { name: `bit ${bit}`, key: signer.publicKey, message: bytes, signature };
    assert.is(await agreedAnswer(test), false);
  }
});

rule.run();

const signing = suite('signing');
const seeds = fc.uint8Array({ minLength: 32, maxLength: 32 });
const messages = fc.uint8Array({ maxLength: 300 });

signing('all sign the same bytes alike, and all verify', async () => {
  await fc.assert(
    fc.asyncProperty(seeds, messages, async (seed, message) => {
      const [one, other] = [node.importSecretKey(seed), noble.importSecretKey(seed)];
      assert.equal(Buffer.from(one.publicKey), Buffer.from(other.publicKey));
      const signature = one.sign(message);
      assert.equal(Buffer.from(signature), Buffer.from(other.sign(message)));
      const later = await web.identityOf(seed);
      assert.equal(Buffer.from(later.publicKey), Buffer.from(one.publicKey));
      assert.equal(Buffer.from(await later.sign(message)), Buffer.from(signature));
      assert.is(await agreedAnswer({ name: 'own', key: one.publicKey, message, signature }), true);
    }),
    runOptions(15, 5),
  );
});

signing(
  'a memoised key asks once for what is right, again for what is not, and again for other bytes',
  () => {
    let asked = 0;
    const [right, other, signature] = [Uint8Array.of(1), Uint8Array.of(2), new Uint8Array(64).fill(9)];
    const verify = (message: Uint8Array) => {
      asked++;
      return message[0] === 1;
    };
    const key = memoised({ bytes: new Uint8Array(32).fill(8), verify });
    const answers = [right, right, other, other, right].map((message) => key.verify(message, signature));
    assert.equal([answers, asked], [[true, true, false, false, true], 3]);
    const same = { bytes: new Uint8Array(32).fill(7), verify };
    assert.is(memoised(same).verify(right, signature), true);
    assert.is(asked, 4, 'another key is another question');
    // What was verified is kept as it was: buffers are used again.
    right[0] = 5;
    assert.is(key.verify(right, signature), false);
  },
);

signing('a good key is asked about once, until thousands have come, and a bad one again', () => {
  let asked = 0;
  const isGood = (key: Uint8Array) => ++asked > 0 && key[0] === 1;
  const keyOf = (good: number, at: number) => Uint8Array.of(good, at >> 8, at & 255);
  const ask = (...key: readonly [number, number]) => onceGood(keyOf(...key), isGood);
  const answers = [ask(1, 0), ask(1, 0), ask(1, 1), ask(0, 2), ask(0, 2), ask(1, 0)];
  assert.equal([answers, asked], [[true, true, true, false, false, true], 4]);
  for (let at = 2; at < 4000; at++) assert.ok(ask(1, at));
  assert.equal([ask(1, 3999), asked], [true, 4002]);
  assert.equal([ask(1, 0), asked], [true, 4003]);
});

signing('a secret key of the wrong length throws', async () => {
  for (const length of [0, 31, 33, 64]) {
    for (const { importSecretKey } of [node, noble]) {
      assert.throws(
        () => importSecretKey(new Uint8Array(length)),
        (error: unknown) => error instanceof TypeError && error.message.includes(`got ${length}`),
      );
    }
    assert.match(
      String(await Promise.resolve(web.identityOf(new Uint8Array(length))).catch(String)),
      `got ${length}`,
    );
  }
});

signing('what a caller later does to the bytes it gave changes no key', () => {
  for (const { importSecretKey, importPublicKey } of [node, noble]) {
    const seed = new Uint8Array(32).fill(3);
    const signer = importSecretKey(seed);
    const given = Uint8Array.from(signer.publicKey);
    const publicKey = importPublicKey(given);
    seed.fill(0);
    given.fill(0);
    assert.ok(publicKey.verify(Uint8Array.of(1), signer.sign(Uint8Array.of(1))));
    assert.equal(publicKey.bytes, signer.publicKey);
  }
});

signing.run();

const hashing = suite('hashing');

hashing('sha256 and sha256Into of both agree with createHash, and write 32 bytes and no more', () => {
  const room = fc.record({
    data: fc.uint8Array({ maxLength: 2000 }),
    skip: fc.nat(40),
    offset: fc.nat(100),
    after: fc.nat(100),
  });
  fc.assert(
    fc.property(room, ({ data, skip, offset, after }) => {
      const part = data.subarray(skip);
      const expected = createHash('sha256').update(part).digest();
      for (const { sha256, sha256Into } of [node, web]) {
        assert.equal(Buffer.from(sha256(part)), expected);
        const out = new Uint8Array(offset + 32 + after).fill(0x5a);
        sha256Into(part, out, offset);
        assert.equal(Buffer.from(out.subarray(offset, offset + 32)), expected);
        out.fill(0x5a, offset, offset + 32);
        assert.ok(out.every((byte) => byte === 0x5a));
      }
    }),
    runOptions(500, 200),
  );
});

hashing('randomBytes gives as many bytes as asked, others each time', () => {
  for (const { randomBytes } of [node, web]) {
    assert.is(randomBytes(32).length, 32);
    assert.not.equal(Buffer.from(randomBytes(32)), Buffer.from(randomBytes(32)));
  }
});

hashing.run();
