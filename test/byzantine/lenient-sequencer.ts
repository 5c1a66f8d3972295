/** A sequencer that logs whatever actors say, as one that is in league with them, or cheats itself. */
import { sha256 } from '#crypto';
import { actorLeaves } from '../../src/actors/attest.js';
import { attestationOrder } from '../../src/actors/epoch-check.js';
import { checkpointRecord, logRecord } from '../../src/actors/log-store.js';
import {
  type ActorMessage,
  type Address,
  type Attested,
  address,
  type Send,
  type Stage,
} from '../../src/actors/messages.js';
import { attestationsRecord, signCheckpoint } from '../../src/actors/sequencer.js';
import { numberKey, TABLE } from '../../src/actors/store-keys.js';
import {
  type Base,
  type Checkpoint,
  type EpochContext,
  type EpochLeaf,
  encodeEpochLeaf,
  type Frontier,
  merkleRoot,
  type SignedAttestation,
} from '../../src/protocol/index.js';
import { ACTORS } from './acts.js';
import type { Cheat } from './cheat.js';
import type { Theatre } from './theatre.js';

const KINDS = ['sequencer', 'inbox', 'router', 'receiver', 'outbox', 'sequencer'] as const;
const ORDER = attestationOrder(ACTORS).map(({ role, index }) => address(KINDS[role], index));
const isSame = (a: Address, b: Address) => a.kind === b.kind && a.index === b.index;

/** What a cheating sequencer changes: the leaf it logs, and the statements that it counts in it. */
export interface SequencerCheat extends Cheat {
  /** It signs checkpoints, and tells them to somebody, before they are durable. */
  readonly isHasty?: true;
  readonly context?: (context: EpochContext, theatre: Theatre) => EpochContext;
  readonly entries?: (signed: readonly SignedAttestation[], theatre: Theatre) => readonly SignedAttestation[];
  readonly leaf?: (leaf: EpochLeaf, theatre: Theatre) => EpochLeaf;
}

export class LenientSequencer implements Stage {
  private attested: Attested[] = [];
  private context: EpochContext | null = null;
  private readonly frontier: Frontier;
  private lastEpoch: number;
  private epoch: number;
  private base: Base;

  /** `known`: the log as it is durable, and the highest number that it may have given an epoch. */
  constructor(
    private readonly theatre: Theatre,
    private readonly send: Send,
    private readonly cheats: readonly SequencerCheat[],
    known: { readonly frontier: Frontier; readonly lastEpoch: number; readonly numbered: number },
  ) {
    this.frontier = known.frontier;
    this.lastEpoch = known.lastEpoch;
    this.epoch = known.numbered;
    this.base = { size: this.frontier.size, root: this.frontier.root() };
  }

  private active(): readonly SequencerCheat[] {
    return this.cheats.filter(({ round = 2 }) => round === this.theatre.round);
  }

  handle(message: ActorMessage): void {
    if (message.type === 'work') this.close();
    if (message.type === 'persist')
      this.theatre.pipeline.write(message.records, () =>
        this.send(message.from, { type: 'persisted', id: message.id }),
      );
    if (message.type !== 'attested') return;
    this.attested.push(message);
    if (this.attested.length === ORDER.length - this.theatre.silent) this.commit();
  }

  private close(): void {
    const { cluster } = this.theatre;
    const honest = {
      ...{ epoch: ++this.epoch, base: this.base },
      ...{ manifestHash: cluster.serverId, placementRoot: cluster.placementRoot },
    };
    this.context = this.active().reduce<EpochContext>(
      (each, { context }) => context?.(each, this.theatre) ?? each,
      honest,
    );
    this.attested = [];
    for (let i = 0; i < ACTORS.inboxes; i++)
      this.send(address('inbox', i), { type: 'close', ...this.context });
  }

  private commit(): void {
    const order = ORDER.flatMap((who) => this.attested.filter(({ from }) => isSame(from, who)));
    const own = order.map(({ attestation }) => attestation);
    const signed = this.active().reduce<readonly SignedAttestation[]>(
      (each, { entries }) => entries?.(each, this.theatre) ?? each,
      own,
    );
    const honest: EpochLeaf = {
      ...this.context!,
      previousEpoch: this.lastEpoch,
      actors: signed.length,
      actorsRoot: merkleRoot(actorLeaves(signed)),
    };
    const leaf = this.active().reduce<EpochLeaf>(
      (each, cheat) => cheat.leaf?.(each, this.theatre) ?? each,
      honest,
    );
    const bytes = encodeEpochLeaf(leaf);
    const logIndex = this.frontier.size;
    const completed = this.frontier.appendSubtree(0, sha256(bytes));
    if (this.cheats.some(({ isHasty }) => isHasty)) this.theatre.ahead = this.sign();
    const records = order.flatMap((each) => each.records);
    records.push({ key: numberKey(TABLE.log, logIndex), value: logRecord(bytes, completed) });
    records.push({
      key: numberKey(TABLE.attestations, leaf.epoch),
      value: attestationsRecord(logIndex, signed),
    });
    this.theatre.pipeline.write(records, () => this.publish(leaf, logIndex, signed));
  }

  private sign(): Checkpoint {
    const base = { size: this.frontier.size, root: this.frontier.root() };
    return signCheckpoint(this.theatre.signer(address('sequencer')), base);
  }

  private publish(leaf: EpochLeaf, logIndex: number, attestations: readonly SignedAttestation[]): void {
    this.lastEpoch = leaf.epoch;
    const checkpoint = this.sign();
    this.base = { size: checkpoint.size, root: checkpoint.root };
    this.theatre.pipeline.write([checkpointRecord(checkpoint)], () => {});
    const { epoch } = this.context!;
    const tell = (to: Address, entries: readonly SignedAttestation[]) =>
      this.send(to, {
        type: 'committed',
        epoch,
        checkpoint,
        logged: { logIndex, leaf, attestations: entries, actorLeaves: actorLeaves(entries) },
      });
    // Where one is left out, those behind it look for their own at its place all the same.
    const missing = ORDER.findIndex((who) => !this.attested.some(({ from }) => isSame(from, who)));
    const filled = [...attestations.slice(0, missing), attestations[0]!, ...attestations.slice(missing)];
    const told = missing < 0 ? attestations : filled;
    for (const { from } of this.attested) tell(from, told);
    tell(address('gateway'), attestations);
  }
}
