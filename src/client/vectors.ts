/**
 * Vectors: what a client says to others of the messages that it shares with them, and makes of what they say. It is told
 * of every frame that was verified, and what it keeps is saved together with what that frame changed.
 */
import { randomBytes } from '#crypto';
import {
  type Block,
  decodeBlock,
  encodeBlock,
  equalBytes,
  FormatError,
  type Frontier,
  HASH_BYTES,
  SCOPE,
  type Scope,
  toHex,
} from '../protocol/index.js';
import { accuseIn } from './accusing.js';
import { claimParts, claimStill } from './claim-making.js';
import { findDifference, type Party } from './comparing.js';
import { ComparisonError, type ComparisonErrorCode } from './comparison-error.js';
import type { Duplex } from './comparison-line.js';
import { disputeOf } from './dispute.js';
import { Forks, forkedAt } from './forks.js';
import type { Gateway } from './gateway.js';
import { accuseOf, checkSigned, headOf, proofsFrom } from './heads.js';
import type { Range } from './log-range.js';
import type { Member } from './member.js';
import type { Message } from './message.js';
import { idOf } from './options.js';
import type { Id } from './outgoing-bundle.js';
import { watchOwnChain } from './own-chain.js';
import { leavesOfRoster, PairReader, type RosterMember } from './pair-messages.js';
import type { Participant } from './persister.js';
import type { Sender } from './sender.js';
import { type SessionLog, watchLog } from './session-log.js';
import type { Change } from './store.js';
import { withTimeLimit } from './time-limit.js';
import { type LetGo, VectorBook } from './vector-book.js';
import {
  decodeFramed,
  encodeFramed,
  type Framed,
  MOST_BLOCKS,
  membersOf,
  type ToFrame,
} from './vector-frame.js';
import type {
  CompareOptions,
  Comparison,
  Finding,
  Roster,
  RosterOutcome,
  Unframed,
  VectorsOptions,
} from './vectors-types.js';
import { isLink, type VerifiedLink, type VerifiedMailbox } from './verifier.js';

export type * from './vectors-types.js';
export type { RosterMember };

/** Errors of `compare` that may be the server's fault. */
const SUSPECT: readonly ComparisonErrorCode[] = [
  ...(['no-proof', 'nothing-proven', 'not-bridged'] as const),
  ...(['let-go', 'differs'] as const),
];

const DEFAULTS = { bytes: 16 << 20, peers: 4096, blockEvery: 16 };
/** In which a server that is there answers. */
const SOON_MS = 2000;
const NOTHING = new Uint8Array(0);

export class Vectors implements Participant {
  /** @internal */
  marked = false;
  /** @internal */
  book!: VectorBook;
  /** @internal */
  gateway!: Gateway;
  private member!: Member;
  private log!: SessionLog;
  private reader!: PairReader;
  private forks!: Forks;
  private prefix = '';
  private saving = 0;
  private durable = 0;
  private readonly scope: Scope;
  private readonly letGo: LetGo;
  private readonly blockEvery: number;
  private readonly limits: { readonly epochs: number; readonly bytes: number; readonly pairs: number };

  /** One for each client, and of a gateway's `ManyVectors` one for each mailbox. Throws `TypeError` on a number that is not a positive integer. */
  constructor(options: VectorsOptions = {}) {
    const { letGo = { keepEpochs: 1024 }, rosters = false } = options;
    const { bytes, peers, blockEvery } = { ...DEFAULTS, ...options };
    const [[way, epochs] = []] = Object.entries(letGo);
    if (way !== 'keepEpochs' && way !== 'untilVerified' && way !== 'headsOnly')
      throw new TypeError(`letGo: expected keepEpochs, untilVerified or headsOnly, got ${way}`);
    for (const [name, value] of Object.entries({ [way]: epochs, bytes, peers, blockEvery }))
      if (!Number.isSafeInteger(value) || value! < 1)
        throw new TypeError(`${name}: expected a positive integer, got ${value}`);
    this.letGo = way;
    this.blockEvery = blockEvery;
    this.scope = rosters ? SCOPE.rosters : SCOPE.direct;
    this.limits = { epochs: epochs!, bytes, pairs: peers };
  }

