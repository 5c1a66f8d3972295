/** The client in a real browser, against a real server: what the library promises, it keeps there too. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { importSecretKey } from '#crypto';
import type { Change, Saved } from '../../src/client/store.js';
import { decodeClaim, toHex, verifyClaim } from '../../src/protocol/index.js';
import type { Server } from '../../src/server/index.js';
import { changeActors } from '../../src/server/resizing.js';
import { CHEATS } from '../byzantine/cheats.js';
import { play } from '../byzantine/play.js';
import { clientOf, directory, keyOf, read, serverAt } from '../client-helpers.js';
import { prepare, type StartOptions } from '../support/in-page.js';
import { Network } from '../support/network.js';
import { RUNS } from '../worlds.js';

const CHROMIUM = '/usr/bin/chromium';
const ARGS =
  '--headless --no-sandbox --disable-gpu --in-process-gpu --disable-quic --no-first-run --disable-extensions --disable-background-networking --disable-component-update --disable-sync';
const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

const all = suite('browser');
const isMissing = !existsSync(CHROMIUM) && !process.env['CI'];
if (isMissing) console.log(`SKIPPED: no ${CHROMIUM}; .ci/install-debian installs it`);
const test = isMissing ? all.skip : all;

let browser: Browser | undefined;
let files: ChildProcess | undefined;
/** Where the pages are from. */
let origin: string;
let server: Server;
const contexts: BrowserContext[] = [];
/** What pages threw and nobody caught. */
const uncaught: string[] = [];

all.before(async () => {
  if (isMissing) return;
  files = spawn(process.execPath, ['examples/browser/serve.mjs', '0'], { cwd: ROOT });
  const said = once(files.stdout!.setEncoding('utf8'), 'data');
  const launched = chromium.launch({ executablePath: CHROMIUM, args: ARGS.split(' ') });
  const started = serverAt(directory('browser'));
  [browser, server] = await Promise.all([launched, started]);
  origin = /http:\/\/[\w.:]+/.exec(`${await said}`)![0];
});

all.after.each(async () => {
  await Promise.all(contexts.splice(0).map((context) => context.close()));
  assert.equal(uncaught.splice(0), []);
});

all.after(async () => {
  if (isMissing) return;
  // What did not start is not there.
  files?.kill();
  await browser?.close();
  await server?.stop();
});

async function newContext(): Promise<BrowserContext> {
  const context = await browser!.newContext();
  contexts.push(context);
  context.setDefaultTimeout(20_000);
  await context.addInitScript(prepare);
  return context;
}

/** A page of the origin, with nothing on it. */
async function newPage(context?: BrowserContext): Promise<Page> {
  const page = await (context ?? (await newContext())).newPage();
  page.on('pageerror', (error) => uncaught.push(String(error)));
  await page.goto(`${origin}/nothing`);
  return page;
}

const start = (page: Page, name: string, options: Partial<StartOptions> = {}) =>
  page.evaluate((all) => globalThis.page.start(all), { url: server.url, key: [...keyOf(name)], ...options });

const idOf = (name: string) => toHex(importSecretKey(keyOf(name)).publicKey);
const seen = (page: Page) => page.evaluate(() => globalThis.page.seen);
const events = (page: Page) => page.evaluate(() => globalThis.page.events);
const seenSoFar = (page: Page, count: number) =>
  page.waitForFunction((count) => globalThis.page.seen.length >= count, count).then(() => seen(page));
const happened = (page: Page, event: string) =>
  page.waitForFunction((event) => globalThis.page.events.includes(event), event);

const numbered = (count: number, from = 1) => Array.from({ length: count }, (_, i) => `message ${from + i}`);

