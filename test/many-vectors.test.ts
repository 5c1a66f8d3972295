/** Vectors of many mailboxes on one session: what they share of the log, and over a real server, honest and not. */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { FileStore } from '../src/client/file-store.js';
import type { Gateway, ManyOptions } from '../src/client/index.js';
import { connectMany } from '../src/client/index.js';
import { joined, type Range } from '../src/client/log-range.js';
import type { LogState } from '../src/client/log-state.js';
import { type LogReader, SessionLog } from '../src/client/session-log.js';
import { ManyVectors, Vectors } from '../src/client/vectors-entry.js';
import type { VerifiedMailbox } from '../src/client/verifier.js';
import {
  decodeBlock,
  encodeCheckpoint,
  Frontier,
  gapHashes,
  placementOf,
  toHex,
} from '../src/protocol/index.js';
import type { Server } from '../src/server/index.js';
import { changeActors } from '../src/server/resizing.js';
import { clientOf, directory, keyOf, serverAt } from './client-helpers.js';
import { duplexes, mustProveThat, started } from './support/comparing.js';
import { house } from './support/rotation-client.js';
import { runOptions } from './worlds.js';

const test = suite('vectors of many mailboxes');

// ---- what they share of the log

const sha = (...parts: Uint8Array[]) =>
  Uint8Array.from(createHash('sha256').update(Buffer.concat(parts)).digest());

function node(level: number, index: number): Uint8Array {
  if (level === 0) return sha(Buffer.from(`leaf ${index}`));
  return sha(Uint8Array.of(1), node(level - 1, index * 2), node(level - 1, index * 2 + 1));
}

const gap = (from: number, to: number): Range => ({ from, to, hashes: gapHashes(node, from, to) });
const logAt = (size: number): LogState => ({
  checkpoint: { size, root: new Uint8Array(32), signature: new Uint8Array(64) },
  frontier: Frontier.from(size, gap(0, size).hashes),
  lastEpoch: 0,
});
const grown = (from: number, to: number) =>
  encodeCheckpoint({ from, to, signature: new Uint8Array(64), gap: gap(from, to).hashes });

/** Joins whatever it is told, and says when that was. */
class Reader implements LogReader {
  told = 0;
  leaves = 0;
  starts = 0;

  constructor(public since: Range) {}

  get logSize(): number {
    return this.since.to;
  }

  startAt({ size }: Frontier): void {
    this.starts++;
    this.since = gap(size, size);
  }

  grow(range: Range, { size }: Frontier): void {
    this.told++;
    this.since = joined(this.since, range);
    assert.is(this.since.to, size);
  }

  take(): void {
    this.leaves++;
  }
}

const LEAF = {} as VerifiedMailbox;
const fresh = (count: number, size = 0) => Array.from({ length: count }, () => new Reader(gap(size, size)));

test('whenever a mailbox is told, it has what leads from its last leaf to the newest, also after a restart', () => {
  const step = fc.record({
    by: fc.nat(7),
    leaves: fc.uniqueArray(fc.nat(30), { maxLength: 3 }),
    end: fc.nat(9),
  });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 31 }), fc.array(step, { maxLength: 60 }), (count, steps) => {
      let readers = fresh(count);
      let size = 0;
      let kept: Uint8Array | undefined;
      let now = logAt(0);
      const start = () => new SessionLog('log', now, readers, kept, () => {});
      let log = start();
      for (const { by, leaves, end } of steps) {
        // A frame with leaves has the last leaf's epoch; whose they are is what counts here.
        if (by > 0) now = logAt(size + by);
        log.take(now, grown(size, size + by), []);
        size += by;
        const told = leaves.filter((i) => i < count).map((i) => ({ reader: readers[i]!, leaf: LEAF }));
        log.take(now, grown(size, size), told);
        for (const { reader } of told) assert.equal(reader.since, gap(0, size));
        const behind = new Set(readers.map(({ logSize }) => logSize).filter((each) => each < size));
        assert.ok(behind.size <= Math.min(16, count - 1), `${behind.size} groups`);
        if (end > 0) continue;
        log.changes({ push: ({ bytes }: { bytes: Uint8Array }) => (kept = bytes) } as never);
        readers = readers.map(({ since }) => new Reader(since));
        log = start();
        assert.is(
          readers.some(({ starts }) => starts > 0),
          false,
        );
      }
      for (const reader of readers) {
        log.tell(reader);
        assert.equal(reader.since, gap(0, size));
      }
    }),
    runOptions(100),
  );
});

