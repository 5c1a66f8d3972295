/**
 * One run of one system: starts its server, opens all clients, lets one continuous load go on for warm-up and window, stops
 * it, waits until all has come, reads what nobody read, and sums up.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Cleanup } from './cleanup.js';
import type { Tick } from './client-protocol.js';
import { ClientProcess, shareOf } from './clients.js';
import { now, until } from './clock.js';
import { bytesBelow, environmentOf } from './environment.js';
import type { ReceivingResults } from './receiving.js';
import type { RunResult } from './result.js';
import type { SendingResults } from './sending.js';
import { type Measured, summarise } from './summary.js';
import type { RunningSystem, System, ThreadProfile } from './system.js';
import { type Sample, sampleOf, since, usageOfAll } from './usage.js';
import type { Workload } from './workload.js';

/** Until all processes know when the load starts. */
const HEAD_START_MS = 200;
/** Messages that a sender has under way while those are sent that will wait. */
const FILL_WINDOW = 256;
const IN_MEMORY = '/dev/shm';

export interface RunOptions {
  readonly system: System;
  readonly workload: Workload;
  readonly repetition: number;
  /** What is to be undone when the bench is interrupted is put here. */
  readonly cleanup: Cleanup;
  /** Whether to say where the window's time went, in every thread of server and clients. Costs some of the speed. */
  readonly profile: ((profiles: readonly ThreadProfile[]) => void) | null;
  /** Every process tells every second. */
  readonly tick: (second: number, tick: Tick) => void;
}

/** Rejects when something could not be started or a process has died; what was started is stopped then, too. */
export async function measure(options: RunOptions): Promise<RunResult> {
  const run = new Run(options);
  options.cleanup.add(() => run.end());
  try {
    return await run.measure();
  } finally {
    await run.end();
  }
}

class Run {
  private readonly cleanup = new Cleanup();
  private readonly failures: Error[] = [];
  private failed!: () => void;
  private readonly failure = new Promise<void>((resolve) => {
    this.failed = resolve;
  });
  private readonly startedAt = new Date().toISOString();
  private server!: RunningSystem;
  private senders: ClientProcess[] = [];
  private receivers: ClientProcess[] = [];

  constructor(private readonly options: RunOptions) {}

  end(): Promise<void> {
    return this.cleanup.run();
  }

  async measure(): Promise<RunResult> {
    const { system, workload } = this.options;
    const parent = workload.server.durability === 'none' ? IN_MEMORY : tmpdir();
    const directory = mkdtempSync(join(parent, 'countersign-bench-'));
    this.cleanup.add(() => rmSync(directory, { recursive: true, force: true }));
    const environment = environmentOf(directory);
    const starting = system.start(workload, directory);
    // Interrupted while it starts, it is stopped, too.
    this.cleanup.add(() =>
      starting.then(
        (server) => server.stop(),
        () => {},
      ),
    );
    this.server = await starting;
    if (this.cleanup.isRunning) throw new Error('interrupted');
    await this.openClients();
    const start = await this.beginLoad();
    const window = await this.watch(start);
    const sent = await this.stopSenders();
    const received = await this.drain(sent);
    const diskBytes = bytesBelow(directory);
    await Promise.all([...this.senders, ...this.receivers].map((each) => each.close()));
    return summarise({
      ...this.options,
      ...window,
      system: system.name,
      promises: system.promises(workload),
      startedAt: this.startedAt,
      environment: { ...environment, systemVersion: this.server.version },
      start,
      sent,
      received,
      diskBytes,
      failures: this.failures,
    });
  }

  // ---- clients

  private async openClients(): Promise<void> {
    const { workload } = this.options;
    this.senders = this.fork('senders', workload.senderProcesses);
    this.receivers = this.fork('receivers', workload.receiverProcesses);
    const { address } = this.server;
    const open = { system: this.options.system.name, address, workload };
    await Promise.all([...this.senders, ...this.receivers].map((each) => each.call('open', open)));
    const away = numbers(workload.waiting > 0 ? 0 : workload.online, workload.mailboxes);
    await this.inReceivers((each, i) => each.call('register', this.own(away, i)));
    if (workload.waiting === 0) await this.read();
    const senders = numbers(0, workload.senders);
    await Promise.all(
      this.senders.map((each, i) => each.call('openSenders', shareOf(senders, i, this.senders.length))),
    );
  }

  private fork(kind: string, count: number): ClientProcess[] {
    return numbers(1, count + 1).map((i) => {
      const client = new ClientProcess(`${kind} ${i}`, {
        tick: (second, tick) => this.options.tick(second, tick),
        failed: (error) => {
          this.failures.push(error);
          this.failed();
        },
      });
      this.cleanup.add(() => client.kill());
      return client;
    });
  }

  private inReceivers(run: (process: ClientProcess, i: number) => Promise<unknown>): Promise<unknown> {
    return Promise.all(this.receivers.map(run));
  }

