/** What actors hand over when ids are moved: signed once, durable with the manifest, held against what is stored. */
import { randomBytes } from 'node:crypto';
import { cpSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { sha256 } from '#crypto';
import {
  BLOCK,
  handOverKey,
  keptHandOvers,
  openHandOver,
  readHandOver,
} from '../../src/actors/kept-hand-overs.js';
import type { StoreRecord } from '../../src/actors/messages.js';
import { idKey, TABLE } from '../../src/actors/store-keys.js';
import {
  actorKey,
  decodeHandOver,
  equalBytes,
  HANDED_BYTES,
  HASH_BYTES,
  type Handing,
  type HandingRole,
  inForceFrom,
  type Manifest,
  openManifests,
  placementOf,
  ROLE,
  readHandedMailbox,
  readHandedSender,
  rootFromPath,
  toHex,
} from '../../src/protocol/index.js';
import { readIdentity } from '../../src/server/founding.js';
import type { OperatorError } from '../../src/server/operator-error.js';
import { recoverLog } from '../../src/server/recovery.js';
import { changeActors } from '../../src/server/resizing.js';
import { rotateKeys } from '../../src/server/rotation.js';
import { Store } from '../../src/server/store.js';
import { clientOf, directory, keyOf, read, serverAt } from '../client-helpers.js';
import { refused } from '../support/rotation-client.js';
import * as twin from '../twin/index.js';

const test = suite('hand-overs');

/** A third of them goes to each new outbox, whichever that is: more than a block of leaves. */
const MANY = Array.from({ length: 400 }, (_, i) => `member ${i}`);

const NOBODY = twin.publicKeyOf(keyOf('nobody'));

async function used(): Promise<string> {
  const data = directory('hand-overs');
  const server = await serverAt(data);
  const ann = await clientOf(server, 'ann');
  const ids: Uint8Array[] = [];
  for (const name of MANY) {
    const client = await clientOf(server, name);
    ids.push(client.id);
    if (ids.length % 10 === 0) await client.send({ to: ann.id, body: 'x' });
    await client.close();
  }
  await ann.send({ to: ids, body: 'to all' });
  await read(ann, MANY.length / 10);
  await ann.close();
  // With a mailbox, and nothing in it, so that nothing of it is handed over.
  await (await clientOf(server, 'nobody')).close();
  await server.stop();
  return data;
}

function copyOf(from: string): string {
  const data = directory('hand-overs');
  cpSync(from, data, { recursive: true, filter: (source) => !source.endsWith('lock') });
  return data;
}

/** By its handing: everything that is stored of each. */
function allIn(store: Store): Map<string, Handing> {
  return new Map(
    [...keptHandOvers(store)].map((each) => [`${each.version} ${each.role} ${each.from} ${each.to}`, each]),
  );
}

/** Checks every hand-over of the newest version by what is stored, and that nobody else went elsewhere; the ids in them. */
function checked(store: Store): string[] {
  const identity = readIdentity(store)!;
  const [before, next] = openManifests(identity.manifests).slice(-2) as never as ReturnType<
    typeof openManifests
  >;
  const { size, lastEpoch } = recoverLog(store);
  const names: string[] = [];
  const goes = [ROLE.inbox, ROLE.outbox].flatMap((role) => {
    const kind = role === ROLE.outbox ? 'outbox' : 'inbox';
    const placed = ({ manifest }: { manifest: Manifest }, id: Uint8Array) =>
      placementOf(manifest, identity.serverId, id)[kind];
    return idsOf(store, role)
      .filter((id) => placed(before!, id) !== placed(next!, id))
      .map((id) => `${role} ${toHex(id)}`);
  });
  for (const handing of allIn(store).values()) {
    if (handing.version !== next!.manifest.version) continue;
    const { role, from, to } = handing;
    const kept = readHandOver(store, handing)!;
    const said = decodeHandOver(kept.signed);
    assert.equal([said.role, said.from, said.to, said.lastEpoch], [role, from, to, lastEpoch]);
    assert.is(said.log.size, size);
    assert.ok(lastEpoch < inForceFrom(next!.manifest));
    assert.ok(equalBytes(said.manifestHash, next!.hash));
    assert.not.equal(actorKey(before!.manifest, role, from), actorKey(next!.manifest, role, to));
    const isMailbox = role === ROLE.outbox;
    let leaves = 0;
    for (const id of [...idsOf(store, role), NOBODY]) {
      const kind = isMailbox ? 'outbox' : 'inbox';
      const isOf =
        placementOf(before!.manifest, identity.serverId, id)[kind] === from &&
        placementOf(next!.manifest, identity.serverId, id)[kind] === to;
      const opened = openHandOver(store, handing, kept, id)!;
      for (const { leaf, leafIndex, outputPath } of opened)
        assert.equal(rootFromPath(said.leaves, leafIndex, sha256(leaf), outputPath), said.root);
      const all = opened.map(({ leaf }) => (isMailbox ? readHandedMailbox(leaf) : readHandedSender(leaf)));
      const own = all.find((each) => equalBytes(each.id, id));
      if (!own) {
        // Those beside it, or the one at the end.
        const at = opened.map(({ leafIndex }) => leafIndex);
        const isEnd = at.length === 1 && (at[0] === 0 || at[0] === said.leaves - 1);
        assert.ok(isEnd || (at.length === 2 && at[1] === at[0]! + 1), `${at}`);
        continue;
      }
      assert.ok(isOf);
      assert.is(opened.length, 1);
      leaves++;
      names.push(`${role} ${toHex(id)}`);
    }
    assert.is(leaves, said.leaves);
  }
  assert.equal([...names].sort(), goes.sort());
  return names;
}

/** Who has sent something, or been sent something. */
function idsOf(store: Store, role: number): Uint8Array[] {
  const table = role === ROLE.outbox ? TABLE.mailbox : TABLE.sender;
  const states = store.range(Uint8Array.of(table), Uint8Array.of(table + 1));
  const ids = [...states].map(({ key }) => Uint8Array.from(key.subarray(1)));
  return ids.filter((id) => !equalBytes(id, NOBODY));
}

const template = await used();

test('whoever goes elsewhere and has a state is handed over, once, also over several moves', async () => {
  const data = copyOf(template);
  const told = new Map<string, number>();
  await changeActors(
    data,
    { inboxes: 2, outboxes: 3 },
    {
      progress(what, done, total) {
        assert.ok(done >= (told.get(what) ?? 0) && done < total);
        told.set(what, done);
      },
    },
  );
  assert.equal(
    [...told.keys()],
    [
      'counting who has not acknowledged',
      ...['handing over', 'checking moved'].flatMap((doing) => [`${doing} senders`, `${doing} mailboxes`]),
    ],
  );
  assert.ok(told.get('checking moved mailboxes')! > 2 ** 15);
  const first = Store.openToRead(data);
  const names = checked(first);
  assert.is(new Set(names).size, names.length);
  assert.ok(
    [...allIn(first).values()].some(
      (each) => decodeHandOver(readHandOver(first, each)!.signed).leaves > BLOCK,
    ),
  );
  assert.ok([...allIn(first).values()].some(({ role }) => role === ROLE.inbox));
  const before = [...allIn(first)].map(([name, handing]) => [
    name,
    toHex(readHandOver(first, handing)!.signed),
  ]);
  await first.close();
  const checks = new Set<string>();
  await rotateKeys(data, ['inbox-0'], { progress: (what) => void checks.add(what) });
  assert.equal([...checks], ['checking moved senders', 'checking moved mailboxes']);
  await changeActors(data, { outboxes: 2 });
  const second = Store.openToRead(data);
  assert.ok(checked(second).length > 0);
  // What was signed before is there as it was.
  const now = [...allIn(second)].map(([name, handing]) => [
    name,
    toHex(readHandOver(second, handing)!.signed),
  ]);
  assert.equal(now.slice(0, before.length), before);
  await second.close();
  const server = await serverAt(data);
  const client = await clientOf(server, MANY[5]!);
  assert.equal(await read(client, 1), ['to all']);
  await client.close();
  await server.stop();
});

/** Of the newest version: its hash, and all that is signed. */
async function signedIn(data: string): Promise<readonly [string, readonly string[]]> {
  const store = Store.openToRead(data);
  const { hash, manifest } = readIdentity(store)!.manifests.at(-1)!;
  const own = [...keptHandOvers(store)].filter(({ version }) => version === manifest.version);
  const signed = own.map((handing) => toHex(readHandOver(store, handing)!.signed));
  await store.close();
  return [toHex(hash), signed];
}

test('a move that was cut short and is done again signs the same, or hands over to another version', async () => {
  const data = copyOf(template);
  await changeActors(data, { inboxes: 2, outboxes: 3 });
  await (await serverAt(data)).stop();
  // As if the first of them had been cut short before anything was durable: no key begins.
  const [first, again, later] = [data, data, data].map(copyOf) as [string, string, string];
  for (const each of [first, again]) await changeActors(each, { inboxes: 1, outboxes: 2 });
  assert.equal(await signedIn(first), await signedIn(again));
  const server = await serverAt(later);
  const client = await clientOf(server, 'ann');
  await client.send({ to: client.id, body: 'x' });
  await client.close();
  await server.stop();
  await changeActors(later, { inboxes: 1, outboxes: 2 });
  const [[hash, signed], [other, others]] = [await signedIn(first), await signedIn(later)];
  assert.is.not(hash, other);
  for (const each of signed) assert.not.ok(others.includes(each));
});

test('a start refuses what is not what was handed over, until an epoch is committed', async () => {
  const data = copyOf(template);
  await changeActors(data, { inboxes: 2, outboxes: 3 });
  const [mailbox, sender] = [ROLE.outbox, ROLE.inbox] as const;
  const statement = (store: Store, role: HandingRole) => handOverKey(handingIn(store, role));
  const changes: readonly [string, (store: Store) => StoreRecord[]][] = [
    ['an id begins with another state', (store) => [changed(store, idIn(store, mailbox), 14)]],
    ['an id begins with another state', (store) => [changed(store, idIn(store, sender), 6)]],
    ['its leaves are others', (store) => [changed(store, blockOf(store, 0), 40)]],
    // As its state, but not as it was signed.
    [
      'its leaves are others',
      (store) => [changed(store, blockOf(store, 0), 32 + 14), changed(store, idIn(store, mailbox), 14)],
    ],
    ['its leaves are others', (store) => [{ key: blockOf(store, 1), value: null }]],
    [
      'its leaves are others',
      (store) => [
        { key: blockOf(store, 0), value: store.get(blockOf(store, 0))!.slice(0, -HANDED_BYTES[mailbox]) },
      ],
    ],
    ['outbox 0 has not signed it', (store) => [changed(store, statement(store, mailbox), 209)]],
    ['inbox 1 has not signed it', (store) => [changed(store, statement(store, sender), 300)]],
    ['inbox 0 has not signed it', (store) => [changed(store, statement(store, sender), 205)]],
    ['its root is another one', (store) => [changed(store, statement(store, mailbox), -1)]],
    [
      'it has another number of leaves',
      (store) => [
        {
          key: statement(store, mailbox),
          value: store.get(statement(store, mailbox))!.slice(0, -HASH_BYTES),
        },
      ],
    ],
    ['there is none', (store) => [{ key: statement(store, mailbox), value: null }]],
    ['it has more ids', (store) => [{ key: idIn(store, mailbox), value: null }]],
    ['it has more ids', (store) => [{ key: idIn(store, mailbox, -1), value: null }]],
    ['it leaves ids out', oneMore],
    ['it leaves ids out', (store) => oneMore(store, -1)],
  ];
  for (const [what, change] of changes) {
    const damaged = copyOf(data);
    await damage(damaged, change);
    try {
      await serverAt(damaged);
      assert.unreachable(what);
    } catch (error) {
      assert.is((error as OperatorError).code, 'hand-over-differs', `${what}: ${error}`);
      assert.ok((error as OperatorError).message.endsWith(`: ${what}`), `${what}: ${error}`);
    }
  }
  const told = new Set<string>();
  const options = { progress: (what: string) => void told.add(what) };
  const server = await serverAt(data, {}, options);
  assert.equal([...told], ['checking moved senders', 'checking moved mailboxes']);
  told.clear();
  const client = await clientOf(server, MANY[5]!);
  await client.send({ to: client.id, body: 'x' });
  await client.close();
  await server.stop();
  await (await serverAt(data, {}, options)).stop();
  assert.equal([...told], []);
});

test('no further version comes behind what is not what was handed over, and a start looks behind such versions', async () => {
  const moved = copyOf(template);
  await changeActors(moved, { inboxes: 2, outboxes: 3 });
  const further: readonly ((data: string) => Promise<unknown>)[] = [
    (data) => rotateKeys(data, ['sequencer-0']),
    (data) => rotateKeys(data, null),
    (data) => changeActors(data, { outboxes: 2 }),
  ];
  for (const goOn of further) {
    const damaged = copyOf(moved);
    await damage(damaged, (store) => [changed(store, idIn(store, ROLE.inbox), 6)]);
    await refused('hand-over-differs', () => goOn(damaged));
    const data = copyOf(moved);
    await goOn(data);
    const whole = copyOf(data);
    await damage(data, (store) => [changed(store, idIn(store, ROLE.inbox), 6)]);
    await refused('hand-over-differs', () => serverAt(data));
    await (await serverAt(whole)).stop();
  }
});

async function damage(data: string, change: (store: Store) => StoreRecord[]): Promise<void> {
  const store = Store.open(data, () => {});
  store.transaction((write) => {
    for (const record of change(store)) write(record);
  });
  await store.close();
}

const handingIn = (store: Store, role: HandingRole) =>
  [...keptHandOvers(store)].find((each) => each.role === role)!;

const blockOf = (store: Store, number: number) => handOverKey(handingIn(store, ROLE.outbox), number);

/** Of the first state that was handed over, or of the last one. */
function idIn(store: Store, role: HandingRole, at: 0 | -1 = 0): Uint8Array {
  const handing = handingIn(store, role);
  const { leaves } = decodeHandOver(readHandOver(store, handing)!.signed);
  const last = Math.ceil(leaves / BLOCK) - 1;
  const block = store.get(handOverKey(handing, at === 0 ? 0 : last))!;
  const leaf = at === 0 ? block : block.subarray(-HANDED_BYTES[role]);
  return idKey(role === ROLE.outbox ? TABLE.mailbox : TABLE.sender, leaf.subarray(0, 32));
}

/** A mailbox that goes elsewhere, too, and is not among those that were handed over: before all of them or behind. */
function oneMore(store: Store, at: 0 | -1 = 0): StoreRecord[] {
  const { serverId, manifests } = readIdentity(store)!;
  const [before, next] = manifests.slice(-2).map(({ manifest }) => manifest);
  const { from, to } = handingIn(store, ROLE.outbox);
  const other = idIn(store, ROLE.outbox, at);
  for (;;) {
    const id = randomBytes(32);
    id.fill(at, 0, 2);
    const isOf =
      placementOf(before!, serverId, id).outbox === from && placementOf(next!, serverId, id).outbox === to;
    if (isOf) return [{ key: idKey(TABLE.mailbox, id), value: store.get(other)! }];
  }
}

/** Behind the end where it is below 0. */
function changed(store: Store, key: Uint8Array, at: number) {
  const value = Uint8Array.from(store.get(key)!);
  value[at < 0 ? value.length + at : at]! ^= 1;
  return { key, value };
}

test.run();
