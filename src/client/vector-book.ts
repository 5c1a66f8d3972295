/**
 * Vector book: what a client keeps of the messages that it shares with each other one. Pure: what was verified goes in, in
 * order; what must be saved comes out by name.
 *
 * 1. A pair's digest counts what the two must both have: so nothing of an epoch in which something is not known. Where
 *    that is so, all pairs start anew behind it (`forget`).
 * 2. At most `epochs` epochs, `bytes` bytes and `pairs` pairs are kept; what is let go stays in the pair digests.
 */
import { decode } from '../protocol/fields.js';
import {
  type Anchor,
  anchorOf,
  Frontier,
  fromHex,
  HASH_BYTES,
  pairSeed,
  type Scope,
  toHex,
} from '../protocol/index.js';
import { KeptEpochs } from './kept-epochs.js';
import { emptyAt, joined, type Range } from './log-range.js';
import { PairChain } from './vector-chain.js';
import {
  anchorsField,
  digestsOf,
  encoded,
  epochField,
  type KeptEpoch,
  type KeptMessage,
  pairField,
  stateField,
} from './vector-format.js';

export type LetGo = 'keepEpochs' | 'untilVerified' | 'headsOnly';

export interface BookOptions {
  readonly serverId: Uint8Array;
  readonly owner: Uint8Array;
  readonly scope: Scope;
  readonly letGo: LetGo;
  readonly epochs: number;
  readonly bytes: number;
  readonly pairs: number;
}

/** A link as it was verified. */
export interface TakenLink {
  readonly epoch: number;
  /** Of the link before; 0 = none. */
  readonly previousEpoch: number;
  readonly claims: () => readonly Uint8Array[];
  readonly messages: readonly KeptMessage[];
  /** Messages of one's own are among them of which it is not known to whom they went. */
  readonly isPartial: boolean;
}

const MOST_ANCHORS = 64;
const NOTHING = new Uint8Array(0);
const NO_RANGE = emptyAt(0);

export class VectorBook {
  /** Epoch of the last leaf that was verified. */
  asOf = 0;
  /** The newest still's claim, when no link came behind it. */
  still: Uint8Array = NOTHING;
  readonly epochs = new KeptEpochs();
  readonly anchors: Anchor[] = [];
  /** Epoch of the last link; −1 = no leaf was seen. */
  lastLink = -1;
  /** Pairs that are not known yet start behind it. */
  private floor = 0;
  private next = 0;
  private before: Range = NO_RANGE;
  private behind: Range = NO_RANGE;
  private since: Range = NO_RANGE;
  private readonly pairs = new Map<string, PairChain>();
  /** What must be saved, by name. */
  private unsaved = new Map<string, () => Uint8Array>();

  constructor(
    private readonly options: BookOptions,
    saved: ReadonlyMap<string, Uint8Array>,
  ) {
    const state = saved.get('state');
    if (state?.length) this.load(decode(stateField, state), saved);
  }

  // ---- the log

  /** Of size 0 before there is any. */
  get anchor(): Anchor {
    return this.anchors.at(-1) ?? anchorOf(new Frontier());
  }

  get logSize(): number {
    return this.since.to;
  }

  /** The log has grown by these subtrees, to this frontier. */
  grow(range: Range, to: Frontier): void {
    this.since = joined(this.since, range);
    this.markState();
    const anchor = anchorOf(to);
    if (anchor.size === 0 || anchor.size === this.anchors.at(-1)?.size) return;
    this.anchors.push(anchor);
    if (this.anchors.length > MOST_ANCHORS) this.anchors.shift();
    this.mark('anchors', () => encoded(anchorsField, this.anchors));
  }

  /** What was verified while nobody kept vectors is not known here. */
  startAt(from: Frontier): void {
    while (this.epochs.length > 0) this.letGoFirst();
    this.before = { from: 0, to: from.size, hashes: from.packed() };
    this.behind = this.since = emptyAt(from.size);
    this.markState();
  }

  /** The log from 0 to where the claims of an epoch are proven, or the still's, and on from there. */
  logAt(kept: KeptEpoch | null): readonly Range[] {
    const [through, behind] = this.epochs.rangesAround(kept?.epoch ?? Infinity);
    if (!kept) return [joined(this.before, ...through, this.behind), this.since];
    const first = joined(this.before, ...through);
    return [first, joined(emptyAt(first.to), ...behind, this.behind, this.since)];
  }

  // ---- what was verified

