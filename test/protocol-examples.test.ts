/**
 * docs/PROTOCOL.md lets a stranger write a client, so its examples must be right: what stands in the
 * document (not what the code would write there) is decoded, hashed, verified and delivered here.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { importPublicKey } from '#crypto';
import * as p from '../src/protocol/index.js';
import { accept, type Client, Refused } from './examples/accept.js';
import { type Example, parseExamples, render, replaceExamples } from './examples/format.js';
import { FRAMES } from './examples/frames.js';
import { MANY, OBJECTS } from './examples/objects.js';
import * as w from './examples/world.js';

const document = readFileSync(new URL('../../docs/PROTOCOL.md', import.meta.url), 'utf8');
const documented = parseExamples(document);
const made: Readonly<Record<string, Example>> = { ...OBJECTS, ...FRAMES };
const test = suite('protocol examples');

/** Bytes of a field of an example, as the document has them. */
function field(example: string, name: string): Uint8Array {
  const value = documented.get(example)?.[name];
  assert.instance(value, Uint8Array, `${example}: ${name}`);
  return value as Uint8Array;
}

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
const same = (a: Uint8Array, b: Uint8Array, what?: string) => assert.is(hex(a), hex(b), what);

test('the document has every example, and no other', () => {
  assert.equal([...documented.keys()].sort(), Object.keys(made).sort());
});

for (const [name, example] of Object.entries(made)) {
  test(`${name}: the code makes what the document says`, () => {
    assert.equal(
      Object.keys(documented.get(name) ?? {}),
      Object.keys(example),
      'run: npm run -s docs:examples',
    );
    for (const [key, value] of Object.entries(example)) {
      if (!(value instanceof Uint8Array)) assert.equal(documented.get(name)![key], value, key);
      else same(field(name, key), value, `${key}; if it is meant to change, run: npm run -s docs:examples`);
    }
  });
}

test('every hash is the SHA-256 of the preimage above it', () => {
  let hashes = 0;
  for (const [name, example] of documented) {
    for (const key of Object.keys(example).filter((each) => /\bpreimage$/.test(each))) {
      const hash = createHash('sha256').update(field(name, key)).digest();
      same(field(name, key.replace(/preimage$/, 'hash')), hash, `${name}: ${key}`);
      hashes++;
    }
  }
  assert.ok(hashes > 25, `${hashes} hashes`);
});

test('every signature verifies, and not for other bytes', () => {
  const signed = [...documented].filter(([, example]) => 'signed bytes' in example).map(([name]) => name);
  assert.ok(signed.length >= 5);
  for (const name of signed) {
    const key = importPublicKey(field(name, 'key'));
    const message = field(name, 'signed bytes');
    assert.ok(key.verify(message, field(name, 'signature')), name);
    assert.not(key.verify(message.subarray(1), field(name, 'signature')), name);
  }
});

/** Every frame that has a decoder, with its encoder. */
const CODECS: Readonly<Record<string, (frame: Uint8Array) => Uint8Array>> = {
  'hello-frame': (frame) => p.encodeHello(p.decodeHello(frame)),
  'hello-frame-again': (frame) => p.encodeHello(p.decodeHello(frame)),
  'challenge-frame': (frame) => p.encodeChallenge(p.decodeChallenge(frame)),
  'session-frame': (frame) => p.encodeSession(p.decodeSession(frame)),
  'opened-frame': (frame) => p.encodeOpened(p.decodeOpened(frame)),
  'opened-frame-refused': (frame) => p.encodeOpened(p.decodeOpened(frame)),
  'placed-frame': (frame) => p.encodePlaced(p.decodePlaced(frame)),
  'ack-frame': (frame) => p.encodeAck(p.decodeAck(frame)),
  'ask-still-frame': (frame) => p.encodeAskStill(p.decodeAskStill(frame)),
  'ping-frame': (frame) => {
    p.decodePing(frame);
    return p.PING;
  },
  'checkpoint-frame': (frame) => p.encodeCheckpoint(p.decodeCheckpoint(frame)),
  'end-of-backlog-frame': (frame) => p.encodeEndOfBacklog(p.decodeEndOfBacklog(frame)),
  'error-frame': (frame) => p.encodeError(p.decodeError(frame)),
};