/** What saves may hold; bytes as arrays of numbers. */
function storeSteps(): object[][] {
  const bytes = (fill: number, length = 32) => new Array<number>(length).fill(fill);
  const mailbox = 'ab'.repeat(32);
  const chain = (epoch: number) => ({ lastEpoch: epoch, total: epoch * 3, head: bytes(epoch) });
  const place = { epoch: 4, inbox: 1, index: 9 };
  const chainAt = (epoch: number) => ({
    type: 'chain',
    mailbox,
    chain: { acknowledged: chain(epoch), verified: chain(epoch + 1), place, ownCounter: epoch - 1 },
  });
  const checkpoint = { size: 3, root: bytes(1), signature: bytes(2, 64) };
  return [
    [{ type: 'server', serverId: bytes(7) }],
    [{ type: 'submitted', mailbox, first: 1, bundles: [bytes(10), bytes(11), bytes(12)] }],
    [
      chainAt(4),
      { type: 'log', outbox: 2, log: { checkpoint, frontier: bytes(3, 64) } },
      { type: 'receipted', mailbox, through: 1 },
    ],
    [{ type: 'submitted', mailbox, first: 3, bundles: [bytes(13), bytes(14, 300)] }],
    [chainAt(9), { type: 'receipted', mailbox, through: 4 }],
    [{ type: 'submitted', mailbox, first: 9, bundles: [] }],
    [{ type: 'submitted', mailbox, first: 9, bundles: [bytes(15)] }],
  ];
}

test('a page sends and receives: receipt and message name one place, and Node agrees', async () => {
  const [page, node] = [await newPage(), await clientOf(server, 'node')];
  assert.is(await start(page, 'page'), idOf('page'));
  const place = await page.evaluate((to) => globalThis.page.send(to, 'from the page'), idOf('node'));
  for await (const message of node.mailbox()) {
    assert.is(Buffer.from(message.body).toString(), 'from the page');
    assert.is(Object.values(message.place).join('.'), place);
    assert.is(message.senderHex, idOf('page'));
    break;
  }
  const receipt = await node.send({ to: idOf('page'), body: 'from Node' });
  assert.equal(await seenSoFar(page, 1), ['from Node']);
  const places = await page.evaluate(() => globalThis.page.places);
  assert.equal(places, [Object.values(receipt.place).join('.')]);
  const stand = await page.evaluate(() => globalThis.page.client.still().then(({ total }) => total));
  assert.is(stand, 2);
  await node.close();
});

test('a page that is reloaded goes on where it was: nothing lost, and no more than one message twice', async () => {
  const [page, node] = [await newPage(), await clientOf(server, 'reload node')];
  const id = await start(page, 'reload', { store: 'reload' });
  const messages = 400;
  const sending = (async () => {
    for (let n = 1; n <= messages; n++) await node.send({ to: id, body: `message ${n}` });
  })();
  for (let life = 1; life <= 4; life++) {
    await page.waitForFunction(() => globalThis.page.seen.length >= 20);
    await page.reload();
    assert.is(await start(page, 'reload', { store: 'reload' }), id);
    assert.is(await page.evaluate(() => globalThis.page.client.resumed!.complete), true);
  }
  await sending;
  const lastShown = `message ${messages}`;
  await page.waitForFunction((last) => globalThis.page.seen.includes(last), lastShown);
  const lives: string[][] = await page.evaluate(() => JSON.parse(sessionStorage.getItem('lives')!));
  assert.is(lives.length, 5);
  let last = 0;
  for (const shown of lives) {
    const first = Number(shown[0]!.split(' ')[1]);
    // What the application was given when its life ended was not acknowledged.
    assert.ok(first === last + 1 || (first === last && last > 0), `${shown[0]} after ${last}`);
    assert.equal(shown, numbered(shown.length, first));
    last = first + shown.length - 1;
  }
  assert.is(last, messages);
  assert.equal(await events(page), ['connected']);
  await node.close();
});