  /** Called by the client, before anything can be verified. @internal */
  start(gateway: Gateway, signal?: AbortSignal): void {
    if (this.gateway) throw new TypeError('vectors: one for each client');
    watchLog(gateway, [this]);
    watchOwnChain(gateway, this.member, this.reader, this.bundleOf, () => this.current, signal);
  }

  /** @internal */
  startFor(gateway: Gateway, member: Member, kept: ReadonlyMap<string, Uint8Array>): void {
    this.gateway = gateway;
    this.member = member;
    const owner = member.identity.publicKey;
    this.prefix = `vectors ${toHex(owner)} `;
    const { scope, letGo, limits } = this;
    const { serverId } = gateway.ground.world;
    this.book = new VectorBook({ serverId, owner, scope, letGo, ...limits }, kept);
    this.saving = this.durable = this.book.asOf;
    this.reader = new PairReader(serverId, owner, scope, letGo !== 'headsOnly');
    this.forks = new Forks(gateway, member, kept);
  }

  /** @internal */
  startIn(log: SessionLog): void {
    this.log = log;
  }

  // ---- what was verified

  /** @internal */
  get logSize(): number {
    return this.book.logSize;
  }

  /** @internal */
  startAt(frontier: Frontier): void {
    this.book.startAt(frontier);
  }

  /** @internal */
  grow(range: Range, frontier: Frontier): void {
    this.book.grow(range, frontier);
    this.giveUp();
  }

  /** @internal */
  take(leaf: VerifiedMailbox): void {
    if (isLink(leaf)) this.takeLink(leaf);
    else this.book.takeStill(leaf.next.asOf, leaf.next.chain.lastEpoch, () => claimStill(leaf));
    this.giveUp();
  }

  /** Rosters that were not shown until their messages were acknowledged. */
  private giveUp(): void {
    if (this.scope === SCOPE.rosters) this.book.giveUp(this.member.mailbox.state?.acknowledged ?? 0);
    this.gateway.persister.mark(this);
  }

  /** The book, told of all that its session has verified. */
  private get current(): VectorBook {
    this.log.tell(this);
    return this.book;
  }

  private takeLink(link: VerifiedLink): void {
    const epoch = link.next.chain.lastEpoch;
    if (epoch <= this.book.lastLink) return;
    const read = this.reader.read(link, this.bundleOf);
    const claims = () => claimParts(link);
    this.book.takeLink({ epoch, previousEpoch: link.before.lastEpoch, claims, ...read });
  }

  private readonly bundleOf = (counter: number) =>
    (this.member.counters.sender as Sender | null)?.items.find(counter)?.bundle;

  /** @internal */
  changes(out: Change[]): void {
    this.saving = this.book.asOf;
    for (const [name, bytes] of [...this.book.changes(), ...this.forks.changes()])
      out.push({ type: 'kept', name: this.prefix + name, bytes });
  }

  /** @internal */
  saved(): void {
    this.durable = this.saving;
  }

  // ---- comparing

  /** Epoch of the last leaf that was verified and saved; 0 = none. */
  get asOf(): number {
    return this.durable;
  }

  /** What to tell `peer` (32 bytes or hexadecimal), inside an encrypted message: 97 bytes. */
  block(peer: Id): Uint8Array {
    const book = this.current;
    const pair = book.pairOf(this.hexOf(peer));
    const asOf = Math.max(Math.min(this.durable, book.settled), pair.baseEpoch);
    const digest = pair.headAt(asOf)!;
    const { scope } = this;
    return encodeBlock({ scope, from: pair.from, asOf, digest, anchor: book.anchor });
  }

  /**
   * What `peer` told. Throws `ComparisonError` on bytes that are no block. What is not as it should be is told by the event
   * `suspicion`, too.
   */
  check(peer: Id, bytes: Uint8Array): Comparison {
    const hex = this.hexOf(peer);
    const shown = this.checked(hex, readBlock(bytes));
    if (shown.outcome === 'differs')
      this.suspect(peer, new ComparisonError('differs', `as of epoch ${shown.asOf}`));
    if (shown.outcome === 'forked') this.suspect(peer, forkedAt(shown.size));
    return shown;
  }

