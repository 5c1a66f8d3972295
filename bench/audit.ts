/**
 * What became of every message, from what senders and receivers kept, whatever the system says. Pure.
 *
 * A message is a pair of sender and number; a delivery of it is due at each of its recipients. A mailbox's sequence is what
 * was delivered to it, in that order, without what came twice.
 */
import type { DeliveredColumns, SentColumns } from './columns.js';
import type { Audit } from './result.js';

export interface AuditInput {
  readonly senders: readonly SentColumns[];
  readonly delivered: readonly DeliveredColumns[];
  readonly mailboxes: number;
  /** Of every message. */
  readonly recipients: number;
  /** Bodies that receivers could not recognise, and failed verifications. */
  readonly altered: number;
  readonly unverified: number;
  /** Places are of one order for all; else they are compared within a mailbox only. */
  readonly oneOrder: boolean;
}

export function audit(input: AuditInput): Audit {
  const messages = new Messages(input);
  const sequences = sequencesOf(input, messages);
  const { misordered, late } = inOrder(sequences, messages);
  const acknowledged = input.senders.reduce((sum, each) => sum + each.acknowledged.filter(Boolean).length, 0);
  return {
    sent: messages.count,
    acknowledged,
    delivered: input.delivered.reduce((sum, { count }) => sum + count, 0),
    lost: sequences.due.reduce((sum, came) => sum + 1 - came, 0),
    duplicated: sequences.duplicated,
    misordered,
    skipped: late + holes(sequences, messages),
    altered: input.altered + sequences.foreign,
    unverified: input.unverified,
    otherPlace: input.oneOrder ? otherPlaces(sequences, messages) : 0,
    totalOrder: haveOneOrder(sequences, messages.count),
  };
}

/** All messages of all senders under one numbering. */
class Messages {
  readonly count: number;
  readonly recipients: number;
  readonly senders: readonly SentColumns[];
  readonly base = new Map<number, number>();
  /** By position of the sender in `senders`: its first message; and the end. */
  readonly starts: number[] = [];
  private readonly bySender = new Map<number, SentColumns>();

  constructor({ senders, recipients }: AuditInput) {
    let count = 0;
    for (const each of senders) {
      this.base.set(each.sender, count);
      this.bySender.set(each.sender, each);
      this.starts.push(count);
      count += each.count;
    }
    this.starts.push(count);
    this.count = count;
    this.senders = senders;
    this.recipients = recipients;
  }

  /** −1 = never sent to this mailbox; else message × recipients + position of the recipient. */
  due(sender: number, number: number, mailbox: number): number {
    const sent = this.bySender.get(sender);
    if (!sent || number >= sent.count) return -1;
    const from = number * this.recipients;
    for (let i = 0; i < this.recipients; i++)
      if (sent.to[from + i] === mailbox) return (this.base.get(sender)! + number) * this.recipients + i;
    return -1;
  }
}

/** The mailboxes' sequences one behind the other: mailbox m's are rows starts[m] … starts[m + 1] − 1. */
interface Sequences {
  readonly mailboxes: number;
  readonly starts: Uint32Array;
  readonly message: Uint32Array;
  readonly place: Float64Array;
  /** By due delivery: 1 = it came. */
  readonly due: Uint8Array;
  readonly duplicated: number;
  /** Deliveries of what was never sent, or not to this mailbox. */
  readonly foreign: number;
}

function sequencesOf({ delivered, mailboxes }: AuditInput, messages: Messages): Sequences {
  const due = new Uint8Array(messages.count * messages.recipients);
  const starts = new Uint32Array(mailboxes + 1);
  let [duplicated, foreign] = [0, 0];
  // Of every delivery its message, or NONE where it does not belong into a sequence.
  const found = delivered.map((columns) => {
    const message = new Uint32Array(columns.count);
    for (let row = 0; row < columns.count; row++) {
      const mailbox = columns.mailbox[row]!;
      const at = messages.due(columns.sender[row]!, columns.number[row]!, mailbox);
      const isNew = at >= 0 && due[at] === 0;
      if (at < 0) foreign++;
      else if (!isNew) duplicated++;
      message[row] = isNew ? Math.floor(at / messages.recipients) : NONE;
      if (!isNew) continue;
      due[at] = 1;
      starts[mailbox + 1]!++;
    }
    return message;
  });
  for (let i = 0; i < mailboxes; i++) starts[i + 1]! += starts[i]!;
  const sorted = {
    message: new Uint32Array(starts[mailboxes]!),
    place: new Float64Array(starts[mailboxes]!),
  };
  const next = starts.slice();
  delivered.forEach(({ count, mailbox, place }, i) => {
    for (let row = 0; row < count; row++) {
      const message = found[i]![row]!;
      if (message === NONE) continue;
      const to = next[mailbox[row]!]!++;
      sorted.message[to] = message;
      sorted.place[to] = place[row]!;
    }
  });
  return { mailboxes, starts, ...sorted, due, duplicated, foreign };
}

