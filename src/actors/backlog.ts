/**
 * Who of one socket is behind, by epoch, so that an epoch is read once for all of them: on the way back, to find out who has links
 * in it, and on the way forward, to send them.
 *
 *   fresh → walking, from the newest epoch back → due, from the oldest on → through → fresh again, or up to date
 */
import type { Subscription } from './subscription.js';

/** Subscriptions that an epoch is read for. */
export interface Group {
  readonly epoch: number;
  readonly subscriptions: readonly Subscription[];
}

/** Subscriptions by epoch; `order` puts the epoch that is taken first last. */
class Groups {
  private readonly groups = new Map<number, Subscription[]>();
  private epochs: number[] = [];
  private isSorted = true;

  constructor(private readonly order: (a: number, b: number) => number) {}

  add(epoch: number, subscription: Subscription): void {
    const group = this.groups.get(epoch);
    if (group) group.push(subscription);
    else {
      this.groups.set(epoch, [subscription]);
      this.epochs.push(epoch);
      this.isSorted = false;
    }
  }

  get isEmpty(): boolean {
    return this.epochs.length === 0;
  }

  take(): Group {
    if (!this.isSorted) this.epochs.sort(this.order);
    this.isSorted = true;
    const epoch = this.epochs.pop()!;
    const subscriptions = this.groups.get(epoch)!;
    this.groups.delete(epoch);
    return { epoch, subscriptions };
  }
}

/** What is to be done next for those of a socket who are behind. */
export type Step =
  | { readonly type: 'look'; readonly subscription: Subscription }
  | ({ readonly type: 'walk' | 'send' } & Group);

export class Backlog {
  private readonly behind = new Set<Subscription>();
  private fresh = new Set<Subscription>();
  /** Who has been sent what was listed: looked at again when all the others have been, too, so that nobody waits for one with very much. */
  private through = new Set<Subscription>();
  private readonly walking = new Groups((a, b) => a - b);
  private readonly due = new Groups((a, b) => b - a);

  /** How many are behind. */
  get size(): number {
    return this.behind.size;
  }

  /** One that is behind, and nobody knows in which epochs. */
  add(subscription: Subscription): void {
    this.behind.add(subscription);
    this.fresh.add(subscription);
  }

  /** One that is up to date, or closed. */
  delete(subscription: Subscription): void {
    for (const each of [this.behind, this.fresh, this.through]) each.delete(subscription);
  }

  /** Its walk back has come to a link in this epoch. */
  walkTo(epoch: number, subscription: Subscription): void {
    this.walking.add(epoch, subscription);
  }

  /** It is to be sent its link of this epoch. */
  list(epoch: number, subscription: Subscription): void {
    subscription.listed++;
    this.due.add(epoch, subscription);
  }

  /** It has been sent its link of an epoch that was listed. */
  sent(subscription: Subscription): void {
    if (--subscription.listed === 0) this.through.add(subscription);
  }

  /** Somebody is behind. */
  next(): Step {
    if (this.fresh.size === 0 && this.walking.isEmpty && this.due.isEmpty)
      [this.fresh, this.through] = [this.through, this.fresh];
    for (const subscription of this.fresh) {
      this.fresh.delete(subscription);
      return { type: 'look', subscription };
    }
    if (!this.walking.isEmpty) return { type: 'walk', ...this.take(this.walking) };
    return { type: 'send', ...this.take(this.due) };
  }

  /** Without those who are closed. */
  private take(groups: Groups): Group {
    const { epoch, subscriptions } = groups.take();
    return { epoch, subscriptions: subscriptions.filter((each) => this.behind.has(each)) };
  }
}
