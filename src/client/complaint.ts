/**
 * Complaint: with evidence that the server is faulty, each stage is asked to open what it has signed of the place. The evidence
 * is not sent. What they open narrows it, mostly to one actor; what stays closed is suspected, and proves nothing. Asked for is what the one who
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
  type Place,
  ROLE,
  STAGE,
} from '../protocol/index.js';
import { abortedError } from './abortable.js';
import type { Accusation } from './accusing.js';
import type { Gateway } from './gateway.js';
import { movesOf } from './hand-overs.js';
import { judging } from './judging.js';
import type { OpenOptions } from './openings.js';
import { pause } from './pause.js';
import { Proofs, sizesOf } from './proofs.js';
import { withTimeLimit } from './time-limit.js';
import { VerificationError } from './verification-error.js';
import type { World } from './world.js';

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
  /** Where one's own chain skips counters: what was hashed of the messages that had them, the newest last. @internal */
  readonly lost?: readonly Uint8Array[];
}

/** The evidence after all, and what it proves to anybody: the actor, or still only the server. */
export interface Complaint extends Accusation {
  readonly closed: readonly ClosedStage[];
  /** Who did not answer before the time was up, or the client was over. */
  readonly unanswered: readonly AskedStage[];
}

type Wanted = AskedStage & Pick<OpenOptions, 'epoch' | 'index'>;

const STAGES = ['router', 'receiver', 'outbox'] as const;
/** A receiver's statement names all routers, so theirs are asked for too: of so many inboxes at the most. */
const MOST_INBOXES = 64;
/** From one question to the next of a stage that is busy, whatever it says. */
const AGAIN_MS = 1000;
const MOST_AGAIN_MS = 60_000;

/**
 * `mailbox`: whose openings are asked for, by the position of its key. When the time is up, or the client is over, what was opened
 * until then is judged. Rejects with `TypeError` on what is no evidence against this server, with what the client was over with before,
 * and as the signal says.
 */
export async function complaintOf(
  gateway: Gateway,
  mailbox: number,
  evidence: Uint8Array,
  { timeoutMs = 300_000, signal, lost = [] }: ComplainOptions = {},
): Promise<Complaint> {
  gateway.living(mailbox);
  const judge = await judging.get(signal);
  const { serverId, manifest } = gateway.ground.world;
  const judged = judge.verdict(evidence, serverId, manifest.rootKey);
  if (judged.outcome === 'unreadable' || judged.outcome === 'nothing')
    throw new TypeError(`evidence: proves nothing against this server: ${judged.text}`);
  const ending = withTimeLimit(timeoutMs, gateway.ending.signal, signal);
  const asking = new Asking(gateway, mailbox, ending);
  const known = { evidence, verdict: judged };
  const found = await narrowed(judge, asking, await ofSkip(judge, asking, known, lost));
  if (signal?.aborted) throw abortedError(signal);
  const { closed, unanswered } = asking;
  return { ...found, closed, unanswered };
}

type Judge = typeof import('../protocol/evidence/index.js');

/** Of a chain that skips a counter: by the inbox's row of the later message, and by that of the one that this goes on from. */
async function ofSkip(
  judge: Judge,
  asking: Asking,
  known: Accusation,
  lost: readonly Uint8Array[],
): Promise<Accusation> {
  const skip = known.verdict.outcome === 'server' ? judge.skippedCounter(known.evidence) : null;
  // To another key than the sender's nothing of it is opened.
  if (!skip || !asking.isOwn(skip.sender)) return known;
  await asking.one(entryAt(skip));
  const before = judge.placeBefore(asking.claims, skip);
  if (before) await asking.one(entryAt(before));
  const { claims, world } = asking;
  const bridge = await asking.bridge([...skip.sizes, ...sizesOf(claims)]);
  return judge.accuseOfSkip(known.evidence, claims, lost, world.serverId, bridge) ?? known;
}

/** Of a place where two mailboxes differ. */
async function narrowed(judge: Judge, asking: Asking, known: Accusation): Promise<Accusation> {
  const place = known.verdict.outcome === 'server' ? judge.disputedPlace(known.evidence) : null;
  if (!place) return known;
  for (const group of asking.groups(place)) {
    for (const each of group) await asking.one(each);
    const { claims, handOvers, world } = asking;
    const bridge = await asking.bridge(place.sizes);
    const again = judge.accuseAgain(known.evidence, claims, handOvers, world.serverId, bridge);
    if (again?.verdict.outcome === 'actor') return again;
  }
  return known;
}

/** The entry at the inbox. */
function entryAt({ epoch, inbox, index }: Place): Wanted {
  return { stage: 'inbox', epoch, inbox, index, mailbox: null };
}

