import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import { importSecretKey } from '#crypto';
import { decodeVerifierKey, NOTE_KEY } from '../src/protocol/notes/index.js';
import { readKeyFile } from '../src/server/keys.js';
import { commandHere } from './support/program.js';

const test = suite('cli');
const MAIN = fileURLToPath(new URL('../src/cli/main.js', import.meta.url));
const directory = mkdtempSync(join(tmpdir(), 'countersign-cli-'));
// Where commands in this process find their files, too.
process.chdir(directory);

function countersign(args: string[], env: Record<string, string> = {}) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, ...args], {
    cwd: directory,
    encoding: 'utf8',
    env: { PATH: process.env['PATH'], ...env },
  });
  return { status, stdout, stderr };
}

/** The last line on stdout. */
const json = (stdout: string) => JSON.parse(stdout.trimEnd().split('\n').at(-1)!);

test('without a command, or with --help, it names every command', () => {
  for (const args of [[], ['--help'], ['help']]) {
    const { status, stdout, stderr } = countersign(args);
    assert.deepEqual([status, stderr], [0, '']);
    assert.match(stdout, /^ {2}keygen +Make a client key/m);
    assert.match(stdout, /^ {2}config +Show every setting/m);
  }
});

test('--version prints the version of the package, also of the program as npm runs it by its name', () => {
  const root = new URL('../../', import.meta.url);
  const { version, bin } = JSON.parse(readFileSync(new URL('package.json', root), 'utf8'));
  assert.deepEqual(countersign(['--version']), { status: 0, stdout: `${version}\n`, stderr: '' });
  // Executable without npm's help: that makes a command's file so only when it first links it.
  const named = spawnSync(fileURLToPath(new URL(bin.countersign, root)), ['--version'], { encoding: 'utf8' });
  assert.equal(named.stdout, `${version}\n`);
});

test('an unknown command is refused with the nearest one and status 2', () => {
  assert.deepEqual(countersign(['kyegen']), {
    status: 2,
    stdout: '',
    stderr: 'usage: unknown command kyegen, did you mean keygen?\nSee: countersign --help\n',
  });
});

test('an unknown flag is refused with the nearest one and status 2', () => {
  const { status, stderr } = countersign(['config', '--epoch-min-intervall-ms', '3']);
  assert.equal(status, 2);
  assert.match(
    stderr,
    /^usage: unknown option --epoch-min-intervall-ms, did you mean --epoch-min-interval-ms\?$/m,
  );
});

test('a flag without its value and an argument too many are refused with status 2', async () => {
  for (const args of [
    ['keygen', '--out'],
    ['keygen', 'x.key'],
    ['config', '--check=yes'],
  ]) {
    const { status, stderr } = await commandHere(args);
    assert.equal(status, 2, args.join(' '));
    assert.match(stderr, /^usage: .+\nSee: countersign (keygen|config) --help\n$/);
  }
});

test('a usage mistake with --json is told as one JSON object too', async () => {
  const { status, stdout } = await commandHere(['keygen', '--json', '--outt', 'x']);
  assert.equal(status, 2);
  assert.equal(json(stdout).error.message, 'unknown option --outt, did you mean --out?');
  assert.equal(json(countersign(['nothing', '--json']).stdout).error.code, 'usage');
});

test('the help of a command shows every option with its default', async () => {
  const { status, stdout } = await commandHere(['keygen', '--help']);
  assert.equal(status, 0);
  assert.match(stdout, /^Usage: countersign keygen \[options\]$/m);
  assert.match(stdout, /^ {2}--out FILE +.*\(default client\.key\)$/m);
  assert.match(stdout, /^ {2}--json /m);
  assert.match(
    (await commandHere(['config', '-h'])).stdout,
    /^ {2}--limits-recipients MAILBOXES .*default 1024\)$/m,
  );
});

test('keygen makes a private key file and prints the id of its public half', async () => {
  const file = join(directory, 'alice.key');
  const { status, stdout } = countersign(['keygen', '--out', file]);
  assert.equal(status, 0);
  const id = Buffer.from(importSecretKey(await readKeyFile(file)).publicKey).toString('hex');
  assert.match(stdout, new RegExp(`^id +${id}$`, 'm'));
  assert.equal(statSync(file).mode & 0o777, 0o600);
});

