/**
 * Acknowledgments of an outbox's mailboxes. A mailbox's state and the reference counts of its epochs change
 * together, in one step, so that whatever a flush writes agrees; a long way is gone in several such steps.
 */

import { getU16 } from '../protocol/index.js';
import { Links } from './epoch-file.js';
import { idBytes } from './ids.js';
import { type StateView, unacknowledged } from './mailbox-state.js';
import type { MailboxTable } from './mailbox-table.js';
import type { StoreReader, StoreRecord } from './messages.js';
import type { Placements } from './placements.js';
import type { Quotas } from './quotas.js';
import { Sweep } from './retention.js';
import { TABLE, waymarkKey } from './store-keys.js';
import type { Unacknowledged } from './unacknowledged.js';
import { isWaymark, linksBetween, WAYMARK_LINKS, walkFrom } from './waymarks.js';

export interface AcknowledgmentsHost {
  readonly index: number;
  readonly reader: StoreReader;
  readonly lastEpoch: number;
  readonly retentionEpochs: number;
  readonly mailboxes: MailboxTable;
  readonly unacknowledged: Unacknowledged;
  readonly quotas: Quotas;
  /** Those that a mailbox's are among in an epoch. */
  readonly linksOf: (epoch: number, mailbox: string) => Links | null;
  /** All of an epoch that any of this outbox's mailboxes are among. */
  readonly linksIn: (epoch: number) => Iterable<Links>;
  readonly placements: Placements;
  /** Which outbox keeps a mailbox: 32 bytes. */
  readonly receiverOf: (mailbox: Uint8Array) => number;
  readonly committedEpoch: () => number;
  /** Whether somebody reads the mailbox just now. */
  readonly isRead: (mailbox: string) => boolean;
  /** What was to be acknowledged later is. */
  readonly reached: (mailbox: string) => void;
}

/** A mailbox's link: header `i` of an epoch's. */
interface MailboxLink {
  readonly links: Links;
  readonly i: number;
}

export class Acknowledgments {
  /** Mailboxes whose acknowledgment has a long way to go, and through which epoch. */
  private readonly going = new Map<string, number>();
  private passed: StoreRecord[] = [];
  /** A copy, while many mailboxes are let go in one epoch. */
  private held: Links | null = null;
  private readonly sweep: Sweep;

  constructor(private readonly host: AcknowledgmentsHost) {
    this.sweep = new Sweep(host.reader, TABLE.references, host.lastEpoch - host.retentionEpochs);
  }

  /**
   * `unknown`: the mailbox has no committed link of that epoch. `later`: a long way; `reached` is told. Repeating
   * an older one is harmless. `near`: which header its link may well be.
   */
  through(mailbox: string, epoch: number, near = 0): 'done' | 'later' | 'unknown' {
    const { host, going } = this;
    const state = host.mailboxes.lendTo(mailbox)!;
    const { chain, acknowledged } = state;
    if (epoch <= acknowledged.lastEpoch) return 'done';
    const target = going.get(mailbox);
    if (target !== undefined && epoch <= target) return 'later';
    if (epoch > chain.lastEpoch || epoch > host.committedEpoch()) return 'unknown';
    const found = this.linkOf(mailbox, epoch, near);
    if (!found) return 'unknown';
    if (target === undefined && linksBetween(acknowledged, found.links.weight(found.i)) <= WAYMARK_LINKS) {
      this.release(mailbox, state, found);
      return 'done';
    }
    going.set(mailbox, epoch);
    return 'later';
  }

  isGoing(mailbox: string): boolean {
    return this.going.has(mailbox);
  }

  /** Whether `goOn` has anything to do. */
  get pending(): boolean {
    return this.going.size > 0;
  }

  /** One piece of one mailbox's way; the others have their turn after it. */
  goOn(): void {
    for (const [mailbox, target] of this.going) {
      const { mailboxes, reader, reached } = this.host;
      const state = mailboxes.lendTo(mailbox)!;
      const after = state.acknowledged.lastEpoch;
      const { links, own } = unacknowledged(state);
      const end = walkFrom(reader, mailbox, after, target, links + own);
      this.release(mailbox, state, this.stored(mailbox, end));
      this.going.delete(mailbox);
      if (end < target) this.going.set(mailbox, target);
      else reached(mailbox);
      return;
    }
  }

  /** Null when nothing came for the mailbox in that epoch. Holds until the next read. */
  private linkOf(mailbox: string, epoch: number, near = 0): MailboxLink | null {
    const links = this.held?.epoch === epoch ? this.held : this.host.linksOf(epoch, mailbox);
    const i = links?.find(mailbox, near) ?? -1;
    return links && i >= 0 ? { links, i } : null;
  }

  /** One that must be there. */
  private stored(mailbox: string, epoch: number): MailboxLink {
    const found = this.linkOf(mailbox, epoch);
    if (!found) throw new Error(`epoch ${epoch} of a mailbox is missing in the store`);
    return found;
  }

  /** Acknowledges the links through the newest one given, no more than lie between two waymarks. `state` is the one lent last. */
  private release(mailbox: string, state: StateView, newest: MailboxLink): void {
    const { mailboxes, quotas, unacknowledged } = this.host;
    const after = state.acknowledged.lastEpoch;
    let previous: number;
    newest.links.moveChain(newest.i, state.acknowledged);
    mailboxes.keep();
    quotas.look(newest.links.bytes, newest.links.headerAt(newest.i), state);
    for (let { links, i } = newest; ; { links, i } = this.stored(mailbox, previous)) {
      const { epoch } = links;
      // Before anything else is read: it holds until then.
      previous = links.previousEpoch(i);
      if (isWaymark(links, i)) this.passed.push({ key: waymarkKey(mailbox, epoch), value: null });
      unacknowledged.release(epoch, links.isOwn(i));
      if (previous <= after) break;
    }
  }

  /**
   * Lets go what is older than the retention and holds its owner's own messages alone, if nothing that was
   * received stands before it: who sends and never reads must not keep epochs for ever. Not while it is read.
   */
  letGo(newest: number): void {
    const { host } = this;
    const mine = (key: Uint8Array) => getU16(key, 9) === host.index;
    for (const epoch of this.sweep.next(newest - host.retentionEpochs, mine)) {
      if (!host.unacknowledged.hasOwn(epoch)) continue;
      for (const links of host.linksIn(epoch)) {
        this.held = Links.read(Uint8Array.from(links.bytes));
        this.letGoIn(this.held);
        this.held = null;
      }
    }
  }

  private letGoIn(links: Links): void {
    const { index, mailboxes, isRead, receiverOf, placements } = this.host;
    // Before a move there were others among them.
    const isMine = (mailbox: string) =>
      links.epoch >= placements.since || receiverOf(idBytes(mailbox)) === index;
    for (let i = 0; i < links.mailboxes; i++) {
      const mailbox = links.mailbox(i);
      if (!links.isOwn(i) || this.going.has(mailbox) || isRead(mailbox)) continue;
      if (!isMine(mailbox)) continue;
      const state = mailboxes.lendTo(mailbox)!;
      if (state.acknowledged.lastEpoch === links.previousEpoch(i)) this.release(mailbox, state, { links, i });
    }
  }

  /** To be written with the mailboxes' states. */
  flush(): StoreRecord[] {
    const { passed } = this;
    this.passed = [];
    return passed;
  }
}
