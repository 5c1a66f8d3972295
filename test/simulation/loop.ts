/**
 * The loop that a whole run happens in: events in the order of simulated time, each of one process. What
 * an event of a client leads to in promises is done before the next event begins, so nothing happens that
 * was not chosen here. A process that is killed has no further events.
 */
import type { Random } from './random.js';
import type { Trace } from './trace.js';

/** One life of a server or of a client: everything that is gone when it is killed. */
export interface Process {
  readonly name: string;
  alive: boolean;
  /** Whether it uses promises. */
  readonly promises: boolean;
}

export interface LoopEvent {
  readonly time: number;
  readonly order: number;
  readonly process: Process;
  readonly what: string;
  readonly run: () => void;
  cancelled: boolean;
}

/** Taken before anything is replaced. */
const turn = setImmediate;

export class Loop {
  now = 0;
  /** Whose event runs. */
  current: Process | null = null;
  /** Called after every event that ran. */
  after: (event: LoopEvent) => void = () => {};
  readonly problems: string[] = [];
  /** Somebody has lied: what goes wrong is noted, and is no problem. */
  isExcused = false;
  private readonly heap: LoopEvent[] = [];
  private order = 0;

  constructor(
    readonly random: Random,
    readonly trace: Trace,
  ) {}

  complain(problem: string): void {
    this.trace.note(`${this.now.toFixed(3)} PROBLEM ${problem.split('\n', 1)[0]}`);
    if (!this.isExcused && this.problems.length < 20) this.problems.push(problem);
  }

  at(time: number, process: Process, what: string, run: () => void): LoopEvent {
    const event = {
      time: Math.max(time, this.now),
      order: this.order++,
      process,
      what,
      run,
      cancelled: false,
    };
    this.push(event);
    return event;
  }

  in(delay: number, process: Process, what: string, run: () => void): LoopEvent {
    return this.at(this.now + delay, process, what, run);
  }

  note(who: string, what: string): void {
    this.trace.note(`${this.now.toFixed(3)} ${who} ${what}`);
  }

  /** Runs events until `until` says so. */
  async run(until: () => boolean): Promise<void> {
    while (!until()) {
      const event = this.pop();
      if (!event) throw new Error('nothing is left to happen');
      if (event.cancelled || !event.process.alive) continue;
      this.now = event.time;
      this.note(event.process.name, event.what);
      await this.step(event);
      this.after(event);
    }
  }

  private async step({ process, run, what }: LoopEvent): Promise<void> {
    this.current = process;
    try {
      run();
      if (process.promises) await new Promise<void>((resolve) => turn(resolve));
    } catch (error) {
      this.complain(`${process.name} failed at ${what}: ${(error as Error).stack}`);
      process.alive = false;
    }
    this.current = null;
  }

  // ---- a binary heap

  private push(event: LoopEvent): void {
    const { heap } = this;
    let at = heap.push(event) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (before(heap[parent]!, event)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = event;
  }

  private pop(): LoopEvent | undefined {
    const { heap } = this;
    const first = heap[0];
    const last = heap.pop();
    if (!first || !last || heap.length === 0) return first;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++;
      if (before(last, heap[child]!)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
    return first;
  }
}

function before(a: LoopEvent, b: LoopEvent): boolean {
  return a.time < b.time || (a.time === b.time && a.order < b.order);
}
