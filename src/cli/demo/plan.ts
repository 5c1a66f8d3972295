/**
 * What the demo does, decided by a seed before anything starts: who sends which message to whom, who
 * goes away and comes back, and when the server is killed. Pure; the same seed gives the same plan.
 */
import { sha256 } from '#crypto';

export interface PlanOptions {
  readonly messages: number;
  readonly clients: number;
  readonly seed: number;
}

/** Clients are numbers from 0. */
export interface PlannedMessage {
  readonly sender: number;
  /** Rising; the sender may be among them. */
  readonly to: readonly number[];
  readonly body: string;
}

/** Messages are sent in this order; `leaves`, `killed` and `returns` happen before the message of that number. */
export interface Plan {
  readonly clients: number;
  readonly messages: readonly PlannedMessage[];
  readonly away: number;
  readonly leaves: number;
  readonly killed: number;
  readonly returns: number;
}

const MOST_RECIPIENTS = 5;

export function makePlan({ messages, clients, seed }: PlanOptions): Plan {
  const random = randomNumbers(seed);
  const below = (n: number) => Math.floor(random() * n);
  const away = below(clients);
  const [leaves, killed, returns] = [1 / 3, 1 / 2, 2 / 3].map((part) => Math.floor(messages * part));
  const sendersAt = (i: number) => {
    const sender = below(clients);
    return sender === away && i >= leaves! && i < returns! ? (sender + 1) % clients : sender;
  };
  const list = Array.from({ length: messages }, (_, i) => ({
    sender: sendersAt(i),
    to: pick(1 + below(Math.min(MOST_RECIPIENTS, clients)), clients, below),
    body: `message ${i} of demo ${seed}`,
  }));
  return { clients, messages: list, away, leaves: leaves!, killed: killed!, returns: returns! };
}

/** The secret key of a client: good for a demo, and for nothing else. */
export function demoKey(seed: number, client: number): Uint8Array {
  return Uint8Array.from(sha256(Buffer.from(`countersign demo ${seed}, client ${client}`)));
}

/** Which message of the plan has this body; −1 for none. */
export function messageOf(plan: Plan, body: Uint8Array): number {
  const text = Buffer.from(body).toString();
  const number = Number(/^message (\d+) /.exec(text)?.[1] ?? -1);
  return plan.messages[number]?.body === text ? number : -1;
}

/** `count` different numbers below `limit`, rising. */
function pick(count: number, limit: number, below: (n: number) => number): number[] {
  const chosen = new Set<number>();
  while (chosen.size < count) chosen.add(below(limit));
  return [...chosen].sort((a, b) => a - b);
}

/** From 0 up to 1: Mulberry32, 32 bits of state. */
function randomNumbers(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
