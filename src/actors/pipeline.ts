/**
 * The pipeline, and the only file that imports every stage: which actor runs on which thread, how it is
 * made from what is durable, how it is supervised and drained.
 *
 *   request handlers → inbox i → router i → every receiver → outbox j → clients
 *                         ↑ close             sequencer ← attestations of all
 *
 * An actor's step either completes or the server stops: an error here is never one request's.
 */
import { importSecretKey } from '#crypto';
import { type Checkpoint, type Frontier, getU64, KeyBook, keysOf, placementRoot } from '../protocol/index.js';
import { Inbox } from './inbox.js';
import { Lifecycle } from './lifecycle.js';
import { Memory } from './memory.js';
import {
  type ActorKind,
  type ActorMessage,
  type Address,
  address,
  type Send,
  type Stage,
  type StoreReader,
} from './messages.js';
import { Outbox } from './outbox.js';
import { OwnSignatures } from './own-signatures.js';
import { type ManifestVersion, Placements, placementFor } from './placements.js';
import type { QuotaLimits } from './quotas.js';
import { Receiver } from './receiver.js';
import { Router } from './router.js';
import { RESERVED_KEY, Sequencer, type SequencerOptions } from './sequencer.js';
import { FLUSH_CHANGED } from './state-table.js';
import { numberValue } from './store-keys.js';
import type { Switchboard } from './switchboard.js';
import type { VerifySubmission } from './waiting-frames.js';

export interface Plan {
  readonly inboxes: number;
  readonly outboxes: number;
  /** Worker threads, numbered from 1; 0 is the thread of the sockets. */
  readonly threads: number;
}

/** The thread of an actor. The sequencer shares the first; outboxes follow inboxes round and round. */
export function threadOf({ inboxes, threads }: Plan, { kind, index }: Address): number {
  if (kind === 'gateway') return 0;
  if (kind === 'sequencer') return 1;
  const turn = kind === 'inbox' || kind === 'router' ? index : inboxes + index;
  return 1 + (turn % threads);
}

/** Every actor behind the request handlers, in pipeline order. */
export function allActors({ inboxes, outboxes }: Plan): Address[] {
  const of = (kind: ActorKind, count: number) => Array.from({ length: count }, (_, i) => address(kind, i));
  return [
    ...of('inbox', inboxes),
    ...of('router', inboxes),
    ...of('receiver', outboxes),
    ...of('outbox', outboxes),
    address('sequencer'),
  ];
}

/** What the actors of a server have in common. */
export interface PipelineOptions {
  readonly plan: Plan;
  readonly serverId: Uint8Array;
  /** All versions of the manifest. */
  readonly manifests: readonly ManifestVersion[];
  readonly manifestHash: Uint8Array;
  /** Secret seed (32 bytes) of an actor of this thread. */
  readonly seedOf: (actor: Address) => Uint8Array;
  readonly checkInputs: boolean;
  readonly verifySubmission: VerifySubmission;
  readonly bytesInFlight: number;
  readonly quota: QuotaLimits;
  /** Runs a step after what waits for this thread has had its turn. */
  readonly later: (step: () => void) => void;
  readonly bytesInFlightInAll: number;
  /** Epochs between two writes of changed sender and mailbox states. */
  readonly flushEpochs: number;
  readonly reader: StoreReader;
  readonly lastEpoch: number;
  /** The newest at start; of size 0 on an empty log. */
  readonly checkpoint: Checkpoint;
  /** Of the log at start. */
  readonly frontier: () => Frontier;
  /** For the sequencer's thread alone. */
  readonly sequencer: Pick<
    SequencerOptions,
    'write' | 'failed' | 'reserved' | 'minIntervalMs' | 'heartbeatMs' | 'now' | 'clock' | 'observe'
  >;
}

/** With what the actors of one thread have in common. */
interface ThreadOptions extends PipelineOptions {
  readonly memory: Memory;
  readonly own: OwnSignatures;
}

