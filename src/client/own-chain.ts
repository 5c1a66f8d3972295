/**
 * Own chain: the server has shown a client its own chain, and in it what the client has not sent. The client refuses that frame.
 * Two of its messages, one after the other, whose counters are not: what vectors keep convicts the server of that, the
 * claims of the newest links, which the log as it is known leads on to the frame's checkpoint, and what was hashed of the
 * messages in them. Which actor it was is asked for then (complaint.ts). A message that was altered, or put in: what the stages
 * have signed of its place says who did it. They are asked over a socket of its own, as those of the client are closed.
 */
import {
  COUNTER_AT,
  CountersignError,
  decodeClaim,
  decodeDeliver,
  encodeClaim,
  equalBytes,
  getU64,
  LINK_ENTRY_BYTES,
  SENDER_AT,
} from '../protocol/index.js';
import { claimEntry, claimParts } from './claim-making.js';
import { ComparisonError } from './comparison-error.js';
import type { Gateway } from './gateway.js';
import { judging } from './judging.js';
import { claimUnder, rangeOf } from './log-range.js';
import type { LogState } from './log-state.js';
import type { Member } from './member.js';
import type { OpenOptions } from './openings.js';
import type { BundleOf, PairReader } from './pair-messages.js';
import { pause } from './pause.js';
import { Proofs, sizesOf } from './proofs.js';
import { MemoryStore, nothingSaved } from './store.js';
import { withTimeLimit } from './time-limit.js';
import type { VectorBook } from './vector-book.js';
import { overFrame, type VerificationError } from './verification-error.js';
import {
  isLink,
  type OwnMessages,
  Verification,
  type VerifiedDelivery,
  type VerifiedLink,
} from './verifier.js';
import type { World } from './world.js';

/** Parts of links that evidence has at the most (rule 19). */
const MOST_LINKS = 8;

/** Messages that are skipped of which it is told what was sent. */
const MOST_LOST = 64;
/** All that is asked for may take as long. */
const MOST_MS = 30_000;
/** From one question to the next of a stage that is busy, at least. */
const AGAIN_MS = 1000;

/** What the stages have signed of a place, in their order. */
const STAGES = ['inbox', 'router', 'receiver', 'outbox'] as const;

/**
 * Where a client's only mailbox is shown a chain of what it has not sent, what proves it to others is told, or why nothing does;
 * `book`: told of all that was verified before; `signal`: the client's.
 */
export function watchOwnChain(
  gateway: Gateway,
  member: Member,
  reader: PairReader,
  bundleOf: BundleOf,
  book: () => VectorBook,
  signal: AbortSignal | undefined,
): void {
  gateway.on('state', ({ state, reason }) => {
    // No class of the client's: in browsers this file has its own.
    const { step } = (reason ?? {}) as Partial<VerificationError>;
    if (state !== 'failed' || step !== 'own-message') return;
    const { closing, events } = gateway;
    const asker = askerFor(gateway, member);
    // To close it is to end this, and wait until it has.
    gateway.closed = () => void asker.close();
    // At once: whatever the application opens of this key from now on is newer, and displaces it, not the other way round.
    const opened = opening(asker, signal);
    const told = refused(reason as VerificationError, asker, opened)
      .finally(() => asker.close())
      .then(
        (evidence) => events.emit('evidence', { mailbox: 0, evidence }),
        (error: unknown) => {
          if (!(error instanceof ComparisonError || error instanceof CountersignError)) throw error;
          events.emit('suspicion', { mailbox: 0, error });
        },
      )
      .finally(() => closing);
    // What a listener or the store throws is told to who closes the client.
    told.catch(() => {});
    gateway.closing = told;
  });
  /** All that is needed of the client at once: what is known changes no more, but is let go with it. */
  async function refused(error: VerificationError, asker: Gateway, opened: Promise<boolean>) {
    const shown = again(gateway.ground.world, member, error.frame);
    const of = shown.unsent.isSkip
      ? accuseOfSkip(gateway, member, book(), reader, bundleOf, error.frame, shown)
      : Promise.reject(
          new ComparisonError('nothing-proven', `counter ${shown.unsent.counter} is another message`),
        );
    const found = await of.catch(async (unproven: unknown) => {
      const evidence = (await opened) ? await accuseByStages(gateway, asker, shown) : null;
      if (!evidence) throw unproven;
      return { evidence, lost: null };
    });
    const { evidence, lost } = found;
    error.evidence = evidence;
    if (lost && (await opened)) error.evidence = await narrowed(asker, { evidence, lost });
    return error.evidence;
  }
}

