/** A server in a process of its own, on a temporary data directory, and what it used. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../src/cli/main.js', import.meta.url));

export interface RunningServer {
  readonly pid: number;
  readonly url: string;
  /** Of V8 CPU profiles, when they were asked for; readable once it has stopped. */
  readonly profiles: string;
  /** Ends it; its files stay until `remove`. */
  stop(): Promise<void>;
  remove(): void;
}

/** `flags` of `countersign serve`. */
export async function startServer(flags: readonly string[], profile = false): Promise<RunningServer> {
  const data = mkdtempSync(join(tmpdir(), 'countersign-bench-'));
  const profiles = join(data, 'profiles');
  const profiling = profile ? ['--cpu-prof', `--cpu-prof-dir=${profiles}`] : [];
  const serve = ['serve', '--json', '--data', data, '--port', '0', '--internal-port', '0', ...flags];
  const child = spawn(process.execPath, [...profiling, MAIN, ...serve], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const url = await ready(child);
  return {
    pid: child.pid!,
    url,
    profiles,
    async stop() {
      child.kill('SIGTERM');
      if (child.exitCode === null) await new Promise((resolve) => child.once('exit', resolve));
    },
    remove: () => rmSync(data, { recursive: true, force: true }),
  };
}

function ready(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    child.stdout!.on('data', (chunk) => {
      text += chunk;
      const line = text.split('\n').find((each) => each.startsWith('{'));
      if (line) resolve((JSON.parse(line) as { url: string }).url);
    });
    child.once('exit', (code) => reject(new Error(`the server ended with ${code}`)));
  });
}

/** CPU seconds so far and peak memory of a process, from /proc (Linux); NaN elsewhere. */
export function usageOf(pid: number): { cpu: number; peakMiB: number } {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1]!.split(' ');
    const peak = /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'));
    return { cpu: (Number(stat[11]) + Number(stat[12])) / 100, peakMiB: Number(peak?.[1]) / 1024 };
  } catch {
    return { cpu: Number.NaN, peakMiB: Number.NaN };
  }
}
