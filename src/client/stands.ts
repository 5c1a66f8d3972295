/** Who waits to be told where a mailbox stands. */
import { CountersignError } from '../protocol/index.js';
import { claiming } from './claiming.js';
import type { Standing } from './mailbox.js';

/** What was verified of a mailbox, as of an epoch. */
export interface Stand {
  readonly asOf: number;
  /** Epoch of the last link; 0 = nothing ever came or went. */
  readonly lastEpoch: number;
  /** Messages that ever came or went. */
  readonly total: number;
  /** The whole claim, when the answer was a still; a link proves itself by its messages. */
  claim(): Promise<Uint8Array> | null;
}

export interface Waiting {
  /** What was known when it was asked: only what is newer answers. */
  readonly known: number;
  readonly resolve: (stand: Stand) => void;
  readonly reject: (error: unknown) => void;
}

const MOST_WAITING = 4096;

export class Stands {
  private waiting: Waiting[] = [];

  /** True when nobody has been waiting: then it must be asked for. Throws `busy` when too many wait. */
  add(waiting: Waiting): boolean {
    if (this.waiting.length >= MOST_WAITING)
      throw new CountersignError('busy', `${MOST_WAITING} are waiting already`);
    return this.waiting.push(waiting) === 1;
  }

  /** True when nobody is left waiting. */
  remove(waiting: Waiting): boolean {
    this.waiting = this.waiting.filter((each) => each !== waiting);
    return this.waiting.length === 0;
  }

  get someWait(): boolean {
    return this.waiting.length > 0;
  }

  /** False when it is news to nobody who waits. */
  answer({ asOf, lastEpoch, total, still }: Standing): boolean {
    if (!this.someWait) return false;
    const claim = () => still && claiming.get().then(({ claimStill }) => claimStill(still));
    const answered = this.waiting.filter(({ known }) => known < asOf);
    this.waiting = this.waiting.filter(({ known }) => known >= asOf);
    for (const { resolve } of answered) resolve({ asOf, lastEpoch, total, claim });
    return answered.length > 0;
  }

  fail(error: unknown): void {
    for (const { reject } of this.waiting.splice(0)) reject(error);
  }
}
