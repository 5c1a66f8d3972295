/** Clients of a server whose actors are given new keys: away meanwhile, or connected all along; and operators that go back on it. */
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Client } from '../src/client/client.js';
import { FileStore, MemoryStore } from '../src/client/index.js';
import type { Dial } from '../src/client/socket.js';
import { dial } from '../src/client/websocket.js';
import { decodeClaim, openManifests, toHex, verifyClaim, verifyClaimAmong } from '../src/protocol/index.js';
import { rotateKeys } from '../src/server/rotation.js';
import { clientOf, directory, keyOf, serverAt } from './client-helpers.js';
import { until } from './support/cosigning.js';
import { countersign } from './support/program.js';
import { back, failure, house, texts } from './support/rotation-client.js';
import { bothSay } from './support/verdicts.js';

const test = suite('clients over rotations');

test('a client that was away over two rotations, and one that was not, verify each message under its own keys', async () => {
  const home = await house();
  const bobsStore = new MemoryStore();
  const bob = await back(home.server, 'bob', bobsStore);
  const to = bob.id;
  await bob.close();
  const alice = await clientOf(home.server, 'alice');
  await alice.send({ to, body: 'first' });
  await home.again(() => rotateKeys(home.data, null));
  await alice.send({ to, body: 'second' });
  assert.is(alice.manifest.version, 2);
  await home.again(() => rotateKeys(home.data, ['outbox-0', 'outbox-1', 'inbox-0']));
  const receipt = await alice.send({ to, body: 'third' });
  assert.is(alice.manifest.version, 3);

  const again = await back(home.server, 'bob', bobsStore);
  assert.is(again.manifest.version, 3);
  const found = await texts(again, 3);
  assert.equal(
    found.map(({ text }) => text),
    ['first', 'second', 'third'],
  );
  const manifests = openManifests(home.server.identity.manifests);
  const statements = [...found.map(({ claim }) => claim), await receipt.claim()].map((claim) =>
    verifyClaimAmong(decodeClaim(claim), manifests),
  );
  const hashes = statements.map(({ attestation }) => toHex(attestation.manifestHash));
  assert.equal(
    hashes,
    [0, 1, 2, 2].map((version) => toHex(manifests[version]!.hash)),
  );
  // Of an old epoch, under a checkpoint by the newest sequencer.
  const { hash, manifest } = manifests[0]!;
  assert.throws(() => verifyClaim(decodeClaim(found[0]!.claim), hash, manifest, hash), /checkpoint/);
  // What was opened verifies as well.
  const { epoch } = statements[0]!.attestation;
  assert.ok((await again.open({ stage: 'outbox', epoch, inbox: 0, index: 0 })).isThere);
  await again.close();

  // And from memory of three versions, without a change.
  const third = await back(home.server, 'bob', bobsStore);
  assert.is(third.manifest.version, 3);
  await alice.send({ to, body: 'fourth' });
  assert.equal(
    (await texts(third, 1)).map(({ text }) => text),
    ['fourth'],
  );
  await third.close();
  // Who comes for the first time, too.
  const carol = await clientOf(home.server, 'carol', { server: home.server.serverId });
  assert.is(toHex(carol.serverId), home.server.serverId);
  await alice.send({ to: carol.id, body: 'fifth' });
  assert.equal(
    (await texts(carol, 1)).map(({ text }) => text),
    ['fifth'],
  );
  for (const client of [alice, carol]) await client.close();
  await home.server.stop();
});

test('what came before the keys were changed, and is read afterwards, is not held against the new ones', async () => {
  const home = await house();
  /** Of the sockets to an outbox: what each has not been told yet; null while it is told at once. */
  const unread: { held: (() => void)[] | null }[] = [];
  const dialing: Dial = (url, events, silenceMs) => {
    const of: { held: (() => void)[] | null } = { held: null };
    if (url.includes('/v1/outboxes/')) unread.push(of);
    const tell = (run: () => void) => (of.held ? of.held.push(run) : run());
    return dial(
      url,
      {
        opened: () => tell(events.opened),
        frame: (frame) => tell(() => events.frame(frame)),
        closed: (code, reason) => tell(() => events.closed(code, reason)),
      },
      silenceMs,
    );
  };
  const { url } = home.server;
  const bob = await Client.connect({ url, key: keyOf('bob'), backoffFirstMs: 20 }, dialing);
  const alice = await clientOf(home.server, 'alice');
  const messages = bob.mailbox()[Symbol.asyncIterator]();
  const next = async () => Buffer.from((await messages.next()).value!.body).toString();
  await alice.send({ to: bob.id, body: 'first' });
  assert.is(await next(), 'first');
  const before = unread.splice(0);
  for (const each of before) each.held = [];
  await alice.send({ to: bob.id, body: 'second' });
  const held = () => before.flatMap((each) => each.held ?? []);
  await until('the second message is there', () => held().length > 0);
  await home.again(() => rotateKeys(home.data, null));
  // Over the front socket.
  await until('the new keys are known', () => bob.manifest.version === 2);
  for (const run of held()) run();
  assert.is(await next(), 'second');
  for (const client of [alice, bob]) await client.close();
  await home.server.stop();
});

