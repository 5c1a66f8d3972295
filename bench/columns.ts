/** What a client process keeps of every message: numbers in typed arrays, so that keeping them costs next to nothing. */

/** Of one sender, by number of the message. Times in ms of the clock; 0 = not yet. */
export interface SentColumns {
  readonly sender: number;
  readonly count: number;
  readonly intended: Float64Array;
  readonly acknowledged: Float64Array;
  /** 0 = the system told none. */
  readonly place: Float64Array;
  /** `recipients` for each message. */
  readonly to: Uint32Array;
}

/** Of one receiving process, in the order of delivery. All deliveries of a mailbox are in one process. */
export interface DeliveredColumns {
  readonly count: number;
  readonly sender: Uint32Array;
  readonly number: Uint32Array;
  readonly mailbox: Uint32Array;
  readonly place: Float64Array;
  readonly time: Float64Array;
}

const FIRST_ROWS = 1024;

/** A sender's columns, twice as long whenever they are full. */
export class Sent {
  count = 0;
  private intended = new Float64Array(FIRST_ROWS);
  private acknowledged = new Float64Array(FIRST_ROWS);
  private place = new Float64Array(FIRST_ROWS);
  private to: Uint32Array;

  constructor(
    private readonly sender: number,
    private readonly recipients: number,
  ) {
    this.to = new Uint32Array(FIRST_ROWS * recipients);
  }

  /** Returns the message's number. */
  add(intended: number, to: readonly number[]): number {
    if (this.count === this.intended.length) this.grow();
    const { count, recipients } = this;
    this.intended[count] = intended;
    for (let i = 0; i < recipients; i++) this.to[count * recipients + i] = to[i]!;
    return this.count++;
  }

  /** False when it was not under way. */
  acknowledge(number: number, place: number, time: number): boolean {
    if (number >= this.count || this.acknowledged[number] !== 0) return false;
    this.acknowledged[number] = time;
    this.place[number] = place;
    return true;
  }

  intendedAt(number: number): number {
    return this.intended[number]!;
  }

  private grow(): void {
    this.intended = twice(this.intended, new Float64Array(2 * this.count));
    this.acknowledged = twice(this.acknowledged, new Float64Array(2 * this.count));
    this.place = twice(this.place, new Float64Array(2 * this.count));
    this.to = twice(this.to, new Uint32Array(2 * this.to.length));
  }

  columns(): SentColumns {
    const { sender, count } = this;
    return {
      sender,
      count,
      intended: this.intended.slice(0, count),
      acknowledged: this.acknowledged.slice(0, count),
      place: this.place.slice(0, count),
      to: this.to.slice(0, count * this.recipients),
    };
  }
}

function twice<A extends Float64Array | Uint32Array>(from: A, to: A): A {
  to.set(from);
  return to;
}

const CHUNK_ROWS = 1 << 16;

/** A process's deliveries, chunk after chunk: there are too many to copy them while the load lasts. */
export class Delivered {
  count = 0;
  private readonly chunks: Chunk[] = [];
  private last!: Chunk;

  add(sender: number, number: number, mailbox: number, place: number, time: number): void {
    const row = this.count % CHUNK_ROWS;
    if (row === 0) {
      this.last = new Chunk();
      this.chunks.push(this.last);
    }
    const { last } = this;
    last.sender[row] = sender;
    last.number[row] = number;
    last.mailbox[row] = mailbox;
    last.place[row] = place;
    last.time[row] = time;
    this.count++;
  }

  columns(): DeliveredColumns {
    const { count } = this;
    return {
      count,
      sender: this.joined('sender', new Uint32Array(count)),
      number: this.joined('number', new Uint32Array(count)),
      mailbox: this.joined('mailbox', new Uint32Array(count)),
      place: this.joined('place', new Float64Array(count)),
      time: this.joined('time', new Float64Array(count)),
    };
  }

  private joined<A extends Float64Array | Uint32Array>(name: keyof Chunk, into: A): A {
    this.chunks.forEach((chunk, i) => {
      const at = i * CHUNK_ROWS;
      into.set(chunk[name].subarray(0, this.count - at), at);
    });
    return into;
  }
}

class Chunk {
  readonly sender = new Uint32Array(CHUNK_ROWS);
  readonly number = new Uint32Array(CHUNK_ROWS);
  readonly mailbox = new Uint32Array(CHUNK_ROWS);
  readonly place = new Float64Array(CHUNK_ROWS);
  readonly time = new Float64Array(CHUNK_ROWS);
}
