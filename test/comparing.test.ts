/** Two clients find out in what they differ: of an honest server, of one that cheats, and with a counterpart that lies. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { WebSocket } from 'ws';
import { importSecretKey } from '#crypto';
import type * as BrowserPart from '../src/client/browser.js';
import { encodeFrame, type Frame, SAY } from '../src/client/comparison-frames.js';
import { complain } from '../src/client/complaint.js';
import { firstDifference } from '../src/client/dispute.js';
import type { Gateway } from '../src/client/gateway.js';
import type { Client } from '../src/client/index.js';
import type { OpenOptions } from '../src/client/openings.js';
import type * as VectorsPart from '../src/client/vectors-entry.js';
import { ComparisonError, type Duplex, type Finding, Vectors } from '../src/client/vectors-entry.js';
import { verdict } from '../src/protocol/evidence/index.js';
import { CountersignError, encodeClaim, placementOf, ROLE, toHex } from '../src/protocol/index.js';
import type { Server } from '../src/server/index.js';
import { CHEATS } from './byzantine/cheats.js';
import { play } from './byzantine/play.js';
import { clientOf, keyOf } from './client-helpers.js';
import { Random } from './simulation/random.js';
import { CheatingServer } from './support/cheating-server.js';
import type { Cheat } from './support/cheating-worker.js';
import { duplexes, Pipe } from './support/duplexes.js';
import { named, RUNS, SEED } from './worlds.js';

const test = suite('comparing');
const id = (name: string) => Uint8Array.from(named(name));

async function compare(one: Client, other: Client): Promise<[Finding, Finding, number]> {
  const line = duplexes();
  const found = await Promise.all([
    one.vectors!.compare(other.id, line.one),
    other.vectors!.compare(one.id, line.other),
  ]);
  return [...found, line.toOther.sent.length];
}

const talk = (server: Server, name: string) => clientOf(server, name, { vectors: new Vectors() });

/** Some epochs of the ordinary day. */
async function chat(alice: Client, bob: Client, times: number): Promise<void> {
  for (let i = 0; i < times; i++) {
    await alice.send({ to: bob.id, body: `to Bob ${i}` });
    await bob.send({ to: alice.id, body: `to Alice ${i}` });
  }
}

function mustProveThat(found: Finding, server: Server, text: RegExp): void {
  assert.is(found.outcome, 'diverged');
  if (found.outcome !== 'diverged') return;
  const { serverId, manifest } = server.identity;
  const judged = verdict(found.evidence, serverId, manifest.rootKey);
  assert.equal(judged, found.verdict);
  assert.is(judged.outcome, 'server');
  assert.match(judged.text, text);
}

test('case 1: a client lacks a message. Two find it, and both hold evidence that the server is faulty', async () => {
  const { server, cheat } = await started();
  const [alice, bob, cora] = await three(server);
  await chat(alice, bob, 3);
  cheat({ way: 'drop', from: toHex(alice.id), to: toHex(bob.id), instead: toHex(cora.id) });
  await cora.close();
  const { place } = await alice.send({ to: bob.id, body: 'the one that is lost' });
  await chat(alice, bob, 8);
  assert.is(bob.vectors!.check(alice.id, alice.vectors!.block(bob.id)).outcome, 'differs');
  const told = [alice, bob].map((client) => next(client));
  const [ofAlice, ofBob, frames] = await compare(alice, bob);
  for (const found of [ofAlice, ofBob]) {
    mustProveThat(found, server, /lost a message/);
    if (found.outcome === 'diverged') assert.is(found.epoch, place.epoch);
  }
  assert.ok(frames <= 12, `${frames} frames for some 20 epochs`);
  for (const [i, event] of (await Promise.all(told)).entries()) {
    assert.equal(event.peer, [bob, alice][i]!.id);
    assert.equal(event.evidence, ([ofAlice, ofBob][i] as { evidence: Uint8Array }).evidence);
  }
  await end(server, alice, bob);
});

