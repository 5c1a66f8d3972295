/** How much a delivery costs beyond its body, where it is least amortised: one message, alone on its socket. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { address } from '../src/actors/messages.js';
import { decodeDeliver, FRAME, SESSION_KIND } from '../src/protocol/index.js';
import { Pipeline } from './support/pipeline.js';
import { clusterOf } from './support/side-by-side.js';
import * as twin from './twin/index.js';
import { named, worldOf } from './worlds.js';

const test = suite('delivery size');

const MAILBOXES = 1000;
const BODY_BYTES = 128;
const MOST_BYTES = 900;

/** Every mailbox on a socket of its own; the first is the sender's, and on none. */
function deliveries(): Uint8Array[] {
  const world = worldOf({ inboxes: 1, outboxes: 1, mailboxes: MAILBOXES, bundles: [], asked: [], moved: [] });
  const pipeline = new Pipeline(clusterOf(world), { checkInputs: false });
  const ids = world.clients.map(({ id }) => id);
  const sender = ids[0]!;
  ids.forEach((mailbox, connection) => {
    pipeline.open(mailbox, connection === 0 ? SESSION_KIND.front : SESSION_KIND.outbox, connection, 0);
  });
  // The first epoch brings everybody's log up to date; the second is what is looked at.
  for (const epoch of [0, 1]) {
    pipeline.takeGateway('frames');
    const bundles = ids.slice(1).map((mailbox) => {
      const recipients = [{ mailbox, blinder: named('blinder').subarray(0, 16), envelope: Buffer.alloc(0) }];
      return twin.bundleBytes({ sender, counter: 0n, recipients, body: Buffer.alloc(BODY_BYTES) });
    });
    const first = 1 + epoch * bundles.length;
    pipeline.tell(address('inbox'), { type: 'submit', frames: [pipeline.frame(sender, first, bundles)] });
    pipeline.close();
    pipeline.commit();
  }
  const frames = pipeline.takeGateway('frames').flatMap((message) => message.frames);
  return frames.filter((frame) => frame[0] === FRAME.deliver);
}

test(`at ${MAILBOXES} active mailboxes at most ${MOST_BYTES} bytes`, () => {
  const frames = deliveries();
  assert.is(frames.length, MAILBOXES - 1);
  const sizes = frames.map((frame) => {
    const { mailboxes, epoch } = decodeDeliver(frame);
    assert.is(mailboxes.length, 1);
    assert.ok(epoch.leaves >= MAILBOXES);
    return frame.length - BODY_BYTES;
  });
  const most = Math.max(...sizes);
  console.log(`${most} bytes beyond the body`);
  assert.ok(most <= MOST_BYTES, `${most} bytes`);
});

test.run();
