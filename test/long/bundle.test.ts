/** The browser build: one small file, its parts, one for browsers without Ed25519; nothing of Node in any. */
import { builtinModules } from 'node:module';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { WebSocket } from 'ws';
import * as browser from '../../src/client/browser.js';
import * as node from '../../src/client/index.js';
import type * as SendPart from '../../src/client/send.js';
import type * as VectorsPart from '../../src/client/vectors-entry.js';
import type { WitnessEvents, watchWitnesses } from '../../src/client/witnesses.js';
import { directory, keyOf, serverAt } from '../client-helpers.js';
import {
  bundle,
  claims,
  fallback,
  LIMIT,
  SENDING_LIMIT,
  send,
  sizeOf,
  vectors,
  witnesses,
} from '../support/bundle.js';
import { bothSay } from '../support/verdicts.js';
import { anchor, checkpointOf, fork, manifest, one, serverId, watched } from '../support/witness-policy.js';

const test = suite('bundle');

/** What of Node the code names: modules it imports, and globals that browsers do not have. */
function nodeIn(code: string): string[] {
  const imported = [...code.matchAll(/(?:\bfrom|\bimport|\brequire)\s*\(?\s*["'`]([^"'`]+)["'`]/g)].map(
    ([, name]) => name!,
  );
  const globals = code.match(
    /\b(?:node:\w+|(?<!\.)(?:process|Buffer|__dirname|global)\b(?=[.[])|(?<!\.)require\b(?=\())/g,
  );
  const isNode = (name: string) => name.startsWith('node:') || builtinModules.includes(name);
  return [...imported.filter(isNode), ...(globals ?? [])];
}

test('it is no larger than it may be', () => {
  const { gzipped } = sizeOf(bundle);
  assert.ok(gzipped <= LIMIT, `${gzipped} bytes, at most ${LIMIT}`);
  const sending = gzipped + sizeOf(send).gzipped;
  assert.ok(sending <= SENDING_LIMIT, `${sending} bytes, at most ${SENDING_LIMIT}`);
});

test('it imports nothing but its parts and its fallback, and those only when they are needed', () => {
  let code = bundle.toString();
  for (const dynamic of ['import("./noble.js")', 'import("./send.js")', 'import("./claims.js")']) {
    assert.is(code.split(dynamic).length, 2);
    code = code.replace(dynamic, '');
  }
  const shared = /^import\{[^}]*\}from"\.\/client\.js";/;
  // What openings show is judged by the file that judges evidence.
  const parts = [send.toString(), claims.toString().replace('import("./verdict.js")', '')];
  for (const part of parts) assert.match(part, shared);
  for (const text of [code, ...parts.map((part) => part.replace(shared, '')), fallback.toString()])
    assert.not.match(text, /\bimport\s*[({"'*]|\bfrom\s*["']/);
  for (const name of ['noble-ed25519', '0x428a2f98d728ae22']) {
    assert.not.ok(code.includes(name), name);
    assert.ok(fallback.includes(name), name);
  }
});

test('a bundler that goes by the condition browser gets the same files, and what is loaded later stays apart', async () => {
  const root = fileURLToPath(new URL('../../..', import.meta.url));
  const { metafile, outputFiles } = await build({
    stdin: {
      contents: `import { connect, IndexedDbStore } from 'countersign/client'; globalThis.all = [connect, IndexedDbStore];`,
      resolveDir: root,
      sourcefile: 'page.js',
    },
    ...{ bundle: true, splitting: true, minify: true, metafile: true, write: false },
    ...{ format: 'esm', platform: 'browser', outdir: 'out', absWorkingDir: root },
  });
  const { outputs } = metafile;
  const loaded = new Set(['out/stdin.js']);
  for (const name of loaded)
    for (const { kind, path } of outputs[name]!.imports) if (kind === 'import-statement') loaded.add(path);
  const text = outputFiles
    .filter(({ path }) => [...loaded].some((name) => path.endsWith(name)))
    .map(({ text }) => text)
    .join('');
  const { gzipped } = sizeOf(Buffer.from(text));
  // Its own names for what the parts share come on top.
  assert.ok(gzipped <= LIMIT + 700, `${gzipped} bytes`);
  assert.not.match(text, 'noble-ed25519');
  assert.equal(nodeIn(text), []);
  const parts = Object.keys(outputs).filter((name) => !loaded.has(name));
  for (const part of ['send', 'claims', 'noble', 'verdict'])
    assert.ok(
      parts.some((name) => name.startsWith(`out/${part}-`)),
      part,
    );
});

test('it names nothing that only Node has', () => {
  assert.equal(nodeIn(bundle.toString()), []);
  for (const part of [send, claims, witnesses]) assert.equal(nodeIn(part.toString()), []);
  assert.equal(nodeIn(fallback.toString()), []);
  for (const bad of [
    'import{a}from"node:fs";',
    "require('crypto')",
    'process.env.X',
    'Buffer.from(x)',
    'await import("ws")||import("net")',
  ])
    assert.is.not(nodeIn(bad).length, 0, bad);
});

test('what relies on witnesses is a file by itself, which loads the verdict and the fallback only when they are needed', () => {
  const code = witnesses.toString();
  const imports = [...code.matchAll(/\bimport\b\s*\(?[^;]{0,20}|\bfrom\s*["'][^"']*/g)].map(
    ([found]) => found,
  );
  assert.equal(imports.map((found) => /^import\("\.\/(\w+)\.js"\)/.exec(found)?.[1]).sort(), [
    'noble',
    'verdict',
  ]);
  assert.not.ok(code.includes('0x428a2f98d728ae22'));
  assert.not.ok(bundle.toString().includes('cosignature/v1'));
});

test('it gives what countersign/client gives on Node, but for the store', () => {
  const names = (module: object, store: string) => Object.keys(module).filter((name) => name !== store);
  assert.equal(names(browser, 'IndexedDbStore').sort(), names(node, 'FileStore').sort());
  assert.ok('IndexedDbStore' in browser && 'FileStore' in node);
});

/** By the compiler whole: what it leaves out does not compile. */
const MEMBERS: {
  readonly Client: Record<keyof browser.Client, 1>;
  readonly SenderClient: Record<keyof browser.SenderClient, 1>;
  readonly Message: Record<Exclude<keyof browser.Message, 'entry'>, 1>;
  readonly Receipt: Record<Exclude<keyof browser.Receipt, 'counter'>, 1>;
  readonly MemoryStore: Record<keyof browser.MemoryStore, 1>;
  readonly IndexedDbStore: Record<Exclude<keyof browser.IndexedDbStore, 'name'>, 1>;
} = {
  Client: {
    ...{ id: 1, serverId: 1, manifest: 1, checkpoint: 1, state: 1, problem: 1, resumed: 1 },
    ...{ on: 1, send: 1, mailbox: 1, still: 1, open: 1, complain: 1, close: 1, vectors: 1 },
  },
  SenderClient: { id: 1, serverId: 1, manifest: 1, state: 1, problem: 1, on: 1, send: 1, close: 1 },
  Message: {
    ...{ place: 1, sender: 1, senderHex: 1, counter: 1, body: 1, envelope: 1, recipients: 1 },
    ...{ messageHash: 1, weight: 1, isAcknowledged: 1, ack: 1, claim: 1 },
  },
  Receipt: { proven: 1, place: 1, messageHash: 1, checkpointSize: 1, claim: 1 },
  MemoryStore: { load: 1, save: 1, close: 1 },
  IndexedDbStore: { load: 1, save: 1, close: 1 },
};
const FIELDS = ['isAcknowledged', 'on', 'vectors'];

test('vectors of their own file work with the client of its file', async () => {
  const built = (name: string) => import(new URL(`../../browser/${name}.js`, import.meta.url).href);
  const { connect } = (await built('client')) as typeof browser;
  const { Vectors } = (await built('vectors')) as typeof VectorsPart;
  assert.ok(vectors.length > 0 && !/\bimport\s*[{"'*]|\bfrom\s*["']/.test(vectors.toString()));
  const server = await serverAt(directory('bundle'));
  // What a page has of its own.
  const ignore = () => {};
  Object.assign(globalThis, { WebSocket, addEventListener: ignore, removeEventListener: ignore });
  const [alice, bob] = await Promise.all(
    ['alice', 'bob'].map((name) => connect({ url: server.url, key: keyOf(name), vectors: new Vectors() })),
  );
  await alice!.send({ to: bob!.id, body: 'one' });
  await bob!.mailbox().next();
  const shown = bob!.vectors!.check(alice!.id, alice!.vectors!.block(bob!.id));
  assert.is(shown.outcome, 'same');
  await Promise.all([alice!.close(), bob!.close()]);
  await server.stop();
});

test('what is public has its name there too, and so have errors', async () => {
  const built = (await import(new URL('../../browser/client.js', import.meta.url).href)) as typeof browser;
  const later = (await import(new URL('../../browser/send.js', import.meta.url).href)) as typeof SendPart;
  // What its parts need of it has shorter names than anything.
  const names = Object.keys(built).filter((name) => name.length > 3);
  assert.equal(names.sort(), Object.keys(browser).sort());
  for (const [name, members] of Object.entries(MEMBERS)) {
    const { prototype } = { ...built, ...later }[name as keyof typeof MEMBERS];
    for (const member of Object.keys(members))
      assert.ok(member in prototype || FIELDS.includes(member), `${name}.${member}`);
  }
  const error = new built.VerificationError('chain', 'x', Uint8Array.of(1));
  const { code, step, frame, temporary, message } = error;
  assert.equal(
    [code, step, frame[0], temporary, message],
    ['verification-failed', 'chain', 1, false, 'chain: x'],
  );
  assert.is(new built.CountersignError('restarting', 'x', { mailbox: 'ab' }).mailbox, 'ab');
});

test('the file for pages that rely on witnesses does the same as on Node, with WebCrypto', async () => {
  const file = new URL('../../browser/witnesses.js', import.meta.url).href;
  const { watchWitnesses: watch } = (await import(file)) as { watchWitnesses: typeof watchWitnesses };
  const anchors = [anchor(one, 5120, 1), anchor(one, 4096, 3)];
  assert.is((await watched({ anchors, watch })).newest!.size, 4096);
  const forked = await watched({ anchors: [anchor(fork, 4096, 3)], own: checkpointOf(one, 4096), watch });
  const [name, found] = forked.told[0] as ['contradiction', WitnessEvents['contradiction']];
  assert.is(name, 'contradiction');
  assert.is(bothSay(found.evidence!, serverId, manifest.rootKey).outcome, 'actor');
  const few = await watched({ anchors: [anchor(one, 4096, 1)], policy: { mode: 'fail-closed' }, watch });
  assert.equal([(few.error as { code?: string }).code, few.closed], ['verification-failed', 1]);
});

test.run();
