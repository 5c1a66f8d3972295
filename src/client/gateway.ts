/**
 * Gateway: many mailboxes over one front socket and one socket per outbox. Everything a client does is
 * done here; a client (client.ts) is a gateway of one key.
 */
import { importSecretKey, type Signer } from '#crypto';
import {
  type Checkpoint,
  CountersignError,
  decodeError,
  errorCode,
  type Manifest,
  toHex,
} from '../protocol/index.js';
import { addresses, fetchOutboxUrl } from './directory.js';
import { Emitter } from './events.js';
import { connectError, findServer, timeout, toError } from './find-server.js';
import { FrontSession } from './front-session.js';
import type { GatewayEvents, State } from './gateway-events.js';
import { Mailbox, type Resumed, type Standing } from './mailbox.js';
import type { Message, Receipt } from './message.js';
import { abortedError, type GatewayOptions, type Settings } from './options.js';
import { OutboxSession } from './outbox-session.js';
import { Outgoing } from './outgoing.js';
import { makeBundle, type SendOptions } from './outgoing-bundle.js';
import { Persister } from './persister.js';
import { Sender } from './sender.js';

import { verifiedSignatures } from './signature-cache.js';
import { type Stand, Stands } from './stands.js';
import { MemoryStore, type Saved, type Store } from './store.js';
import { afterTurn } from './turn.js';
import { overFrame, VerificationError } from './verification-error.js';
import type { World } from './world.js';

/** Messages of one mailbox and epoch. */
export type OnMessages = (
  mailbox: number,
  messages: readonly Message[],
  taken: (weight: number) => void,
) => void;

interface Member {
  readonly signer: Signer;
  readonly sender: Sender;
  readonly mailbox: Mailbox;
  readonly outbox: number;
  readonly stands: Stands;
}

export class Gateway {
  readonly events = new Emitter<GatewayEvents>();
  state: State = 'connecting';
  private readonly persister: Persister;
  private readonly members: Member[] = [];
  private readonly outboxes: OutboxSession[] = [];
  private readonly slots: number[] = [];
  private readonly front: FrontSession;
  /** Aborts requests under way. */
  private readonly ending = new AbortController();
  private ended: CountersignError | null = null;
  private opening: { resolve: () => void; reject: (error: unknown) => void } | null = null;
  private closing: Promise<void> | null = null;

  private constructor(
    readonly world: World,
    private readonly http: string,
    frontUrl: string,
    keys: readonly Uint8Array[],
    private readonly settings: Settings,
    private readonly store: Store,
    private readonly saved: Saved,
    private readonly onMessages: OnMessages,
  ) {
    this.persister = new Persister(store, (error) => this.storeFailed(error));
    keys.forEach((key, index) => {
      this.members.push(this.makeMember(index, importSecretKey(key)));
    });
    this.front = new FrontSession(
      this.members.map(({ signer }) => signer),
      this.members.map(({ sender }) => sender),
      this.connectionOptions(() => frontUrl),
      (run) => this.persister.afterSaves(run),
      {
        checkpoint: () => this.checkpoint,
        opened: () => this.frontOpened(),
        lost: () => this.lost(),
        gone: (error) => this.fail(error),
        placed: (placed) =>
          this.events.has('placed') && this.events.emit('placed', { ...placed, mailbox: placed.slot }),
      },
    );
    for (const outbox of new Set(this.members.map((member) => member.outbox))) this.makeOutbox(outbox);
  }

  /** Resolves when every mailbox is open. `onMessages` is called with what is verified and durable. */
  static async open(
    options: GatewayOptions,
    settings: Settings,
    onMessages: OnMessages,
    prepare: (gateway: Gateway) => void = () => {},
  ): Promise<Gateway> {
    const { signal } = options;
    if (signal?.aborted) throw abortedError(signal);
    if (options.keys.length === 0 || new Set(options.keys.map(toHex)).size < options.keys.length)
      throw new TypeError('keys: expected one or more, each once');
    const store = options.store ?? new MemoryStore();
    const { http, front } = addresses(options.url);
    const ending = new AbortController();
    const abort = () => ending.abort(signal!.reason);
    signal?.addEventListener('abort', abort, { once: true });
    const timer = setTimeout(() => ending.abort(timeout(settings)), settings.connectTimeoutMs);
    try {
      const saved = await store.load();
      const world = await findServer(options, saved, store, http, ending.signal);
      const gateway = new Gateway(world, http, front, options.keys, settings, store, saved, onMessages);
      prepare(gateway);
      await gateway.connect(ending.signal);
      gateway.endWith(signal);
      return gateway;
    } catch (error) {
      await store.close();
      if (signal?.aborted) throw abortedError(signal);
      throw connectError(error, ending.signal);
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
    }
  }

