/** The package as it is published: what ships, whether tools find fault with it, and whether it works where there is nothing. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { checkPackage, createPackageFromTarballData } from '@arethetypeswrong/core';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'countersign-package-'));
const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
let tarball: string;
let files: { path: string; mode: number }[];

const test = suite('package');

test.before(async () => {
  // Built already: the other tests use what a build would replace.
  const args = ['pack', '--json', '--ignore-scripts', '--pack-destination', folder];
  const { stdout } = await run('npm', args, { cwd: ROOT });
  const [packed] = JSON.parse(stdout);
  tarball = join(folder, packed.filename);
  files = packed.files;
});

test('the library and its documents ship, and nothing else', () => {
  const paths = files.map(({ path }) => path);
  const known =
    /^(bin\/countersign\.js|dist\/src\/.*\.(js|d\.ts)|dist\/browser\/(client|send|claims|vectors|noble|verdict|witnesses)\.js|docs\/\w+\.md|README\.md|CHANGELOG\.md|LICENSE|package\.json)$/;
  assert.equal(
    paths.filter((path) => !known.test(path)),
    [],
  );
  for (const path of [
    'README.md',
    'docs/PROTOCOL.md',
    'dist/browser/send.js',
    'dist/browser/claims.js',
    manifest.bin.countersign,
  ])
    assert.ok(paths.includes(path));
  assert.ok(readFileSync(join(ROOT, manifest.bin.countersign), 'utf8').startsWith('#!/usr/bin/env node\n'));
  for (const hook of ['preinstall', 'install', 'postinstall', 'prepare'])
    assert.is(manifest.scripts[hook], undefined);
  assert.ok(statSync(tarball).size < 1 << 20);
});

test('publint finds nothing', async () => {
  const bytes = Uint8Array.from(readFileSync(tarball)).buffer;
  const { messages, pkg } = await publint({ pack: { tarball: bytes }, strict: true });
  assert.equal(
    messages.map((message) => formatMessage(message, pkg as Record<string, unknown>)),
    [],
  );
});

/** Ways to resolve that this package does not serve: it is ESM alone, and subpaths need `exports`. */
const NOT_SERVED = ['node10', 'node16-cjs'];

test('every entry has the types that it says', async () => {
  const result = await checkPackage(createPackageFromTarballData(Uint8Array.from(readFileSync(tarball))));
  assert.ok(result.types);
  const problems = result.types ? result.problems : [];
  assert.equal(
    problems.filter(
      (problem) => !('resolutionKind' in problem && NOT_SERVED.includes(problem.resolutionKind)),
    ),
    [],
  );
});

const program = `
import { connect, FileStore, type Client, type Receipt, type StateChange } from 'countersign/client';
import { loadConfig, startServer, type Server } from 'countersign/server';
import { decodeClaim, toHex } from 'countersign/protocol';
const config = loadConfig({ flags: { data: 'data', port: '0', 'internal-port': '0' }, env: {}, cores: 2 });
const server: Server = await startServer(config);
const client: Client = await connect({ url: server.url, key: new Uint8Array(32).fill(7), store: new FileStore('store') });
client.on('state', ({ state }: StateChange) => console.log(state));
const receipt: Receipt = await client.send({ to: client.id, body: 'hello' });
decodeClaim(await receipt.claim());
console.log(toHex(client.id).length);
await client.close();
await server.stop();
`;

test('it works in an empty folder: installed, its demo, a program with its types', async () => {
  const cwd = mkdtempSync(join(tmpdir(), 'countersign-empty-'));
  writeFileSync(join(cwd, 'package.json'), '{ "type": "module", "private": true }');
  const types = `@types/node@${manifest.devDependencies['@types/node']}`;
  const quiet = ['--no-audit', '--no-fund', '--prefer-offline'];
  await run('npm', ['install', ...quiet, tarball, types], { cwd });
  const { stdout } = await run('npx', ['--no-install', 'countersign', 'demo', '--json'], { cwd });
  const { lost, unproven } = JSON.parse(stdout.trimEnd().split('\n').at(-1)!);
  assert.equal([lost, unproven], [0, 0]);
  const compilerOptions = {
    target: 'es2023',
    module: 'nodenext',
    strict: true,
    types: ['node'],
    skipLibCheck: false,
  };
  writeFileSync(join(cwd, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['program.ts'] }));
  writeFileSync(join(cwd, 'program.ts'), program);
  await run(process.execPath, [join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', cwd]).catch((error) =>
    assert.unreachable(error.stdout),
  );
  const said = await run(process.execPath, ['program.js'], { cwd });
  assert.is(said.stdout, '64\nclosed\n');
});

test.run();
