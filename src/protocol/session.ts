/**
 * Sessions: a client opens a mailbox on a socket by signing the server's challenge with its key.
 *
 *   signed  countersign/v1 session ‖ server id 32 ‖ kind 1 ‖ server challenge 32 ‖ client nonce 32 ‖ key 32
 */
import { ascii, concat } from './bytes.js';

const DOMAIN = ascii('countersign/v1 session');

/** front: submits bundles. outbox: receives deliveries. */
export const SESSION_KIND = { front: 1, outbox: 2 } as const;
export type SessionKind = (typeof SESSION_KIND)[keyof typeof SESSION_KIND];

export function sessionBytes(
  serverId: Uint8Array,
  kind: SessionKind,
  challenge: Uint8Array,
  nonce: Uint8Array,
  key: Uint8Array,
): Uint8Array {
  return concat(DOMAIN, serverId, Uint8Array.of(kind), challenge, nonce, key);
}
