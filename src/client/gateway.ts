/**
 * Gateway: many mailboxes over few sockets, those of one kind and outbox together. Everything a client does is
 * done here; a client (client.ts) is a gateway of one key.
 */
import type { Identity } from '#crypto';
import type { Checkpoint, Manifest } from '../protocol/index.js';
import { CountersignError } from '../protocol/index.js';
import { abortable, abortedError, onAbort } from './abortable.js';
import { claiming } from './claiming.js';
import type { ComplainOptions, Complaint } from './complaint.js';
import type { Retry } from './connection.js';
import type { Sending } from './counters.js';
import { fetchOutboxUrl } from './directory.js';
import { Emitter } from './events.js';
import { FrontSession } from './front-session.js';
import type { GatewayEvents, State, StateChange } from './gateway-events.js';
import type { Answer } from './in-flight.js';
import { EMPTY_LOG } from './log-state.js';
import type { Resumed } from './mailbox.js';
import { chunks, finalState, isAboutMailbox, type Member } from './member.js';
import { makeMember } from './member-making.js';
import type { Message, Receipt } from './message.js';
import type { OpenedStage, OpenOptions } from './openings.js';
import type { Settings } from './options.js';
import { OutboxSession } from './outbox-session.js';
import type { SendOptions } from './outgoing-bundle.js';
import { Persister } from './persister.js';
import { type SendPart, sending } from './sending.js';
import type { SessionHost } from './session.js';
import type { Stand } from './stands.js';
import { type Saved, type Store, storeError } from './store.js';
import { afterTurn } from './turn.js';
import type { World } from './world.js';

/** Messages of one mailbox and epoch. */
export type OnMessages = (
  mailbox: number,
  messages: readonly Message[],
  taken: (weight: number) => void,
) => void;

/** Where a gateway finds its server, and what is known of it. */
export interface Ground {
  readonly world: World;
  readonly http: string;
  readonly frontUrl: string;
  readonly store: Store;
  readonly saved: Saved;
}

export interface StillOptions {
  /** Gives up waiting. */
  readonly signal?: AbortSignal;
}

export class Gateway {
  /** @internal */
  readonly events = new Emitter<GatewayEvents>();
  /** @internal */
  readonly persister: Persister;
  /** @internal */
  readonly members: readonly Member[];
  /** @internal */
  readonly fronts: readonly FrontSession[];
  /** @internal */
  outboxes: readonly OutboxSession[];
  /** Aborts requests under way. @internal */
  readonly ending = new AbortController();
  /** Called when it is closed, though it may have failed before. @internal */
  closed?: () => void;
  private ended: CountersignError | null = null;
  private opening: { resolve: () => void; reject: (error: unknown) => void } | null = null;
  /** @internal */
  outboxesStarted = false;
  /** @internal */
  closing: Promise<void> | null = null;

  /** Without `onMessages` no mailbox is opened, and nothing is proven. @internal */
  constructor(
    /** @internal */
    readonly ground: Ground,
    identities: readonly Identity[],
    /** @internal */
    readonly settings: Settings,
    private readonly onMessages: OnMessages | null,
  ) {
    this.persister = new Persister(ground.store, (error) => this.fail(storeError('saving', error)));
    this.members = identities.map((identity, index) => this.makeMember(identity, index));
    const most = settings.mailboxesPerSocket;
    this.fronts = chunks(this.members, most).map((members) => this.makeFront(members));
    const outboxes = onMessages ? [...new Set(this.members.map(({ outbox }) => outbox))] : [];
    this.outboxes = outboxes.flatMap((outbox) => {
      const members = this.members.filter((member) => member.outbox === outbox);
      return chunks(members, most).map((chunk) => this.makeOutbox(outbox, chunk));
    });
  }

  // ---- making

  private makeMember(identity: Identity, index: number): Member {
    const taken = (weight: number) => member.session!.taken(member, weight);
    const member = makeMember(
      identity,
      index,
      this.ground,
      this.settings,
      this.onMessages !== null,
      this.persister,
      {
        submit: (frames) => member.front!.submit(frames),
        receipt: (receipt) => this.events.emit('receipt', { mailbox: index, receipt }),
        conflict: (counter, error) =>
          this.events.emit('counter-conflict', { mailbox: index, counter, error }),
        show: (messages) => this.onMessages!(index, messages, taken),
        acknowledge: (epoch) => member.session!.acknowledge(member, epoch),
        stood: (standing) => member.stands?.answer(standing),
        gap: (from, to) => this.events.emit('gap', { mailbox: index, from, to }),
      },
    );
    return member;
  }

  private makeFront(members: readonly Member[]): FrontSession {
    const front: FrontSession = new FrontSession(
      members,
      this.connectionOptions(() => this.ground.frontUrl),
      (run) => this.persister.afterSaves(run),
      {
        ...this.sessionHost(members),
        checkpoint: () => this.checkpoint,
        events: this.events,
      },
    );
    for (const member of members) member.front = front;
    return front;
  }

