/**
 * The request handlers' way in: checks submit frames bundle by bundle, copies what is good into shared
 * memory, hashes it there, hands it to the sender's inbox, and holds senders back when an epoch is full.
 */
import {
  BundleCursor,
  BundleError,
  type BundleLimits,
  type ErrorCode,
  FormatError,
  SUBMISSIONS,
  type SubmitHeader,
  toHex,
} from '../protocol/index.js';
import { FrameHasher } from './frame-hasher.js';
import { hashedBytes } from './hashed-frame.js';
import type { MailboxDirectory } from './mailbox-directory.js';
import { Memory } from './memory.js';
import {
  address,
  type Load,
  type Refusal,
  type Released,
  type Send,
  type SharedChunk,
  type SubmittedFrame,
} from './messages.js';
import { refusedBeside } from './refused-frame.js';

export interface SubmissionLimits extends BundleLimits {
  readonly bundlesPerFrame: number;
  readonly messagesPerEpoch: number;
  readonly bytesPerEpoch: number;
  /** Recipients plus one, summed over the messages: bounds the work of fan-out. */
  readonly entriesPerEpoch: number;
}

/** Where a frame came from. */
export interface Origin {
  readonly connection: number;
  readonly slot: number;
  /** 32 bytes. */
  readonly sender: Uint8Array;
  readonly inbox: number;
  /** The highest counter taken in when the session was opened. */
  readonly lastCounter: number;
}

interface Chunk extends SharedChunk {
  used: number;
  /** Frames that some stage may still read. */
  frames: number;
}

/** The bundles of a frame up to the first that is refused. */
interface Checked {
  readonly good: number;
  /** Their recipients plus one each, and recipients of those that have several. */
  readonly items: number;
  readonly leaves: number;
  readonly end: number;
  readonly bad?: Bad;
}

/** Why a bundle is refused, and on account of which mailbox. */
interface Bad {
  readonly code: ErrorCode;
  readonly text: string;
  readonly mailbox?: Uint8Array;
}

const CHUNK_BYTES = 1 << 20;
/** Bytes that V8 copies at once where it can. */
const WORD = 8;

export class Submissions {
  private readonly memory = new Memory();
  private readonly cursor: BundleCursor;
  private readonly hasher: FrameHasher;
  /** Where the bundles of the frame under the cursor end, counted from where the first starts. */
  private readonly ends: Uint32Array;
  private readonly chunks = new Map<number, Chunk>();
  private current: Chunk | null = null;
  private nextChunk = 1;
  /** What each inbox has been handed and has not closed an epoch over yet. */
  private readonly queued: Load[];
  /** By inbox. */
  private readonly batches: SubmittedFrame[][] = [];

  constructor(
    serverId: Uint8Array,
    inboxes: number,
    private readonly limits: SubmissionLimits,
    private readonly directory: MailboxDirectory,
    /** Of the manifest: one of `SUBMISSIONS`. */
    private readonly policy: number,
    private readonly send: Send,
  ) {
    this.cursor = new BundleCursor(limits);
    this.hasher = new FrameHasher(serverId);
    this.ends = new Uint32Array(limits.bundlesPerFrame);
    this.queued = Array.from({ length: inboxes }, () => ({ bytes: 0, messages: 0, items: 0 }));
  }

  /** Whether the inbox's epoch has room for a frame of so many bytes and bundles. An empty one takes any frame. */
  hasRoom(inbox: number, bytes: number, bundles: number): boolean {
    const queued = this.queued[inbox]!;
    const { bytesPerEpoch, messagesPerEpoch, entriesPerEpoch } = this.limits;
    if (queued.messages === 0) return true;
    if (queued.bytes + bytes > bytesPerEpoch || queued.messages + bundles > messagesPerEpoch) return false;
    return queued.items < entriesPerEpoch;
  }

  /**
   * Takes a submit frame in, up to the first bundle that is refused; what follows it in the frame is a
   * counter gap. A signed one is taken in as a whole or not at all, as the signature is over all of it. Throws `FormatError` when bytes trail behind the bundles.
   */
  take(origin: Origin, header: SubmitHeader, frame: Uint8Array): Refusal[] {
    if (header.count > this.limits.bundlesPerFrame) {
      const text = `${header.count} bundles, at most ${this.limits.bundlesPerFrame} allowed in a frame`;
      return [refusal(origin, 'too-many-bundles', header.firstCounter, header.count, text)];
    }
    const unwanted = this.unwanted(header);
    if (unwanted) {
      const { code, text } = unwanted;
      return [refusal(origin, code, header.firstCounter, header.count, text)];
    }
    const checked = this.check(origin, header, frame);
    const { good, end, bad } = checked;
    if (!bad && end !== frame.length) throw new FormatError(`submit: ${frame.length - end} trailing bytes`);
    if (good > 0 && !(bad && header.signature))
      this.enqueue(origin, header, checked, frame.subarray(header.bundlesAt, end));
    if (!bad) return [];
    const { code, text, mailbox } = bad;
    const refused = refusal(origin, code, header.firstCounter + good, 1, text);
    // What the inbox expects is not known here: an earlier frame may have been refused in part too.
    const beside = refusedBeside(header, good).map((each) =>
      refusal(origin, 'counter-gap', each.firstCounter, each.count, each.text),
    );
    return [{ ...refused, ...(mailbox && { mailbox }) }, ...beside];
  }

