/**
 * Frames whose submission signatures are being verified, of each sender in the order in which they came. What comes
 * behind one that waits, waits with it: other frames, and a next session, which is told the last counter. How many there are is
 * bounded by what request handlers hand over.
 */
import { submissionBytes } from '../protocol/index.js';
import type { HashedFrame } from './hashed-frame.js';
import type { OpenSender } from './messages.js';

/** Calls back, at once or later, whether it is the key's signature over the bytes. */
export type VerifySubmission = (
  key: Uint8Array,
  bytes: Uint8Array,
  signature: Uint8Array,
  done: (isGood: boolean) => void,
) => void;

export interface WaitingFrame {
  readonly hashed: HashedFrame;
  /** What the sender has signed; null where it has not. */
  readonly signed: Uint8Array | null;
  /** Null while it is not known. */
  isGood: boolean | null;
}

interface WaitingSession {
  readonly open: OpenSender;
  readonly isGood: true;
}

interface SenderQueue {
  all: (WaitingFrame | WaitingSession)[];
  /** Highest counter of any of them. */
  last: number;
}

export class WaitingFrames {
  private readonly senders = new Map<string, SenderQueue>();
  private readonly verifying = new Map<number, { readonly sender: string; readonly frame: WaitingFrame }>();
  private next = 1;

  /** `answer` is called for the signature of a number, at once or later. */
  constructor(
    private readonly serverId: Uint8Array,
    private readonly verify: VerifySubmission,
    private readonly answer: (number: number, isGood: boolean) => void,
  ) {}

  get isEmpty(): boolean {
    return this.senders.size === 0;
  }

  /** The highest counter that waits; undefined when none does. */
  lastOf(sender: string): number | undefined {
    return this.senders.get(sender)?.last;
  }

  add(sender: string, hashed: HashedFrame): void {
    const { firstCounter, count, signature, sender: key } = hashed.frame;
    const signed =
      signature && submissionBytes(this.serverId, key, firstCounter, hashed.messageHashes(0, count));
    const frame: WaitingFrame = { hashed, signed, isGood: signed ? null : true };
    const queue = this.senders.get(sender) ?? { all: [], last: 0 };
    queue.all.push(frame);
    queue.last = Math.max(queue.last, firstCounter + count - 1);
    this.senders.set(sender, queue);
    if (!signed) return;
    const number = this.next++;
    this.verifying.set(number, { sender, frame });
    this.verify(key, signed, signature!, (isGood) => this.answer(number, isGood));
  }

  /** Lets a session wait behind the sender's frames; false where none waits. */
  addSession(sender: string, open: OpenSender): boolean {
    return (this.senders.get(sender)?.all.push({ open, isGood: true }) ?? 0) > 0;
  }

  /** What the answer lets go, in order. */
  answered(number: number, isGood: boolean): (WaitingFrame | WaitingSession)[] {
    const { sender, frame } = this.verifying.get(number)!;
    this.verifying.delete(number);
    frame.isGood = isGood;
    const queue = this.senders.get(sender)!;
    const waits = queue.all.findIndex((each) => each.isGood === null);
    if (waits < 0) this.senders.delete(sender);
    return queue.all.splice(0, waits < 0 ? queue.all.length : waits);
  }
}
