/** Signatures of actors of one thread: not verified by arithmetic again, and noticed when they are not what was signed. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { importSecretKey, type Signer } from '#crypto';
import { OwnSignatures } from '../src/actors/own-signatures.js';
import { SmallServer, seed } from './small-server.js';

const test = suite('own signatures');

const [one, two] = [importSecretKey(seed('one')), importSecretKey(seed('two'))];
const message = Uint8Array.of(1, 2, 3);

/** What verifies by this alone was not verified by arithmetic. */
const wrong = new Uint8Array(64).fill(9);
const signingWrong: Signer = { publicKey: one.publicKey, sign: () => wrong };

test('what a key signed last here is known, on exactly these bytes and this signature', () => {
  const own = new OwnSignatures();
  const key = own.key(one.publicKey);
  assert.is(key.verify(message, wrong), false);
  assert.is(own.signing(signingWrong)(message), wrong);
  assert.is(key.verify(message, wrong), true);
  assert.is(own.key(one.publicKey).verify(message, wrong), true, 'for whoever asks');
  assert.is(key.verify(Uint8Array.of(1, 2, 4), wrong), false);
  assert.is(key.verify(Uint8Array.of(1, 2), wrong), false);
  assert.is(key.verify(message, new Uint8Array(64).fill(8)), false);
  assert.is(own.key(two.publicKey).verify(message, wrong), false, 'of another key');
  assert.is(new OwnSignatures().key(one.publicKey).verify(message, wrong), false, 'of another thread');
});

test('it is remembered as it was signed, until the next', () => {
  const own = new OwnSignatures();
  const key = own.key(one.publicKey);
  const bytes = Uint8Array.from(message);
  own.signing(signingWrong)(bytes);
  bytes[0] = 7;
  assert.is(key.verify(bytes, wrong), false, 'what became of the bytes is noticed');
  assert.is(key.verify(message, wrong), true);
  own.signing(signingWrong)(bytes);
  assert.is(key.verify(message, wrong), false);
});

test('what it has not signed last is verified by arithmetic', () => {
  const own = new OwnSignatures();
  const sign = own.signing(one);
  const older = sign(message);
  sign(Uint8Array.of(4));
  assert.is(own.key(one.publicKey).verify(message, older), true);
  assert.is(own.key(two.publicKey).verify(message, two.sign(message)), true);
});

for (const checkInputs of [true, false])
  for (const wrongly of ['inbox', 'router', 'receiver', 'outbox'])
    test(`${wrongly} with another key than the manifest says is found, ${checkInputs ? 'with' : 'without'} every check`, () => {
      const seedOf = ({ kind, index }: { kind: string; index: number }) =>
        seed(kind === wrongly ? 'another key' : `${kind} ${index}`);
      const server = new SmallServer(1, 1, { checkInputs, seedOf });
      server.open([one]);
      server.submit(one, [{ mailbox: one.publicKey, envelope: new Uint8Array(0) }], message);
      assert.throws(
        () => server.epoch(),
        (error: Error) => error.message.includes(`${wrongly} 0: signature does not verify`),
      );
    });

test.run();
