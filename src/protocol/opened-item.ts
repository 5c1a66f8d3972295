/** What the claims of an opening show of the item that was asked for: that it is there, or that it is not. */
import { ROLE } from './attestation.js';
import { compareBytes, equalBytes, FormatError, getU16, Writer } from './bytes.js';
import { LINK_ENTRY_BYTES, LINK_HEADER_BYTES } from './chain.js';
import { decodeClaim, type Statement, verifyClaim } from './claim.js';
import { PAGE_ENTRIES } from './limits.js';
import type { Manifest } from './manifest.js';
import type { OpenedItem } from './opening.js';
import { INBOX_ROW_BYTES, ITEM_ROW_BYTES } from './pages.js';

const PREFIX_BYTES = 9;
/** mailbox 32 ‖ inbox 2 ‖ index 4 */
const KEY_BYTES = 38;

/** Keys of a leaf's items, rising; and whether no leaf before or behind it can have one of the asked mailbox. */
interface Shown {
  readonly keys: readonly Uint8Array[];
  readonly isFirst: boolean;
  readonly isLast: boolean;
}

/**
 * Whether the item is there; false = it is not. `statements`: of the claims, in order, which verify. Throws
 * `FormatError` when they are about something else or show neither.
 */
export function isOpened(asked: OpenedItem, outbox: number, statements: readonly Statement[]): boolean {
  const [first, last] = [statements[0], statements.at(-1)];
  if (!first || !last) throw wrong('nothing');
  for (const each of statements) checkAbout(asked, outbox, each);
  const { leaves, root } = first.attestation.outputs[first.output]!;
  if (!equalBytes(last.attestation.outputs[last.output]!.root, root)) throw wrong('two outputs');
  if (leaves === 0) return false;
  if (asked.stage === ROLE.inbox) return isInPage(asked, first);
  if (last.leafIndex - first.leafIndex !== statements.length - 1)
    throw wrong('leaves that are no neighbours');
  const key = new Writer(KEY_BYTES).bytes(asked.mailbox).u16(asked.inbox).u32(asked.index).done();
  const shown = statements.map((statement) => shownBy(asked, statement, leaves));
  const keys = shown.flatMap((each) => each.keys);
  const orders = keys.map((each) => compareBytes(each, 0, key, 0, KEY_BYTES));
  if (keys.some((each, i) => i > 0 && compareBytes(keys[i - 1]!, 0, each, 0, KEY_BYTES) >= 0))
    throw wrong('items that do not rise');
  if (orders.includes(0)) return true;
  const fromBelow = shown[0]!.isFirst || (orders[0] ?? 0) < 0;
  const toAbove = shown.at(-1)!.isLast || (orders.at(-1) ?? 0) > 0;
  if (!fromBelow || !toAbove) throw wrong('other leaves');
  return false;
}

/** The same of claims in their binary form, which are verified. `outbox`: which placement names for the mailbox. */
export function verifyOpening(
  asked: OpenedItem,
  outbox: number,
  claims: readonly Uint8Array[],
  serverId: Uint8Array,
  manifest: Manifest,
  manifestHash: Uint8Array,
): boolean {
  const statements = claims.map((claim) => verifyClaim(decodeClaim(claim), serverId, manifest, manifestHash));
  return isOpened(asked, outbox, statements);
}

const wrong = (what: string) => new FormatError(`opening: ${what}`);

function checkAbout(
  { stage, epoch, inbox }: OpenedItem,
  outbox: number,
  { attestation, output }: Statement,
): void {
  const actor = stage === ROLE.inbox || stage === ROLE.router ? inbox : outbox;
  if (attestation.role !== stage || attestation.epoch !== epoch || attestation.actor !== actor)
    throw wrong('another stage or epoch');
  if (output !== (stage === ROLE.router ? outbox : 0)) throw wrong('another output');
}

function isInPage({ index }: OpenedItem, { leaf, leafIndex }: Statement): boolean {
  const rows = (leaf.length - PREFIX_BYTES) / INBOX_ROW_BYTES;
  if (leafIndex !== Math.floor(index / PAGE_ENTRIES) || index % PAGE_ENTRIES >= rows)
    throw wrong('another page');
  return true;
}

function shownBy({ stage, mailbox }: OpenedItem, { leaf, leafIndex }: Statement, leaves: number): Shown {
  const atEnd = { isFirst: leafIndex === 0, isLast: leafIndex === leaves - 1 };
  if (stage !== ROLE.outbox) return { keys: rowsOf(leaf, PREFIX_BYTES, ITEM_ROW_BYTES), ...atEnd };
  const owner = leaf.subarray(PREFIX_BYTES, PREFIX_BYTES + 32);
  const key = (place: Uint8Array) => new Writer(KEY_BYTES).bytes(owner).bytes(place.subarray(0, 6)).done();
  // Of another mailbox the leaf is enough: before or behind all of the asked one's.
  if (compareBytes(owner, 0, mailbox, 0, 32) !== 0) return { keys: [key(new Uint8Array(6))], ...atEnd };
  if (leaf[7] !== 'l'.charCodeAt(0)) return { keys: [], isFirst: true, isLast: true };
  const keys = rowsOf(leaf, LINK_HEADER_BYTES, LINK_ENTRY_BYTES).map(key);
  return { keys, isFirst: getU16(leaf, 49) === 0, isLast: getU16(leaf, 49) === getU16(leaf, 51) - 1 };
}

/** Whole rows behind the leaf's start. */
function rowsOf(leaf: Uint8Array, from: number, bytes: number): Uint8Array[] {
  const rows: Uint8Array[] = [];
  for (let at = from; at < leaf.length; at += bytes) rows.push(leaf.subarray(at, at + bytes));
  if (rows.length === 0 || rows.at(-1)!.length !== bytes) throw wrong('a leaf that is cut off');
  return rows;
}
