/**
 * An actor that lies about what it holds itself, in some of the runs in which no other one lies: a sequencer about the log,
 * and an outbox about where chains stand, in links and in stills. No neighbour is given what it would take to check that:
 * it is clients that notice, or the actor's own statements that contradict each other. What it is and does comes from a
 * stream of chance of its own, so that all other runs are what they were.
 */
import { importSecretKey, sha256 } from '#crypto';
import { actorLeaves } from '../../src/actors/attest.js';
import type { KeptChain } from '../../src/actors/mailbox-state.js';
import type { MailboxTable } from '../../src/actors/mailbox-table.js';
import {
  type ActorMessage,
  type Address,
  address,
  type Committed,
  type StoreRecord,
} from '../../src/actors/messages.js';
import { Outbox } from '../../src/actors/outbox.js';
import { attestationsRecord, Sequencer, signCheckpoint } from '../../src/actors/sequencer.js';
import { TABLE } from '../../src/actors/store-keys.js';
import {
  type Base,
  type Checkpoint,
  type EpochContext,
  type EpochLeaf,
  encodeEpochLeaf,
  equalBytes,
  type Frontier,
  getU64,
  merkleRoot,
  type SignedAttestation,
} from '../../src/protocol/index.js';
import type { Signed } from '../../src/protocol/statement.js';
import { sequencers } from '../byzantine/cheats-of-sequencers.js';
import type { Theatre } from '../byzantine/theatre.js';
import { rewriteChain } from '../support/rewrite-chain.js';
import type { Cast, Liar, Lied } from './liar.js';
import { Random } from './random.js';

const LIARS = 0.12;
/** Of the epochs. */
const LIES = 0.15;
/** Another stream of chance than the run's own, and than that of actors that lie to neighbours. */
const STREAM = 2 ** 48;
/** Of each chain, so many former states are remembered. */
const MOST_STATES = 8;

/** The ways of a holder, and what each changes; those of a play that need nothing of it but its checkpoints. */
const ABOUT_CLOSE = [
  'close on a false base',
  'close on a stale base',
  'close by another manifest',
  'close by another placement',
];
const ABOUT_LOG = sequencers.filter(({ leaf, entries }) => leaf || entries);
const TWO_LOGS = ['tell one of another root', 'show the clients of one outbox another log'];
const ABOUT_CHAINS = ['another head', 'another total', 'a former state', 'nothing ever came'];

/** The private side of stages, which only who lies here looks at. */
interface OutboxInside {
  readonly options: { readonly index: number; readonly receiverOf: (mailbox: Uint8Array) => number };
  readonly asked: ReadonlySet<string>;
  readonly mailboxes: MailboxTable;
}
interface SequencerInside {
  readonly options: { readonly frontier: Frontier };
  readonly attested: readonly { readonly attestation: SignedAttestation }[];
  leafOf(context: EpochContext, leaves: Uint8Array): EpochLeaf;
}

abstract class Holder implements Liar {
  abstract readonly role: 'sequencer' | 'outbox';
  readonly leaked: readonly Signed[] = [];
  readonly checkpoints: Checkpoint[] = [];
  lies = 0;
  readonly isAlone = false;

  constructor(
    readonly way: string,
    protected readonly random: Random,
    private readonly lied: Lied,
  ) {}

  get name(): string {
    return `${this.role} 0`;
  }

  protected lie(): void {
    this.lies++;
    this.lied(this.way);
  }

  abstract plant(): () => void;
  forget(): void {}
  is = () => false;
  hears = () => false;
  step(): void {}
  says(_: Address, message: ActorMessage, __: Cast): ActorMessage {
    return message;
  }
  writes(records: readonly StoreRecord[]): readonly StoreRecord[] {
    return records;
  }
}

/** Null in a run in which nobody lies so. */
export function lyingHolder(seed: number, lied: Lied): Liar | null {
  const random = new Random(seed + STREAM);
  if (!random.chance(LIARS)) return null;
  const isOutbox = random.chance(0.5);
  const log = [...ABOUT_CLOSE, ...ABOUT_LOG.map(({ name }) => name), ...TWO_LOGS];
  return isOutbox
    ? new LyingOutbox(random.pick(ABOUT_CHAINS), random, lied)
    : new LyingSequencer(random.pick(log), random, lied);
}

