/** The bench's load: workloads, who gets what, when it is due, what is measured when the generator is late. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as hdr from 'hdr-histogram-js';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { importSecretKey } from '#crypto';
import { type Arrivals, arrivalsOf } from '../bench/arrivals.js';
import { Bodies, intendedIn, numberIn, senderIn } from '../bench/bodies.js';
import { choiceOf } from '../bench/choice.js';
import { now, pause } from '../bench/clock.js';
import { Latencies, percentile } from '../bench/latencies.js';
import { OPEN_WINDOW, Sending } from '../bench/sending.js';
import type { Clients, SenderEvents } from '../bench/system.js';
import { seedOf, signerOf } from '../bench/systems/countersign-keys.js';
import { builtIn, loadWorkload } from '../bench/workload.js';

const folder = mkdtempSync(join(tmpdir(), 'countersign-bench-load-'));

test('every workload that comes with the bench can be loaded', () => {
  assert.ok(builtIn().length >= 6);
  for (const name of builtIn()) assert.is(loadWorkload(name).name, name);
  const file = join(folder, 'own.json');
  writeFileSync(file, '{ "name": "own", "about": "mine", "server": { "threads": 2 } }');
  const own = loadWorkload(file, ['senders=3', 'choice={"kind":"zipf","s":1}', 'encoding=json']);
  assert.equal([own.server.threads, own.server.inboxes, own.senders, own.encoding], [2, 1, 3, 'json']);
  assert.equal(own.choice, { kind: 'zipf', s: 1 });
  assert.is(own.online, own.mailboxes);
});

test('keys are those of their seeds, however they are made', () => {
  for (const name of ['mailbox 0', 'mailbox 999999', 'sender 3']) {
    const [fast, known] = [signerOf(name), importSecretKey(seedOf(name))];
    assert.equal(fast.publicKey, known.publicKey);
    assert.equal(Buffer.from(fast.sign(seedOf('x'))), Buffer.from(known.sign(seedOf('x'))));
  }
});

test('what is unknown or out of range is named', () => {
  const refused: readonly (readonly [RegExp, ...string[]])[] = [
    [/sender: /, 'sender=3'],
    [/server\.inbox: /, 'server.inbox=1'],
    [/senders: /, 'senders=0'],
    [/senders: /, 'senders=1.5'],
    [/senders: /, 'senders=many'],
    [/bodyBytes: /, 'bodyBytes=15'],
    [/load/, 'load.mode=sideways'],
    [/load\.rate: /, 'load={"mode":"open","rate":0,"arrivals":"constant"}'],
    [/choice\.s: /, 'choice={"kind":"zipf","s":5}'],
    [/recipients: more than mailboxes/, 'recipients=11', 'mailboxes=10'],
    [/senderProcesses: more than senders/, 'senderProcesses=17'],
    [/receiverProcesses: more than receivers/, 'receiverProcesses=17'],
    [/online: more than mailboxes/, 'online=1001'],
    [/choice\.size: /, 'choice={"kind":"groups","size":7}'],
    [/expected path\.to\.knob=value/, 'senders'],
  ];
  for (const [message, ...settings] of refused)
    assert.throws(() => loadWorkload('throughput', settings), message, settings.join());
  assert.throws(() => loadWorkload('none'), /workload none: expected a JSON file or one of /);
});

// ---- to whom

function drawn(count: number, ...settings: string[]): number[][] {
  const choose = choiceOf(loadWorkload('throughput', settings))(3);
  return Array.from({ length: count }, () => choose());
}

function counted(lists: readonly (readonly number[])[], mailboxes: number): number[] {
  const counts = new Array<number>(mailboxes).fill(0);
  for (const each of lists.flat()) counts[each]!++;
  return counts;
}

/** Pearson's statistic: about as large as there are kinds when the counts follow the shares. */
function chiSquare(counts: readonly number[], shares: readonly number[]): number {
  const all = counts.reduce((sum, each) => sum + each, 0);
  return counts.reduce((sum, each, i) => sum + (each - all * shares[i]!) ** 2 / (all * shares[i]!), 0);
}

// With 50 kinds a statistic above 100 comes by chance once in 50,000 times; the seed makes it the same every time.
const MOST = 100;

test('uniform: every mailbox alike', () => {
  const counts = counted(drawn(50_000, 'mailboxes=50'), 50);
  assert.ok(chiSquare(counts, new Array(50).fill(1 / 50)) < MOST);
});

test('zipf: mailbox i with weight i^−s, also where s is 0, 1, or above', () => {
  for (const s of [0, 0.5, 0.99, 1, 2]) {
    const weights = Array.from({ length: 50 }, (_, i) => (i + 1) ** -s);
    const all = weights.reduce((sum, each) => sum + each, 0);
    const counts = counted(drawn(50_000, 'mailboxes=50', `choice={"kind":"zipf","s":${s}}`), 50);
    const shares = weights.map((each) => each / all);
    assert.ok(chiSquare(counts, shares) < MOST, `s = ${s}`);
    assert.ok(s === 0 || chiSquare(counts, [...shares].reverse()) > MOST, 'and the test can fail');
  }
});

