/**
 * Request handler: speaks with clients. Handshake and sessions (sessions.ts), submissions
 * (submissions.ts), acknowledgments; frames on their way out. One for all sockets of a thread.
 *
 * In:  sockets (connected, frame, drained, closed); refused, placed, sender-opened, queue-taken,
 *      released (inboxes); mailbox-opened, mailboxes-registered, mailboxes-full, frames, displaced,
 *      ack-refused (outboxes); committed; finished
 * Out: submit, open-sender, drain (inboxes); open-mailbox, register-mailboxes, ack, ask-still, drained,
 *      disconnected (outboxes)
 * Owns: per socket its handshake, its slots and the frames that wait for room.
 *
 * 1. Whatever a client sends wrong gets a coded answer and costs nobody else anything.
 * 2. A sender has one inbox, named by placement, so its order is kept.
 * Never: signs, orders, or keeps anything that must last.
 */
import {
  type Checkpoint,
  decodeAck,
  decodeAskStill,
  decodeHello,
  decodeOpen,
  decodePing,
  decodeSession,
  decodeSubmitHeader,
  ERRORS,
  encodeError,
  encodeOpening,
  FormatError,
  FRAME,
  frameType,
  PONG,
  SESSION_KIND,
  type SessionKind,
} from '../protocol/index.js';
import {
  type ClientConnection,
  type ClientSocket,
  newConnection,
  type Slot,
  tell,
} from './client-connection.js';
import { MailboxDirectory } from './mailbox-directory.js';
import {
  type ActorMessage,
  address,
  type MailboxOpened,
  type Refusal,
  type Send,
  type Stage,
} from './messages.js';
import { OpeningsDesk, type Request } from './openings-desk.js';
import { placedFrames } from './placed-frames.js';
import type { Placements } from './placements.js';
import { Registrations } from './registrations.js';
import { end, errorFrame, Sessions, type SessionsOptions } from './sessions.js';
import { type SubmissionLimits, Submissions } from './submissions.js';

export interface RequestHandlerOptions extends SessionsOptions {
  readonly placements: Placements;
  readonly inboxes: number;
  readonly limits: SubmissionLimits;
  /** The newest at start. */
  readonly checkpoint: Checkpoint;
  /** Milliseconds, monotonic. */
  readonly now: () => number;
}

/** Who sends to a full mailbox may ask again then; its owner may take days. */
const FULL_RETRY_MS = 60_000;

export class RequestHandler implements Stage {
  private readonly connections = new Map<number, ClientConnection>();
  /** Those with held frames, longest first. */
  private readonly waiting = new Set<ClientConnection>();
  private readonly directory: MailboxDirectory;
  private readonly sessions: Sessions;
  private readonly submissions: Submissions;
  private readonly openings: OpeningsDesk;
  private flushing = false;
  private readonly registrations: Registrations;
  private draining: { left: number; readonly finished: () => void } | null = null;
  /** Newest committed. */
  checkpoint: Checkpoint;

  constructor(
    private readonly options: RequestHandlerOptions,
    private readonly send: Send,
  ) {
    const directory = new MailboxDirectory(options.reader);
    this.directory = directory;
    this.sessions = new Sessions(options, directory, send);
    const { submissions } = options.placements.newest.policy;
    this.submissions = new Submissions(
      options.serverId,
      options.inboxes,
      options.limits,
      directory,
      submissions,
      send,
    );
    this.registrations = new Registrations(options.placementOf, send);
    this.checkpoint = options.checkpoint;
    const perMinute = () => options.live().openingsPerMinute;
    this.openings = new OpeningsDesk({ ...options, checkpoint: () => this.checkpoint, perMinute });
  }

  // ---- sockets

  /** `outbox`: of the socket's address; 0 on the front. */
  connected(number: number, socket: ClientSocket, kind: SessionKind, outbox: number): void {
    this.connections.set(number, newConnection(number, socket, kind, outbox));
  }

  closed(number: number): void {
    const connection = this.connections.get(number);
    if (!connection) return;
    this.connections.delete(number);
    this.waiting.delete(connection);
    this.sessions.closed(connection);
    this.tellOutbox(connection, { type: 'disconnected', connection: number });
  }

  /** The handshake took too long, if no mailbox is open by now and none waits for its answer. */
  handshakeTimeout(number: number): void {
    const connection = this.connections.get(number);
    if (connection?.slots.every(({ answered, open }) => answered && !open))
      end(connection, 'handshake-timeout', 'no session in time');
  }

  /** The socket has taken `bytes` of its counted frames. */
  drained(number: number, bytes: number): void {
    const connection = this.connections.get(number);
    if (connection) this.tellOutbox(connection, { type: 'drained', connection: number, bytes });
  }

  private tellOutbox({ kind, outbox }: ClientConnection, message: ActorMessage): void {
    if (kind === SESSION_KIND.outbox) this.send(address('outbox', outbox), message);
  }

