/** JSON frames: base64url, and everything that is not one frame's JSON. */
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { fromBase64Url, toBase64Url } from '../src/protocol/base64url.js';
import { BundleCursor } from '../src/protocol/bundle.js';
import { SUBMIT_HEADER_BYTES } from '../src/protocol/bundle-layout.js';
import { FormatError } from '../src/protocol/bytes.js';
import { frameFromJson, frameToJson } from '../src/protocol/json.js';
import { bytesUpTo, refused, same } from './checks.js';
import { runOptions } from './worlds.js';

const test = suite('JSON frames');

test('base64url is that of others, and each value has one text', () => {
  fc.assert(
    fc.property(bytesUpTo(200), fc.string({ maxLength: 6 }), (bytes, text) => {
      assert.is(toBase64Url(bytes), bytes.toString('base64url'));
      same(fromBase64Url(bytes.toString('base64url'))!, bytes);
      const read = fromBase64Url(text);
      if (read) assert.is(Buffer.from(read).toString('base64url'), text);
      else assert.is.not(Buffer.from(text, 'base64url').toString('base64url'), text);
    }),
    runOptions(300),
  );
  const long = Buffer.alloc(200_001, 'some body ');
  assert.is(toBase64Url(long), long.toString('base64url'));
  same(fromBase64Url(long.toString('base64url'))!, long);
  for (const text of ['A', 'AB', 'AAB', 'AA==', 'AA=', 'A+AA', 'A/AA', 'AA A', 'ÀÀÀÀ', 'AAA\u0100', 'AAAAA'])
    assert.is(fromBase64Url(text), null, text);
});

const HASH = 'A'.repeat(43);
const SIGNATURE = 'A'.repeat(86);
const BLINDER = 'A'.repeat(22);
const recipient = { mailbox: HASH, blinder: BLINDER, envelope: '' };
const bundle = { recipients: [recipient], body: 'b25l' };
const submit = { type: 'submit', slot: 0, flags: 0, firstCounter: '1', bundles: [bundle] };
const submitWith = (change: object) => JSON.stringify({ ...submit, bundles: [{ ...bundle, ...change }] });
const hello = {
  type: 'hello',
  kind: 1,
  nonce: HASH,
  checkpoint: { size: '0', root: HASH, signature: SIGNATURE },
};
const ack = (slot: unknown, epoch: unknown = '1') =>
  JSON.stringify({
    type: 'ack',
    acks: [
      { slot: 0, epoch: '1' },
      { slot, epoch },
    ],
  });

