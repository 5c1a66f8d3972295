/** Which inbox and which outbox serve an id. */
import { ascii, fixed, H, join, mustRise, u8, u16 } from './bytes.js';
import type { Run } from './manifest.js';
import { root } from './merkle.js';

export interface Exception {
  id: Buffer;
  inbox: number;
  outbox: number;
}

export interface Assigned {
  inbox: number;
  outbox: number;
}

/** placement leaf = 0x00 ‖ `csign1pl` ‖ id 32 ‖ inbox 2 ‖ outbox 2 */
export function placementLeaf(exception: Exception): Buffer {
  return join(
    u8(0x00),
    ascii('csign1pl'),
    fixed(32, exception.id),
    u16(exception.inbox),
    u16(exception.outbox),
  );
}

/** The root over the exceptions, sorted by id; H("") when there are none. */
export function placementRoot(exceptions: Exception[]): Buffer {
  mustRise('exceptions', exceptions, (a, b) => Buffer.compare(a.id, b.id));
  return root(exceptions.map((exception) => H(placementLeaf(exception))));
}

/** bucket = first 8 bytes of H(`csign1bk` ‖ server id 32 ‖ id 32) as a u64, mod 4096 */
export function bucketOf(serverId: Uint8Array, id: Uint8Array): number {
  const hash = H(ascii('csign1bk'), fixed(32, serverId), fixed(32, id));
  return Number(hash.readBigUInt64BE(0) % 4096n);
}

/** By its exception, else by the last run that starts at or below its bucket. */
export function placementOf(
  serverId: Uint8Array,
  runs: Run[],
  exceptions: Exception[],
  id: Buffer,
): Assigned {
  const exception = exceptions.find((candidate) => candidate.id.equals(id));
  if (exception) return { inbox: exception.inbox, outbox: exception.outbox };
  const bucket = bucketOf(serverId, id);
  const run = runs.filter((candidate) => candidate.firstBucket <= bucket).at(-1)!;
  return { inbox: run.inbox, outbox: run.outbox };
}