  /** Why the manifest's policy lets no such frame in. */
  private unwanted({ signature }: SubmitHeader): Bad | null {
    if (signature && this.policy === SUBMISSIONS.off)
      return { code: 'submission-refused', text: 'this server takes no signed submissions' };
    if (!signature && this.policy === SUBMISSIONS.required)
      return { code: 'submission-refused', text: 'this server takes signed submissions only' };
    return null;
  }

  private check(
    { sender, lastCounter }: Origin,
    { firstCounter, count, bundlesAt }: SubmitHeader,
    frame: Uint8Array,
  ): Checked {
    const { cursor, directory } = this;
    let end = bundlesAt;
    let items = 0;
    let leaves = 0;
    for (let good = 0; good < count; good++) {
      // One that was taken in before adds nothing: the inbox says where it is.
      const isNew = firstCounter + good > lastCounter;
      if (isNew && directory.mustNotSend(sender, 0))
        return { good, items, leaves, end, bad: full(sender, 0) };
      let next: number;
      try {
        next = cursor.parse(frame, end, frame.length);
        cursor.checkEnvelopes();
      } catch (error) {
        if (!(error instanceof BundleError)) throw error;
        return { good, items, leaves, end, bad: { code: error.code, text: error.message } };
      }
      for (let i = 0; i < cursor.recipients; i++) {
        const at = cursor.mailboxAt(i);
        if (isNew && directory.isFull(frame, at)) return { good, items, leaves, end, bad: full(frame, at) };
        if (directory.has(frame, at)) continue;
        const mailbox = frame.subarray(at, at + 32);
        const text = `no mailbox ${toHex(mailbox)}`;
        return { good, items, leaves, end, bad: { code: 'no-such-mailbox', text, mailbox } };
      }
      items += cursor.recipients + 1;
      if (cursor.recipients > 1) leaves += cursor.recipients;
      end = next;
      this.ends[good] = end - bundlesAt;
    }
    return { good: count, items, leaves, end };
  }

  private enqueue(
    { connection, slot, sender, inbox }: Origin,
    { firstCounter, signature: signed }: SubmitHeader,
    { good: count, items, leaves }: Checked,
    bundles: Uint8Array,
  ): void {
    const hashes = hashedBytes(count, leaves);
    const chunk = this.room(WORD - 1 + bundles.length + hashes);
    // Where words lie alike V8 copies words, into shared memory, and else bytes: that takes nine times as long.
    const from = chunk.used + ((bundles.byteOffset - chunk.used) & (WORD - 1));
    const to = from + bundles.length;
    chunk.bytes.set(bundles, from);
    chunk.used = to + hashes;
    chunk.frames++;
    const queued = this.queued[inbox]!;
    queued.bytes += bundles.length;
    queued.messages += count;
    queued.items += items;
    const shared = { id: chunk.id, bytes: chunk.bytes };
    // A copy: the frame's memory would go along to another thread.
    const signature = signed && Uint8Array.from(signed);
    const submitted = {
      connection,
      slot,
      sender,
      firstCounter,
      count,
      signature,
      chunk: shared,
      from,
      to,
      items,
    };
    this.hasher.hash(submitted, this.ends);
    this.batches[inbox] ??= [];
    this.batches[inbox].push(submitted);
  }

  /** The current chunk, or a new one when the bundles do not fit. */
  private room(bytes: number): Chunk {
    const { current } = this;
    if (current && current.used + bytes <= current.bytes.length) return current;
    if (current && current.frames === 0) this.recycle(current);
    const chunk = {
      id: this.nextChunk++,
      bytes: this.memory.take(Math.max(CHUNK_BYTES, bytes)),
      used: 0,
      frames: 0,
    };
    this.chunks.set(chunk.id, chunk);
    this.current = chunk;
    return chunk;
  }

  private recycle(chunk: Chunk): void {
    this.chunks.delete(chunk.id);
    this.memory.give(chunk.bytes);
  }

  /** Hands over what has come since the last time: one message per inbox. */
  flush(): void {
    for (const [inbox, frames] of this.batches.entries()) {
      if (!frames?.length) continue;
      this.batches[inbox] = [];
      this.send(address('inbox', inbox), { type: 'submit', frames });
    }
  }

  /** An inbox has closed an epoch over so much. */
  taken(inbox: number, { bytes, messages, items }: Load): void {
    const queued = this.queued[inbox]!;
    queued.bytes -= bytes;
    queued.messages -= messages;
    queued.items -= items;
  }

  released({ chunks }: Released): void {
    for (const { id, frames } of chunks) {
      const chunk = this.chunks.get(id)!;
      chunk.frames -= frames;
      if (chunk.frames > 0) continue;
      if (chunk === this.current) chunk.used = 0;
      else this.recycle(chunk);
    }
  }
}

function full(bytes: Uint8Array, at: number): Bad {
  const mailbox = bytes.subarray(at, at + 32);
  return { code: 'mailbox-full', text: `mailbox ${toHex(mailbox)} is full`, mailbox };
}

function refusal(
  { connection, slot }: Origin,
  code: ErrorCode,
  firstCounter: number,
  count: number,
  text: string,
): Refusal {
  return { connection, slot, code, firstCounter, count, expected: 0, text };
}