/** Asks for openings one after the other: the server bounds how many. */
class Asking {
  readonly claims: Uint8Array[] = [];
  readonly handOvers: Uint8Array[] = [];
  readonly closed: ClosedStage[] = [];
  readonly unanswered: AskedStage[] = [];
  readonly world: World;
  private readonly own: Uint8Array;
  private readonly proofs: Proofs;
  private readonly asked = new Set<string>();
  /** Whose items are not for the asker, the server says. */
  private readonly refused = new Set<Uint8Array>();

  constructor(
    private readonly gateway: Gateway,
    private readonly asking: number,
    private readonly signal: AbortSignal,
  ) {
    const { http, world } = gateway.ground;
    this.own = gateway.id(asking);
    this.world = world;
    this.proofs = new Proofs(http, signal);
  }

  /** What may be asked for of a place, what tells most first. */
  groups(place: DisputedPlace): readonly (readonly Wanted[])[] {
    const { epoch, inbox, index, lacking, having } = place;
    const mailboxes = [lacking, ...(equalBytes(lacking, having) ? [] : [having])].filter((each) =>
      this.isAnswered(place, each),
    );
    mailboxes.sort((a, b) => Number(this.isOwn(b)) - Number(this.isOwn(a)));
    const { manifest } = inForceAt(inOrder(this.world.manifests), epoch);
    const inboxes = Math.min(MOST_INBOXES, countActors(manifest, ROLE.inbox));
    const others = [...Array(inboxes).keys()].filter((each) => each !== inbox);
    return [
      this.isAnswered(place, null) ? [entryAt(place)] : [],
      ...mailboxes.map((mailbox) => STAGES.map((stage) => ({ stage, epoch, inbox, index, mailbox }))),
      ...mailboxes.map((mailbox) =>
        others.map((inbox) => ({ stage: 'router' as const, epoch, inbox, index: 0, mailbox })),
      ),
      this.isOwn(lacking) ? this.moves(place) : [],
    ];
  }

  /** Of the mailbox that misses the message, whenever it was moved since. */
  private moves({ epoch, lacking: mailbox }: DisputedPlace): readonly Wanted[] {
    const at = { stage: 'mailbox-hand-over' as const, inbox: 0, index: 0, mailbox };
    return movesOf(this.world, mailbox, epoch).map((epoch) => ({ ...at, epoch }));
  }

  isOwn(mailbox: Uint8Array): boolean {
    return equalBytes(mailbox, this.own);
  }

  /** Whether an honest server may give this to the asker; null is the inbox's entry. */
  private isAnswered({ sender, having }: DisputedPlace, mailbox: Uint8Array | null): boolean {
    // Two messages at one place: both mailboxes have one, and whose they are is not known.
    if (!sender || this.isOwn(sender)) return true;
    return mailbox ? this.isOwn(mailbox) || equalBytes(mailbox, sender) : this.isOwn(having);
  }

  /** Whether it must: to what is another's, a server that lacks the message for one of the two says that the asker is no party. */
  private isOwed({ mailbox }: AskedStage): boolean {
    return !mailbox || this.isOwn(mailbox);
  }

  /** What leads from what evidence of these sizes is proven in to what is opened. */
  bridge(sizes: readonly number[]): Promise<(from: number, to: number) => Uint8Array> {
    return this.proofs.between(sizes, this.claims, this.handOvers);
  }

  /** Once each. */
  async one({ epoch, index, ...at }: Wanted): Promise<void> {
    const { asking, claims, closed, gateway, handOvers, signal, unanswered } = this;
    const { mailbox, ...where } = at;
    const name = [at.stage, epoch, at.inbox, index, mailbox].join(' ');
    if (this.asked.has(name) || (mailbox && this.refused.has(mailbox))) return;
    this.asked.add(name);
    const asked = { ...where, index, epoch, ...(mailbox && { mailbox }), signal };
    const into = isHandOver(STAGE[at.stage]) ? handOvers : claims;
    while (!signal.aborted) {
      try {
        into.push(...(await gateway.open(asking, asked)).claims);
        return;
      } catch (error) {
        if (signal.aborted || gateway.problem(asking)) break;
        if (!(error instanceof CountersignError || error instanceof VerificationError)) throw error;
        if (error.temporary) {
          await pause(Math.min(Math.max(error.retryAfterMs ?? 0, AGAIN_MS), MOST_AGAIN_MS), signal);
          continue;
        }
        if (error.code !== 'not-a-party' || this.isOwed(at)) closed.push({ ...at, code: error.code });
        else this.refused.add(mailbox!);
        return;
      }
    }
    unanswered.push(at);
  }
}
