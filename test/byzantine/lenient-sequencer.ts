/** A sequencer that logs whatever actors say, as one that is in league with them, or cheats itself. */
import { sha256 } from '#crypto';
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
  actorLeafHash,
  attestationHash,
  type Base,
  EMPTY_ROOT,
  type EpochContext,
  type EpochLeaf,
  encodeEpochLeaf,
  Frontier,
  merkleRoot,
  type SignedAttestation,
} from '../../src/protocol/index.js';
import type { Cheat } from './cheat.js';
import { ACTORS, type Theatre } from './theatre.js';

/** What a cheating sequencer changes: the leaf it logs, and the statements that it counts in it. */
export interface SequencerCheat extends Cheat {
  readonly context?: (context: EpochContext, theatre: Theatre) => EpochContext;
  readonly entries?: (signed: readonly SignedAttestation[], theatre: Theatre) => readonly SignedAttestation[];
  readonly leaf?: (leaf: EpochLeaf, theatre: Theatre) => EpochLeaf;
}

export class LenientSequencer implements Stage {
  private attested: Attested[] = [];
  private context: EpochContext | null = null;
  private readonly frontier = new Frontier();
  private lastEpoch = 0;
  private epoch = 0;
  private base: Base = { size: 0, root: EMPTY_ROOT };

  constructor(
    private readonly theatre: Theatre,
    private readonly send: Send,
    private readonly cheats: readonly SequencerCheat[],
  ) {}

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
    if (this.attested.length === attestationOrder(ACTORS).length) this.commit();
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
    const of = (who: Address) =>
      this.attested.find(({ from }) => from.kind === who.kind && from.index === who.index)!;
    const kinds = ['', 'inbox', 'router', 'receiver', 'outbox', 'sequencer'] as const;
    const order = attestationOrder(ACTORS).map(({ role, index }) =>
      of({ kind: kinds[role] as never, index }),
    );
    const own = order.map(({ attestation }) => attestation);
    const signed = this.active().reduce<readonly SignedAttestation[]>(
      (each, { entries }) => entries?.(each, this.theatre) ?? each,
      own,
    );
    const hashes = signed.map(({ bytes, signature }) => actorLeafHash(attestationHash(bytes), signature));
    const packed = Uint8Array.from(hashes.flatMap((hash) => [...hash]));
    const honest: EpochLeaf = {
      ...this.context!,
      previousEpoch: this.lastEpoch,
      actors: signed.length,
      actorsRoot: merkleRoot(packed),
    };
    const leaf = this.active().reduce<EpochLeaf>(
      (each, cheat) => cheat.leaf?.(each, this.theatre) ?? each,
      honest,
    );
    const bytes = encodeEpochLeaf(leaf);
    const logIndex = this.frontier.size;
    const completed = this.frontier.appendSubtree(0, sha256(bytes));
    const records = order.flatMap((each) => each.records);
    records.push({ key: numberKey(TABLE.log, logIndex), value: logRecord(bytes, completed) });
    records.push({
      key: numberKey(TABLE.attestations, leaf.epoch),
      value: attestationsRecord(logIndex, signed),
    });
    this.theatre.pipeline.write(records, () => this.publish(leaf, logIndex, signed));
  }

  private publish(leaf: EpochLeaf, logIndex: number, attestations: readonly SignedAttestation[]): void {
    this.lastEpoch = leaf.epoch;
    this.base = { size: this.frontier.size, root: this.frontier.root() };
    const checkpoint = signCheckpoint(this.theatre.signer(address('sequencer')), this.base);
    this.theatre.pipeline.write([checkpointRecord(checkpoint)], () => {});
    const { epoch } = this.context!;
    const message = { type: 'committed', epoch, logIndex, leaf, checkpoint, attestations } as const;
    for (const { from } of this.attested) this.send(from, message);
    this.send(address('gateway'), message);
  }
}
