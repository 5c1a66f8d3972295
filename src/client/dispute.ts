/** What the two of a pair show each other of the place where they differ, and what is evidence of that. */

import { sha256 } from '#crypto';
import { LEAF_PREFIX } from '../protocol/bundle-layout.js';
import type { Dispute } from '../protocol/evidence/index.js';
import { type Recipient, recipientFields } from '../protocol/evidence/message.js';
import { struct } from '../protocol/fields.js';
import {
  buildTree,
  concat,
  decodeClaim,
  equalBytes,
  FormatError,
  getU16,
  getU32,
  LINK_ENTRY_BYTES,
  LINK_HEADER_BYTES,
  multiproof,
  type PairItem,
  RECIPIENT_PAGE,
  recipientPages,
} from '../protocol/index.js';
import { ComparisonError } from './comparison-error.js';
import type { FrameOf, SAY, Shown } from './comparison-frames.js';
import { bridgeOver, type Range } from './log-range.js';
import { LEAF_BYTES, mailboxOf, R_AT } from './pair-messages.js';
import type { VectorBook } from './vector-book.js';
import { encoded, type KeptEpoch, type KeptMessage } from './vector-format.js';
import type { World } from './world.js';

/** Where two differ. */
export interface Difference {
  readonly epoch: number;
  readonly inbox: number;
  readonly index: number;
  /** Message hashes; null where it is not there. */
  readonly own: Uint8Array | null;
  readonly others: Uint8Array | null;
}

/** The first place at which two rising lists differ. Null if they do not. */
export function firstDifference(
  epoch: number,
  own: readonly PairItem[],
  others: readonly PairItem[],
): Difference | null {
  for (let i = 0; i < own.length || i < others.length; i++) {
    const [a, b] = [own[i], others[i]];
    const order = !a ? 1 : !b ? -1 : a.inbox - b.inbox || a.index - b.index;
    const [mine, theirs] = [order <= 0 ? a! : null, order >= 0 ? b! : null];
    if (mine && theirs && equalBytes(mine.messageHash, theirs.messageHash)) continue;
    const { inbox, index } = (mine ?? theirs)!;
    return { epoch, inbox, index, own: mine?.messageHash ?? null, others: theirs?.messageHash ?? null };
  }
  return null;
}

// ---- what one shows

/** Of a link's claim: the places of its first and its last entry. */
function placesOf(claim: Uint8Array): { first: number[]; last: number[] } {
  const { leaf } = decodeClaim(claim);
  const count = getU16(leaf, LINK_HEADER_BYTES - 2);
  const at = (i: number) => {
    const from = LINK_HEADER_BYTES + i * LINK_ENTRY_BYTES;
    return [getU16(leaf, from), getU32(leaf, from + 2)];
  };
  return { first: at(0), last: at(count - 1) };
}

const isBefore = (a: readonly number[], b: readonly number[]) => a[0]! - b[0]! || a[1]! - b[1]!;

/** The parts that show the place, or that nothing is there: the one around it, or the two beside it. */
function partsAt({ claims }: KeptEpoch, { inbox, index }: Difference): readonly Uint8Array[] {
  if (claims.length < 2) return claims;
  const place = [inbox, index];
  const all = claims.map((claim) => ({ claim, ...placesOf(claim) }));
  const around = all.find(({ first, last }) => isBefore(first, place) <= 0 && isBefore(place, last) <= 0);
  if (around) return [around.claim];
  const behind = all.findIndex(({ first }) => isBefore(place, first) < 0);
  const at = behind < 0 ? all.length : behind;
  return all.slice(Math.max(0, at - 1), at + 1).map(({ claim }) => claim);
}

/** Own leaves about the place: those of its epoch, or the first behind it; and the log that they are proven in. */
export function leavesAt(
  book: VectorBook,
  difference: Difference,
): { readonly claims: readonly Uint8Array[]; readonly log: () => readonly Range[] } {
  const { epoch } = difference;
  const here = book.keptAt(epoch);
  if (here) return { claims: partsAt(here, difference), log: () => book.logAt(here) };
  const later = book.epochs.behind(epoch);
  if (later) return { claims: later.claims.slice(0, 1), log: () => book.logAt(later) };
  return { claims: book.still.length > 0 ? [book.still] : [], log: () => book.logAt(null) };
}

