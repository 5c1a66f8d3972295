/** The browser build: one small file, and a second one for browsers without Ed25519; nothing of Node in either. */
import { builtinModules } from 'node:module';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import * as browser from '../src/client/browser.js';
import * as node from '../src/client/index.js';
import { bundle, fallback, LIMIT, sizeOf } from './support/bundle.js';

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
});

test('it imports nothing but its fallback, and that only when it is needed', () => {
  const code = bundle.toString();
  const dynamic = 'import("./noble.js")';
  assert.is(code.split(dynamic).length, 2);
  for (const text of [code.replace(dynamic, ''), fallback.toString()])
    assert.not.match(text, /\bimport\s*[({"'*]|\bfrom\s*["']/);
  for (const name of ['noble-ed25519', '0x428a2f98d728ae22']) {
    assert.not.ok(code.includes(name), name);
    assert.ok(fallback.includes(name), name);
  }
});

test('it names nothing that only Node has', () => {
  assert.equal(nodeIn(bundle.toString()), []);
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

test('it gives what countersign/client gives on Node, but for the store', () => {
  const names = (module: object, store: string) => Object.keys(module).filter((name) => name !== store);
  assert.equal(names(browser, 'IndexedDbStore').sort(), names(node, 'FileStore').sort());
  assert.ok('IndexedDbStore' in browser && 'FileStore' in node);
});

test.run();