  /** @internal */
  makeOutbox(outbox: number, members: readonly Member[]): OutboxSession {
    const { http, saved } = this.ground;
    const url = async () =>
      (await fetchOutboxUrl(http, members[0]!.mailbox.id, session.outbox, this.ending.signal)) ??
      (await claiming.get()).follow(this, session.outbox);
    const session: OutboxSession = new OutboxSession(
      outbox,
      members,
      this.connectionOptions(url),
      saved.logs.get(outbox),
      this.persister,
      {
        ...this.sessionHost(members),
        endOfBacklog: ({ index }, epoch) => this.events.emit('end-of-backlog', { mailbox: index, epoch }),
        knowsMost: (one) =>
          !this.outboxes.some((other) => other.outbox === one.outbox && knowsMore(other, one)),
      },
    );
    for (const member of members) member.session = session;
    return session;
  }

  private sessionHost(members: readonly Member[]): SessionHost {
    return {
      opened: () => this.opened(members),
      retrying: (retry) => this.retrying(members, retry),
      ended: (member, error) => this.endMembers([member], error),
      gone: (error) => (isAboutMailbox(error) ? this.endMembers(members, error) : this.fail(error)),
    };
  }

  private connectionOptions(url: () => string | Promise<string>) {
    const { world } = this.ground;
    return {
      ...this.settings,
      world,
      url: async () => {
        if (world.named) await (await claiming.get()).follow(this);
        return url();
      },
    };
  }

  // ---- coming and going

  /** Resolves when every mailbox is open or over; rejects when all are over. The signal's reason is coded. @internal */
  connect(signal: AbortSignal): Promise<void> {
    const abort = () => this.fail(this.fronts[0]!.connection.problem ?? signal.reason);
    const opened = new Promise<void>((resolve, reject) => {
      this.opening = { resolve, reject };
    });
    const leave = onAbort(signal, abort);
    if (!this.ended) for (const { connection } of this.fronts) connection.start();
    return opened.finally(leave);
  }

  private opened(members: readonly Member[]): void {
    // The first time mailboxes are opened only now: a sender must know what counters are its own.
    if (!this.outboxesStarted && this.fronts.every(isSettled)) {
      this.outboxesStarted = true;
      for (const { connection, members } of this.outboxes) if (!members.every(isOver)) connection.start();
    }
    for (const member of members) {
      const isOpen =
        member.front!.connection.isOpen && (!this.onMessages || member.session!.connection.isOpen);
      if (isOpen && !member.problem) this.change(member, { state: 'connected' });
    }
    if (this.members.every((member) => member.state !== 'connecting')) this.opening?.resolve();
  }

  private retrying(members: readonly Member[], retry: Retry): void {
    if (this.ended) return;
    for (const member of members) if (!member.problem) this.change(member, { state: 'connecting', ...retry });
  }

  private change(member: Member, change: Omit<StateChange, 'mailbox'>): void {
    member.state = change.state;
    this.events.emit('state', { mailbox: member.index, ...change });
  }

  /** Ends mailboxes, and their sockets when nobody else is on them. */
  private endMembers(members: readonly Member[], reason: CountersignError): void {
    const ending = members.filter(({ problem }) => !problem);
    for (const member of ending) {
      member.problem = reason;
      member.mailbox.stop();
      member.counters.stop(reason);
      member.stands?.fail(reason);
    }
    if (this.members.every(isOver)) this.end(reason);
    else for (const session of this.sessions) if (session.members.every(isOver)) session.close();
    for (const member of ending) this.change(member, { state: finalState(reason), reason });
    if (this.ended) this.opening?.reject(reason);
    else if (ending.length > 0) this.opened([]);
  }

  private get sessions(): readonly (FrontSession | OutboxSession)[] {
    return [...this.fronts, ...this.outboxes];
  }

  /** Closes when the signal says so. @internal */
  endWith(signal: AbortSignal | undefined): void {
    if (!signal) return;
    const abort = () => void this.close(abortedError(signal)).catch(() => {});
    if (this.ended) return;
    onAbort(this.ending.signal, onAbort(signal, abort));
  }

  /** Ends for good: what waits is told why, sockets are closed and stay closed. */
  private fail(error: CountersignError): void {
    if (!this.ended) this.endMembers(this.members, error);
  }

  private end(reason: CountersignError): void {
    this.ended ??= reason;
    this.ending.abort(reason);
    for (const session of this.sessions) session.close();
    this.closing ??= this.persister.stop().then(() => this.ground.store.close());
    this.closing.catch(() => {});
  }

