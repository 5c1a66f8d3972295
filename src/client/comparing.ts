/**
 * Finding out in what two clients of a pair differ, over whatever carries bytes between them. Both do the same, in step:
 *
 *   nonce           random bytes, so that what the two sign is of this comparison alone (comparison-line.ts)
 *   hello (twice)   of what they can compare, and that they start behind the same epoch
 *   head, proof     the newest checkpoint, and what leads from one's to the other's: whether what they know is one log
 *   digest …        as of the end, the start, and then halving what lies between: the first epoch in which they differ
 *   items           of that epoch: the first place at which they differ
 *   claims          each one's own leaves about it, and the message
 *   log             what leads from one's claims to the other's
 *
 * Then each judges by itself. The other one may say anything: frames, bytes and time are bounded, and whatever does not
 * fit ends it with a `ComparisonError`. It cannot make evidence that is not true.
 */
import { epochDigest, equalBytes, type PairItem, pairDigest, type Scope } from '../protocol/index.js';
import type { Accusation } from './accusing.js';
import { ComparisonError } from './comparison-error.js';
import { type FrameOf, type Hello, SAY } from './comparison-frames.js';
import { ComparisonLine, type Duplex, type Speaker } from './comparison-line.js';
import {
  type Difference,
  firstDifference,
  isRising,
  largestLog,
  leavesAt,
  type Side,
  show,
} from './dispute.js';
import { areApart, areOfOneLog, type Heads, type Proofs, sizeOf } from './heads.js';
import { joined } from './log-range.js';
import type { VectorBook } from './vector-book.js';
import type { PairChain } from './vector-chain.js';
import type { KeptMessage } from './vector-format.js';

/** What one of the two brings. */
export interface Party extends Speaker {
  readonly book: VectorBook;
  readonly serverId: Uint8Array;
  readonly scope: Scope;
  readonly pair: (from: number) => PairChain;
  /** Everything through this epoch is verified, saved, and may be compared. */
  readonly asOf: () => number;
  /** The newest checkpoint that was verified and saved: of a log with everything through `asOf` in it. */
  readonly head: () => Uint8Array;
  /** Asks the server for what it proves between two heads. */
  readonly prove: (own: Uint8Array, others: Uint8Array) => Promise<Proofs>;
  /** Rejects with `ComparisonError` unless the other's head is signed. */
  readonly checkSigned: (others: Uint8Array) => Promise<void>;
  /** Evidence of heads that are not shown to be of one log. */
  readonly accuse: (heads: Heads) => Promise<Accusation | null>;
  /** Asks the server for a newer leaf. */
  readonly catchUp: () => Promise<void>;
}

export type Found =
  | { readonly same: number }
  /** Two logs: what proves it, and the size of the smaller head. */
  | { readonly forked: number; readonly accusation: Accusation }
  | {
      readonly difference: Difference;
      readonly sides: readonly [me: Side, other: Side];
      /** Why it may be more than a difference. */
      readonly doubt: ComparisonError | null;
    };

/** Rejects with a `ComparisonError`, when the signal is aborted too. */
export async function findDifference(party: Party, duplex: Duplex, signal: AbortSignal): Promise<Found> {
  const line = new ComparisonLine(party, duplex, signal);
  try {
    return await new Comparison(party, line).run();
  } finally {
    line.end();
  }
}

/** What both have said first. */
interface Greetings {
  readonly own: Omit<Hello, 'says'>;
  readonly others: Hello;
}

class Comparison {
  private pair!: PairChain;
  private from = 0;

  constructor(
    private readonly party: Party,
    private readonly line: ComparisonLine,
  ) {}

