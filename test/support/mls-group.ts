/** Members of examples/mls as a test needs them: what they are told is kept, and what they send can be held back. */
import { join } from 'node:path';
import { setTimeout as pass } from 'node:timers/promises';
import { type Client, connect, FileStore, type Receipt, type SendOptions } from '../../src/client/index.js';
import { keyOf } from '../client-helpers.js';

const EXAMPLE = new URL('../../../examples/mls/', import.meta.url);
const part = (name: string) => import(new URL(name, EXAMPLE).href);
const [{ Member }, { KnownLog }, mls] = await Promise.all(
  ['member.mjs', 'known-log.mjs', 'mls.mjs'].map(part),
);

export { KnownLog, mls };

/** What the example tells: see `Member.open` there. */
// biome-ignore lint/suspicious/noExplicitAny: the example is plain JavaScript.
export type Told = { readonly type: string } & Record<string, any>;

export interface Sent {
  readonly body: Uint8Array;
  readonly receipt: Promise<Receipt>;
}

export async function until(isSo: () => boolean, what: string): Promise<void> {
  const end = Date.now() + 15_000;
  while (!isSo()) {
    if (Date.now() > end) throw new Error(`in vain: ${what}`);
    await pass(5);
  }
}

/** One device: its key and its files. It may come and go. */
export class Device {
  // biome-ignore lint/suspicious/noExplicitAny: the example is plain JavaScript.
  member: any;
  client!: Client;
  // biome-ignore lint/suspicious/noExplicitAny: the example is plain JavaScript.
  log: any;
  /** Of all its lives. */
  readonly told: Told[] = [];
  readonly forks: unknown[][] = [];
  readonly suspicions: unknown[][] = [];
  readonly sent: Sent[] = [];
  /** What it sends waits for this. */
  private gate: Promise<unknown> = Promise.resolve();
  readonly key: Uint8Array;

  constructor(
    readonly name: string,
    private readonly folder: string,
  ) {
    this.key = keyOf(`${name} of ${folder}`);
  }

  async come(url: string): Promise<this> {
    const log = new KnownLog({
      url,
      verify: mls.suite.signature.verify,
      onFork: (...fork: unknown[]) => this.forks.push(fork),
      onSuspicion: (...logs: unknown[]) => this.suspicions.push(logs),
    });
    this.log = log;
    const store = log.watch(new FileStore(join(this.folder, `${this.name}.store`)));
    this.client = await connect({ url, key: this.key, store, backoffFirstMs: 20, backoffMostMs: 200 });
    const file = join(this.folder, `${this.name}.mls`);
    const onEvent = (event: Told) => this.told.push(event);
    this.member = await Member.open({ client: this.gated(this.client), key: this.key, log, file, onEvent });
    return this;
  }

  private gated(client: Client): Client {
    const send = async (options: SendOptions) => {
      await this.gate;
      const receipt = client.send(options);
      this.sent.push({ body: options.body as Uint8Array, receipt });
      return receipt;
    };
    const get = (_: Client, name: keyof Client) => {
      const value = name === 'send' ? send : client[name];
      return typeof value === 'function' ? value.bind(client as never) : value;
    };
    return new Proxy(client, { get: get as never });
  }

  /** Holds back what it sends from now on. Returns the way to let it go. */
  hold(): () => void {
    let open = () => {};
    this.gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    return open;
  }

  /** The process is gone: nothing more is sent, of what was held back neither. */
  async crash(): Promise<void> {
    this.hold();
    await this.member.close();
    this.gate = Promise.resolve();
  }

  of(type: string): Told[] {
    return this.told.filter((event) => event.type === type);
  }

  get texts(): string[] {
    return this.of('text').map(({ text }) => text);
  }

  /** Whom it was asked by, and invites: in the application's name. */
  async invite(other: Device): Promise<void> {
    const asked = () => this.of('asks').find(({ id }) => id === other.member.id);
    if (!asked()) await other.member.ask(this.member.id);
    await until(() => asked() !== undefined, `${other.name} asks ${this.name}`);
    await this.member.invite(asked()!['keyPackage']);
  }
}

/** All in one epoch, with one secret. */
export function agree(epoch: number, ...devices: readonly Device[]): Promise<void> {
  const isSo = () =>
    devices.every(({ member }) => member.epoch === epoch) &&
    new Set(devices.map(({ member }) => member.authenticator)).size === 1;
  return until(isSo, `${devices.map(({ name, member }) => `${name} ${member.epoch}`)} in epoch ${epoch}`);
}
