/** What `for await` reads from: messages in order, waited for one at a time, acknowledged on the way. */
import type { Message } from './message.js';

export interface QueueOptions {
  /** `auto`: a message is acknowledged when the next one is asked for. */
  readonly acknowledge?: 'auto' | 'manual';
  /** Ends the loop. */
  readonly signal?: AbortSignal;
}

interface Reader {
  readonly resolve: (result: IteratorResult<Message, undefined>) => void;
  readonly reject: (error: unknown) => void;
}

export class MessageQueue {
  private messages: Message[] = [];
  private at = 0;
  private taken: ((weight: number) => void) | null = null;
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
    reader.resolve({ done: false, value: this.shift() });
  }

  /** No more messages: loops end, with an error if there is one. What is queued stays unacknowledged. */
  end(error: unknown): void {
    this.over = { error };
    const { reader } = this;
    this.reader = null;
    if (!reader) return;
    if (error) reader.reject(error);
    else reader.resolve({ done: true, value: undefined });
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
    let last: Message | null = null;
    const abort = () => void stop();
    const settle = () => {
      if (last && acknowledge === 'auto') last.ack();
      last = null;
    };
    const stop = (): Promise<IteratorResult<Message, undefined>> => {
      signal?.removeEventListener('abort', abort);
      this.reading = false;
      this.reader?.resolve({ done: true, value: undefined });
      this.reader = null;
      return Promise.resolve({ done: true, value: undefined });
    };
    signal?.addEventListener('abort', abort, { once: true });
    const keep = (result: IteratorResult<Message, undefined>) => {
      last = result.done ? null : result.value;
      return result;
    };
    const iterator: AsyncIterableIterator<Message, undefined> = {
      next: () => {
        settle();
        if (signal?.aborted || !this.reading) return stop();
        if (this.over) return this.ended(stop);
        if (this.at < this.messages.length)
          return Promise.resolve(keep({ done: false, value: this.shift() }));
        return new Promise<IteratorResult<Message, undefined>>((resolve, reject) => {
          this.reader = { resolve, reject };
        }).then(keep);
      },
      return: () => {
        settle();
        return stop();
      },
      [Symbol.asyncIterator]: () => iterator,
    };
    return iterator;
  }

  private ended(stop: () => Promise<IteratorResult<Message, undefined>>) {
    const { error } = this.over!;
    return error ? stop().then(() => Promise.reject(error)) : stop();
  }
}
