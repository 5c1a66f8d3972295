/** What proves something of entries of inboxes: their pages, opened, and what else is kept of them. */
import { PAGE_ENTRIES } from '../limits.js';
import { INBOX_ROW_BYTES } from '../pages.js';
import type { Place } from '../place.js';
import type { Signed } from '../statement.js';
import type { Case } from './draft.js';
import { splitPages } from './items.js';
import type { Prover } from './prover.js';
import type { KeptEpoch, KeptMessage } from './source.js';

/**
 * Entries of inboxes, opened, with their messages as far as these are kept, and what the inboxes have signed of those epochs.
 * `kept`: one of them that is at hand.
 */
export async function entriesCase(
  prover: Prover,
  kept: KeptEpoch | null,
  places: readonly (Place | null)[],
): Promise<Case> {
  const claims: Case['claims'][number][] = [];
  const messages: Uint8Array[] = [];
  const statements: Signed[] = [];
  for (const place of places) {
    if (!place) continue;
    const epoch = place.epoch === kept?.epoch ? kept : await prover.kept(place.epoch);
    if (!epoch) continue;
    claims.push(...(await openEntry(prover, epoch, place.inbox, place.index)));
    const said = epoch.attestations[place.inbox];
    if (said) statements.push({ attestation: said.bytes, signature: said.signature });
    const message = messageAt(epoch, place.inbox, place.index);
    if (message) messages.push(message.preimage);
  }
  return { claims, messages, statements };
}

/** The page with an entry; none when what is kept is not what was signed. */
export async function openEntry(prover: Prover, kept: KeptEpoch, inbox: number, index: number) {
  const share = kept.inboxes[inbox];
  if (!share || 'unreadable' in share) return [];
  const pages = splitPages(share.pages, INBOX_ROW_BYTES);
  return prover.openSigned(kept, inbox, 0, pages, [Math.floor(index / PAGE_ENTRIES)]);
}

/** Messages of epochs that were looked at, by inbox and index; of those kept twice the first. */
const messages = new WeakMap<KeptEpoch, ReadonlyMap<number, KeptMessage>>();
const keyOf = (inbox: number, index: number) => inbox * 2 ** 32 + index;

export function messageAt(kept: KeptEpoch, inbox: number, index: number): KeptMessage | null {
  const all = messages.get(kept) ?? messagesIn(kept);
  messages.set(kept, all);
  return all.get(keyOf(inbox, index)) ?? null;
}

function messagesIn({ outboxes }: KeptEpoch): Map<number, KeptMessage> {
  const all = new Map<number, KeptMessage>();
  for (const share of outboxes)
    for (const message of 'unreadable' in share ? [] : share.messages) {
      const key = keyOf(message.inbox, message.index);
      if (!all.has(key)) all.set(key, message);
    }
  return all;
}
