/** Limits that take long to reach, or much. */
import { setTimeout as pass } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { numberKey, TABLE } from '../../src/actors/store-keys.js';
import { ERRORS, encodeBundle, encodeSubmit } from '../../src/protocol/index.js';
import { Store } from '../../src/server/store.js';
import { clientOf, directory, read, unsignedAt } from '../client-helpers.js';
import { idOf } from '../support/names.js';
import { Raw } from '../support/raw.js';

const test = suite('long limits');

test('limits.retentionEpochs: what stages signed is kept for as long, and mail for longer', async () => {
  const fast = { 'limits-retention-epochs': '2000', 'epoch-heartbeat-ms': '1', 'epoch-min-interval-ms': '0' };
  const server = await unsignedAt(directory('retention'), fast);
  const [ann, ben] = await Promise.all([clientOf(server, 'ann'), clientOf(server, 'ben')]);
  const acknowledged = await ann.send({ to: ann.id, body: 'read' });
  assert.equal(await read(ann, 1), ['read']);
  const id = ben.id;
  await ben.close();
  const unread = await ann.send({ to: id, body: 'waits' });
  const log = server.checkpoint().size;
  while (server.checkpoint().size < log + 2200) await pass(50);
  const again = await clientOf(server, 'ben');
  assert.equal(await read(again, 1), ['waits']);
  await Promise.all([ann.close(), again.close()]);
  await server.stop();
  const store = Store.open(server.config.data, assert.unreachable);
  const kept = (epoch: number) => store.get(numberKey(TABLE.attestations, epoch)) !== undefined;
  assert.not(kept(acknowledged.place.epoch));
  assert.ok(kept(unread.place.epoch), 'the proof of mail that waited was deleted');
  await store.close();
});

test('limits.bytesInFlight: who takes no answers is cut off, and nothing is held for it', async () => {
  const server = await unsignedAt(directory('answers'), { 'limits-bytes-in-flight': '1024' });
  const raw = await Raw.session(server.url, '/v1/front', 'mallory');
  raw.socket.pause();
  const bundle = encodeBundle(
    [{ mailbox: idOf('nobody'), envelope: new Uint8Array(0) }],
    new Uint8Array(1),
    new Uint8Array(32),
  );
  const frame = encodeSubmit(0, 1, [bundle]);
  let gone = false;
  void raw.closed.then(() => (gone = true));
  const ann = await clientOf(server, 'ann');
  for (let i = 0; i < 400 && !gone; i++) {
    for (let k = 0; k < 1000; k++) raw.send(frame);
    await ann.send({ to: ann.id, body: 'x' });
    await pass(1);
    if (i > 150) raw.socket.resume();
  }
  assert.is((await raw.closed).code, ERRORS['reader-too-slow'].close);
  await ann.close();
  await server.stop();
});

test.run();
