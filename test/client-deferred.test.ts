/**
 * Signatures that are checked later, as in browsers: until they have come out true nothing that rests on
 * them is saved, shown, receipted or acknowledged, and a forged one ends the client.
 */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { importSecretKey, type Signer, type Verifier } from '#crypto';
import { Mailbox } from '../src/client/mailbox.js';
import type { Member } from '../src/client/member.js';
import type { Message } from '../src/client/message.js';
import { OutboxSession } from '../src/client/outbox-session.js';
import { Persister } from '../src/client/persister.js';
import { MemoryStore } from '../src/client/store.js';
import { VerificationError } from '../src/client/verification-error.js';
import { World } from '../src/client/world.js';
import { SmallServer } from './small-server.js';
import { named } from './worlds.js';

const test = suite('deferred signatures');
const signer = (name: string): Signer => importSecretKey(Uint8Array.from(named(`deferred ${name}`)));
const [alice, bob] = [signer('alice'), signer('bob')];
const turn = () => new Promise<void>((resolve) => setTimeout(resolve, 5));

interface Check {
  readonly right: boolean;
  answer(): void;
}

/** Bob's outbox socket, whose signatures are answered when the test says so. */
class Rig {
  readonly server = new SmallServer();
  readonly checks: Check[] = [];
  /** What left the client's memory, in order. */
  readonly told: string[] = [];
  readonly saves: string[][] = [];
  readonly store = new MemoryStore();
  readonly errors: unknown[] = [];
  readonly session: OutboxSession;
  readonly member: Member;
  dialed = 0;

  constructor() {
    const { server } = this;
    const save = this.store.save.bind(this.store);
    this.store.save = (changes) => {
      this.saves.push(changes.map(({ type }) => type));
      save(changes);
    };
    const persister = new Persister(this.store, (error) => this.errors.push(error));
    const own = { matches: () => true, receipt() {}, lose() {} };
    const hex = Buffer.from(bob.publicKey).toString('hex');
    const mailbox = new Mailbox(bob.publicKey, hex, undefined, own, persister, {
      show: (messages) => this.show(messages),
      acknowledge: (epoch) => this.told.push(`acknowledge ${epoch}`),
      stood: () => {},
      gap: () => {},
    });
    const world = new World(server.world.manifests);
    const keyOf = world.keys.get.bind(world.keys);
    world.keys.get = (role, index) => this.slow(keyOf(role, index));
    const options = {
      world,
      dial: () => {
        throw new Error('no network here');
      },
      url: () => {
        this.dialed++;
        return '';
      },
      backoffFirstMs: 1 << 30,
      backoffMostMs: 1 << 30,
      bufferBytes: 1 << 20,
      unreadMs: 1 << 30,
    };
    const nothing = () => {};
    this.member = memberOf(mailbox);
    this.session = new OutboxSession(0, [this.member], options, undefined, persister, {
      opened: nothing,
      retrying: nothing,
      ended: (_, error) => this.errors.push(error),
      gone: (error) => this.errors.push(error),
      endOfBacklog: nothing,
      knowsMost: () => true,
    });
    this.session.requests();
    server.open([alice], 9);
    const { opened, frames } = server.open([bob]);
    const { lastEpoch, total, head } = opened[0]!;
    this.session.opened([{ error: 0, lastCounter: 0, lastEpoch, total, head }]);
    for (const frame of frames) this.take(frame);
  }

  private slow(key: Verifier): Verifier {
    const verify = (message: Uint8Array, signature: Uint8Array) =>
      new Promise<boolean>((resolve) => {
        const right = key.verify(message, signature) as boolean;
        this.checks.push({ right, answer: () => resolve(right) });
      });
    return { bytes: key.bytes, verify };
  }

  private show(messages: readonly Message[]): void {
    for (const message of messages) {
      this.told.push(`show ${Buffer.from(message.body).toString()}`);
      message.ack();
    }
  }

  take(frame: Uint8Array): void {
    this.session.frame(frame[0]!, frame);
  }