for (const [name, again] of Object.entries(CODECS)) {
  test(`${name}: decodes, encodes to the same bytes, and takes no byte more`, () => {
    const frame = field(name, 'frame');
    same(again(frame), frame);
    assert.throws(() => again(p.concat(frame, Uint8Array.of(0))), /trailing/);
    assert.throws(() => again(frame.subarray(0, -1)));
  });
}

for (const name of Object.keys(FRAMES)) {
  test(`${name}: its JSON in the document stands for its bytes`, () => {
    const text = JSON.stringify(documented.get(name)!['json']);
    same(p.frameFromJson(text), field(name, 'frame'));
    assert.is(p.frameToJson(field(name, 'frame')), text);
  });
}

test('every type of frame has an example', () => {
  const types = Object.keys(FRAMES).map((name) => p.frameType(field(name, 'frame')));
  assert.equal(
    [...new Set(types)].sort((a, b) => a - b),
    Object.values(p.FRAME).sort((a, b) => a - b),
  );
});

test('submit-frame: its bundles are those of the message hashes', () => {
  const frame = field('submit-frame', 'frame');
  assert.equal(p.decodeSubmitHeader(frame), {
    slot: 0,
    firstCounter: 1,
    count: 2,
    signature: null,
    bundlesAt: 14,
  });
  const bundles = [1, 2].map((n) => field(`message-hash-${n}`, 'bundle'));
  same(frame.subarray(p.SUBMIT_HEADER_BYTES), p.concat(...bundles));
  for (const [i, bundle] of bundles.entries()) {
    const message = { sender: w.ALICE, counter: i + 1, bundle };
    same(w.hashOf(message), field(`message-hash-${i + 1}`, 'hash'));
  }
  same(w.hashOf(MANY), field('message-hash-17', 'hash'));
});

test('a manifest with its signature opens, and its hash is the server id', () => {
  const manifest = p.openManifest(field('manifest', 'manifest'), field('manifest', 'signature'));
  assert.is(manifest.actors.length, 5);
  same(p.encodeManifest(manifest), field('manifest', 'manifest'));
  same(field('manifest', 'hash'), field('manifest', 'server id'));
});

test('epoch leaves and attestations decode and encode to the same bytes', () => {
  for (const name of ['epoch-leaf-1', 'epoch-leaf-1001']) {
    const bytes = field(name, 'preimage');
    same(p.encodeEpochLeaf(p.decodeEpochLeaf(bytes)), bytes);
  }
  for (const name of ['attestation-of-an-inbox', 'attestation-of-an-outbox']) {
    const bytes = field(name, 'signed bytes');
    same(p.encodeAttestation(p.decodeAttestation(bytes)), bytes);
  }
});

for (const name of ['claim-on-a-link', 'claim-on-an-inbox-page']) {
  test(`${name}: it verifies, and with no byte changed`, () => {
    const bytes = field(name, 'claim');
    const manifest = p.decodeManifest(field('manifest', 'manifest'));
    const verify = (claim: Uint8Array) =>
      p.verifyClaim(p.decodeClaim(claim), w.SERVER_ID, manifest, w.MANIFEST_HASH);
    same(p.encodeClaim(p.decodeClaim(bytes)), bytes);
    assert.is(verify(bytes).epochLeaf.epoch, 1);
    for (let at = 0; at < bytes.length; at++) {
      const changed = Uint8Array.from(bytes);
      changed[at]! ^= 1;
      assert.throws(
        () => verify(changed),
        (error: unknown) => error instanceof p.FormatError,
        `byte ${at}`,
      );
    }
  });
}

