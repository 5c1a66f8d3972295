/**
 * The stages on one thread, with plain arrays as neighbours: what they send is queued and handed on in
 * order. The sequencer is the real one, but its clock stands still and what it writes becomes durable
 * when the test says so. Frames are laid into shared chunks as a request handler would.
 */

import { importSecretKey, type Signer, sha256, trustedPublicKey } from '#crypto';
import { FrameHasher } from '../../src/actors/frame-hasher.js';
import { hashedBytes } from '../../src/actors/hashed-frame.js';
import { Inbox } from '../../src/actors/inbox.js';
import { Memory } from '../../src/actors/memory.js';
import {
  type ActorMessage,
  type Address,
  address,
  type Send,
  type SharedChunk,
  type Stage,
  type StoreRecord,
  type SubmittedFrame,
} from '../../src/actors/messages.js';
import { Outbox } from '../../src/actors/outbox.js';
import { OwnSignatures } from '../../src/actors/own-signatures.js';
import { Placements } from '../../src/actors/placements.js';
import type { QuotaLimits } from '../../src/actors/quotas.js';
import { Receiver } from '../../src/actors/receiver.js';
import { Router } from '../../src/actors/router.js';
import { RESERVED_KEY, Sequencer, signCheckpoint } from '../../src/actors/sequencer.js';
import { FLUSH_CHANGED } from '../../src/actors/state-table.js';
import { numberKey, numberValue, TABLE } from '../../src/actors/store-keys.js';
import type { VerifySubmission } from '../../src/actors/waiting-frames.js';
import {
  type Checkpoint,
  Frontier,
  getU16,
  getU64,
  KeyBook,
  keysOf,
  type Manifest,
  type PublicKeyBook,
  type SessionKind,
  toHex,
} from '../../src/protocol/index.js';
import { MemoryStore } from './store.js';

/** A server's configuration: keys as 32-byte seeds, by actor index. */
export interface Cluster {
  readonly serverId: Uint8Array;
  readonly manifest: Manifest;
  readonly placementRoot: Uint8Array;
  readonly seeds: {
    readonly inboxes: readonly Uint8Array[];
    readonly routers: readonly Uint8Array[];
    readonly receivers: readonly Uint8Array[];
    readonly outboxes: readonly Uint8Array[];
    readonly sequencer: Uint8Array;
  };
  readonly placement: (id: Uint8Array) => { inbox: number; outbox: number };
}

export interface PipelineOptions {
  /** `checks: everywhere`. */
  readonly checkInputs: boolean;
  readonly flushEpochs?: number;
  readonly flushChanged?: number;
  readonly bytesInFlight?: number;
  readonly quota?: QuotaLimits;
  readonly retentionEpochs?: number;
  readonly store?: MemoryStore;
  /** The sequencer's clock; it stands still where there is none. */
  readonly minIntervalMs?: number;
  readonly now?: () => number;
  /** Called instead of every stage's step, which it has to run: to measure it, or to spoil its message. */
  readonly around?: (to: Address, message: ActorMessage, step: () => void) => void;
  /** The same of steps that stages have put off. */
  readonly aroundLater?: (step: () => void) => void;
  /** At once by itself. */
  readonly verifySubmission?: VerifySubmission;
  /** Makes an actor in another way: `make` makes the real one. */
  readonly actor?: (who: Address, make: (checkInputs: boolean, send: Send) => Stage, send: Send) => Stage;
}

type Durable = { records: readonly StoreRecord[]; durable: () => void };

const CHUNK_BYTES = 1 << 16;
const NO_QUOTA: QuotaLimits = { unacknowledgedEpochs: 2 ** 31, unacknowledgedBytes: Number.MAX_SAFE_INTEGER };

export const verifyAtOnce: VerifySubmission = (key, bytes, signature, done) =>
  done(trustedPublicKey(key).verify(bytes, signature));

/** By seed, for all pipelines of a test: their actors have the same few keys. */
const signers = new Map<string, Signer>();

function signerOf(seed: Uint8Array): Signer {
  const id = toHex(seed);
  const signer = signers.get(id) ?? importSecretKey(seed);
  signers.set(id, signer);
  return signer;
}