// ---- the outbox

class LyingOutbox extends Holder {
  readonly role = 'outbox';
  private states = new Map<string, KeptChain[]>();
  private mailboxes: readonly string[] = [];

  override says(_: Address, message: ActorMessage, { mailboxes }: Cast): ActorMessage {
    this.mailboxes = mailboxes.map((id) => Buffer.from(id).toString('latin1'));
    return message;
  }

  plant(): () => void {
    const { handle } = Outbox.prototype;
    const remember = (inside: OutboxInside) => this.misremember(inside);
    Outbox.prototype.handle = function (this: Outbox, message: ActorMessage) {
      const inside = this as unknown as OutboxInside;
      if (message.type === 'receiver-items' && inside.options.index === 0) remember(inside);
      handle.call(this, message);
    };
    return () => {
      Outbox.prototype.handle = handle;
    };
  }

  /** Before an epoch: of one chain, of one that a still is asked for where there is one, it knows something else than it signed. */
  private misremember({ asked, mailboxes, options }: OutboxInside): void {
    const { random } = this;
    const isLie = random.chance(LIES);
    const own = this.mailboxes.filter((id) => options.receiverOf(Buffer.from(id, 'latin1')) === 0);
    const known = own.filter((id) => mailboxes.lendTo(id));
    if (isLie && known.length > 0) {
      const wanted = random.chance(0.5) ? known.filter((id) => asked.has(id)) : [];
      const id = random.pick(wanted.length > 0 ? wanted : known);
      const before = mailboxes.lendTo(id)!.chain.copy();
      const chain = this.changed(id, before);
      if (chain.total !== before.total || !equalBytes(chain.head, before.head)) {
        rewriteChain(mailboxes, id, chain);
        this.lie();
      }
    }
    for (const id of known) this.remember(id, mailboxes.lendTo(id)!.chain.copy());
  }

  private remember(id: string, chain: KeptChain): void {
    const states = this.states.get(id) ?? [];
    this.states.set(id, states);
    if (states.at(-1)?.total !== chain.total) states.push(chain);
    if (states.length > MOST_STATES) states.shift();
  }

  private changed(id: string, chain: KeptChain): KeptChain {
    const { random } = this;
    if (this.way === 'another head') return { ...chain, head: random.bytes(32) };
    if (this.way === 'another total') return { ...chain, total: chain.total + 1 + random.int(5) };
    if (this.way === 'nothing ever came') return { ...chain, lastEpoch: 0, total: 0 };
    const { lastEpoch, total, head } = random.pick(this.states.get(id) ?? [chain]);
    return { ...chain, lastEpoch, total, head: Uint8Array.from(head) };
  }
}

// ---- the sequencer

class LyingSequencer extends Holder {
  readonly role = 'sequencer';
  /** What it does in the epoch under way: nothing, or this to everybody or to one. */
  private epoch = 0;
  private isLie = false;
  private victim = 0;
  private bases: Base[] = [];
  /** The log before the epoch that is being logged. */
  private before: Frontier | null = null;
  /** What it counts in that epoch's leaf, where that is not what it was told. */
  private entries: readonly SignedAttestation[] | null = null;

  plant(): () => void {
    const inside = Sequencer.prototype as unknown as SequencerInside;
    const { leafOf } = inside;
    const log = (
      real: (signed: readonly SignedAttestation[]) => EpochLeaf,
      frontier: Frontier,
      signed: readonly SignedAttestation[],
    ) => this.logged(real, frontier, signed);
    inside.leafOf = function (this: SequencerInside, context) {
      const signed = this.attested.map(({ attestation }) => attestation);
      return log((each) => leafOf.call(this, context, actorLeaves(each)), this.options.frontier, signed);
    };
    return () => {
      inside.leafOf = leafOf;
    };
  }