test('a page makes a claim that Node verifies, and fetches what makes claims only then', async () => {
  const [page, node] = [await newPage(), await clientOf(server, 'claiming node')];
  let fetched = 0;
  await start(page, 'claiming');
  await node.send({ to: idOf('claiming'), body: 'claimed' });
  assert.equal(await seenSoFar(page, 1), ['claimed']);
  page.on('request', (request) => request.url().endsWith('/claims.js') && fetched++);
  const claim = () =>
    page.evaluate(() =>
      globalThis.page.last.claim().then(
        (bytes) => [...bytes],
        ({ code }) => code,
      ),
    );
  await page.route('**/claims.js', (route) => route.abort());
  assert.is(await claim(), 'connection-lost');
  await page.unroute('**/claims.js');
  // Who does not want to wait for a file that does not come need not.
  await page.route('**/claims.js', () => {});
  const aborted = await page.evaluate(() =>
    globalThis.page.last.claim({ signal: AbortSignal.timeout(100) }).catch(({ code }) => code),
  );
  assert.is(aborted, 'aborted');
  await page.unroute('**/claims.js');
  const { serverId, manifest } = node;
  for (let i = 0; i < 2; i++)
    verifyClaim(decodeClaim(Uint8Array.from(await claim())), serverId, manifest, serverId);
  assert.is(fetched, 2);
  await node.close();
});

test('a page opens what a stage has signed, and verifies it', async () => {
  const [page, node] = [await newPage(), await clientOf(server, 'opened node')];
  await start(page, 'opening');
  await node.send({ to: idOf('opening'), body: 'opened' });
  assert.equal(await seenSoFar(page, 1), ['opened']);
  for (const stage of ['inbox', 'router', 'receiver', 'outbox'] as const) {
    const { isThere, claims } = await page.evaluate(async (stage) => {
      const { client, last } = globalThis.page;
      const opened = await client.open({ stage, ...last.place });
      return { ...opened, claims: opened.claims.map((claim) => [...claim]) };
    }, stage);
    assert.is(isThere, true);
    for (const claim of claims)
      verifyClaim(decodeClaim(Uint8Array.from(claim)), node.serverId, node.manifest, node.serverId);
  }
  const refused = await page.evaluate(() =>
    globalThis.page.client
      .open({ stage: 'outbox', epoch: 1_000_000_000, inbox: 0, index: 0 })
      .catch(({ code }) => code),
  );
  assert.is(refused, 'opening-unknown');
  await node.close();
});

test('a page that imported what makes claims needs nobody for it afterwards', async () => {
  const [page, node] = [await newPage(), await clientOf(server, 'foreseeing node')];
  await start(page, 'foreseeing');
  await node.send({ to: idOf('foreseeing'), body: 'claimed' });
  assert.equal(await seenSoFar(page, 1), ['claimed']);
  await page.addScriptTag({
    type: 'module',
    content: "await import('/claims.js'); globalThis.imported = true;",
  });
  await page.waitForFunction(() => 'imported' in globalThis);
  await page.route('**/claims.js', (route) => route.abort());
  const claim = await page.evaluate(() => globalThis.page.last.claim().then((bytes) => [...bytes]));
  verifyClaim(decodeClaim(Uint8Array.from(claim)), node.serverId, node.manifest, node.serverId);
  await node.close();
});

test('a page that only reads never fetches what sends; one that sends does, once, and again after a failure', async () => {
  const [page, node] = [await newPage(), await clientOf(server, 'fetching node')];
  const fetched: string[] = [];
  page.on('request', (request) => fetched.push(request.url().split('/').at(-1)!));
  const sends = () => fetched.filter((name) => name === 'send.js').length;
  await start(page, 'fetching');
  await node.send({ to: idOf('fetching'), body: 'read' });
  assert.equal(await seenSoFar(page, 1), ['read']);
  assert.is(sends(), 0);
  assert.ok(fetched.includes('client.js'));
  await page.route('**/send.js', (route) => route.abort());
  const send = (body: string) =>
    page.evaluate(
      ([to, body]) => globalThis.page.send(to!, body!).catch(({ code }) => code),
      [idOf('fetching node'), body],
    );
  assert.is(await send('not sent'), 'connection-lost');
  assert.is(sends(), 1);
  await page.unroute('**/send.js');
  for (const body of ['one', 'two']) assert.match(await send(body), /^\d+\./);
  assert.is(sends(), 2);
  assert.equal(await read(node, 2), ['one', 'two']);
  await node.close();
});