  takeLink({ epoch, previousEpoch, claims, messages, isPartial }: TakenLink): void {
    if (epoch <= this.lastLink) return;
    this.follow(previousEpoch);
    const isWhole = this.options.letGo !== 'headsOnly';
    const kept: KeptEpoch = {
      number: this.next++,
      epoch,
      range: joined(this.behind, this.since),
      claims: isWhole ? claims() : [],
      digests: digestsOf(epoch, messages),
      messages: isWhole || messages.some(({ isOpen }) => isOpen) ? messages : [],
    };
    this.behind = this.since = emptyAt(this.logSize);
    this.lastLink = this.asOf = epoch;
    this.mark(this.nameOf(kept), this.epochs.push(kept));
    for (const { peer, digest } of kept.digests) this.pairOf(toHex(peer)).set(epoch, digest);
    if (isPartial) this.forget(epoch);
    this.keepStill(NOTHING);
    this.markState();
    this.letGo();
  }

  takeStill(asOf: number, lastEpoch: number, claim: () => Uint8Array): void {
    if (lastEpoch < this.lastLink || asOf <= this.asOf) return;
    this.follow(lastEpoch);
    this.lastLink = lastEpoch;
    this.asOf = asOf;
    this.behind = joined(this.behind, this.since);
    this.since = emptyAt(this.logSize);
    this.keepStill(this.options.letGo === 'headsOnly' ? NOTHING : claim());
    this.markState();
  }

  /** The leaf that comes names this epoch as the last one before it. Pairs may be there before the first one. */
  private follow(previousEpoch: number): void {
    if (previousEpoch > this.lastLink) this.forget(previousEpoch);
  }

  /** What came in this epoch or before is not known whole: all pairs start behind it. */
  private forget(epoch: number): void {
    this.floor = Math.max(this.floor, epoch);
    for (const [peer, pair] of this.pairs) {
      if (pair.from >= epoch) continue;
      pair.startBehind(epoch);
      this.markPair(peer, pair);
    }
    this.markState();
  }

  private keepStill(claim: Uint8Array): void {
    if (claim.length + this.still.length === 0) return;
    this.still = claim;
    this.mark('still', () => claim);
  }

  // ---- pairs

  /** The chain with this one, in hexadecimal. */
  pairOf(peer: string): PairChain {
    const known = this.pairs.get(peer);
    // Whoever was longest not asked for goes first.
    this.pairs.delete(peer);
    const pair = known ?? this.newPair(peer);
    this.pairs.set(peer, pair);
    return pair;
  }

  private newPair(peer: string): PairChain {
    const oldest = this.pairs.entries().next().value;
    if (oldest && this.pairs.size >= this.options.pairs) {
      this.floor = Math.max(this.floor, oldest[1].lastEpoch);
      this.dropPair(oldest[0]);
      this.markState();
    }
    const used = new Set([...this.pairs.values()].map(({ slot }) => slot));
    let slot = 0;
    while (used.has(slot)) slot++;
    const pair = new PairChain(slot, this.seedOf(peer), this.floor);
    this.markPair(peer, pair);
    return pair;
  }

  private seedOf(peer: string): (from: number) => Uint8Array {
    const { serverId, owner, scope } = this.options;
    return (from) => pairSeed(serverId, owner, fromHex(peer, HASH_BYTES), scope, from);
  }

  private dropPair(peer: string): void {
    this.mark(`pair ${this.pairs.get(peer)!.slot}`, () => NOTHING);
    this.pairs.delete(peer);
  }

  /** Both start behind the same epoch, if that can be. */
  meet(peer: string, from: number): PairChain {
    const pair = this.pairOf(peer);
    if (from > pair.from) pair.startBehind(from);
    this.markPair(peer, pair);
    return pair;
  }

  /** The other one has the same through this epoch. */
  verified(peer: string, through: number): void {
    const pair = this.pairOf(peer);
    if (through <= pair.verified) return;
    pair.verified = through;
    this.markPair(peer, pair);
    this.letGo();
  }

  /** An epoch that brought something. */
  keptAt(epoch: number): KeptEpoch | undefined {
    return this.epochs.at(epoch);
  }

  // ---- rosters

  /** Everything through this epoch is verified, and every roster in it checked or given up. */
  get settled(): number {
    const [open] = this.epochs.open();
    return open ? Math.min(this.asOf, open.epoch - 1) : this.asOf;
  }

  /** A roster that waits to be checked, at this place. */
  openAt(epoch: number, inbox: number, index: number): KeptMessage | undefined {
    const open = this.epochs.open().find((each) => each.epoch === epoch);
    return open?.messages.find((each) => each.isOpen && each.inbox === inbox && each.index === index);
  }

  /** The message went to these, whose leaves are known; or to nobody that it counts with. */
  settle(epoch: number, message: KeptMessage, peers: readonly Uint8Array[], leaves: Uint8Array): void {
    const before = this.epochs.at(epoch)!;
    const messages = before.messages.map((each) =>
      each === message ? { ...each, peers, leaves, isOpen: 0 } : each,
    );
    const digests = digestsOf(epoch, messages);
    const isKept = this.options.letGo !== 'headsOnly' || messages.some(({ isOpen }) => isOpen);
    const kept = { ...before, digests, messages: isKept ? messages : [] };
    this.mark(this.nameOf(kept), this.epochs.replace(kept));
    for (const { peer, digest } of digests) this.pairOf(toHex(peer)).set(epoch, digest);
    this.letGo();
  }

