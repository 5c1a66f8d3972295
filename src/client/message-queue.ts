/** What `for await` reads from: messages in order, waited for one at a time, acknowledged on the way. */
import { onAbort } from './abortable.js';
import type { Message } from './message.js';

export interface QueueOptions {
  /** `auto`: a message is acknowledged when the next one is asked for. */
  readonly acknowledge?: 'auto' | 'manual';
  /** Ends the loop. */
  readonly signal?: AbortSignal;
}

const DONE: IteratorResult<Message, undefined> = { done: true, value: undefined };

export class MessageQueue {
  private messages: Message[] = [];
  private at = 0;
  private taken: ((weight: number) => void) | null = null;
  /** Wakes who waits for the next message, or for the end. */
  private wake: (() => void) | null = null;
  private over: { readonly error: unknown } | null = null;
  private reading = false;

  push(messages: readonly Message[], taken: (weight: number) => void): void {
    if (this.over) return;
    this.taken = taken;
    for (const message of messages) this.messages.push(message);
    this.awake();
  }

  /** No more messages: loops end, with an error if there is one. What is queued stays unacknowledged. */
  end(error: unknown): void {
    this.over ??= { error };
    this.awake();
  }

  private awake(): void {
    const { wake } = this;
    this.wake = null;
    wake?.();
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
    let isWaiting = false;
    let last: Message | null = null;
    const settle = () => {
      if (last && acknowledge === 'auto') last.ack();
      last = null;
    };
    let leave: (() => void) | undefined;
    const stop = () => {
      if (isOver) return;
      isOver = true;
      this.reading = false;
      leave?.();
      this.awake();
    };
    if (signal) leave = onAbort(signal, stop);
    const iterator: AsyncIterableIterator<Message, undefined> = {
      next: async () => {
        if (isWaiting && !isOver) throw new TypeError('a message is waited for already');
        settle();
        isWaiting = true;
        while (!isOver && !this.over && this.at === this.messages.length)
          await new Promise<void>((resolve) => {
            this.wake = resolve;
          });
        isWaiting = false;
        if (isOver) return DONE;
        if (this.over) {
          stop();
          if (this.over.error) throw this.over.error;
          return DONE;
        }
        last = this.shift();
        return { done: false, value: last };
      },
      return: async () => {
        settle();
        stop();
        return DONE;
      },
      [Symbol.asyncIterator]: () => iterator,
    };
    return iterator;
  }
}