test('what a page was sending when it was closed is sent once by the next', async () => {
  const network = await Network.to(server.url);
  const [page, node] = [await newPage(), await clientOf(server, 'unsent node')];
  const options = { url: network.url, store: 'unsent' };
  await start(page, 'unsent', options);
  network.dead = true;
  await page.evaluate((to) => {
    globalThis.page.send(to, 'before').catch(() => {});
    return new Promise((resolve) => setTimeout(resolve, 100));
  }, idOf('unsent node'));
  await page.reload();
  network.dead = false;
  await start(page, 'unsent', options);
  await page.evaluate((to) => globalThis.page.send(to, 'after'), idOf('unsent node'));
  assert.equal(await read(node, 2), ['before', 'after']);
  assert.equal(
    (await events(page)).filter((event) => event.startsWith('receipt')),
    ['receipt 1'],
  );
  await node.close();
  network.close();
});

test('of two tabs with one key and one store the older is displaced, and stays away', async () => {
  const context = await newContext();
  const [older, newer] = [await newPage(context), await newPage(context)];
  const node = await clientOf(server, 'tabs node');
  const id = await start(older, 'tabs', { store: 'tabs' });
  await node.send({ to: id, body: 'one' });
  assert.equal(await seenSoFar(older, 1), ['one']);
  await start(newer, 'tabs', { store: 'tabs' });
  await happened(older, 'displaced');
  await happened(older, 'ended displaced');
  await node.send({ to: id, body: 'two' });
  await newer.waitForFunction(() => globalThis.page.seen.includes('two'));
  assert.equal(await seen(older), ['one']);
  assert.equal(await events(newer), ['connected']);
  await node.close();
});

test('a cut and an offline network are got over, and a restart of the server', async () => {
  const data = directory('browser-restart');
  let second = await serverAt(data);
  const port = new URL(second.url).port;
  const network = await Network.to(second.url);
  const page = await newPage();
  const id = await start(page, 'offline', { url: network.url, store: 'offline' });
  await page.evaluate((to) => globalThis.page.send(to, 'one'), id);
  await page.context().setOffline(true);
  network.cut();
  await happened(page, 'connecting');
  const sent = page.evaluate((to) => globalThis.page.send(to, 'two'), id);
  assert.not.ok(await Promise.race([sent, new Promise((resolve) => setTimeout(resolve, 300))]));
  await page.context().setOffline(false);
  await sent;
  await second.stop();
  second = await serverAt(data, { port });
  await page.evaluate((to) => globalThis.page.send(to, 'three'), id);
  assert.equal(await seenSoFar(page, 3), ['one', 'two', 'three']);
  await page.evaluate(() => globalThis.page.client.close());
  network.close();
  await second.stop();
});

test('a page that is connected over moves finds its outbox again, and one that was reloaded reads what came before', async () => {
  const data = directory('browser-moves');
  let moving = await serverAt(data, { inboxes: '1', outboxes: '1' });
  const { port } = new URL(moving.url);
  const page = await newPage();
  const options = { url: moving.url, store: 'moves' };
  const id = await start(page, 'mover', options);
  const said: string[] = [];
  const say = async (body: string, on = page) => {
    said.push(body);
    await on.evaluate(([to, body]) => globalThis.page.send(to!, body!), [id, body]);
  };
  await say('at the first');
  for (const outboxes of [16, 3]) {
    await moving.stop();
    await changeActors(data, { inboxes: outboxes / 2 > 2 ? 4 : 1, outboxes });
    moving = await serverAt(data, { port });
    await say(`with ${outboxes} outboxes`);
  }
  assert.equal(await seenSoFar(page, said.length), said);
  assert.equal(new Set((await events(page)).filter((event) => event.includes(' '))), new Set());
  // Away over a move, with mail that nobody has read.
  await page.evaluate(() => globalThis.page.client.close());
  const node = await clientOf(moving, 'mover friend');
  await node.send({ to: id, body: 'while it was away' });
  await node.close();
  await moving.stop();
  await changeActors(data, { outboxes: 16 });
  moving = await serverAt(data, { port });
  const again = await newPage(page.context());
  await start(again, 'mover', options);
  await say('and back', again);
  assert.equal(await seenSoFar(again, 2), ['while it was away', 'and back']);
  await again.evaluate(() => globalThis.page.client.close());
  await moving.stop();
});

