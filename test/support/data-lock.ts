/** Processes that want a data directory. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { OperatorError } from '../../src/server/operator-error.js';

export const fresh = () => mkdtempSync(join(tmpdir(), 'countersign-lock-'));
export const MODULE = new URL('../../src/server/data-lock.js', import.meta.url).href;
/** Says `ready`, waits for a line, then says `held` or the refusal; a holder stays until it is killed. */
const STARTER = `
  import { lockDataDirectory } from ${JSON.stringify(MODULE)};
  console.log('ready');
  await new Promise((go) => process.stdin.once('data', go));
  await lockDataDirectory(process.argv[1]).then(() => console.log('held'), (error) => {
    console.log(error.code + ': ' + error.message);
    process.exit(0);
  });
`;

interface Starter {
  readonly process: ChildProcess;
  line(): Promise<string>;
  start(): Promise<string>;
}

export async function starter(directory: string): Promise<Starter> {
  const child = spawn(process.execPath, ['--input-type=module', '-e', STARTER, directory], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const line = async () => String((await once(child.stdout!, 'data'))[0]).trim();
  assert.equal(await line(), 'ready');
  const start = () => {
    child.stdin!.write('go\n');
    return line();
  };
  return { process: child, line, start };
}

export async function kill({ process: child }: Starter, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill(signal);
  await gone;
}

export function lockedBy(directory: string, pid: string | number) {
  return (error: OperatorError) => {
    assert.equal(error.code, 'data-locked');
    assert.equal(error.message, `${directory} is in use by ${pid}`);
    return true;
  };
}
