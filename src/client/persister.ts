/**
 * Gathers what changed during a turn of the event loop, saves it in one step, and only then lets it
 * take effect. Whoever has something to save marks itself.
 */
import type { Change, Store } from './store.js';
import { afterTurn } from './turn.js';

export interface Participant {
  /** Adds what must be saved; from now on counts as being saved. */
  changes(out: Change[]): void;
  /** What `changes` gave is durable: send it, show it. */
  saved(): void;
}

export class Persister {
  private marked = new Set<Participant>();
  private running = false;
  private stopped = false;
  private idle: (() => void) | null = null;
  private after: (() => void)[] = [];

  constructor(
    private readonly store: Store,
    private readonly failed: (error: unknown) => void,
  ) {}

  mark(participant: Participant): void {
    this.marked.add(participant);
    this.schedule();
  }

  /** Asked for while something takes effect: runs when everything of this save has. */
  afterSaves(run: () => void): void {
    this.after.push(run);
  }

  private schedule(): void {
    if (this.running || this.stopped) return;
    this.running = true;
    afterTurn(() => this.flush());
  }

  private flush(): void {
    if (this.stopped) return this.settle();
    const participants = this.marked;
    this.marked = new Set();
    const changes: Change[] = [];
    try {
      for (const participant of participants) participant.changes(changes);
      const saving = changes.length > 0 ? this.store.save(changes) : undefined;
      if (saving === undefined) return this.done(participants);
      saving.then(
        () => this.guardedDone(participants),
        (error: unknown) => this.fail(error),
      );
    } catch (error) {
      this.fail(error);
    }
  }

  private guardedDone(participants: ReadonlySet<Participant>): void {
    try {
      this.done(participants);
    } catch (error) {
      this.fail(error);
    }
  }

  private done(participants: ReadonlySet<Participant>): void {
    for (const participant of participants) participant.saved();
    const { after } = this;
    this.after = [];
    for (const run of after) run();
    this.settle();
    if (this.marked.size > 0) this.schedule();
  }

  private fail(error: unknown): void {
    this.stopped = true;
    this.settle();
    this.failed(error);
  }

  private settle(): void {
    this.running = false;
    this.idle?.();
    this.idle = null;
  }

  /** Saves what is marked, and what that marks in turn; then takes nothing more. */
  async finish(): Promise<void> {
    while (!this.stopped && (this.running || this.marked.size > 0)) {
      if (!this.running) this.schedule();
      await this.settled();
    }
    this.stopped = true;
  }

  /** Takes nothing more; resolves once a save that is under way is done. */
  stop(): Promise<void> {
    this.stopped = true;
    return this.running ? this.settled() : Promise.resolve();
  }

  private settled(): Promise<void> {
    return new Promise((resolve) => {
      this.idle = resolve;
    });
  }
}
