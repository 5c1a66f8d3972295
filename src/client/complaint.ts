/**
 * Complaint: evidence that the server is faulty goes to whoever holds what its stages have signed of the place. What they
 * open narrows it, mostly to one actor; what stays closed is suspected, and proves nothing. Asked for is what the one who
 * asks may be given (PROTOCOL.md, Open), and no more of it once an actor is named; a stage that says when to come again is
 * asked again.
 */
import type { DisputedPlace } from '../protocol/evidence/index.js';
import {
  CountersignError,
  countActors,
  type ErrorCode,
  equalBytes,
  inForceAt,
  inOrder,
  isHandOver,
  ROLE,
  STAGE,
} from '../protocol/index.js';
import { type Accusation, judging } from './accusing.js';
import { ComparisonError } from './comparison-error.js';
import type { Gateway } from './gateway.js';
import { movesOf, proofsOf } from './hand-overs.js';
import { bridgeOver, type Range } from './log-range.js';
import type { OpenOptions } from './openings.js';
import { pause } from './pause.js';
import { VerificationError } from './verification-error.js';

/** What a stage has signed of the place. */
export interface AskedStage {
  readonly stage: OpenOptions['stage'];
  /** Of an inbox or router: its number. */
  readonly inbox: number;
  /** Whose item; of an inbox nobody's. */
  readonly mailbox: Uint8Array | null;
}

/** A stage that did not open what it has signed of the place, and must. */
export interface ClosedStage extends AskedStage {
  readonly code: ErrorCode;
}

export interface ComplainOptions {
  /** How long stages that are busy are waited for, in ms. Default 300,000. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/** The evidence after all, and what it proves to anybody: the actor, or still only the server. */
export interface Complaint extends Accusation {
  readonly closed: readonly ClosedStage[];
  /** For what the time was not enough. */
  readonly unanswered: readonly AskedStage[];
}

type Wanted = AskedStage & Pick<OpenOptions, 'epoch' | 'index'>;

const STAGES = ['router', 'receiver', 'outbox'] as const;
/** A receiver's statement names all routers, so theirs are asked for too: of so many inboxes at the most. */
const MOST_INBOXES = 64;
/** From one question to the next of a stage that is busy, whatever it says. */
const AGAIN_MS = 1000;
const MOST_AGAIN_MS = 60_000;
/** Of a stage, and for good. */
const ANSWERS: readonly ErrorCode[] = [
  'not-a-party',
  'opening-expired',
  'opening-unknown',
  'verification-failed',
];

/** `mailbox`: whose openings are asked for, by the position of its key. Rejects with `ComparisonError` on what is no evidence against this server, and as the signal says. */
export async function complain(
  gateway: Gateway,
  mailbox: number,
  ranges: readonly Range[],
  evidence: Uint8Array,
  { timeoutMs = 300_000, signal }: ComplainOptions = {},
): Promise<Complaint> {
  const { accuseAgain, disputedPlace, verdict } = await judging.get(signal);
  const { world, http } = gateway.ground;
  const { serverId, manifest } = world;
  const judged = verdict(evidence, serverId, manifest.rootKey);
  if (judged.outcome === 'unreadable' || judged.outcome === 'nothing')
    throw new ComparisonError('nothing-proven', `no evidence against this server: ${judged.text}`);
  const place = judged.outcome === 'server' ? disputedPlace(evidence) : null;
  let best: Accusation = { evidence, verdict: judged };
  if (!place) return { ...best, closed: [], unanswered: [] };
  const limit = AbortSignal.timeout(timeoutMs);
  const ending = signal ? AbortSignal.any([signal, limit]) : limit;
  const asking = new Asking(gateway, mailbox, place, ending);
  for (const group of asking.groups()) {
    await asking.all(group);
    const { claims, handOvers } = asking;
    const proofs = await proofsOf(http, handOvers, claims, ending);
    signal?.throwIfAborted();
    const bridge = (from: number, to: number) => proofs(from, to) ?? bridgeOver(ranges, from, to);
    const again = accuseAgain(evidence, claims, handOvers, serverId, bridge);
    if (again?.verdict.outcome !== 'actor') continue;
    best = again;
    break;
  }
  const { closed, unanswered } = asking;
  return { ...best, closed, unanswered };
}

/** Asks for openings one after the other: the server bounds how many. */
class Asking {
  readonly claims: Uint8Array[] = [];
  readonly handOvers: Uint8Array[] = [];
  readonly closed: ClosedStage[] = [];
  readonly unanswered: AskedStage[] = [];
  private readonly own: Uint8Array;
  /** Whose items are not for the asker, the server says. */
  private readonly refused = new Set<Uint8Array>();

