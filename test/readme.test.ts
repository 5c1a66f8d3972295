/** What README.md and bench/README.md say is done here, or some test does it. */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { directory, serverAt } from './client-helpers.js';
import { bench } from './support/bench.js';
import { countersign } from './support/program.js';
import { COMMANDS, wordsOf } from './support/readme.js';

const test = suite('README');
const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const file = (path: string) => readFileSync(join(ROOT, path), 'utf8');
const readme = file('README.md');

/** Lines of fenced blocks of one language. */
function fenced(text: string, language: string): string[] {
  return [...text.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)]
    .filter(([, name]) => name === language)
    .flatMap(([, , body]) => body!.trimEnd().split('\n'));
}

/** Of bench/README.md. That the bench takes all of their options is tried here. */
const BENCH_COMMANDS: Readonly<Record<string, string>> = {
  'npm run -s bench -- list': 'here',
  'npm run -s bench -- run throughput --repeat 5 --out results/throughput': 'test/long/bench-run.test.ts',
  'npm run -s bench -- run light --repeat 5 --out results/light': 'test/long/bench-run.test.ts',
  "npm run -s bench -- find-max throughput --slo 'p99<50ms' --out results/max": 'test/bench-find-max.test.ts',
  'npm run -s bench -- sweep throughput --over recipients=1,10 --over server.threads=1,2 --seconds 5 --out results':
    'test/long/bench-run.test.ts',
  'npm run -s bench -- sweep shards rate mailboxes recipients --out results': 'test/bench-sweep.test.ts',
  'npm run -s bench -- report results --out report.html --png throughput.png':
    'test/long/bench-report.test.ts',
  'npm run -s bench -- compare before after --threshold 5%': 'test/bench-compare.test.ts',
  'npm run -s bench -- branch --base main~1 --threshold 5% --pairs 10': 'test/long/bench-branch.test.ts',
};

/** The scripts behind `npm run X`: what the tests run instead of them, so that nothing is built meanwhile. */
const SCRIPTS: Readonly<Record<string, RegExp>> = {
  start: /^node dist\/src\/cli\/main\.js serve$/,
  test: /^node dist\/test\/run\.js dist\/test$/,
  demo: /^tsc -p tsconfig\.json --noCheck && node dist\/src\/cli\/main\.js demo$/,
  bench: /^npm run -s build && node dist\/bench\/main\.js$/,
};

/** What the table and the text have that the other has not. */
function differences(text: string, known: readonly string[]): string[] {
  const lines = fenced(text, 'sh');
  return [...lines.filter((line) => !known.includes(line)), ...known.filter((line) => !lines.includes(line))];
}

test('every command line in a block is known to the table, and the other way round', () => {
  assert.equal(differences(readme, Object.keys(COMMANDS)), []);
  assert.equal(differences('```sh\nnpx gone\n```\n', ['npx here']), ['npx gone', 'npx here']);
  assert.equal(differences(file('bench/README.md'), Object.keys(BENCH_COMMANDS)), []);
  for (const where of Object.values({ ...COMMANDS, ...BENCH_COMMANDS }))
    assert.ok(where === 'here' || existsSync(join(ROOT, where)), where);
});

/** What a command of the bench prints with --help: in this process, because each of its own takes half a second to start. */
async function helpOf([command, ...args]: readonly string[]): Promise<string> {
  const { main } = await import(`../bench/${command}.js`);
  const { write } = process.stdout;
  let said = '';
  process.stdout.write = (text: string | Uint8Array) => {
    said += text;
    return true;
  };
  try {
    await main([...args, '--help']);
  } finally {
    process.stdout.write = write;
  }
  return said;
}

test('the bench knows every command and option that its README and CI give it', async () => {
  const inCi = /^ +node dist\/bench\/main\.js (branch .*) \|\|$/m.exec(file('.ci/run'))![1]!;
  const lines = Object.keys(BENCH_COMMANDS).map((line) => line.replace('npm run -s bench -- ', ''));
  for (const line of [...lines, inCi]) {
    const args = wordsOf(line);
    assert.match(await helpOf(args), new RegExp(`^bench ${args[0]}\\b`), line);
  }
  const error = await helpOf(['run', 'light', '--gone']).catch((thrown: unknown) => thrown);
  assert.instance(error, TypeError);
  const { status, stdout, stderr } = await bench(['run', 'light', '--help']);
  assert.equal([status, stdout, stderr], [0, await helpOf(['run', 'light']), '']);
});

test('the scripts are what the tests take them for', () => {
  const { scripts } = JSON.parse(file('package.json'));
  for (const [name, pattern] of Object.entries(SCRIPTS)) assert.match(scripts[name], pattern);
  assert.match(file('.ci/run'), /^npm ci$[\s\S]*^npm test$/m);
});

test('the table of commands is the program itself', async () => {
  const { stdout } = await countersign(['--help']);
  const named = [...readme.matchAll(/^\| `countersign (\w+)` \|/gm)].map(([, name]) => name);
  const known = [...stdout.matchAll(/^ {2}(\w+) {2}/gm)].map(([, name]) => name);
  assert.equal(named, known);
});

/** What an example prints against a running server. */
async function run(example: string, url: string): Promise<string> {
  const program = spawn(process.execPath, [example, url], { cwd: ROOT });
  let said = '';
  for (const stream of [program.stdout, program.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
  const status = await new Promise((resolve) => program.once('close', resolve));
  assert.is(status, 0, said);
  return said;
}

test('the examples are the files, and run against a server', async () => {
  const [client, compare] = ['examples/client.mjs', 'examples/compare.mjs'];
  assert.is(`${fenced(readme, 'js').join('\n')}\n`, file(client!) + file(compare!));
  const server = await serverAt(directory('readme-example'));
  const said = await run(client!, server.url);
  assert.match(said, /^in the order at .* proven in a log of \d+ epochs$/m);
  assert.match(said, /^hello from [0-9a-f]{64} at /m);
  const compared = await run(compare!, server.url);
  assert.match(compared, /^hello \{ outcome: 'same', asOf: \d+ \}\nhow are you\? without a block$/m);
  assert.match(
    compared,
    /^what the block shows: \{ outcome: 'same', asOf: \d+ \}\ncompared: same\ncompared: same$/m,
  );
  await server.stop();
});

test.run();
