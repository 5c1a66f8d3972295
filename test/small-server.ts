/** A whole server in one loop, without sockets, threads or disk: what clients are sent, as arrays. */

import { importSecretKey, type Signer } from '#crypto';
import { FrameHasher } from '../src/actors/frame-hasher.js';
import { hashedBytes } from '../src/actors/hashed-frame.js';
import { type ActorMessage, address, type StoreRecord } from '../src/actors/messages.js';
import { hostActors, type PipelineOptions } from '../src/actors/pipeline.js';
import { Switchboard } from '../src/actors/switchboard.js';
import { World } from '../src/client/world.js';
import {
  concat,
  EMPTY_ROOT,
  encodeBundle,
  encodeManifest,
  evenBuckets,
  Frontier,
  manifestSigned,
  openManifests,
  type Recipient,
  ROLE,
  type Role,
  SESSION_KIND,
  ZERO_HASH,
} from '../src/protocol/index.js';
import { verifyAtOnce } from './support/pipeline.js';
import { named } from './worlds.js';

export const seed = (name: string) => Uint8Array.from(named(name));
const KINDS = ['', 'inbox', 'router', 'receiver', 'outbox', 'sequencer'];

const policy = {
  submissions: 0,
  retentionEpochs: 1000,
  messagesPerEpoch: 65_536,
  bytesPerEpoch: 32 << 20,
  recipients: 1000,
  bodyBytes: 65_536,
  envelopeBytes: 4096,
  bundlesPerFrame: 512,
  countersKept: 4096,
};

export function manifestFor(inboxes: number, outboxes: number): Uint8Array {
  const of = (role: Role, count: number) =>
    Array.from({ length: count }, (_, index) => ({
      role,
      index,
      key: importSecretKey(seed(`${KINDS[role]} ${index}`)).publicKey,
      firstEpoch: 1,
      lastEpoch: 0,
    }));
  return encodeManifest({
    version: 1,
    previousHash: ZERO_HASH,
    nonce: seed('nonce'),
    rootKey: importSecretKey(seed('root')).publicKey,
    actors: [
      ...of(ROLE.inbox, inboxes),
      ...of(ROLE.router, inboxes),
      ...of(ROLE.receiver, outboxes),
      ...of(ROLE.outbox, outboxes),
      ...of(ROLE.sequencer, 1),
    ],
    buckets: evenBuckets(inboxes, outboxes),
    policy,
  });
}

export class SmallServer {
  readonly world: World;
  readonly manifest: Uint8Array;
  readonly signature: Uint8Array;
  private readonly records = new Map<string, Uint8Array>();
  private readonly board: Switchboard;
  private readonly timers: (() => void)[] = [];
  private readonly counters = new Map<string, number>();
  private readonly sent: ActorMessage[] = [];
  private chunk = 0;

  constructor(
    inboxes = 1,
    outboxes = 1,
    private readonly other: Partial<Pick<PipelineOptions, 'checkInputs' | 'seedOf'>> = {},
  ) {
    this.manifest = manifestFor(inboxes, outboxes);
    this.signature = importSecretKey(seed('root')).sign(manifestSigned(this.manifest));
    this.world = new World(openManifests([{ bytes: this.manifest, signature: this.signature }]));
    this.board = new Switchboard(
      1,
      ({ kind }) => (kind === 'gateway' ? 0 : 1),
      (_, envelopes) => {
        for (const { message } of envelopes) this.sent.push(message);
      },
    );
    this.host(inboxes, outboxes);
    this.settle();
  }

  private host(inboxes: number, outboxes: number): void {
    hostActors(
      {
        plan: { inboxes, outboxes, threads: 1 },
        serverId: this.world.serverId,
        manifests: [{ from: 1, manifest: this.world.manifest }],
        manifestHash: this.world.manifestHash,
        seedOf: ({ kind, index }) => seed(`${kind} ${index}`),
        checkInputs: true,
        verifySubmission: verifyAtOnce,
        bytesInFlight: 1 << 30,
        bytesInFlightInAll: 1 << 30,
        flushEpochs: 100,
        quota: { unacknowledgedEpochs: 2 ** 31, unacknowledgedBytes: Number.MAX_SAFE_INTEGER },
        later: (step) => this.timers.push(step),
        ...this.other,
        reader: {
          get: (key) => this.records.get(nameOf(key)),
          view: (key) => this.records.get(nameOf(key)),
          range: (from, to) => this.range(from, to),
          keys: (from, to) => [...this.range(from, to)].map(({ key }) => key),
        },
        lastEpoch: 0,
        checkpoint: { size: 0, root: EMPTY_ROOT, signature: new Uint8Array(64) },
        frontier: () => new Frontier(),
        sequencer: {
          write: (records, durable) => this.write(records, durable),
          reserved: 0,
          minIntervalMs: 0,
          heartbeatMs: 1 << 30,
          now: () => 0,
          clock: {
            setTimeout: (run: () => void, ms: number) => (ms < 1000 ? this.timers.push(run) : 0),
            clearTimeout: () => {},
          },
          observe: () => {},
          failed: () => {},
        },
      },
      1,
      this.board,
    );
  }