  /** Saves and sends what has been acknowledged, then closes. Messages under way go on in the store's next life. */
  close(reason = new CountersignError('closed', 'the client was closed')): Promise<void> {
    this.closed?.();
    this.closing ??= this.finish(reason);
    return this.closing;
  }

  private async finish(reason: CountersignError): Promise<void> {
    this.ended = reason;
    // A message handed over in this turn is acknowledged before it ends.
    await new Promise<void>(afterTurn);
    await sending.settled();
    await this.persister.finish();
    this.endMembers(this.members, reason);
    await this.ground.store.close();
  }

  // ---- what it is for

  id(mailbox: number): Uint8Array {
    return this.member(mailbox).identity.publicKey;
  }

  state(mailbox: number): State {
    return this.member(mailbox).state;
  }

  /** Why a mailbox is over; null while it is not. */
  problem(mailbox: number): CountersignError | null {
    return this.member(mailbox).problem;
  }

  /** What the newest session of a mailbox could go on from; null before the first. */
  resumed(mailbox: number): Resumed | null {
    return this.member(mailbox).mailbox.resumed;
  }

  private member(mailbox: number): Member {
    const member = this.members[mailbox];
    if (!member) throw new TypeError(`mailbox: expected 0 to ${this.members.length - 1}, got ${mailbox}`);
    return member;
  }

  /** Throws what it is over with. @internal */
  living(mailbox: number): Member {
    const member = this.member(mailbox);
    const over = member.problem ?? this.ended;
    if (over) throw over;
    return member;
  }

  /** `mailbox` in what is told is the position of a key. Returns the way to unsubscribe. */
  on<Name extends keyof GatewayEvents>(
    name: Name,
    listener: (value: GatewayEvents[Name]) => void,
  ): () => void {
    return this.events.on(name, listener);
  }

  get serverId(): Uint8Array {
    return this.ground.world.serverId;
  }

  get manifest(): Manifest {
    return this.ground.world.manifest;
  }

  /** The newest checkpoint known: size 0 = none. */
  get checkpoint(): Checkpoint {
    const known = this.outboxes.map((outbox) => outbox.proven);
    if (!this.onMessages) known.push(...[...this.ground.saved.logs.values()].map((log) => log.checkpoint));
    return known.reduce((newest, each) => (each.size > newest.size ? each : newest), EMPTY_LOG.checkpoint);
  }

  /** Resolves with the receipt; rejects with a coded error. */
  send(mailbox: number, options: SendOptions): Promise<Receipt> {
    return this.submit(mailbox, options) as Promise<Receipt>;
  }

  /** Where no mailbox is opened, the answer is an unproven place. @internal */
  submit(mailbox: number, options: SendOptions): Promise<Answer> {
    return abortable(options.signal, (resolve, reject) => {
      const member = this.living(mailbox);
      if (sending.now) return this.senderOf(member, sending.now).send(options, resolve, reject);
      // A copy: what is the caller's may be another message by then.
      const { to, body, envelopes, rosterKey } = options;
      const message = structuredClone({ to, body, envelopes, rosterKey }) as SendOptions;
      let withdraw = () => {};
      sending.wait((part) => {
        if (!options.signal?.aborted) withdraw = this.senderOf(member, part).send(message, resolve, reject);
      }, reject);
      return () => withdraw();
    });
  }

  private senderOf({ counters, problem }: Member, { makeSender }: SendPart): Sending {
    if (problem) throw problem;
    const { ground, settings, onMessages } = this;
    counters.sender ??= makeSender(counters, ground.world, settings, onMessages !== null);
    return counters.sender;
  }

  /** Asks the outbox to prove where a mailbox stands: as of an epoch that was not known here at the call. */
  async still(mailbox: number, { signal }: StillOptions = {}): Promise<Stand> {
    const known = this.living(mailbox).mailbox.state?.asOf ?? 0;
    return (await claiming.get(signal)).still(this.living(mailbox), known, signal);
  }

  /** What a stage of the server has signed of a message, of one that the mailbox's owner sent or received. */
  open(mailbox: number, options: OpenOptions): Promise<OpenedStage> {
    return claiming.get(options.signal).then((part) => part.open(this, mailbox, options));
  }

  /** Has evidence against the server narrowed to an actor, by what may be opened to the mailbox's owner. */
  complain(mailbox: number, evidence: Uint8Array, options?: ComplainOptions): Promise<Complaint> {
    return claiming.get(options?.signal).then((part) => part.complain(this, mailbox, evidence, options));
  }
}

function isOver({ problem }: Member): boolean {
  return problem !== null;
}

function isSettled({ connection, members }: FrontSession): boolean {
  return connection.isOpen || members.every(isOver);
}

function knowsMore(one: OutboxSession, other: OutboxSession): boolean {
  return one.checkpoint().size > other.checkpoint().size;
}
