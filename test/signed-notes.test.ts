/** Signed notes, cosignatures and what a witness is asked: the specifications' vectors, and against the twin. */
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { importPublicKey, importSecretKey } from '#crypto';
import { ascii, FormatError, toHex } from '../src/protocol/index.js';
import {
  checkpointKey,
  cosignatureLine,
  cosignedBytes,
  decodeAddCheckpoint,
  decodeCheckpointNote,
  decodeConflict,
  decodeCosignature,
  decodeNote,
  decodeProof,
  decodeSignatureLines,
  decodeVerifierKey,
  encodeAddCheckpoint,
  encodeProof,
  encodeVerifierKey,
  fromBase64,
  isKeyName,
  MAX_NOTE_BYTES,
  MAX_NOTE_SIGNATURES,
  MAX_PROOF_HASHES,
  NOTE_KEY,
  noteKeyId,
  noteSignatureLine,
  signaturesBy,
  utf8,
} from '../src/protocol/notes/index.js';
import * as twin from './twin/index.js';
import { keyPair, named, runOptions, SEED } from './worlds.js';

const vectors = suite('notes: vectors');
const twins = suite('notes: against the twin');
const forms = suite('notes: forms');

/** C2SP signed-note, "Verifier keys". */
const SPEC_KEY = 'example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k';
const SPEC_NOTE =
  'This is an example message.\n\n\u2014 example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n';
/** Documentation of golang.org/x/mod/sumdb/note: text, and the key that signed it, whose seed is published. */
const GO_KEY = 'PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW';
const GO_SEED = 'AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz';
const GO_TEXT =
  "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
const GO_LINE =
  '\u2014 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n';
/** A verifier key of a witness, of the tests of github.com/transparency-dev/formats. */
const WITNESS_KEY = 'remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2';
/** C2SP tlog-witness, the example of a request, and tlog-cosignature, of a cosigned checkpoint. */
const SPEC_CHECKPOINT = `example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=
`;
const SPEC_REQUEST = `old 20852014
PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=
jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=
5+pKlUdi2LeF/BcMHBn+Ku6yhPGNCswZZD1X/6QgPd8=
/6WVhPs2CwSsb5rYBH5cjHV/wSmA79abXAwhXw3Kj/0=

${SPEC_CHECKPOINT}
\u2014 example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
\u2014 example.com/behind-the-sofa opLqBQsREYCgu6xQkYQwJr9fo45a62DN9EdmHXnZdXNqlcVGlCum2Wks+49/V6267UEjw6QUXTS5Rovnzv++qbSzm9Q=
`;
const SPEC_COSIGNATURE =
  '\u2014 witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n';

vectors('verifier keys and notes of the specification and of Go verify, and are made the same', () => {
  for (const [vkey, text] of [
    [SPEC_KEY, SPEC_NOTE],
    [GO_KEY, `${GO_TEXT}\n${GO_LINE}`],
  ] as const) {
    const key = decodeVerifierKey(vkey, NOTE_KEY.ed25519);
    assert.is(encodeVerifierKey(key), vkey);
    const note = decodeNote(utf8(text));
    const [own] = signaturesBy(key, note.signatures);
    assert.ok(importPublicKey(key.publicKey).verify(note.text, own!.signature));
  }
  const signer = importSecretKey(fromBase64(GO_SEED).slice(1));
  const key = decodeVerifierKey(GO_KEY, NOTE_KEY.ed25519);
  assert.equal(signer.publicKey, key.publicKey);
  assert.is(noteSignatureLine(key, signer.sign(utf8(GO_TEXT))), GO_LINE);
  const witness = decodeVerifierKey(WITNESS_KEY, NOTE_KEY.cosignature);
  assert.is(encodeVerifierKey(witness), WITNESS_KEY);
  refuses(() => decodeVerifierKey(WITNESS_KEY, NOTE_KEY.ed25519));
});

vectors('the example of a request is read as it stands, and written the same', () => {
  const { oldSize, proof, checkpoint } = decodeAddCheckpoint(utf8(SPEC_REQUEST));
  assert.equal([oldSize, proof.length], [20_852_014, 4 * 32]);
  const { origin, size, root, text, signatures } = checkpoint;
  assert.equal([origin, size], ['example.com/behind-the-sofa', 20_852_163]);
  assert.is(Buffer.from(root).toString('base64'), 'CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=');
  assert.is(Buffer.from(text).toString(), SPEC_CHECKPOINT);
  assert.equal(
    signatures.map(({ keyId }) => toHex(keyId)),
    ['033de0ae', 'a292ea05'],
  );
  const note = SPEC_REQUEST.slice(SPEC_REQUEST.indexOf('\n\n') + 2);
  assert.is(encodeAddCheckpoint(oldSize, proof, note), SPEC_REQUEST);
});