test('several recipients are different ones', () => {
  const zipf = 'choice={"kind":"zipf","s":1}';
  for (const settings of [['recipients=10'], ['recipients=40'], ['recipients=10', zipf]])
    for (const each of drawn(200, 'mailboxes=50', ...settings)) {
      assert.is(new Set(each).size, each.length);
      assert.ok(each.every((mailbox) => mailbox >= 0 && mailbox < 50));
    }
  assert.throws(
    () => drawn(1, 'mailboxes=1000', 'recipients=1000', 'choice={"kind":"zipf","s":4}'),
    /too rare/,
  );
});

test('groups: all members of one, every group alike', () => {
  const lists = drawn(5000, 'mailboxes=500', 'recipients=10', 'choice={"kind":"groups","size":10}');
  for (const list of lists)
    assert.equal(
      list,
      Array.from({ length: 10 }, (_, i) => list[0]! + i),
    );
  const counts = counted(
    lists.map(([first]) => [first! / 10]),
    50,
  );
  assert.ok(chiSquare(counts, new Array(50).fill(1 / 50)) < MOST);
});

test('friends: those of the sender’s line', () => {
  const file = join(folder, 'friends');
  writeFileSync(file, '0 1 2\n3 4\n5  6 7 8\n');
  const friends = `choice={"kind":"friends","file":"${file}"}`;
  // Sender 3 has line 0 of three.
  assert.equal([...new Set(drawn(100, friends, 'mailboxes=9').flat())].sort(), [0, 1, 2]);
  assert.throws(
    () => drawn(1, friends, 'mailboxes=9', 'recipients=3'),
    /friends, line 2: expected 3 different/,
  );
  assert.throws(() => drawn(1, friends, 'mailboxes=8'), /friends, line 3: .*0 to 7/);
});

test('a seed repeats itself, another one and another sender do not', () => {
  const draw = (seed: number, sender: number) => {
    const choose = choiceOf(loadWorkload('throughput', [`seed=${seed}`]))(sender);
    return Array.from({ length: 20 }, () => choose()[0]).join();
  };
  assert.is(draw(1, 0), draw(1, 0));
  assert.is.not(draw(1, 0), draw(2, 0));
  assert.is.not(draw(1, 0), draw(1, 1));
});

test('a body is recognised, and no byte of it can be changed', () => {
  for (const bodyBytes of [16, 17, 128]) {
    const bodies = new Bodies({ seed: 7, bodyBytes });
    const body = Uint8Array.from(bodies.make(3, 70_000, 1234.567));
    assert.equal([senderIn(body), numberIn(body), intendedIn(body)], [3, 70_000, 1234.567]);
    assert.ok(bodies.isWhole(body));
    assert.not(bodies.isWhole(body.slice(0, -1)));
    // A header without a filling has nothing that could contradict it.
    if (bodyBytes < 128) continue;
    for (let i = 0; i < bodyBytes; i++) {
      body[i]! ^= 1;
      assert.not(bodies.isWhole(body), `byte ${i}`);
      body[i]! ^= 1;
    }
  }
});

// ---- when

function duesOf(arrivals: Arrivals, ms: number): { due: number; sender: number }[] {
  const dues: { due: number; sender: number }[] = [];
  for (; arrivals.due < ms; arrivals.advance()) dues.push({ due: arrivals.due, sender: arrivals.sender });
  return dues;
}

const open = (arrivals: string, rate: number) =>
  `load={"mode":"open","rate":${rate},"arrivals":"${arrivals}"}`;

test('constant arrivals: equal distances, all senders in turn, whatever process they are in', () => {
  const workload = loadWorkload('light', ['senders=4', open('constant', 1000)]);
  const all = [
    [0, 2],
    [1, 3],
  ].flatMap((own) => duesOf(arrivalsOf(workload, own), 100));
  all.sort((a, b) => a.due - b.due);
  assert.is(all.length, 100);
  all.forEach(({ due, sender }, i) => {
    assert.ok(Math.abs(due - i) < 1e-9);
    assert.is(sender, i % 4);
  });
});

