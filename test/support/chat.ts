/**
 * Rounds of a chat over a server that is killed: clients talk, the process dies at a moment or at a
 * named point, starts again; then all fall silent, and what everybody saw is checked, and the store.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pass } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { checkClaim, LogAudit, Signed } from './audit.js';
import { type ChatEvent, Chatter } from './chatter.js';
import type { ChatterTask, FromChatter, ToChatter } from './chatter-process.js';
import { type Anomaly, checkHistory } from './checker.js';
import type { CrashPoint } from './crashing-worker.js';
import { idOf } from './names.js';
import { CRASHING_WORKER, type Ending, ServerProcess } from './server-process.js';

const CHATTER_PROCESS = fileURLToPath(new URL('./chatter-process.js', import.meta.url));
// A busy machine may stop a process for long; who waits in vain has found a fault, however late.
const PATIENCE_MS = 60_000;

export interface ChatOptions {
  /** Clients of the test's own process, with stores in memory; these are never killed. */
  readonly inside: readonly string[];
  /** Clients in processes of their own, with stores in files. */
  readonly outside: readonly string[];
  readonly flags: Readonly<Record<string, string>>;
  readonly random: () => number;
  readonly claimEvery: number;
}

/** A client in its own process. */
class Outsider {
  life = 0;
  private child: ChildProcess | null = null;
  private messages: FromChatter[] = [];
  private wake: (() => void)[] = [];

  constructor(
    private readonly task: Omit<ChatterTask, 'life' | 'first' | 'seed'>,
    private readonly random: () => number,
  ) {}

  events(): ChatEvent[] {
    if (!existsSync(this.task.events)) return [];
    const lines = readFileSync(this.task.events, 'utf8').split('\n');
    return lines.filter((line) => line.endsWith('}')).map((line) => JSON.parse(line));
  }

  /** Starts it, or starts it again; does not wait until it is connected. */
  start(): void {
    const first = this.events().filter(({ type }) => type === 'sent').length + 1;
    const seed = Math.floor(this.random() * 2 ** 32);
    const task: ChatterTask = { ...this.task, life: ++this.life, first, seed };
    this.messages = [];
    this.child = fork(CHATTER_PROCESS, [JSON.stringify(task)]);
    this.child.on('message', (message: FromChatter) => {
      this.messages.push(message);
      for (const wake of this.wake.splice(0)) wake();
    });
  }

  tell(message: ToChatter): void {
    this.child!.send(message, () => {});
  }

  async told(did: FromChatter['did'], mark = ''): Promise<void> {
    while (!this.messages.some((message) => message.did === did && message.mark === mark))
      await new Promise<void>((resolve) => this.wake.push(resolve));
  }

  async kill(): Promise<void> {
    const child = this.child!;
    if (child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
  }

  async close(): Promise<void> {
    this.tell({ do: 'close' });
    await this.told('close');
  }
}

export class Chat {
  private readonly data: string;
  private readonly crashFile: string;
  private readonly epochFile: string;
  private readonly events: ChatEvent[] = [];
  private readonly insiders = new Map<string, Chatter>();
  private readonly outsiders = new Map<string, Outsider>();
  private readonly signed = new Signed();
  private readonly log = new LogAudit(this.signed);
  private readonly checkedClaims = new Set<string>();
  private readonly names: readonly string[];
  private marks = 0;
  kills = 0;

  private constructor(
    private readonly server: ServerProcess,
    private readonly options: ChatOptions,
    private readonly folder: string,
  ) {
    this.data = join(folder, 'data');
    this.crashFile = join(folder, 'crash.json');
    this.epochFile = join(folder, 'epochs');
    this.names = [...options.inside, ...options.outside];
  }

  static async open(options: ChatOptions): Promise<Chat> {
    const folder = mkdtempSync(join(tmpdir(), 'countersign-chat-'));
    const env = { CRASH_FILE: join(folder, 'crash.json'), EPOCH_FILE: join(folder, 'epochs') };
    const flags = { 'epoch-heartbeat-ms': '100', ...options.flags };
    const server = await ServerProcess.at(join(folder, 'data'), flags, CRASHING_WORKER, env);
    const chat = new Chat(server, options, folder);
    await chat.startServer();
    await chat.join();
    return chat;
  }

