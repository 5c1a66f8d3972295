/**
 * The switchboard of a simulated server: every actor is a thread of its own. The order between any two actors
 * is kept; which actor's next message is taken first is chance. What is sent is copied as between threads,
 * where only shared memory is shared.
 */
import type { ActorMessage, Address, Send } from '../../src/actors/messages.js';
import { Switchboard } from '../../src/actors/switchboard.js';
import type { Cast, Liar } from './liar.js';
import type { Loop, Process } from './loop.js';
import { delayOf, type Profile } from './profile.js';
import { nameOf } from './trace.js';

type Take = (message: ActorMessage) => void;

export class Board extends Switchboard {
  private readonly takers = new Map<string, Take>();
  /** By pair of actors: when the last message of one to the other arrives. */
  private readonly last = new Map<string, number>();
  private working = '';

  constructor(
    private readonly loop: Loop,
    private readonly profile: Profile,
    private readonly process: Process,
    private readonly observe: (to: Address, message: ActorMessage) => void,
    private readonly lying: { readonly liar: Liar; readonly cast: () => Cast } | null,
  ) {
    super(
      0,
      () => 0,
      () => {},
    );
  }

  override add(to: Address, take: Take): void {
    const { lying } = this;
    const isLiar = lying?.liar.is(to);
    const step: Take = (message) => lying!.liar.step(message, lying!.cast(), take, this.carry);
    this.takers.set(nameOfActor(to), isLiar ? step : take);
  }

  override readonly send: Send = (to, message) => {
    const { lying } = this;
    if (!lying) this.carry(to, message);
    else if (!lying.liar.hears(to, message)) this.carry(to, lying.liar.says(to, message, lying.cast()));
  };

  private readonly carry: Send = (to, message) => {
    const name = nameOfActor(to);
    const channel = `${message.type === 'ready' ? nameOfActor(message.from) : this.working}>${name}`;
    const { loop, profile } = this;
    const delay = delayOf(loop.random, profile.actorMs, profile.stalls);
    const time = Math.max(this.last.get(channel) ?? 0, loop.now + delay);
    this.last.set(channel, time);
    const copy = copyOf(message);
    loop.at(time, this.process, `${channel} ${describe(message)}`, () => {
      this.observe(to, copy);
      this.as(name, () => this.takers.get(name)!(copy));
    });
  };

  /** Runs a step in the name of an actor. */
  as(name: string, run: () => void): void {
    const before = this.working;
    this.working = name;
    run();
    this.working = before;
  }

  override step(run: () => void): void {
    run();
  }

  /** Puts a step of the actor that works now off until what waits for it has had its turn. */
  readonly later = (run: () => void): void => {
    const name = this.working;
    this.loop.in(this.loop.random.around(this.profile.actorMs), this.process, `${name} later`, () =>
      this.as(name, run),
    );
  };
}

export function nameOfActor({ kind, index }: Address): string {
  return `${kind} ${index}`;
}

type Kind = new (from: ArrayBufferLike | ArrayLike<number>, offset?: number, length?: number) => unknown;
const KINDS = [Uint8Array, Uint16Array, Uint32Array] as const;

/** As `structuredClone` makes it of what actors send, in less time. */
function copyOf<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(copyOf) as T;
  for (const kind of KINDS) if (value instanceof kind) return arrayOf(kind as unknown as Kind, value) as T;
  if (Object.getPrototypeOf(value) !== Object.prototype) return structuredClone(value);
  const copy: Record<string, unknown> = {};
  for (const key in value) copy[key] = copyOf(value[key]);
  return copy as T;
}

function arrayOf(kind: Kind, from: Uint8Array | Uint16Array | Uint32Array): unknown {
  const isShared = from.buffer instanceof SharedArrayBuffer;
  return isShared ? new kind(from.buffer, from.byteOffset, from.length) : new kind(from);
}

/** What is in a message, as far as it tells one run from another. */
function describe(message: ActorMessage): string {
  const parts: (string | number)[] = [message.type];
  if ('epoch' in message) parts.push(message.epoch);
  if ('attestation' in message) parts.push(nameOf(message.attestation.bytes));
  if ('connection' in message) parts.push(message.connection);
  if ('frames' in message)
    for (const frame of message.frames)
      parts.push(
        'length' in frame ? nameOf(frame) : nameOf(frame.chunk.bytes.subarray(frame.from, frame.to)),
      );
  return parts.join(' ');
}
