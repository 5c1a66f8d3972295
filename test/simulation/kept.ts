/** What a run has left on its disk, audited: all that was signed can be made again from it. */
import { StoreSource } from '../../src/actors/kept-source.js';
import type { StoreReader } from '../../src/actors/messages.js';
import { audit } from '../../src/protocol/audit/index.js';
import { countActors, ROLE } from '../../src/protocol/index.js';
import type { Identity } from '../../src/server/founding.js';

export async function checkKept(identity: Identity, reader: StoreReader): Promise<string[]> {
  const { manifest, serverId, manifests } = identity;
  const inboxes = countActors(manifest, ROLE.inbox);
  const outboxes = countActors(manifest, ROLE.outbox);
  const source = new StoreSource({ reader, serverId, inboxes, outboxes }, manifests);
  const { findings } = await audit(source);
  return findings.map(({ kind, text }) => `audit: ${kind}: ${text}`);
}