/**
 * `frame`: the delivery that was refused, right behind what the book has. Rejects with `ComparisonError`: `let-go` where the
 * message before the skip is not kept, and `nothing-proven`.
 */
async function accuseOfSkip(
  { ground: { world } }: Gateway,
  member: Member,
  book: VectorBook,
  reader: PairReader,
  bundleOf: BundleOf,
  frame: Uint8Array,
  { delivery, link, unsent: skip }: Shown,
): Promise<Skipped> {
  const { log } = member.session!;
  const claims = [
    ...heldUnder(book, log, delivery, frame),
    ...claimParts(link, skip.row - link.firstRow, MOST_LINKS),
  ];
  const kept = book.epochs.newest(MOST_LINKS).flatMap((epoch) => epoch.messages);
  const messages = [...kept, ...reader.read(link, bundleOf).messages].map(({ preimage }) => preimage);
  const isKept = messages.some((each) => isOf(each, link.mailbox, skip.after));
  if (!isKept)
    throw new ComparisonError('let-go', `message ${skip.after} is not kept, which ${skip.counter} follows`);
  const lost = lostOf(skip, reader, bundleOf);
  const { accuseOfChain } = await judging.get();
  const { manifests, manifest, serverId } = world;
  const found = accuseOfChain(claims, messages, manifests, serverId, manifest.rootKey);
  if (found) return { evidence: found.evidence, lost };
  throw new ComparisonError(
    'nothing-proven',
    `what is between messages ${skip.after} and ${skip.counter} is not known`,
  );
}

/**
 * Evidence by what the stages open of the place of a message that was not sent: of the actor, else of the server. Null where
 * nothing is proven, or opened.
 */
async function accuseByStages(
  { ground: { http, world } }: Gateway,
  asker: Gateway,
  { link, unsent }: Shown,
): Promise<Uint8Array | null> {
  const row = unsent.row - link.firstRow;
  const { epoch } = link.delivery.epochLeaf;
  const { inbox, index } = link.entries[row]!;
  const { mailbox } = link;
  const { manifests, serverId } = world;
  const claims = [claimEntry(link, row)];
  const sizes = sizesOf(claims);
  const proofs = new Proofs(http, asker.ending.signal);
  // What is wrong with an opening by itself, as with a submission that the sender did not sign.
  const told: Uint8Array[] = [];
  asker.on('evidence', ({ evidence }) => told.push(evidence));
  const { accuseOfPlace } = await judging.get();
  const place = { epoch, inbox, index, lacking: mailbox, having: mailbox, message: null, shownTo: null };
  let found: Uint8Array | null = null;
  for (const stage of STAGES) {
    claims.push(...(await openedBy(asker, { stage, epoch, inbox, index })));
    if (told[0]) return told[0];
    const bridge = await proofs.between(sizes, claims, []);
    const accused = accuseOfPlace({ ...place, serverId, manifests, claims, bridge });
    found = accused?.evidence ?? found;
    if (accused?.verdict.outcome === 'actor') break;
  }
  return found;
}

/** Claims on what a stage has signed; none where it does not say before the asker is closed. */
async function openedBy(asker: Gateway, asked: OpenOptions): Promise<readonly Uint8Array[]> {
  const { signal } = asker.ending;
  for (;;) {
    try {
      return (await asker.open(0, asked)).claims;
    } catch (error) {
      // No class of the client's.
      const { code, temporary, retryAfterMs = 0 } = error as Partial<CountersignError>;
      if (!code) throw error;
      if (!temporary || signal.aborted) return [];
      await pause(Math.max(retryAfterMs, AGAIN_MS), signal);
    }
  }
}

/** What was hashed of the newest messages that are skipped, while they are not forgotten. */
function lostOf({ after, counter }: Unsent, reader: PairReader, bundleOf: BundleOf): Uint8Array[] {
  const lost: Uint8Array[] = [];
  for (let each = Math.max(after + 1, counter - MOST_LOST); each < counter; each++) {
    const bundle = bundleOf(each);
    if (bundle) lost.push(reader.preimageOf(each, bundle));
  }
  return lost;
}