  /**
   * The application is done with everything through this epoch: rosters that it did not show will not come, and others may have
   * counted what they are of.
   */
  giveUp(through: number): void {
    for (const { epoch, messages } of this.epochs.open().filter((each) => each.epoch <= through))
      for (const message of messages) {
        if (!message.isOpen) continue;
        this.settle(epoch, message, message.peers, message.leaves);
        this.forget(epoch);
      }
  }

  // ---- letting go

  private letGo(): void {
    const { epochs, bytes } = this.options;
    while (this.epochs.length > epochs || (this.epochs.weight > bytes && this.epochs.length > 1))
      this.letGoFirst();
    if (this.options.letGo !== 'untilVerified' || this.pairs.size === 0) return;
    const verified = Math.min(...[...this.pairs.values()].map((pair) => pair.verified));
    // The newest stays: what comes next is held against it.
    while (this.epochs.length > 1 && this.epochs.first!.epoch <= verified) {
      this.mark(this.nameOf(this.epochs.first!), () => NOTHING);
      this.letGoFirst();
    }
  }

  private letGoFirst(): void {
    const kept = this.epochs.shift();
    this.before = joined(this.before, kept.range);
    this.markState();
    for (const { peer } of kept.digests) {
      const pair = this.pairs.get(toHex(peer));
      if (pair?.letGo(kept.epoch)) this.markPair(toHex(peer), pair);
    }
    if (kept.messages.some(({ isOpen }) => isOpen)) this.forget(kept.epoch);
  }

  // ---- saving

  /** Everything that has changed since, by name. */
  changes(): [name: string, bytes: Uint8Array][] {
    const changed = [...this.unsaved].map(([name, bytes]): [string, Uint8Array] => [name, bytes()]);
    this.unsaved = new Map();
    return changed;
  }

  private mark(name: string, bytes: () => Uint8Array): void {
    this.unsaved.set(name, bytes);
  }

  private markState(): void {
    this.mark('state', () => {
      const { asOf, floor, next, before, behind, since, options } = this;
      const { scope, epochs } = options;
      return encoded(stateField, {
        ...{ scope, epochs, asOf, lastLink: this.lastLink + 1, floor, next, before, behind, since },
      });
    });
  }

  private nameOf({ number }: { readonly number: number }): string {
    return `epoch ${number % this.options.epochs}`;
  }

  private markPair(peer: string, pair: PairChain): void {
    this.mark(`pair ${pair.slot}`, () =>
      encoded(pairField, { peer: fromHex(peer, HASH_BYTES), ...pair.saved }),
    );
  }

  // ---- loading

  private load(state: SavedState, saved: ReadonlyMap<string, Uint8Array>): void {
    const { asOf, lastLink, floor, next, before, behind, since, scope, epochs } = state;
    Object.assign(this, { asOf, lastLink: lastLink - 1, floor, next, before: { from: 0, ...before } });
    const all = [...saved].filter(([, bytes]) => bytes.length > 0);
    const named = (kind: string) => all.filter(([name]) => name.startsWith(`${kind} `));
    this.still = saved.get('still') ?? NOTHING;
    const anchors = saved.get('anchors');
    if (anchors) this.anchors.push(...decode(anchorsField, anchors));
    for (const [name, bytes] of named('pair')) {
      const { peer, ...chain } = decode(pairField, bytes);
      const hex = toHex(peer);
      this.pairs.set(hex, new PairChain(Number(name.slice(5)), this.seedOf(hex), chain));
    }
    const kept = named('epoch').map(([, bytes]) => decode(epochField, bytes));
    kept.sort((a, b) => a.number - b.number);
    for (const each of kept) this.epochs.push(each);
    const from = kept.at(-1)?.range.to ?? before.to;
    this.behind = { from, ...behind };
    this.since = { from: behind.to, ...since };
    for (const each of kept)
      for (const { peer, digest } of each.digests)
        if (each.epoch > this.floor) this.pairOf(toHex(peer)).set(each.epoch, digest);
        else this.pairs.get(toHex(peer))?.set(each.epoch, digest);
    if (epochs !== this.options.epochs) this.renumber(named('epoch').map(([name]) => name));
    if (scope !== this.options.scope) this.forget(asOf);
    this.letGo();
  }

  /** Another number of epochs is to be kept than before: they stand under other names. */
  private renumber(names: readonly string[]): void {
    for (const name of names) this.mark(name, () => NOTHING);
    while (this.epochs.length > this.options.epochs) this.letGoFirst();
    for (const [kept, bytes] of this.epochs.saving()) this.mark(this.nameOf(kept), bytes);
    this.markState();
  }
}

type SavedState = ReturnType<(typeof stateField)['read']>;