test('Poisson arrivals: the rate, and distances as exponential ones are', () => {
  const workload = loadWorkload('light', ['senders=4', open('poisson', 1000)]);
  const dues = duesOf(arrivalsOf(workload, [0, 2]), 40_000);
  assert.ok(Math.abs(dues.length - 20_000) < 5 * Math.sqrt(20_000), 'half of the senders, half of the rate');
  const gaps = dues.slice(1).map(({ due }, i) => due - dues[i]!.due);
  const mean = gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length;
  const deviation = Math.sqrt(gaps.reduce((sum, gap) => sum + (gap - mean) ** 2, 0) / gaps.length);
  assert.ok(Math.abs(deviation / mean - 1) < 0.05);
  const first = dues.filter(({ sender }) => sender === 0).length;
  assert.ok(Math.abs(first - dues.length / 2) < 5 * Math.sqrt(dues.length / 4));
});

/** Clients without a server: every message is acknowledged in the next turn of the event loop, or never. */
function clientsThat(acknowledge: boolean): Clients {
  const sender = (events: SenderEvents) => ({
    send(number: number) {
      if (acknowledge) setImmediate(() => events.acknowledged(number, number + 1));
    },
    async close() {},
  });
  return {
    async register() {},
    openSender: async (_, events) => sender(events),
    openReceiver: async () => ({ async close() {} }),
    async close() {},
  };
}

const failed = (error: Error) => {
  throw error;
};

test('open loop: a generator that is held up sends what is due late, counts from when it was due, and says so', async () => {
  const sending = new Sending(
    loadWorkload('light', ['senders=2', 'warmupSeconds=0', open('constant', 1000)]),
    failed,
  );
  await sending.open(clientsThat(true), [0, 1]);
  const start = now();
  sending.start(start);
  const atLeast = async (count: number) => {
    while (sending.sent < count) await pause(5);
  };
  await atLeast(100);
  for (const until = now() + 100; now() < until; );
  await atLeast(sending.sent + 200);
  await sending.stop();
  const { senders, lateness, unsent } = sending.results();
  const intended = senders.flatMap((each) => [...each.intended]).sort((a, b) => a - b);
  intended.forEach((each, i) => {
    assert.ok(Math.abs(each - start - i) < 1e-6);
  });
  const late = new Latencies();
  late.add(lateness);
  assert.ok(percentile(late.histogram(), 99) > 80);
  assert.ok(percentile(sending.latencies.histogram(), 99) > 80);
  assert.is(unsent, 0);
});

test('open loop: what finds a sender’s window full is not sent, and counted', async () => {
  const workload = loadWorkload('light', ['senders=1', open('constant', 100_000)]);
  let failure: Error | null = null;
  const sending = new Sending(workload, (error) => {
    failure = error;
  });
  await sending.open(clientsThat(false), [0]);
  sending.start(now());
  while (sending.results().unsent === 0) await pause(10);
  assert.is(sending.results().senders[0]!.count, OPEN_WINDOW);
  sending.halt();
  assert.is(failure, null);
});

test('closed loop: so many are under way, whatever is answered', async () => {
  const sending = new Sending(loadWorkload('throughput', ['load.window=8']), failed);
  await sending.open(clientsThat(true), [0, 1]);
  await sending.fill(100, 8);
  assert.equal([sending.sent, sending.acknowledged], [100, 100]);
  sending.start(now());
  await pause(50);
  assert.ok(sending.sent - sending.acknowledged <= 16 && sending.acknowledged > 200);
  await sending.stop();
  assert.is(sending.sent, sending.acknowledged);
});

test('latencies are counted as an HdrHistogram of three digits counts them', () => {
  const latencies = new Latencies();
  const plain = hdr.build({
    lowestDiscernibleValue: 1,
    highestTrackableValue: 2 ** 30,
    numberOfSignificantValueDigits: 3,
  });
  const values = [
    0.001,
    0.5,
    2.047,
    2.048,
    2.049,
    4.095,
    4.096,
    17.123,
    999.999,
    123_456.789,
    2 ** 30 / 1000,
  ];
  for (let ms = 0.001; ms < 100_000; ms *= 1.01) values.push(ms);
  for (const ms of values) {
    latencies.record(ms);
    plain.recordValue(Math.max(1, Math.round(ms * 1000)));
  }
  const histogram = latencies.histogram();
  assert.is(histogram.outputPercentileDistribution(), plain.outputPercentileDistribution());
  latencies.record(0);
  latencies.record(2 ** 40);
  assert.is(latencies.histogram().totalCount, values.length + 2);
  assert.ok(Number.isNaN(percentile(new Latencies().histogram(), 50)));
});

test('the clock of a new process is that of the machine', () => {
  const clock = new URL('../bench/clock.js', import.meta.url).href;
  const code = `const { now } = await import('${clock}');
    let behind = -Infinity;
    for (let i = 0; i < 300; i++) behind = Math.max(behind, Number(process.hrtime.bigint()) / 1e6 - now());
    console.log(behind);`;
  const behind = Number(
    execFileSync(process.execPath, ['--input-type=module', '-e', code], { encoding: 'utf8' }),
  );
  assert.ok(Math.abs(behind) < 0.1, `${behind} ms`);
});

test.run();
