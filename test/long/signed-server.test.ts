/** A server that requires signed submissions, and one that takes none. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { clientOf, directory, read, serverAt } from '../client-helpers.js';

for (const submissions of ['required', 'accepted'])
  test(`submissions ${submissions}: the client library signs, and messages and receipts come`, async () => {
    const place = directory(`signed-${submissions}`);
    let server = await serverAt(place, { submissions });
    try {
      const [ann, bob] = [await clientOf(server, 'ann'), await clientOf(server, 'bob')];
      const bodies = Array.from({ length: 300 }, (_, i) => `${i}`);
      const receipts = await Promise.all(bodies.map((body) => ann.send({ to: [ann.id, bob.id], body })));
      assert.equal(
        receipts.map(({ counter }) => counter),
        bodies.map((_, i) => i + 1),
      );
      assert.equal(await read(bob, 300), bodies);
      const refused = await ann
        .send({ to: new Uint8Array(32).fill(7), body: 'x' })
        .catch((error) => error.code);
      assert.is(refused, 'no-such-mailbox');
      const [first, missing] = await Promise.allSettled([
        ann.send({ to: bob.id, body: 'beside' }),
        ann.send({ to: new Uint8Array(32).fill(7), body: 'y' }),
      ]);
      assert.is(first.status, 'fulfilled');
      assert.is(missing.status, 'rejected');
      assert.equal(await read(bob, 1), ['beside']);
      await Promise.all([ann.close(), bob.close()]);
      await server.stop();
      server = await serverAt(place, {});
      const again = await clientOf(server, 'cid');
      assert.is((await again.send({ to: again.id, body: 'after a restart' })).counter, 1);
      await again.close();
    } finally {
      await server.stop();
    }
  });

test.run();
