/** The submission of a message, as its inbox opens it: held against the row and the message. Loaded with openings.ts. */
import { FormatError, type OpenedItem, ROLE } from '../protocol/index.js';
import type { World } from './world.js';

/** Verified: the sender's signature over the frame that the message was taken in with. */
export interface Submission {
  readonly sender: Uint8Array;
  readonly counter: number;
  /** In binary form, as evidence has it. */
  readonly bytes: Uint8Array;
}

/** What judges; what verifies openings has it loaded. */
type Judge = Pick<typeof import('../protocol/evidence/index.js'), 'submittedBy'>;

/**
 * Bytes: evidence that the inbox has taken in what nobody submitted. Null where nothing is there, or it is unsigned, which the
 * manifest lets be. `claim` verifies; `message`: preimage of its hash, where it is known. Throws `FormatError` where what is
 * shown is not what the row names, or does not show the message.
 */
export function submissionOf(
  { submittedBy }: Judge,
  { serverId, manifest, manifests }: World,
  { stage, index }: OpenedItem,
  message: Uint8Array | null,
  isThere: boolean,
  claim: Uint8Array,
  shown: Uint8Array | undefined,
): Submission | Uint8Array | null {
  if (stage !== ROLE.inbox || !isThere) {
    if (shown) throw new FormatError('a submission of nothing');
    return null;
  }
  const bytes = shown ? Uint8Array.from(shown) : null;
  const { rootKey } = manifest;
  const found = submittedBy(claim, index, bytes, message, manifests, serverId, rootKey);
  if (!found || found instanceof Uint8Array) return found;
  return { ...found, bytes: bytes! };
}
