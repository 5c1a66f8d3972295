/**
 * What is kept, part by part, as a server gives it to an auditor. Parts of an epoch begin with kind 1 and end with kind 8,
 * those of a hand-over (kept-handed.ts) begin with kind 11.
 *
 *   part          kind 1 ‖ actor 2 ‖ length 4 ‖ bytes
 *   1 epoch       epoch 8 ‖ log index 8
 *   2 attestation signed bytes ‖ signature 64                 actor = position in the epoch leaf
 *   3 pages       whole pages of an inbox                     actor = inbox
 *   4 senders     n × (sender 32 ‖ counter 8 ‖ first index 4) actor = inbox
 *   5 leaf        hash as it is kept 32 ‖ a link's part or still       actor = outbox
 *   6 message     inbox 2 ‖ index 4 ‖ length 2 ‖ preimage of its hash ‖ recipients × 80      actor = outbox
 *   7 unreadable  role 1 ‖ why, in UTF-8                      actor = inbox or outbox
 *   8 end         1: that is all of it; 0: it has gone meanwhile
 *   9 next        number 8: the answer ends here, ask again from this one; 0 = there are no more
 *  10 submissions n × (first index 4 ‖ count 2 ‖ known 2 ‖ signature 64 ‖ known × message hash 32)     actor = inbox
 *  11 hand-over   version 1 ‖ role 1 ‖ from 2 ‖ to 2 ‖ signed bytes ‖ signature of from 64 ‖ signature of to 64
 *  12 handed      leaves of the hand-over, without their prefixes
 */
import { ROLE, type SignedAttestation } from '../attestation.js';
import { concat, FormatError, HASH_BYTES, Reader, SIGNATURE_BYTES, Writer } from '../bytes.js';
import type { ActorCounts } from '../manifest.js';
import { EPOCH_LEAF_BYTES } from '../statement.js';
import type {
  KeptEpoch,
  KeptInbox,
  KeptLeaf,
  KeptMessage,
  KeptOutbox,
  KeptSubmission,
  LogRecord,
  SenderRun,
  Unreadable,
} from './source.js';

export const PART = {
  epoch: 1,
  attestation: 2,
  pages: 3,
  senders: 4,
  leaf: 5,
  message: 6,
  unreadable: 7,
  end: 8,
  next: 9,
  submissions: 10,
  handOver: 11,
  handed: 12,
} as const;

/** Before a part's bytes. */
export const PART_HEADER_BYTES = 7;
/** More is refused: the largest is a message to many. */
export const MAX_PART = 1 << 23;

/** Of an epoch: more than the largest that a manifest may allow comes to, with what each thing in it takes in memory. */
const MAX_EPOCH = 2 ** 31;
const OBJECT_BYTES = 256;
/** What holds any number of things has one at least. */
export const NEVER_EMPTY: readonly number[] = [PART.pages, PART.senders, PART.submissions, PART.handed];

export interface Part {
  readonly kind: number;
  readonly actor: number;
  readonly bytes: Uint8Array;
}

export function putPart(out: Writer, kind: number, actor: number, ...bytes: readonly Uint8Array[]): void {
  out
    .u8(kind)
    .u16(actor)
    .u32(bytes.reduce((sum, { length }) => sum + length, 0));
  for (const each of bytes) out.bytes(each);
}

/** Cuts parts out of bytes as they come. */
export class PartReader {
  /** What has come of a part that is not whole yet, and from how many bytes on there is anything to be read. */
  private rest = new Writer();
  private enough = PART_HEADER_BYTES;

  /** `mostOf`: how long a part of a kind may be; undefined where there is none such. */
  constructor(private readonly mostOf: (kind: number) => number | undefined = () => MAX_PART) {}

  /** Parts that are whole by now. Throws `FormatError` on one that is too long. */
  *push(chunk: Uint8Array): Generator<Part> {
    this.rest.bytes(chunk);
    if (this.rest.length < this.enough) return;
    const bytes = this.rest.done();
    const from = new Reader(bytes);
    this.enough = PART_HEADER_BYTES;
    while (from.limit - from.at >= PART_HEADER_BYTES) {
      const start = from.at;
      const [kind, actor, length] = [from.u8(), from.u16(), from.u32()];
      const most = this.mostOf(kind);
      if (most === undefined) throw new FormatError(`a part of kind ${kind}, which is none`);
      if (length > most) throw new FormatError(`a part of kind ${kind} of ${length} bytes, at most ${most}`);
      if (length > from.limit - from.at) {
        from.at = start;
        this.enough = PART_HEADER_BYTES + length;
        break;
      }
      yield { kind, actor, bytes: from.bytes(length) };
    }
    this.rest = new Writer().bytes(bytes.subarray(from.at));
  }
}

/** What an answer has at the most: leaves of the log; epochs or hand-overs. */
export const LEAVES_PER_ANSWER = 4096;
export const OBJECTS_PER_ANSWER = 1024;