  private async join(): Promise<void> {
    const { inside, outside, claimEvery, random } = this.options;
    const { url } = this.server;
    for (const name of outside) {
      const [store, events] = [join(this.folder, `${name}.store`), join(this.folder, `${name}.events`)];
      const outsider = new Outsider({ name, url, names: this.names, claimEvery, store, events }, random);
      this.outsiders.set(name, outsider);
      outsider.start();
    }
    await Promise.all(inside.map((name) => this.enter(name)));
    await Promise.all([...this.outsiders.values()].map((outsider) => outsider.told('open')));
  }

  private async enter(name: string): Promise<void> {
    const { random, claimEvery } = this.options;
    const emit = (event: ChatEvent) => this.events.push(event);
    const { names } = this;
    const chatter = new Chatter({
      name,
      url: this.server.url,
      names,
      life: 1,
      first: 1,
      claimEvery,
      random,
      emit,
    });
    this.insiders.set(name, chatter);
    await chatter.open();
  }

  // ---- the server

  /** Starts it; again when a point that is armed kills it on the way. */
  private async startServer(): Promise<void> {
    const ending = await this.server.start();
    if (!ending) return;
    this.mustBeKilled(ending);
    this.kills++;
    await this.log.look(this.data);
    return this.startServer();
  }

  private mustBeKilled({ signal, text, failed, code }: Ending): void {
    if (signal !== 'SIGKILL')
      throw new Error(`the server ended by itself: ${failed} ${code} ${signal} ${text}`);
  }

  private arm(point: CrashPoint, after: number): void {
    // In one step, because the server looks at any time.
    writeFileSync(`${this.crashFile}.new`, JSON.stringify({ point, after }));
    renameSync(`${this.crashFile}.new`, this.crashFile);
  }

  private async died(): Promise<void> {
    this.mustBeKilled(await within(this.server.ended(), 'the armed point was not reached'));
    this.kills++;
    await this.log.look(this.data);
  }

  // ---- rounds

  private all(run: (chatter: Chatter | Outsider) => void): void {
    for (const each of [...this.insiders.values(), ...this.outsiders.values()]) run(each);
  }

  private talk(): void {
    for (const name of this.names) {
      this.insiders.get(name)?.start();
      this.outsiders.get(name)?.tell({ do: 'start' });
    }
  }

  /** Dies at this point, `after` epochs into the talk. Returns what is wrong afterwards. */
  async crashAt(point: CrashPoint, after: number): Promise<string[]> {
    this.talk();
    await pass(60 + this.options.random() * 60);
    this.arm(point, after);
    await this.died();
    await this.startServer();
    return this.settle();
  }

  /** Dies at this point of a start. */
  async crashStarting(point: CrashPoint): Promise<string[]> {
    this.talk();
    await pass(40);
    await this.server.kill();
    await this.died();
    this.arm(point, 1);
    const before = this.kills;
    await this.startServer();
    // It may have said that it is ready just before.
    if (this.kills === before) {
      await this.died();
      await this.startServer();
    }
    return this.settle();
  }

  /** Dies at this point while a mailbox is made. */
  async crashJoining(point: CrashPoint, name: string): Promise<string[]> {
    this.talk();
    await pass(40);
    this.arm(point, 1);
    const entered = this.enter(name);
    await this.died();
    await this.startServer();
    await within(entered, `${name} never got in`);
    return this.settle();
  }

  /** Dies at any moment, also while it starts; `restarted` clients die, too. */
  async kill(restarted: readonly string[]): Promise<string[]> {
    const { random } = this.options;
    this.talk();
    const clients = restarted.map(async (name) => {
      await pass(random() * 250);
      await this.outsiders.get(name)!.kill();
      await pass(random() * 100);
      this.outsiders.get(name)!.start();
    });
    await pass(random() * 250);
    await this.server.kill();
    await this.died();
    if (random() < 0.3) {
      void this.server.start();
      await pass(random() * 500);
      await this.server.kill();
      await this.died();
    }
    await this.startServer();
    await Promise.all(clients);
    return this.settle();
  }

  /** Stops in order while all talk, and starts again. */
  async restart(): Promise<string[]> {
    this.talk();
    await pass(this.options.random() * 200);
    const { code, text } = await within(this.server.kill('SIGTERM'), 'the server does not stop');
    await this.log.look(this.data);
    await this.startServer();
    return [...(code === 0 ? [] : [`exit code ${code}: ${text}`]), ...(await this.settle())];
  }

  /** A client is closed in order and comes back: nothing may come twice then. */
  async comeBack(name: string): Promise<string[]> {
    const outsider = this.outsiders.get(name)!;
    this.talk();
    await pass(80);
    await within(outsider.close(), `${name} does not close`);
    outsider.start();
    await within(outsider.told('open'), `${name} does not come back`);
    return this.settle();
  }

