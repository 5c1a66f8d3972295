/**
 * Finding out in what two clients of a pair differ, over whatever carries bytes between them. Both do the same, in step:
 *
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
import {
  decodeFrame,
  encodeFrame,
  type Frame,
  type FrameOf,
  type Hello,
  type Kind,
  SAY,
} from './comparison-frames.js';
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

/** What carries bytes between the two; each `send` is one of what the other's `incoming` gives. */
export interface Duplex {
  readonly incoming: AsyncIterable<Uint8Array>;
  send(bytes: Uint8Array): void | Promise<void>;
}

/** What one of the two brings. */
export interface Party {
  readonly book: VectorBook;
  readonly serverId: Uint8Array;
  readonly id: Uint8Array;
  readonly peer: Uint8Array;
  readonly scope: Scope;
  readonly pair: (from: number) => PairChain;
  /** Everything through this epoch is verified, saved, and may be compared. */
  readonly asOf: () => number;
  /** The newest checkpoint that was verified and saved: of a log with everything through `asOf` in it. */
  readonly head: () => Uint8Array;
  /** Asks the server for what it proves between two heads. */
  readonly prove: (own: Uint8Array, others: Uint8Array) => Promise<Proofs>;
  /** Rejects unless the other's head is signed. */
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
  const line = new Line(duplex, signal);
  try {
    return await new Comparison(party, line).run();
  } finally {
    line.end();
  }
}

/** The frames of the two, in turn. */
class Line {
  private readonly incoming: AsyncIterator<Uint8Array>;
  private readonly late: Promise<never>;

  constructor(
    private readonly duplex: Duplex,
    signal: AbortSignal,
  ) {
    this.incoming = duplex.incoming[Symbol.asyncIterator]();
    this.late = new Promise((_, reject) => {
      const fail = () => reject(new ComparisonError('no-answer', 'not in time', { cause: signal.reason }));
      if (signal.aborted) fail();
      else signal.addEventListener('abort', fail, { once: true });
    });
    this.late.catch(() => {});
  }

  async swap<K extends Kind>(kind: K, frame: Omit<FrameOf<K>, 'says'>): Promise<FrameOf<K>> {
    await this.inTime(async () =>
      this.duplex.send(encodeFrame({ says: kind, ...frame } as unknown as Frame)),
    );
    const { done, value } = await this.inTime(() => this.incoming.next());
    if (done) throw new ComparisonError('no-answer', 'the other one has ended');
    return decodeFrame(kind, value);
  }

  /** What the duplex throws is the other's silence. */
  async inTime<T>(run: () => Promise<T>): Promise<T> {
    const asked = Promise.resolve()
      .then(run)
      .catch((cause: unknown) => {
        throw cause instanceof ComparisonError
          ? cause
          : new ComparisonError('no-answer', String(cause), { cause });
      });
    return Promise.race([asked, this.late]);
  }

  end(): void {
    // Not waited for: it may never answer.
    Promise.resolve(this.incoming.return?.()).catch(() => {});
  }
}

/** What both have said first. */
interface Greetings {
  readonly own: Omit<Hello, 'says'>;
  readonly others: Hello;
}

class Comparison {
  private pair!: PairChain;

  constructor(
    private readonly party: Party,
    private readonly line: Line,
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
    const epoch = await this.firstEpoch(low, high, end.others);
    const difference = await this.firstPlace(epoch);
    return { difference, sides: await this.statements(difference), doubt };
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
    this.pair = this.party.pair(0);
    const first = await this.greet();
    this.pair = this.party.pair(first.others.from);
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
    if (low > high) throw new ComparisonError('let-go', 'nothing is left that both can compare');
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
    const own = this.pair.headAt(epoch);
    if (!own) throw new ComparisonError('let-go', `what came before epoch ${epoch} was let go meanwhile`);
    return own;
  }

  /** What the other one said of the digest in the first epoch in which they differ. */
  private differing!: Uint8Array;

  /** They have the same at `low`, or have let go in what they differ; not at `high`. */
  private async firstEpoch(low: number, high: number, others: Uint8Array): Promise<number> {
    const start = await this.digestsAt(low);
    if (!equalBytes(start.own, start.others))
      throw new ComparisonError('let-go', `they differ in what came before epoch ${low}`);
    this.differing = others;
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
    if (!isRising(items) || !equalBytes(after, this.differing))
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
