/** That a client lives in another world of the log than a peer is not forgotten: its next life says so again. */
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { GatewayEvents } from '../src/client/gateway-events.js';
import { type Client, FileStore, MemoryStore, type Store } from '../src/client/index.js';
import { Vectors } from '../src/client/vectors-entry.js';
import { decodeBlock, encodeBlock, ROLE } from '../src/protocol/index.js';
import type { Server } from '../src/server/index.js';
import { clientOf, directory } from './client-helpers.js';
import { chat, compare, duplexes, end, id, started, twoWorlds, withoutProofs } from './support/comparing.js';
import { bothSay } from './support/verdicts.js';

const test = suite('forks');

/** Stores of one client, one for each of its lives. */
const STORES: Record<string, () => () => Store> = {
  memory: () => {
    const store = new MemoryStore();
    return () => store;
  },
  file: () => {
    const path = join(directory('forks'), 'store');
    return () => new FileStore(path);
  },
};

interface Life {
  readonly client: Client;
  readonly suspicions: GatewayEvents['suspicion'][];
  readonly divergences: GatewayEvents['divergence'][];
}

async function life(server: Server, name: string, store: Store): Promise<Life> {
  const suspicions: GatewayEvents['suspicion'][] = [];
  const divergences: GatewayEvents['divergence'][] = [];
  const client = await clientOf(server, name, {
    store,
    vectors: new Vectors(),
    onReady: (on) => {
      on('suspicion', (each) => suspicions.push(each));
      on('divergence', (each) => divergences.push(each));
    },
  });
  await client.still();
  return { client, suspicions, divergences };
}

for (const [kind, storeOf] of Object.entries(STORES))
  test(`another root in a block is told again in every life, until there is one log: ${kind}`, async () => {
    const { server } = await started();
    const stores = storeOf();
    const alice = (await life(server, 'alice', new MemoryStore())).client;
    let bob = await life(server, 'bob', stores());
    await chat(alice, bob.client, 1);
    const forked = {
      ...decodeBlock(alice.vectors!.block(bob.client.id)),
      anchor: { size: 1024, root: id('b') },
    };
    bob.client.vectors!.book.anchors.push({ size: 1024, root: id('a') });
    const check = (anchor = forked.anchor) =>
      bob.client.vectors!.check(alice.id, encodeBlock({ ...forked, anchor }));
    assert.equal(check(), { outcome: 'forked', size: 1024 });
    for (let i = 0; i < 2; i++) {
      await bob.client.close();
      bob = await life(server, 'bob', stores());
      assert.equal(
        bob.suspicions.map(({ peer, error }) => [peer, error.code]),
        [[alice.id, 'forked']],
      );
      assert.equal(check({ size: 2048, root: id('unknown') }), { outcome: 'forked', size: 1024 });
    }
    assert.is((await compare(alice, bob.client))[1].outcome, 'same');
    await bob.client.close();
    bob = await life(server, 'bob', stores());
    assert.equal([bob.suspicions, bob.divergences], [[], []]);
    assert.is(check({ size: 2048, root: id('unknown') }).outcome, 'same');
    await end(server, alice, bob.client);
  });

test('evidence of two logs is told again, and holds whatever the server shows then', async () => {
  const stores = new Map(['alice', 'bob'].map((name) => [name, STORES['file']!()]));
  const make = async (server: Server, name: string) => (await life(server, name, stores.get(name)!())).client;
  const { servers, clients, stop } = await twoWorlds(make);
  const { serverId, manifest } = servers[0].identity;
  const [alice, bob] = clients;
  for (let i = 0; i < 3 || alice.checkpoint.size === bob.checkpoint.size; i++)
    await alice.send({ to: alice.id, body: 'only in one' });
  const [found] = await compare(alice, bob);
  if (found.outcome !== 'forked') return assert.unreachable(found.outcome);
  await Promise.all(clients.map((client) => client.close()));
  const again = await Promise.all(
    ['alice', 'bob'].map((name, i) => life(servers[i]!, name, stores.get(name)!())),
  );
  const [one, other] = again.map(({ client }) => client) as [Client, Client];
  for (const { divergences } of again) {
    const [{ evidence, verdict }] = divergences as [GatewayEvents['divergence']];
    assert.is(divergences.length, 1);
    assert.equal(bothSay(evidence, serverId, manifest.rootKey), verdict);
    assert.is(verdict.outcome === 'actor' && verdict.role, ROLE.sequencer);
  }
  assert.equal(one.vectors!.check(other.id, other.vectors!.block(one.id)).outcome, 'forked');
  // Another size than then, so that it takes a proof.
  await one.send({ to: one.id, body: 'only in one' });
  const restore = withoutProofs();
  const line = duplexes();
  const silent = await Promise.all([
    one.vectors!.compare(other.id, line.one),
    other.vectors!.compare(one.id, line.other),
  ]);
  restore();
  for (const [i, each] of silent.entries()) {
    assert.is(each.outcome, 'forked');
    assert.equal(
      (each as { evidence: Uint8Array }).evidence,
      again[i]!.divergences[0]!.evidence,
      'what was proven before',
    );
  }
  await Promise.all([one.close(), other.close()]);
  await stop();
});

test.run();
