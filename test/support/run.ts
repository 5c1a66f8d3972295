/** Runs the runner on files of its own. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const RUNNER = fileURLToPath(new URL('../run.js', import.meta.url));
export const UVU = `import { test } from '${import.meta.resolve('uvu')}';\n`;
export const PASSING = `${UVU}test('a', () => {});\ntest.run();\n`;

/** Writes the given files below a fresh folder and runs the runner on it, or on a folder in it. */
export function run(files: Record<string, string>, folder = '', ...args: string[]) {
  const root = mkdtempSync(join(tmpdir(), 'runner-'));
  try {
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), text);
    }
    const { status, stdout } = spawnSync(process.execPath, [RUNNER, join(root, folder), ...args], {
      encoding: 'utf8',
    });
    return { status, stdout, last: stdout.trimEnd().split('\n').at(-1) };
  } finally {
    rmSync(root, { recursive: true });
  }
}