  async run(): Promise<Found> {
    const greetings = await this.meet();
    const heads = await this.heads();
    if (!heads) return this.compare(greetings, null);
    const [own, others] = [sizeOf(heads.own), sizeOf(heads.others)];
    const accusation = await this.line.inTime(() => this.party.accuse(heads));
    if (accusation) return { forked: Math.min(own, others), accusation };
    const text = `a log of ${own} epochs and the other's of ${others} are not shown to be one: the server is suspected of two`;
    const doubt = new ComparisonError('no-proof', text);
    // A server that proves nothing of this does not keep the two from proving what else it did.
    const found = await this.compare(greetings, doubt).catch((cause: unknown) => {
      throw new ComparisonError('no-proof', `${text} (${cause})`, { cause });
    });
    if ('same' in found) throw doubt;
    return found;
  }

  private async compare(greetings: Greetings, doubt: ComparisonError | null): Promise<Found> {
    const { low, high } = this.common(greetings);
    const end = await this.digestsAt(high);
    if (equalBytes(end.own, end.others)) return { same: high };
    this.differing = end.others;
    try {
      const epoch = await this.firstEpoch(low, high);
      const difference = await this.firstPlace(epoch);
      return { difference, sides: await this.statements(difference), doubt };
    } catch (cause) {
      const isCut = cause instanceof ComparisonError && cause.code === 'no-answer';
      // Whoever carries the line may be the one at fault.
      throw isCut
        ? new ComparisonError('differs', `as of epoch ${high}, and then: ${cause}`, { cause })
        : cause;
    }
  }

  // ---- of what log

  /** Null when what both know is shown to be one log. */
  private async heads(): Promise<Heads | null> {
    const { line, party } = this;
    const own = party.head();
    const { head: others } = await line.swap(SAY.head, { head: own });
    await line.inTime(() => party.checkSigned(others));
    const proofs: Uint8Array[] = [];
    if (areApart(own, others)) {
      const given = await line.inTime(() => party.prove(own, others));
      const { proof, beside } = await line.swap(SAY.proof, given);
      proofs.push(given.proof, given.beside, proof, beside);
    }
    const heads = { own, others, proofs };
    return areOfOneLog(heads) ? null : heads;
  }

  // ---- where they differ

  private async meet(): Promise<Greetings> {
    await this.line.open();
    this.pair = this.party.pair(0);
    const { own, others } = await this.greet();
    const [from, asOf] = [Math.max(own.from, others.from), Math.min(own.asOf, others.asOf)];
    // Else the pair would start behind what it can know: what both have been shown so far would never be compared.
    if (from > asOf)
      throw new ComparisonError('not-comparable', `they start behind epoch ${from}, and one is at ${asOf}`);
    this.pair = this.party.pair(from);
    this.from = this.pair.from;
    return this.greet();
  }

  /** Epochs that both know the digest of, as they have said. */
  private common({ own, others }: Greetings): { low: number; high: number } {
    if (others.from !== own.from)
      throw new ComparisonError(
        'not-comparable',
        `one starts behind epoch ${own.from}, the other ${others.from}`,
      );
    const [low, high] = [Math.max(others.base, own.base), Math.min(others.asOf, own.asOf)];
    if (low > high)
      throw new ComparisonError(
        'not-comparable',
        `one knows nothing before epoch ${low} any more, the other nothing behind ${high} yet`,
      );
    return { low, high };
  }

  private async greet(): Promise<Greetings> {
    const { serverId, id, peer, scope, asOf } = this.party;
    const { from, baseEpoch: base } = this.pair;
    const own = { serverId, sender: id, scope, from, base, asOf: asOf() };
    const others = await this.line.swap(SAY.hello, own);
    const isExpected =
      equalBytes(others.serverId, serverId) && equalBytes(others.sender, peer) && others.scope === scope;
    if (!isExpected) throw new ComparisonError('not-comparable', 'of another server, pair or scope');
    if (others.base < others.from)
      throw new ComparisonError(
        'malformed',
        `it knows epoch ${others.base}, and starts behind ${others.from}`,
      );
    return { own, others };
  }

  private async digestsAt(epoch: number): Promise<{ own: Uint8Array; others: Uint8Array }> {
    const own = this.ownDigest(epoch);
    const said = await this.line.swap(SAY.digest, { epoch, digest: own });
    if (said.epoch !== epoch)
      throw new ComparisonError('malformed', `a digest of ${said.epoch}, not ${epoch}`);
    return { own, others: said.digest };
  }

