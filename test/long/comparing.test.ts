/** Two clients find out in what they differ: further cases, holders that open, the files for browsers, and counterparts that lie. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { WebSocket } from 'ws';
import { importSecretKey } from '#crypto';
import type * as BrowserPart from '../../src/client/browser.js';
import { encodeFrame, SAY } from '../../src/client/comparison-frames.js';
import type { Gateway } from '../../src/client/gateway.js';
import type { Client } from '../../src/client/index.js';
import type * as VectorsPart from '../../src/client/vectors-entry.js';
import { ComparisonError, type Finding, Vectors } from '../../src/client/vectors-entry.js';
import { placementOf, ROLE, toHex } from '../../src/protocol/index.js';
import { rotateKeys } from '../../src/server/rotation.js';
import { clientOf, keyOf } from '../client-helpers.js';
import { Random } from '../simulation/random.js';
import {
  chat,
  compare,
  duplexes,
  end,
  id,
  loseOne,
  lying,
  mustProveThat,
  refused,
  started,
  three,
  twoWorlds,
} from '../support/comparing.js';
import { house } from '../support/rotation-client.js';
import { silentProxy } from '../support/silent-proxy.js';
import { bothSay } from '../support/verdicts.js';
import { RUNS, SEED } from '../worlds.js';

const test = suite('comparing');

/** As a page's: what fails is an event, which nobody has to listen to. */
class PageSocket extends WebSocket {
  constructor(...args: ConstructorParameters<typeof WebSocket>) {
    super(...args);
    this.on('error', () => {});
  }
}

test('a complaint is answered with openings; what stays closed is named', async () => {
  const { server, cheat } = await started();
  const [alice, bob, cora] = await three(server);
  await loseOne(cheat, [alice, bob, cora], 1, 1);
  const [found] = await compare(alice, bob);
  assert.is(found.outcome, 'diverged');
  const { evidence } = found as Extract<Finding, { outcome: 'diverged' }>;
  // This server keeps one copy for all stages, which the outbox has changed: so router and receiver cannot open theirs.
  const complaint = await bob.complain(evidence);
  const ofBob = complaint.closed.filter(({ mailbox }) => mailbox && toHex(mailbox) === toHex(bob.id));
  assert.equal(
    ofBob.map(({ stage, code }) => [stage, code]),
    [
      ['router', 'opening-unknown'],
      ['receiver', 'opening-unknown'],
    ],
  );
  const { serverId, manifest } = server.identity;
  assert.equal(bothSay(complaint.evidence, serverId, manifest.rootKey), complaint.verdict);
  assert.is(complaint.verdict.outcome, 'server');
  assert.is(complaint.closed.length, 2);
  // To the sender this server, which has lost the item, says that she is no party to it: that is not kept from her.
  assert.not((await alice.complain(evidence)).closed.some(({ code }) => code === 'not-a-party'));
  const nothing = await alice.complain(id('no evidence')).catch((error: unknown) => error);
  assert.instance(nothing, TypeError);
  await end(server, alice, bob);
});

test('a server that says when to ask again is asked again, and nobody is taken for closed meanwhile', async () => {
  const { server, cheat } = await started({ 'limits-openings-per-minute': '4' });
  const [alice, bob, cora] = await three(server);
  await loseOne(cheat, [alice, bob, cora], 1, 1);
  const [found] = await compare(alice, bob);
  const { evidence } = found as Extract<Finding, { outcome: 'diverged' }>;
  const spent = await alice.open({ stage: 'inbox', ...(await alice.send({ to: bob.id, body: 'x' })).place });
  assert.ok(spent.isThere);
  const whole = await alice.complain(evidence, { timeoutMs: 200_000 });
  assert.equal(whole.unanswered, []);
  assert.equal(
    whole.closed.map(({ code }) => code),
    ['opening-unknown', 'opening-unknown'],
  );
  await end(server, alice, bob);
});

