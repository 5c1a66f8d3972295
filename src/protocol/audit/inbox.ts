/** An inbox's share of an epoch: its entries are what it signed, and go on where their senders stood. */
import { equalBytes, FormatError } from '../bytes.js';
import { PAGE_ENTRIES } from '../limits.js';
import { merkleRoot } from '../merkle-tree.js';
import {
  getPlace,
  hashPages,
  hasPrefixes,
  INBOX_PREFIX,
  INBOX_ROW_BYTES,
  pagesBytes,
  rowAt,
} from '../pages.js';
import { comparePlaces, formatPlace, type Place } from '../place.js';
import { entriesCase } from './entries.js';
import { short } from './findings.js';
import { idText } from './id-table.js';
import type { KeptInbox } from './source.js';
import { auditSubmissions } from './submissions.js';
import { type EpochView, type InboxRows, outputOf, type Senders } from './view.js';

/** Offset in a row. */
const PREVIOUS_AT = 64;
const NO_RUN = 0xffff_ffff;

/** Null when what is kept is not what the inbox signed. */
export function auditInbox(view: EpochView, inbox: number): InboxRows | null {
  const { kept, report } = view;
  const who = `inbox ${inbox}`;
  const share = kept.inboxes[inbox];
  if (!share || 'unreadable' in share) {
    const why = share ? share.unreadable : 'there is none';
    report({ kind: 'missing', who, text: `the entries of ${who} cannot be read: ${why}`, proof: null });
    return null;
  }
  const { pages } = share;
  const count = rowsIn(pages);
  const { entries, root } = outputOf(view, inbox);
  const isWhole =
    count === entries &&
    pages.length === pagesBytes(count, INBOX_ROW_BYTES) &&
    hasPrefixes(pages, count, INBOX_ROW_BYTES, INBOX_PREFIX) &&
    equalBytes(merkleRoot(hashPages(pages, count, INBOX_ROW_BYTES)), root);
  if (!isWhole) {
    const text = `the ${count} entries that are kept of ${who} are not the ${entries} that it signed`;
    report({ kind: 'output', who, text, proof: null });
    return null;
  }
  const rows = { count, pages, senders: sendersOf(view, share, inbox, count) };
  auditRows(view, inbox, rows);
  auditSubmissions(view, inbox, rows, share.submissions);
  return rows;
}

function rowsIn(pages: Uint8Array): number {
  const page = pagesBytes(PAGE_ENTRIES, INBOX_ROW_BYTES);
  const prefixes = Math.ceil(pages.length / page) * (page - PAGE_ENTRIES * INBOX_ROW_BYTES);
  return Math.max(0, Math.floor((pages.length - prefixes) / INBOX_ROW_BYTES));
}

function sendersOf(view: EpochView, { runs }: KeptInbox, inbox: number, count: number): Senders | null {
  const runOf = new Uint32Array(count).fill(NO_RUN);
  const rises = runs.every(
    ({ first }, i) => first < count && (i === 0 ? first === 0 : first > runs[i - 1]!.first),
  );
  if (!rises || (runs.length === 0 && count > 0)) {
    const text = `who sent the ${count} messages of inbox ${inbox} is not kept whole`;
    view.report({ kind: 'missing', who: `inbox ${inbox}`, text, proof: null });
    return null;
  }
  for (const [i, { first }] of runs.entries()) runOf.fill(i, first);
  return {
    runOf,
    runs,
    sender: (index) => runs[runOf[index]!]!.sender,
    counter: (index) => runs[runOf[index]!]!.counter + index - runs[runOf[index]!]!.first,
  };
}

function auditRows(view: EpochView, inbox: number, { count, pages, senders }: InboxRows): void {
  const { world, manifest, kept, state } = view;
  const { epoch } = kept;
  const names = senders?.runs.map(({ sender }) => idText(sender)) ?? [];
  for (const { sender, first } of senders?.runs ?? [])
    if (world.placed(manifest, sender).inbox !== inbox)
      tell(view, inbox, first, `is of sender ${short(sender)}, whose inbox is another one`, null);
  for (let index = 0; index < count; index++) {
    const row = rowAt(index, INBOX_ROW_BYTES);
    const place = { epoch, inbox, index };
    const previous = placeAt(pages, row + PREVIOUS_AT);
    if (!previous || !liesBefore(previous, place)) {
      const what = previous ? formatPlace(previous) : 'no place';
      tell(view, inbox, index, `names ${what} as what its sender had before`, null);
    }
    if (!senders || !previous) continue;
    const counter = senders.counter(index);
    const fault = state.follow(names[senders.runOf[index]!]!, counter, place, previous);
    if (!fault) continue;
    const others = previous.epoch > 0 ? [previous, fault.before] : [fault.before];
    tell(view, inbox, index, fault.text, others, senders.sender(index));
  }
}

/** Null where there is none that could be. */
function placeAt(pages: Uint8Array, at: number): Place | null {
  try {
    return getPlace(pages, at);
  } catch (error) {
    if (error instanceof FormatError) return null;
    throw error;
  }
}

/** In an earlier epoch, or in this one and inbox at a lower index; or there is none. */
function liesBefore(previous: Place, place: Place): boolean {
  if (previous.epoch === 0) return previous.inbox === 0 && previous.index === 0;
  if (previous.epoch < place.epoch) return true;
  return previous.inbox === place.inbox && comparePlaces(previous, place) < 0;
}

function tell(
  { kept, report }: EpochView,
  inbox: number,
  index: number,
  what: string,
  others: readonly (Place | null)[] | null,
  sender: Uint8Array | null = null,
): void {
  const place = { epoch: kept.epoch, inbox, index };
  const text = `the entry of ${formatPlace(place)} ${what}`;
  report({
    kind: 'sender',
    who: `inbox ${inbox}`,
    text,
    proof: async (prover) => ({
      ...(await entriesCase(prover, kept, [place, ...(others ?? [])])),
      ...(sender && (await prover.handed('inbox', sender))),
    }),
  });
}
