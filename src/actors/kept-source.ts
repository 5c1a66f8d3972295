/** A store as an audit reads it (protocol/audit/source.ts). */
import { HandOverBuilder } from '../protocol/audit/kept-handed.js';
import { EpochBuilder, PART, PartReader, readLogRecord } from '../protocol/audit/kept-parts.js';
import type {
  EpochSource,
  KeptChainState,
  KeptEpoch,
  KeptHandOver,
  LogRecord,
} from '../protocol/audit/source.js';
import { type Checkpoint, FormatError, Reader, Writer, ZERO_HASH } from '../protocol/index.js';
import { type KeptIn, keptEpochs, putKeptEpoch } from './kept-epochs.js';
import { keptHandOvers, putKeptHandOver } from './kept-hand-overs.js';
import { keptCheckpoint, LEAF_BYTES } from './log-store.js';
import { decodeState } from './mailbox-state.js';
import type { StoreReader } from './messages.js';
import { idKey, numberKey, TABLE } from './store-keys.js';

const MAILBOX_BYTES = 128;

/** Leaves of the log with the nodes they complete, from an index on, as many as follow each other. */
export function* keptRecords(reader: StoreReader, from: number): Generator<LogRecord> {
  for (let index = from; ; index++) {
    const record = reader.get(numberKey(TABLE.log, index));
    if (!record) return;
    yield readRecord(record);
  }
}

/** One that is damaged stands where no chain does. */
function readChain(value: Uint8Array): Omit<KeptChainState, 'mailbox'> {
  try {
    if (value.length === MAILBOX_BYTES) return decodeState(value).chain;
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
  }
  return { lastEpoch: Number.MAX_SAFE_INTEGER, total: 0, head: ZERO_HASH };
}

/** One that is damaged has a leaf of zeros, which is none. */
function readRecord(record: Uint8Array): LogRecord {
  const from = new Reader(record);
  try {
    const read = readLogRecord(from);
    from.end();
    return read;
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    return { leaf: new Uint8Array(LEAF_BYTES), nodes: [] };
  }
}

export class StoreSource implements EpochSource {
  readonly checkpoint: Checkpoint | null;

  constructor(
    private readonly kept: KeptIn,
    readonly manifests: EpochSource['manifests'],
  ) {
    this.checkpoint = keptCheckpoint(kept.reader);
  }

  async *records(from: number): AsyncGenerator<LogRecord> {
    yield* keptRecords(this.kept.reader, from);
  }

  async *epochs(from: number, to: number): AsyncGenerator<KeptEpoch> {
    for (const epoch of keptEpochs(this.kept.reader, from, to)) yield this.epoch(epoch);
  }

  private epoch(epoch: number): KeptEpoch {
    const out = new Writer(1 << 16);
    for (const _ of putKeptEpoch(this.kept, epoch, out));
    const builder = new EpochBuilder();
    for (const part of new PartReader().push(out.done())) if (part.kind !== PART.end) builder.add(part);
    return builder.done((epoch) => this.kept.placements.countsAt(epoch));
  }

  async *handOvers(): AsyncGenerator<KeptHandOver> {
    const { reader } = this.kept;
    const builder = new HandOverBuilder();
    for (const handing of keptHandOvers(reader)) {
      const out = new Writer(1 << 16);
      for (const _ of putKeptHandOver(reader, handing, out));
      for (const part of new PartReader().push(out.done())) {
        const kept = builder.add(part);
        if (kept) yield kept;
      }
    }
  }

  /** Nobody writes meanwhile. */
  async later(): Promise<Checkpoint | null> {
    return this.checkpoint;
  }

  async *chains(): AsyncGenerator<KeptChainState> {
    const to = Uint8Array.of(TABLE.mailbox + 1);
    for (const { key, value } of this.kept.reader.range(idKey(TABLE.mailbox, ZERO_HASH), to)) {
      yield { mailbox: key.slice(1), ...readChain(value) };
    }
  }
}