test('a complaint is answered with openings; what stays closed is named', async () => {
  const { server, cheat } = await started();
  const [alice, bob, cora] = await three(server);
  await chat(alice, bob, 1);
  await cora.close();
  cheat({ way: 'drop', from: toHex(alice.id), to: toHex(bob.id), instead: toHex(cora.id) });
  await alice.send({ to: bob.id, body: 'the one that is lost' });
  await chat(alice, bob, 1);
  const [found] = await compare(alice, bob);
  assert.is(found.outcome, 'diverged');
  const { evidence } = found as Extract<Finding, { outcome: 'diverged' }>;
  // This server keeps one copy for all stages, which the outbox has changed: so router and receiver cannot open theirs.
  const complaint = await bob.vectors!.complain(evidence);
  const ofBob = complaint.closed.filter(({ mailbox }) => mailbox && toHex(mailbox) === toHex(bob.id));
  assert.equal(
    ofBob.map(({ stage, code }) => [stage, code]),
    [
      ['router', 'opening-unknown'],
      ['receiver', 'opening-unknown'],
    ],
  );
  const { serverId, manifest } = server.identity;
  assert.equal(verdict(complaint.evidence, serverId, manifest.rootKey), complaint.verdict);
  assert.is(complaint.verdict.outcome, 'server');
  assert.ok((await alice.vectors!.complain(evidence)).closed.some(({ code }) => code === 'not-a-party'));
  const nothing = await alice.vectors!.complain(id('no evidence')).catch((error: unknown) => error);
  assert.is((nothing as ComparisonError).code, 'nothing-proven');
  await end(server, alice, bob);
});

for (const role of ['router', 'receiver', 'outbox'] as const)
  test(`holders that open narrow a complaint to the ${role}; without them it stays as it is`, async () => {
    const cheat = CHEATS.find((each) => each.role === role && each.name === 'drop for one recipient')!;
    const { theatre, clients } = play([cheat], false);
    const before = clients!.verdict;
    assert.is(before.outcome, 'server');
    const holders = (isOpen: boolean) => async (_: number, asked: OpenOptions) => {
      if (!isOpen) throw new CountersignError('opening-expired', 'closed');
      const mailbox = Buffer.from((asked.mailbox as Uint8Array | undefined) ?? []);
      const at = asked.stage === 'inbox' ? null : theatre.world.placement(mailbox).outbox;
      const index = at === null || asked.stage === 'router' ? asked.inbox : at;
      const act = theatre.act(asked.epoch, ROLE[asked.stage], index);
      const claims = theatre.claims(act, asked.stage === 'router' ? at! : 0).map(encodeClaim);
      return { isThere: true, claims };
    };
    const { serverId } = theatre.world;
    const { manifest } = theatre.cluster;
    const gateway = (isOpen: boolean) =>
      ({ ground: { world: { serverId, manifest } }, manifest, open: holders(isOpen) }) as unknown as Gateway;
    const told = await complain(gateway(true), [], clients!.evidence, undefined);
    assert.equal(verdict(told.evidence, serverId, theatre.rootKey), told.verdict);
    assert.is(told.verdict.outcome === 'actor' && told.verdict.role, ROLE[role]);
    assert.is(told.closed.length, 0);
    const silent = await complain(gateway(false), [], clients!.evidence, undefined);
    assert.equal(silent.verdict, before);
    assert.is(silent.closed.length, 9);
  });

/** A message to Bob is lost, and nothing comes behind it: both prove it. Cora is gone by then. */
async function lostAndProven(
  server: Started['server'],
  cheat: Started['cheat'],
  [alice, bob, cora]: readonly [Client, Client, Client],
): Promise<void> {
  await chat(alice, bob, 1);
  await cora.close();
  cheat({ way: 'drop', from: toHex(alice.id), to: toHex(bob.id), instead: toHex(cora.id) });
  await alice.send({ to: bob.id, body: 'the one that is lost' });
  await bob.still();
  const [ofAlice, ofBob] = await compare(alice, bob);
  mustProveThat(ofAlice, server, /lost a message/);
  mustProveThat(ofBob, server, /lost a message/);
  await end(server, alice, bob);
}

type Started = Awaited<ReturnType<typeof started>>;

test('case 1, and nothing has come since: a still of another outbox shows what is missing', async () => {
  const { server, cheat } = await started({ outboxes: '2' });
  const { manifest, serverId } = server.identity;
  // Of one outbox alone, the sender's leaf may show by itself that the recipient has none.
  const names = [...Array(40).keys()].map((i) => `client ${i}`);
  const at = (outbox: number) => (name: string) =>
    placementOf(manifest, serverId, importSecretKey(keyOf(name)).publicKey).outbox === outbox;
  const [first] = names.filter(at(0));
  const [second, third] = names.filter(at(1));
  const [alice, bob, cora] = await three(server, [first!, second!, third!]);
  await lostAndProven(server, cheat, [alice, bob, cora]);
});

