/** Openings: what stages have signed of a message. Loaded with what makes claims (claims.ts). */

import {
  CountersignError,
  decodeOpening,
  encodeOpen,
  errorCode,
  isHandOver,
  MAX_U16,
  type OpenedItem,
  type Opening,
  ROLE,
  STAGE,
  type StageName,
} from '../protocol/index.js';
import { abortable } from './abortable.js';
import type { Emitter } from './events.js';
import type { FrontSession } from './front-session.js';
import type { Gateway } from './gateway.js';
import type { GatewayEvents, StateChange } from './gateway-events.js';
import { judging } from './judging.js';
import type { Member } from './member.js';
import type { Message } from './message.js';
import { heldAgainstLog } from './opening-log.js';
import { idOf } from './options.js';
import { preimageOf } from './preimage.js';
import { type Submission, submissionOf } from './submission.js';
import { overFrame, VerificationError } from './verification-error.js';
import type { World } from './world.js';

export interface OpenOptions {
  /** A hand-over: what was told of a sender or mailbox to the inbox or outbox that it was moved to. */
  readonly stage: StageName;
  /** The message's place. Of a hand-over: the first epoch of the version of the manifest that moved it; inbox and index are 0. */
  readonly epoch: number;
  readonly inbox: number;
  readonly index: number;
  /** Whose item of the message, as bytes or hexadecimal: one's own unless told; at the inbox there is none. */
  readonly mailbox?: Uint8Array | string;
  /** At the inbox: the message as it was received, which the submission is then held against. */
  readonly message?: Message;
  /** Gives up waiting. */
  readonly signal?: AbortSignal;
}

/** What a stage has signed, verified. */
export interface OpenedStage {
  /** Whether the item is there; false = the stage has signed that it is not. */
  readonly isThere: boolean;
  /** Whole claims in binary form, one or two, under one checkpoint; of a hand-over that alone, opened. */
  readonly claims: readonly Uint8Array[];
  /**
   * Size of the client's own log that this checkpoint was shown to go on from; 0 where nothing has shown it: the client knew no
   * log, or the server's went on too fast, or it is a hand-over.
   */
  readonly continues: number;
  /**
   * Of the inbox: who has signed the message, and with which counter. Null where it is unsigned, which the manifest then lets be, is not
   * there, or the stage is another one.
   */
  readonly submission: Submission | null;
}

/** What a stage has signed, before it is held against the log. */
export type Opened = Omit<OpenedStage, 'continues'>;

/** What an opening shows. */
type Shown = Pick<Opening, 'claims' | 'submissions'>;

const MAX_U32 = 0xffff_ffff;

/** Openings that are waited for, per front session. */
const MOST_WAITING = 1024;

interface Waiting {
  readonly member: Member;
  readonly asked: OpenedItem;
  /** Preimage of the message's hash, where it is known. */
  readonly message: Uint8Array | null;
  /** The slots of the session that it was sent in. */
  sentTo?: readonly Member[];
  readonly resolve: (opened: Opened) => void;
  readonly reject: (error: unknown) => void;
}

const desks = new WeakMap<FrontSession, Desk>();

/**
 * Rejects with a coded error, and with `VerificationError` when the server's bytes do not prove what they say, or are of
 * another log than the client knows: then `evidence` is told, too.
 */
export async function openStage(
  gateway: Gateway,
  mailbox: number,
  options: OpenOptions,
): Promise<OpenedStage> {
  const member = gateway.living(mailbox);
  const { ground, events } = gateway;
  const ask = (asked: OpenedItem) =>
    abortable<Opened>(options.signal, (resolve, reject) => {
      const front = member.front!;
      const desk = desks.get(front) ?? new Desk(ground.world, front, events);
      desks.set(front, desk);
      const isAbout = options.message && asked.stage === ROLE.inbox;
      const message = isAbout ? preimageOf(options.message, ground.world, member) : null;
      return desk.ask({ member, asked, message, resolve, reject });
    });
  return heldAgainstLog(gateway, member, itemOf(options, member), ask);
}

