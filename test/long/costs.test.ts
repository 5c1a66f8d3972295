/** `npm run costs` measures what it says, with few messages; sizes that hang on nothing else are those of the document. */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';

const test = suite('costs');
const DOCUMENT = fileURLToPath(new URL('../../../docs/ACCOUNTABILITY.md', import.meta.url));
const MAIN = fileURLToPath(new URL('../costs/main.js', import.meta.url));

test('every row has a figure that can be', async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [MAIN, '--messages', '1000']);
  const rows = stdout.split('\n').slice(2).filter(Boolean);
  assert.is(rows.length, 20, stdout);
  const exact = rows.filter((row) => /`frame`|roster|openings|in a frame|alone/.test(row));
  assert.is(exact.length, 10);
  const written = readFileSync(DOCUMENT, 'utf8').split('\n');
  for (const row of exact) assert.ok(written.includes(row), row);
  for (const row of rows) assert.match(row, /\| [1-9][\d,.]* |\| 0\.\d* MiB/, row);
});

test.run();