test('mailboxes that get nothing are not told of every frame, and all are of a new anchor', () => {
  const readers = fresh(100);
  const log = new SessionLog('log', logAt(0), readers, undefined, () => {});
  const sizes = Array.from({ length: 1022 }, (_, i) => i + 1);
  const frontier = new Frontier();
  const take = (size: number, reader: Reader) => {
    frontier.append(node(0, size - 1));
    const after = { ...logAt(0), checkpoint: { ...logAt(0).checkpoint, size }, frontier: frontier.copy() };
    log.take(after, grown(size - 1, size), []);
    log.take(after, grown(size, size), [{ reader, leaf: LEAF }]);
  };
  for (const size of sizes) take(size, readers[size % 2]!);
  assert.is(
    readers.slice(2).reduce((sum, { told }) => sum + told, 0),
    0,
    'nobody has a third place',
  );
  for (const size of [1023, 1024]) take(size, readers[2]!);
  assert.ok(readers.every(({ logSize }) => logSize === 1024));
});

test('what a store has not kept, or kept of another size, is where a mailbox starts', () => {
  const readers = [...fresh(1, 3), ...fresh(1, 5)];
  new SessionLog('log', logAt(5), readers, undefined, () => {});
  assert.equal(
    readers.map(({ starts }) => starts),
    [1, 0],
  );
});

// ---- over a real server

const NAMES = ['many-0', 'many-1', 'many-2'];

async function gatewayOf(server: Server, options: Partial<ManyOptions> = {}) {
  const vectors = new ManyVectors();
  const gateway = await connectMany({
    ...{ url: server.url, keys: NAMES.map(keyOf), backoffFirstMs: 20, vectors },
    ...{ onMessages: () => {}, ...options },
  });
  return { gateway, vectors };
}

const askAll = ({ gateway }: { gateway: Gateway }) => Promise.all(NAMES.map((_, at) => gateway.still(at)));

test('each mailbox compares for itself, with others and among themselves, and goes on after a restart', async () => {
  const data = directory('many-vectors');
  const server = await serverAt(data);
  const store = () => new FileStore(join(data, 'many'));
  let many = await gatewayOf(server, { store: store() });
  const alice = await clientOf(server, 'alice', { vectors: new Vectors() });
  const ids = () => NAMES.map((_, at) => many.gateway.id(at));
  const isSame = async (text: string) => {
    // A block is of an epoch that the other one knows once she has asked.
    await askAll(many);
    const blocks = ids().map((_, at) => many.vectors.of(at).block(alice.id));
    await alice.still();
    for (const [at, id] of ids().entries())
      assert.is(alice.vectors!.check(id, blocks[at]!).outcome, 'same', text);
  };
  await alice.send({ to: ids(), body: 'to all' });
  await alice.send({ to: ids()[1]!, body: 'to one' });
  await many.gateway.send(2, { to: [alice.id, ids()[0]!], body: 'from one' });
  await isSame('at first');
  const [first, last] = [many.vectors.of(0), many.vectors.of(2)];
  assert.is(first.check(ids()[2]!, last.block(ids()[0]!)).outcome, 'same');
  // The others are not told of the log's growth now, before they are gone.
  await alice.send({ to: ids()[0]!, body: 'to the first' });
  await many.gateway.still(0);
  const kept = () => NAMES.map((_, at) => many.vectors.of(at).book.epochs.length);
  const before = kept();
  await many.gateway.close();
  await alice.send({ to: ids()[0]!, body: 'while they are away' });
  many = await gatewayOf(server, { store: store() });
  assert.equal(kept().slice(1), before.slice(1));
  await alice.send({ to: ids()[0]!, body: 'to the first' });
  await isSame('again');
  // What was known before is known still.
  for (const [at] of NAMES.entries()) {
    assert.is(decodeBlock(many.vectors.of(at).block(alice.id)).from, 0);
    // She has a later leaf.
    await alice.still();
    const line = duplexes();
    const found = await Promise.all([
      many.vectors.of(at).compare(alice.id, line.one),
      alice.vectors!.compare(ids()[at]!, line.other),
    ]);
    assert.equal(
      found.map(({ outcome }) => outcome),
      ['same', 'same'],
    );
  }
  assert.throws(() => many.vectors.of(3), TypeError);
  await many.gateway.close();
  await alice.close();
  await server.stop();
});

