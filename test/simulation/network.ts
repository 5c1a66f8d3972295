/**
 * The network: sockets as TCP and WebSocket have them, ordered and reliable while they live, each direction
 * at its own pace. A socket can be cut at any moment: of what is under way in each direction a random part
 * at the end is lost, and each side hears of it soon, or only when it has heard nothing for too long.
 */
import type { ClientSocket } from '../../src/actors/client-connection.js';
import type { Socket } from '../../src/client/socket.js';
import type { Loop, LoopEvent, Process } from './loop.js';
import { delayOf, type Profile } from './profile.js';
import { nameOf } from './trace.js';

/** What a side does with what arrives. */
export interface Receiver {
  readonly process: Process;
  frame(bytes: Uint8Array): void;
  closed(code: number, reason: string): void;
}

type Item =
  | { frame: Uint8Array; readonly taken: () => void }
  | { readonly code: number; readonly reason: string };

const LOST = 1006;
/** Who has closed and hears nothing gives up. */
const CLOSING_MS = 3000;

/** One direction of a socket. */
class Direction {
  private readonly underWay: { readonly item: Item; readonly event: LoopEvent }[] = [];
  private waiting: Item[] = [];
  private last = 0;
  private paused = false;
  /** Nothing more goes in. */
  private shut = false;
  /** Nothing more comes out. */
  private over = false;

  constructor(
    private readonly name: string,
    private readonly loop: Loop,
    private readonly profile: Profile,
    private readonly to: Receiver,
  ) {}

  send(item: Item): void {
    if (this.shut || this.over) return;
    if ('code' in item) {
      this.shut = true;
      this.detach();
    }
    this.last = Math.max(this.last, this.loop.now + this.delay());
    const entry = {
      item,
      event: this.loop.at(this.last, this.to.process, `${this.name} arrives`, () => this.arrive()),
    };
    this.underWay.push(entry);
  }

  private delay(): number {
    return delayOf(this.loop.random, this.profile.socketMs, this.profile.stalls);
  }

  private arrive(): void {
    const { item } = this.underWay.shift()!;
    // What has waited comes first.
    if (this.paused || this.waiting.length > 0) this.waiting.push(item);
    else this.give(item);
  }

  private give(item: Item): void {
    if (this.over) return;
    if ('code' in item) return this.end(item.code, item.reason);
    const copy = Uint8Array.from(item.frame);
    this.loop.note(this.name, `${copy.length} bytes ${nameOf(copy)}`);
    item.taken();
    this.to.frame(copy);
  }

  private end(code: number, reason: string): void {
    if (this.over) return;
    this.over = true;
    this.loop.note(this.name, `ends ${code} ${reason}`);
    this.to.closed(code, reason);
  }

  /** The sender is gone: what is under way is in the network now, and its memory used for something else. */
  private detach(): void {
    for (const item of [...this.underWay.map((each) => each.item), ...this.waiting])
      if ('frame' in item) item.frame = Uint8Array.from(item.frame);
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    if (!this.paused) return;
    this.paused = false;
    // In a turn of its own, as sockets do.
    this.loop.in(0, this.to.process, `${this.name} resumes`, () => this.drain());
  }

  private drain(): void {
    while (!this.paused && this.waiting.length > 0) this.give(this.waiting.shift()!);
  }

  /** Loses the end of what is under way; then the receiver hears of it, by silence or before. */
  cut(hearsAfter: number): void {
    if (this.over) return;
    this.shut = true;
    this.detach();
    const kept = this.loop.random.int(this.underWay.length + 1);
    for (const { event } of this.underWay.splice(kept)) event.cancelled = true;
    this.last = Math.max(this.last, this.loop.now + hearsAfter);
    this.loop.at(this.last, this.to.process, `${this.name} is lost`, () => this.end(LOST, ''));
  }
}

/** One WebSocket. */
export class Wire {
  readonly down: Direction;
  readonly up: Direction;
  dead = false;

  constructor(
    readonly name: string,
    private readonly loop: Loop,
    private readonly profile: Profile,
    client: Receiver,
    server: Receiver,
    over: () => void,
  ) {
    // A side that hears of the end answers it, and so the other hears that its own was heard.
    const answering = (side: Receiver, back: () => Direction): Receiver => ({
      process: side.process,
      frame: (bytes) => side.frame(bytes),
      closed: (code, reason) => {
        over();
        back().send({ code, reason });
        side.closed(code, reason);
      },
    });
    this.down = new Direction(
      `${name} down`,
      loop,
      profile,
      answering(client, () => this.up),
    );
    this.up = new Direction(
      `${name} up`,
      loop,
      profile,
      answering(server, () => this.down),
    );
  }

  /** Both directions; each side hears of it within some ms, or by silence. */
  cut(): void {
    if (this.dead) return;
    this.dead = true;
    for (const direction of [this.down, this.up]) direction.cut(this.hearsAfter());
  }

  private hearsAfter(): number {
    const { random } = this.loop;
    const { silenceMs } = this.profile;
    return random.chance(0.3) ? random.between(silenceMs, 1.5 * silenceMs) : random.around(5);
  }

  closeFrom(direction: Direction, code: number, reason: string): void {
    direction.send({ code, reason });
    const { random } = this.loop;
    const back = direction === this.up ? this.down : this.up;
    if (random.chance(0.05)) back.cut(CLOSING_MS);
  }
}

/** The server's side of a wire. `drained`: the socket has taken so many counted bytes. */
export function serverSocket(
  wire: Wire,
  loop: Loop,
  process: Process,
  drained: (bytes: number) => void,
): ClientSocket {
  return {
    send(frame, counted) {
      // Not copied: a socket that is slow holds on to the very memory that it was given.
      const taken = () => {
        if (counted && process.alive)
          loop.in(loop.random.around(1), process, `${wire.name} drained`, () => drained(frame.length));
      };
      wire.down.send({ frame, taken });
    },
    close: (code, reason) => wire.closeFrom(wire.down, code, reason),
    pause: () => wire.up.pause(),
    resume: () => wire.up.resume(),
  };
}

export function clientSocket(wire: Wire): Socket {
  return {
    send: (frames) => {
      for (const frame of frames) wire.up.send({ frame: Uint8Array.from(frame), taken: () => {} });
    },
    pause: () => wire.down.pause(),
    resume: () => wire.down.resume(),
    close: (code, reason) => wire.closeFrom(wire.up, code, reason),
  };
}