vectors('the example of a cosignature has its time, and what it signs is the example of that', () => {
  const note = `${SPEC_CHECKPOINT}\n${SPEC_COSIGNATURE}`;
  const [line] = decodeNote(utf8(note)).signatures;
  const { timestamp } = decodeCosignature(line!);
  assert.is(timestamp, 1_679_315_147);
  const signed = cosignedBytes(timestamp, decodeNote(utf8(note)).text);
  assert.is(Buffer.from(signed).toString(), `cosignature/v1\ntime 1679315147\n${SPEC_CHECKPOINT}`);
});

const hash = fc.uint8Array({ minLength: 32, maxLength: 32 });
const name = fc.string({ minLength: 1, unit: 'grapheme' }).filter(isKeyName);
const seconds = fc.nat({ max: Number.MAX_SAFE_INTEGER });
const witness = keyPair('witness');

twins('key ids, verifier keys and cosignatures are the same bytes', () => {
  fc.assert(
    fc.property(name, fc.constantFrom(1, 4), hash, seconds, hash, (name, type, publicKey, time, root) => {
      const key = { name, type, publicKey } as const;
      assert.is(toHex(noteKeyId(key as never)), twin.keyId(name, type, publicKey).toString('hex'));
      assert.is(encodeVerifierKey(key as never), twin.verifierKey(name, type, publicKey));
      assert.equal(decodeVerifierKey(encodeVerifierKey(key as never), type as never), key);
      const text = `${name.replaceAll('\n', '')}\n7\n${Buffer.from(root).toString('base64')}\n`;
      const message = twin.cosignedMessage(BigInt(time), text);
      assert.equal(Buffer.from(cosignedBytes(time, utf8(text))), message);
      const signature = twin.sign(witness.secret, message);
      const own = { name, type: NOTE_KEY.cosignature, publicKey: witness.id };
      const line = cosignatureLine(own, { timestamp: time, signature });
      assert.is(line, twin.cosignature(name, witness.id, BigInt(time), signature));
      const [read] = decodeSignatureLines(utf8(line));
      const [lines] = [twin.signatureLines(line)!];
      assert.is(twin.cosignedAt(lines[0]!, name, witness.id, text), BigInt(time));
      assert.equal(decodeCosignature(read!).timestamp, time);
    }),
    runOptions(200),
  );
});

/** What the fast decoder reads, in the twin's form; undefined where it refuses. */
function read(bytes: Buffer) {
  try {
    const { oldSize, proof, checkpoint } = decodeAddCheckpoint(bytes);
    const { origin, size, root, text, signatures } = checkpoint;
    return {
      ...{ old: BigInt(oldSize), proof: Buffer.from(proof).toString('hex'), origin, size: BigInt(size) },
      ...{ root: toHex(root), text: Buffer.from(text).toString() },
      lines: signatures.map((each) => `${each.name} ${toHex(each.keyId)} ${toHex(each.signature)}`),
    };
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    return undefined;
  }
}

function readByTwin(bytes: Buffer) {
  const found = twin.readRequest(bytes);
  if (!found) return undefined;
  const { origin, size, root, text, lines } = found.checkpoint;
  return {
    ...{ old: found.old, proof: Buffer.concat(found.proof).toString('hex'), origin, size },
    ...{ root: root.toString('hex'), text },
    lines: lines.map((each) => `${each.name} ${each.id.toString('hex')} ${each.signature.toString('hex')}`),
  };
}

const odd = fc.constantFrom(
  ...['\n', '\n\n', ' ', '+', '\u2014 ', '=', '0', '\u0000', '\r', '\u00a0', '\ufeff', 'é', 'old '],
);
const change = fc.record({
  at: fc.double({ min: 0, max: 1, noNaN: true }),
  cut: fc.nat({ max: 3 }),
  put: fc.oneof(odd, fc.string({ maxLength: 3 }), fc.constant('')),
});

twins('requests with anything changed in them are read the same or refused by both', () => {
  let [taken, refused] = [0, 0];
  const extended = SPEC_REQUEST.replace('q2I=\n', 'q2I=\nan extension\n');
  const bare = SPEC_REQUEST.replace(/^old [\s\S]*?\n\n/, 'old 0\n\n');
  const base = fc.constantFrom(SPEC_REQUEST, extended, bare);
  fc.assert(
    fc.property(base, fc.array(change, { maxLength: 2 }), (text, changes) => {
      let bytes = Buffer.from(text);
      for (const { at, cut, put } of changes) {
        const from = Math.floor(at * bytes.length);
        bytes = Buffer.concat([bytes.subarray(0, from), Buffer.from(put), bytes.subarray(from + cut)]);
      }
      const found = read(bytes);
      assert.equal(found, readByTwin(bytes));
      if (found) taken++;
      else refused++;
    }),
    runOptions(3000),
  );
  assert.ok(taken > 300 && refused > 300, `SEED=${SEED}: ${taken} taken, ${refused} refused`);
});

