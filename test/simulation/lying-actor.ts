/**
 * An actor that lies, in every fourth run: now and then it takes what it is given for something else, or says something
 * else than its step does, in one of the ways of test/byzantine/, about a message that it has before it. All others check
 * what they are given. From its first lie on one thing alone is promised: no verdict names anybody else.
 */
import { importSecretKey } from '#crypto';
import type { ActorMessage, Address, RouterShare, Send } from '../../src/actors/messages.js';
import { equalBytes, type SignedAttestation } from '../../src/protocol/index.js';
import type { Signed } from '../../src/protocol/statement.js';
import type { Cheat, Cheater, Said } from '../byzantine/cheat.js';
import { CHEATS } from '../byzantine/cheats.js';
import { hashOf, mailboxOf, type Row, rowsOf } from '../byzantine/rows.js';
import type { Cast, Liar, Lied } from './liar.js';
import type { Profile } from './profile.js';
import { Random } from './random.js';

const LIARS = 0.25;
/** Of the steps in which it could. */
const LIES = 0.2;
/** An outbox's leaves are another matter than rows. */
const MALFORMED = 'malformed pages';
const WRONG_RECEIVER = 'hand a share to the wrong receiver';
/** Another stream of chance than the run's own, which is the same whether somebody lies or not. */
const STREAM = 2 ** 47;
/** Where the same message is told again: there may be a message, or none. */
const NOT_FOR_IT = 2;
/** An inbox lies about two messages. */
const LEAST_MESSAGES = 2;

/**
 * What an outbox remembers, and what a sequencer says, is lied about in another way (lying-holder.ts); what is handed on beside an honest statement
 * leaves none to count; and what needs a play or clients of its own, or
 * clients that are served something else, has no place in a step.
 */
function canBeTold(cheat: Cheat, { outboxes }: Profile): boolean {
  const { role, name, take, give, before, plan, silent, isSigned } = cheat;
  if (role === 'sequencer' || name.startsWith('break a chain') || name.includes('a still')) return false;
  if ((role === 'outbox' && name === MALFORMED) || name.startsWith('hand on')) return false;
  if (before || plan || silent || isSigned || !(take || give)) return false;
  return outboxes > 1 || name !== WRONG_RECEIVER;
}

export class LyingActor implements Liar {
  /** False statements that it let go, to the log or to somebody else. */
  readonly leaked: Signed[] = [];
  readonly checkpoints = [];
  lies = 0;
  /** What routers gave it of epochs that it has not signed yet. */
  private shares: { to: Address; message: RouterShare }[] = [];
  /** What it says in the step under way; null between steps. */
  private said: Said[] | null = null;

  private constructor(
    readonly cheat: Cheat,
    private readonly random: Random,
    private readonly lied: Lied,
  ) {}

  /** Null in a run in which nobody lies. */
  static of(seed: number, profile: Profile, lied: Lied): LyingActor | null {
    const random = new Random(seed + STREAM);
    if (!random.chance(LIARS)) return null;
    const cheat = random.pick(CHEATS.filter((each) => canBeTold(each, profile)));
    return new LyingActor(cheat, random, lied);
  }

  get role() {
    return this.cheat.role;
  }

  get name(): string {
    return `${this.role} 0`;
  }

  get isAlone(): boolean {
    return this.cheat.take !== undefined;
  }

  plant(): () => void {
    return () => {};
  }

  says(_: Address, message: ActorMessage): ActorMessage {
    return message;
  }

  writes<T>(records: T): T {
    return records;
  }

  /** A life of the server has ended: its actors know nothing of it. */
  forget(): void {
    this.shares = [];
  }

  is({ kind, index }: Address): boolean {
    return kind === this.cheat.role && index === 0;
  }

  /** Holds back what it says in a step. False between steps: that goes on its way. */
  hears(to: Address, message: ActorMessage): boolean {
    this.said?.push({ to, message });
    return this.said !== null;
  }

