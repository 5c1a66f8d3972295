/**
 * Connection: one socket of one kind that is opened again whenever it is lost, with the handshake
 * hello → challenge → session … → opened. States: idle → dialing → greeting → opening → open; then
 * waiting (for the next attempt) or gone (for good).
 */
import { type Identity, randomBytes } from '#crypto';
import {
  type Checkpoint,
  CountersignError,
  decodeChallenge,
  decodeError,
  decodeOpened,
  ERRORS,
  encodeHello,
  encodeSession,
  equalBytes,
  errorCode,
  FRAME,
  NO_SLOT,
  type OpenedMailbox,
  type SessionKind,
  type SessionRequest,
  sessionBytes,
} from '../protocol/index.js';
import { Backoff } from './backoff.js';
import { chunks } from './member.js';
import type { Dial, Socket } from './socket.js';
import { overFrame, VerificationError } from './verification-error.js';
import type { World } from './world.js';

/** A mailbox to open: whose it is, and the epoch through which its mail is acknowledged. */
export interface Request {
  readonly identity: Identity;
  readonly acknowledged: number;
}

/** The next attempt to open the socket: the how many-th in a row, when, and what the last one ended with. */
export interface Retry {
  readonly attempt: number;
  readonly retryInMs: number;
  readonly reason: CountersignError;
}

export interface ConnectionHost {
  checkpoint(): Checkpoint;
  /** The mailboxes of the next session; the position is the slot. */
  requests(): readonly Request[];
  /** All mailboxes are answered, refused ones too. Throws what ends the client. */
  opened(mailboxes: readonly OpenedMailbox[]): void;
  frame(type: number, frame: Uint8Array): void;
  /** An open socket is lost. */
  lost(): void;
  retrying(retry: Retry): void;
  /** The connection is over for good. */
  gone(error: CountersignError): void;
}

export interface ConnectionOptions {
  readonly kind: SessionKind;
  readonly world: World;
  readonly dial: Dial;
  /** Told anew before every attempt. */
  readonly url: () => string | Promise<string>;
  readonly backoffFirstMs: number;
  readonly backoffMostMs: number;
}

/** Mailboxes in one session frame: the server verifies a signature for each. */
const SESSIONS_PER_FRAME = 256;
const HANDSHAKE_MS = 15_000;
/** A server may send clients away for so long. */
const MOST_AWAY_MS = 600_000;

type State = 'idle' | 'dialing' | 'greeting' | 'opening' | 'open' | 'waiting' | 'gone';

export class Connection {
  private state: State = 'idle';
  private socket: Socket | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private readonly backoff: Backoff;
  private nonce: Uint8Array = new Uint8Array(32);
  private asked = 0;
  private opened: OpenedMailbox[] = [];
  /** What came for the first mailboxes before the last ones were answered. */
  private early: Uint8Array[] = [];
  /** Counts attempts, so that a socket of an earlier one is not listened to. */
  private attempt = 0;
  /** Attempts since the socket was open. */
  private inRow = 0;
  /** What the server said before it closed the socket. */
  private told: CountersignError | null = null;
  /** What the last attempt failed with. */
  problem: CountersignError | null = null;
  /** When the server wants to see this client again, if it has said so. */
  private awayMs = 0;

  constructor(
    private readonly options: ConnectionOptions,
    private readonly host: ConnectionHost,
  ) {
    this.backoff = new Backoff(options.backoffFirstMs, options.backoffMostMs);
  }

  get isOpen(): boolean {
    return this.state === 'open';
  }

  start(): void {
    this.state = 'dialing';
    this.told = null;
    this.inRow++;
    const attempt = ++this.attempt;
    this.timer = setTimeout(() => this.drop(`no connection within ${HANDSHAKE_MS} ms`), HANDSHAKE_MS);
    this.open(attempt).catch((error: unknown) => this.attemptFailed(attempt, error));
  }

  private async open(attempt: number): Promise<void> {
    const url = await this.options.url();
    const mine = () => attempt === this.attempt;
    if (!mine()) return;
    this.socket = this.options.dial(url, {
      opened: () => mine() && this.greet(),
      frame: (frame) => mine() && this.guarded(() => this.read(frame)),
      closed: (code, reason) => mine() && this.closed(code, reason),
    });
  }

  private attemptFailed(attempt: number, error: unknown): void {
    if (attempt !== this.attempt) return;
    // The server was met before: nothing at its path is a proxy's word, for as long as the server is away.
    const lasts = error instanceof CountersignError && !error.temporary && error.code !== 'not-found';
    if (lasts) return this.giveUp(error, 3500);
    this.retry(error instanceof Error ? error.message : String(error));
  }

  /** Runs what the server's bytes lead to; what they do not prove ends the connection for good. */
  private guarded(run: () => void): void {
    try {
      run();
    } catch (error) {
      if (!(error instanceof CountersignError)) throw error;
      this.giveUp(error, 3500);
    }
  }