  // ---- making

  private makeMember(index: number, signer: Signer): Member {
    const id = signer.publicKey;
    const hex = toHex(id);
    const saved = this.saved.mailboxes.get(hex);
    const { window, windowBytes, maxQueued } = this.settings;
    const { policy } = this.world.manifest;
    const sender = new Sender(
      id,
      hex,
      saved,
      { window: Math.min(window, policy.countersKept), windowBytes, maxQueued, policy },
      this.world.hasher,
      this.persister,
      {
        submit: (frames) => this.front.submit(frames),
        lateReceipt: (receipt) => this.events.emit('receipt', { mailbox: index, receipt }),
        conflict: (counter, error) =>
          this.events.emit('counter-conflict', { mailbox: index, counter, error }),
      },
    );
    const outbox = this.world.outboxOf(id);
    const mailbox = new Mailbox(id, hex, saved, sender.own, this.persister, {
      show: (messages) => this.onMessages(index, messages, (weight) => this.outboxOf(index).taken(weight)),
      receipt: (counter, receipt) => sender.receipt(counter, receipt),
      acknowledge: (epoch) => this.outboxOf(index).acknowledge(this.slots[index]!, epoch),
      stood: (standing) => this.stood(index, standing),
      gap: (from, to) => this.events.emit('gap', { mailbox: index, from, to }),
    });
    return { signer, sender, mailbox, outbox, stands: new Stands() };
  }

  private makeOutbox(outbox: number): void {
    const members = this.members.filter((member) => member.outbox === outbox);
    members.forEach((member, slot) => {
      this.slots[this.members.indexOf(member)] = slot;
    });
    const first = members[0]!.mailbox.id;
    const session = new OutboxSession(
      outbox,
      members.map(({ signer }) => signer),
      members.map(({ mailbox }) => mailbox),
      this.connectionOptions(() => fetchOutboxUrl(this.http, first, outbox, this.ending.signal)),
      this.settings.bufferBytes,
      verifiedSignatures,
      this.saved.logs.get(outbox),
      this.persister,
      {
        opened: () => this.opened(),
        lost: () => this.lost(),
        gone: (error) => this.fail(error),
        endOfBacklog: (mailbox, epoch) =>
          this.events.emit('end-of-backlog', { mailbox: this.indexOf(mailbox), epoch }),
        refused: (frame) => this.outboxRefused(frame),
      },
    );
    this.outboxes[outbox] = session;
  }

  private connectionOptions(url: () => string | Promise<string>) {
    const { dial, backoffFirstMs, backoffMostMs } = this.settings;
    return { world: this.world, dial, url, backoffFirstMs, backoffMostMs };
  }

  private indexOf(mailbox: Mailbox): number {
    return this.members.findIndex((member) => member.mailbox === mailbox);
  }

  private outboxOf(index: number): OutboxSession {
    return this.outboxes[this.members[index]!.outbox]!;
  }

  private get sessions(): (FrontSession | OutboxSession)[] {
    return [this.front, ...this.outboxes.filter((outbox) => outbox !== undefined)];
  }

  // ---- coming and going

