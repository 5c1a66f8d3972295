/** The verifier against frames of real stages: what is true passes, and nothing else does. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { importSecretKey, type Signer } from '#crypto';
import { claimEntry, claimStill } from '../src/client/claim-making.js';
import { EMPTY_LOG, type LogState } from '../src/client/log-state.js';
import { VerificationError } from '../src/client/verification-error.js';
import {
  type MailboxState,
  type Obligation,
  type VerifiedDelivery,
  verifyCheckpoint,
  verifyDeliver,
} from '../src/client/verifier.js';
import { decodeClaim, FRAME, MAILBOX_KIND, verifyClaim } from '../src/protocol/index.js';
import { SmallServer } from './small-server.js';
import { FIRST, named, STRIDE } from './worlds.js';

const test = suite('verifier');
const signer = (name: string): Signer => importSecretKey(Uint8Array.from(named(`verifier ${name}`)));
const NOTHING = new Uint8Array(0);
const text = (value: string) => Uint8Array.from(Buffer.from(value));

/** One outbox socket's knowledge. */
class Reader {
  log: LogState = EMPTY_LOG;
  states: MailboxState[] = [];
  own = { matches: () => true };

  constructor(
    readonly server: SmallServer,
    readonly mailboxes: readonly Signer[],
    readonly connection = 1,
  ) {
    const { opened, frames } = server.open(mailboxes, connection);
    this.states = mailboxes.map(({ publicKey }, slot) => {
      const { lastEpoch, total, head } = opened.find((each) => each.slot === slot)!;
      return {
        mailbox: publicKey,
        chain: { lastEpoch, total, head },
        asOf: lastEpoch,
        ownCounter: 0,
        acknowledged: 0,
        own: this.own,
      };
    });
    for (const frame of frames) this.follow(frame);
  }

  get outbox(): number {
    return this.server.world.outboxOf(this.mailboxes[0]!.publicKey);
  }

  verify(frame: Uint8Array): VerifiedDelivery {
    return verifyDeliver(this.server.world, this.outbox, this.log, (slot) => this.states[slot], frame);
  }

  follow(frame: Uint8Array): VerifiedDelivery | null {
    if (frame[0] === FRAME.checkpoint) {
      const { log, obligations } = verifyCheckpoint(this.server.world, this.log, frame);
      check(obligations);
      this.log = log;
    }
    if (frame[0] !== FRAME.deliver) return null;
    const verified = this.verify(frame);
    check(verified.obligations);
    this.log = verified.log;
    for (const { slot, next } of verified.mailboxes) this.states[slot] = next;
    return verified;
  }

  /** Everything of an epoch. */
  epoch(): VerifiedDelivery[] {
    const delivered = this.server.epoch(this.connection).map((frame) => this.follow(frame));
    return delivered.filter((each) => each !== null);
  }
}

function check(obligations: readonly Obligation[]): void {
  for (const { key, bytes, signature } of obligations) assert.ok(key.verify(bytes, signature));
}

/** Bytes of the frame flipped, one by one: each must be refused by a step or by a signature. */
function everyFlipIsRefused(reader: Reader, frame: Uint8Array): void {
  for (let at = FIRST; at < frame.length; at += STRIDE) {
    const flipped = Uint8Array.from(frame);
    flipped[at]! ^= 1 << (at % 8);
    let refused = false;
    try {
      const { obligations } = reader.verify(flipped);
      refused = !obligations.every(({ key, bytes, signature }) => key.verify(bytes, signature));
    } catch (error) {
      assert.instance(error, VerificationError);
      assert.is((error as VerificationError).frame, flipped);
      refused = true;
    }
    assert.ok(refused, `byte ${at} of ${frame.length} flipped and nobody noticed`);
  }
}

const people = (count: number) => Array.from({ length: count }, (_, i) => signer(`person ${i}`));
const to = (who: readonly Signer[], envelope = NOTHING) =>
  who.map(({ publicKey }) => ({ mailbox: publicKey, envelope }));

for (const recipients of [1, 2, 3, 16, 17, 33, 100]) {
  test(`a message to ${recipients} is verified by its first and last recipient; any flipped byte is refused`, () => {
    const server = new SmallServer();
    const all = people(recipients + 1);
    const sorted = all.slice(1).sort((a, b) => Buffer.compare(a.publicKey, b.publicKey));
    const first = new Reader(server, [sorted[0]!], 1);
    const last = new Reader(server, [sorted[recipients - 1]!], recipients === 1 ? 1 : 2);
    server.open([...sorted.slice(1, -1), all[0]!], 3);
    server.submit(all[0]!, to(sorted), text('the body'));
    const frames = [first, last].map((reader) => reader.connection);
    assert.is(frames.length, 2);
    server.settle();
    const sent = recipients === 1 ? [server.epoch(1)] : bothSockets(server);
    [first, last].slice(0, sent.length).forEach((reader, i) => {
      for (const frame of sent[i]!) everyFlipIsRefused(reader, frame);
      const [verified] = sent[i]!.map((frame) => reader.follow(frame));
      assert.is(verified!.mailboxes.length, 1);
    });
  });
}

/** An epoch's frames for the sockets 1 and 2. */
function bothSockets(server: SmallServer): Uint8Array[][] {
  const frames: Uint8Array[][] = [[], []];
  const take = server.take.bind(server);
  server.take = () => {
    const messages = take();
    for (const message of messages)
      if (message.type === 'frames' && message.connection <= 2)
        frames[message.connection - 1]!.push(...message.frames);
    return messages;
  };
  server.epoch();
  server.take = take;
  return frames;
}

