/** What sends: a file of its own in browsers, and loaded when it is first needed, everywhere (sending.ts). */
import { BundleHasher, decodePlaced, SUBMISSIONS, submissionBytes } from '../protocol/index.js';
import type { Counters } from './counters.js';
import type { FrontSession } from './front-session.js';
import type { Settings } from './options.js';
import { Sender } from './sender.js';
import { overFrame } from './verification-error.js';
import type { World } from './world.js';

export { SenderClient } from './sender-client.js';

/** `bundles`: those without receipt that the store holds, from the next counter on. */
export function makeSender(
  counters: Counters,
  { serverId, manifest: { policy } }: World,
  { window, windowBytes, maxQueued }: Settings,
  proven: boolean,
  bundles: readonly Uint8Array[] = [],
): Sender {
  const { identity } = counters;
  const signs = policy.submissions !== SUBMISSIONS.off;
  const options = {
    window: Math.min(window, policy.countersKept),
    windowBytes,
    maxQueued,
    policy,
    proven,
    sign: signs
      ? (first: number, hashes: Uint8Array) =>
          identity.sign(submissionBytes(serverId, identity.publicKey, first, hashes))
      : null,
  };
  return new Sender(counters, options, new BundleHasher(serverId), bundles);
}

/** Tells senders, and who listens, where messages of theirs are placed. Throws `VerificationError`. */
export function takePlaced(front: FrontSession, frame: Uint8Array): void {
  const placed = overFrame(frame, () => decodePlaced(frame));
  const member = front.memberAt(placed.slot, frame);
  const { epoch, inbox, messages } = placed;
  for (const { counter, index } of messages) member.counters.sender?.placed(counter, { epoch, inbox, index });
  front.host.events.emit('placed', { mailbox: member.index, epoch, inbox, messages });
}
