/** `countersign verify` and `countersign demo --cheat`, as programs. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { toHex } from '../src/protocol/index.js';
import { CHEATS } from './byzantine/cheats.js';
import { play } from './byzantine/play.js';
import { commandHere, start } from './support/program.js';

const cli = suite('verify');
const MAIN = fileURLToPath(new URL('../src/cli/main.js', import.meta.url));
const directory = mkdtempSync(join(tmpdir(), 'countersign-verify-'));
const cheat = CHEATS.find(({ role, name }) => role === 'outbox' && name === 'break a chain: total')!;
const { theatre, opened } = play([cheat], false);
const evidence = opened!.evidence;
const server = toHex(theatre.world.serverId);
const root = toHex(theatre.rootKey);

cli.after(() => rmSync(directory, { recursive: true, force: true }));

function argsOf(bytes: Uint8Array, more: readonly string[]): string[] {
  const file = join(directory, 'evidence');
  writeFileSync(file, bytes);
  return ['verify', file, '--server', server, '--root', root, ...more];
}
const verify = (bytes: Uint8Array) => start(argsOf(bytes, [])).ended;
const verifyHere = (bytes: Uint8Array, ...more: string[]) => commandHere(argsOf(bytes, more));

cli('0: it says who is guilty, by which rule', async () => {
  const { status, stdout } = await verify(evidence);
  assert.is(status, 0);
  assert.match(stdout, /^Proven against outbox 0, key [0-9a-f]{64}: outbox 0 contradicted itself/);
  assert.match(stdout, /By rule mailboxLeaves/);
});

cli('in JSON, with what the evidence says on request', async () => {
  const { status, stdout } = await verifyHere(evidence, '--json', '--show');
  assert.is(status, 0);
  const result = JSON.parse(stdout);
  assert.is(result.outcome, 'actor');
  assert.equal([result.role, result.index, result.rule], ['outbox', 0, 'mailboxLeaves']);
  assert.is(result.evidence.rule, 7);
});

cli(
  'who does not read what it says gets the same status, and one of its own where it cannot be written',
  async () => {
    const flipped = Uint8Array.from(evidence);
    flipped[flipped.length - 5]! ^= 1;
    const of = async (bytes: Uint8Array, stdout: 'pipe' | number) => {
      const args = [MAIN, ...argsOf(bytes, ['--json'])];
      const child = spawn(process.execPath, args, { stdio: ['ignore', stdout, 'pipe'] });
      child.stdout?.destroy();
      const [status] = await once(child, 'exit');
      return status as number;
    };
    assert.equal(await of(evidence, 'pipe'), 0);
    assert.equal(await of(flipped, 'pipe'), 1);
    assert.equal(await of(new Uint8Array(0), 'pipe'), 2);
    if (!existsSync('/dev/full')) return console.log('SKIPPED: there is no /dev/full here');
    const full = openSync('/dev/full', 'w');
    assert.equal(await of(evidence, full), 74);
    closeSync(full);
  },
);

cli('1: evidence that proves nothing', async () => {
  const flipped = Uint8Array.from(evidence);
  flipped[flipped.length - 5]! ^= 1;
  const { status, stderr } = await verifyHere(flipped);
  assert.is(status, 1);
  assert.match(stderr, /^proves-nothing: /);
  const other = await commandHere([
    'verify',
    join(directory, 'evidence'),
    '--server',
    root,
    '--root',
    root,
    '--json',
  ]);
  assert.is(other.status, 1);
  assert.is(JSON.parse(other.stdout).outcome, 'nothing');
});

cli('2: what is no evidence, no file, or too large; and a wrong command line', async () => {
  const wrong = [
    ['verify', join(directory, 'none'), '--server', server, '--root', root],
    ['verify', '--server', server, '--root', root],
    ['verify', 'file', '--server', 'x', '--root', root],
    ['verify', 'file', '--root', root],
  ];
  assert.is((await verifyHere(evidence.subarray(1))).status, 2);
  for (const args of wrong) assert.is((await commandHere(args)).status, 2, args.join(' '));
  const { status, stderr } = await verifyHere(new Uint8Array((1 << 20) + 1));
  assert.is(status, 2);
  assert.match(stderr, /unreadable/);
  // Whatever says that it is empty, and is not.
  const endless = await start(['verify', '/dev/zero', '--server', server, '--root', root]).ended;
  assert.is(endless.status, 2);
  assert.match(endless.stderr, /has more than \d+ bytes/);
});

cli('demo --cheat shows a cheat, and its evidence can be verified', async () => {
  const shown = await start(['demo', '--cheat', 'outbox:break a chain: head', '--json']).ended;
  assert.is(shown.status, 0, shown.stderr);
  const result = JSON.parse(shown.stdout);
  const bytes = readFileSync(result.evidence);
  rmSync(dirname(result.evidence), { recursive: true });
  assert.match(result.verdict, /outbox 0/);
  assert.match(result.lines.join('\n'), /Alice, Bob and Carol compare, and hold evidence/);
  const { status } = await verify(bytes);
  assert.is(status, 0);
  const unknown = await start(['demo', '--cheat', 'nobody:nothing']).ended;
  assert.is(unknown.status, 2);
  assert.match(unknown.stderr, /outbox:break a chain: head/);
  const beside = await start(['demo', '--cheat', 'outbox:break a chain: head', '--seed', '7']).ended;
  assert.is(beside.status, 2);
  assert.match(beside.stderr, /--seed: not with --cheat/);
});

cli.run();
