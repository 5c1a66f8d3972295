/**
 * Sequencer: starts epochs, checks and logs them. A logged epoch is committed.
 *
 * In:  ready, attested, empty (every actor); work (inboxes, outboxes); persist (outboxes)
 * Out: close (inboxes); committed (all); persisted (who asked)
 * Owns: the log of epochs and its frontier; the reserved epoch numbers; the phases (epoch-phases.ts).
 *
 * 1. A number is closed at most once, and only above everything ever reserved.
 * 2. An epoch's log leaf and all of its state become durable in one transaction.
 * 3. The checkpoint is signed after that; only then anything is told.
 * Never: rebuilds what actors signed, goes on when one of them is wrong or missing.
 */

import { type ActorOptions, type AnyActorLogic, createActor } from 'xstate';
import { sha256 } from '#crypto';
import {
  type Base,
  type Checkpoint,
  checkpointText,
  type EpochContext,
  type EpochLeaf,
  encodeEpochLeaf,
  type Frontier,
  HASH_BYTES,
  merkleRoot,
  type PublicKeyBook,
  type SignedAttestation,
  Writer,
} from '../protocol/index.js';
import { actorLeaves } from './attest.js';
import { type Actors, attestationOrder, checkEpoch } from './epoch-check.js';
import { epochPhases, type PhaseEvent } from './epoch-phases.js';
import { checkpointRecord, logRecord } from './log-store.js';
import {
  type ActorMessage,
  type Address,
  type Attested,
  address,
  type Logged,
  type Persist,
  type Send,
  type Stage,
  type StoreReader,
  type StoreRecord,
} from './messages.js';
import type { Placements } from './placements.js';
import { expiredRecords, Sweep } from './retention.js';
import { metaKey, numberKey, numberValue, TABLE } from './store-keys.js';

/** Makes records durable, all or none, and calls back when they are on disk. Calls keep their order. */
export type WriteDurably = (records: readonly StoreRecord[], durable: () => void) => void;

export type Phase = 'reserved' | 'closing' | 'attested' | 'committing' | 'durable' | 'published';

export interface SequencerOptions extends Actors {
  readonly serverId: Uint8Array;
  readonly sign: (bytes: Uint8Array) => Uint8Array;
  readonly keys: PublicKeyBook;
  readonly manifestHash: Uint8Array;
  readonly placementRoot: Uint8Array;
  readonly reader: StoreReader;
  readonly write: WriteDurably;
  /** The log as it stands. */
  readonly frontier: Frontier;
  readonly lastEpoch: number;
  /** Highest number ever reserved. */
  readonly reserved: number;
  readonly retentionEpochs: number;
  readonly placements: Placements;
  readonly minIntervalMs: number;
  readonly heartbeatMs: number;
  /** Milliseconds, monotonic. */
  readonly now: () => number;
  readonly clock: NonNullable<ActorOptions<AnyActorLogic>['clock']>;
  /** Told of every phase of every epoch: for measurements and for tests that crash in between. */
  readonly observe: (phase: Phase, epoch: number) => void;
  /** A phase has failed: the server must stop. Also told when a timer and no message began it. */
  readonly failed: (error: Error) => void;
}

/** Epoch numbers reserved at a time: one small write per so many epochs. */
const RESERVE = 1000;
export const RESERVED_KEY = metaKey('reserved epoch');

export class Sequencer implements Stage {
  private readonly phases;
  private readonly order: Map<string, number>;
  /** Who is told of a committed epoch. */
  private readonly everyone: readonly Address[];
  private readonly waitingFor: Set<string>;
  private readonly empty = new Set<number>();
  private reserved: number;
  private lastEpoch: number;
  private nextEpoch: number;
  private lastClose = Number.NEGATIVE_INFINITY;
  private context: EpochContext | null = null;
  private attested: (Attested | undefined)[] = [];
  private committed: (Logged & { readonly epoch: number }) | null = null;
  /** Of the log before the epoch under way. */
  private checkpoint: Checkpoint;
  private readonly sweep: Sweep;
  private failure: unknown;

  constructor(
    private readonly options: SequencerOptions,
    private readonly send: Send,
  ) {
    const signers = attestationOrder(options).map(({ role, index }) => address(KINDS[role], index));
    this.order = new Map(signers.map((signer, i) => [nameOf(signer), i]));
    this.everyone = [...signers, address('gateway')];
    this.waitingFor = new Set(this.order.keys());
    this.reserved = options.reserved;
    this.lastEpoch = options.lastEpoch;
    this.nextEpoch = options.reserved + 1;
    this.checkpoint = this.signed();
    this.sweep = new Sweep(options.reader, TABLE.attestations, options.lastEpoch - options.retentionEpochs);
    this.phases = createActor(this.machine(), { clock: options.clock });
    // XState hands errors of actions to observers; here they must end the step that caused them.
    this.phases.subscribe({
      error: (error) => {
        this.failure = error;
        options.failed(error as Error);
      },
    });
    this.phases.start();
  }

  private machine() {
    const { options } = this;
    return epochPhases.provide({
      actions: {
        reserve: () => this.reserve(),
        close: () => this.close(),
        commit: () => this.commit(),
        publish: () => this.publish(),
        finish: () => this.finish(),
      },
      guards: {
        needsReservation: () => this.nextEpoch > this.reserved,
        rested: () => this.restMs() <= 0,
      },
      delays: { rest: () => this.restMs(), heartbeat: () => options.heartbeatMs },
    });
  }

  private restMs(): number {
    return this.lastClose + this.options.minIntervalMs - this.options.now();
  }

  private phase(event: PhaseEvent): void {
    this.phases.send(event);
    if (this.failure !== undefined) throw this.failure;
  }

