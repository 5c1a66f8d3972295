/** The client processes, as the main process sees them. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { CallName, Calls, FromClient, Tick, ToClient } from './client-protocol.js';

const MODULE = fileURLToPath(new URL('./client-process.js', import.meta.url));
const NODE_FLAGS = ['--max-semi-space-size=64'];

export interface ClientEvents {
  tick(second: number, tick: Tick): void;
  failed(error: Error): void;
}

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

export class ClientProcess {
  private readonly waiting = new Map<number, Waiting>();
  private calls = 0;
  private isClosing = false;
  private readonly child: ChildProcess;

  constructor(
    readonly name: string,
    private readonly events: ClientEvents,
  ) {
    this.child = fork(MODULE, { serialization: 'advanced', execArgv: NODE_FLAGS });
    this.child.on('message', (message: FromClient) => this.onMessage(message));
    this.child.on('exit', (code, signal) => this.ended(new Error(`${name} ended with ${code ?? signal}`)));
  }

  private onMessage(message: FromClient): void {
    if (message.type === 'tick') return this.events.tick(message.second, message.tick);
    if (message.type === 'failed') {
      const error = new Error(`${this.name}: ${message.message}`);
      error.name = message.name;
      return this.events.failed(error);
    }
    const { resolve, reject } = this.waiting.get(message.id)!;
    this.waiting.delete(message.id);
    if (message.error === undefined) resolve(message.value);
    else reject(new Error(`${this.name}: ${message.error}`));
  }

  private ended(error: Error): void {
    for (const { reject } of this.waiting.values()) reject(error);
    this.waiting.clear();
    if (!this.isClosing) this.events.failed(error);
  }

  call<Name extends CallName>(
    name: Name,
    ...args: Parameters<Calls[Name]>
  ): Promise<ReturnType<Calls[Name]>> {
    return new Promise((resolve, reject) => {
      if (!this.child.connected) throw new Error(`${this.name} has ended`);
      const id = this.calls++;
      this.waiting.set(id, { resolve: resolve as (value: unknown) => void, reject });
      this.child.send({ id, name, args } satisfies ToClient);
    });
  }

  get pid(): number {
    return this.child.pid!;
  }

  async close(): Promise<void> {
    await this.call('close');
    await this.kill();
  }

  /** Ends it whatever it does. */
  async kill(): Promise<void> {
    this.isClosing = true;
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const gone = once(this.child, 'exit');
    this.child.kill('SIGKILL');
    await gone;
  }
}

/** What number `i` of `count` has of these: every `count`-th. */
export function shareOf<T>(all: readonly T[], i: number, count: number): T[] {
  return all.filter((_, at) => at % count === i);
}