  private ownDigest(epoch: number): Uint8Array {
    // By a block, or a roster that was given up, the pair may start anew at any moment.
    const own = this.pair.from === this.from && this.pair.headAt(epoch);
    if (own) return own;
    const code = this.differing ? 'let-go' : 'not-comparable';
    throw new ComparisonError(code, `what came before epoch ${epoch} was let go meanwhile`);
  }

  /** What the other one said of the digest in the first epoch in which they differ, as far as is known; null while they may have the same. */
  private differing: Uint8Array | null = null;

  /** They have the same at `low`, or have let go in what they differ; not at `high`. */
  private async firstEpoch(low: number, high: number): Promise<number> {
    const start = await this.digestsAt(low);
    if (!equalBytes(start.own, start.others))
      throw new ComparisonError('let-go', `they differ in what came before epoch ${low}`);
    let [same, different] = [low, high];
    while (different - same > 1) {
      const middle = same + Math.floor((different - same) / 2);
      const at = await this.digestsAt(middle);
      if (equalBytes(at.own, at.others)) same = middle;
      else {
        different = middle;
        this.differing = at.others;
      }
    }
    return different;
  }

  private async firstPlace(epoch: number): Promise<Difference> {
    const own = this.ownItems(epoch);
    const { items } = await this.line.swap(SAY.items, {
      items: own.map(({ inbox, index, messageHash }) => ({ inbox, index, messageHash })),
    });
    const before = this.ownDigest(epoch - 1);
    const after = items.length > 0 ? pairDigest(before, epochDigest(epoch, items)) : before;
    if (!isRising(items) || !equalBytes(after, this.differing!))
      throw new ComparisonError(
        'contradicts-itself',
        `its messages of epoch ${epoch} are not those of its digest`,
      );
    const difference = firstDifference(epoch, own, items);
    if (!difference) throw new ComparisonError('let-go', `the messages of epoch ${epoch} are no longer kept`);
    return difference;
  }

  private ownItems(epoch: number): readonly KeptMessage[] {
    const { book, peer } = this.party;
    const messages = book.keptAt(epoch)?.messages ?? [];
    const items = messages.filter(({ peers }) => peers.some((each) => equalBytes(each, peer)));
    const before = this.ownDigest(epoch - 1);
    const after =
      items.length > 0 ? pairDigest(before, epochDigest(epoch, items as readonly PairItem[])) : before;
    if (!equalBytes(after, this.ownDigest(epoch)))
      throw new ComparisonError('let-go', `the messages of epoch ${epoch} are not kept here`);
    return items;
  }

  // ---- what shows it

  private async statements(difference: Difference): Promise<readonly [Side, Side]> {
    const { book, id, peer } = this.party;
    const { claims, log } = leavesAt(book, difference);
    const item = difference.own && this.itemAt(difference);
    const said = { says: SAY.claims, claims, shown: item ? [show(item, peer)] : [] };
    const others = await this.line.swap(SAY.claims, said);
    // Whoever has the earlier claim must know the log on to the other's.
    if (largestLog(others.claims) > book.logSize) await this.catchUp();
    const ranges = log();
    const { ranges: theirs } = await this.line.swap(SAY.log, { ranges });
    return [
      { id, said: said as FrameOf<typeof SAY.claims>, log: ranges },
      { id: peer, said: others, log: theirs.map(checkedRange) },
    ];
  }

  private itemAt({ epoch, inbox, index }: Difference): KeptMessage {
    return this.ownItems(epoch).find((each) => each.inbox === inbox && each.index === index)!;
  }

  private catchUp(): Promise<void> {
    return this.line.inTime(() => this.party.catchUp());
  }
}

/** Throws `ComparisonError` on another number of hashes than leads so far. */
function checkedRange(range: Side['log'][number]): Side['log'][number] {
  try {
    return joined(range);
  } catch (cause) {
    throw new ComparisonError('malformed', `a range from ${range.from} to ${range.to}`, { cause });
  }
}
