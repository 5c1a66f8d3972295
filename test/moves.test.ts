/** A server whose inboxes and outboxes are made more and fewer, while mail is unacknowledged, and clients that are away or are not. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Client, MemoryStore } from '../src/client/index.js';
import { audit } from '../src/protocol/audit/index.js';
import { decodeClaim, openManifests, placementOf, verifyClaimAmong } from '../src/protocol/index.js';
import { openKeptDirectory } from '../src/server/kept-directory.js';
import { changeActors } from '../src/server/resizing.js';
import { clientOf } from './client-helpers.js';
import { house } from './support/rotation-client.js';

const test = suite('moves');

const NAMES = ['ann', 'ben', 'cat', 'dan', 'eve', 'fay', 'gus', 'hal'];

/** The next messages, each with where it was signed. */
async function texts(client: Client, count: number) {
  const found: { text: string; claim: Uint8Array }[] = [];
  for await (const message of client.mailbox()) {
    found.push({ text: Buffer.from(message.body).toString(), claim: await message.claim() });
    if (found.length === count) break;
  }
  return found;
}

test('nothing is lost over moves, of clients that are away meanwhile and of some that are not', async () => {
  const home = await house({ outboxes: '1', inboxes: '1' });
  const stores = NAMES.map(() => new MemoryStore());
  const open = (i: number) => clientOf(home.server, NAMES[i]!, { store: stores[i]! });
  // Known to the server, and away from now on.
  const ids: Uint8Array[] = [];
  for (const i of NAMES.keys()) {
    const client = await open(i);
    ids.push(client.id);
    await client.close();
  }
  const sender = await clientOf(home.server, 'sender');
  const other = await clientOf(home.server, 'other');
  const everyone = (body: string) =>
    Promise.all([sender.send({ to: ids, body }), other.send({ to: ids, body: `${body}'` })]);
  const said: string[] = [];
  const say = async (body: string) => {
    await everyone(body);
    said.push(body, `${body}'`);
  };
  await say('one');
  await say('two');
  // One has taken the first and not the second.
  const first = await open(0);
  const taken = await texts(first, 2);
  await first.close();
  await home.again(() => changeActors(home.data, { inboxes: 3, outboxes: 2 }), home.data);
  assert.is(home.server.config.inboxes, 3);
  assert.is(home.server.config.outboxes, 2);
  await say('three');
  assert.is(sender.manifest.version, 2);
  // Another one reads all in between.
  const second = await open(1);
  assert.equal((await texts(second, 6)).map(({ text }) => text).sort(), [...said].sort());
  await second.close();
  await home.again(() => changeActors(home.data, { inboxes: 2, outboxes: 1 }));
  await say('four');
  for (const i of NAMES.keys()) {
    const client = await open(i);
    const had = i === 0 ? taken.map(({ text }) => text) : i === 1 ? said.slice(0, 6) : [];
    const found = await texts(client, said.length - had.length);
    assert.equal([...had, ...found.map(({ text }) => text)].sort(), [...said].sort(), NAMES[i]!);
    const manifests = openManifests(home.server.identity.manifests);
    for (const { claim } of found) {
      const { attestation } = verifyClaimAmong(decodeClaim(claim), manifests);
      const version = manifests.findLast(({ from }) => from <= attestation.epoch)!;
      assert.is(attestation.actor, placementOf(version.manifest, manifests[0]!.hash, client.id).outbox);
    }
    await client.close();
  }
  for (const client of [sender, other]) await client.close();
  await home.server.stop();
  const kept = await openKeptDirectory(home.data);
  const { findings, epochs } = await audit(kept.source);
  await kept.close();
  assert.equal(findings, []);
  assert.ok(epochs >= 4);
});

test.run();