test('a connection that is dead without a word is noticed; one that is silent is asked, and kept', async () => {
  const network = await Network.to(server.url);
  const page = await newPage();
  await page.clock.install();
  let pongs = 0;
  // Front and outbox.
  const answered = new Promise<void>((resolve) =>
    page.on('websocket', (socket) =>
      socket.on('framereceived', ({ payload }) => payload.length === 1 && ++pongs === 2 && resolve()),
    ),
  );
  const id = await start(page, 'dead', { url: network.url });
  await page.clock.runFor(40_000);
  await answered;
  await page.clock.runFor(30_000);
  assert.equal(await events(page), ['connected']);
  network.dead = true;
  await page.clock.runFor(60_000);
  await happened(page, 'connecting');
  network.dead = false;
  await page.clock.runFor(1000);
  await page.waitForFunction(() => globalThis.page.client.state === 'connected');
  await page.evaluate((to) => globalThis.page.send(to, 'back'), id);
  assert.equal(await seenSoFar(page, 1), ['back']);
  network.close();
});

// RUNS=4: without all of it, too.
for (const without of RUNS > 1 ? ['', 'verify', 'importKey'] : ['', 'verify']) {
  const platform = without ? `without WebCrypto's Ed25519 (${without})` : 'with WebCrypto';
  test(`${platform}: what is true is shown, and a forged signature ends it`, async () => {
    const network = await Network.to(server.url);
    const context = await newContext();
    await context.addInitScript((without) => {
      const counted = globalThis as unknown as { verified: number };
      counted.verified = 0;
      const verify = SubtleCrypto.prototype.verify;
      SubtleCrypto.prototype.verify = function (this: SubtleCrypto, ...args: Parameters<typeof verify>) {
        counted.verified++;
        return verify.apply(this, args);
      } as typeof verify;
      if (without) delete (SubtleCrypto.prototype as unknown as Record<string, unknown>)[without];
    }, without);
    let fallbacks = 0;
    context.on('request', (request) => {
      if (request.url().endsWith('/noble.js')) fallbacks++;
    });
    const page = await newPage(context);
    const name = `forged ${without}`;
    const node = await clientOf(server, `${name} node`);
    const id = await start(page, name, { url: network.url, store: name });
    await node.send({ to: id, body: 'true' });
    assert.equal(await seenSoFar(page, 1), ['true']);
    const verified = await page.evaluate(() => (globalThis as unknown as { verified: number }).verified);
    assert.is(verified > 0, !without);
    assert.is(fallbacks, without ? 1 : 0);
    network.forging = true;
    await node.send({ to: id, body: 'false' });
    await happened(page, 'ended verification-failed');
    assert.ok(network.forged > 0);
    assert.equal(await seen(page), ['true']);
    assert.equal(await events(page), ['connected', 'failed signature', 'ended verification-failed']);
    await page.reload();
    await start(page, `${name} sender`, { url: network.url });
    const receipt = page.evaluate((to) => globalThis.page.send(to, 'x').catch(({ code }) => code), id);
    assert.is(await receipt, 'verification-failed');
    network.forging = false;
    await page.reload();
    await start(page, name, { url: network.url, store: name });
    assert.is((await seenSoFar(page, 1))[0], 'false');
    await node.close();
    network.close();
  });
}