  private checked(hex: string, block: Block): Comparison {
    const book = this.current;
    const known = book.anchors.find(({ size }) => size === block.anchor.size);
    const isOther = known && !equalBytes(known.root, block.anchor.root);
    if (isOther) this.forks.suspected(hex, block.anchor);
    // Later blocks may name anchors that are not known here: only `compare` shows that it was not so.
    const size = this.forks.sizeOf(hex);
    this.gateway.persister.mark(this);
    if (size !== undefined) return { outcome: 'forked', size };
    if (block.scope !== this.scope) return { outcome: 'unknown', reason: 'scope' };
    const { settled } = book;
    if (block.from > settled) return { outcome: 'unknown', reason: 'ahead' };
    const pair = book.meet(hex, block.from);
    if (block.asOf > settled) return { outcome: 'unknown', reason: 'ahead' };
    if (pair.from !== block.from) return { outcome: 'unknown', reason: 'start' };
    const digest = pair.headAt(block.asOf);
    if (!digest) return { outcome: 'unknown', reason: 'let-go' };
    const { asOf } = block;
    if (!equalBytes(digest, block.digest)) return { outcome: 'differs', asOf };
    book.verified(hex, asOf);
    return { outcome: 'same', asOf };
  }

  private suspect(peer: Id, error: ComparisonError): void {
    const { gateway, member } = this;
    gateway.events.emit('suspicion', { mailbox: member.index, peer: idOf(peer, 'peer'), error });
  }

  /** Frames a body: with a roster for all, and now and then with blocks for those it goes to. Encrypt it, and send it so. */
  frame({ to, body, envelopes }: ToFrame): Framed {
    const ids = (Array.isArray(to) ? (to as readonly Id[]) : [to as Id]).map((each) => idOf(each, 'to'));
    const rosterKey =
      this.scope === SCOPE.rosters && ids.length > 1 ? Uint8Array.from(randomBytes(HASH_BYTES)) : undefined;
    const own = toHex(this.member.identity.publicKey);
    const due = ids
      .filter((id) => toHex(id) !== own)
      .map((peer) => ({ peer, pair: this.book.pairOf(toHex(peer)) }))
      .filter(({ pair }) => ++pair.sinceBlock >= this.blockEvery)
      .sort((a, b) => b.pair.sinceBlock - a.pair.sinceBlock)
      .slice(0, MOST_BLOCKS);
    for (const { pair } of due) pair.sinceBlock = 0;
    const framed = encodeFramed({
      roster: rosterKey ? [{ rosterKey, members: membersOf(ids, envelopes) }] : [],
      blocks: due.map(({ peer }) => ({ peer, block: this.block(peer) })),
      body: typeof body === 'string' ? new TextEncoder().encode(body) : body,
    });
    return rosterKey ? { body: framed, rosterKey } : { body: framed };
  }

  /**
   * Takes a framed body of a message apart, decrypted, and checks what is in it. Of every message, before it is acknowledged. Throws
   * `ComparisonError` (`malformed`) on bytes that are none; then a roster of the message counts as not shown.
   */
  unframe(message: Message, framed: Uint8Array): Unframed {
    const { epoch, inbox, index } = message.place;
    const waits = this.scope === SCOPE.rosters && this.book.openAt(epoch, inbox, index) !== undefined;
    const { roster, blocks, body } = decodeFramed(framed);
    const outcome = waits ? this.roster(message, roster[0] ?? null) : null;
    const own = this.member.identity.publicKey;
    const mine = blocks.find(({ peer }) => equalBytes(peer, own));
    return { body, roster: outcome, comparison: mine ? this.check(message.sender, mine.block) : null };
  }

  /**
   * To whom a message of somebody else to several went, as it says in its encrypted body; null if it does not say. Counted, if
   * it is true, with each of them. With `rosters` only, and of every such message before it is acknowledged: nothing is
   * compared beyond it until then, and all starts anew behind one that was acknowledged without.
   */
  roster(message: Message, roster: Roster | null): RosterOutcome {
    const { epoch, inbox, index } = message.place;
    const kept = this.book.openAt(epoch, inbox, index);
    if (!kept) return 'late';
    this.gateway.persister.mark(this);
    const { members, rosterKey } = roster ?? { members: [], rosterKey: new Uint8Array(32) };
    const list = members.map((each) =>
      typeof each === 'object' && 'mailbox' in each ? each : { mailbox: idOf(each, 'members') },
    );
    const leaves = leavesOfRoster(kept.preimage, idOf(rosterKey, 'rosterKey'), list);
    const owner = this.member.identity.publicKey;
    const others = list.map(({ mailbox }) => mailbox).filter((id) => !equalBytes(id, owner));
    const senders = kept.peers.filter((id) => !others.some((other) => equalBytes(id, other)));
    this.book.settle(epoch, kept, leaves ? [...senders, ...others] : kept.peers, leaves ?? NOTHING);
    if (!roster) return 'none';
    return leaves ? 'counted' : 'wrong';
  }

