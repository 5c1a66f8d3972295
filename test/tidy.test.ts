/**
 * The house rules. Each is a pure function over files; each must pass on this repository, pass on a
 * good example, and complain about every bad one, so that we know that it can fail.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import * as code from './tidy/code.js';
import * as docs from './tidy/docs.js';
import * as imports from './tidy/imports.js';
import { codeOnly, type Rule, type SourceFile } from './tidy/source.js';

type Files = Readonly<Record<string, string>>;

interface House {
  readonly rule: Rule;
  readonly good: Files;
  /** Each must draw at least one complaint, all by itself. */
  readonly bad: readonly Files[];
}

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const STAGES = ['request-handler', 'inbox', 'router', 'receiver', 'outbox', 'sequencer'];
const everyStage = STAGES.map((stage) => `import * as ${stage[0]} from './${stage}.js';`).join('\n');
const lines = (count: number) => '  work();\n'.repeat(count);
// In two parts, so that this file keeps the rules that it plants breaches of.
const toDo = `// TO${'DO'}`;
const machine = `/wo${'rk'}/main`;

const errorsFile = `export const ERRORS = {
  // { a brace in a comment }
  busy: { text: 'busy: {', temporary: true },
  'no-such-mailbox': { text: "none", temporary: false },
} as const;`;
const packageFile = '{ "scripts": { "lint": "x", "test": "y" } }';

