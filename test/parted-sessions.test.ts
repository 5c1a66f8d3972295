/** A socket's mailboxes that part over a move: how far the log is known. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { connectMany } from '../src/client/index.js';
import { changeActors } from '../src/server/resizing.js';
import { clientOf, keyOf } from './client-helpers.js';
import { until } from './support/cosigning.js';
import { house } from './support/rotation-client.js';

const test = suite('parted sessions');

/** So many that some of them part. */
const KEYS = Array.from({ length: 40 }, (_, i) => keyOf(`parted ${i}`));
test('when mailboxes part, the log stays as proven as it was', async () => {
  // No epoch but those of messages: then nothing new is proven on a new socket.
  const home = await house({ outboxes: '1', 'epoch-heartbeat-ms': '600000' });
  const read = new Set<number>();
  const gateway = await connectMany({
    url: home.server.url,
    keys: KEYS,
    backoffFirstMs: 20,
    onMessages: (mailbox) => void read.add(mailbox),
  });
  const sender = await clientOf(home.server, 'parting');
  await sender.send({ to: KEYS.map((_, i) => gateway.id(i)), body: 'x' });
  await until('all have come', () => read.size === KEYS.length);
  await until('the log is known', () => gateway.checkpoint.size > 0);
  const { size } = gateway.checkpoint;

  const caughtUp = new Set<number>();
  gateway.on('end-of-backlog', ({ mailbox }) => caughtUp.add(mailbox));
  await home.again(() => changeActors(home.data, { inboxes: 1, outboxes: 3 }));
  await until('all have caught up', () => caughtUp.size === KEYS.length);
  assert.is(gateway.outboxes.length, 3);
  for (const { proven } of gateway.outboxes)
    assert.ok(proven.size >= size, `${proven.size}, and was ${size}`);

  await gateway.close();
  await sender.close();
  await home.server.stop();
});

test.run();
