/** What a run has left on its disk, audited: all that was signed can be made again from it. */

import { StoreSource } from '../../src/actors/kept-source.js';
import type { StoreReader } from '../../src/actors/messages.js';
import { Placements } from '../../src/actors/placements.js';
import { audit } from '../../src/protocol/audit/index.js';
import type { Identity } from '../../src/server/founding.js';

export async function checkKept(identity: Identity, reader: StoreReader): Promise<string[]> {
  const { serverId, manifests } = identity;
  const source = new StoreSource({ reader, placements: new Placements(serverId, manifests) }, manifests);
  const { findings } = await audit(source);
  return findings.map(({ kind, text }) => `audit: ${kind}: ${text}`);
}
