/** The demo: its checks must be able to fail, and it must leave nothing behind. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { check, type Delivered, type Findings, isClean, type Standing } from '../src/cli/demo/checks.js';
import { latencyOf, percentile } from '../src/cli/demo/latency.js';
import { makePlan, messageOf, type Plan } from '../src/cli/demo/plan.js';
import { checkClaim } from '../src/cli/demo/proof.js';
import { clientOf, directory, serverAt } from './client-helpers.js';
import { clean } from './support/demo.js';
import { commandHere, countersign, jsonLines } from './support/program.js';

const test = suite('demo');
const plan = makePlan({ messages: 60, clients: 4, seed: 7 });

interface World {
  mailboxes: Delivered[][];
  receipts: (Standing | undefined)[];
  totals: number[];
}

/** What an honest server shows of a plan: message i stands at the i-th place. */
function honest({ messages, clients }: Plan): World {
  const counters = Array.from({ length: clients }, () => 0);
  const world: World = {
    mailboxes: Array.from({ length: clients }, () => []),
    receipts: [],
    totals: Array.from({ length: clients }, () => 0),
  };
  for (const [message, { sender, to }] of messages.entries()) {
    const place = { epoch: 1 + Math.floor(message / 7), inbox: 0, index: message % 7 };
    const counter = ++counters[sender]!;
    const standing = { message, place, counter, hash: `hash ${message}` };
    world.receipts.push(standing);
    for (const client of to) world.mailboxes[client]!.push({ ...standing, sender });
    for (const client of new Set([sender, ...to])) world.totals[client]! += 1;
  }
  return world;
}

const mailbox = (world: World) => world.mailboxes[1]!;
const swap = <T>(list: T[], i: number, j: number) => {
  [list[i], list[j]] = [list[j]!, list[i]!];
};
/** Gives every sight of a message another place. */
function move(world: World, message: number, place: Standing['place']): void {
  for (const list of [...world.mailboxes, world.receipts])
    for (const [i, each] of list.entries())
      if (each?.message === message) (list as Standing[])[i] = { ...each, place };
}

const ANOMALIES: readonly [string, keyof Findings, RegExp, (world: World) => void][] = [
  ['a delivery left out', 'lost', /is not shown to client 1/, (w) => mailbox(w).splice(3, 1)],
  ['a receipt left out', 'lost', /message 5 has no receipt/, (w) => (w.receipts[5] = undefined)],
  ['the last receipts left out', 'lost', /message 59 has no receipt/, (w) => (w.receipts[59] = undefined)],
  ['a message shown twice', 'duplicated', /twice to client 1/, (w) => mailbox(w).push(mailbox(w)[3]!)],
  ['two messages the other way round', 'misordered', /too late/, (w) => swap(mailbox(w), 3, 4)],
  [
    'another place for one recipient',
    'misordered',
    /stands at 9\d\.0\.0 and|and 9\d\.0\.0/,
    (w) => (mailbox(w)[mailbox(w).length - 1] = { ...mailbox(w).at(-1)!, place: place(90) }),
  ],
  [
    'another place in the receipt',
    'misordered',
    /message 8 stands at/,
    (w) => (w.receipts[8] = { ...w.receipts[8]!, place: place(91) }),
  ],
  ['one place for two messages', 'misordered', /both stand at/, (w) => move(w, 9, w.receipts[10]!.place)],
  [
    'a sender overtaken by its own later message',
    'misordered',
    /before an earlier one/,
    (w) => move(w, 0, place(92)),
  ],
  [
    'an invented message',
    'altered',
    /was never sent/,
    (w) => mailbox(w).push({ message: -1, sender: 0, counter: 1, hash: 'x', place: place(93) }),
  ],
  [
    'another sender',
    'altered',
    /was never sent/,
    (w) => (mailbox(w)[2] = { ...mailbox(w)[2]!, sender: (mailbox(w)[2]!.sender + 1) % 4 }),
  ],
  [
    'a message to somebody else',
    'altered',
    /client 1 is shown at 94\.0\.0/,
    (w) => {
      const message = plan.messages.findIndex(({ to }) => !to.includes(1));
      const { sender } = plan.messages[message]!;
      mailbox(w).push({ ...w.receipts[message]!, sender, place: place(94) });
    },
  ],
  [
    'another hash for one recipient',
    'altered',
    /not the same for all/,
    (w) => (mailbox(w)[2] = { ...mailbox(w)[2]!, hash: 'x' }),
  ],
  [
    'a counter that skips',
    'altered',
    /another number than/,
    (w) => (w.receipts[4] = { ...w.receipts[4]!, counter: 99 }),
  ],
  ['a message too many in a chain', 'altered', /the chain of client 2/, (w) => w.totals[2]!++],
];

function place(epoch: number): Standing['place'] {
  return { epoch, inbox: 0, index: 0 };
}

test('a plan is decided by its seed, and who is away sends nothing', () => {
  assert.equal(makePlan({ messages: 60, clients: 4, seed: 7 }), plan);
  assert.not.equal(makePlan({ messages: 60, clients: 4, seed: 8 }).messages, plan.messages);
  for (const [i, { sender, to, body }] of plan.messages.entries()) {
    assert.not(sender === plan.away && i >= plan.leaves && i < plan.returns);
    assert.ok(to.length >= 1 && to.length <= 4 && to.every((client, j) => j === 0 || client > to[j - 1]!));
    assert.is(messageOf(plan, Buffer.from(body)), i);
  }
  for (const body of ['message 3 of demo 8', 'message 03 of demo 7', 'message 60 of demo 7', ''])
    assert.is(messageOf(plan, Buffer.from(body)), -1);
  assert.ok(new Set(plan.messages.map(({ to }) => to.length)).size > 2);
});