const NONE = 0xffff_ffff;

/** By message, the position of its sender. */
function sendersOf({ starts, count }: Messages): Uint32Array {
  const senders = new Uint32Array(count);
  for (let i = 0; i + 1 < starts.length; i++) senders.fill(i, starts[i], starts[i + 1]);
  return senders;
}

/** `late`: of those the ones that came behind a later message of their sender. */
function inOrder(sequences: Sequences, messages: Messages): { misordered: number; late: number } {
  const { mailboxes, starts } = sequences;
  const senders = sendersOf(messages);
  const last = new Int32Array(messages.senders.length);
  let [misordered, late] = [0, 0];
  for (let mailbox = 0; mailbox < mailboxes; mailbox++) {
    const [from, to] = [starts[mailbox]!, starts[mailbox + 1]!];
    if (from === to) continue;
    last.fill(-1);
    let highest = 0;
    for (let row = from; row < to; row++) {
      const message = sequences.message[row]!;
      const sender = senders[message]!;
      const isLate = message < last[sender]!;
      if (isLate) late++;
      if (isLate || sequences.place[row]! <= highest) misordered++;
      last[sender] = Math.max(last[sender]!, message);
      highest = Math.max(highest, sequences.place[row]!);
    }
  }
  return { misordered, late };
}

/** What never came although a later message of its sender came to the same mailbox. */
function holes({ due, message, starts, mailboxes }: Sequences, messages: Messages): number {
  if (!due.includes(0)) return 0;
  const { senders, recipients } = messages;
  const owner = sendersOf(messages);
  const newest = new Map<number, number>();
  for (let mailbox = 0; mailbox < mailboxes; mailbox++)
    for (let row = starts[mailbox]!; row < starts[mailbox + 1]!; row++) {
      const pair = mailbox * senders.length + owner[message[row]!]!;
      newest.set(pair, Math.max(newest.get(pair) ?? 0, message[row]!));
    }
  let count = 0;
  for (let at = due.indexOf(0); at >= 0; at = due.indexOf(0, at + 1)) {
    const lost = Math.floor(at / recipients);
    const sender = owner[lost]!;
    const mailbox = senders[sender]!.to[at - messages.starts[sender]! * recipients]!;
    if ((newest.get(mailbox * senders.length + sender) ?? -1) > lost) count++;
  }
  return count;
}

/** What is seen at another place than where it was seen first: by its sender, or else by a mailbox. */
function otherPlaces({ message, place }: Sequences, { senders, starts, count }: Messages): number {
  const known = new Float64Array(count);
  senders.forEach((each, i) => {
    known.set(each.place.subarray(0, each.count), starts[i]);
  });
  let others = 0;
  for (let row = 0; row < message.length; row++) {
    const at = message[row]!;
    if (known[at] === 0) known[at] = place[row]!;
    else if (known[at] !== place[row]) others++;
  }
  return others;
}

/**
 * Whether one order of all messages exists that every mailbox's sequence agrees with: whether the graph in which each
 * message points to the next one of every sequence has no circle (Kahn, "Topological sorting of large networks", 1962).
 */
function haveOneOrder({ starts, message, mailboxes }: Sequences, count: number): boolean {
  const before = new Uint32Array(count);
  const firstOut = new Uint32Array(count + 1);
  const forEachEdge = (tell: (from: number, to: number) => void) => {
    for (let mailbox = 0; mailbox < mailboxes; mailbox++)
      for (let row = starts[mailbox]! + 1; row < starts[mailbox + 1]!; row++)
        tell(message[row - 1]!, message[row]!);
  };
  forEachEdge((from, to) => {
    firstOut[from + 1]!++;
    before[to]!++;
  });
  for (let i = 0; i < count; i++) firstOut[i + 1]! += firstOut[i]!;
  const out = new Uint32Array(firstOut[count]!);
  const next = firstOut.slice();
  forEachEdge((from, to) => {
    out[next[from]!++] = to;
  });
  const ready: number[] = [];
  for (let i = 0; i < count; i++) if (before[i] === 0) ready.push(i);
  let placed = 0;
  for (let one = ready.pop(); one !== undefined; one = ready.pop()) {
    placed++;
    for (let i = firstOut[one]!; i < firstOut[one + 1]!; i++)
      if (--before[out[i]!]! === 0) ready.push(out[i]!);
  }
  return placed === count;
}
