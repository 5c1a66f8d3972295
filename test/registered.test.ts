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

test('many mailboxes in one request: all of them, or none and the line that is wrong', async () => {
  const server = await serverAt(directory('registered-many'), { mailboxes: 'registered', outboxes: '3' });
  try {
    const ids = Array.from({ length: 100 }, (_, i) => toHex(importSecretKey(keyOf(`many ${i}`)).publicKey));
    const add = async (body: string) => {
      const answer = await fetch(`${server.internalUrl}/v1/mailboxes`, { method: 'PUT', body });
      return { status: answer.status, ...((await answer.json()) as object) };
    };
    const wrong = await add([...ids.slice(0, 50), '00'.repeat(32)].join('\n'));
    assert.is(wrong.status, 400);
    assert.match(JSON.stringify(wrong), 'mailbox 51: public key');
    const refused = await clientOf(server, 'many 0').then(
      () => null,
      (error) => error,
    );
    assert.is(refused?.code, 'mailbox-not-registered');
    // Twice at once, overlapping and with one id twice: each answer means that all are there.
    const [half, all] = await Promise.all([
      add(`${ids.slice(0, 50).join('\n')}\n`),
      add([...ids, ids[0]].join('\n')),
    ]);
    assert.equal(
      [half, all],
      [
        { status: 200, mailboxes: 50 },
        { status: 200, mailboxes: 101 },
      ],
    );
    for (const body of ['', '\n', ids.join('\r\n'), `${ids[0]}\n`.repeat(10_001)])
      assert.is((await add(body)).status, 400);
    const first = await clientOf(server, 'many 0');
    await first.send({ to: ids.map((id) => Uint8Array.from(Buffer.from(id, 'hex'))), body: 'to all' });
    assert.equal(await read(first, 1), ['to all']);
    await first.close();
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
