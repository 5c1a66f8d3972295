/** Who is guilty, as rules find it. */
import { ROLE_NAMES, type Role } from '../attestation.js';
import { toHex } from '../bytes.js';
import type { Actor } from './court.js';

export interface Suspect {
  readonly role: Role;
  readonly index: number;
}

/** `text`: what it did, for people. */
export type Guilt =
  | { readonly outcome: 'actor'; readonly actor: Actor; readonly text: string }
  | { readonly outcome: 'server'; readonly suspects: readonly Suspect[]; readonly text: string }
  | { readonly outcome: 'operator'; readonly key: Uint8Array; readonly text: string };

export const nameOf = ({ role, index }: Suspect) => `${ROLE_NAMES[role]} ${index}`;

export function guiltyActor(actor: Actor, text: string): Guilt {
  return { outcome: 'actor', actor, text: `${nameOf(actor)} ${text}` };
}

/** The server as a whole: one of these actors, and which one is not said. */
export function guiltyServer(suspects: readonly Suspect[], text: string): Guilt {
  return { outcome: 'server', suspects, text };
}

export function guiltyOperator(key: Uint8Array, text: string): Guilt {
  return { outcome: 'operator', key, text: `the operator with the root key ${toHex(key)} ${text}` };
}