export class Pipeline {
  readonly store: MemoryStore;
  /** What request handlers got, in order. */
  readonly gateway: ActorMessage[] = [];
  /** What was sent between actors since the newest epoch was closed, in order. */
  sent: { readonly to: Address; readonly message: ActorMessage }[] = [];
  /** How often any stage has signed. */
  signatures = 0;
  readonly keys: PublicKeyBook;
  readonly memory = new Memory();
  private readonly own = new OwnSignatures();
  private readonly timers = new Map<number, () => void>();
  private stages = new Map<string, Stage>();
  private queue: { to: Address; message: ActorMessage }[] = [];
  /** Somebody has work for an epoch; the sequencer is told when the test closes one. */
  work = false;
  private writes: Durable[] = [];
  /** Steps that stages have put off, and how many of them may still run. */
  private later: (() => void)[] = [];
  steps = Number.POSITIVE_INFINITY;
  private holding = false;
  private nextTimer = 1;
  private chunk: SharedChunk = newChunk(0, CHUNK_BYTES);
  private chunkUsed = 0;
  private readonly hasher: FrameHasher;

  constructor(
    readonly cluster: Cluster,
    readonly options: PipelineOptions,
  ) {
    this.store = options.store ?? new MemoryStore();
    const { manifest } = cluster;
    this.keys = options.checkInputs ? keysOf(manifest) : new KeyBook(manifest, this.own.key);
    this.hasher = new FrameHasher(cluster.serverId);
    this.restart();
  }

  /**
   * Makes every stage anew from what is durable, as after a crash: all else is forgotten. Reserved epoch
   * numbers are lost with it, as they are in a server, unless `reuse` says that none was handed out.
   */
  restart(reuse = false): void {
    if (reuse) this.store.write([{ key: RESERVED_KEY, value: numberValue(this.log().lastEpoch) }]);
    this.queue = [];
    this.work = false;
    this.writes = [];
    this.later = [];
    this.timers.clear();
    this.holding = false;
    this.stages = new Map();
    const { seeds } = this.cluster;
    const actors = [
      ...seeds.inboxes.flatMap((_, i) => [address('inbox', i), address('router', i)]),
      ...seeds.outboxes.flatMap((_, j) => [address('receiver', j), address('outbox', j)]),
    ];
    for (const { kind, index } of [...actors, address('sequencer')]) {
      this.stages.set(`${kind} ${index}`, this.make(kind, index));
    }
    for (const from of actors) this.send(address('sequencer'), { type: 'ready', from });
    this.run();
  }

  /** The log as it is durable. */
  log(): { frontier: Frontier; lastEpoch: number } {
    const frontier = new Frontier();
    let lastEpoch = 0;
    for (const { value } of this.store.range(numberKey(TABLE.log, 0), numberKey(TABLE.log + 1, 0))) {
      frontier.append(value.slice(164, 196));
      lastEpoch = getU64(value, 9);
    }
    return { frontier, lastEpoch };
  }

  stage<S extends Stage>(kind: Address['kind'], index: number): S {
    return this.stages.get(`${kind} ${index}`) as S;
  }

  // ---- the stages

  private readonly send = (to: Address, message: ActorMessage): void => {
    if (message.type === 'work') this.work = true;
    else this.queue.push({ to, message });
  };

  /** A new stage with what is durable; `send` in place of the queue. */
  make(kind: Address['kind'], index: number, send: Send = this.send): Stage {
    const real = (checkInputs: boolean, to: Send) => this.real(kind, index, to, checkInputs);
    const { actor, checkInputs } = this.options;
    return actor ? actor({ kind, index }, real, send) : real(checkInputs, send);
  }

