/** The single-lock server's one lock: who waits for it, who has it, and what they are told. Pure. */
import type { Message } from './central-queues.js';
import type { TakenRun } from './central-wire.js';

export class CentralLock {
  private waiting: Message[] = [];
  private taken = false;
  /** Of the bundles that wait. */
  bytes = 0;

  /**
   * `perTransaction`: as many messages as may wait take the lock together, in the order they came. `transact` has the lock
   * until it calls `release`; `later` runs a step after this turn of the event loop.
   */
  constructor(
    private readonly perTransaction: number,
    private readonly transact: (messages: readonly Message[], release: () => void) => void,
    private readonly later: (step: () => void) => void,
  ) {}

  get messages(): number {
    return this.waiting.length;
  }

  enter(messages: readonly Message[]): void {
    for (const message of messages) {
      this.waiting.push(message);
      this.bytes += message.bundle.length;
    }
    this.next();
  }

  /** At the end of the turn, so that all that comes in it is there. */
  private next(): void {
    if (this.taken || this.waiting.length === 0) return;
    this.taken = true;
    this.later(() => {
      const messages = this.waiting.splice(0, this.perTransaction);
      for (const { bundle } of messages) this.bytes -= bundle.length;
      this.transact(messages, () => {
        this.taken = false;
        this.next();
      });
    });
  }
}

/** The places of numbered messages, for each connection that sent some. */
export function runsOf(messages: readonly Message[]): Map<number, TakenRun[]> {
  const answers = new Map<number, TakenRun[]>();
  for (const { connection, counter, sequence } of messages) {
    const runs = answers.get(connection) ?? [];
    if (runs.length === 0) answers.set(connection, runs);
    const last = runs.at(-1);
    const follows =
      last && counter === last.firstCounter + last.count && sequence === last.firstPlace + last.count;
    if (follows) last.count++;
    else runs.push({ firstCounter: counter, firstPlace: sequence, count: 1 });
  }
  return answers;
}