  // ---- handshake

  private greet(): void {
    this.state = 'greeting';
    this.nonce = Uint8Array.from(randomBytes(32));
    this.opened = [];
    this.early = [];
    const checkpoint = this.host.checkpoint();
    this.send([encodeHello({ kind: this.options.kind, nonce: this.nonce, checkpoint })]);
  }

  private read(frame: Uint8Array): void {
    const type = frame[0] ?? -1;
    if (type === FRAME.error && this.isForAll(frame)) return;
    if (this.state === 'open') return this.host.frame(type, frame);
    if (this.state === 'greeting' && type === FRAME.challenge) return this.answer(frame);
    if (this.state === 'opening' && type === FRAME.opened) return this.collect(frame);
    if (this.state === 'opening' && this.opened.length > 0) return void this.early.push(frame);
    throw new VerificationError('format', `frame of type ${type} while ${this.state}`, frame);
  }

  /** An error about the whole connection: the server closes it next. */
  private isForAll(frame: Uint8Array): boolean {
    const { number, slot, text, retryAfterMs } = overFrame(frame, () => decodeError(frame));
    if (slot !== NO_SLOT) return false;
    this.told = new CountersignError(errorCode(number) ?? 'session-refused', text);
    this.awayMs = Math.min(retryAfterMs, MOST_AWAY_MS);
    return true;
  }

  private answer(frame: Uint8Array): void {
    const { world, kind } = this.options;
    const { serverId, challenge, manifestHash } = overFrame(frame, () => decodeChallenge(frame));
    if (!equalBytes(serverId, world.serverId))
      throw new CountersignError('wrong-server', 'another server answers');
    if (!equalBytes(manifestHash, world.manifestHash)) {
      // Fetched before the next attempt.
      world.named = manifestHash.slice();
      return this.drop('another manifest');
    }
    this.state = 'opening';
    const { attempt } = this;
    const requests = this.host.requests().map(async ({ identity, acknowledged }) => {
      const key = identity.publicKey;
      const signature = await identity.sign(sessionBytes(serverId, kind, challenge, this.nonce, key));
      return { key, acknowledged, signature };
    });
    this.asked = requests.length;
    Promise.all(requests)
      .then((signed) => attempt === this.attempt && this.ask(signed))
      .catch((error: unknown) => this.attemptFailed(attempt, error));
  }

  private ask(requests: readonly SessionRequest[]): void {
    this.send(chunks(requests, SESSIONS_PER_FRAME).map(encodeSession));
  }

  private collect(frame: Uint8Array): void {
    this.opened.push(...overFrame(frame, () => decodeOpened(frame)));
    const missing = this.asked - this.opened.length;
    if (missing < 0) throw new VerificationError('format', 'more opened than asked for', frame);
    if (missing > 0) return;
    clearTimeout(this.timer);
    this.state = 'open';
    this.inRow = 0;
    this.problem = null;
    this.host.opened(this.opened);
    for (const each of this.early.splice(0)) if (this.isOpen) this.host.frame(each[0]!, each);
  }

  /** The server has proven that it is alive and well. */
  alive(): void {
    this.backoff.reset();
  }

  // ---- the socket

  send(frames: readonly Uint8Array[]): void {
    this.socket?.send(frames);
  }

  pause(): void {
    this.socket?.pause();
  }

  resume(): void {
    this.socket?.resume();
  }

  private drop(why: string): void {
    this.socket?.close(1000, why);
    this.retry(why);
  }

  private closed(code: number, text: string): void {
    const reason = text || `closed with code ${code}`;
    const isDisplaced = code === ERRORS.displaced.close;
    if (!isDisplaced && (code < 3500 || code > 3999)) return this.retry(reason);
    const why = isDisplaced ? 'displaced' : 'session-refused';
    this.giveUp(this.told ?? new CountersignError(why, reason), code);
  }

  private retry(why: string): void {
    const reason = this.told ?? new CountersignError('connection-lost', why);
    this.problem = reason;
    this.leave('waiting');
    const retryInMs = this.awayMs || this.backoff.next();
    this.awayMs = 0;
    this.timer = setTimeout(() => this.start(), retryInMs);
    this.host.retrying({ attempt: this.inRow + 1, retryInMs, reason });
  }

  private leave(state: State): void {
    clearTimeout(this.timer);
    this.attempt++;
    this.socket = null;
    const wasOpen = this.state === 'open';
    this.state = state;
    if (wasOpen) this.host.lost();
  }

  private giveUp(error: CountersignError, code: number): void {
    if (this.state === 'gone') return;
    this.close(code, error.code);
    this.host.gone(error);
  }

  close(code = 1000, reason = 'closed'): void {
    const { socket } = this;
    this.leave('gone');
    socket?.close(code, reason);
  }
}
