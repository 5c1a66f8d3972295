/** The digests of one pair (protocol/vector.ts), by epoch: as far back as they are kept, and what stands for all before. */
import { pairDigest } from '../protocol/index.js';

interface Step {
  readonly epoch: number;
  readonly digest: Uint8Array;
  /** The pair digest behind it. */
  head: Uint8Array;
}

export interface SavedChainOfPair {
  readonly from: number;
  /** Epoch of the last step that was let go; `from` if there is none. */
  readonly baseEpoch: number;
  /** The pair digest behind that. */
  readonly baseHead: Uint8Array;
  /** The other one has the same through this epoch. */
  readonly verified: number;
}

export class PairChain {
  from: number;
  baseEpoch: number;
  verified: number;
  /** Framed bodies to the peer since the last one with a block for it. */
  sinceBlock = Infinity;
  private baseHead: Uint8Array;
  private steps: Step[] = [];

  constructor(
    /** Which of the kept places it has. */
    readonly slot: number,
    private readonly seed: (from: number) => Uint8Array,
    saved: number | SavedChainOfPair,
  ) {
    if (typeof saved === 'number') {
      this.from = this.baseEpoch = this.verified = saved;
      this.baseHead = seed(saved);
      return;
    }
    ({
      from: this.from,
      baseEpoch: this.baseEpoch,
      baseHead: this.baseHead,
      verified: this.verified,
    } = saved);
  }

  get saved(): SavedChainOfPair {
    const { from, baseEpoch, baseHead, verified } = this;
    return { from, baseEpoch, baseHead, verified };
  }

  get lastEpoch(): number {
    return this.steps.at(-1)?.epoch ?? this.baseEpoch;
  }

  /** The pair digest as of an epoch; null when that is let go. */
  headAt(epoch: number): Uint8Array | null {
    if (epoch < this.baseEpoch) return null;
    const count = this.countThrough(epoch);
    return count === 0 ? this.baseHead : this.steps[count - 1]!.head;
  }

  private countThrough(epoch: number): number {
    let [low, high] = [0, this.steps.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.steps[middle]!.epoch <= epoch) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** What an epoch brought to the pair, instead of what it did; null is nothing. Nothing is done about what is let go. */
  set(epoch: number, digest: Uint8Array | null): void {
    if (epoch <= this.baseEpoch) return;
    const at = this.countThrough(epoch - 1);
    const isThere = this.steps[at]?.epoch === epoch;
    this.steps.splice(at, isThere ? 1 : 0, ...(digest ? [{ epoch, digest, head: digest }] : []));
    this.chainFrom(at);
  }

  private chainFrom(at: number): void {
    for (let i = at; i < this.steps.length; i++) {
      const step = this.steps[i]!;
      step.head = pairDigest(i === 0 ? this.baseHead : this.steps[i - 1]!.head, step.digest);
    }
  }

  /** Keeps only what stands for everything through this epoch. Whether that changes anything. */
  letGo(through: number): boolean {
    const count = this.countThrough(through);
    if (count === 0) return false;
    const { epoch, head } = this.steps[count - 1]!;
    this.baseEpoch = epoch;
    this.baseHead = head;
    this.steps.splice(0, count);
    return true;
  }

  /** Starts anew behind this epoch, or behind what it has let go. */
  startBehind(epoch: number): void {
    const from = Math.max(epoch, this.baseEpoch);
    this.steps.splice(0, this.countThrough(from));
    this.from = this.baseEpoch = from;
    this.baseHead = this.seed(from);
    this.verified = Math.max(this.verified, from);
    this.chainFrom(0);
  }
}