/** A message that is there, opened, for the one of the pair that misses it. */
export function show(message: KeptMessage, other: Uint8Array): Shown {
  const { preimage, leaves } = message;
  const count = getU16(preimage, R_AT - 2);
  const known = count === 1 ? preimage.subarray(R_AT, R_AT + LEAF_BYTES) : leaves;
  const recipient = recipientIn(known, other);
  return { message: preimage, recipients: recipient ? [recipient] : [] };
}

/** Null when it is not among them. */
function recipientIn(leaves: Uint8Array, mailbox: Uint8Array): Recipient | null {
  const count = leaves.length / LEAF_BYTES;
  const leafAt = (i: number) => leaves.subarray(i * LEAF_BYTES, (i + 1) * LEAF_BYTES);
  for (let position = 0; position < count; position++) {
    const leaf = leafAt(position);
    if (!equalBytes(mailboxOf(leaf), mailbox)) continue;
    if (count === 1) return { position, leaf, siblings: new Uint8Array(0) };
    const hashes = Array.from({ length: count }, (_, i) => sha256(concat(LEAF_PREFIX, leafAt(i))));
    const page = Math.floor(position / RECIPIENT_PAGE);
    const others = hashes.filter((_, i) => i !== position && Math.floor(i / RECIPIENT_PAGE) === page);
    const packed = concat(...hashes);
    const path = count > RECIPIENT_PAGE ? multiproof(buildTree(recipientPages(packed, count)), [page]) : [];
    return { position, leaf, siblings: concat(...others, Uint8Array.from(path)) };
  }
  return null;
}

// ---- what it amounts to

export interface Side {
  readonly id: Uint8Array;
  readonly said: FrameOf<typeof SAY.claims>;
  readonly log: readonly Range[];
}

/** All that the two have shown each other. */
export function disputeOf(
  { serverId, manifests }: World,
  { epoch, inbox, index, own, others }: Difference,
  [me, other]: readonly [Side, Side],
): Dispute {
  const [has, misses] = own ? [me, other] : [other, me];
  const shown = own && others ? undefined : has.said.shown[0];
  const recipient = shown?.recipients[0];
  const ranges = [...me.log, ...other.log];
  return {
    ...{ serverId, manifests, epoch, inbox, index },
    claims: [...me.said.claims, ...other.said.claims],
    ...{ lacking: misses.id, having: has.id, message: shown?.message ?? null },
    shownTo: recipient ? encoded(recipientField, recipient) : null,
    bridge: (from, to) => bridgeOver(ranges, from, to),
  };
}

const recipientField = struct(recipientFields);

function readClaim(bytes: Uint8Array) {
  try {
    return decodeClaim(bytes);
  } catch (error) {
    if (error instanceof FormatError) throw new ComparisonError('malformed', error.message, { cause: error });
    throw error;
  }
}

/** Size of the largest log that claims are proven in. */
export function largestLog(claims: readonly Uint8Array[]): number {
  return Math.max(0, ...claims.map((claim) => readClaim(claim).checkpoint.size));
}

/** Whether the claims of both are shown to be of one log. */
export function isBridged({ claims, bridge }: Dispute): boolean {
  const all = claims.map((claim) => readClaim(claim).checkpoint.size).sort((a, b) => a - b);
  return all.every((size, i) => i === 0 || size === all[i - 1] || bridge(all[i - 1]!, size).length > 0);
}

/** Whether they rise, as a list of an epoch does. */
export function isRising(items: readonly PairItem[]): boolean {
  return items.every((item, i) => {
    const before = items[i - 1];
    return !before || isBefore([before.inbox, before.index], [item.inbox, item.index]) < 0;
  });
}