  private begin(epoch: number, actors: number): void {
    if (epoch === this.epoch) return;
    this.epoch = epoch;
    this.isLie = this.random.chance(LIES);
    this.victim = this.random.int(actors);
  }

  override says(to: Address, message: ActorMessage, cast: Cast): ActorMessage {
    if (message.type === 'close') return this.closing(to, message);
    return message.type === 'committed' ? this.committed(to, message, cast) : message;
  }

  // ---- what it closes an epoch with

  private closing<T extends EpochContext>(to: Address, close: T): T {
    // As many inboxes as there may be: beyond those that are, it lies to all.
    this.begin(close.epoch, 4);
    if (to.index === 0) this.bases.push(close.base);
    if (!this.isLie || !ABOUT_CLOSE.includes(this.way)) return close;
    const isForAll = this.victim === 3;
    if (!isForAll && to.index !== this.victim) return close;
    const changed = { ...close, ...this.falseContext(close) };
    this.lie();
    return changed;
  }

  private falseContext({ base }: EpochContext): Partial<EpochContext> {
    const { random } = this;
    if (this.way === 'close by another manifest') return { manifestHash: random.bytes(32) };
    if (this.way === 'close by another placement') return { placementRoot: random.bytes(32) };
    if (this.way === 'close on a false base') return { base: { ...base, root: random.bytes(32) } };
    return { base: random.pick(this.bases) };
  }

  // ---- what it logs

  private logged(
    real: (signed: readonly SignedAttestation[]) => EpochLeaf,
    frontier: Frontier,
    signed: readonly SignedAttestation[],
  ): EpochLeaf {
    this.before = frontier.copy();
    const cheat = ABOUT_LOG.find(({ name }) => name === this.way);
    if (!this.isLie || !cheat) return real(signed);
    const theatre = { checkpoints: this.bases } as unknown as Theatre;
    this.entries = cheat.entries?.(signed, theatre) ?? null;
    const leaf = real(this.entries ?? signed);
    const changed = cheat.leaf?.(leaf, theatre) ?? leaf;
    if (!equalBytes(encodeEpochLeaf(changed), encodeEpochLeaf(real(signed)))) this.lie();
    return changed;
  }

  override writes(records: readonly StoreRecord[]): readonly StoreRecord[] {
    const { entries } = this;
    if (!entries) return records;
    return records.map((record) => {
      if (record.key[0] !== TABLE.attestations || !record.value) return record;
      this.entries = null;
      return { ...record, value: attestationsRecord(getU64(record.value, 0), entries) };
    });
  }

  // ---- what it tells of the log

  private committed(to: Address, told: Committed, cast: Cast): Committed {
    if (!this.isLie || told.epoch !== this.epoch) return told;
    const signer = { serverId: cast.serverId, sign: importSecretKey(cast.seed).sign };
    const who = [address('gateway'), address('inbox', 0), address('router', 0), address('outbox', 0)];
    const { kind, index } = this.way === TWO_LOGS[0] ? who[this.victim]! : who[3]!;
    if (to.kind !== kind || to.index !== index) return told;
    if (this.way === TWO_LOGS[0]) {
      const { size } = told.checkpoint;
      return this.fork({
        ...told,
        checkpoint: signCheckpoint(signer, { size, root: this.random.bytes(32) }),
      });
    }
    if (this.way !== TWO_LOGS[1]) return told;
    // Nothing that a client of that outbox could see is wrong with it.
    const logged = told.logged!;
    const [first, ...rest] = logged.attestations;
    const attestations = [{ ...first!, signature: this.random.bytes(64) }, ...rest];
    const leaves = actorLeaves(attestations);
    const leaf = { ...logged.leaf, actorsRoot: merkleRoot(leaves) };
    const frontier = this.before!.copy();
    frontier.append(sha256(encodeEpochLeaf(leaf)));
    const checkpoint = signCheckpoint(signer, { size: frontier.size, root: frontier.root() });
    return this.fork({ ...told, checkpoint, logged: { ...logged, attestations, leaf, actorLeaves: leaves } });
  }

  private fork(told: Committed): Committed {
    this.checkpoints.push(told.checkpoint);
    this.lie();
    return told;
  }
}
