/** Who waits to be told where a mailbox stands. Loaded with what makes claims (claims.ts). */
import { CountersignError, encodeAskStill } from '../protocol/index.js';
import { abortable } from './abortable.js';
import { claimStill } from './claim-making.js';
import type { Member } from './member.js';
import type { OutboxSession } from './outbox-session.js';
import { isLink, type VerifiedMailbox } from './verifier.js';

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

interface Waiting {
  /** What was known when it was asked: only what is newer answers. */
  readonly known: number;
  readonly resolve: (stand: Stand) => void;
  readonly reject: (error: unknown) => void;
}

const MOST_WAITING = 4096;

/** Rejects with a coded error. */
export function standOf(member: Member, known: number, signal: AbortSignal | undefined): Promise<Stand> {
  return abortable(signal, (resolve, reject) => {
    member.stands ??= new Stands(member);
    return member.stands.ask({ known, resolve, reject });
  });
}

/** As soon as the mailbox has caught up, and again should the socket be lost before. */
export function askStill({ wantStill, live, slotOf, connection }: OutboxSession, member: Member): void {
  wantStill.add(member);
  if (live.has(member)) connection.send([encodeAskStill([slotOf.get(member)!])]);
}

export class Stands {
  private waiting: Waiting[] = [];

  constructor(private readonly member: Member) {}

  /** Returns the way to give it up. Throws `busy` when too many wait. */
  ask(waiting: Waiting): () => void {
    if (this.waiting.length >= MOST_WAITING)
      throw new CountersignError('busy', `${MOST_WAITING} are waiting already`);
    if (this.waiting.push(waiting) === 1) this.goOn();
    return () => {
      const all = this.waiting;
      this.waiting = all.filter((each) => each !== waiting);
      if (all.length > 0 && this.waiting.length === 0) this.goOn();
    };
  }

  /** The outbox is asked for a still while somebody waits. */
  private goOn(): void {
    const { session } = this.member;
    if (this.waiting.length > 0) askStill(session!, this.member);
    else session!.wantStill.delete(this.member);
  }

  answer(mailbox: VerifiedMailbox): void {
    const { asOf, chain } = mailbox.next;
    const answered = this.waiting.filter(({ known }) => known < asOf);
    if (answered.length === 0) return;
    this.waiting = this.waiting.filter(({ known }) => known >= asOf);
    const still = isLink(mailbox) ? null : mailbox;
    const claim = () => still && Promise.resolve(claimStill(still));
    const stand = { asOf, lastEpoch: chain.lastEpoch, total: chain.total, claim };
    for (const { resolve } of answered) resolve(stand);
    this.goOn();
  }

  fail(error: unknown): void {
    for (const { reject } of this.waiting.splice(0)) reject(error);
  }
}