  handle(message: ActorMessage): void {
    switch (message.type) {
      case 'ready':
        this.waitingFor.delete(nameOf(message.from));
        if (this.waitingFor.size === 0) this.phase({ type: 'recovered' });
        return;
      case 'work':
        return this.phase({ type: 'work' });
      case 'attested':
        return this.collect(message);
      case 'persist':
        return this.persist(message);
      case 'empty':
        this.empty.add(message.from.index);
        if (this.empty.size === this.options.inboxes) this.phase({ type: 'emptied' });
        return;
      default:
        throw new Error(`sequencer does not take '${message.type}'`);
    }
  }

  private reserve(): void {
    const reserved = this.nextEpoch - 1 + RESERVE;
    this.options.write([{ key: RESERVED_KEY, value: numberValue(reserved) }], () => {
      this.reserved = reserved;
      this.options.observe('reserved', reserved);
      this.phase({ type: 'reserved' });
    });
  }

  private persist({ from, id, records }: Persist): void {
    this.options.write(records, () => this.send(from, { type: 'persisted', id }));
  }

  // ---- one epoch

  private close(): void {
    const { options } = this;
    const epoch = this.nextEpoch++;
    if (epoch > this.reserved) throw new Error(`epoch ${epoch} is not reserved`);
    this.lastClose = options.now();
    this.context = {
      epoch,
      base: { size: this.checkpoint.size, root: this.checkpoint.root },
      manifestHash: options.manifestHash,
      placementRoot: options.placementRoot,
    };
    this.attested = new Array(this.order.size);
    options.observe('closing', epoch);
    for (let i = 0; i < options.inboxes; i++)
      this.send(address('inbox', i), { type: 'close', ...this.context });
  }

  private collect(message: Attested): void {
    const position = this.order.get(nameOf(message.from));
    if (position === undefined || message.epoch !== this.context?.epoch || this.attested[position]) {
      throw new Error(`attestation of ${nameOf(message.from)} for epoch ${message.epoch} is not expected`);
    }
    this.attested[position] = message;
    for (let i = 0; i < this.attested.length; i++) if (!this.attested[i]) return;
    this.phase({ type: 'attested' });
  }

  private commit(): void {
    const { options } = this;
    const context = this.context!;
    const all = this.attested as Attested[];
    const signed = all.map(({ attestation }) => attestation);
    checkEpoch(signed, options, options.keys, options.serverId, context);
    options.observe('attested', context.epoch);
    const leaves = actorLeaves(signed);
    const leaf = this.leafOf(context, leaves);
    const bytes = encodeEpochLeaf(leaf);
    const logIndex = options.frontier.size;
    const completed = options.frontier.appendSubtree(0, sha256(bytes));
    const records: StoreRecord[] = all.flatMap((each) => each.records);
    records.push({ key: numberKey(TABLE.log, logIndex), value: logRecord(bytes, completed) });
    records.push({
      key: numberKey(TABLE.attestations, context.epoch),
      value: attestationsRecord(logIndex, signed),
    });
    records.push(checkpointRecord(this.checkpoint));
    const old = this.sweep.next(context.epoch - options.retentionEpochs);
    this.committed = { epoch: context.epoch, logIndex, leaf, attestations: signed, actorLeaves: leaves };
    options.observe('committing', context.epoch);
    const expired = expiredRecords(options.reader, old, options.placements.since);
    options.write([...records, ...expired], () => this.phase({ type: 'durable' }));
  }

  private leafOf(context: EpochContext, leaves: Uint8Array): EpochLeaf {
    const actors = leaves.length / HASH_BYTES;
    return { ...context, previousEpoch: this.lastEpoch, actors, actorsRoot: merkleRoot(leaves) };
  }

  private publish(): void {
    const { options } = this;
    const { epoch, ...logged } = this.committed!;
    options.observe('durable', epoch);
    this.lastEpoch = epoch;
    this.checkpoint = this.signed();
    const { checkpoint } = this;
    for (const to of this.everyone) {
      const told = to.kind === 'outbox' ? logged : null;
      this.send(to, { type: 'committed', epoch, checkpoint, logged: told });
    }
    this.committed = null;
    this.context = null;
    options.observe('published', epoch);
  }

  private signed(): Checkpoint {
    const { frontier } = this.options;
    return signCheckpoint(this.options, { size: frontier.size, root: frontier.root() });
  }

  /** Behind the last epoch, on the way that its deliveries and places take. */
  private finish(): void {
    this.options.write([checkpointRecord(this.checkpoint)], () => {
      for (const to of this.everyone)
        if (to.kind === 'inbox' || to.kind === 'outbox') this.send(to, { type: 'finish' });
    });
  }
}

const KINDS = ['sequencer', 'inbox', 'router', 'receiver', 'outbox', 'sequencer'] as const;

function nameOf({ kind, index }: Address): string {
  return `${kind} ${index}`;
}

/** The signed tree head of a log of this size and root. Ed25519 is deterministic: always the same bytes. */
export function signCheckpoint(
  signer: { serverId: Uint8Array; sign: (bytes: Uint8Array) => Uint8Array },
  { size, root }: Base,
): Checkpoint {
  return { size, root, signature: signer.sign(checkpointText(signer.serverId, size, root)) };
}

/** log index 8 ‖ count 2 ‖ count × (length 4 ‖ signed bytes ‖ signature 64). */
export function attestationsRecord(logIndex: number, signed: readonly SignedAttestation[]): Uint8Array {
  const out = new Writer(1024).u64(logIndex).u16(signed.length);
  for (const { bytes, signature } of signed) out.u32(bytes.length).bytes(bytes).bytes(signature);
  return out.done();
}
