/** Every system that the bench knows, in the order in which they are listed. */
import { central, centralGroup, echo } from '../baselines/central.js';
import type { System } from '../system.js';
import { countersign, countersignUnverified, unattested } from './countersign.js';
import { NATS } from './nats.js';
import { REDIS } from './redis.js';

export const SYSTEMS: readonly System[] = [
  countersign,
  countersignUnverified,
  unattested,
  centralGroup,
  central,
  echo,
  ...REDIS,
  ...NATS,
];

/** Throws `TypeError` on a name that is not known. */
export function systemOf(name: string): System {
  const system = SYSTEMS.find((each) => each.name === name);
  if (system) return system;
  const names = SYSTEMS.map((each) => each.name).join(', ');
  throw new TypeError(`--system ${name}: expected one of ${names}`);
}
