/** What was hashed of a message that was received: with it a row of an inbox is known to be that message's. */
import { BundleHasher, HASH_BYTES } from '../protocol/index.js';
import type { Member } from './member.js';
import type { Message } from './message.js';
import { receivedHashInto } from './received-hash.js';
import type { World } from './world.js';

/** `message`: received by this member. */
export function preimageOf(message: Message, { serverId }: World, { identity }: Member): Uint8Array {
  const hasher = new Preimage(serverId);
  receivedHashInto(hasher, identity.publicKey, message.entry, new Uint8Array(HASH_BYTES), 0);
  return hasher.copy();
}

class Preimage extends BundleHasher {
  copy(): Uint8Array {
    return this.whole.slice();
  }
}
