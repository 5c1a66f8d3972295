/**
 * Carries out a plan: a server, clients over real sockets, messages at a steady pace, and on the way one
 * client that goes and comes back and a server that is killed and started again.
 */
import { setMaxListeners } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { FileStore, MemoryStore } from '../../client/index.js';
import { CountersignError } from '../../protocol/index.js';
import { deferred } from '../../server/deferred.js';
import type { Outage } from './latency.js';
import { Member } from './member.js';
import { demoKey, type Plan } from './plan.js';
import type { Witness } from './proof.js';
import { Recording } from './recording.js';
import { freePort, ServerProcess } from './server-process.js';

/** Messages per second, and for how long at most a larger number of them is sent. */
const PACE = 500;
const MOST_SECONDS = 4;
/** When nothing has come for so long, what is missing is lost. */
const QUIET_MS = 10_000;
const POLL_MS = 10;

export interface Stage {
  /** Holds everything that is written; removed afterwards by the caller. */
  readonly directory: string;
  readonly seed: number;
  readonly signal: AbortSignal;
  /** Told of every server process, so that none outlives the demo. */
  readonly started: (server: ServerProcess) => void;
  readonly note: (text: string) => void;
  readonly progress: (done: number) => void;
}

export interface Rehearsed {
  readonly record: Recording;
  readonly witness: Witness;
  readonly outages: readonly Outage[];
  /** From the kill until clients could connect again. */
  readonly restartMs: number;
}

export class Rehearsal {
  private readonly record: Recording;
  private readonly members: Member[];
  private readonly failure = deferred<never>();
  /** Stops everything that is under way. */
  private readonly halt = new AbortController();
  private server: ServerProcess | null = null;
  private port = 0;
  private restarted: Promise<void> = Promise.resolve();
  private returned: Promise<void> = Promise.resolve();
  private leftAt = 0;
  private killedAt = 0;
  private restartMs = 0;

  constructor(
    private readonly plan: Plan,
    private readonly stage: Stage,
  ) {
    const record = new Recording(plan);
    this.record = record;
    this.failure.promise.catch((error: unknown) => this.halt.abort(error));
    // Every client listens to it.
    setMaxListeners(0, this.halt.signal);
    stage.signal.addEventListener('abort', () => this.failure.reject(stage.signal.reason));
    this.members = Array.from({ length: plan.clients }, (_, number) => {
      const memory = new MemoryStore();
      // Who goes away remembers on disk, as a program does that is started again.
      const file = () => new FileStore(join(stage.directory, `client-${number}`));
      const store = number === plan.away ? file : () => memory;
      const failed = this.failure.reject;
      const { signal } = this.halt;
      return new Member({ number, key: demoKey(stage.seed, number), store, record, signal, failed });
    });
  }

  /** Rejects with the first thing that went wrong on the way. What was lost or misordered is for `check`. */
  async run(): Promise<Rehearsed> {
    return Promise.race([this.perform(), this.failure.promise]);
  }

  /** Ends all clients, and what is still under way. */
  async end(): Promise<void> {
    this.halt.abort(new CountersignError('closed', 'the demo is over'));
    await Promise.all(this.members.map((member) => member.leave()));
  }

  private async perform(): Promise<Rehearsed> {
    this.port = await freePort();
    await this.startServer();
    await Promise.all(this.members.map((member) => this.join(member)));
    this.stage.note(`server started, ${this.members.length} clients connected`);
    await this.sendAll();
    await Promise.all([this.restarted, this.returned]);
    await this.arrival();
    await Promise.all(this.members.map((member) => member.stand()));
    const { serverId, manifest } = this.members[0]!;
    await Promise.all(this.members.map((member) => member.leave()));
    await this.server!.kill('SIGTERM');
    return {
      record: this.record,
      witness: { serverId, manifest },
      outages: this.outages(),
      restartMs: Math.round(this.restartMs),
    };
  }

  private async startServer(): Promise<void> {
    const { directory, started } = this.stage;
    this.halt.signal.throwIfAborted();
    this.server = await ServerProcess.start({ data: join(directory, 'data'), port: this.port }, started);
    this.server.ended.catch(this.failure.reject);
  }

  private async join(member: Member): Promise<void> {
    await member.join(this.server!.url, this.server!.serverId);
  }

  private async sendAll(): Promise<void> {
    const { messages } = this.plan;
    const between = 1000 / Math.max(PACE, messages.length / MOST_SECONDS);
    const ids = this.members.map(({ id }) => id);
    const start = performance.now();
    for (const [i, { sender, to, body }] of messages.entries()) {
      this.halt.signal.throwIfAborted();
      await this.upset(i);
      // It was not to send while away; it may still be on its way back.
      if (sender === this.plan.away) await this.returned;
      this.members[sender]!.send(
        i,
        to.map((client) => ids[client]!),
        body,
      );
      this.stage.progress(this.record.events);
      const early = start + (i + 1) * between - performance.now();
      if (early > POLL_MS) await sleep(early, undefined, { signal: this.halt.signal });
    }
  }

  /** What the plan has happen before message `i`. */
  private async upset(i: number): Promise<void> {
    const { away, leaves, killed, returns } = this.plan;
    if (i === leaves) await this.sendAway(away);
    if (i === killed) await this.killServer();
    if (i === returns) this.returned = this.watched(this.bringBack(away));
  }

  private async sendAway(client: number): Promise<void> {
    this.leftAt = performance.now();
    await this.members[client]!.leave();
    this.stage.note(`client ${client} goes offline`);
  }

  private async killServer(): Promise<void> {
    this.killedAt = performance.now();
    await this.server!.kill('SIGKILL');
    this.stage.note('server killed (SIGKILL) while messages are under way; clients go on sending');
    this.restarted = this.watched(this.restartServer());
  }

  private async restartServer(): Promise<void> {
    await this.startServer();
    this.restartMs = performance.now() - this.killedAt;
    this.stage.note(`server started again after ${Math.round(this.restartMs)} ms`);
  }

  private async bringBack(client: number): Promise<void> {
    await this.restarted;
    await this.join(this.members[client]!);
    this.stage.note(`client ${client} is back`);
  }

  /** For what is awaited only later: a failure is told at once. */
  private watched(work: Promise<void>): Promise<void> {
    work.catch(this.failure.reject);
    return work;
  }

  /** Waits until everything has come, or nothing has for long. */
  private async arrival(): Promise<void> {
    const { record, stage, halt } = this;
    let [events, since] = [record.events, performance.now()];
    while (record.events < record.expected && performance.now() - since < QUIET_MS) {
      await sleep(POLL_MS, undefined, { signal: halt.signal });
      if (record.events !== events) [events, since] = [record.events, performance.now()];
      stage.progress(events);
    }
  }

  private outages(): Outage[] {
    const { away } = this.plan;
    const back = this.members.filter((_, number) => number !== away).map(({ openAt }) => openAt);
    return [
      { from: this.killedAt, until: Math.max(this.killedAt + this.restartMs, ...back) },
      { from: this.leftAt, until: this.members[away]!.openAt, client: away },
    ];
  }
}