  /** One binary message. */
  frame(number: number, frame: Uint8Array): void {
    const connection = this.connections.get(number);
    if (!connection || connection.ended) return;
    if (this.draining && frame[0] !== FRAME.ack) return;
    // A paused socket may still give what it had read already.
    if (connection.held.length > 0) connection.held.push(frame);
    else this.take(connection, frame);
  }

  /** A message that is no frame. */
  malformed(number: number, text: string): void {
    this.with(number, (connection) => end(connection, 'malformed-frame', text));
  }

  private take(connection: ClientConnection, frame: Uint8Array): void {
    try {
      this.dispatch(connection, frame);
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      end(connection, 'malformed-frame', error.message);
    }
  }

  // ---- the end

  /** Takes in nothing more but acknowledgments; calls back when `actors` have told all that they have. */
  drain(actors: number, finished: () => void): void {
    this.draining = { left: actors, finished };
    this.openings.stop();
    this.submissions.flush();
    for (let i = 0; i < this.options.inboxes; i++) this.send(address('inbox', i), { type: 'drain' });
    for (const connection of this.waiting) {
      connection.held = [];
      connection.socket.resume();
    }
    this.waiting.clear();
  }

  /** By their numbers. */
  get open(): number[] {
    return [...this.connections.keys()];
  }

  sendAway(number: number, retryAfterMs: number): void {
    this.with(number, (connection) => end(connection, 'restarting', 'the server restarts', retryAfterMs));
  }

  private dispatch(connection: ClientConnection, frame: Uint8Array): void {
    const type = frameType(frame);
    const { kind, challenge } = connection;
    if (type === FRAME.hello && !challenge) return this.sessions.hello(connection, decodeHello(frame));
    if (type === FRAME.session && challenge) return this.sessions.session(connection, decodeSession(frame));
    if (type === FRAME.submit && kind === SESSION_KIND.front) return this.submit(connection, frame);
    if (type === FRAME.open && kind === SESSION_KIND.front) return this.openStage(connection, frame);
    if (type === FRAME.ack && kind === SESSION_KIND.outbox) return this.acknowledge(connection, frame);
    if (type === FRAME.askStill && kind === SESSION_KIND.outbox) return this.askStill(connection, frame);
    if (type === FRAME.ping && challenge) return this.pong(connection, frame);
    end(connection, 'unexpected-frame', `frame type ${type} does not belong here`);
  }

  // ---- what clients ask for

  /** An open slot. Null, and told, when it was displaced; a slot that never was is malformed. */
  private slotOf(connection: ClientConnection, slot: number): Slot | null {
    const entry = connection.slots[slot];
    if (!entry?.answered) throw new FormatError(`slot ${slot} is not open`);
    if (entry.open) return entry;
    connection.socket.send(errorFrame('displaced', 'this slot is not open any more', slot), false);
    return null;
  }

  private acknowledge(connection: ClientConnection, frame: Uint8Array): void {
    for (const { slot } of decodeAck(frame))
      if (!connection.slots[slot]?.answered) throw new FormatError(`slot ${slot} is not open`);
    this.tellOutbox(connection, { type: 'ack', connection: connection.number, frame });
  }

  private pong({ socket }: ClientConnection, frame: Uint8Array): void {
    decodePing(frame);
    socket.send(PONG, false);
  }

  private askStill(connection: ClientConnection, frame: Uint8Array): void {
    for (const slot of new Set(decodeAskStill(frame))) {
      if (!this.slotOf(connection, slot)) continue;
      this.tellOutbox(connection, { type: 'ask-still', connection: connection.number, slot });
    }
  }

  private openStage(connection: ClientConnection, frame: Uint8Array): void {
    const { slot, request, ...asked } = decodeOpen(frame);
    const entry = this.slotOf(connection, slot);
    if (!entry) return;
    this.openings.ask({
      asked,
      key: entry.sender,
      isWanted: () => !connection.ended,
      answer: ({ text: _, ...answer }) =>
        connection.socket.send(encodeOpening({ request, ...answer }), false),
    });
  }

  private submit(connection: ClientConnection, frame: Uint8Array): void {
    const header = decodeSubmitHeader(frame);
    const entry = this.slotOf(connection, header.slot);
    if (!entry) return;
    if (!this.submissions.hasRoom(entry.inbox, frame.length, header.count))
      return this.hold(connection, frame);
    connection.heldSince = null;
    const origin = {
      connection: connection.number,
      slot: header.slot,
      sender: entry.sender,
      inbox: entry.inbox,
      lastCounter: entry.lastCounter,
    };
    this.refuse(this.submissions.take(origin, header, frame));
    if (this.flushing) return;
    this.flushing = true;
    this.options.defer(() => {
      this.flushing = false;
      this.submissions.flush();
    });
  }

