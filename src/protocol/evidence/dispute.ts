/**
 * Accuses of one place where two clients differ, or again with what holders have opened of it, and of two logs: from bytes
 * alone, as clients and holders give them.
 */
import { HASH_BYTES, Reader } from '../bytes.js';
import { type Claim, decodeClaim } from '../claim.js';
import { decode, struct } from '../fields.js';
import type { Checkpoint } from '../log.js';
import { decodeManifest } from '../manifest.js';
import type { SignedManifest } from '../manifest-chain.js';
import { isPowerOfTwo } from '../merkle.js';
import { SENDER_AT } from '../message-hash.js';
import { decodeOpenedHandOver } from '../opened-hand-over.js';
import { checkpointFields } from '../statement.js';
import { type Accusation, accuse, type CaseFile } from './accuse.js';
import { decodeEvidence, RULE } from './evidence.js';
import { type Recipient, recipientFields } from './message.js';

/**
 * What two clients hold of a place at which one has a message, and the other another one or none. Its names are public, or
 * no client's own: in browsers those are shorter in the client's files, and not here.
 */
export interface Dispute {
  readonly serverId: Uint8Array;
  /** All versions, from the first one on. */
  readonly manifests: readonly SignedManifest[];
  /** Of the leaves of both mailboxes. */
  readonly claims: readonly Uint8Array[];
  readonly epoch: number;
  readonly inbox: number;
  readonly index: number;
  /** Mailbox that has none, or another one; and the one that has it. */
  readonly lacking: Uint8Array;
  readonly having: Uint8Array;
  /** Preimage of its hash, where the other one has none. */
  readonly message: Uint8Array | null;
  /** That the other is a recipient, as it stands in evidence; null where it is the sender. */
  readonly shownTo: Uint8Array | null;
  /** The consistency proof between two sizes of the log; empty where there is none. */
  readonly bridge: (from: number, to: number) => Uint8Array;
}

const recipientField = struct(recipientFields);
const headField = struct(checkpointFields);

function readRecipient(bytes: Uint8Array): Recipient {
  const from = new Reader(bytes);
  const recipient = recipientField.read(from);
  from.end();
  return recipient;
}

/** Null when nothing is proven. Throws `FormatError` on bytes that are no claim or recipient. */
export function accuseOfPlace(dispute: Dispute): Accusation | null {
  const { serverId, manifests, bridge, message, shownTo } = dispute;
  const { lacking, having, epoch, inbox, index } = dispute;
  const file: CaseFile = {
    manifests,
    claims: dispute.claims.map(decodeClaim),
    subject: {
      ...{ mailbox: lacking, epoch, inbox, index, others: [having] },
      ...(message && { message, recipients: shownTo ? [readRecipient(shownTo)] : [] }),
    },
    bridge,
  };
  return accuse(file, serverId, decodeManifest(manifests[0]!.bytes).rootKey);
}

/**
 * Accuses of what a client's own chain shows: where it skips a counter of the client's messages. `claims`: of links, under one checkpoint;
 * `messages`: what was hashed of those in them; `manifests`: all versions, from the first one on. Null when nothing is proven. Throws
 * `FormatError` on bytes that are no claim.
 */
export function accuseOfChain(
  claims: readonly Uint8Array[],
  messages: readonly Uint8Array[],
  manifests: readonly SignedManifest[],
  serverId: Uint8Array,
  rootKey: Uint8Array,
): Accusation | null {
  return accuse({ manifests, claims: claims.map(decodeClaim), messages }, serverId, rootKey);
}

/**
 * Accuses of two heads, each of a log that a client has verified. `own`, `others`: size 8 ‖ root 32 ‖ signature 64; `proofs`: what was
 * given as consistency proofs between their sizes, and from the smaller plus 1, packed; `manifests`: all versions, from the first one on. Null
 * when nothing is proven.
 */
