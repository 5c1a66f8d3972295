/**
 * What an auditor with the operator's token reads: the log (GET /v1/log), what is kept of epochs (GET /v1/epochs), and what was
 * handed over (GET /v1/hand-overs), as streams, in steps between which everybody else has their turn.
 */
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { setImmediate as turn } from 'node:timers/promises';
import { type KeptIn, keptEpochs, putKeptEpoch } from '../actors/kept-epochs.js';
import { keptHandOvers, putKeptHandOver } from '../actors/kept-hand-overs.js';
import { keptRecords } from '../actors/kept-source.js';
import {
  LEAVES_PER_ANSWER,
  OBJECTS_PER_ANSWER,
  PART,
  putLogRecord,
  putPart,
} from '../protocol/audit/kept-parts.js';
import { type Checkpoint, FormatError, Writer } from '../protocol/index.js';

export interface Kept extends KeptIn {
  readonly checkpoint: () => Checkpoint;
}

/** Bytes in an answer after which no other epoch or hand-over begins. */
const MOST_BYTES = 64 << 20;
const CHUNK_BYTES = 64 << 10;
/** Who takes nothing for so long has gone. */
const PATIENCE_MS = 30_000;

/** From a leaf on, as many as there are under the checkpoint and as an answer holds. Throws `FormatError`. */
export function sendLog(url: string, response: ServerResponse, { reader, checkpoint }: Kept): void {
  const { from } = numbers(url, ['from']) as { from: number };
  const to = Math.min(checkpoint().size, from + LEAVES_PER_ANSWER);
  const out = new Writer(CHUNK_BYTES);
  let index = from;
  for (const record of index < to ? keptRecords(reader, from) : []) {
    putLogRecord(out, record);
    if (++index === to) break;
  }
  response.writeHead(200, { ...HEADERS, 'content-length': out.length });
  response.end(out.done());
}

const HEADERS = {
  'content-type': 'application/octet-stream',
  'cache-control': 'no-store',
  connection: 'close',
} as const;

/** Epochs `from` to `to`, as many as an answer holds. Throws `FormatError`. */
export async function sendEpochs(url: string, response: ServerResponse, kept: Kept): Promise<void> {
  const { from, to } = numbers(url, ['from', 'to']) as { from: number; to: number };
  response.writeHead(200, HEADERS);
  const out = new Outgoing(response);
  let next = nextKept(kept, from, to);
  for (let count = 0; next > 0 && count < OBJECTS_PER_ANSWER && out.bytes < MOST_BYTES; count++) {
    for (const _ of putKeptEpoch(kept, next, out.writer)) if (!(await out.flush(CHUNK_BYTES))) return;
    next = nextKept(kept, next + 1, to);
  }
  putPart(out.writer, PART.next, 0, new Writer(8).u64(next).done());
  if (await out.flush(0)) response.end();
}

/** From hand-over number `from` on, as many as an answer holds: later moves come behind them. Throws `FormatError`. */
export async function sendHandOvers(url: string, response: ServerResponse, { reader }: Kept): Promise<void> {
  const { from } = numbers(url, ['from']) as { from: number };
  response.writeHead(200, HEADERS);
  const out = new Outgoing(response);
  let [number, next] = [0, 0];
  for (const handing of keptHandOvers(reader)) {
    if (number++ < from) continue;
    const isFull = number - from > OBJECTS_PER_ANSWER || out.bytes >= MOST_BYTES;
    if (isFull) {
      next = number - 1;
      break;
    }
    for (const _ of putKeptHandOver(reader, handing, out.writer)) if (!(await out.flush(CHUNK_BYTES))) return;
    if (!(await out.flush(CHUNK_BYTES))) return;
  }
  putPart(out.writer, PART.next, 0, new Writer(8).u64(next).done());
  if (await out.flush(0)) response.end();
}

/** 0 = there are no more. */
function nextKept({ reader }: Kept, from: number, to: number): number {
  for (const epoch of keptEpochs(reader, from, to)) return epoch;
  return 0;
}

/** What is written goes out in chunks, as fast as it is taken. */
class Outgoing {
  /** Is emptied by `flush`. */
  readonly writer = new Writer(2 * CHUNK_BYTES);
  bytes = 0;

  constructor(private readonly response: ServerResponse) {}

  /** Sends what has been written if it is that much, after all others have had their turn. False when nobody takes it. */
  async flush(least: number): Promise<boolean> {
    const { writer, response } = this;
    await turn();
    if (response.destroyed) return false;
    if (writer.length < least) return true;
    this.bytes += writer.length;
    const isTaken = response.write(Uint8Array.from(writer.done()));
    writer.length = 0;
    return isTaken || this.drained();
  }

  private async drained(): Promise<boolean> {
    const { response } = this;
    const ending = new AbortController();
    const { signal } = ending;
    const late = setTimeout(() => response.destroy(), PATIENCE_MS);
    const either = [once(response, 'drain', { signal }), once(response, 'close', { signal })];
    await Promise.race(either);
    clearTimeout(late);
    // Takes the other one's listener away.
    for (const each of either) each.catch(() => {});
    ending.abort();
    return !response.destroyed;
  }
}

/** Exactly these, each an integer. Throws `FormatError`. */
function numbers(url: string, names: readonly string[]): Record<string, number> {
  const query = new URL(url, 'http://localhost').searchParams;
  for (const name of query.keys())
    if (!names.includes(name) || query.getAll(name).length > 1)
      throw new FormatError(`${name}: not known, or twice`);
  return Object.fromEntries(
    names.map((name) => {
      const text = query.get(name) ?? '';
      if (!/^(0|[1-9]\d{0,14})$/.test(text)) throw new FormatError(`${name}: expected an integer`);
      return [name, Number(text)];
    }),
  );
}
