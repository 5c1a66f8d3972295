/** What one step of an inbox answers to the senders of frames. */
import type { ErrorCode, Place } from '../protocol/index.js';
import { address, type PlacedRun, type Refusal, type Send, type SubmittedFrame } from './messages.js';

export class InboxAnswers {
  private readonly refusals: Refusal[] = [];
  private readonly known: PlacedRun[] = [];

  /** `count` bundles from a counter on. */
  refuse(
    { connection, slot }: SubmittedFrame,
    code: ErrorCode,
    firstCounter: number,
    count: number,
    text: string,
    expected = 0,
  ): void {
    this.refusals.push({ connection, slot, code, firstCounter, count, expected, text });
  }

  /** They do not follow what was taken in. */
  refuseGap(frame: SubmittedFrame, firstCounter: number, count: number, expected: number): void {
    const text = `counter ${firstCounter} came, ${expected} is expected`;
    this.refuse(frame, 'counter-gap', firstCounter, count, text, expected);
  }

  /** A frame that its sender has not signed. */
  refuseSignature(frame: SubmittedFrame): void {
    const text = 'the signature is not the sender\u2019s over these messages';
    this.refuse(frame, 'submission-refused', frame.firstCounter, frame.count, text);
  }

  /** Says where a message is that was taken in before. */
  place({ connection, slot }: SubmittedFrame, firstCounter: number, { epoch, inbox, index }: Place): void {
    this.known.push({ connection, slot, epoch, inbox, firstCounter, firstIndex: index, count: 1 });
  }

  send(send: Send): void {
    const { refusals, known } = this;
    if (refusals.length > 0) send(address('gateway'), { type: 'refused', refusals });
    if (known.length > 0) send(address('gateway'), { type: 'placed', runs: known });
  }
}
