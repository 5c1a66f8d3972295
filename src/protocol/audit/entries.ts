/** What proves something of entries of inboxes: their pages, opened, and what else is kept of them. */
import { PAGE_ENTRIES } from '../limits.js';
import { INBOX_ROW_BYTES } from '../pages.js';
import type { Place } from '../place.js';
import type { Signed } from '../statement.js';
import type { Case } from './draft.js';
import { splitPages } from './items.js';
import type { Prover } from './prover.js';
import type { KeptEpoch } from './source.js';

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

export function messageAt({ outboxes }: KeptEpoch, inbox: number, index: number) {
  for (const share of outboxes) {
    if ('unreadable' in share) continue;
    const found = share.messages.find((each) => each.inbox === inbox && each.index === index);
    if (found) return found;
  }
  return null;
}
