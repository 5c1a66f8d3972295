/** A server that can be killed and started again: same data directory, same ports. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { freePort } from '../../src/cli/demo/server-process.js';
import type { ServeOptions } from './serve.js';

const SERVE = fileURLToPath(new URL('./serve.js', import.meta.url));
export const CRASHING_WORKER = fileURLToPath(new URL('./crashing-worker.js', import.meta.url));

/** How a process ended: what it said last, and by which code or signal. */
export interface Ending {
  readonly failed: string | null;
  readonly text: string;
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export class ServerProcess {
  private child: ChildProcess | null = null;
  private stderr = '';
  private constructor(
    readonly url: string,
    private readonly options: ServeOptions,
    private readonly env: Readonly<Record<string, string>>,
  ) {}

  /** Does not start it yet. */
  static async at(
    data: string,
    flags: Readonly<Record<string, string>> = {},
    workerModule?: string,
    env: Readonly<Record<string, string>> = {},
  ): Promise<ServerProcess> {
    const port = await freePort();
    const all = { port: `${port}`, 'internal-port': '0', ...flags };
    const options = { data, flags: all, ...(workerModule === undefined ? {} : { workerModule }) };
    return new ServerProcess(`http://127.0.0.1:${port}`, options, env);
  }

  get pid(): number {
    return this.child!.pid!;
  }

  /** Resolves with null when it is ready, else with how it ended before that. */
  async start(): Promise<Ending | null> {
    this.spawn();
    const child = this.child!;
    const ended = this.ended();
    const ready = new Promise<null>((resolve) => {
      const look = (chunk: Buffer) => {
        if (!chunk.includes('"url"')) return;
        child.stdout!.off('data', look);
        resolve(null);
      };
      child.stdout!.on('data', look);
    });
    return Promise.race([ready, ended]);
  }

  private ending: Promise<Ending> = new Promise(() => {});

  private spawn(): void {
    const child = spawn(process.execPath, [SERVE, JSON.stringify(this.options)], {
      env: { ...process.env, ...this.env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.child = child;
    let out = '';
    this.stderr = '';
    child.stdout.on('data', (chunk: Buffer) => (out += chunk));
    child.stderr.on('data', (chunk: Buffer) => (this.stderr += chunk));
    this.ending = once(child, 'close').then(([code, signal]) => {
      const last = out
        .split('\n')
        .filter((line) => line.includes('"failed"'))
        .map((line) => JSON.parse(line) as { failed: string; text: string })
        .at(-1);
      return { failed: last?.failed ?? null, text: last?.text ?? this.stderr, code, signal };
    });
  }

  /** How the process that was started last has ended, once it has. */
  ended(): Promise<Ending> {
    return this.ending;
  }

  kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<Ending> {
    this.child?.kill(signal);
    return this.ending;
  }
}
