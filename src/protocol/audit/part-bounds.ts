/** How long parts of each kind (kept-parts.ts) can be, by the manifests of a server that keeps to them. */
import { encodeAttestation, ROLE } from '../attestation.js';
import { HASH_BYTES, SIGNATURE_BYTES, ZERO_HASH } from '../bytes.js';
import { LINK_ENTRY_BYTES, LINK_HEADER_BYTES } from '../chain.js';
import { HAND_OVER_BYTES, HANDED_BYTES } from '../hand-over.js';
import { MAX_U16, PAGE_ENTRIES } from '../limits.js';
import { countActors, type Manifest } from '../manifest.js';
import { INBOX_ROW_BYTES, pagesBytes } from '../pages.js';
import { PART } from './kept-parts.js';

const OUTPUT_BYTES = 40;
/** A part of kind 6 has before its preimage, and of each recipient. */
const MESSAGE_HEAD_BYTES = 8;
const RECIPIENT_BYTES = 80;
const RUN_BYTES = 44;
const SUBMISSION_BYTES = 72;

/** Pages in a part of kind 3, runs in one of kind 4, bytes after which no submission begins in one of kind 10, leaves in one of kind 12. */
export const PAGES_PER_PART = 16;
export const RUNS_PER_PART = 256;
export const SUBMISSIONS_PER_PART = 1 << 16;
export const HANDED_PER_PART = 64;
/** Characters of a part of kind 7, of up to three bytes each. */
export const UNREADABLE_TEXT = 200;

/** By kind; of what is no kind undefined. */
export function partBounds(manifests: readonly Manifest[]): ReadonlyMap<number, number> {
  const most = (of: (manifest: Manifest) => number) => Math.max(...manifests.map(of));
  const outputs = most((manifest) => countActors(manifest, ROLE.outbox));
  const recipients = most(({ policy }) => policy.recipients);
  return new Map<number, number>([
    [PART.epoch, 16],
    [PART.attestation, attestationBytes() + outputs * OUTPUT_BYTES + SIGNATURE_BYTES],
    [PART.pages, pagesBytes(PAGES_PER_PART * PAGE_ENTRIES, INBOX_ROW_BYTES)],
    [PART.senders, RUNS_PER_PART * RUN_BYTES],
    [PART.leaf, HASH_BYTES + LINK_HEADER_BYTES + PAGE_ENTRIES * LINK_ENTRY_BYTES],
    [PART.message, MESSAGE_HEAD_BYTES + MAX_U16 + recipients * RECIPIENT_BYTES],
    [PART.unreadable, 1 + 3 * UNREADABLE_TEXT],
    [PART.end, 1],
    [PART.next, 8],
    [PART.submissions, SUBMISSIONS_PER_PART + SUBMISSION_BYTES + MAX_U16 * HASH_BYTES],
    [PART.handOver, 6 + HAND_OVER_BYTES + 2 * SIGNATURE_BYTES],
    [PART.handed, HANDED_PER_PART * Math.max(...Object.values(HANDED_BYTES))],
  ]);
}

/** Of one without outputs. */
function attestationBytes(): number {
  const base = { size: 0, root: ZERO_HASH };
  const of = { epoch: 0, base, manifestHash: ZERO_HASH, placementRoot: ZERO_HASH };
  const who = { serverId: ZERO_HASH, role: ROLE.inbox, actor: 0, inputs: ZERO_HASH, outputs: [] };
  return encodeAttestation({ ...of, ...who }).length;
}