const refuses = (run: () => unknown, what = '') =>
  assert.throws(run, (error: unknown) => error instanceof FormatError, what);

forms('what is not the one form is refused', () => {
  const line = SPEC_NOTE.slice(SPEC_NOTE.indexOf('\u2014'));
  const bad = {
    'no signature': 'text\n\n',
    'no empty line': `text\n${line}`,
    'a line that does not end': SPEC_NOTE.slice(0, -1),
    'another dash': SPEC_NOTE.replace('\u2014', '-'),
    'two spaces': SPEC_NOTE.replace('\u2014 ', '\u2014  '),
    'something behind': `${SPEC_NOTE}more`,
    'no name': 'text\n\n\u2014  Uw2QOkn8srU=\n',
    'a plus sign in the name': SPEC_NOTE.replace('example.com/foo', 'a+b'),
    'a space of Unicode in the name': SPEC_NOTE.replace('example.com/foo', 'a\u2003b'),
    'a control character': `a\u001f${SPEC_NOTE}`,
    'a carriage return': SPEC_NOTE.replaceAll('\n', '\r\n'),
    'base64 without padding': SPEC_NOTE.replace('=\n', '\n'),
    'bits left over': SPEC_NOTE.replace('aQM=', 'aQN='),
    'a key id and no signature': 'text\n\n\u2014 name Uw2QOg==\n',
    'too many signatures': `text\n\n${line.repeat(MAX_NOTE_SIGNATURES + 1)}`,
    'too long': `${'x'.repeat(MAX_NOTE_BYTES)}\n\n${line}`,
  };
  for (const [what, text] of Object.entries(bad)) refuses(() => decodeNote(utf8(text)), what);
  refuses(() => decodeNote(Uint8Array.of(...utf8('text\n\n'), 0xff, ...utf8(line))));
  assert.is(decodeNote(utf8(`text\n\n${line.repeat(MAX_NOTE_SIGNATURES)}`)).signatures.length, 64);
  // The last empty line counts: a text may have its own.
  assert.is(Buffer.from(decodeNote(utf8(`one\n\ntwo\n\n${line}`)).text).toString(), 'one\n\ntwo\n');
});

forms('sizes, proofs, conflicts and keys have one form', () => {
  const note = SPEC_REQUEST.slice(SPEC_REQUEST.indexOf('\n\n') + 2);
  for (const size of ['01', '-1', '', ' 1', '1 ', '9007199254740992', '1e3', '99999999999999999999'])
    refuses(() => decodeCheckpointNote(utf8(note.replace('20852163', size))));
  refuses(() => decodeCheckpointNote(utf8(note.replace('q2I=', 'q2I=\n'))));
  refuses(() => decodeCheckpointNote(utf8(note.replace('CsUY', ''))));
  const most = new Uint8Array(32 * MAX_PROOF_HASHES).fill(7);
  assert.equal(decodeAddCheckpoint(utf8(encodeAddCheckpoint(1, most, note))).proof, most);
  assert.equal(decodeProof(utf8(encodeProof(most))), most);
  assert.equal(decodeProof(utf8('')), new Uint8Array(0));
  const beyond = new Uint8Array(32 * (MAX_PROOF_HASHES + 1));
  refuses(() => decodeAddCheckpoint(utf8(encodeAddCheckpoint(1, beyond, note))));
  refuses(() => decodeProof(utf8(encodeProof(beyond))));
  refuses(() => decodeProof(utf8(`${Buffer.alloc(31).toString('base64')}\n`)));
  assert.is(decodeConflict(ascii('1024\n')), 1024);
  for (const text of ['1024', '1024\n\n', '\n', 'x\n', '01\n']) refuses(() => decodeConflict(ascii(text)));
  for (const text of ['', 'a', 'a+b', SPEC_KEY.replace('530d', '530e'), `${SPEC_KEY}A`, SPEC_KEY.slice(15)])
    refuses(() => decodeVerifierKey(text, NOTE_KEY.ed25519));
  const line = { name: 'w', keyId: new Uint8Array(4), signature: new Uint8Array(72).fill(255) };
  refuses(() => decodeCosignature(line));
  refuses(() => decodeCosignature({ ...line, signature: new Uint8Array(64) }));
  assert.is(checkpointKey(named('server'), witness.id).name, `countersign/v1/${toHex(named('server'))}`);
});

vectors.run();
twins.run();
forms.run();
