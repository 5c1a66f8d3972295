/** Who is who at a countersign server: keys that every process of the bench makes alike. */
import { createHash, createPrivateKey, sign } from 'node:crypto';
import type { Signer } from '#crypto';
import { toHex } from '../../src/protocol/index.js';

export const seedOf = (name: string) =>
  Uint8Array.from(createHash('sha256').update(`bench ${name}`).digest());

/** OpenSSL reads the seed alone, and says what belongs here. */
const ANY_X = Buffer.alloc(32).toString('base64url');

/** What `importSecretKey` makes of the seed, in a tenth of the time that DER takes: there may be a million mailboxes. */
export function signerOf(name: string): Signer {
  const d = Buffer.from(seedOf(name)).toString('base64url');
  const key = createPrivateKey({ key: { kty: 'OKP', crv: 'Ed25519', d, x: ANY_X }, format: 'jwk' });
  return {
    publicKey: Uint8Array.from(Buffer.from(key.export({ format: 'jwk' }).x!, 'base64url')),
    sign: (message) => sign(null, message, key),
  };
}

/** How a server is reached, and the ids of all mailboxes, 32 bytes each. */
export interface CountersignAddress {
  readonly url: string;
  readonly internalUrl: string;
  readonly ids: Uint8Array;
}

/** A machine may be very busy while all clients come at once. */
export const CONNECT_MS = 60_000;

export const idAt = (ids: Uint8Array, mailbox: number) => ids.subarray(32 * mailbox, 32 * mailbox + 32);

const IDS_PER_REQUEST = 10_000;

export async function registerMailboxes(
  { internalUrl, ids }: CountersignAddress,
  mailboxes: readonly number[],
): Promise<void> {
  for (let from = 0; from < mailboxes.length; from += IDS_PER_REQUEST) {
    const lines = mailboxes.slice(from, from + IDS_PER_REQUEST).map((each) => toHex(idAt(ids, each)));
    const answer = await fetch(`${internalUrl}/v1/mailboxes`, { method: 'PUT', body: lines.join('\n') });
    if (!answer.ok) throw new Error(`registering mailboxes: ${await answer.text()}`);
  }
}

/** A place as one number that sorts alike: at most 64 inboxes and 65,536 messages each in an epoch, 2^31 epochs. */
export const placeNumber = (epoch: number, inbox: number, index: number) =>
  (epoch * 64 + inbox) * 65_536 + index;