  /**
   * Finds out in what the two differ, together with `peer`, who does the same at the other end of `duplex`. Resolves with evidence
   * where they differ, which is told by the event `divergence` too. Rejects with a `ComparisonError`; what may be the server's fault
   * and is not proven is told by `suspicion` as well.
   */
  async compare(
    peer: Id,
    duplex: Duplex,
    { timeoutMs = 30_000, signal }: CompareOptions = {},
  ): Promise<Finding> {
    const hex = this.hexOf(peer);
    try {
      return await this.found(hex, idOf(peer, 'peer'), duplex, withTimeLimit(timeoutMs, signal));
    } catch (error) {
      if (!(error instanceof ComparisonError && SUSPECT.includes(error.code))) throw error;
      // What was proven before is, whatever the server shows now.
      const proof = await this.forks.proofOf(hex);
      if (proof)
        return { outcome: 'forked', size: proof.size, evidence: proof.evidence, verdict: proof.verdict };
      this.suspect(peer, error);
      throw error;
    }
  }

  private async found(hex: string, peer: Uint8Array, duplex: Duplex, signal: AbortSignal): Promise<Finding> {
    const found = await findDifference(this.party(hex, peer, signal), duplex, signal);
    const isOneLog = 'same' in found || ('difference' in found && !found.doubt);
    if (isOneLog) this.forks.forget(hex);
    this.gateway.persister.mark(this);
    if ('same' in found) {
      this.book.verified(hex, found.same);
      return { outcome: 'same', asOf: found.same };
    }
    const { index: mailbox } = this.member;
    if ('forked' in found) {
      this.forks.proven(hex, found.forked, found.accusation.evidence);
      this.gateway.events.emit('divergence', { mailbox, peer, ...found.accusation });
      return { outcome: 'forked', size: found.forked, ...found.accusation };
    }
    const { difference, doubt, sides } = found;
    const accusation = await accuseIn(disputeOf(this.gateway.ground.world, difference, sides)).catch(
      (error: unknown) => {
        throw doubt ?? error;
      },
    );
    this.gateway.events.emit('divergence', { mailbox, peer, ...accusation });
    return { outcome: 'diverged', epoch: difference.epoch, ...accusation };
  }

  private party(hex: string, peer: Uint8Array, signal: AbortSignal): Party {
    const { current: book, gateway, scope, member } = this;
    const { serverId } = gateway.ground.world;
    const pair = (from: number) => {
      gateway.persister.mark(this);
      return book.meet(hex, from);
    };
    const still = (until: AbortSignal) => gateway.still(member.index, { signal: until }).then(() => {});
    return {
      ...{ book, serverId, scope, peer, pair },
      id: member.identity.publicKey,
      sign: (bytes) => member.identity.sign(bytes),
      asOf: () => Math.min(this.durable, book.settled),
      head: () => headOf(member.session!.proven),
      prove: (own, others) => proofsFrom(gateway.ground.http, own, others, signal),
      checkSigned: (others) =>
        checkSigned(others, gateway.ground.world, () => still(withTimeLimit(SOON_MS, signal))),
      accuse: (heads) => accuseOf(heads, gateway.ground.world),
      catchUp: () => still(signal),
    };
  }

  private hexOf(peer: Id): string {
    const hex = toHex(idOf(peer, 'peer'));
    if (hex === toHex(this.member.identity.publicKey)) throw new TypeError('peer: it is the client itself');
    return hex;
  }
}

function readBlock(bytes: Uint8Array): Block {
  try {
    return decodeBlock(bytes);
  } catch (error) {
    if (error instanceof FormatError) throw new ComparisonError('malformed', error.message, { cause: error });
    throw error;
  }
}