const newcomer = (ids: readonly Uint8Array[], seeds: readonly number[]): Client => ({
  frontier: new p.Frontier(),
  mailboxes: ids.map((id, i) => ({ id, chain: { lastEpoch: 0, total: 0, head: w.same(seeds[i]!) } })),
});

test('live deliveries are accepted by the steps of the document', () => {
  const bob = accept(newcomer([w.BOB], [0x1b]), field('deliver-frame-live', 'frame'));
  same(bob.mailboxes[0]!.chain.head, field('link', 'hash'));
  assert.is(bob.mailboxes[0]!.chain.total, 2);
  assert.is(bob.frontier.size, 1);
});

test('a backlog under one checkpoint, then a live delivery with a still, is accepted', () => {
  const { from, to, gap } = p.decodeCheckpoint(field('checkpoint-frame', 'frame'));
  const client = newcomer([w.ALICE, w.CAROL], [0x1a, 0x1c]);
  assert.is(from, client.frontier.size);
  client.frontier.appendGap(to, gap);
  const alice = accept(client, field('deliver-frame-backlog', 'frame'));
  assert.is(alice.mailboxes[0]!.chain.lastEpoch, 1);
  assert.is(alice.frontier.size, 2);
  // Another socket, on which both were up to date after epoch 1.
  const carol = { lastEpoch: 1, total: 1, head: w.EPOCH_2.leaves.find(isCarols)!.before.head };
  const live: Client = {
    frontier: p.Frontier.from(1, field('epoch-leaf-1', 'hash')),
    mailboxes: [alice.mailboxes[0]!, { id: w.CAROL, chain: carol }],
  };
  const after = accept(live, field('deliver-frame-still', 'frame'));
  same(after.frontier.root(), field('checkpoint', 'root'));
  assert.is(after.mailboxes[0]!.chain.lastEpoch, 1001);
  assert.equal(after.mailboxes[1]!.chain, carol);
});

const isCarols = ({ mailbox }: { mailbox: Uint8Array }) => p.equalBytes(mailbox, w.CAROL);

test('a delivery with any byte changed is refused', () => {
  const frame = field('deliver-frame-live', 'frame');
  for (let at = 0; at < frame.length; at++) {
    const changed = Uint8Array.from(frame);
    changed[at]! ^= 1;
    try {
      accept(newcomer([w.BOB, w.BOB], [0x1b, 0x1c]), changed);
    } catch (error) {
      assert.ok(error instanceof p.FormatError || error instanceof Refused, `byte ${at}: ${error}`);
      continue;
    }
    assert.unreachable(`byte ${at} may be changed`);
  }
});

test('the note of a checkpoint is its signed bytes and one signature line', () => {
  const note = documented.get('checkpoint')!['note'] as string;
  const [text, signature] = note.split('\n\n');
  assert.is(`${text}\n`, Buffer.from(field('checkpoint', 'signed bytes')).toString('latin1'));
  const expected = p.concat(
    field('checkpoint', 'key id hash').subarray(0, 4),
    field('checkpoint', 'signature'),
  );
  assert.is(signature, `\u2014 ${text!.split('\n')[0]} ${Buffer.from(expected).toString('base64')}\n`);
});

test('what is written into the document is read from it again', () => {
  const example = {
    short: w.same(1),
    long: new Uint8Array(100).fill(2),
    none: new Uint8Array(0),
    text: 'a\nb',
    json: { one: [1, { two: 'x'.repeat(100) }], three: [] },
  };
  const block = `\`\`\`example one\n${render(example)}\`\`\`\n`;
  assert.equal(parseExamples(block).get('one'), example);
  assert.is(replaceExamples('```example one\nold\n```\n', { one: example }), block);
  assert.throws(() => parseExamples(block + block), /twice/);
  assert.throws(() => parseExamples('```example bad\na = 0g\n```\n'), /hexadecimal/);
});

test.run();
