/** One epoch's queue of an inbox: rows in page layout, where the bundles lie, which sender sent what. */
import {
  copy32,
  getU64,
  INBOX_PREFIX,
  INBOX_ROW_BYTES,
  type Place,
  pagesBytes,
  putInboxRow,
  putPrefixes,
  putU32,
  putU64,
  rowAt,
  viewOf,
} from '../protocol/index.js';
import type { HashedFrame } from './hashed-frame.js';
import type { Memory } from './memory.js';
import { type Load, type MessageBatch, RUN, type SubmittedFrame, WHERE } from './messages.js';
import type { SubmissionProof } from './submission-proofs.js';

/** Consecutive counters of one sender at consecutive indices. */
export interface QueuedRun {
  /** Who is told the places: the sender's newest session. */
  connection: number;
  slot: number;
  readonly sender: string;
  readonly firstCounter: number;
  readonly firstIndex: number;
  /** Of its frame, among the queue's. */
  readonly chunk: number;
  /** The sender's message before the first of the run lies in the same epoch. */
  readonly inEpoch: boolean;
  count: number;
}

interface UsedChunk {
  readonly position: number;
  readonly bytes: Uint8Array;
  frames: number;
}

const FIRST_ROWS = 1024;

export class InboxQueue {
  count = 0;
  /** Of all frames, taken or refused: what the request handlers have counted. */
  readonly load: Load = { bytes: 0, messages: 0, items: 0 };
  readonly runs: QueuedRun[] = [];
  /** Of the signed ones among the runs. */
  readonly submissions: SubmissionProof[] = [];
  private readonly chunks = new Map<number, UsedChunk>();
  pages: Uint8Array;
  private view: DataView;
  private where: Uint32Array;

  constructor(
    private readonly memory: Memory,
    private readonly inbox: number,
  ) {
    this.pages = memory.take(pagesBytes(FIRST_ROWS, INBOX_ROW_BYTES));
    this.view = viewOf(this.pages);
    this.where = words(memory.take(FIRST_ROWS * WHERE.fields * 4));
  }

  /** Counts a frame and its memory in, whatever becomes of its bundles. */
  countFrame({ chunk, from, to, count, items }: SubmittedFrame): void {
    this.load.bytes += to - from;
    this.load.messages += count;
    this.load.items += items;
    const used = this.chunks.get(chunk.id);
    if (used) used.frames++;
    else this.chunks.set(chunk.id, { position: this.chunks.size, bytes: chunk.bytes, frames: 1 });
  }

  startRun(frame: SubmittedFrame, sender: string, firstCounter: number, inEpoch: boolean): QueuedRun {
    const { connection, slot } = frame;
    const chunk = this.chunks.get(frame.chunk.id)!.position;
    const run = { connection, slot, sender, firstCounter, firstIndex: this.count, chunk, inEpoch, count: 0 };
    this.runs.push(run);
    return run;
  }

  /**
   * Adds message `k` of the newest run's frame and returns its index. An in-epoch predecessor has epoch 0 for now. `submission`:
   * hash of the run's, 32 zero bytes where it is unsigned.
   */
  add(hashed: HashedFrame, k: number, submission: DataView, previous: Place): number {
    const x = this.count++;
    this.makeRoom();
    const row = rowAt(x, INBOX_ROW_BYTES);
    copy32(hashed.view, hashed.hashAt(k), this.view, row);
    putInboxRow(this.view, row, submission, previous);
    const run = this.runs[this.runs.length - 1]!;
    const at = x * WHERE.fields;
    this.where[at + WHERE.chunk] = run.chunk;
    this.where[at + WHERE.from] = hashed.from(k);
    this.where[at + WHERE.to] = hashed.to(k);
    this.where[at + WHERE.run] = this.runs.length - 1;
    this.where[at + WHERE.leaves] = hashed.leavesAt(k);
    run.count++;
    return x;
  }

  private makeRoom(): void {
    const pages = pagesBytes(this.count, INBOX_ROW_BYTES);
    if (pages > this.pages.length) {
      this.pages = this.memory.grow(this.pages, this.pages.length, pages);
      this.view = viewOf(this.pages);
    }
    const where = this.count * WHERE.fields * 4;
    if (where > this.where.byteLength) {
      const block = new Uint8Array(this.where.buffer);
      this.where = words(this.memory.grow(block, block.length, where));
    }
  }

  /** The row of a sender's counter, as bytes to read; undefined when it is not here. */
  find(sender: string, counter: number): Uint8Array | undefined {
    const run = this.runs.find(
      (r) => r.sender === sender && counter >= r.firstCounter && counter < r.firstCounter + r.count,
    );
    return run && this.row(run.firstIndex + counter - run.firstCounter);
  }

  /** The sender's places are told to this session from now on. */
  answerTo(sender: string, connection: number, slot: number): void {
    for (const run of this.runs) if (run.sender === sender) Object.assign(run, { connection, slot });
  }

  /** The row of the sender's first message here. */
  firstOf(sender: string): Uint8Array | undefined {
    const run = this.runs.find((r) => r.sender === sender);
    return run && this.row(run.firstIndex);
  }

  private row(x: number): Uint8Array {
    return this.pages.subarray(rowAt(x, INBOX_ROW_BYTES));
  }

  /** Fills in the epoch of predecessors that lie in the epoch itself. Throws where another one does not lie before it. */
  number(epoch: number): void {
    for (const { firstIndex, count, inEpoch } of this.runs) {
      if (!inEpoch && getU64(this.pages, rowAt(firstIndex, INBOX_ROW_BYTES) + 64) >= epoch)
        throw new Error(`a sender's last place does not lie before epoch ${epoch}`);
      for (let x = inEpoch ? firstIndex : firstIndex + 1; x < firstIndex + count; x++) {
        putU64(this.pages, rowAt(x, INBOX_ROW_BYTES) + 64, epoch);
      }
    }
  }

  batch(): MessageBatch {
    putPrefixes(this.pages, this.count, INBOX_ROW_BYTES, INBOX_PREFIX);
    const runs = new Uint8Array(this.runs.length * RUN.bytes);
    this.runs.forEach((run, i) => {
      const at = i * RUN.bytes;
      runs.set(Buffer.from(run.sender, 'latin1'), at);
      putU64(runs, at + RUN.counter, run.firstCounter);
      putU32(runs, at + RUN.first, run.firstIndex);
    });
    return {
      inbox: this.inbox,
      count: this.count,
      pages: this.pages.subarray(0, pagesBytes(this.count, INBOX_ROW_BYTES)),
      chunks: [...this.chunks.values()].map((chunk) => chunk.bytes),
      where: this.where,
      runs,
    };
  }

  /** Gives the rows' memory back; the frames' memory is its owner's: which chunks, how many frames. */
  release(): { id: number; frames: number }[] {
    this.memory.give(this.pages);
    this.memory.give(new Uint8Array(this.where.buffer));
    return [...this.chunks].map(([id, { frames }]) => ({ id, frames }));
  }
}

function words(block: Uint8Array): Uint32Array {
  return new Uint32Array(block.buffer);
}
