/**
 * Stopping: what was taken in is finished and told, then clients are sent away; neither all at once nor
 * to come back all at once, which would be an outage of its own.
 */
import { setTimeout as pass } from 'node:timers/promises';
import type { Config } from './config.js';
import type { Listener } from './listeners.js';

export interface Stopping {
  readonly listener: Listener;
  readonly settings: Config['shutdown'];
  /** Takes nothing more in; resolves when everybody has been told what became of what was. */
  readonly drain: () => Promise<void>;
  readonly connections: () => readonly number[];
  readonly sendAway: (connection: number, retryAfterMs: number) => void;
  /** Rejects when the server fails. */
  readonly failed: Promise<never>;
  /** Resolves when it is to be done with now. */
  readonly hurry: Promise<void>;
}

/** Between two looks at who is next. */
const TICK_MS = 10;
/** Clients have so long to close their side. */
const CLOSING_MS = 2000;

export async function shutDown(stopping: Stopping): Promise<void> {
  const { listener, settings, drain, failed } = stopping;
  listener.refuse();
  // Who has failed finishes nothing: another epoch might be signed on a log that must not go on.
  const hasFailed = await Promise.race([failed.catch(() => true), pass(0, false)]);
  if (!hasFailed) {
    const late = pass(settings.drainMs, undefined, { ref: false });
    await Promise.race([drain(), late, stopping.hurry, failed.catch(() => {})]);
  }
  await sendAllAway(stopping, hasFailed);
  listener.terminate();
}

/** In random order and evenly; each is told to come back at a moment of its own after the last has gone. */
async function sendAllAway(stopping: Stopping, atOnce: boolean): Promise<void> {
  const { listener, settings, sendAway } = stopping;
  const connections = shuffled(stopping.connections());
  const paceMs = (connections.length * 1000) / settings.socketsPerSecond;
  const returnMs = Math.min(paceMs, settings.returnMs);
  let closeMs = atOnce ? 0 : Math.min(paceMs, settings.closeMs);
  const hurry = stopping.hurry.then(() => {
    closeMs = 0;
  });
  const began = performance.now();
  for (let next = 0; next < connections.length; ) {
    const elapsed = performance.now() - began;
    const left = Math.max(0, closeMs - elapsed);
    const due = left === 0 ? connections.length : Math.ceil((connections.length * elapsed) / closeMs);
    for (; next < due; next++) sendAway(connections[next]!, Math.ceil(left + Math.random() * returnMs));
    await Promise.race([pass(TICK_MS), hurry]);
  }
  for (const late = performance.now() + CLOSING_MS; listener.sockets > 0 && performance.now() < late; )
    await pass(TICK_MS);
}

function shuffled(list: readonly number[]): number[] {
  return list
    .map((value) => ({ value, at: Math.random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ value }) => value);
}