/** Throws `TypeError` on what is no item. */
function itemOf(options: OpenOptions, { identity }: Member): OpenedItem {
  const { stage, epoch, inbox, index, mailbox, message } = options;
  if (!Object.hasOwn(STAGE, stage)) throw new TypeError(`stage: ${stage} is none`);
  const role = STAGE[stage];
  for (const [name, most] of [
    ['epoch', Number.MAX_SAFE_INTEGER],
    ['inbox', MAX_U16],
    ['index', MAX_U32],
  ] as const)
    if (!(Number.isSafeInteger(options[name]) && options[name] >= 0 && options[name] <= most))
      throw new TypeError(`${name}: expected an integer from 0 to ${most}, got ${options[name]}`);
  if (role === ROLE.inbox && mailbox !== undefined)
    throw new TypeError('mailbox: at the inbox there is none');
  if (role !== ROLE.inbox && message) throw new TypeError('message: at the inbox alone');
  if (isHandOver(role) && inbox + index > 0) throw new TypeError('index: a hand-over has no place');
  const own = role === ROLE.inbox ? new Uint8Array(32) : identity.publicKey;
  return {
    stage: role,
    epoch,
    inbox,
    index,
    mailbox: mailbox === undefined ? own : idOf(mailbox, 'mailbox'),
  };
}

/** What waits for answers on a front session; what is lost with its socket is asked again. */
class Desk {
  private readonly waiting = new Map<number, Waiting>();
  private last = 0;

  constructor(
    private readonly world: World,
    private readonly front: FrontSession,
    private readonly events: Emitter<GatewayEvents>,
  ) {
    front.takeOpening = (frame) => this.take(frame);
    events.on('state', (change) => this.changed(change));
  }

  /** Returns the way to give it up. */
  ask(waiting: Waiting): () => void {
    if (this.waiting.size >= MOST_WAITING)
      throw new CountersignError('busy', `${MOST_WAITING} openings are waited for already`);
    const request = ++this.last;
    this.waiting.set(request, waiting);
    this.send(request, waiting);
    return () => this.waiting.delete(request);
  }

  private send(request: number, waiting: Waiting): void {
    const { connection, slots } = this.front;
    if (!connection.isOpen || waiting.sentTo === slots) return;
    waiting.sentTo = slots;
    connection.send([encodeOpen({ slot: slots.indexOf(waiting.member), request, ...waiting.asked })]);
  }

  private changed({ mailbox, state, reason }: StateChange): void {
    for (const [request, waiting] of this.waiting) {
      if (waiting.member.index !== mailbox) continue;
      if (state === 'connected') this.send(request, waiting);
      else if (state !== 'connecting') {
        this.waiting.delete(request);
        waiting.reject(reason);
      }
    }
  }

  private take(frame: Uint8Array): void {
    const { request, error, retryAfterMs, ...shown } = overFrame(frame, () => decodeOpening(frame));
    const waiting = this.waiting.get(request);
    // Given up, or answered to an earlier session, too.
    if (!waiting) return;
    this.waiting.delete(request);
    if (error === 0) return void this.verified(waiting, shown, frame).then(waiting.resolve, waiting.reject);
    const code = errorCode(error) ?? 'opening-unknown';
    const again = retryAfterMs > 0 ? `, again in ${retryAfterMs} ms` : '';
    const refused = new CountersignError(code, `refused: ${code}${again}`);
    waiting.reject(Object.assign(refused, { retryAfterMs }));
  }

  private async verified(waiting: Waiting, shown: Shown, frame: Uint8Array): Promise<Opened> {
    const { world } = this;
    const { asked } = waiting;
    const judge = await judging.get();
    const claims = shown.claims.map((claim) => Uint8Array.from(claim));
    let isThere: boolean;
    let submission: Submission | Uint8Array | null;
    try {
      isThere = judge.verifyOpening(asked, claims, world.manifests);
      submission = submissionOf(
        judge,
        world,
        asked,
        waiting.message,
        isThere,
        claims[0]!,
        shown.submissions[0],
      );
    } catch (cause) {
      throw new VerificationError('format', String(cause), frame, { cause });
    }
    if (!(submission instanceof Uint8Array)) return { isThere, claims, submission };
    this.events.emit('evidence', { mailbox: waiting.member.index, evidence: submission });
    throw new VerificationError('entry', 'the inbox took in what nobody submitted', frame);
  }
}
