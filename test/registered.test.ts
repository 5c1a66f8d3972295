/** `mailboxes: registered`: only keys that the operator has added have a mailbox. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { importSecretKey } from '#crypto';
import { toHex } from '../src/protocol/index.js';
import { clientOf, directory, keyOf, read, serverAt } from './client-helpers.js';

test('a key without a mailbox is refused, and taken once the operator has added it', async () => {
  const server = await serverAt(directory('registered'), { mailboxes: 'registered' });
  try {
    const refused = await clientOf(server, 'ann').then(
      () => null,
      (error) => error,
    );
    assert.is(refused?.code, 'mailbox-not-registered');
    const add = (id: string) => fetch(`${server.internalUrl}/v1/mailboxes/${id}`, { method: 'PUT' });
    assert.is((await add(toHex(importSecretKey(keyOf('ann')).publicKey))).status, 200);
    assert.is((await add('00'.repeat(32))).status, 400);
    assert.is((await fetch(`${server.url}/v1/mailboxes/zz`)).status, 400);
    const ann = await clientOf(server, 'ann');
    await ann.send({ to: ann.id, body: 'to myself' });
    assert.equal(await read(ann, 1), ['to myself']);
    await ann.close();
  } finally {
    await server.stop();
  }
});

test('health: the process answers, and is ready until it stops', async () => {
  const server = await serverAt(directory('health'));
  for (const path of ['healthz', 'readyz'])
    assert.is((await fetch(`${server.internalUrl}/${path}`)).status, 200);
  assert.is((await fetch(`${server.url}/healthz`)).status, 404);
  assert.is((await fetch(`${server.url}/v1/manifest`, { method: 'POST' })).status, 405);
  await server.stop();
});

test.run();
