/** The commands of the README, one after another, as the text says. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { importSecretKey } from '#crypto';
import { readKeyFile } from '../../src/server/keys.js';
import { directory } from '../client-helpers.js';
import { start } from '../support/program.js';
import { COMMANDS, wordsOf } from '../support/readme.js';

const test = suite('README');

/** The arguments of a line `npx countersign …`. */
const argumentsOf = (line: string): string[] => wordsOf(line).slice(2);

test('the commands do what the text says, one after another, with a server as npm start runs it', async () => {
  const cwd = directory('readme');
  const serve = start(['serve', '--port', '0', '--internal-port', '0'], { cwd });
  await serve.said(/^Countersign listens on http:\S+ .*data in \.\/data\n/m);
  await serve.said(/^Try it/m);
  const url = /listens on (\S+)/.exec(serve.output())![1]!;
  assert.ok(existsSync(join(cwd, 'data', 'keys', 'root.key')));
  const lines = Object.entries(COMMANDS)
    .filter(([line, where]) => line.startsWith('npx countersign ') && where === 'here')
    .map(([line]) => line);
  let tail: ReturnType<typeof start> | null = null;
  for (const line of lines) {
    const args = argumentsOf(line);
    const talks = ['tail', 'send', 'manifest'].includes(args[0]!);
    const bob = args.includes('ID_OF_BOB') ? await readKeyFile(join(cwd, 'bob.key')) : null;
    const id = bob && Buffer.from(importSecretKey(bob).publicKey).toString('hex');
    const program = start(
      [...args.map((word) => (word === 'ID_OF_BOB' ? id! : word)), ...(talks ? ['--url', url] : [])],
      { cwd },
    );
    if (args[0] === 'tail') {
      tail = program;
      await tail.said(/^mailbox /m);
      continue;
    }
    const { status, stderr } = await program.ended;
    assert.equal([status, stderr], [0, ''], line);
  }
  await tail!.said(/ {2}hello$/m);
  tail!.child.kill('SIGINT');
  assert.is((await tail!.ended).status, 0);
  serve.child.kill('SIGTERM');
  assert.is((await serve.ended).status, 0);
});

test.run();
