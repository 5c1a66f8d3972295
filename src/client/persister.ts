/**
 * Gathers what changed during a turn of the event loop, saves it in one step, and only then lets it
 * take effect. Whoever has something to save marks itself.
 *
 * Where signatures are checked later (in browsers), a frame is taken over at once as if they were good,
 * and `restOn` is told of each check. That is sound, because nothing leaves the client's memory but
 * through here: a save waits for every check that began before its changes were gathered, and those are
 * all that the changes can rest on; messages, receipts and acknowledgments wait for the save. Nor is a
 * socket opened before all checks are done, whose hello would name what is not verified yet. The first
 * check that fails ends everything, as it would have at once.
 */
import type { Change, Store } from './store.js';
import { afterTurn } from './turn.js';

export interface Participant {
  /** Kept by the persister: whether there is something to save. */
  marked: boolean;
  /** Adds what must be saved; from now on counts as being saved. */
  changes(out: Change[]): void;
  /** What `changes` gave is durable: send it, show it. */
  saved(): void;
}

export class Persister {
  private marked: Participant[] = [];
  private running = false;
  private stopped = false;
  private idle: (() => void) | null = null;
  private after: (() => void)[] = [];
  /** All checks under way; null = none. */
  private checks: Promise<void> | null = null;

  constructor(
    private readonly store: Store,
    private readonly failed: (error: unknown) => void,
  ) {}

  mark(participant: Participant): void {
    if (participant.marked) return;
    participant.marked = true;
    this.marked.push(participant);
    this.schedule();
  }

  /** Asked for while something takes effect: runs when everything of this save has. */
  afterSaves(run: () => void): void {
    this.after.push(run);
  }

  /** What is marked from now on, and not saved yet, rests on this check: it fulfils, or rejects with what ends the client. */
  restOn(check: Promise<unknown>): void {
    const checks = Promise.all([this.checks, check]).then(() => {});
    this.checks = checks;
    const done = () => {
      if (this.checks === checks) this.checks = null;
    };
    // A save that is under way rests on earlier checks, and goes on.
    checks.then(done, (error: unknown) => this.end(error));
  }

  /** Resolves when no check is under way; rejects once one has failed. */
  async checked(): Promise<void> {
    while (this.checks) await this.checks;
  }

  private schedule(): void {
    if (this.running || this.stopped) return;
    this.running = true;
    afterTurn(() => this.flush());
  }

  private async flush(): Promise<void> {
    if (this.stopped) return this.settle();
    const participants = this.marked;
    this.marked = [];
    const changes: Change[] = [];
    try {
      for (const participant of participants) {
        participant.marked = false;
        participant.changes(changes);
      }
      const saving = this.checks ? this.checks.then(() => this.save(changes)) : this.save(changes);
      // At once, where nothing has to be waited for.
      if (saving) await saving;
      this.done(participants);
    } catch (error) {
      this.settle();
      this.end(error);
    }
  }

  private save(changes: readonly Change[]): void | Promise<void> {
    return changes.length > 0 ? this.store.save(changes) : undefined;
  }

  private done(participants: readonly Participant[]): void {
    for (const participant of participants) participant.saved();
    const { after } = this;
    this.after = [];
    for (const run of after) run();
    this.settle();
    if (this.marked.length > 0) this.schedule();
  }

  private end(error: unknown): void {
    if (this.stopped) return;
    this.stopped = true;
    this.failed(error);
  }

  private settle(): void {
    this.running = false;
    this.idle?.();
    this.idle = null;
  }

  /** Saves what is marked, and what that marks in turn; then takes nothing more. */
  async finish(): Promise<void> {
    while (!this.stopped && (this.running || this.marked.length > 0)) {
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