  /** All fall silent and hear everything; then all that is known is checked. */
  private async settle(): Promise<string[]> {
    const mark = `m${++this.marks}`;
    await Promise.all(
      [...this.outsiders].map(([name, each]) => within(each.told('open'), `${name} is not open`)),
    );
    const silent: Promise<void>[] = [];
    const heard: Promise<void>[] = [];
    this.all((each) => {
      if (each instanceof Chatter) {
        silent.push(each.stop(mark));
        heard.push(each.heard(mark));
      } else {
        each.tell({ do: 'stop', mark });
        silent.push(each.told('stop', mark));
        heard.push(each.told('hear', mark));
      }
    });
    const stuck: string[] = [];
    await within(Promise.all(silent), `${mark}: not everybody has receipts`).catch((error) =>
      stuck.push(error.message),
    );
    if (stuck.length === 0)
      await within(Promise.all(heard), `${mark}: not all have heard all`).catch((error) =>
        stuck.push(error.message),
      );
    if (stuck.length > 0) stuck.push(...[...this.insiders.values()].map((each) => each.state));
    return [...stuck, ...this.check()];
  }

  // ---- checking

  private check(): string[] {
    const events = [...this.events, ...[...this.outsiders.values()].flatMap((each) => each.events())];
    const of = <T extends ChatEvent['type']>(type: T) =>
      events.filter((event): event is Extract<ChatEvent, { type: T }> => event.type === type);
    const closed = new Set(of('closed').map(({ mailbox, life }) => `${mailbox} ${life}`));
    const history = {
      sent: of('sent'),
      receipted: of('receipted'),
      aborted: of('aborted'),
      delivered: of('delivered'),
      closed,
    };
    this.messages = history.sent.length;
    this.deliveries = history.delivered.length;
    const describe = ({ kind, what }: Anomaly) => `${kind}: ${what}`;
    return [
      ...checkHistory(history).map(describe),
      ...of('failed').map(({ mailbox, text }) => `${mailbox}: ${text}`),
      ...this.checkClaims(events),
      ...this.checkEpochs(),
      ...this.signed.problems,
      ...this.log.problems,
    ];
  }

  messages = 0;
  deliveries = 0;

  get claims(): number {
    return this.checkedClaims.size;
  }

  get statements(): number {
    return this.signed.count;
  }

  private checkClaims(events: readonly ChatEvent[]): string[] {
    const problems: string[] = [];
    const world = [...this.insiders.values()][0]!.world;
    for (const event of events) {
      if ((event.type !== 'delivered' && event.type !== 'receipted') || !event.claim) continue;
      if (this.checkedClaims.has(event.claim)) continue;
      this.checkedClaims.add(event.claim);
      const mailbox = event.type === 'delivered' ? event.mailbox : event.sender;
      try {
        checkClaim(Buffer.from(event.claim, 'base64'), world, idOf(mailbox), event.place, this.signed);
      } catch (error) {
        problems.push(`${event.type} ${event.message} at ${mailbox}: ${String(error)}`);
      }
    }
    return problems;
  }

  /** Every number ever closed, over all lives of the server, is above all before it. */
  private checkEpochs(): string[] {
    const epochs = readFileSync(this.epochFile, 'utf8').trim().split('\n').map(Number);
    return epochs.flatMap((epoch, i) =>
      i > 0 && epoch <= epochs[i - 1]! ? [`epoch ${epoch} was closed after ${epochs[i - 1]}`] : [],
    );
  }

  /** Leaves nothing running, whatever happened. */
  async destroy(): Promise<void> {
    await Promise.all([...this.outsiders.values()].map((each) => each.kill()));
    await this.server.kill();
    for (const each of this.insiders.values()) void each.close().catch(() => {});
  }

  /** Ends it all, in order, and looks at what is left. */
  async end(): Promise<string[]> {
    await Promise.all([...this.insiders.values()].map((each) => each.close()));
    await Promise.all([...this.outsiders.values()].map((each) => each.close()));
    const { code, text } = await within(this.server.kill('SIGTERM'), 'the server does not stop');
    await this.log.look(this.data);
    const problems = [...this.check(), ...(code === 0 ? [] : [`exit code ${code}: ${text}`])];
    if (problems.length === 0) rmSync(this.folder, { recursive: true });
    return problems;
  }
}

function within<T>(promise: Promise<T>, what: string): Promise<T> {
  let timer: NodeJS.Timeout;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}, within ${PATIENCE_MS} ms`)), PATIENCE_MS);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