test('envelopes, own messages, several mailboxes on one socket and stills are covered byte by byte', () => {
  const server = new SmallServer(2, 1);
  const [alice, bob, carol] = [signer('alice'), signer('bob'), signer('carol')];
  const reader = new Reader(server, [alice, bob, carol]);
  server.submit(alice, to([bob, carol], text('sealed')), text('one'));
  server.submit(bob, to([alice]), text('two'));
  server.submit(alice, to([alice], text('note')), text('to myself'));
  const [frame] = server.epoch();
  everyFlipIsRefused(reader, frame!);
  assert.is(reader.follow(frame!)!.mailboxes.length, 3);
  server.askStill(carol, 1, 2);
  server.submit(alice, to([bob]), text('three'));
  const [second] = server.epoch();
  everyFlipIsRefused(reader, second!);
  const verified = reader.follow(second!)!;
  assert.equal(verified.mailboxes.map(({ kind }) => kind).sort(), [1, 1, 2]);
});

for (const entries of [1, 63, 64, 65, 128, 200]) {
  test(`a link of ${entries} entries gives whole claims`, () => {
    const server = new SmallServer();
    const [alice, bob] = [signer('alice'), signer('bob')];
    server.open([alice], 9);
    const reader = new Reader(server, [bob]);
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < entries; i++) server.submit(alice, to([bob]), text(`${round} ${i}`));
      const [verified] = reader.epoch();
      const link = verified!.mailboxes[0]!;
      if (link.kind !== MAILBOX_KIND.link) throw new Error('a link was expected');
      for (const x of [0, entries >> 1, entries - 1]) {
        const { world } = server;
        const statement = verifyClaim(
          decodeClaim(claimEntry(link, x)),
          world.serverId,
          world.manifest,
          world.manifestHash,
        );
        assert.is(statement.attestation.epoch, verified!.epoch);
      }
    }
  });
}

test('every byte of a claim is covered, of a link under a later checkpoint and of a still', () => {
  const server = new SmallServer();
  const [alice, bob, carol] = [signer('alice'), signer('bob'), signer('carol')];
  server.open([alice], 9);
  const other = new Reader(server, [carol], 2);
  server.open([bob], 8);
  for (let i = 0; i < 5; i++) {
    server.submit(alice, to([bob, carol]), text(`${i}`));
    server.epoch(7);
  }
  const late = new Reader(server, [carol], 3);
  assert.is(late.log.checkpoint.size, 5);
  assert.is(late.states[0]!.chain.total, 5);
  server.askStill(carol, 3, 0);
  const [verified] = late.epoch();
  const still = verified!.mailboxes[0]!;
  if (still.kind !== MAILBOX_KIND.still) throw new Error('a still was expected');
  everyByteOfClaim(server, claimStill(still));
  assert.is(other.states[0]!.chain.total, 0);
});

test('a backlog is proven under one checkpoint, and every byte of it is covered', () => {
  const server = new SmallServer();
  const [alice, bob] = [signer('alice'), signer('bob')];
  server.open([alice, bob], 9);
  for (let i = 0; i < 7; i++) {
    server.submit(alice, to([bob]), text(`${i}`));
    server.epoch(9);
  }
  const { opened, frames } = server.open([bob], 1);
  const { lastEpoch, total, head } = opened[0]!;
  const reader = new Reader(new SmallServer(), []);
  Object.assign(reader, { server, mailboxes: [bob] });
  reader.states = [
    {
      mailbox: bob.publicKey,
      chain: { lastEpoch, total, head },
      asOf: lastEpoch,
      ownCounter: 0,
      acknowledged: 0,
      own: reader.own,
    },
  ];
  for (const frame of frames) {
    if (frame[0] === FRAME.deliver) everyFlipIsRefused(reader, frame);
    const verified = reader.follow(frame);
    const link = verified?.mailboxes[0];
    if (link?.kind === MAILBOX_KIND.link) everyByteOfClaim(server, claimEntry(link, 0), 7);
  }
  assert.is(reader.states[0]!.chain.total, 7);
});

function everyByteOfClaim({ world }: SmallServer, claim: Uint8Array, stride = 1): void {
  const verify = (bytes: Uint8Array) =>
    verifyClaim(decodeClaim(bytes), world.serverId, world.manifest, world.manifestHash);
  verify(claim);
  for (let at = 0; at < claim.length; at += stride) {
    const flipped = Uint8Array.from(claim);
    flipped[at]! ^= 1 << (at % 8);
    assert.throws(() => verify(flipped), undefined, `byte ${at}`);
  }
}

test('a chain that skips a counter of its owner, or shows what it never sent, is refused', () => {
  const server = new SmallServer();
  const [alice, bob] = [signer('alice'), signer('bob')];
  server.open([bob], 9);
  const reader = new Reader(server, [alice]);
  server.submit(alice, to([bob]), text('one'));
  const [frame] = server.epoch();
  const state = reader.states[0]!;
  reader.states[0] = { ...state, ownCounter: 1 };
  assert.throws(
    () => reader.verify(frame!),
    (error: VerificationError) => error.step === 'own-message',
  );
  reader.states[0] = { ...state, own: { matches: () => false } };
  assert.throws(
    () => reader.verify(frame!),
    (error: VerificationError) => error.step === 'own-message',
  );
  reader.states[0] = state;
  reader.follow(frame!);
  assert.throws(
    () => reader.verify(frame!),
    (error: VerificationError) => error.step === 'chain',
  );
});

test.run();