test('the checks have nothing to say about an honest server', () => {
  const findings = check(plan, honest(plan));
  assert.equal(findings, { lost: [], duplicated: [], misordered: [], altered: [] });
  assert.ok(isClean(findings));
});

for (const [name, kind, pattern, plant] of ANOMALIES) {
  test(`the checks find ${name}`, () => {
    const world = honest(plan);
    plant(world);
    const findings = check(plan, world);
    assert.not(isClean(findings));
    assert.ok(
      findings[kind].some((text) => pattern.test(text)),
      `${kind}: ${JSON.stringify(findings)}`,
    );
  });
}

test('percentiles are of what no outage touched', () => {
  const flight = (sentAt: number, shownAt: number, sender = 0, recipient = 1) => ({
    sender,
    recipient,
    sentAt,
    shownAt,
  });
  const flights = [
    flight(0, 5),
    flight(10, 18), // Over before.
    flight(10, 500), // Into the restart.
    flight(30, 400), // In it.
    flight(60, 63, 2, 1), // From who is away.
    flight(60, 64, 1, 2), // To who is away.
    flight(100, 101),
  ];
  const outages = [
    { from: 20, until: 50 },
    { from: 55, until: 70, client: 2 },
  ];
  assert.equal(latencyOf(flights, outages), { flights: 3, p50Ms: 5, p99Ms: 8, slowestMs: 490 });
  assert.equal(latencyOf([], outages), { flights: 0, p50Ms: 0, p99Ms: 0, slowestMs: 0 });
  const hundred = Array.from({ length: 100 }, (_, i) => i + 1);
  assert.equal(
    [1, 50, 99, 100].map((percent) => percentile(hundred, percent)),
    [1, 50, 99, 100],
  );
});

test('a claim proves its own message at its own place in its own mailbox, and no other', async () => {
  const server = await serverAt(directory('demo-claims'));
  const [alice, bob] = await Promise.all([clientOf(server, 'alice'), clientOf(server, 'bob')]);
  const receipt = await alice.send({ to: bob.id, body: 'x' });
  const { serverId, manifest } = alice;
  const witness = { serverId, manifest };
  const [claim, at, hash] = [await receipt.claim(), receipt.place, receipt.messageHash];
  checkClaim(claim, witness, alice.id, at, hash);
  assert.throws(() => checkClaim(claim, witness, bob.id, at, hash), /another mailbox/);
  assert.throws(
    () => checkClaim(claim, witness, alice.id, { ...at, epoch: at.epoch + 1 }, hash),
    /another epoch/,
  );
  assert.throws(() => checkClaim(claim, witness, alice.id, { ...at, index: 1 }, hash), /not in it/);
  assert.throws(() => checkClaim(claim, witness, alice.id, at, serverId), /not in it/);
  assert.throws(() => checkClaim(claim, { serverId: hash, manifest }, alice.id, at, hash), /other server/);
  for (let i = 0; i < claim.length; i += 7) {
    const spoilt = Uint8Array.from(claim);
    spoilt[i]! ^= 1;
    assert.throws(() => checkClaim(spoilt, witness, alice.id, at, hash));
  }
  await Promise.all([alice.close(), bob.close()]);
  await server.stop();
});

test('the demo: killed and restarted in the middle, nothing is lost, and everything is proven', async () => {
  const TMPDIR = directory('demo');
  const args = ['demo', '--json', '--messages', '300', '--clients', '6', '--seed', '3'];
  // The settings of another server must not become the demo's.
  const env = { TMPDIR, COUNTERSIGN_LIMITS_BODY_BYTES: '1' };
  const { status, stdout, stderr } = await countersign(args, { env });
  assert.equal([status, stderr], [0, ''], stdout);
  const result = jsonLines(stdout).at(-1);
  const planned = makePlan({ messages: 300, clients: 6, seed: 3 }).messages;
  const deliveries = planned.reduce((sum, { to }) => sum + to.length, 0);
  assert.is(result.messages, 300);
  assert.is(result.deliveries, deliveries);
  assert.equal([result.lost, result.duplicated, result.misordered, result.altered], [0, 0, 0, 0]);
  assert.equal([result.proofs >= deliveries + 300, result.unproven], [true, 0]);
  assert.ok(result.epochs > 1 && result.restartMs > 0);
  // On a busy machine the restart and the absence touch every delivery of so few.
  assert.is(result.p50Ms > 0, result.flights > 0);
  assert.ok(result.p50Ms <= result.p99Ms && result.p99Ms <= result.slowestMs);
  clean(TMPDIR);
});

test('numbers that make no demo are refused', async () => {
  for (const [option, value] of [
    ['messages', '9'],
    ['clients', '1'],
    ['seed', 'x'],
  ]) {
    const { status, stderr } = await commandHere(['demo', `--${option}`, value!]);
    assert.is(status, 2);
    assert.match(
      stderr,
      new RegExp(`^usage: --${option}: expected an integer from \\d+ to \\d+, got ${value}`),
    );
  }
});

test.run();
