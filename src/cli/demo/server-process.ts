/** A server of its own process, so that it can be killed as nothing inside a process can be. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { Failure } from '../command.js';

const MAIN = fileURLToPath(new URL('../main.js', import.meta.url));
const START_MS = 20_000;
/** Of what it writes to stderr, for the message when it ends by itself. */
const KEPT_CHARACTERS = 4000;

export interface ServerOptions {
  readonly data: string;
  readonly port: number;
}

export class ServerProcess {
  url = '';
  serverId = '';
  /** Rejects when the process ends without having been told to. */
  readonly ended: Promise<never>;
  private isTold = false;
  private errors = '';

  private constructor(private readonly child: ChildProcess) {
    child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.errors = (this.errors + text).slice(-KEPT_CHARACTERS);
    });
    this.ended = new Promise((_, reject) => {
      const end = (how: string) => this.isTold || reject(endedByItself(how, this.errors));
      child.once('exit', (code, signal) => end(signal ?? `exit status ${code}`));
      child.once('error', (error) => end(error.message));
    });
    this.ended.catch(() => {});
  }

  /** Resolves when clients can connect. `made` is called at once, so that no process is ever forgotten. */
  static async start(
    { data, port }: ServerOptions,
    made: (server: ServerProcess) => void,
  ): Promise<ServerProcess> {
    const flags = { data, port, 'internal-port': 0, inboxes: 2, outboxes: 2 };
    const args = Object.entries(flags).flatMap(([name, value]) => [`--${name}`, `${value}`]);
    const server = new ServerProcess(
      spawn(process.execPath, [MAIN, 'serve', '--json', ...args], {
        env: withoutSettings(process.env),
        stdio: ['ignore', 'pipe', 'pipe'],
      }),
    );
    made(server);
    await Promise.race([server.listening(), server.ended]);
    return server;
  }

  private async listening(): Promise<void> {
    const lines = createInterface({ input: this.child.stdout! });
    const [line] = (await once(lines, 'line', { signal: AbortSignal.timeout(START_MS) })) as [string];
    Object.assign(this, JSON.parse(line));
  }

  /** Ends it, and resolves when it is gone. */
  async kill(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    this.isTold = true;
    const { child } = this;
    if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
    const gone = once(child, 'exit');
    child.kill(signal);
    await gone;
  }

  /** The same without waiting, for the very end of the process. */
  killNow(): void {
    this.isTold = true;
    this.child.kill('SIGKILL');
  }
}

/** The demo's server runs by the demo's settings, whatever this shell has for another one. */
function withoutSettings(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('COUNTERSIGN_')));
}

function endedByItself(how: string, errors: string): Failure {
  const last = errors.trim();
  return new Failure(
    'demo-server-ended',
    `the server ended by itself: ${how}${last === '' ? '' : `\n${last}`}`,
    '',
    {},
  );
}

/**
 * A free port, to be used again after the restart. Below the ports that systems give to outgoing
 * connections: one of those could take it meanwhile, or, dialling it while nobody listens, reach itself.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 10_000);
    const probe = createServer();
    const free = await new Promise<boolean>((resolve) => {
      probe.once('error', () => resolve(false));
      probe.listen(port, '127.0.0.1', () => resolve(true));
    });
    if (!free) continue;
    await new Promise((resolve) => probe.close(resolve));
    return port;
  }
}