test('case 2: another content stands at the same place', async () => {
  const { server, cheat } = await started();
  const [alice, bob, cora] = await three(server);
  await chat(alice, bob, 2);
  cheat({ way: 'alter', from: toHex(alice.id), to: toHex(bob.id) });
  await alice.send({ to: [bob.id, cora.id], body: 'pay one' });
  await chat(alice, bob, 2);
  const [ofAlice, ofBob] = await compare(bob, alice);
  mustProveThat(ofAlice, server, /two messages at one place/);
  mustProveThat(ofBob, server, /two messages at one place/);
  await end(server, alice, bob, cora);
});

test('the files for browsers find and prove it, too', async () => {
  const built = (name: string) => import(new URL(`../browser/${name}.js`, import.meta.url).href);
  const { connect } = (await built('client')) as typeof BrowserPart;
  const part = (await built('vectors')) as typeof VectorsPart;
  const ignore = () => {};
  Object.assign(globalThis, { WebSocket, addEventListener: ignore, removeEventListener: ignore });
  const { server, cheat } = await started();
  const [alice, bob, cora] = (await Promise.all(
    ['alice', 'bob', 'cora'].map((name) =>
      connect({ url: server.url, key: keyOf(name), vectors: new part.Vectors() }),
    ),
  )) as [Client, Client, Client];
  await lostAndProven(server, cheat, [alice, bob, cora]);
});

test('two clients of an honest server have the same', async () => {
  const { server } = await started();
  const [alice, bob, cora] = await three(server);
  await chat(alice, bob, 2);
  const [ofAlice, ofBob] = await compare(alice, bob);
  assert.is(ofAlice.outcome, 'same');
  assert.equal(ofAlice, ofBob);
  assert.is((await compare(cora, bob))[0].outcome, 'same');
  await end(server, alice, bob, cora);
});

// ---- counterparts that lie

async function refused(
  client: Client,
  peer: Uint8Array,
  duplex: Duplex,
  timeoutMs = 20_000,
): Promise<string> {
  const found = await client.vectors!.compare(peer, duplex, { timeoutMs }).catch((error: unknown) => error);
  assert.instance(found, ComparisonError, JSON.stringify(found));
  return (found as ComparisonError).code;
}

test('whatever a counterpart says ends in an error that says what, and soon', async () => {
  const { server } = await started();
  const [alice, bob, cora] = await three(server);
  await chat(alice, bob, 4);
  const hello = {
    says: SAY.hello,
    serverId: alice.serverId,
    sender: bob.id,
    scope: 0,
    from: 0,
    base: 0,
    asOf: 2 ** 40,
  };
  const digest = (epoch: number, name: string): Frame => ({ says: SAY.digest, epoch, digest: id(name) });
  const script = (frames: readonly Frame[], isOpen = false) => {
    const line = duplexes();
    for (const frame of frames) line.toOne.push(encodeFrame(frame));
    if (!isOpen) line.toOne.end();
    return line.one;
  };
  const code = (frames: readonly Frame[]) => refused(alice, bob.id, script(frames));
  assert.is(await code([]), 'no-answer');
  assert.is(await refused(alice, bob.id, script([], true), 200), 'no-answer', 'it never answers');
  assert.is(await code([{ ...hello, sender: cora.id }]), 'not-comparable');
  assert.is(await code([{ ...hello, scope: 1 }]), 'not-comparable');
  assert.is(await code([{ ...hello, serverId: id('server') }]), 'not-comparable');
  assert.is(await code([{ ...hello, says: SAY.digest, epoch: 1, digest: id('x') } as never]), 'malformed');
  assert.is(await code([hello, { ...hello, base: 2 ** 45 }]), 'let-go');
  assert.is(await code([hello, hello, digest(1, 'x')]), 'malformed', 'of another epoch than is its turn');
  const { asOf } = alice.vectors!;
  assert.is(await code([hello, hello, digest(asOf, 'x'), digest(0, 'y')]), 'let-go');
  const line = duplexes();
  line.toOne.push(new Uint8Array(1 << 20));
  assert.is(await refused(alice, bob.id, line.one), 'malformed', 'too long');
  const broken = { incoming: new Pipe(), send: () => Promise.reject(new Error('cut')) };
  assert.is(await refused(alice, bob.id, broken), 'no-answer');
  await end(server, alice, bob, cora);
});

