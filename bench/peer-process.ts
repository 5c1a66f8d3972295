/** A server of somebody else's making, in a process of its own. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Promises } from './system.js';
import type { Workload } from './workload.js';

const START_MS = 20_000;
const RETRY_MS = 20;
/** Of what it says, for the error when it does not start. */
const KEPT_CHARACTERS = 4000;

/** `2.9.10` of what a command says of its version; null where there is no such command. */
export function versionOf(command: string): string | null {
  try {
    return /\d+(\.\d+)+/.exec(execFileSync(command, ['--version'], { encoding: 'utf8' }))?.[0] ?? null;
  } catch {
    return null;
  }
}

export function notInstalled(command: string): string | null {
  return versionOf(command) === null
    ? `${command} is not installed: run .ci/install-debian ${command} as root`
    : null;
}

/** What a peer has no equal of is not left out of its work in silence. */
export function noEqual({ envelopeBytes, encoding }: Workload): string | null {
  if (envelopeBytes > 0) return 'it has no envelopes of one recipient: --set envelopeBytes=0';
  return encoding === 'json' ? 'it carries bytes as they are: --set encoding=binary' : null;
}

/** `durable` says what its settings do; in a directory that is in memory they do nothing. */
export function promisesOf(totalOrder: boolean, durable: string, { server }: Workload): Promises {
  const kept = server.durability === 'fsync' ? durable : 'in memory';
  return { totalOrder, durable: kept, verified: 'nothing' };
}

export interface PeerProcess {
  readonly pid: number;
  /** By force: whoever needs what it wrote finds it on disk, or it was not durable. Resolves when it is gone. */
  stop(): Promise<void>;
}

/** `isReady` is asked until it resolves; that a server takes connections need not mean that it answers. */
export async function startPeer(
  command: string,
  args: readonly string[],
  isReady: () => Promise<unknown>,
): Promise<PeerProcess> {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-KEPT_CHARACTERS);
    });
  }
  const state = { isGone: false };
  const gone = once(child, 'close').finally(() => (state.isGone = true));
  gone.catch(() => {});
  const stop = async () => {
    child.kill('SIGKILL');
    await gone;
  };
  try {
    await until(isReady, state);
  } catch (error) {
    await stop();
    throw new Error(`${command} does not start: ${(error as Error).message}\n${said}`);
  }
  return { pid: child.pid!, stop };
}

async function until(isReady: () => Promise<unknown>, state: { readonly isGone: boolean }): Promise<void> {
  for (const end = performance.now() + START_MS; ; await sleep(RETRY_MS)) {
    try {
      await isReady();
      return;
    } catch (error) {
      if (state.isGone || performance.now() > end) throw error;
    }
  }
}
