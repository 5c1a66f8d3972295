/**
 * When messages of the open loop are due, and whose they are. Constant: one after the other, all senders in turn, at equal
 * distances. Poisson: a process of its own for every sender (drawn for all senders of a process together, which is the same).
 */
import { type Random, randomFrom } from './random.js';
import type { Workload } from './workload.js';

const PURPOSE = 3;

export interface Arrivals {
  /** Of the next message: when it is due, in ms from the start of the load, and which of `senders` sends it. */
  readonly due: number;
  readonly sender: number;
  advance(): void;
}

/** Of the senders of one process: `senders` of all that there are. */
export function arrivalsOf(workload: Workload, senders: readonly number[]): Arrivals {
  const { load, seed } = workload;
  if (load.mode !== 'open') throw new TypeError('load.mode: only the open loop has arrivals');
  if (load.arrivals === 'constant') return new Constant(load.rate, workload.senders, senders);
  const rate = (load.rate * senders.length) / workload.senders;
  return new Poisson(rate, senders, randomFrom(seed, PURPOSE, senders[0]!));
}

class Constant implements Arrivals {
  due = 0;
  sender = 0;
  private round = 0;
  private next = 0;

  constructor(
    private readonly rate: number,
    private readonly all: number,
    private readonly senders: readonly number[],
  ) {
    this.advance();
  }

  advance(): void {
    this.sender = this.senders[this.next]!;
    this.due = ((this.round * this.all + this.sender) * 1000) / this.rate;
    if (++this.next < this.senders.length) return;
    this.next = 0;
    this.round++;
  }
}

class Poisson implements Arrivals {
  due = 0;
  sender = 0;

  constructor(
    private readonly rate: number,
    private readonly senders: readonly number[],
    private readonly random: Random,
  ) {
    this.advance();
  }

  advance(): void {
    this.due += (-Math.log1p(-this.random()) * 1000) / this.rate;
    this.sender = this.senders[Math.floor(this.random() * this.senders.length)]!;
  }
}