  /** Mailboxes of receiving process `i`: those of its sockets. */
  private own(mailboxes: readonly number[], i: number): number[] {
    const { receivers } = this.options.workload;
    return mailboxes.filter((mailbox) => (mailbox % receivers) % this.receivers.length === i);
  }

  private async read(): Promise<void> {
    const { online, receivers } = this.options.workload;
    const sockets = numbers(0, receivers).map((socket) =>
      numbers(0, online).filter((mailbox) => mailbox % receivers === socket),
    );
    await this.inReceivers((each, i) => {
      const own = shareOf(sockets, i, this.receivers.length);
      return each.call(
        'read',
        own.filter(({ length }) => length > 0),
      );
    });
  }

  // ---- the load

  /** Returns the moment when it starts. */
  private async beginLoad(): Promise<number> {
    const { waiting, load } = this.options.workload;
    const window = load.mode === 'closed' ? load.window : FILL_WINDOW;
    const count = this.senders.length;
    const filled = this.senders.map((each, i) =>
      each.call('fill', Math.floor((waiting + i) / count), window),
    );
    await Promise.all(filled);
    const start = now() + HEAD_START_MS;
    await Promise.all([...this.senders, ...this.receivers].map((each) => each.call('start', start)));
    if (waiting === 0) return start;
    await until(start);
    await this.read();
    return start;
  }

  /** Looks every second at the server, until the window is over or something has failed. */
  private async watch(start: number): Promise<Pick<Measured, 'samples' | 'usage' | 'stages'>> {
    const { warmupSeconds, seconds } = this.options.workload;
    const from = start + warmupSeconds * 1000;
    const sampling = this.sample(start, warmupSeconds + seconds);
    await this.reach(from);
    const before = this.usage();
    await this.server.stages();
    const stopProfile = this.options.profile && (await this.startProfile());
    await this.reach(from + seconds * 1000);
    const after = this.usage();
    const stages = await this.server.stages();
    if (stopProfile) this.options.profile!(await stopProfile());
    const usage = {
      server: since(before.server, after.server),
      senders: since(before.senders, after.senders),
      receivers: since(before.receivers, after.receivers),
    };
    return { samples: await sampling, usage, stages };
  }

  private async startProfile(): Promise<() => Promise<ThreadProfile[]>> {
    const { server } = this;
    if (!server.profile) throw new TypeError(`--profile: ${this.options.system.name} has none`);
    const clients = [...this.senders, ...this.receivers];
    const stopServer = await server.profile();
    await Promise.all(clients.map((each) => each.call('startProfile')));
    return async () => {
      const own = await stopServer();
      const others = clients.map(async (each) => ({
        name: each.name,
        profile: await each.call('stopProfile'),
      }));
      return [...own, ...(await Promise.all(others))];
    };
  }

  private reach(moment: number): Promise<void> {
    return Promise.race([until(moment), this.failure]);
  }

  private usage() {
    return {
      server: usageOfAll(this.server.pids),
      senders: usageOfAll(this.senders.map(({ pid }) => pid)),
      receivers: usageOfAll(this.receivers.map(({ pid }) => pid)),
    };
  }

  private async sample(start: number, seconds: number): Promise<Sample[]> {
    const samples: Sample[] = [];
    for (let second = 0; second <= seconds && this.failures.length === 0; second++) {
      await this.reach(start + second * 1000);
      samples.push(sampleOf(this.server.pids));
    }
    return samples;
  }

  private async stopSenders(): Promise<SendingResults[]> {
    await Promise.all(this.senders.map((each) => each.call('stop')));
    return Promise.all(this.senders.map((each) => each.call('sent')));
  }

  // ---- what is left

  private async drain(sent: readonly SendingResults[]): Promise<ReceivingResults[]> {
    const { online } = this.options.workload;
    const due = this.due(sent);
    const rest = numbers(online, due.length).filter((mailbox) => due[mailbox]! > 0);
    await this.inReceivers(async (each, i) => {
      const own = this.own(numbers(0, online), i);
      await each.call(
        'expect',
        own.reduce((sum, mailbox) => sum + due[mailbox]!, 0),
      );
      const others = this.own(rest, i);
      if (others.length === 0) return;
      await each.call(
        'readRest',
        others,
        others.map((mailbox) => due[mailbox]!),
      );
    });
    return Promise.all(this.receivers.map((each) => each.call('received')));
  }

  /** How many deliveries each mailbox is to have. */
  private due(sent: readonly SendingResults[]): Uint32Array {
    const due = new Uint32Array(this.options.workload.mailboxes);
    for (const { senders } of sent) for (const { to } of senders) for (const mailbox of to) due[mailbox]!++;
    return due;
  }
}

/** From `first` below `end`. */
function numbers(first: number, end: number): number[] {
  return Array.from({ length: Math.max(0, end - first) }, (_, i) => first + i);
}
