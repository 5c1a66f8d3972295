/** What `for await` reads from: messages in order, waited for one at a time, acknowledged on the way. */
import { onAbort } from './abortable.js';
import type { Message } from './message.js';

export interface QueueOptions {
  /** `auto`: a message is acknowledged when the next one is asked for. */
  readonly acknowledge?: 'auto' | 'manual';
  /** Ends the loop. */
  readonly signal?: AbortSignal;
}

interface Reader {
  readonly give: (message: Message) => void;
  readonly end: (error: unknown) => void;
}

type Result = IteratorResult<Message, undefined>;
const DONE: Result = { done: true, value: undefined };

export class MessageQueue {
  private messages: Message[] = [];
  private at = 0;
  private taken: ((weight: number) => void) | null = null;
  /** Waits for the next message. */
  private reader: Reader | null = null;
  private over: { readonly error: unknown } | null = null;
  private reading = false;

  push(messages: readonly Message[], taken: (weight: number) => void): void {
    if (this.over) return;
    this.taken = taken;
    for (const message of messages) this.messages.push(message);
    const { reader } = this;
    if (!reader || this.at >= this.messages.length) return;
    this.reader = null;
    reader.give(this.shift());
  }

  /** No more messages: loops end, with an error if there is one. What is queued stays unacknowledged. */
  end(error: unknown): void {
    this.over ??= { error };
    const { reader } = this;
    this.reader = null;
    reader?.end(this.over.error);
  }

  private shift(): Message {
    const message = this.messages[this.at++]!;
    this.taken?.(message.weight);
    if (this.at === this.messages.length || this.at >= 4096) {
      this.messages = this.messages.slice(this.at);
      this.at = 0;
    }
    return message;
  }

  /** One loop at a time. A loop that is left gives back nothing: the last message is acknowledged. */
  read({ acknowledge = 'auto', signal }: QueueOptions = {}): AsyncIterableIterator<Message, undefined> {
    if (this.reading) throw new TypeError('this mailbox is being read already');
    this.reading = true;
    let isOver = false;
    let last: Message | null = null;
    const settle = () => {
      if (last && acknowledge === 'auto') last.ack();
      last = null;
    };
    const stop = () => {
      isOver = true;
      this.reading = false;
      leave?.();
    };
    const abort = () => {
      if (isOver) return;
      stop();
      const { reader } = this;
      this.reader = null;
      reader?.end(null);
    };
    const leave = signal && !signal.aborted ? onAbort(signal, abort) : null;
    if (signal?.aborted) stop();
    const iterator: AsyncIterableIterator<Message, undefined> = {
      next: async () => {
        if (this.reader && !isOver) throw new TypeError('a message is being waited for already');
        settle();
        if (isOver) return DONE;
        if (this.over) {
          stop();
          if (this.over.error) throw this.over.error;
          return DONE;
        }
        last = this.at < this.messages.length ? this.shift() : await this.nextOne(stop);
        return last ? { done: false, value: last } : DONE;
      },
      return: async () => {
        settle();
        abort();
        return DONE;
      },
      [Symbol.asyncIterator]: () => iterator,
    };
    return iterator;
  }

  /** Waits for a message; null when there will be none. */
  private nextOne(stop: () => void): Promise<Message | null> {
    return new Promise((resolve, reject) => {
      this.reader = {
        give: resolve,
        end: (error) => {
          stop();
          if (error) reject(error);
          else resolve(null);
        },
      };
    });
  }
}