const HOUSE: Readonly<Record<string, House>> = {
  'each folder of src imports only what it may': {
    rule: imports.directions,
    good: {
      'src/protocol/a.ts': `import { sha256 } from '#crypto';\nimport type { B } from './b.js';\nexport * from '../crypto/rule.js';`,
      'src/crypto/a.ts': `import { hash } from 'node:crypto';\nimport { b } from './b.js';`,
      'src/client/a.ts': `import { b } from '../protocol/index.js';\nimport WebSocket from 'ws';`,
      'src/actors/a.ts': `import { b } from '../protocol/b.js'; // import '../server/c.js'`,
      'src/server/a.ts': `import { b } from '../actors/b.js';\nimport { c } from '../client/c.js';`,
      'src/cli/a.ts': `import { b } from '../server/b.js';\nconst text = "import x from '../../bench/x.js'";`,
    },
    bad: [
      { 'src/protocol/a.ts': `import { readFileSync } from 'node:fs';` },
      { 'src/protocol/a.ts': `import fs from 'fs';` },
      { 'src/protocol/a.ts': `import * as v from 'valibot';` },
      { 'src/protocol/a.ts': `import type { Step } from '../actors/inbox.js';` },
      { 'src/protocol/a.ts': `const late = await import('../client/index.js');` },
      { 'src/crypto/a.ts': `import { place } from '../protocol/place.js';` },
      { 'src/client/a.ts': `export { open } from '../server/store.js';` },
      { 'src/client/a.ts': `import {\n  open,\n} from 'countersign/server';` },
      { 'src/actors/a.ts': `import '../server/store.js';` },
      { 'src/server/a.ts': `import { main } from '../cli/main.js';` },
      { 'src/cli/a.ts': `import { oracle } from '../../test/twin/rfc8032.js';` },
      { 'src/stray.ts': `import './protocol/index.js';` },
    ],
  },
  'no stage imports another stage': {
    rule: imports.stagesApart,
    good: {
      'src/actors/inbox.ts': `import { x } from './messages.js';\nimport { y } from './inbox-queue.js';`,
      'src/actors/pipeline.ts': everyStage,
    },
    bad: [
      { 'src/actors/inbox.ts': `import { route } from './router.js';` },
      { 'src/actors/receiver.ts': `import type { State } from './outbox.js';` },
      { 'src/actors/outbox/steps.ts': `import { x } from '../request-handler.js';` },
    ],
  },
  'only the pipeline imports every stage': {
    rule: imports.onePipeline,
    good: { 'src/actors/pipeline.ts': everyStage },
    bad: [{ 'src/actors/host.ts': everyStage }],
  },
  'what must not spread has one home': {
    rule: imports.homes,
    good: {
      'src/server/listeners.ts': `import { WebSocketServer } from 'ws';`,
      'src/client/websocket.ts': `import WebSocket from 'ws';`,
      'src/server/workers.ts': `import { Piscina } from 'piscina';`,
      'src/server/store.ts': `import { open } from 'lmdb';`,
      'src/crypto/noble.ts': `import * as ed from '@noble/ed25519';`,
      'src/actors/inbox.ts': `import { setup } from 'xstate';`,
    },
    bad: [
      { 'src/server/admin.ts': `import type { WebSocket } from 'ws';` },
      { 'src/server/main.ts': `import Piscina from 'piscina';` },
      { 'src/server/admin.ts': `import { open } from 'lmdb/open.js';` },
      { 'src/client/verify.ts': `import { Point } from '@noble/ed25519';` },
      { 'src/server/main.ts': `import { createActor } from 'xstate';` },
    ],
  },
  'no import circles': {
    rule: imports.noCircles,
    good: {
      'src/protocol/a.ts': `import type { B } from './b.js';`,
      'src/protocol/b.ts': `import { A } from './a.js';\nimport { C } from './c.js';`,
      'src/protocol/c.ts': '',
    },
    bad: [
      { 'src/crypto/a.ts': `import { b } from './b.js';`, 'src/crypto/b.ts': `import { a } from './a.js';` },
      {
        'src/crypto/a.ts': `export * from './b.js';`,
        'src/crypto/b.ts': `import './c.js';`,
        'src/crypto/c.ts': `import { a } from './a.js';`,
      },
    ],
  },
  'the twin shares no code with what it checks': {
    rule: imports.twinAlone,
    good: {
      'test/twin/a.ts': `import { hash } from 'node:crypto';\nimport { b } from './b.js';`,
      'test/other.ts': `import { b } from '../src/protocol/b.js';`,
    },
    bad: [
      { 'test/twin/a.ts': `import { b } from '../../src/protocol/b.js';` },
      { 'test/twin/a.ts': `import type { b } from '../helpers.js';` },
      { 'test/twin/a.ts': `import { sha256 } from '@noble/hashes/sha2.js';` },
      { 'test/twin/a.ts': `import { sha256 } from '#crypto';` },
    ],
  },
  'every suite is run, and none alone': {
    rule: code.suitesRun,
    good: {
      'test/a.test.ts': `import { test } from 'uvu';\ntest('a', () => {});\ntest.run();`,
      'test/b.test.ts': `const one = suite('one');\nconst two = suite<X>('two');\none.run();\ntwo.run();`,
    },
    bad: [
      { 'test/a.test.ts': `import { test } from 'uvu';\ntest('a', () => {});` },
      { 'test/a.test.ts': `import { test as check } from 'uvu';\n// check.run();` },
      { 'test/a.test.ts': `const one = suite('one');\nconst two = suite('two');\none.run();` },
      { 'test/a.test.ts': `import { test } from 'uvu';\ntest.only('a', () => {});\ntest.run();` },
      { 'test/a.test.ts': 'export {};' },
    ],
  },
  'clock, chance, timers and console are given to pure code': {
    rule: code.noAmbient,
    good: {
      'src/protocol/a.ts': `// Date.now()\nconst text = 'Math.random()';\nconst re = /['"]/; clock.setTimeout(f);`,
      'src/server/a.ts': 'const now = Date.now(); setTimeout(f, 1);',
    },
    bad: [
      { 'src/protocol/a.ts': 'const now = Date.now();' },
      { 'src/protocol/a.ts': 'const now = new Date();' },
      { 'src/protocol/a.ts': `const re = /['"]/; const now = performance.now();` },
      { 'src/actors/a.ts': 'const luck = Math.random();' },
      { 'src/actors/a.ts': 'setTimeout(f, 1);' },
      { 'src/actors/a.ts': 'globalThis.setInterval(f, 1);' },
      { 'src/actors/a.ts': 'const text = `$' + '{1} a`; console.log(text);' },
      { 'src/actors/a.ts': 'const text = `a $' + '{Date.now()} b`;' },
    ],
  },
  'only the command line writes to the console': {
    rule: code.consoleAtHome,
    good: {
      'src/cli/a.ts': 'console.log(1);',
      'src/server/a.ts': 'page.console.log(1);',
      'test/a.ts': 'console.log(1);',
    },
    bad: [{ 'src/server/a.ts': 'console.error(1);' }, { 'src/client/a.ts': 'console.log(1);' }],
  },
  'tests ask both verifiers': {
    rule: code.bothVerdicts,
    good: {
      'test/a.test.ts': `bothSay(evidence, id, key); // verdict(evidence)\nfound.verdict(1);`,
      'test/support/verdicts.ts': 'verdict(evidence, id, key); secondVerdict(evidence, id, key);',
      'src/cli/a.ts': 'verdict(evidence, id, key);',
    },
    bad: [
      { 'test/a.test.ts': 'const judged = verdict(evidence, id, key);' },
      { 'test/long/a.test.ts': 'assert.is(verdict(\n  evidence, id, key).outcome, 1);' },
      { 'test/byzantine/a.ts': 'secondVerdict(evidence, id, key);' },
    ],
  },
  'functions are short': {
    rule: code.shortFunctions,
    good: {
      'src/protocol/a.ts': `function f() {\n${lines(68)}}\nconst table = {\n${'  a: 1,\n'.repeat(90)}};`,
      'src/protocol/b.ts': `function f() {\n${'  // why\n\n'.repeat(90)}}\nclass C {\n${'  f(): void {}\n'.repeat(90)}}`,
    },
    bad: [
      { 'src/protocol/a.ts': `function f(a: { b: number }): void {\n${lines(69)}}` },
      { 'src/actors/a.ts': `export const f = async ({ a }: X) => {\n${lines(69)}};` },
      { 'test/a.ts': `class C {\n  private async f(a = '}'): Promise<void> {\n${lines(69)}  }\n}` },
    ],
  },
  'files of src are short': {
    rule: code.shortFiles,
    good: { 'src/server/a.ts': lines(400), 'test/a.ts': lines(900) },
    bad: [{ 'src/server/a.ts': lines(401) }],
  },
  'what is left to do has an issue': {
    rule: code.toDosHaveIssues,
    good: { 'src/a.ts': `${toDo} #12: later`, 'docs/a.md': 'todo lists' },
    bad: [{ 'src/a.ts': `${toDo}: later` }, { 'docs/a.md': `FIX${'ME'} this` }],
  },
  "no path of anybody's machine": {
    rule: code.noMachinePaths,
    good: { 'docs/a.md': 'left/root/right, https://example.org/work/ and ./work/x' },
    bad: [{ 'docs/a.md': `see ${machine}` }, { 'bench/a.sh': `cd "/ro${'ot'}/x"` }],
  },
  'every error has its heading and every heading its error': {
    rule: docs.errorsDocumented,
    good: {
      'src/protocol/errors.ts': errorsFile,
      'docs/PROTOCOL.md': '## Errors\n\n#### busy\n\n#### no-such-mailbox\n\n#### Another kind of heading\n',
    },
    bad: [
      { 'src/protocol/errors.ts': errorsFile, 'docs/PROTOCOL.md': '#### busy\n' },
      {
        'src/protocol/errors.ts': errorsFile,
        'docs/PROTOCOL.md': '#### busy\n#### no-such-mailbox\n#### gone\n',
      },
      {
        'src/protocol/errors.ts': errorsFile,
        'docs/PROTOCOL.md': '#### busy\n#### busy\n#### no-such-mailbox\n',
      },
      {
        'src/protocol/errors.ts': 'export const ERRORS = { noSuch: 1 };',
        'docs/PROTOCOL.md': '#### noSuch\n',
      },
      { 'src/protocol/errors.ts': 'export const CODES = {};', 'docs/PROTOCOL.md': '' },
    ],
  },
  'every operator error stands in the table, and no other': {
    rule: docs.operatorErrorsDocumented,
    good: {
      'src/server/a.ts': `throw new OperatorError('one', m, n);`,
      'src/cli/a.ts': `throw new Failure(\n  'two',\n  m, n);`,
      'docs/PROTOCOL.md':
        '### Operator errors\n\n| code | |\n|---|---|\n| `one` | a |\n| `two` | b |\n\n## More\n| `x` | y |',
    },
    bad: [
      { 'src/server/a.ts': `throw new OperatorError('one', m, n);`, 'docs/PROTOCOL.md': '| `one` | a |' },
      { 'src/cli/a.ts': `throw new Failure('one', m, n);`, 'docs/PROTOCOL.md': '### Operator errors\n' },
      {
        'src/server/a.ts': `throw new OperatorError('one', m, n);`,
        'docs/PROTOCOL.md': '### Operator errors\n| `one` | a |\n| `two` | b |',
      },
    ],
  },
  'every script that a document names exists': {
    rule: docs.scriptsExist,
    good: {
      'package.json': packageFile,
      'README.md': '`npm run lint`, `npm run -s lint`, `npm test`, `npm ci`',
    },
    bad: [
      { 'package.json': packageFile, 'README.md': '`npm run gone`' },
      { 'package.json': packageFile, 'docs/a.md': '```\nnpm start\n```' },
    ],
  },
  'every path that a document names exists': {
    rule: docs.pathsExist,
    good: {
      'src/cli/main.ts': '',
      'README.md':
        '`src/cli/`, `dist/src/cli/main.js`, `src/*/main.ts`, `and/or`, src/gone.ts, `npm run x src/cli/main.ts`',
    },
    bad: [
      { 'README.md': 'See `src/gone.ts`.' },
      { 'src/cli/main.ts': '', 'docs/a.md': '```sh\nnode dist/src/cli/gone.js serve\n```' },
      { 'README.md': 'See `CHANGELOG.md`.' },
      { 'src/cli/main.ts': '', 'README.md': '`src/cl`' },
    ],
  },
  'every link between documents leads somewhere': {
    rule: docs.linksLead,
    good: {
      'docs/a.md': '[b](b.md#part), [r](../README.md), [w](https://x.org), [here](#a)',
      'docs/b.md': '',
      'README.md': '',
    },
    bad: [{ 'docs/a.md': '[b](b.md)' }, { 'README.md': '[b](docs/)' }],
  },
};