  private *range(from: Uint8Array, to: Uint8Array) {
    const [low, high] = [nameOf(from), nameOf(to)];
    for (const key of [...this.records.keys()].filter((name) => name >= low && name < high).sort())
      yield { key: Buffer.from(key, 'latin1'), value: this.records.get(key)! };
  }

  private write(records: readonly StoreRecord[], durable: () => void): void {
    for (const { key, value } of records) {
      if (value) this.records.set(nameOf(key), Uint8Array.from(value));
      else this.records.delete(nameOf(key));
    }
    this.timers.push(durable);
  }

  /** Runs everything that is due, until nothing is. */
  settle(): void {
    for (let run = this.timers.shift(); run; run = this.timers.shift()) this.board.step(run);
  }

  /** What clients were sent since the last time. */
  take(): ActorMessage[] {
    return this.sent.splice(0);
  }

  /** Opens mailboxes on one outbox socket. Returns what the chains start with. */
  open(mailboxes: readonly Signer[], connection = 1, acknowledged = 0, logSize = 0) {
    this.board.step(() => {
      mailboxes.forEach(({ publicKey }, slot) => {
        this.board.send(address('outbox', this.world.outboxOf(publicKey)), {
          type: 'open-mailbox',
          connection,
          slot,
          mailbox: publicKey,
          kind: SESSION_KIND.outbox,
          acknowledged,
          logSize,
          seed: seed(`chain ${connection} ${slot}`),
        });
      });
    });
    this.settle();
    const messages = this.take();
    const opened = messages.filter((message) => message.type === 'mailbox-opened');
    return { opened, frames: framesOf(messages, connection) };
  }

  /** Submits one message; it waits for `epoch`. */
  submit(
    sender: Signer,
    recipients: readonly Recipient[],
    body: Uint8Array,
  ): { counter: number; bundle: Uint8Array } {
    const id = nameOf(sender.publicKey);
    const counter = (this.counters.get(id) ?? 0) + 1;
    this.counters.set(id, counter);
    const bundle = encodeBundle(recipients, body, seed(`roster ${id} ${counter}`));
    const hasher = new FrameHasher(this.world.serverId);
    const bytes = concat(bundle, new Uint8Array(hashedBytes(1, recipients.length)));
    const frame = {
      connection: 0,
      slot: 0,
      sender: sender.publicKey,
      firstCounter: counter,
      count: 1,
      signature: null,
      chunk: { id: ++this.chunk, bytes },
      from: 0,
      to: bundle.length,
      items: recipients.length + 1,
    };
    hasher.hash(frame, Uint32Array.of(bundle.length));
    this.pending.push({ inbox: this.world.inboxOf(sender.publicKey), frame });
    return { counter, bundle };
  }

  private pending: { inbox: number; frame: Extract<ActorMessage, { type: 'submit' }>['frames'][number] }[] =
    [];

  askStill(mailbox: Signer, connection: number, slot: number): void {
    const outbox = this.world.outboxOf(mailbox.publicKey);
    this.asked.push(() =>
      this.board.send(address('outbox', outbox), { type: 'ask-still', connection, slot }),
    );
  }

  private asked: (() => void)[] = [];

  /** Commits what was submitted in one epoch. Returns the frames of a socket. */
  epoch(connection = 1): Uint8Array[] {
    this.board.step(() => {
      const byInbox = new Map<number, (typeof this.pending)[number]['frame'][]>();
      for (const { inbox, frame } of this.pending) byInbox.set(inbox, [...(byInbox.get(inbox) ?? []), frame]);
      for (const [inbox, frames] of byInbox)
        this.board.send(address('inbox', inbox), { type: 'submit', frames });
      for (const ask of this.asked) ask();
    });
    this.pending = [];
    this.asked = [];
    this.settle();
    return framesOf(this.take(), connection);
  }
}

function framesOf(messages: readonly ActorMessage[], connection: number): Uint8Array[] {
  return messages.flatMap((message) =>
    message.type === 'frames' && message.connection === connection ? message.frames : [],
  );
}

function nameOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1');
}
