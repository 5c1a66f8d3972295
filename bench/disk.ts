/**
 * The disk alone: the records of epochs, as the server writes them, into the server's store, one epoch after another, each on disk
 * before the next one begins. Nothing is hashed, signed or sent meanwhile: no server with this store and these epochs is faster.
 *
 *     npm run -s bench:disk -- [--json] [--messages 2000] [--directory .]
 *
 * Which epochs: bench/epochs.ts, one recipient each. First, of the disk without a store, 4 KiB appended to a file with fdatasync.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { StoreRecord } from '../src/actors/messages.js';
import { TABLE } from '../src/actors/store-keys.js';
import { Store } from '../src/server/store.js';
import { readArguments, refuse, whole } from './arguments.js';
import { fdatasyncTimes, fileSystemOf } from './environment.js';
import { Epochs, type Watcher } from './epochs.js';

/** Messages, and epochs, to write for each row. */
const MESSAGES = 200_000;
const EPOCHS = 1000;

/** What is written at once: an epoch, or what an actor must have on disk between two of them. */
interface Writing {
  readonly isEpoch: boolean;
  readonly records: readonly StoreRecord[];
}

/** Makes epochs and keeps what must be on disk. */
class Writings implements Watcher {
  readonly all: Writing[] = [];

  around<T>(_: unknown, step: () => T): T {
    return step();
  }

  aroundActor(_: unknown, __: unknown, step: () => void): void {
    step();
  }

  aroundLater(step: () => void): void {
    step();
  }

  written(records: readonly StoreRecord[]): void {
    this.all.push({
      isEpoch: records.some(({ key }) => key[0] === TABLE.log),
      // Memory of values is recycled.
      records: records.map(({ key, value }) => ({ key, value: value && Uint8Array.from(value) })),
    });
  }

  received(): void {}
}

function writingsOf(messages: number, epochs: number): readonly Writing[] {
  const writings = new Writings();
  const load = new Epochs(messages, 1, false, writings);
  for (let i = 0; i < epochs; i++) load.make();
  return writings.all;
}

interface Row {
  readonly messages: number;
  readonly epochs: number;
  /** From an epoch's write until it is on disk. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly messagesPerSecond: number;
  /** Of this process and its threads: the store's part of the server's. */
  readonly cpuSecondsPerMillion: number;
  readonly bytesPerMessage: number;
}

async function rowOf(messages: number, parent: string): Promise<Row> {
  const epochs = Math.max(1, Math.min(EPOCHS, Math.ceil(MESSAGES / messages)));
  const writings = writingsOf(messages, epochs);
  const directory = mkdtempSync(join(parent, 'countersign-disk-'));
  const fail = (error: Error) => {
    throw error;
  };
  const store = Store.open(directory, fail);
  const cpu = process.cpuUsage();
  const start = performance.now();
  const times: number[] = [];
  for (const { isEpoch, records } of writings) {
    const from = performance.now();
    await new Promise<void>((resolve) => store.write(records, resolve));
    if (isEpoch) times.push(performance.now() - from);
  }
  const seconds = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  await store.close();
  rmSync(directory, { recursive: true });
  const records = writings.flatMap((each) => each.records);
  const bytes = records.reduce((sum, { key, value }) => sum + key.length + (value?.length ?? 0), 0);
  const written = messages * epochs;
  return {
    messages,
    epochs,
    ...percentiles(times),
    messagesPerSecond: written / seconds,
    cpuSecondsPerMillion: (user + system) / written,
    bytesPerMessage: bytes / written,
  };
}

function percentiles(times: number[]): { p50Ms: number; p99Ms: number } {
  const sorted = times.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.floor(sorted.length * share)]!;
  return { p50Ms: at(0.5), p99Ms: at(0.99) };
}

const USAGE = `npm run -s bench:disk -- [--messages 2000] [--directory .] [--json]

How fast epochs get into the server's store and onto its disk, with nothing else to be done.`;

const { values } = readArguments(USAGE, {
  options: {
    json: { type: 'boolean', default: false },
    messages: { type: 'string' },
    directory: { type: 'string', default: tmpdir() },
  },
});
const sizes = values.messages ? [whole(USAGE, values.messages)] : [1, 100, 2000, 20_000];
const { directory } = values;
let fdatasync: ReturnType<typeof percentiles>;
try {
  fdatasync = percentiles(fdatasyncTimes(directory));
} catch (error) {
  refuse(USAGE, `--directory: ${(error as Error).message}`);
}
if (values.json) console.log(JSON.stringify({ disk: fileSystemOf(directory), fdatasync }));
else {
  const { p50Ms, p99Ms } = fdatasync;
  console.log(
    `${fileSystemOf(directory)}: fdatasync ${p50Ms.toFixed(2)} ms, 99th percentile ${p99Ms.toFixed(2)} ms`,
  );
  console.log('messages in an epoch   p50 ms   p99 ms   messages/s   CPU s per million   bytes per message');
}
for (const size of sizes) {
  const row = await rowOf(size, directory);
  if (values.json) console.log(JSON.stringify(row));
  else {
    const cells = [
      String(row.messages).padStart(20),
      row.p50Ms.toFixed(2).padStart(9),
      row.p99Ms.toFixed(2).padStart(9),
      Math.round(row.messagesPerSecond).toString().padStart(13),
      row.cpuSecondsPerMillion.toFixed(2).padStart(20),
      row.bytesPerMessage.toFixed(0).padStart(20),
    ];
    console.log(cells.join(''));
  }
}
