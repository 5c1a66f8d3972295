/** Check, then sign: what an outbox holds against its receiver's attestation (`checks: everywhere`). */
import {
  BundleCursor,
  type BundleLimits,
  equalBytes,
  ITEM_ROW_BYTES,
  MessageHasher,
  type PublicKeyBook,
  RECEIVER_PREFIX,
  ROLE,
  sameBytes,
} from '../protocol/index.js';
import { ActorFault, checkAttestation, checkPagesOutput } from './attest.js';
import { BodyPacker } from './body-packer.js';
import { idBytes } from './ids.js';
import { type ReceiverItems, SENT_ONLY } from './messages.js';
import type { SignedEpoch } from './signed-epoch.js';

interface CheckOptions {
  readonly index: number;
  readonly serverId: Uint8Array;
  readonly keys: PublicKeyBook;
  readonly limits: BundleLimits;
}

/** The receiver's signature, context and pages. Throws `ActorFault`. */
export function checkReceiver(
  { context, attestation, items }: ReceiverItems,
  { keys, serverId, index }: CheckOptions,
): void {
  const signed = checkAttestation(attestation, keys, serverId, ROLE.receiver, index, context);
  checkPagesOutput(
    signed.outputs[0],
    items.pages,
    items.count,
    ITEM_ROW_BYTES,
    RECEIVER_PREFIX,
    `receiver ${index}`,
  );
}

/** Every message that will be delivered: its bytes as packed, against the hash in the chain. Throws `ActorFault`. */
export function checkBodies({ links, bodies }: SignedEpoch, { serverId, limits, index }: CheckOptions): void {
  const hasher = new MessageHasher(serverId);
  const cursor = new BundleCursor(limits);
  const hash = new Uint8Array(32);
  const fault = (what: string) => new ActorFault(`receiver ${index}: ${what}`);
  for (let i = 0; i < links.mailboxes; i++) {
    const mailbox = idBytes(links.mailbox(i));
    for (let x = links.firstRow(i); x < links.firstRow(i) + links.rowCount(i); x++) {
      const row = links.row(x);
      if (row.position === SENT_ONLY) continue;
      const body = BodyPacker.read(bodies, row.detail);
      cursor.parse(bodies, body.from, body.to);
      cursor.checkEnvelopes();
      hasher.sender(bodies, row.detail);
      hasher.bundle(body.counter, cursor, hash, 0);
      if (!sameBytes(hash, 0, links.bytes, row.hashAt, 32))
        throw fault('bytes of a message have another hash');
      const at = cursor.mailboxAt(row.position);
      if (row.position >= cursor.recipients || !equalBytes(mailbox, bodies.subarray(at, at + 32))) {
        throw fault('message of another mailbox');
      }
    }
  }
}