/** Makes the actors of a thread and connects them to its switchboard. Returns how to stop them. */
export function hostActors(
  options: PipelineOptions,
  thread: number,
  switchboard: Switchboard,
): { stop(): void } {
  const mine = allActors(options.plan).filter((actor) => threadOf(options.plan, actor) === thread);
  const shared = { memory: new Memory(), own: new OwnSignatures() };
  const hosted = mine.map((actor) => new HostedActor(actor, { ...options, ...shared }, switchboard.send));
  for (const each of hosted) switchboard.add(each.address, (message) => each.take(message));
  switchboard.step(() => {
    for (const each of hosted) each.recover();
  });
  return {
    stop() {
      for (const each of hosted) each.stop();
    },
  };
}

/** An actor's stage behind its lifecycle. */
class HostedActor {
  private readonly lifecycle = new Lifecycle();
  private stage: Stage | null = null;
  private held: ActorMessage[] = [];

  constructor(
    readonly address: Address,
    private readonly options: ThreadOptions,
    private readonly send: Send,
  ) {}

  /** Reads back what is durable, then tells the sequencer; what came meanwhile is taken now. */
  recover(): void {
    const later = (step: () => void) => this.options.later(() => this.guarded(step));
    this.stage = makeStage(this.address, { ...this.options, later }, this.send);
    this.lifecycle.send('ready');
    if (this.address.kind !== 'sequencer')
      this.send(address('sequencer'), { type: 'ready', from: this.address });
    const { held } = this;
    this.held = [];
    for (const message of held) this.take(message);
  }

  take(message: ActorMessage): void {
    if (message.type === 'drain') this.lifecycle.send('drain');
    const verdict = this.lifecycle.admit(message.type);
    if (verdict === 'hold') this.held.push(message);
    if (verdict === 'take') this.guarded(() => this.stage!.handle(message));
  }

  /** Runs a step unless the actor has stopped. */
  private guarded(step: () => void): void {
    if (this.lifecycle.hasEnded) return;
    try {
      step();
    } catch (error) {
      this.lifecycle.send('fault');
      throw error;
    }
  }

  stop(): void {
    this.lifecycle.send('stop');
  }
}

function makeStage(actor: Address, options: ThreadOptions, send: Send): Stage {
  const { kind, index } = actor;
  const { plan, serverId, reader, lastEpoch, flushEpochs, checkInputs, memory, own } = options;
  const placements = new Placements(serverId, options.manifests);
  const manifest = placements.newest;
  const signer = importSecretKey(options.seedOf(actor));
  const keys = checkInputs ? keysOf(manifest) : new KeyBook(manifest, own.key);
  const limits = manifest.policy;
  const place = placementFor(manifest, serverId);
  const receiverOf = (mailbox: Uint8Array) => place(mailbox).outbox;
  const known = { manifestHash: options.manifestHash, placementRoot: placementRoot([]) };
  const common = {
    index,
    serverId,
    sign: checkInputs ? signer.sign : own.signing(signer),
    known,
    // Read before the sequencer reserves: it waits until every actor is ready.
    signed: { through: getU64(reader.get(RESERVED_KEY) ?? numberValue(0), 0) },
    keys,
    limits,
    checkInputs,
    reader,
    memory,
    lastEpoch,
    flushEpochs,
    flushChanged: Math.ceil(FLUSH_CHANGED / (kind === 'outbox' ? plan.outboxes : plan.inboxes)),
    retentionEpochs: limits.retentionEpochs,
  };
  switch (kind) {
    case 'inbox': {
      const { checkpoint, verifySubmission } = options;
      const inboxOf = (id: Uint8Array) => place(id).inbox;
      return new Inbox({ ...common, checkpoint, verifySubmission, inboxOf }, send);
    }
    case 'router':
      return new Router({ ...common, receivers: plan.outboxes, receiverOf }, send);
    case 'receiver':
      return new Receiver({ ...common, routers: plan.inboxes, receiverOf }, send);
    case 'outbox': {
      const { bytesInFlight, bytesInFlightInAll, checkpoint, quota, later } = options;
      const delivering = { bytesInFlight, bytesInFlightInAll, checkpoint, placements };
      return new Outbox({ ...common, ...delivering, quota, later, receiverOf }, send);
    }
    case 'sequencer': {
      const { inboxes, outboxes } = plan;
      const log = { ...known, frontier: options.frontier(), placements };
      return new Sequencer({ ...common, ...log, ...options.sequencer, inboxes, outboxes }, send);
    }
    case 'gateway':
      throw new Error('request handlers are made with their listener');
  }
}
