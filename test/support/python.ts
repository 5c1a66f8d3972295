/** The client in plain Python as a program. */
import { execFileSync, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as assert from 'uvu/assert';
import { directory } from '../client-helpers.js';
import type { Ended } from './program.js';
import { ServerProcess } from './server-process.js';

export const PYTHON = '/usr/bin/python3';
const EXAMPLES = fileURLToPath(new URL('../../../examples/python/', import.meta.url));

function findPython(): boolean {
  if (!existsSync(PYTHON)) return false;
  try {
    execFileSync(PYTHON, ['-c', 'import cryptography, websockets'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

export const isMissing = !process.env['CI'] && !findPython();
export const cwd = directory('python');
const state = join(cwd, 'state.json');
export const server = await ServerProcess.at(join(cwd, 'data'), { inboxes: '2', outboxes: '2' });
/** What is ended when the tests are over, also when one has failed in between. */
export const endings: (() => unknown)[] = [];

export function python(args: readonly string[]): Promise<Ended> {
  const child = spawn(PYTHON, ['-B', ...args], { cwd: EXAMPLES });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (status) => resolve({ status, stdout, stderr }));
  });
}

/** One command of the example; what it printed. */
export async function example(command: string, ...args: string[]) {
  const at = command === 'id' ? [] : ['--url', server.url];
  const { status, stdout, stderr } = await python(['example.py', command, '--state', state, ...at, ...args]);
  assert.equal([status, stderr], [0, ''], stdout);
  return JSON.parse(stdout);
}