export function accuseOfHeads(
  own: Uint8Array,
  others: Uint8Array,
  proofs: readonly Uint8Array[],
  manifests: readonly SignedManifest[],
  serverId: Uint8Array,
  rootKey: Uint8Array,
): Accusation | null {
  const checkpoints = [own, others].map((head): Checkpoint => decode(headField, head));
  // Of a power of two the proof has not the root, and that from one leaf more has it among its hashes.
  const size = Math.min(...checkpoints.map((each) => each.size));
  const roots = isPowerOfTwo(size) ? proofs.flatMap(hashesOf) : [];
  for (const proof of [...proofs, new Uint8Array(0)]) {
    const found = accuse(
      { manifests, claims: [], checkpoints, bridge: () => proof, roots },
      serverId,
      rootKey,
    );
    if (found) return found;
  }
  return null;
}

const hashesOf = (packed: Uint8Array) =>
  Array.from({ length: packed.length / HASH_BYTES }, (_, i) =>
    packed.subarray(i * HASH_BYTES, (i + 1) * HASH_BYTES),
  );

/** Of which mailboxes and place evidence against the server is: the one that misses a message, and the one that has it. */
export interface DisputedPlace {
  readonly epoch: number;
  readonly inbox: number;
  readonly index: number;
  readonly lacking: Uint8Array;
  readonly having: Uint8Array;
  /** Of the message; null where the other one has another message there. */
  readonly sender: Uint8Array | null;
  /** Of the logs that it is proven in. */
  readonly sizes: readonly number[];
}

/** Null where it is not about one. Throws `FormatError` on what is no evidence. */
export function disputedPlace(evidence: Uint8Array): DisputedPlace | null {
  const decoded = decodeEvidence(evidence);
  if (decoded.rule !== RULE.stages) return null;
  const { epoch, inbox, index, mailbox, other, message } = decoded;
  const sender = message[0]?.subarray(SENDER_AT, SENDER_AT + HASH_BYTES) ?? null;
  const sizes = [decoded.earlier, decoded.later].map(({ checkpoint }) => checkpoint.size);
  return { epoch, inbox, index, lacking: mailbox, having: other, sender, sizes };
}

/**
 * Evidence of a place once more, with what holders have opened of it, and hand-overs of moves since; bridges by what the caller knows, besides the one
 * in it. Null when that proves nothing, or is of no place. Throws `FormatError` on bytes that are no evidence, claim, hand-over or manifest.
 */
export function accuseAgain(
  evidence: Uint8Array,
  opened: readonly Uint8Array[],
  handOvers: readonly Uint8Array[],
  serverId: Uint8Array,
  bridge: Dispute['bridge'],
): Accusation | null {
  const stages = decodeEvidence(evidence);
  const manifest = stages.manifests.at(-1);
  if (stages.rule !== RULE.stages || !manifest) return null;
  const { manifests, earlier, later, epoch, inbox, index, mailbox, other, message, recipients } = stages;
  const held = [earlier, later].flatMap(({ leaves, ...witness }) =>
    leaves.map((leaf): Claim => ({ ...witness, ...leaf, output: 0 })),
  );
  const known = (from: number, to: number) =>
    [from, to].every((size) => [earlier, later].some(({ checkpoint }) => checkpoint.size === size));
  const file: CaseFile = {
    manifests,
    claims: [...held, ...opened.map(decodeClaim)],
    handOvers: handOvers.map(decodeOpenedHandOver),
    bridge: (from, to) => (known(from, to) ? stages.bridge : bridge(from, to)),
  };
  const { rootKey } = decodeManifest(manifest.bytes);
  const place = { epoch, inbox, index, recipients, ...(message[0] && { message: message[0] }) };
  const found = accuse({ ...file, subject: { ...place, mailbox, others: [other] } }, serverId, rootKey);
  if (message[0] || found?.verdict.outcome === 'actor') return found;
  // Of two messages at one place either may be the one that was changed on its way.
  const turned = accuse(
    { ...file, subject: { ...place, mailbox: other, others: [mailbox] } },
    serverId,
    rootKey,
  );
  return turned?.verdict.outcome === 'actor' ? turned : found;
}
