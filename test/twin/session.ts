/** What a client signs to open a mailbox on a connection. */
import { ascii, fixed, join, u8 } from './bytes.js';

export const FRONT = 1;
export const OUTBOX_SESSION = 2;

export interface Session {
  serverId: Buffer;
  kind: number;
  serverChallenge: Buffer;
  clientNonce: Buffer;
  key: Buffer;
}

/**
 * signed = `countersign/v1 session` ‖ server id 32 ‖ kind 1 ‖ server challenge 32
 *          ‖ client nonce 32 ‖ key 32
 */
export function sessionSigned(session: Session): Buffer {
  return join(
    ascii('countersign/v1 session'),
    fixed(32, session.serverId),
    u8(session.kind),
    fixed(32, session.serverChallenge),
    fixed(32, session.clientNonce),
    fixed(32, session.key),
  );
}
