/** What opened leaves of an output show of an item that is looked for: that it is there, or that it is not. */
import { type Output, ROLE, type Role } from '../attestation.js';
import { compareWhole } from '../bytes.js';
import { PAGE_ENTRIES } from '../limits.js';
import type { Place as WholePlace } from '../place.js';
import { must } from './court.js';
import {
  compareItems,
  comparePosition,
  type Item,
  readInboxPage,
  readItemPage,
  readMailboxLeaf,
} from './leaves.js';

/** In the epoch of the statement. */
type Place = Pick<WholePlace, 'inbox' | 'index'>;

/** A leaf of the output, and where in it. */
interface Opened {
  readonly leaf: Uint8Array;
  readonly leafIndex: number;
}

/**
 * What an output shows at a place for a mailbox: a message hash, or null that nothing is there. `leaves`: none of an output
 * without any. Throws `FormatError` when they show neither.
 */
export function shownAt(
  role: Role,
  output: Pick<Output, 'entries' | 'leaves'>,
  leaves: readonly Opened[],
  mailbox: Uint8Array,
  place: Place,
): Uint8Array | null {
  if (role === ROLE.inbox) return inPage(leaves, output.entries, place);
  if (output.leaves === 0) return null;
  const spans = leaves.map(({ leaf }) =>
    role === ROLE.outbox ? linkSpan(leaf, mailbox, place) : pageSpan(leaf, role, mailbox, place),
  );
  return between(spans, leaves, output.leaves);
}

function inPage(leaves: readonly Opened[], entries: number, { index }: Place): Uint8Array | null {
  if (index >= entries) {
    must(leaves.length === 0, 'leaves that show nothing');
    return null;
  }
  must(
    leaves.length === 1 && leaves[0]!.leafIndex === Math.floor(index / PAGE_ENTRIES),
    'the page of the place',
  );
  const row = readInboxPage(leaves[0]!.leaf)[index % PAGE_ENTRIES];
  must(row !== undefined, 'no such row');
  return row.messageHash;
}

/** How a leaf stands to what is looked for: it holds it, or all in it lies before it, or behind it, or around it. */
type Span =
  | { readonly at: 'before' | 'behind' | 'around' }
  | { readonly at: 'here'; readonly hash: Uint8Array };

function spanOf<T extends Item>(items: readonly T[], compare: (item: T) => number): Span {
  must(items.length > 0, 'a leaf with nothing in it');
  const here = items.find((item) => compare(item) === 0);
  if (here) return { at: 'here', hash: here.messageHash };
  // Each of them: whoever has not sorted them has not lost what is not there.
  if (items.every((item) => compare(item) < 0)) return { at: 'before' };
  return { at: items.every((item) => compare(item) > 0) ? 'behind' : 'around' };
}

function pageSpan(leaf: Uint8Array, role: Role, mailbox: Uint8Array, { inbox, index }: Place): Span {
  return spanOf(readItemPage(leaf, role), (row) => compareItems(row, { ...row, mailbox, inbox, index }));
}

/** A still, or a link that could hold the place and does not, is around it: the mailbox has no other leaf that could. */
function linkSpan(bytes: Uint8Array, mailbox: Uint8Array, place: Place): Span {
  const leaf = readMailboxLeaf(bytes);
  const order = compareWhole(leaf.mailbox, mailbox);
  if (order !== 0) return { at: order < 0 ? 'before' : 'behind' };
  if (leaf.kind === 'still') return { at: 'around' };
  const span = spanOf(leaf.entries, (entry) => comparePosition(entry, place));
  const isEnd = span.at === 'before' ? leaf.part === leaf.parts - 1 : span.at === 'behind' && leaf.part === 0;
  return isEnd ? { at: 'around' } : span;
}

/** One leaf that holds it or leaves no room for it, two that leave none between them, or one at an end. */
function between(spans: readonly Span[], leaves: readonly Opened[], count: number): Uint8Array | null {
  const [first, second] = spans;
  must(first !== undefined && leaves.length <= 2, 'one leaf or two');
  if (second) {
    const isNext = leaves[1]!.leafIndex === leaves[0]!.leafIndex + 1;
    must(isNext && first.at === 'before' && second.at === 'behind', 'two leaves with the place between them');
    return null;
  }
  if (first.at === 'here') return first.hash;
  const { leafIndex } = leaves[0]!;
  const isEnd = first.at === 'before' ? leafIndex === count - 1 : leafIndex === 0;
  must(first.at === 'around' || isEnd, 'a leaf that does not show that nothing is there');
  return null;
}