test('keygen never overwrites a key', async () => {
  const first = await commandHere(['keygen', '--json']);
  assert.equal(json(first.stdout).file, 'client.key');
  const before = readFileSync(join(directory, 'client.key'), 'utf8');
  const { status, stdout, stderr } = await commandHere(['keygen', '--json']);
  assert.equal(status, 1);
  assert.match(stderr, /^key-exists: client\.key exists already\nUse that key, or choose another file/);
  assert.equal(json(stdout).error.code, 'key-exists');
  assert.equal(readFileSync(join(directory, 'client.key'), 'utf8'), before);
});

test('a failure of the system says what to check', async () => {
  const { status, stderr } = await commandHere(['keygen', '--out', 'no/such/directory/a.key']);
  assert.equal(status, 1);
  assert.match(stderr, /^ENOENT: no such file or directory, open '.+'\nCheck that the path exists/);
});

test('config shows each value with its source', () => {
  const file = join(directory, 'server.json');
  writeFileSync(file, '{"mailboxes": "registered"}');
  const args = ['config', '--config', file, '--port', '1'];
  const { status, stdout } = countersign(args, { COUNTERSIGN_HOST: '::1' });
  assert.equal(status, 0);
  assert.match(stdout, /^ {2}port = 1 +port, flag --port$/m);
  assert.match(stdout, /^ {2}host = "::1" +address, env COUNTERSIGN_HOST$/m);
  assert.match(stdout, /^ {2}mailboxes = "registered" +word, file .+server\.json, SIGHUP applies it$/m);
  assert.match(stdout, /^ {2}epoch\.heartbeatMs = 1000 +ms, default$/m);
  const told = json(countersign([...args, '--json']).stdout);
  assert.equal(told.config.port, 1);
  assert.deepEqual(told.settings.find((row: { key: string }) => row.key === 'port').source, 'flag');
});

test('config --check says whether the configuration is valid', async () => {
  assert.deepEqual(await commandHere(['config', '--check']), {
    status: 0,
    stdout: 'the configuration is valid\n',
    stderr: '',
  });
  const { status, stdout, stderr } = await commandHere(['config', '--check', '--port', 'x']);
  assert.deepEqual([status, stdout], [1, '']);
  assert.match(stderr, /^config-invalid: flag --port: port: expected an integer from 0 to 65535, got "x"$/m);
});

test('keygen --witness makes a key for a witness, and witness says what it lacks', async () => {
  const made = await commandHere([
    'keygen',
    '--witness',
    '--name',
    'w.example/1',
    '--out',
    'w.key',
    '--json',
  ]);
  assert.equal(made.status, 0);
  const { verifierKey } = json(made.stdout);
  const { publicKey } = decodeVerifierKey(verifierKey, NOTE_KEY.cosignature);
  assert.match(verifierKey, /^w\.example\/1\+/);
  const seed = Uint8Array.from(Buffer.from(readFileSync(join(directory, 'w.key'), 'utf8').trim(), 'hex'));
  assert.deepEqual(importSecretKey(seed).publicKey, publicKey);
  const log = 'example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k';
  writeFileSync(join(directory, 'manifest.json'), '{"manifest":"AAAA","signature":"AAAA"}');
  for (const [args, text] of [
    [['keygen', '--name', 'w', '--out', 'x.key'], /^usage: --name: only the key of a witness has one$/m],
    [
      ['keygen', '--witness', '--name', 'a b', '--out', 'x.key'],
      /^usage: --name: expected a name without spaces/m,
    ],
    [['witness', '--log', log], /^usage: --key: expected the file of the key$/m],
    [['witness', '--key', 'w.key'], /^usage: --log: expected at least one log$/m],
    [
      ['witness', '--key', 'w.key', '--log', verifierKey],
      /^usage: --log: verifier key: expected a key of type 1 /m,
    ],
    [
      ['witness', '--key', 'w.key', '--log', 'manifest.json'],
      /^usage: --log: manifest\.json is no answer of /m,
    ],
    [['witness', '--key', 'w.key', '--log', log, '--port', '65536'], /^usage: --port: expected a number /m],
  ] as const) {
    const { status, stderr } = await commandHere([...args]);
    assert.equal(status, 2, stderr);
    assert.match(stderr, text);
  }
});

test.run();