  /** One step: `take` is the actor's own. */
  step(given: ActorMessage, cast: Cast, take: (message: ActorMessage) => void, send: Send): void {
    const who = { kind: this.cheat.role, index: 0 };
    if (given.type === 'router-share') this.shares.push({ to: who, message: given });
    const isLie = this.random.chance(LIES);
    const self = { ...this.signer(cast), who, given, stage: null };
    const taken = isLie ? this.taken(given, cast, self) : given;
    this.said = [];
    const said = this.said;
    try {
      take(taken);
    } finally {
      this.said = null;
    }
    for (const { to, message } of isLie ? this.told(said, cast, self) : said) send(to, message);
    const signed = attestedIn(said);
    if (signed) this.shares = this.shares.filter(({ message }) => message.context.epoch > signed.epoch);
  }

  private taken(given: ActorMessage, cast: Cast, self: object): ActorMessage {
    const rows = rowsIn([given]);
    if (!this.cheat.take || rows.length === 0) return given;
    const taken = this.cheat.take(given, this.cheater(rows, cast, self));
    if (given.type === 'receiver-items' && taken.type === 'receiver-items')
      this.count(!equalBytes(given.items.pages, taken.items.pages));
    return taken;
  }

  private told(said: readonly Said[], cast: Cast, self: object): readonly Said[] {
    const [first] = said.flatMap(({ message }) => (message.type === 'inbox-batch' ? [message] : []));
    const isEnough = this.cheat.role !== 'inbox' || (first?.batch.count ?? 0) >= LEAST_MESSAGES;
    const signed = attestedIn(said);
    const receivers = said.filter(({ message }) => message.type === 'router-share').length;
    const isAlone = this.cheat.name === WRONG_RECEIVER && receivers < 2;
    if (!this.cheat.give || !signed || !isEnough || isAlone) return said;
    const shares = this.shares.filter(({ message }) => message.context.epoch === signed.epoch);
    const rows = rowsIn(said.map(({ message }) => message));
    const { length } = this.leaked;
    const told = this.cheat.give(said, this.cheater(rows, cast, self, shares));
    for (const statement of new Set(told.flatMap(({ message }) => statementsIn(message))))
      if (!equalBytes(statement.bytes, signed.attestation.bytes)) this.leak(statement);
    this.count(length < this.leaked.length);
    return told;
  }

  private leak({ bytes, signature }: SignedAttestation): void {
    this.leaked.push({ attestation: bytes, signature });
  }

  private count(isLie: boolean): void {
    if (!isLie) return;
    this.lies++;
    this.lied(this.cheat.name);
  }

  private signer({ serverId, seed }: Cast) {
    // It signs what it likes.
    return { index: 0, serverId, sign: importSecretKey(seed).sign, signed: { through: -1 } };
  }

  /** The part of a theatre that these cheats look at: the row that it is about, and a bystander. */
  private cheater(
    rows: readonly Row[],
    { mailboxes }: Cast,
    self: object,
    shares: readonly Said[] = [],
  ): Cheater {
    const row = rows.length > 0 ? this.random.pick(rows) : null;
    const bob = row ? mailboxOf(row) : Buffer.alloc(32);
    const others = mailboxes.filter((id) => !bob.equals(id));
    const bystander = Buffer.from(others.length > 0 ? this.random.pick(others) : bob);
    const hash = row ? hashOf(row) : Buffer.alloc(32);
    const theatre = {
      target: () => ({ hash, inbox: 0, mailbox: bob, bystander, notForIt: NOT_FOR_IT }),
      pipeline: { sent: shares },
      leaked: { push: (signed: SignedAttestation) => this.leak(signed) },
    };
    return { ...self, theatre } as unknown as Cheater;
  }
}

function rowsIn(messages: readonly ActorMessage[]): Row[] {
  return messages.flatMap((message) =>
    message.type === 'receiver-items' || message.type === 'router-share' ? rowsOf(message.items) : [],
  );
}

function statementsIn(message: ActorMessage): SignedAttestation[] {
  return 'attestation' in message ? [message.attestation] : [];
}

function attestedIn(said: readonly Said[]) {
  return said.flatMap(({ message }) => (message.type === 'attested' ? [message] : []))[0];
}