test('a counterpart that shows other messages than its digest is of contradicts itself', async () => {
  const { server, cheat } = await started();
  const [alice, bob, cora] = await three(server);
  await chat(alice, bob, 1);
  await cora.close();
  cheat({ way: 'drop', from: toHex(alice.id), to: toHex(bob.id), instead: toHex(cora.id) });
  await alice.send({ to: bob.id, body: 'the one that is lost' });
  await chat(alice, bob, 1);
  const line = duplexes();
  const none = encodeFrame({ says: SAY.items, items: [{ inbox: 0, index: 9, messageHash: id('none') }] });
  const lying = {
    incoming: line.toOther,
    send: (bytes: Uint8Array) => line.toOne.push(bytes[8] === SAY.items ? none : bytes),
  };
  const liar = bob.vectors!.compare(alice.id, lying, { timeoutMs: 2000 }).catch(() => {});
  assert.is(await refused(alice, bob.id, line.one), 'contradicts-itself');
  line.toOther.end();
  await liar;
  await end(server, alice, bob);
});

test('a counterpart whose every frame may be changed ends in an error, or in what is true', async () => {
  const { server, cheat } = await started();
  const [alice, bob, cora] = await three(server);
  await chat(alice, bob, 2);
  await cora.close();
  cheat({ way: 'drop', from: toHex(alice.id), to: toHex(bob.id), instead: toHex(cora.id) });
  await alice.send({ to: bob.id, body: 'the one that is lost' });
  await chat(alice, bob, 2);
  const [, , frames] = await compare(alice, bob);
  const random = new Random(SEED);
  const codes: Record<string, number> = {};
  for (let run = 0; run < 60 * RUNS; run++) {
    const line = duplexes();
    const target = random.int(frames);
    let sent = 0;
    const lying = {
      incoming: line.toOther,
      send: (bytes: Uint8Array) => line.toOne.push(sent++ === target ? mangled(random, bytes) : bytes),
    };
    const honest = alice.vectors!.compare(bob.id, line.one, { timeoutMs: 2000 });
    const liar = bob.vectors!.compare(alice.id, lying, { timeoutMs: 2000 }).catch(() => line.toOne.end());
    const found = await honest.catch((error: unknown) => error as ComparisonError);
    line.toOther.end();
    await liar;
    if (found instanceof Error) {
      assert.instance(found, ComparisonError, found.stack);
      codes[found.code] = (codes[found.code] ?? 0) + 1;
    } else if (found.outcome === 'diverged') mustProveThat(found, server, /lost a message/);
    // It may lie that all is well: then only itself has not got what it should.
    else codes['same'] = (codes['same'] ?? 0) + 1;
  }
  assert.ok(Object.keys(codes).length >= 2, JSON.stringify(codes));
  await end(server, alice, bob);
});

function mangled(random: Random, bytes: Uint8Array): Uint8Array {
  const out = Uint8Array.from(bytes);
  const way = random.int(3);
  if (way === 0) return out.subarray(0, random.int(out.length));
  if (way === 1) return Uint8Array.of(...out, 0);
  out[random.int(out.length)]! ^= 1 << random.int(8);
  return out;
}

test('the first difference of two lists is found, and what stands there', () => {
  const item = (index: number, name = 'm') => ({ inbox: 0, index, messageHash: id(`${name} ${index}`) });
  const at = (index: number, own: Uint8Array | null, others: Uint8Array | null) => ({
    ...{ epoch: 7, inbox: 0, index, own, others },
  });
  assert.is(firstDifference(7, [item(1)], [item(1)]), null);
  assert.equal(firstDifference(7, [item(1)], []), at(1, item(1).messageHash, null));
  assert.equal(
    firstDifference(7, [item(1), item(3)], [item(1), item(2), item(3)]),
    at(2, null, item(2).messageHash),
  );
  assert.equal(
    firstDifference(7, [item(1)], [item(1, 'n')]),
    at(1, item(1).messageHash, item(1, 'n').messageHash),
  );
});

// ---- helpers of these tests

async function started(flags: Record<string, string> = {}) {
  const cheating = await CheatingServer.start(flags);
  return { server: cheating.server, cheat: (cheat: Cheat) => cheating.cheat(cheat) };
}

async function three(
  server: Server,
  names: readonly string[] = ['alice', 'bob', 'cora'],
): Promise<[Client, Client, Client]> {
  return (await Promise.all(names.map((name) => talk(server, name)))) as [Client, Client, Client];
}

function next(client: Client): Promise<{ peer: Uint8Array; evidence: Uint8Array }> {
  return new Promise((resolve) => client.on('divergence', resolve));
}

async function end(server: Server, ...clients: Client[]): Promise<void> {
  await Promise.all(clients.map((client) => client.close()));
  await server.stop();
}

test.run();