/** Puts an epoch together of its parts. */
export class EpochBuilder {
  private readonly attestations: SignedAttestation[] = [];
  private readonly pages = new Map<number, Uint8Array[]>();
  private readonly runs = new Map<number, SenderRun[]>();
  private readonly submissions = new Map<number, KeptSubmission[]>();
  private readonly leaves = new Map<number, KeptLeaf[]>();
  private readonly messages = new Map<number, KeptMessage[]>();
  private readonly unreadable = new Map<string, Unreadable>();
  private length = 0;
  private head: { readonly epoch: number; readonly logIndex: number } | null = null;

  /** Throws `FormatError` on what is no such part, or not in its place. */
  add({ kind, actor, bytes }: Part): void {
    const from = new Reader(bytes);
    const behind = (length: number) => from.bytes(Math.max(0, bytes.length - length));
    this.count(bytes.length);
    if (bytes.length === 0 && NEVER_EMPTY.includes(kind)) throw new FormatError(`an empty part ${kind}`);
    if ((kind === PART.epoch) === (this.head !== null))
      throw new FormatError(`part ${kind} out of its place`);
    if (kind === PART.epoch) this.head = { epoch: from.u64(), logIndex: from.u64() };
    else if (kind === PART.attestation)
      this.attestations.push({ bytes: behind(64), signature: from.bytes(64) });
    else if (kind === PART.pages) listOf(this.pages, actor).push(behind(0));
    else if (kind === PART.senders) {
      const runs = listOf(this.runs, actor);
      while (from.at < from.limit) {
        runs.push({ sender: from.hash(), counter: from.u64(), first: from.u32() });
        this.count(0);
      }
    } else if (kind === PART.submissions) {
      const submissions = listOf(this.submissions, actor);
      while (from.at < from.limit) {
        submissions.push(readSubmission(from));
        this.count(0);
      }
    } else if (kind === PART.leaf)
      listOf(this.leaves, actor).push({ hash: from.hash(), preimage: behind(32) });
    else if (kind === PART.message) listOf(this.messages, actor).push(readMessage(from));
    else if (kind === PART.unreadable)
      this.unreadable.set(`${from.u8()} ${actor}`, { unreadable: new TextDecoder().decode(behind(1)) });
    else throw new FormatError(`part ${kind} is none of an epoch`);
    from.end();
  }

  /** One thing more, of so many bytes that are kept. */
  private count(bytes: number): void {
    this.length += OBJECT_BYTES + bytes;
    if (this.length > MAX_EPOCH) throw new FormatError(`an epoch of more than ${MAX_EPOCH} bytes`);
  }

  /** `countsAt`: how many actors an epoch has. Throws `FormatError` when there was no epoch. */
  done(countsAt: (epoch: number) => ActorCounts): KeptEpoch {
    if (!this.head) throw new FormatError('an end of no epoch');
    const { inboxes, outboxes } = countsAt(this.head.epoch);
    const inboxAt = (i: number): KeptInbox | Unreadable =>
      this.unreadable.get(`${ROLE.inbox} ${i}`) ?? {
        pages: concat(...(this.pages.get(i) ?? [])),
        runs: this.runs.get(i) ?? [],
        submissions: this.submissions.get(i) ?? [],
      };
    const outboxAt = (j: number): KeptOutbox | Unreadable =>
      this.unreadable.get(`${ROLE.outbox} ${j}`) ?? {
        leaves: this.leaves.get(j) ?? [],
        messages: this.messages.get(j) ?? [],
      };
    return {
      ...this.head,
      attestations: this.attestations,
      inboxes: Array.from({ length: inboxes }, (_, i) => inboxAt(i)),
      outboxes: Array.from({ length: outboxes }, (_, j) => outboxAt(j)),
    };
  }
}

function readSubmission(from: Reader): KeptSubmission {
  const [first, count, known] = [from.u32(), from.u16(), from.u16()];
  return { first, count, signature: from.bytes(SIGNATURE_BYTES), known: from.bytes(known * HASH_BYTES) };
}

function readMessage(from: Reader): KeptMessage {
  const inbox = from.u16();
  const index = from.u32();
  const preimage = from.bytes(from.u16());
  return { inbox, index, preimage, recipients: from.bytes(from.limit - from.at) };
}

function listOf<T>(lists: Map<number, T[]>, actor: number): T[] {
  const known = lists.get(actor);
  if (known) return known;
  const list: T[] = [];
  lists.set(actor, list);
  return list;
}

/** leaf 163 ‖ n 1 ‖ n × 32: the leaf and the nodes that it completes. Throws `FormatError` where bytes are missing. */
export function readLogRecord(from: Reader): LogRecord {
  const leaf = from.bytes(EPOCH_LEAF_BYTES);
  return { leaf, nodes: Array.from({ length: from.u8() }, () => from.hash()) };
}

export function putLogRecord(out: Writer, { leaf, nodes }: LogRecord): void {
  out
    .bytes(leaf)
    .u8(nodes.length)
    .bytes(concat(...nodes));
}