test('the store in IndexedDB has what was saved, and only its last owner may save', async () => {
  const page = await newPage();
  await page.evaluate(() => globalThis.page.load());
  const steps = storeSteps();
  const kept = await page.evaluate(async (steps) => {
    const { IndexedDbStore, MemoryStore } = globalThis.page.library;
    // Bytes travel as arrays of numbers between the test and the page.
    const bytesOf = (value: unknown): unknown => {
      if (Array.isArray(value) && value.every((each) => typeof each === 'number'))
        return Uint8Array.from(value);
      if (Array.isArray(value)) return value.map(bytesOf);
      if (typeof value !== 'object' || value === null) return value;
      return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, bytesOf(each)]));
    };
    const text = (saved: Saved) =>
      JSON.stringify([saved.serverId, [...saved.logs], [...saved.mailboxes]], (_, value) =>
        value instanceof Uint8Array ? [...value] : value,
      );
    const memory = new MemoryStore();
    const pairs: [string, string][] = [];
    for (const step of bytesOf(steps) as Change[][]) {
      const store = new IndexedDbStore('steps');
      const before = await store.load();
      pairs.push([text(before), text(memory.load())]);
      await store.save(step);
      memory.save(step);
      store.close();
    }
    const older = new IndexedDbStore('steps');
    const newer = new IndexedDbStore('steps');
    await older.load();
    pairs.push([text(await newer.load()), text(memory.load())]);
    const server = [{ type: 'server', serverId: new Uint8Array(32) }] as const;
    const refused = await older.save(server).catch((error) => error.code);
    pairs.push([text(await newer.load()), text(memory.load())]);
    return { pairs, refused };
  }, steps);
  assert.is(kept.pairs.length, steps.length + 2);
  for (const [there, expected] of kept.pairs) assert.is(there, expected);
  assert.is(kept.refused, 'displaced');
});

test('a page that does not read keeps what it may, and gets all when it does', async () => {
  const [page, node] = [await newPage(), await clientOf(server, 'slow node')];
  const id = await start(page, 'slow', { bufferBytes: 1000, unread: true });
  const bodies = numbered(40).map((text) => `${text} ${'x'.repeat(500)}`);
  for (const body of bodies) await node.send({ to: id, body });
  await page.evaluate(() => void globalThis.page.read());
  assert.equal(await seenSoFar(page, 40), bodies);
  assert.equal(await events(page), ['connected']);
  await node.close();
});

test('the example shows what comes, with place and epoch', async () => {
  const page = await newPage();
  await page.goto(`${origin}/?server=${server.url}`);
  await page.locator('#alice input').fill('hello');
  await page.locator('#alice input').press('Enter');
  const shown = await page.locator('#bob li').textContent();
  assert.match(shown!, /^helloepoch \d+, inbox \d+, index 0, from [0-9a-f]{8}…$/);
  assert.match(
    (await page.locator('#alice form p', { hasText: 'epoch' }).textContent())!,
    /^in the order at epoch \d+, proven in a log of \d+ epochs$/,
  );
  await page.reload();
  await page.locator('#bob input').fill('and back');
  await page.locator('#bob input').press('Enter');
  assert.match((await page.locator('#alice li').textContent())!, /^and backepoch /);
});

test('evidence is judged in a page as it is on Node', async () => {
  const cheat = CHEATS.find(({ role, name }) => role === 'router' && name === 'drop for one recipient')!;
  const { theatre, opened } = play([cheat], false);
  const { evidence, verdict } = opened!;
  const page = await newPage();
  const file = `data:text/javascript;base64,${readFileSync(`${ROOT}dist/browser/verdict.js`, 'base64')}`;
  const parts = [evidence, theatre.world.serverId, theatre.rootKey].map((bytes) => [...bytes]);
  const judged = await page.evaluate(
    async ({ file, parts: [evidence, server, root] }) => {
      const { verdict } = (await import(file)) as typeof import('../../src/protocol/evidence/index.js');
      const judge = (bytes: number[]) =>
        verdict(Uint8Array.from(bytes), Uint8Array.from(server!), Uint8Array.from(root!));
      const flipped = evidence!.map((byte, i) => (i === evidence!.length - 9 ? byte ^ 1 : byte));
      return [judge(evidence!).text, judge(flipped).outcome];
    },
    { file, parts },
  );
  assert.equal(judged, [verdict.text, 'nothing']);
});

all.run();