test('another manifest of a version that was accepted is evidence against the operator', async () => {
  const home = await house();
  const store = new MemoryStore();
  const other = directory('rotation');
  await home.again(async () => {
    cpSync(join(home.data, 'store'), join(other, 'store'), { recursive: true });
    cpSync(join(home.data, 'keys'), join(other, 'keys'), { recursive: true });
    await rotateKeys(home.data, ['router-0']);
    await rotateKeys(home.data, ['inbox-0']);
    await rotateKeys(other, null);
  });
  const { serverId, identity } = home.server;
  await (await back(home.server, 'bob', store)).close();
  const alice = await clientOf(home.server, 'alice');
  const told = new Promise<Uint8Array>((resolve) => {
    alice.on('evidence', ({ evidence }) => resolve(evidence));
  });
  // The other history goes on, so that it names no older version.
  await home.again(async () => {
    await rotateKeys(other, ['outbox-0']);
    await rotateKeys(other, ['outbox-0']);
  }, other);
  const found = [(await failure(back(home.server, 'bob', store))).evidence!, await told];
  const id = Buffer.from(serverId, 'hex');
  for (const evidence of found) {
    const judged = bothSay(evidence, id, identity.manifest.rootKey);
    assert.is(judged.outcome, 'operator');
    assert.match(judged.text, /two manifests of version 2/);
  }
  // As the program keeps it: beside its store.
  const client = directory('client');
  const path = join(client, 'bob.store');
  const key = join(client, 'bob.key');
  writeFileSync(key, `${Buffer.from(keyOf('bob')).toString('hex')}\n`, { mode: 0o600 });
  const kept = new FileStore(path);
  await kept.load();
  await kept.save([{ type: 'kept', name: 'manifests', bytes: store.load().kept.get('manifests')! }]);
  await kept.close();
  const tail = await countersign(['tail', '--key', key, '--url', home.server.url, '--store', path]);
  assert.is(tail.status, 1);
  const [, file] = /evidence: (\S+) convicts/.exec(tail.stderr)!;
  assert.is(toHex(readFileSync(file!)), toHex(found[0]!));
  const manifest = ['--server', serverId, '--root', toHex(identity.manifest.rootKey)];
  const { status, stdout } = await countersign(['verify', file!, ...manifest, '--json']);
  assert.is(status, 0);
  assert.is((JSON.parse(stdout) as { outcome: string }).outcome, 'operator');
  await home.server.stop();
});

test('a chain of manifests that is broken anywhere ends in a coded error', async () => {
  const data = directory('rotation');
  await (await serverAt(data)).stop();
  for (let i = 0; i < 2; i++) await rotateKeys(data, ['outbox-0']);
  const real = await serverAt(data);
  const [one, two, three] = real.identity.manifests.map(({ bytes, signature }) => ({
    manifest: Buffer.from(bytes).toString('base64'),
    signature: Buffer.from(signature).toString('base64'),
  }));
  for (const [manifests, expected] of [
    [[one, three], /do not follow/],
    [[two, three], /version 1 first/],
    [[one, { ...two, signature: three!.signature }, three], /root signature/],
    [[one, { ...two, manifest: 'AAAA' }, three], /manifest/],
    [[one, null, three], /base64/],
    [[], /1 to 255/],
    [{}, /list/],
    [Array(256).fill(one), /at most 255/],
  ] as const) {
    const fake = createServer((request, response) => {
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify(request.url === '/v1/manifest' ? three : { manifests }));
    });
    await new Promise<void>((done) => fake.listen(0, '127.0.0.1', done));
    const { port } = fake.address() as AddressInfo;
    const url = `http://127.0.0.1:${port}`;
    const error = await failure(clientOf(real, 'dave', { url, key: keyOf('dave') }));
    assert.is(error.code, 'verification-failed');
    assert.is(error.step, 'manifest');
    assert.match(error.message, expected);
    fake.closeAllConnections();
    fake.close();
  }
  await real.stop();
});

test.run();
