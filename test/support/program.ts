/** The program as a user runs it: a process of its own, which leaves this one free to be its server. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { runCommand } from '../../src/cli/command.js';

const MAIN = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));

export interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Running {
  readonly child: ChildProcessWithoutNullStreams;
  readonly ended: Promise<Ended>;
  /** Resolves when stdout has a line that matches. */
  said(pattern: RegExp): Promise<void>;
  /** The same for stderr. */
  complained(pattern: RegExp): Promise<void>;
  /** Of stdout, so far. */
  output(): string;
}

export interface ProgramOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string;
}

export function start(args: readonly string[], { cwd, env, input }: ProgramOptions = {}): Running {
  const child = spawn(process.execPath, [MAIN, ...args], {
    cwd,
    env: { PATH: process.env['PATH'], ...env },
  });
  let [stdout, stderr] = ['', ''];
  const listeners = new Set<() => void>();
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
    for (const listener of listeners) listener();
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
    for (const listener of listeners) listener();
  });
  if (input !== undefined) child.stdin.end(input);
  const ended = new Promise<Ended>((resolve) => {
    child.once('close', (status) => resolve({ status, stdout, stderr }));
  });
  const shown = (pattern: RegExp, text: () => string) =>
    new Promise<void>((resolve, reject) => {
      const look = () => pattern.test(text()) && resolve();
      listeners.add(look);
      look();
      void ended.then(() => reject(new Error(`ended without saying ${pattern}: ${stdout}${stderr}`)));
    });
  const said = (pattern: RegExp) => shown(pattern, () => stdout);
  const complained = (pattern: RegExp) => shown(pattern, () => stderr);
  return { child, ended, said, complained, output: () => stdout };
}

/** Runs it to its end. */
export function countersign(args: readonly string[], options?: ProgramOptions): Promise<Ended> {
  return start(args, { input: '', ...options }).ended;
}

/** A command in this process, without the time that one of its own takes to start: only for what ends by itself. */
export async function commandHere([name, ...args]: readonly string[]): Promise<Ended> {
  const { command } = await import(`../../src/cli/${name}.js`);
  const said = { stdout: '', stderr: '' };
  const streams = ['stdout', 'stderr'] as const;
  const writes = streams.map((stream) => process[stream].write);
  for (const stream of streams)
    process[stream].write = (text: string | Uint8Array) => {
      said[stream] += text;
      return true;
    };
  try {
    return { status: await runCommand(command, args), ...said };
  } finally {
    for (const [i, stream] of streams.entries()) process[stream].write = writes[i]!;
  }
}

/** Every line of stdout as JSON. */
export function jsonLines(stdout: string) {
  return stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
}
