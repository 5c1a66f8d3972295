/** A server that opens what its stages have signed. */
import {
  decodeClaim,
  decodePlaced,
  ERRORS,
  encodeBundle,
  encodeSubmit,
  FRAME,
  type OpenedItem,
  type Opening,
  ROLE,
  verifyClaim,
} from '../../src/protocol/index.js';
import type { Server } from '../../src/server/index.js';
import { directory, serverAt } from '../client-helpers.js';
import { idOf } from './names.js';
import { Raw } from './raw.js';

export const FRONT = '/v1/front';
export const ZERO = new Uint8Array(32);

/** One message of alice to bob; everybody else has a mailbox. */
export async function world(flags: Record<string, string> = {}) {
  const server = await serverAt(directory('openings'), flags);
  for (const name of ['bob', 'mallory']) (await Raw.session(server.url, FRONT, name)).close();
  const alice = await Raw.session(server.url, FRONT, 'alice');
  return { server, alice, item: await sent(alice, 1, ['bob']) };
}

async function sent(sender: Raw, counter: number, to: readonly string[]): Promise<OpenedItem> {
  const recipients = to.map((name) => ({ mailbox: idOf(name), envelope: new Uint8Array(0) }));
  recipients.sort((a, b) => Buffer.compare(a.mailbox, b.mailbox));
  sender.send(encodeSubmit(0, counter, [encodeBundle(recipients, new Uint8Array(10), ZERO)]));
  const { epoch, inbox, messages } = decodePlaced(await sender.next(FRAME.placed));
  return { stage: ROLE.inbox, epoch, inbox, index: messages[0]!.index, mailbox: ZERO };
}

export const codeOf = ({ error }: Opening) =>
  Object.entries(ERRORS).find(([, { number }]) => number === error)?.[0] ?? error;

export function verified({ identity }: Server, claims: readonly Uint8Array[]) {
  return claims.map((claim) =>
    verifyClaim(decodeClaim(claim), identity.serverId, identity.manifest, identity.serverId),
  );
}
