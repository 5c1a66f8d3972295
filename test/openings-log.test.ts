/** Openings held against the client's own log: they go on from it, or there is evidence. */

import { once } from 'node:events';
import { cpSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Client, OpenedStage } from '../src/client/index.js';
import { goesOn } from '../src/protocol/evidence/goes-on.js';
import { nameOf } from '../src/protocol/evidence/guilt.js';
import { type Claim, encodeClaim } from '../src/protocol/index.js';
import { claimsOf, forkedTheatres } from './byzantine/fork.js';
import type { Theatre } from './byzantine/theatre.js';
import { clientOf, directory, read, serverAt } from './client-helpers.js';
import { bothSay } from './support/verdicts.js';

const test = suite('openings and the log');

// ---- the step by itself

const [one, other] = forkedTheatres();

/** A leaf of an outbox in an epoch, from 1, under a log of so many. */
function claimAt(theatre: Theatre, index: number, size: number): Uint8Array {
  const found = claimsOf(theatre, size).find(
    ({ logIndex, leaf }: Claim) => logIndex === index && leaf.length > 0,
  );
  return encodeClaim(found!);
}

function held(claim: Uint8Array, size: number, behind: Uint8Array | null = null) {
  const { root, signature } = one.checkpoints[size - 1]!;
  const [manifest] = one.manifests;
  const { world, rootKey } = one;
  return goesOn(claim, behind, size, root, signature, world.serverId, rootKey, [manifest!]);
}

test('a log goes on from a checkpoint of its size, and from one that an epoch stands behind', () => {
  assert.is(held(claimAt(one, 0, 2), 2), true);
  assert.is(held(claimAt(one, 2, 3), 2), true);
  // Epochs before the checkpoint say nothing about it, unless the one behind it is under the same root.
  assert.is(held(claimAt(one, 0, 3), 2), false);
  assert.is(held(claimAt(one, 0, 3), 2, claimAt(one, 2, 3)), true);
  // Both branches are one log through the first epoch.
  assert.is(held(claimAt(other, 1, 3), 1), true);
  assert.is(held(claimAt(other, 0, 3), 2), false);
});

test('of two logs there is evidence against the sequencer', () => {
  for (const found of [
    held(claimAt(other, 0, 2), 2),
    held(claimAt(other, 2, 3), 2),
    held(claimAt(other, 0, 3), 2, claimAt(one, 2, 3)),
    held(claimAt(one, 0, 3), 2, claimAt(other, 2, 3)),
  ]) {
    if (typeof found === 'boolean') throw new Error('no evidence');
    const judged = bothSay(found, one.world.serverId, one.rootKey);
    assert.is(judged.outcome === 'actor' && nameOf(judged), 'sequencer 0');
  }
  // With a checkpoint that nobody has signed it is two logs, and no evidence.
  const [manifest] = one.manifests;
  const { world, rootKey } = one;
  const unsigned = [2, Buffer.alloc(32), Buffer.alloc(64)] as const;
  assert.throws(
    () => goesOn(claimAt(one, 0, 2), null, ...unsigned, world.serverId, rootKey, [manifest!]),
    /another log of 2 epochs/,
  );
});

// ---- over real sockets

test('openings of an honest server go on from what the client knows', async () => {
  const server = await serverAt(directory('openings-log'));
  const [alice, bob, carol] = await Promise.all(
    ['alice', 'bob', 'carol'].map((name) => clientOf(server, name)),
  );
  const { place } = await alice!.send({ to: [bob!.id], body: new Uint8Array(3) });
  const known = alice!.checkpoint.size;
  assert.is((await alice!.open({ stage: 'inbox', ...place })).continues, known);
  // The log goes on without her.
  for (let i = 0; i < 3; i++) await carol!.send({ to: [carol!.id], body: new Uint8Array(3) });
  assert.is(alice!.checkpoint.size, known);
  assert.is((await alice!.open({ stage: 'router', ...place })).continues, known);
  // Who has seen no epoch since it came knows none to ask behind.
  const dave = await clientOf(server, 'dave');
  await carol!.send({ to: [carol!.id], body: new Uint8Array(3) });
  assert.is((await dave.open({ stage: 'router', ...place })).continues, 0);
  await Promise.all([alice, bob, carol, dave].map((client) => client!.close()));
  await server.stop();
});

/** What asks for the front goes to one server, all else to the other. */
async function split(front: string, rest: string) {
  const server = createServer((near) => {
    near.on('error', () => {});
    near.once('data', (first) => {
      near.pause();
      const { hostname: host, port } = new URL(first.includes('/v1/front') ? front : rest);
      const far = connect({ host, port: Number(port) });
      far.on('error', () => {});
      far.write(first);
      near.pipe(far).pipe(near);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, close: () => server.close() };
}

const outcomeOf = (opened: Promise<OpenedStage>) =>
  opened.then(({ continues }) => `continues ${continues}`, String);

test('a fork that shows in openings alone is told, with evidence', async () => {
  const [data, copy] = [directory('openings-fork'), directory('openings-fork-copy')];
  const before = await serverAt(data);
  const first = await clientOf(before, 'alice');
  await first.send({ to: [first.id], body: new Uint8Array(1) });
  await first.close();
  await before.stop();
  cpSync(data, copy, { recursive: true, filter: (from) => !from.endsWith('.sock') });
  const [a, b] = [await serverAt(data), await serverAt(copy)];
  const both = await split(b.url, a.url);
  const bob = await clientOf(a, 'bob', { url: both.url });
  const told: Uint8Array[] = [];
  bob.on('evidence', ({ evidence }) => told.push(evidence));
  const send = async (to: Client) => (await to.send({ to: [bob.id], body: new Uint8Array(1) })).place;
  const [carol, dave] = [await clientOf(a, 'carol'), await clientOf(b, 'dave')];
  const got = read(bob, 1);
  await send(carol);
  await got;
  // While the other log is the shorter one nothing shows that it is another. Then it is of one size, and then longer.
  const { size } = bob.checkpoint;
  const outcomes: string[] = [];
  while (told.length < 3 && outcomes.length < size + 3)
    outcomes.push(await outcomeOf(bob.open({ stage: 'router', ...(await send(dave)) })));
  assert.is(told.length, 3, outcomes.join('\n'));
  const [shorter, others] = [outcomes.slice(0, -3), outcomes.slice(-3)];
  assert.ok(shorter.every((each) => each === 'continues 0'));
  for (const each of others) assert.match(each, /log: an opening of another log/);
  for (const evidence of told) {
    const judged = bothSay(evidence, a.identity.serverId, a.identity.manifest.rootKey);
    assert.is(judged.outcome === 'actor' && nameOf(judged), 'sequencer 0');
  }
  await Promise.all([bob, carol, dave].map((client) => client.close()));
  both.close();
  await Promise.all([a.stop(), b.stop()]);
});

test.run();