function asList(files: Files): SourceFile[] {
  return Object.entries(files).map(([path, text]) => ({ path, text }));
}

/** Every file that is tracked, or would be: new ones that are not ignored count already. A picture has no text. */
function readRepository(): SourceFile[] {
  const listing = ['ls-files', '-z', '--cached', '--others', '--exclude-standard'];
  const paths = execFileSync('git', listing, { cwd: ROOT, encoding: 'utf8' }).split('\0');
  return [...new Set(paths)]
    .filter((path) => path && existsSync(join(ROOT, path)) && statSync(join(ROOT, path)).isFile())
    .map((path) => ({ path, text: readFileSync(join(ROOT, path), 'utf8') }))
    .map(({ path, text }) => ({ path, text: text.includes('\0') ? '' : text }));
}

const repository = readRepository();
const house = suite('house rules');

house('there is a repository to look at', () => {
  assert.ok(repository.some(({ path }) => path === 'src/crypto/rule.ts'));
});

for (const [name, { rule, good, bad }] of Object.entries(HOUSE)) {
  house(name, () => {
    assert.is(rule(repository).join('\n'), '');
  });
  house(`(can be kept, can fail) ${name}`, () => {
    assert.equal(rule(asList(good)), []);
    for (const files of bad) {
      assert.is.not(rule(asList(files)).length, 0, `no complaint about ${JSON.stringify(files)}`);
    }
  });
}

house('every rule there is stands in the table', () => {
  const rules = [code, docs, imports].flatMap((each): unknown[] => Object.values(each));
  const listed = Object.values(HOUSE).map(({ rule }): unknown => rule);
  assert.equal(
    rules.filter((rule) => !listed.includes(rule)),
    [],
  );
});

house('code is told from comments, strings, templates and regular expressions', () => {
  const cases = [
    [`f('//'); // a`, `f('__');     `],
    [`f("it's"); /* a\n */ g`, `f("____");     \n    g`],
    [`a / b; c(/[/'"]/); d / e`, `a / b; c(/_____/); d / e`],
    ['`a`; `b $' + `{f({ c: '}' })} d\`; e`, `\`_\`; \`___{f({ c: '_' })}__\`; e`],
  ];
  for (const [source, expected] of cases) assert.is(codeOnly(source), expected);
  assert.is(codeOnly(`f('//'); // a`, true), `f('//');     `);
});

house.run();