  constructor(
    private readonly gateway: Gateway,
    private readonly asking: number,
    private readonly place: DisputedPlace,
    private readonly signal: AbortSignal,
  ) {
    this.own = gateway.id(asking);
  }

  /** What may be asked for, what tells most first. */
  groups(): readonly (readonly Wanted[])[] {
    const { epoch, inbox, index, lacking, having } = this.place;
    const mailboxes = [lacking, ...(equalBytes(lacking, having) ? [] : [having])].filter((each) =>
      this.isAnswered(each),
    );
    mailboxes.sort((a, b) => Number(this.isOwn(b)) - Number(this.isOwn(a)));
    const { manifest } = inForceAt(inOrder(this.gateway.ground.world.manifests), epoch);
    const inboxes = Math.min(MOST_INBOXES, countActors(manifest, ROLE.inbox));
    const others = [...Array(inboxes).keys()].filter((each) => each !== inbox);
    const entry = { stage: 'inbox' as const, epoch, inbox, index, mailbox: null };
    return [
      this.isAnswered(null) ? [entry] : [],
      ...mailboxes.map((mailbox) => STAGES.map((stage) => ({ stage, epoch, inbox, index, mailbox }))),
      ...mailboxes.map((mailbox) =>
        others.map((inbox) => ({ stage: 'router' as const, epoch, inbox, index: 0, mailbox })),
      ),
      this.isOwn(lacking) ? this.moves() : [],
    ];
  }

  /** Of the mailbox that misses the message, whenever it was moved since. */
  private moves(): readonly Wanted[] {
    const { epoch, lacking: mailbox } = this.place;
    const at = { stage: 'mailbox-hand-over' as const, inbox: 0, index: 0, mailbox };
    return movesOf(this.gateway.ground.world, mailbox, epoch).map((epoch) => ({ ...at, epoch }));
  }

  private isOwn(mailbox: Uint8Array): boolean {
    return equalBytes(mailbox, this.own);
  }

  /** Whether an honest server may give this to the asker; null is the inbox's entry. */
  private isAnswered(mailbox: Uint8Array | null): boolean {
    const { sender, having } = this.place;
    // Two messages at one place: both mailboxes have one, and whose they are is not known.
    if (!sender || this.isOwn(sender)) return true;
    return mailbox ? this.isOwn(mailbox) || equalBytes(mailbox, sender) : this.isOwn(having);
  }

  /** Whether it must: to what is another's, a server that lacks the message for one of the two says that the asker is no party. */
  private isOwed({ mailbox }: AskedStage): boolean {
    return !mailbox || this.isOwn(mailbox);
  }

  async all(wanted: readonly Wanted[]): Promise<void> {
    for (const each of wanted) await this.one(each);
  }

  private async one({ epoch, index, ...at }: Wanted): Promise<void> {
    const { asking, claims, closed, gateway, handOvers, signal, unanswered } = this;
    const { mailbox, ...where } = at;
    if (mailbox && this.refused.has(mailbox)) return;
    const asked = { ...where, index, epoch, ...(mailbox && { mailbox }), signal };
    const into = isHandOver(STAGE[at.stage]) ? handOvers : claims;
    while (!signal.aborted) {
      try {
        into.push(...(await gateway.open(asking, asked)).claims);
        return;
      } catch (error) {
        if (signal.aborted) break;
        const isCoded = error instanceof CountersignError || error instanceof VerificationError;
        if (isCoded && error.temporary) {
          await pause(Math.min(Math.max(error.retryAfterMs ?? 0, AGAIN_MS), MOST_AGAIN_MS), signal);
          continue;
        }
        if (!isCoded || !ANSWERS.includes(error.code)) throw error;
        if (error.code !== 'not-a-party' || this.isOwed(at)) closed.push({ ...at, code: error.code });
        else this.refused.add(mailbox!);
        return;
      }
    }
    unanswered.push(at);
  }
}