/** What is refused, and what of the text must name the place. */
const MALFORMED: readonly (readonly [string, RegExp])[] = [
  ['', /not JSON/],
  ['{', /not JSON/],
  ['"', /not JSON/],
  ['{"type":"ack","acks":[]', /not JSON/],
  ['{"type":"ack","acks":[]}{}', /not JSON/],
  ['{"type":"ack","acks":[],}', /not JSON/],
  ["{'type':'ack','acks':[]}", /not JSON/],
  ['\ufeff{"type":"ack","acks":[]}', /not JSON/],
  ['"type":"ack"', /not JSON/],
  ['null', /frame: .*object/],
  ['[]', /frame: .*object/],
  ['"ack"', /frame: .*object/],
  ['{}', /type/],
  ['{"type":4,"acks":[]}', /type/],
  ['{"type":"toString"}', /type/],
  ['{"type":"__proto__"}', /type/],
  ['{"type":"Ack","acks":[]}', /type/],
  ['{"type":"ack"}', /acks: missing/],
  ['{"type":"ack","acks":[],"more":1}', /more: not known/],
  ['{"type":"ack","acks":[],"__proto__":{}}', /__proto__: not known/],
  ['{"type":"ack","acks":[],"acks":[]}', /acks: stands twice/],
  ['{"type":"ack","type":"ack","acks":[]}', /type: stands twice/],
  ['{"type":"ack","acks":[],"\\u0061cks":[]}', /escapes/],
  ['{"type":"ack","acks":[{"slot":0,"epoch":"1","slot":1}]}', /slot: stands twice/],
  ['{"type":"ack","acks":{}}', /acks: .*array/],
  ['{"type":"ack","acks":[[]]}', /acks\[0\]: .*object/],
  ['{"type":"ack","acks":[null]}', /acks\[0\]: .*object/],
  ['{"type":"ack","acks":[{"epoch":"1"}]}', /acks\[0\]\.slot: missing/],
  [`{"type":"ack","acks":${'['.repeat(100)}`, /deep/],
  [`${'['.repeat(1_000_000)}`, /deep/],
  [`{"a":${'{"a":'.repeat(20)}1${'}'.repeat(20)}}`, /deep/],
  [ack('1'), /acks\[1\]\.slot: .*number/],
  [ack(null), /acks\[1\]\.slot: .*number/],
  [ack(true), /acks\[1\]\.slot: .*number/],
  [ack(-1), /acks\[1\]\.slot: .*65535/],
  [ack(65_536), /acks\[1\]\.slot: .*65535/],
  [ack(0.5), /acks\[1\]\.slot: .*number/],
  ['{"type":"ack","acks":[{"slot":1e999,"epoch":"1"}]}', /acks\[0\]\.slot: .*number/],
  ...[
    1,
    '',
    '01',
    '+1',
    '-1',
    '1.0',
    '1e3',
    ' 1',
    '0x1',
    '9007199254740992',
    '99999999999999999999',
    null,
  ].map((epoch) => [ack(1, epoch), /acks\[1\]\.epoch: .*decimal/] as const),
  ['{"type":"askStill","slots":[0,"1"]}', /slots\[1\]: .*number/],
  [`{"type":"askStill","slots":[${'0,'.repeat(65_535)}0]}`, /length of slots: .*65535/],
  [JSON.stringify({ type: 'session', mailboxes: Array(257).fill(0) }), /257 .*256/],
  [JSON.stringify({ ...hello, kind: 3 }), /kind 3/],
  [JSON.stringify({ ...hello, nonce: 'A'.repeat(42) }), /nonce: .*32 bytes/],
  [JSON.stringify({ ...hello, nonce: `${'A'.repeat(42)}B` }), /nonce: .*base64url/],
  [JSON.stringify({ ...hello, nonce: `${HASH}=` }), /nonce: .*base64url/],
  [JSON.stringify({ ...hello, nonce: `${'A'.repeat(42)}+` }), /nonce: .*base64url/],
  [JSON.stringify({ ...hello, nonce: null }), /nonce: .*base64url/],
  [JSON.stringify({ ...hello, checkpoint: null }), /checkpoint: .*object/],
  [JSON.stringify({ ...hello, checkpoint: { ...hello.checkpoint, size: 0 } }), /checkpoint\.size: .*decimal/],
  [JSON.stringify({ ...submit, flags: 2 }), /flags: 2 is not known/],
  [JSON.stringify({ ...submit, flags: 1 }), /signature: missing/],
  [JSON.stringify({ ...submit, flags: 1, signature: HASH }), /signature: .*64 bytes/],
  [JSON.stringify({ ...submit, signature: SIGNATURE }), /signature: not known/],
  [submitWith({ body: 'b25=' }), /bundles\[0\]\.body: .*base64url/],
  [submitWith({ more: '' }), /bundles\[0\]\.more: not known/],
  [submitWith({ recipients: undefined }), /bundles\[0\]\.recipients: missing/],
  [
    submitWith({ recipients: [recipient, { ...recipient, blinder: 'AAAA' }] }),
    /bundles\[0\]\.recipients\[1\]\.blinder: .*16 bytes/,
  ],
  [JSON.stringify({ type: 'error', number: 1, slot: 0, text: 'x' }), /firstCounter: missing/],
];

for (const [i, [text, place]] of MALFORMED.entries()) {
  test(`malformed ${i}: ${text.slice(0, 60)}`, () => {
    assert.throws(
      () => frameFromJson(text),
      (error: unknown) => error instanceof FormatError && place.test(error.message),
    );
  });
}

test('what is wrong in a bundle alone is left to where bundles are refused one by one', () => {
  const limits = { recipients: 10, bodyBytes: 10, envelopeBytes: 10 };
  const parse = (change: object) => {
    const frame = frameFromJson(submitWith(change));
    new BundleCursor(limits).parse(frame, SUBMIT_HEADER_BYTES, frame.length);
  };
  parse({});
  parse({ body: '' });
  refused(() => parse({ recipients: [] }), 'no recipient');
  refused(() => parse({ recipients: [recipient, recipient] }), 'twice');
  refused(() => parse({ body: 'A'.repeat(40) }), 'too large');
});

test('strings with quotes, backslashes and colons are told from names', () => {
  const error = {
    ...{ type: 'error', number: 1, slot: 0, firstCounter: '0', count: 0, expected: '0', retryAfterMs: 0 },
    ...{ mailbox: HASH, text: '"type": \\" {"a":1,"a":2} \\\\' },
  };
  const text = JSON.stringify(error);
  assert.equal(JSON.parse(frameToJson(frameFromJson(text))), error);
  refused(() => frameFromJson(JSON.stringify({ ...error, text: 'caf\u00e9' })), 'not ASCII');
  refused(() => frameFromJson(JSON.stringify({ ...error, text: 'x'.repeat(513) })), 'too long');
});

test('a text that no frame can be is refused early, however long it is', () => {
  const most = 300_000;
  const names = Array.from({ length: most }, (_, i) => `"n${i}":1`).join();
  const texts = [`{${names}}`, `{"type":"ping"${' '.repeat(10 * most)}:1}`, '['.repeat(10 * most)];
  const began = performance.now();
  for (const text of texts) refused(() => frameFromJson(text), text.slice(0, 20));
  // With a set of names it took seconds.
  assert.ok(performance.now() - began < 1000, `${performance.now() - began} ms`);
});

test('frames that are none have no JSON', () => {
  refused(() => frameToJson(new Uint8Array(0)), 'empty');
  refused(() => frameToJson(Uint8Array.of(0x7f)), 'unknown type');
  refused(() => frameToJson(Uint8Array.of(4, 0, 0, 0)), 'trailing byte');
});

test.run();