  private real(kind: Address['kind'], index: number, send: Send, checkInputs: boolean): Stage {
    const { seeds, placement } = this.cluster;
    const { flushEpochs = 16, bytesInFlight = 1 << 30, quota = NO_QUOTA } = this.options;
    const flushing = { flushEpochs, flushChanged: this.options.flushChanged ?? FLUSH_CHANGED };
    const { retentionEpochs = this.cluster.manifest.policy.retentionEpochs } = this.options;
    const receiverOf = (mailbox: Uint8Array) => placement(mailbox).outbox;
    const { lastEpoch } = this.log();
    switch (kind) {
      case 'inbox': {
        const verifySubmission = this.options.verifySubmission ?? verifyAtOnce;
        const placing = {
          checkInputs,
          verifySubmission,
          inboxOf: (sender: Uint8Array) => placement(sender).inbox,
        };
        return new Inbox(
          {
            ...this.common(index, seeds.inboxes),
            ...flushing,
            lastEpoch,
            checkpoint: this.checkpoint(),
            ...placing,
          },
          send,
        );
      }
      case 'router': {
        const routing = { checkInputs, receiverOf, receivers: seeds.receivers.length };
        return new Router({ ...this.common(index, seeds.routers), ...routing }, send);
      }
      case 'receiver': {
        const merging = { checkInputs, receiverOf, routers: seeds.routers.length };
        return new Receiver({ ...this.common(index, seeds.receivers), ...merging }, send);
      }
      case 'outbox': {
        const checkpoint = this.checkpoint();
        const delivering = {
          bytesInFlight,
          bytesInFlightInAll: 1 << 30,
          checkpoint,
          placements: this.placements,
          receiverOf,
        };
        const common = this.common(index, seeds.outboxes);
        const keeping = { quota, retentionEpochs, later: (step: () => void) => this.later.push(step) };
        const outbox = { ...common, ...delivering, ...keeping, ...flushing, checkInputs, lastEpoch };
        return new Outbox(outbox, send);
      }
      default:
        return this.sequencer(send);
    }
  }

  private get placements(): Placements {
    const { serverId, manifest } = this.cluster;
    return new Placements(serverId, [{ from: 1, manifest }]);
  }

  /** What all stages are given, and some need. */
  private common(index: number, seeds: readonly Uint8Array[]) {
    const { serverId, manifest, placementRoot } = this.cluster;
    const seed = seeds[index]!;
    const known = { manifestHash: serverId, placementRoot };
    const signer = signerOf(seed);
    const signing = this.options.checkInputs ? signer.sign : this.own.signing(signer);
    const sign = (bytes: Uint8Array) => {
      this.signatures++;
      return signing(bytes);
    };
    const signed = { through: this.log().lastEpoch };
    const { keys, memory, store: reader } = this;
    return { index, serverId, sign, signed, known, keys, limits: manifest.policy, reader, memory };
  }

  /** The newest, signed. */
  checkpoint(): Checkpoint {
    const { frontier } = this.log();
    const base = { size: frontier.size, root: frontier.root() };
    return signCheckpoint(this.common(0, [this.cluster.seeds.sequencer]), base);
  }

  private sequencer(send: Send): Sequencer {
    const { serverId, placementRoot, manifest, seeds } = this.cluster;
    const reserved = this.store.get(RESERVED_KEY);
    return new Sequencer(
      {
        ...this.common(0, [seeds.sequencer]),
        ...this.log(),
        inboxes: seeds.inboxes.length,
        outboxes: seeds.outboxes.length,
        manifestHash: serverId,
        placementRoot,
        placements: this.placements,
        reserved: reserved ? getU64(reserved, 0) : 0,
        retentionEpochs: this.options.retentionEpochs ?? manifest.policy.retentionEpochs,
        write: this.write,
        minIntervalMs: this.options.minIntervalMs ?? 0,
        heartbeatMs: 1000,
        now: this.options.now ?? (() => 0),
        clock: {
          setTimeout: (fire) => {
            this.timers.set(this.nextTimer, () => fire());
            return this.nextTimer++;
          },
          clearTimeout: (timer) => this.timers.delete(timer),
        },
        observe: () => {},
        failed: () => {},
      },
      send,
    );
  }

  // ---- what a test does

  /** Hands a message to an actor, and on whatever follows from it. */
  tell(to: Address, message: ActorMessage): void {
    this.queue.push({ to, message });
    this.run();
  }

  /** Opens a mailbox in a session of that kind, as a request handler does for a client that has nothing yet. */
  open(mailbox: Uint8Array, kind: SessionKind, connection: number, slot: number): void {
    const session = { kind, acknowledged: 0, logSize: 0, seed: sha256(mailbox) };
    const outbox = address('outbox', this.cluster.placement(mailbox).outbox);
    this.tell(outbox, { type: 'open-mailbox', connection, slot, mailbox, ...session });
  }