test('a peer whose manifest is newer is no liar: who can asks the server first, and else it is told so', async () => {
  const home = await house();
  const proxy = await silentProxy(home.server.url);
  const alice = await clientOf(home.server, 'alice', { vectors: new Vectors() });
  const bob = await clientOf(home.server, 'bob', {
    vectors: new Vectors(),
    url: proxy.url,
    silenceMs: 600_000,
  });
  await chat(alice, bob, 1);
  proxy.silence();
  await home.again(() => rotateKeys(home.data, null));
  await alice.still();
  assert.equal([alice.manifest.version, bob.manifest.version], [2, 1]);
  const told: unknown[] = [];
  bob.on('suspicion', (each) => told.push(each));
  const line = duplexes();
  const others = refused(alice, bob.id, line.one);
  assert.is(await refused(bob, alice.id, line.other), 'unknown-checkpoint');
  line.toOther.end();
  line.toOne.end();
  await others;
  assert.equal(told, []);
  // Connected again, but told of nothing yet: the answer to what it asks names the manifest.
  const compared = compare(alice, bob);
  for (const { connection } of (bob as unknown as { gateway: Gateway }).gateway.outboxes) {
    connection.close();
    connection.start();
  }
  assert.is((await compared)[1].outcome, 'same');
  assert.is(bob.manifest.version, 2);
  await Promise.all([alice.close(), bob.close()]);
  proxy.close();
  await home.server.stop();
});