  private hold(connection: ClientConnection, frame: Uint8Array): void {
    connection.held.push(frame);
    connection.heldSince ??= this.options.now();
    connection.socket.pause();
    this.waiting.add(connection);
  }

  /** Room may have come: takes held frames as far as it goes. */
  private retryHeld(): void {
    for (const connection of [...this.waiting]) {
      const frames = connection.held;
      connection.held = [];
      this.waiting.delete(connection);
      this.takeHeld(connection, frames);
    }
  }

  private takeHeld(connection: ClientConnection, frames: Uint8Array[]): void {
    while (frames.length > 0 && connection.held.length === 0 && !connection.ended)
      this.take(connection, frames.shift()!);
    // Who is sent away reads no more; its socket must, to hear it close.
    if (!connection.ended) connection.held.push(...frames);
    if (connection.held.length === 0) connection.socket.resume();
  }

  private refuseLongHeld(): void {
    const before = this.options.now() - this.options.live().busyAfterMs;
    for (const connection of [...this.waiting]) {
      if ((connection.heldSince ?? before) > before) continue;
      const frames = connection.held;
      connection.held = [];
      this.waiting.delete(connection);
      // The first waits for room; what came behind it is taken as usual, and may have to wait itself.
      this.refuseBusy(connection, frames.shift()!);
      connection.heldSince = null;
      this.takeHeld(connection, frames);
    }
  }

  /** `frame` is a submit frame whose header has been read once already. */
  private refuseBusy({ socket }: ClientConnection, frame: Uint8Array): void {
    const { slot, firstCounter, count } = decodeSubmitHeader(frame);
    const { number } = ERRORS.busy;
    const text = 'the epoch is full';
    socket.send(
      encodeError({ number, slot, firstCounter, count, retryAfterMs: this.options.live().busyRetryMs, text }),
      false,
    );
  }

  // ---- the operator

  /** Opens anything. */
  openFor(request: Omit<Request, 'key'>): void {
    this.openings.ask({ ...request, key: null });
  }

  /** Gives ids mailboxes, those that have none; calls back when that is durable. At least one id. */
  register(ids: readonly Uint8Array[], registered: () => void): void {
    this.registrations.register(ids, registered);
  }

  // ---- what actors say

  handle(message: ActorMessage): void {
    switch (message.type) {
      case 'frames':
        return this.with(message.connection, (connection) => {
          for (const frame of message.frames) tell(connection, frame, true);
        });
      case 'placed':
        for (const { connection, frame } of placedFrames(message.runs))
          this.with(connection, (open) => tell(open, frame, false));
        return;
      case 'refused':
        return this.refuse(message.refusals);
      case 'mailboxes-full':
        return this.directory.changed(message);
      case 'queue-taken':
        this.submissions.taken(message.inbox, message.load);
        return this.retryHeld();
      case 'released':
        return this.submissions.released(message);
      case 'mailbox-opened':
        return this.mailboxOpened(message);
      case 'mailboxes-registered':
        return this.registrations.registered(message.id);
      case 'sender-opened':
        return this.with(message.connection, (connection) => this.sessions.senderOpened(connection, message));
      case 'displaced':
        return this.with(message.connection, (connection) =>
          this.sessions.displaced(connection, message.slot),
        );
      case 'ack-refused':
        return this.with(message.connection, ({ socket }) => {
          socket.send(
            errorFrame('ack-unknown-epoch', `no link in epoch ${message.epoch}`, message.slot),
            false,
          );
        });
      case 'committed':
        this.checkpoint = message.checkpoint;
        return this.refuseLongHeld();
      case 'finished':
        if (this.draining && --this.draining.left === 0) this.draining.finished();
        return;
      default:
        throw new Error(`request handler does not take '${message.type}'`);
    }
  }

  private mailboxOpened(message: MailboxOpened): void {
    const connection = this.connections.get(message.connection);
    // What an earlier session of the sender has brought goes first: its counters are told to this one.
    this.submissions.flush();
    if (connection) return this.sessions.mailboxOpened(connection, message);
    // It closed while the mailbox was being made, and the outbox had nothing to forget then.
    const gone = { type: 'disconnected', connection: message.connection } as const;
    if (message.kind === SESSION_KIND.outbox) this.send(address('outbox', message.outbox), gone);
  }

  private with(number: number, run: (connection: ClientConnection) => void): void {
    const connection = this.connections.get(number);
    if (connection) run(connection);
  }

  private refuse(refusals: readonly Refusal[]): void {
    for (const { connection, code, ...rest } of refusals) {
      const retryAfterMs = code === 'mailbox-full' ? FULL_RETRY_MS : 0;
      const error = { number: ERRORS[code].number, retryAfterMs, ...rest };
      this.connections.get(connection)?.socket.send(encodeError(error), false);
    }
  }
}
