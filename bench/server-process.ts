/** A server in a process of its own, and what it used. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ThreadFigures } from './probe.js';

const MAIN = fileURLToPath(new URL('../src/cli/main.js', import.meta.url));
/** Workers load their task by `require` where that takes ES modules, and then no hook sees what it imports. */
const UNATTESTED = [
  '--no-experimental-require-module',
  '--import',
  new URL('./unattested/register.js', import.meta.url).href,
];
/** What can be preloaded into a server's threads, with the flags it needs. */
const PRELOADED = {
  probe: ['--expose-gc', '--import', new URL('./probe.js', import.meta.url).href],
  stages: ['--import', new URL('./stage-probe.js', import.meta.url).href],
};

export interface RunningServer {
  readonly pid: number;
  readonly url: string;
  readonly internalUrl: string;
  /** Ends it; its files stay until `remove`. */
  stop(signal?: NodeJS.Signals): Promise<void>;
  remove(): void;
  /** What each thread of a server with a probe says, the main thread first. */
  probe(): Promise<ThreadFigures[]>;
  /** The same of any question that what was preloaded answers. */
  ask(question: string): Promise<unknown[]>;
}

export interface ServerOptions {
  /** In every thread: bench/probe.ts or bench/stage-probe.ts. */
  readonly preload?: keyof typeof PRELOADED;
  /** With the attesting switched off: bench/unattested/register.ts in every thread. */
  readonly unattested?: boolean;
  /** Not a new temporary directory but this one. */
  readonly data?: string;
}

export const newDirectory = () => mkdtempSync(join(tmpdir(), 'countersign-bench-'));

/** `flags` of `countersign serve`. */
export async function startServer(
  flags: readonly string[],
  { preload, unattested = false, data = newDirectory() }: ServerOptions = {},
): Promise<RunningServer> {
  // First: what is preloaded imports the server's modules.
  const probing = [...(unattested ? UNATTESTED : []), ...(preload ? PRELOADED[preload] : [])];
  const serve = ['serve', '--json', '--data', data, '--port', '0', '--internal-port', '0', ...flags];
  const child = spawn(process.execPath, [...probing, MAIN, ...serve], {
    stdio: ['ignore', 'pipe', 'inherit', ...(preload ? (['ipc'] as const) : [])],
  });
  const { url, internalUrl } = await ready<{ url: string; internalUrl: string }>(child);
  const ask = (question: string) =>
    new Promise<unknown[]>((resolve, reject) => {
      const ended = () => reject(new Error('the server has ended'));
      if (!child.connected) return ended();
      child.once('exit', ended);
      child.once('message', (answers) => {
        child.off('exit', ended);
        resolve(answers as unknown[]);
      });
      child.send(question);
    });
  return {
    pid: child.pid!,
    url,
    internalUrl,
    async stop(signal = 'SIGTERM') {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const gone = once(child, 'exit');
      child.kill(signal);
      await gone;
    },
    remove: () => rmSync(data, { recursive: true, force: true }),
    ask,
    probe: () => ask('figures') as Promise<ThreadFigures[]>,
  };
}

export interface CommandFigures {
  readonly seconds: number;
  readonly cpuSeconds: number;
  /** Its own memory at the most, as `memoryOf` has it. */
  readonly ownMiB: number;
}

/** How often a command is looked at. */
const LOOK_MS = 20;

/** Runs `countersign` with these arguments to its end. Rejects when it fails. */
export async function timeCommand(args: readonly string[]): Promise<CommandFigures> {
  const began = performance.now();
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'ignore', 'inherit'] });
  let [cpu, own] = [0, 0];
  const look = setInterval(() => {
    cpu = usageOf(child.pid!).cpu || cpu;
    own = Math.max(own, ownOf(child.pid!));
  }, LOOK_MS);
  const [code] = await once(child, 'exit');
  clearInterval(look);
  if (code !== 0) throw new Error(`countersign ${args[0]} ended with ${code}`);
  return {
    seconds: Number(((performance.now() - began) / 1000).toFixed(2)),
    cpuSeconds: Number(cpu.toFixed(2)),
    ownMiB: Math.round(own / 2 ** 20),
  };
}

/** 0 of one that has ended. */
function ownOf(pid: number): number {
  try {
    return memoryOf(pid).own || 0;
  } catch {
    return 0;
  }
}

/** The first line of JSON that a server writes. */
export function ready<T extends { readonly url: string }>(child: ChildProcess): Promise<T> {
  return new Promise((resolve, reject) => {
    let text = '';
    child.stdout!.on('data', (chunk) => {
      text += chunk;
      const line = text.split('\n').find((each) => each.startsWith('{'));
      if (!line) return;
      const said = JSON.parse(line) as Partial<T>;
      if (said.url === undefined) reject(new Error(`the server did not start: ${line}`));
      else resolve(said as T);
    });
    child.once('exit', (code) => reject(new Error(`the server ended with ${code}`)));
  });
}

const status = (pid: number, field: string) => {
  const found = new RegExp(`${field}:\\s+(\\d+)`).exec(readFileSync(`/proc/${pid}/status`, 'latin1'));
  return Number(found?.[1]) * 1024;
};

/** Resident bytes of a process (Linux): its own, and pages of files that it maps, which the system may take back. */
export function memoryOf(pid: number): { own: number; files: number } {
  return { own: status(pid, 'RssAnon'), files: status(pid, 'RssFile') + status(pid, 'RssShmem') };
}

/** CPU seconds so far and peak memory of a process, from /proc (Linux); NaN elsewhere. */
export function usageOf(pid: number): { cpu: number; peakMiB: number } {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1]!.split(' ');
    return { cpu: (Number(stat[11]) + Number(stat[12])) / 100, peakMiB: status(pid, 'VmHWM') / 2 ** 20 };
  } catch {
    return { cpu: Number.NaN, peakMiB: Number.NaN };
  }
}