  /** The frame of an epoch with one message to Bob. */
  epoch(body: string): Uint8Array {
    const recipients = [{ mailbox: bob.publicKey, envelope: new Uint8Array(0) }];
    this.server.submit(alice, recipients, Uint8Array.from(Buffer.from(body)));
    return this.server.epoch()[0]!;
  }
}

function memberOf(mailbox: Mailbox): Member {
  const counters = null as never;
  return {
    index: 0,
    identity: bob,
    mailbox,
    counters,
    outbox: 0,
    weight: 0,
    state: 'connecting',
    problem: null,
  };
}

/** A byte of the checkpoint's signature: type, mode, log index and size come before it. */
function forged(frame: Uint8Array): Uint8Array {
  const copy = Uint8Array.from(frame);
  copy[2 + 8 + 8 + 5]! ^= 1;
  return copy;
}

async function answered(checks: readonly Check[]): Promise<void> {
  for (const check of checks) check.answer();
  await turn();
}

test('nothing is saved or shown before every signature has come out true', async () => {
  const rig = new Rig();
  await turn();
  rig.saves.length = 0;
  rig.take(rig.epoch('one'));
  await turn();
  assert.equal([rig.checks.length, rig.saves, rig.told], [2, [], []]);
  assert.is(rig.session.proven.size, 0);
  await answered(rig.checks.slice(0, 1));
  assert.equal([rig.saves, rig.told], [[], []]);
  await answered(rig.checks.slice(1));
  assert.equal(rig.saves[0], ['log', 'chain']);
  assert.is(rig.told[0], 'show one');
  assert.match(rig.told[1]!, /^acknowledge \d+$/);
  assert.is(rig.session.proven.size, 1);
  assert.equal(rig.errors, []);
});

test('a forged signature ends it with verification-failed, and nothing of it was ever told', async () => {
  const rig = new Rig();
  await turn();
  rig.saves.length = 0;
  const frame = forged(rig.epoch('one'));
  rig.take(frame);
  await turn();
  await answered(rig.checks);
  assert.equal(
    rig.checks.map(({ right }) => right),
    [true, false],
  );
  assert.is(rig.errors.length, 1);
  const error = rig.errors[0] as VerificationError;
  assert.instance(error, VerificationError);
  assert.equal([error.code, error.step], ['verification-failed', 'signature']);
  assert.is(error.frame, frame);
  // What comes behind it changes nothing any more.
  rig.session.acknowledge(rig.member, 1);
  await turn();
  assert.equal([rig.saves, rig.told, rig.session.proven.size], [[], [], 0]);
});

test('a frame is shown once its own signatures are true, and not with a later one that is forged', async () => {
  const rig = new Rig();
  rig.take(rig.epoch('one'));
  await turn();
  rig.take(rig.epoch('two'));
  await turn();
  const [first, second] = [rig.checks.slice(0, 2), rig.checks.slice(2)];
  assert.is(second.length, 2);
  await answered(first);
  assert.is(rig.told.filter((what) => what.startsWith('show')).join(), 'show one');
  await answered(second);
  assert.ok(rig.told.includes('show two'));
  rig.take(forged(rig.epoch('three')));
  await turn();
  await answered(rig.checks.slice(4));
  assert.is(rig.errors.length, 1);
  assert.not.ok(rig.told.includes('show three'));
});

test('answers in another order let nothing through early', async () => {
  const rig = new Rig();
  rig.take(rig.epoch('one'));
  await turn();
  rig.take(rig.epoch('two'));
  await turn();
  await answered(rig.checks.slice(1));
  assert.equal(rig.told, []);
  await answered(rig.checks.slice(0, 1));
  assert.equal(
    rig.told.filter((what) => what.startsWith('show')),
    ['show one', 'show two'],
  );
});

test('no socket is opened, whose hello names a checkpoint, while one is under check', async () => {
  const rig = new Rig();
  rig.take(rig.epoch('one'));
  rig.session.connection.start();
  await turn();
  assert.is(rig.dialed, 0);
  await answered(rig.checks);
  assert.is(rig.dialed, 1);
  rig.session.connection.close();
});

test.run();