/** A message to Bob is lost, and nothing comes behind it: both prove it. Cora is gone by then. */
async function lostAndProven(
  server: Started['server'],
  cheat: Started['cheat'],
  [alice, bob, cora]: readonly [Client, Client, Client],
): Promise<void> {
  await loseOne(cheat, [alice, bob, cora], 1);
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

/** Clients of the files for browsers. */
async function makerInBrowsers() {
  const built = (name: string) => import(new URL(`../../browser/${name}.js`, import.meta.url).href);
  const { connect } = (await built('client')) as typeof BrowserPart;
  const part = (await built('vectors')) as typeof VectorsPart;
  const ignore = () => {};
  Object.assign(globalThis, { WebSocket: PageSocket, addEventListener: ignore, removeEventListener: ignore });
  return ({ url }: Started['server'], name: string) =>
    connect({ url, key: keyOf(name), vectors: new part.Vectors() }) as Promise<unknown> as Promise<Client>;
}

for (const [way, role, what] of [
  ['skip', 'router', 'lost a message for all'],
  ['forge', 'inbox', 'altered a message'],
] as const)
  test(`the files for browsers have the ${role} named that ${what}`, async () => {
    const make = await makerInBrowsers();
    const { server, cheat } = await started({ submissions: 'required' });
    const [alice, bob, cora, dave] = (await Promise.all(
      ['alice', 'bob', 'cora', 'dave'].map((name) => make(server, name)),
    )) as [Client, Client, Client, Client];
    const told = new Promise<Uint8Array>((resolve) =>
      alice.on('evidence', ({ evidence }) => resolve(evidence)),
    );
    await chat(alice, bob, 2);
    const [from, to, instead, beside] = [alice, bob, cora, dave].map((client) => toHex(client.id));
    cheat({ way, from: from!, to: to!, instead: instead!, beside: beside! });
    const placed = new Promise((resolve) => alice.on('placed', resolve));
    alice.send({ to: bob.id, body: 'the one that it is done to' }).catch(() => {});
    await placed;
    await alice.send({ to: bob.id, body: 'the one behind it' }).catch(() => {});
    const { serverId, manifest } = server.identity;
    const judged = bothSay(await told, serverId, manifest.rootKey);
    assert.is(judged.outcome === 'actor' && judged.role, ROLE[role], judged.text);
    await end(server, alice, bob, cora, dave);
  });

test('the files for browsers find and prove it, too', async () => {
  const make = await makerInBrowsers();
  const { server, cheat } = await started();
  const three = await Promise.all(['alice', 'bob', 'cora'].map((name) => make(server, name)));
  await lostAndProven(server, cheat, three as [Client, Client, Client]);
  const worlds = await twoWorlds(make);
  const [alice, bob] = worlds.clients;
  // Another size than a power of two, of which a proof does not show the root.
  for (let i = 0; i < 9; i++) await (i < 3 ? alice : bob).still();
  for (; Number.isInteger(Math.log2(alice.checkpoint.size)); ) await alice.still();
  const { serverId, manifest } = worlds.servers[0].identity;
  for (const found of (await compare(alice, bob)).slice(0, 2) as Finding[]) {
    assert.is(found.outcome, 'forked');
    if (found.outcome === 'forked')
      assert.equal(bothSay(found.evidence, serverId, manifest.rootKey), found.verdict);
  }
  await worlds.stop();
});

test('a counterpart that shows other messages than its digest is of contradicts itself', async () => {
  const { server, cheat } = await started();
  const [alice, bob, cora] = await three(server);
  await loseOne(cheat, [alice, bob, cora], 1, 1);
  const none = encodeFrame({ says: SAY.items, items: [{ inbox: 0, index: 9, messageHash: id('none') }] });
  const restore = lying(bob.id, (frame) => (frame[8] === SAY.items ? none : frame));
  const line = duplexes();
  const liar = bob.vectors!.compare(alice.id, line.other, { timeoutMs: 2000 }).catch(() => {});
  assert.is(await refused(alice, bob.id, line.one), 'contradicts-itself');
  line.toOther.end();
  await liar;
  restore();
  await end(server, alice, bob);
});

test('a counterpart that says anything in any of its turns ends in an error, or in what is true', async () => {
  const { server, cheat } = await started();
  const [alice, bob, cora] = await three(server);
  await loseOne(cheat, [alice, bob, cora], 2, 2);
  const [, , frames] = await compare(alice, bob);
  const random = new Random(SEED);
  const codes: Record<string, number> = {};
  for (let run = 0; run < 60 * RUNS; run++) {
    const line = duplexes();
    const target = random.int(frames);
    let sent = 0;
    const restore = lying(bob.id, (frame) => (sent++ === target ? mangled(random, frame) : frame));
    const honest = alice.vectors!.compare(bob.id, line.one, { timeoutMs: 2000 });
    const liar = bob
      .vectors!.compare(alice.id, line.other, { timeoutMs: 2000 })
      .catch(() => line.toOne.end());
    const found = await honest.catch((error: unknown) => error as ComparisonError);
    line.toOther.end();
    await liar;
    restore();
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

test('whoever carries the bytes changes any of them, and nobody is told anything that is not true', async () => {
  const { server, cheat } = await started();
  const [alice, bob, cora] = await three(server);
  await loseOne(cheat, [alice, bob, cora], 2, 2);
  const [, , frames] = await compare(alice, bob);
  const random = new Random(SEED);
  const kept = () => alice.vectors!.book.pairOf(toHex(bob.id)).saved;
  const before = kept();
  for (let run = 0; run < 40 * RUNS; run++) {
    const line = duplexes();
    const target = random.int(frames);
    let sent = 0;
    const send = (bytes: Uint8Array) => {
      const out = Uint8Array.from(bytes);
      // Behind the length, with which the rest would be waited for.
      const at = random.int(out.length - 4) + 4;
      if (sent++ === target) out[at]! ^= 1 << random.int(8);
      line.toOne.push(out);
    };
    const honest = refused(alice, bob.id, line.one);
    const other = bob.vectors!.compare(alice.id, { incoming: line.toOther, send });
    assert.is(await honest, 'not-authentic');
    line.toOther.end();
    await other.catch(() => {});
    assert.equal(kept(), before);
  }
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

test.run();
