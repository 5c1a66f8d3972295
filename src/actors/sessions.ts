/**
 * The request handlers' handshake: hello, challenge, session, opened. A key opens its mailbox by
 * signing the challenge; a newer session of a key displaces the older one of the same kind.
 */
import { checkKey, randomBytes, trustedPublicKey } from '#crypto';
import {
  type ChainState,
  type Checkpoint,
  ERRORS,
  type ErrorCode,
  type ErrorKind,
  encodeChallenge,
  encodeError,
  encodeOpened,
  equalBytes,
  FormatError,
  type Hello,
  logRoot,
  NO_SLOT,
  type PlacedAt,
  SESSION_KIND,
  type SessionRequest,
  sessionBytes,
} from '../protocol/index.js';
import { type ClientConnection, tell, tellWaiting } from './client-connection.js';
import { idAt } from './ids.js';
import { logNodes } from './log-store.js';
import type { MailboxDirectory } from './mailbox-directory.js';
import { address, type MailboxOpened, type Send, type SenderOpened, type StoreReader } from './messages.js';
import { numberKey, TABLE } from './store-keys.js';

export interface LiveSettings {
  readonly mailboxesPerSocket: number;
  /** Whether a valid session of an unknown key makes its mailbox. */
  readonly openMailboxes: boolean;
  /** A frame waits this long for room in an epoch before it is refused as `busy`, and when to try again. */
  readonly busyAfterMs: number;
  readonly busyRetryMs: number;
  /** That a key may ask for. */
  readonly openingsPerMinute: number;
}

export interface SessionsOptions {
  readonly serverId: Uint8Array;
  readonly manifestHash: Uint8Array;
  /** Whether a checkpoint is signed by the sequencer. */
  readonly hasSigned: (checkpoint: Checkpoint) => boolean;
  readonly reader: StoreReader;
  readonly placementOf: (id: Uint8Array) => PlacedAt;
  /** What may change while the server runs. */
  readonly live: () => LiveSettings;
  /** A client holds a signed checkpoint that our log does not bear out: the server must not go on. */
  readonly rolledBack: (size: number) => void;
  /** Runs a function at the end of this turn of the event loop. */
  readonly defer: (run: () => void) => void;
}

/** Sends an error and closes the socket. */
export function end(connection: ClientConnection, code: ErrorCode, text: string, retryAfterMs = 0): void {
  if (connection.ended) return;
  connection.ended = true;
  connection.socket.send(errorFrame(code, text, NO_SLOT, retryAfterMs), false);
  const kind: ErrorKind = ERRORS[code];
  connection.socket.close(kind.close ?? 3500, code);
}

/** An error that is not about counters. */
export function errorFrame(code: ErrorCode, text: string, slot: number, retryAfterMs = 0): Uint8Array {
  return encodeError({ number: ERRORS[code].number, slot, retryAfterMs, text });
}

/** Signatures checked in one turn of the event loop, of all sockets together: some 3 ms, 5 with new keys. */
const CHECKS_PER_TURN = 16;

const NO_SENDER = new Uint8Array(0);
const NO_CHAIN = { lastEpoch: 0, total: 0, head: new Uint8Array(32) };

export class Sessions {
  /** Sessions whose signatures are not checked yet; each has a slot, so sockets and slots bound them. */
  private readonly unchecked = new Map<ClientConnection, { slot: number; request: SessionRequest }[]>();
  private readonly fronts = new Map<string, { connection: ClientConnection; slot: number }>();

  constructor(
    private readonly options: SessionsOptions,
    private readonly directory: MailboxDirectory,
    private readonly send: Send,
  ) {}

  hello(connection: ClientConnection, hello: Hello): void {
    if (hello.kind !== connection.kind)
      return end(connection, 'unexpected-frame', 'session kind of another address');
    if (!this.bearsOut(hello.checkpoint)) return this.options.rolledBack(hello.checkpoint.size);
    const { serverId, manifestHash } = this.options;
    connection.nonce = Uint8Array.from(hello.nonce);
    connection.challenge = Uint8Array.from(randomBytes(32));
    connection.logSize = hello.checkpoint.size;
    connection.socket.send(
      encodeChallenge({ serverId, challenge: connection.challenge, manifestHash }),
      false,
    );
  }

  /** False when the checkpoint is validly signed and our log is shorter, or another one. */
  private bearsOut(checkpoint: Checkpoint): boolean {
    const { size, root } = checkpoint;
    if (size === 0) return true;
    const { reader } = this.options;
    // What is durable counts: a client may know an epoch before this thread has heard of it.
    const known = reader.get(numberKey(TABLE.log, size - 1)) !== undefined;
    if (known && equalBytes(logRoot(logNodes(reader), size), root)) return true;
    if (this.options.hasSigned(checkpoint)) return false;
    throw new FormatError('hello: checkpoint is not signed by this server');
  }

  session(connection: ClientConnection, requests: readonly SessionRequest[]): void {
    const first = connection.slots.length;
    const { live, placementOf } = this.options;
    const { mailboxesPerSocket } = live();
    if (first + requests.length > mailboxesPerSocket) {
      return end(connection, 'too-many-mailboxes', `at most ${mailboxesPerSocket} mailboxes on a socket`);
    }
    if (requests.length === 0) throw new FormatError('session: no mailbox');
    const count = requests.length;
    connection.opening.push({ first, count, left: count, answers: new Array(count) });
    // Whoever finds others waiting is checked with them.
    if (this.unchecked.size === 0) this.options.defer(() => this.checkSome());
    const waiting = this.unchecked.get(connection) ?? [];
    this.unchecked.set(connection, waiting);
    requests.forEach((request, i) => {
      const { inbox, outbox } = placementOf(request.key);
      const sender = connection.kind === SESSION_KIND.front ? Uint8Array.from(request.key) : NO_SENDER;
      const state = { answered: false, open: false, displaced: false, chain: null, lastCounter: 0 };
      connection.slots.push({ sender, inbox, outbox, ...state });
      waiting.push({ slot: first + i, request });
    });
  }

