/** A server in a process of its own, and what it used. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ThreadFigures } from './probe.js';

const MAIN = fileURLToPath(new URL('../src/cli/main.js', import.meta.url));
const PROBE = new URL('./probe.js', import.meta.url).href;

export interface RunningServer {
  readonly pid: number;
  readonly url: string;
  readonly internalUrl: string;
  /** Of V8 CPU profiles, when they were asked for; readable once it has stopped. */
  readonly profiles: string;
  /** Ends it; its files stay until `remove`. */
  stop(signal?: NodeJS.Signals): Promise<void>;
  remove(): void;
  /** Of a server with a probe: what each thread says, the main thread first. */
  probe(): Promise<ThreadFigures[]>;
}

export interface ServerOptions {
  readonly profile?: boolean;
  /** With bench/probe.ts in every thread. */
  readonly probe?: boolean;
  /** Not a new temporary directory but this one. */
  readonly data?: string;
}

export const newDirectory = () => mkdtempSync(join(tmpdir(), 'countersign-bench-'));

/** `flags` of `countersign serve`. */
export async function startServer(
  flags: readonly string[],
  { profile = false, probe = false, data = newDirectory() }: ServerOptions = {},
): Promise<RunningServer> {
  const profiles = join(data, 'profiles');
  const profiling = profile ? ['--cpu-prof', `--cpu-prof-dir=${profiles}`] : [];
  const probing = probe ? ['--expose-gc', '--import', PROBE] : [];
  const serve = ['serve', '--json', '--data', data, '--port', '0', '--internal-port', '0', ...flags];
  const child = spawn(process.execPath, [...profiling, ...probing, MAIN, ...serve], {
    stdio: ['ignore', 'pipe', 'inherit', ...(probe ? (['ipc'] as const) : [])],
  });
  const { url, internalUrl } = await ready<{ url: string; internalUrl: string }>(child);
  return {
    pid: child.pid!,
    url,
    internalUrl,
    profiles,
    async stop(signal = 'SIGTERM') {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const gone = once(child, 'exit');
      child.kill(signal);
      await gone;
    },
    remove: () => rmSync(data, { recursive: true, force: true }),
    async probe() {
      const answer = once(child, 'message');
      child.send('probe');
      return (await answer)[0] as ThreadFigures[];
    },
  };
}

/** The first line of JSON that a server writes. */
export function ready<T>(child: ChildProcess): Promise<T> {
  return new Promise((resolve, reject) => {
    let text = '';
    child.stdout!.on('data', (chunk) => {
      text += chunk;
      const line = text.split('\n').find((each) => each.startsWith('{'));
      if (line) resolve(JSON.parse(line) as T);
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