  private run(): void {
    for (let more = true; more; ) {
      for (let next = this.queue.shift(); next; next = this.queue.shift()) this.step(next.to, next.message);
      const step = this.steps > 0 ? this.later.shift() : undefined;
      if (step) {
        this.steps--;
        if (this.options.aroundLater) this.options.aroundLater(step);
        else step();
      }
      more = step !== undefined;
      if (more || this.holding || this.writes.length === 0) continue;
      more = true;
      this.writeFirst();
    }
  }

  /** As the sequencer writes. */
  readonly write = (records: readonly StoreRecord[], durable: () => void): void => {
    this.writes.push({ records, durable });
  };

  private writeFirst(): void {
    const { records, durable } = this.writes.shift()!;
    this.store.write(records);
    durable();
  }

  private step(to: Address, message: ActorMessage): void {
    if (to.kind === 'gateway') {
      this.gateway.push(message);
      return;
    }
    this.sent.push({ to, message });
    const step = () => this.stage(to.kind, to.index).handle(message);
    if (this.options.around) this.options.around(to, message, step);
    else step();
  }

  /** Closes an epoch and takes it up to the point where its records could be written. */
  close(): void {
    this.run();
    this.sent = [];
    this.holding = true;
    if (this.work) this.queue.push({ to: address('sequencer'), message: { type: 'work' } });
    else this.fire();
    this.work = false;
    this.run();
    if (this.writes.length === 0) throw new Error('the epoch was not closed');
  }

  /** Every timer that runs fires. */
  fire(): void {
    for (const timer of [...this.timers.values()]) timer();
    this.run();
  }

  /** The closed epoch's records become durable, and everybody is told. */
  commit(): void {
    this.holding = false;
    this.run();
  }

  /** The messages of one type that were sent since the newest epoch was closed. */
  sentOf<T extends ActorMessage['type']>(type: T): Extract<ActorMessage, { type: T }>[] {
    return this.sent.flatMap(({ message }) => (message.type === type ? [message as never] : []));
  }

  /** Takes out what request handlers got of one type. */
  takeGateway<T extends ActorMessage['type']>(type: T): Extract<ActorMessage, { type: T }>[] {
    const taken = this.gateway.filter((message) => message.type === type);
    const rest = this.gateway.filter((message) => message.type !== type);
    this.gateway.splice(0, this.gateway.length, ...rest);
    return taken as Extract<ActorMessage, { type: T }>[];
  }

  /** A run of one sender's bundles, laid into a chunk with their hashes. */
  frame(
    sender: Uint8Array,
    firstCounter: number,
    bundles: readonly Uint8Array[],
    connection = 1,
    slot = 0,
    signature: Uint8Array | null = null,
  ): SubmittedFrame {
    const recipients = bundles.map((bundle) => getU16(bundle, 0));
    const leaves = recipients.reduce((sum, each) => sum + (each > 1 ? each : 0), 0);
    const hashes = hashedBytes(bundles.length, leaves);
    const length = bundles.reduce((sum, bundle) => sum + bundle.length, hashes);
    if (this.chunkUsed + length > this.chunk.bytes.length) {
      this.chunk = newChunk(this.chunk.id + 1, Math.max(CHUNK_BYTES, length));
      this.chunkUsed = 0;
    }
    const from = this.chunkUsed;
    const ends = bundles.map((bundle) => {
      this.chunk.bytes.set(bundle, this.chunkUsed);
      this.chunkUsed += bundle.length;
      return this.chunkUsed - from;
    });
    const { chunk, chunkUsed: to } = this;
    this.chunkUsed += hashes;
    const frame = {
      connection,
      slot,
      sender,
      firstCounter,
      count: bundles.length,
      signature,
      chunk,
      from,
      to,
      items: recipients.reduce((sum, each) => sum + each + 1, 0),
    };
    this.hasher.hash(frame, Uint32Array.from(ends));
    return frame;
  }
}

function newChunk(id: number, bytes: number): SharedChunk {
  return { id, bytes: new Uint8Array(new SharedArrayBuffer(bytes)) };
}
