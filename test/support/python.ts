/** The client in plain Python as a program. */
import { execFileSync, spawn } from 'node:child_process';
import { copyFileSync, existsSync, readFileSync } from 'node:fs';
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
export const data = join(cwd, 'data');
export const server = await ServerProcess.at(data, { inboxes: '2', outboxes: '2' });
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

/** What the example keeps. */
export const states = {
  copy: (name: string) => copyFileSync(state, join(cwd, name)),
  use: (name: string) => copyFileSync(join(cwd, name), state),
  /** Of the manifest. */
  versions: (): number => JSON.parse(readFileSync(state, 'utf8')).manifests.length,
};

/** One command of the example, against the server at an address. */
export function exampleAt(url: string, command: string, ...args: string[]): Promise<Ended> {
  const at = command === 'id' ? [] : ['--url', url];
  return python(['example.py', command, '--state', state, ...at, ...args]);
}

/** What it printed. */
export async function example(command: string, ...args: string[]) {
  const { status, stdout, stderr } = await exampleAt(server.url, command, ...args);
  assert.equal([status, stderr], [0, ''], stdout);
  return JSON.parse(stdout);
}
