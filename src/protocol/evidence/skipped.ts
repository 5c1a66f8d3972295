/**
 * Evidence that a chain skips a counter (rule 19) once more, with what its inbox has signed of the later message, and of the
 * place that it says the sender's message before has: then an actor is guilty, or it is about that place (rule 18).
 */
import { ROLE } from '../attestation.js';
import { type Claim, decodeClaim } from '../claim.js';
import { PAGE_ENTRIES } from '../limits.js';
import { decodeManifest } from '../manifest.js';
import type { Place } from '../place.js';
import { type Accusation, accuse, type CaseFile } from './accuse.js';
import type { Dispute } from './dispute.js';
import { decodeEvidence, type EvidenceOf, RULE } from './evidence.js';
import { readMailboxLeaf } from './leaves.js';
import { decodedOrNull, rowsOf } from './testimony.js';

/** The message behind a skip: whose it is, and where. Its names are public: in browsers those of the client's own are shorter. */
export interface SkippedCounter extends Place {
  readonly sender: Uint8Array;
  /** Of the log that it is proven in. */
  readonly sizes: readonly number[];
}

/** Null where it is about no skip, or has not the entry behind one. Throws `FormatError` on what is no evidence. */
export function skippedCounter(evidence: Uint8Array): SkippedCounter | null {
  const decoded = decodeEvidence(evidence);
  if (decoded.rule !== RULE.ownCounters) return null;
  const { sender, links, first, messages } = decoded;
  const entries = links.flatMap(({ leaf }) => {
    const read = readMailboxLeaf(leaf);
    return read.kind === 'link'
      ? read.entries.map(({ inbox, index }) => ({ epoch: read.epoch, inbox, index }))
      : [];
  });
  const place = entries[first + messages.length - 1];
  return place ? { sender, ...place, sizes: [links[0]!.checkpoint.size] } : null;
}

/** What the row of an inbox at a place says to be the place of the sender's message before; null where no claim shows it, or it says none. */
export function placeBefore(claims: readonly Uint8Array[], { epoch, inbox, index }: Place): Place | null {
  const page = claims.map(decodeClaim).find(({ attestation, leafIndex }) => {
    const decoded = decodedOrNull(attestation);
    const isInbox = decoded?.role === ROLE.inbox && decoded.actor === inbox;
    return isInbox && decoded.epoch === epoch && leafIndex === Math.floor(index / PAGE_ENTRIES);
  });
  const previous = page && rowsOf(page)[index % PAGE_ENTRIES]?.previous;
  return previous?.epoch ? previous : null;
}

/**
 * `opened`: claims; `lost`: preimages of messages that are skipped, as far as they are known, the newest last. Null where that proves no more,
 * or `skippedCounter` is null. Throws `FormatError` on bytes that are no evidence, claim or manifest.
 */
export function accuseOfSkip(
  evidence: Uint8Array,
  opened: readonly Uint8Array[],
  lost: readonly Uint8Array[],
  serverId: Uint8Array,
  bridge: Dispute['bridge'],
): Accusation | null {
  const skip = skippedCounter(evidence);
  const { manifests, sender, links, messages } = decodeEvidence(evidence) as EvidenceOf<'ownCounters'>;
  const manifest = manifests.at(-1);
  if (!skip || !manifest) return null;
  const { rootKey } = decodeManifest(manifest.bytes);
  const claims: Claim[] = [...links, ...opened.map(decodeClaim)];
  const file: CaseFile = { manifests, claims, bridge };
  const found = accuse({ ...file, messages: [...messages, ...lost] }, serverId, rootKey);
  if (found?.verdict.outcome === 'actor') return found;
  const before = placeBefore(opened, skip);
  const message = lost.at(-1);
  if (!before || !message) return null;
  return accuse(
    { ...file, subject: { mailbox: sender, ...before, message, recipients: [] } },
    serverId,
    rootKey,
  );
}
