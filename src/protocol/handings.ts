/** Who hands over to whom (hand-over.ts) when one version of the manifest follows another. */
import { ROLE } from './attestation.js';
import type { HandingRole } from './hand-over.js';
import { BUCKETS } from './limits.js';
import type { Manifest } from './manifest.js';
import { type PlacedAt, placesOf } from './placement.js';

/** Who hands over to whom, by which version of the manifest. */
export interface Handing {
  readonly version: number;
  readonly role: HandingRole;
  readonly from: number;
  readonly to: number;
}

export const HANDING_ROLES: readonly HandingRole[] = [ROLE.inbox, ROLE.outbox];

/** By which of an id's two places actors of this role are. */
export const placedBy = (role: number): keyof PlacedAt => (role === ROLE.inbox ? 'inbox' : 'outbox');

/** Each two actors such that buckets go from the one to the other, whether anybody is in them or not. */
export function handings(before: Manifest, next: Manifest): Handing[] {
  const [old, now] = [placesOf(before), placesOf(next)];
  const found = new Map<string, Handing>();
  for (const role of HANDING_ROLES)
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      const kind = placedBy(role);
      const [from, to] = [old[bucket]![kind], now[bucket]![kind]];
      if (from !== to) found.set(`${role} ${from} ${to}`, { version: next.version, role, from, to });
    }
  return [...found.values()];
}
