/**
 * Carries messages between actors: at once to those of this thread, to other threads together with all else that
 * an actor has made of a message. The order between any two actors is kept.
 */
import type { ActorMessage, Address, Send } from './messages.js';

export interface Envelope {
  readonly to: Address;
  readonly message: ActorMessage;
}

/** How a thread reaches another: one call per message that an actor has taken, with everything it sends there. */
export type PostToThread = (thread: number, envelopes: Envelope[]) => void;

export class Switchboard {
  private readonly local = new Map<string, (message: ActorMessage) => void>();
  private queue: Envelope[] = [];
  /**
   * By thread. No map: what is taken out of one stays reachable from the tables that it had before, for V8 until all garbage is
   * collected.
   */
  private readonly outgoing: Envelope[][] = [];
  private running = false;

  constructor(
    private readonly thread: number,
    private readonly threadOf: (to: Address) => number,
    private readonly post: PostToThread,
  ) {}

  /** Registers an actor of this thread. */
  add(to: Address, take: (message: ActorMessage) => void): void {
    this.local.set(name(to), take);
  }

  /** For actors: queues a message. It is carried when the current step ends. */
  readonly send: Send = (to, message) => {
    const thread = this.threadOf(to);
    if (thread === this.thread) this.queue.push({ to, message });
    else {
      this.outgoing[thread] ??= [];
      this.outgoing[thread].push({ to, message });
    }
  };

  /** Runs a step from outside (a socket, a timer, another thread) and carries what it sends, until all is quiet. */
  step(run: () => void): void {
    run();
    if (this.running) return;
    this.postAll();
    this.running = true;
    try {
      for (let next = 0; next < this.queue.length; next++) {
        const { to, message } = this.queue[next]!;
        this.actor(to)(message);
        this.postAll();
      }
    } finally {
      this.running = false;
      this.queue = [];
    }
  }

  /** At once: who is told has its work to do while this thread goes on. */
  private postAll(): void {
    for (let thread = 0; thread < this.outgoing.length; thread++) {
      const envelopes = this.outgoing[thread];
      if (!envelopes || envelopes.length === 0) continue;
      this.outgoing[thread] = [];
      this.post(thread, envelopes);
    }
  }

  /** What another thread posted. */
  receive(envelopes: readonly Envelope[]): void {
    this.step(() => {
      // One by one: a spread of very many would overflow the stack.
      for (const envelope of envelopes) this.queue.push(envelope);
    });
  }

  private actor(to: Address): (message: ActorMessage) => void {
    const take = this.local.get(name(to));
    if (!take) throw new Error(`no ${name(to)} on this thread`);
    return take;
  }
}

function name({ kind, index }: Address): string {
  return `${kind} ${index}`;
}