  private connect(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const abort = () => this.fail(this.front.connection.problem ?? toError(signal.reason));
      const settle = (run: () => void) => () => {
        signal.removeEventListener('abort', abort);
        this.opening = null;
        run();
      };
      this.opening = { resolve: settle(resolve), reject: (error) => settle(() => reject(error))() };
      signal.addEventListener('abort', abort, { once: true });
      if (signal.aborted) abort();
      else this.front.connection.start();
    });
  }

  /** The first time, mailboxes are opened only now: a sender must know what counters are its own. */
  private frontOpened(): void {
    if (this.opening) for (const outbox of this.outboxes) if (outbox) outbox.connection.start();
    this.opened();
  }

  private opened(): void {
    if (!this.sessions.every(({ connection }) => connection.isOpen)) return;
    this.change('open');
    this.opening?.resolve();
  }

  private lost(): void {
    if (!this.ended && this.state === 'open') this.change('reconnecting');
  }

  private change(state: State): void {
    if (state === this.state) return;
    this.state = state;
    this.events.emit('state', state);
  }

  private endWith(signal: AbortSignal | undefined): void {
    if (!signal) return;
    const abort = () => void this.close(abortedError(signal));
    signal.addEventListener('abort', abort, { once: true });
    this.events.on('state', () => {
      if (this.ended) signal.removeEventListener('abort', abort);
    });
    if (signal.aborted) abort();
  }

  private outboxRefused(frame: Uint8Array): void {
    const { number, text } = overFrame(frame, () => decodeError(frame));
    const code = errorCode(number);
    if (code === 'displaced') this.fail(new CountersignError('displaced', text));
    if (code === 'ack-unknown-epoch')
      this.fail(
        new VerificationError('resume', 'the server does not know an epoch that it has proven', frame),
      );
  }

  private storeFailed(error: unknown): void {
    this.fail(
      error instanceof CountersignError
        ? error
        : new CountersignError('store-corrupt', `saving failed: ${String(error)}`, { cause: error }),
    );
  }

  /** Ends for good: what waits is told why, sockets are closed and stay closed. */
  private fail(error: CountersignError): void {
    if (this.ended) return;
    this.end(error);
    if (error instanceof VerificationError) this.events.emit('verification-failed', error);
    if (error.code === 'displaced') this.events.emit('displaced', error);
    this.change(error.code === 'displaced' ? 'displaced' : error.code === 'closed' ? 'closed' : 'failed');
    this.opening?.reject(error);
  }

  private end(error: CountersignError): void {
    this.ended = error;
    this.release(error);
    this.closing = this.persister.stop().then(() => this.store.close());
    this.closing.catch(() => {});
  }

  private release(error: CountersignError): void {
    this.ending.abort(error);
    for (const { connection } of this.sessions) connection.close();
    for (const { sender, stands } of this.members) {
      sender.stop(error);
      stands.fail(error);
    }
  }

  /** Why it is over; null while it is not. */
  get problem(): CountersignError | null {
    return this.ended;
  }

  /** Saves and sends what has been acknowledged, then closes. Messages under way go on in the store's next life. */
  close(reason = new CountersignError('closed', 'the client was closed')): Promise<void> {
    this.closing ??= this.finish(reason);
    return this.closing;
  }

  private async finish(reason: CountersignError): Promise<void> {
    this.ended = reason;
    // A message handed over in this turn is acknowledged before it ends.
    await new Promise<void>(afterTurn);
    await this.persister.finish();
    this.release(reason);
    this.change('closed');
    await this.store.close();
  }

  // ---- what it is for

  id(mailbox: number): Uint8Array {
    return this.members[mailbox]!.signer.publicKey;
  }

  get serverId(): Uint8Array {
    return this.world.serverId;
  }

  resumed(mailbox: number): Resumed {
    return this.members[mailbox]!.mailbox.resumed;
  }

  get manifest(): Manifest {
    return this.world.manifest;
  }

  /** The newest checkpoint known: size 0 = none. */
  get checkpoint(): Checkpoint {
    return this.outboxes
      .filter((outbox) => outbox !== undefined)
      .map((outbox) => outbox.proven)
      .reduce((newest, checkpoint) => (checkpoint.size > newest.size ? checkpoint : newest));
  }

  /** Resolves with the receipt; rejects with a coded error. */
  send(mailbox: number, options: SendOptions): Promise<Receipt> {
    const { signal } = options;
    return new Promise((resolve, reject) => {
      if (this.ended) throw this.ended;
      if (signal) return this.sendWith(signal, mailbox, options, resolve, reject);
      const bundle = makeBundle(options, this.world.manifest.policy);
      this.members[mailbox]!.sender.add(new Outgoing(bundle, resolve, reject));
    });
  }

  private sendWith(
    signal: AbortSignal,
    mailbox: number,
    options: SendOptions,
    resolve: (receipt: Receipt) => void,
    reject: (error: unknown) => void,
  ): void {
    if (signal.aborted) throw abortedError(signal);
    const { sender } = this.members[mailbox]!;
    const settle =
      <T>(run: (value: T) => void) =>
      (value: T) => {
        signal.removeEventListener('abort', abort);
        run(value);
      };
    const bundle = makeBundle(options, this.world.manifest.policy);
    const item = new Outgoing(bundle, settle(resolve), settle(reject));
    const abort = () => {
      sender.withdraw(item);
      reject(abortedError(signal));
    };
    signal.addEventListener('abort', abort, { once: true });
    sender.add(item);
  }

  /** Asks the outbox to prove where a mailbox stands now. */
  still(mailbox: number): Promise<Stand> {
    return new Promise((resolve, reject) => {
      if (this.ended) throw this.ended;
      const isFirst = this.members[mailbox]!.stands.add({ resolve, reject });
      if (isFirst) this.outboxOf(mailbox).askStill(this.slots[mailbox]!);
    });
  }

  private stood(mailbox: number, standing: Standing): void {
    if (this.members[mailbox]!.stands.answer(standing)) this.outboxOf(mailbox).stood(this.slots[mailbox]!);
  }
}