  /**
   * A crowd that comes at once is checked over many turns, so that those who are here are served between; and
   * one of each socket after the other, so that nobody waits for all that another has.
   */
  private checkSome(): void {
    let left = CHECKS_PER_TURN;
    for (const [connection, waiting] of this.unchecked) {
      if (left === 0) break;
      this.unchecked.delete(connection);
      if (connection.ended) continue;
      left--;
      const { slot, request } = waiting.shift()!;
      if (waiting.length > 0) this.unchecked.set(connection, waiting);
      const error = this.check(connection, request);
      if (error) this.answer(connection, slot, ERRORS[error].number, NO_CHAIN);
      else this.openMailbox(connection, slot, request);
    }
    if (this.unchecked.size > 0) this.options.defer(() => this.checkSome());
  }

  private check(connection: ClientConnection, { key, signature }: SessionRequest): ErrorCode | null {
    const { serverId, placementOf } = this.options;
    const { kind, challenge, nonce, outbox } = connection;
    try {
      // The signature first: the key rule costs several times as much, and anybody can send garbage.
      if (!trustedPublicKey(key).verify(sessionBytes(serverId, kind, challenge!, nonce!, key), signature))
        return 'session-refused';
      // A key with a mailbox has passed the rule when the mailbox was made.
      if (!this.directory.has(key, 0)) checkKey(key);
    } catch {
      return 'session-refused';
    }
    return kind === SESSION_KIND.outbox && placementOf(key).outbox !== outbox ? 'wrong-outbox' : null;
  }

  private openMailbox(
    { kind, logSize, number, slots }: ClientConnection,
    slot: number,
    { key, acknowledged }: SessionRequest,
  ): void {
    const { outbox } = slots[slot]!;
    const seed = this.options.live().openMailboxes ? Uint8Array.from(randomBytes(32)) : null;
    const to = address('outbox', outbox);
    this.send(to, {
      type: 'open-mailbox',
      connection: number,
      slot,
      mailbox: Uint8Array.from(key),
      kind,
      acknowledged,
      logSize,
      seed,
    });
  }

  /** The outbox has answered. On the front the sender's inbox is asked next. */
  mailboxOpened(
    connection: ClientConnection,
    { slot, kind, error, lastEpoch, total, head }: MailboxOpened,
  ): void {
    const entry = connection.slots[slot]!;
    if (error) return this.answer(connection, slot, ERRORS[error].number, NO_CHAIN);
    const chain = { lastEpoch, total, head };
    if (kind === SESSION_KIND.outbox) return this.answer(connection, slot, 0, chain);
    entry.chain = chain;
    this.displaceFront(connection, slot);
    const to = address('inbox', entry.inbox);
    this.send(to, { type: 'open-sender', connection: connection.number, slot, sender: entry.sender });
  }

  private displaceFront(connection: ClientConnection, slot: number): void {
    const id = idAt(connection.slots[slot]!.sender, 0);
    const older = this.fronts.get(id);
    this.fronts.set(id, { connection, slot });
    if (older) this.displaced(older.connection, older.slot);
  }

  senderOpened(connection: ClientConnection, { slot, lastCounter }: SenderOpened): void {
    const entry = connection.slots[slot]!;
    entry.lastCounter = lastCounter;
    const chain = entry.chain!;
    entry.chain = null;
    this.answer(connection, slot, 0, chain);
  }

  private answer(connection: ClientConnection, slot: number, code: number, chain: ChainState): void {
    const { slots, opening, socket } = connection;
    const entry = slots[slot]!;
    const error = entry.displaced ? ERRORS.displaced.number : code;
    entry.answered = true;
    entry.open = error === 0;
    const asked = opening.find(({ first, count }) => slot >= first && slot < first + count)!;
    asked.answers[slot - asked.first] = { error, lastCounter: entry.lastCounter, ...chain };
    asked.left--;
    while (opening[0]?.left === 0) socket.send(encodeOpened(opening.shift()!.answers), false);
    if (opening.length === 0) tellWaiting(connection);
  }

  /** A newer session took a slot over. The socket is closed when it was the last. */
  displaced(connection: ClientConnection, slot: number): void {
    const entry = connection.slots[slot]!;
    entry.open = false;
    entry.displaced = true;
    // While others are being opened their answer says it.
    if (!entry.answered) return;
    if (connection.opening.length === 0 && !connection.slots.some((each) => each.open)) {
      return end(connection, 'displaced', 'a newer session of this key took over');
    }
    tell(connection, errorFrame('displaced', 'a newer session of this key took over', slot), false);
  }

  closed(connection: ClientConnection): void {
    connection.ended = true;
    if (connection.kind !== SESSION_KIND.front) return;
    connection.slots.forEach(({ sender }, slot) => {
      const id = idAt(sender, 0);
      const front = this.fronts.get(id);
      if (front?.connection === connection && front.slot === slot) this.fronts.delete(id);
    });
  }
}