test('mailboxes that part in moves go on comparing, with others and among themselves', async () => {
  const home = await house({});
  let placed = home.server;
  const many = await gatewayOf(home.server);
  const alice = await clientOf(home.server, 'alice', { vectors: new Vectors() });
  const ids = NAMES.map((_, at) => many.gateway.id(at));
  const outboxes = () =>
    ids.map((id) => placementOf(placed.identity.manifest, placed.identity.serverId, id).outbox);
  for (const counts of [{ outboxes: 8 }, { outboxes: 2 }, null]) {
    const sent = [
      alice.send({ to: ids, body: 'to all' }),
      many.gateway.send(1, { to: ids, body: 'from one' }),
    ];
    await Promise.all(sent);
    await askAll(many);
    const blocks = ids.map((_, at) => many.vectors.of(at).block(alice.id));
    const among = many.vectors.of(2).block(ids[1]!);
    await alice.still();
    for (const [at, id] of ids.entries()) {
      assert.is(alice.vectors!.check(id, blocks[at]!).outcome, 'same');
      assert.is(decodeBlock(blocks[at]!).from, 0, 'nothing was forgotten');
    }
    // The other one may have been answered in a later epoch.
    await many.gateway.still(1);
    assert.is(many.vectors.of(1).check(ids[2]!, among).outcome, 'same');
    if (!counts) break;
    // Away from the one outbox that all were at, or the keys are very unlucky.
    await home.again(() => changeActors(home.data, counts).then(() => {}));
    placed = home.server;
    if (counts.outboxes === 8) assert.ok(new Set(outboxes()).size > 1);
  }
  await many.gateway.close();
  await alice.close();
  await home.server.stop();
});

test('a message to one of many is lost: that one differs, both prove it, and no other does', async () => {
  const { server, cheat } = await started();
  const many = await gatewayOf(server);
  const [alice, cora] = await Promise.all(
    ['alice', 'cora'].map((name) => clientOf(server, name, { vectors: new Vectors() })),
  );
  const ids = NAMES.map((_, at) => many.gateway.id(at));
  for (let i = 0; i < 5; i++) await alice!.send({ to: ids[i % 3]!, body: `before ${i}` });
  const [from, to, instead] = [alice!.id, ids[1]!, cora!.id].map(toHex) as [string, string, string];
  await cora!.close();
  cheat({ way: 'drop', from, to, instead });
  const { place } = await alice!.send({ to: ids, body: 'the one that is lost' });
  for (let i = 0; i < 5; i++) await alice!.send({ to: ids, body: `behind ${i}` });
  await alice!.still();
  const blocks = ids.map((id) => alice!.vectors!.block(id));
  await askAll(many);
  const told = new Promise<{ mailbox: number }>((resolve) => many.gateway.on('divergence', resolve));
  const outcomes = ids.map((_, at) => many.vectors.of(at).check(alice!.id, blocks[at]!).outcome);
  assert.equal(outcomes, ['same', 'differs', 'same']);
  const line = duplexes();
  const found = await Promise.all([
    many.vectors.of(1).compare(alice!.id, line.one),
    alice!.vectors!.compare(ids[1]!, line.other),
  ]);
  for (const each of found) {
    mustProveThat(each, server, /lost a message/);
    if (each.outcome === 'diverged') assert.is(each.epoch, place.epoch);
  }
  assert.is((await told).mailbox, 1);
  const [{ evidence }] = found as unknown as [{ evidence: Uint8Array }];
  // Asked for in the name of that mailbox. This server keeps one copy for all stages, which the outbox has changed.
  const { closed } = await many.gateway.complain(1, evidence);
  assert.equal(
    closed.flatMap(({ mailbox, stage, code }) => (mailbox && toHex(mailbox) === to ? [[stage, code]] : [])),
    [
      ['router', 'opening-unknown'],
      ['receiver', 'opening-unknown'],
    ],
  );
  await many.gateway.close();
  await alice!.close();
  await server.stop();
});

test('one for each gateway, and bounds are checked when they are said', async () => {
  assert.throws(() => new ManyVectors({ bytes: 0 }), TypeError);
  const server = await serverAt(directory('many-vectors'));
  const { gateway, vectors } = await gatewayOf(server);
  await gatewayOf(server, { vectors }).then(
    () => assert.unreachable(),
    (error: unknown) => assert.instance(error, TypeError),
  );
  await gateway.close();
  await server.stop();
});

test.run();
