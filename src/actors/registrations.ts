/** Mailboxes that the operator adds: made by the outboxes that placement names. */
import { randomBytes } from '#crypto';
import { concat, type PlacedAt } from '../protocol/index.js';
import { address, type Send } from './messages.js';

export class Registrations {
  /** How many outboxes have not answered yet. */
  private readonly waiting = new Map<number, { left: number; readonly registered: () => void }>();
  private last = 0;

  constructor(
    private readonly placementOf: (id: Uint8Array) => PlacedAt,
    private readonly send: Send,
  ) {}

  /** Gives ids mailboxes, those that have none; calls back when that is durable. At least one id. */
  register(ids: readonly Uint8Array[], registered: () => void): void {
    const byOutbox = new Map<number, Uint8Array[]>();
    for (const id of ids) {
      const { outbox } = this.placementOf(id);
      const list = byOutbox.get(outbox);
      if (list) list.push(id);
      else byOutbox.set(outbox, [id]);
    }
    const id = ++this.last;
    this.waiting.set(id, { left: byOutbox.size, registered });
    for (const [outbox, list] of byOutbox) {
      const mailboxes = concat(...list);
      const seeds = Uint8Array.from(randomBytes(mailboxes.length));
      this.send(address('outbox', outbox), { type: 'register-mailboxes', id, mailboxes, seeds });
    }
  }

  /** One outbox has answered. */
  registered(id: number): void {
    const registration = this.waiting.get(id)!;
    if (--registration.left > 0) return;
    this.waiting.delete(id);
    registration.registered();
  }
}
