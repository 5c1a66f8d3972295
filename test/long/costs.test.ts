/** `npm run costs` measures what it says, with few messages. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';

const test = suite('costs');
const MAIN = fileURLToPath(new URL('../costs/main.js', import.meta.url));

test('every row has a figure that can be', async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [MAIN, '--messages', '1000']);
  const rows = stdout.split('\n').slice(2).filter(Boolean);
  assert.is(rows.length, 10, stdout);
  for (const row of rows) assert.match(row, /\| [1-9][\d,.]* |\| 0\.\d* MiB/, row);
});

test.run();