/** Evidence of the actor, where what is opened to the client names it; else what there is. */
async function narrowed(asker: Gateway, { evidence, lost }: Skipped): Promise<Uint8Array> {
  const shown: Uint8Array[] = [];
  asker.on('evidence', (told) => shown.push(told.evidence));
  const complaint = await asker.complain(0, evidence, { lost }).catch(() => null);
  if (complaint?.verdict.outcome === 'actor') return complaint.evidence;
  return shown[0] ?? evidence;
}

/**
 * Whether it is, in the end. It is closed when the time is up, as the signal says, and when its socket is lost: that is not opened
 * again, as a next life of the client has one by then.
 */
function opening(asker: Gateway, signal: AbortSignal | undefined): Promise<boolean> {
  asker.on('state', ({ state }) => state === 'connecting' && void asker.close());
  asker.endWith(withTimeLimit(MOST_MS, signal));
  return asker.connect(asker.ending.signal).then(
    () => true,
    () => false,
  );
}

/** A client of the same key and server that knows nothing but the log, and opens a front session alone. */
function askerFor(gateway: Gateway, { identity, outbox, session }: Member): Gateway {
  const saved = nothingSaved();
  saved.logs.set(outbox, { checkpoint: session!.proven, frontier: new Uint8Array(0) });
  const ground = { ...gateway.ground, saved, store: new MemoryStore() };
  // The client's own: in browsers this file has another.
  const made = gateway.constructor as typeof Gateway;
  return new made(ground, [identity], gateway.settings, null);
}

/** Evidence against the server, and what was hashed of the messages that are skipped. */
interface Skipped {
  readonly evidence: Uint8Array;
  readonly lost: readonly Uint8Array[];
}

/** What was not sent: the first of it in a frame. */
interface Unsent {
  /** Whether the counter skips some; else it is another message, or none has it. */
  readonly isSkip: boolean;
  /** Counter of the owner's message before; −1 = not known. */
  readonly after: number;
  readonly counter: number;
  /** Among the entries of the frame. */
  readonly row: number;
}

interface Shown {
  readonly delivery: VerifiedDelivery;
  readonly link: VerifiedLink;
  readonly unsent: Unsent;
}

/** A frame once more, whatever its messages of the owner are. */
class Again extends Verification {
  unsent: Unsent | null = null;

  protected override checkOwn(own: OwnMessages, counter: number, hashAt: number): void {
    const after = this.ownCounter;
    const isSkip = after >= 0 && counter !== after + 1;
    if (isSkip || !own.matches(counter, this.rows, hashAt))
      this.unsent ??= { isSkip, after, counter, row: Math.floor(hashAt / LINK_ENTRY_BYTES) };
  }
}

/** The delivery as it would have been taken over. Throws `ComparisonError` (`malformed`) where more is wrong with it. */
function again(world: World, { mailbox, outbox, session }: Member, frame: Uint8Array): Shown {
  try {
    return overFrame(frame, () => {
      const verification = new Again(world, outbox, decodeDeliver(frame));
      const delivery = verification.run(session!.log, () => mailbox.state!);
      return { delivery, link: delivery.mailboxes.find(isLink)!, unsent: verification.unsent! };
    });
  } catch (cause) {
    throw new ComparisonError('malformed', String(cause), { cause });
  }
}

/** The newest links that are kept, under the frame's checkpoint. */
function heldUnder(
  book: VectorBook,
  log: LogState,
  delivery: VerifiedDelivery,
  frame: Uint8Array,
): Uint8Array[] {
  const grown = delivery.log === log ? [] : [rangeOf(log, delivery.log, frame, delivery.mailboxes[0])];
  const kept = book.epochs.newest(MOST_LINKS).flatMap((epoch) => {
    const ranges = [...book.logAt(epoch), ...grown];
    return epoch.claims
      .slice(-MOST_LINKS)
      .map((claim) => claimUnder(decodeClaim(claim), delivery.log.checkpoint, ranges));
  });
  return kept.flatMap((claim) => (claim ? [encodeClaim(claim)] : [])).slice(-MOST_LINKS);
}

function isOf(preimage: Uint8Array, sender: Uint8Array, counter: number): boolean {
  return (
    preimage.length > COUNTER_AT &&
    equalBytes(preimage.subarray(SENDER_AT, COUNTER_AT), sender) &&
    getU64(preimage, COUNTER_AT) === counter
  );
}
