/**
 * Skipped counters: the server has shown a client its own chain, and in it two of its messages, one after the other, whose
 * counters are not. The client refuses that frame. What vectors keep convicts the server of it: the
 * claims of the newest links, which the log as it is known leads on to the frame's checkpoint, and what was hashed of the
 * messages in them. Which actor it was is asked for then (complaint.ts), over a socket of its own, as those of the client are closed.
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
import { claimParts } from './claim-making.js';
import { ComparisonError } from './comparison-error.js';
import type { Gateway } from './gateway.js';
import { judging } from './judging.js';
import { claimUnder, rangeOf } from './log-range.js';
import type { LogState } from './log-state.js';
import type { Member } from './member.js';
import type { BundleOf, PairReader } from './pair-messages.js';
import { MemoryStore, nothingSaved } from './store.js';
import type { VectorBook } from './vector-book.js';
import { overFrame, type VerificationError } from './verification-error.js';
import { isLink, type OwnMessages, Verification, type VerifiedDelivery } from './verifier.js';
import type { World } from './world.js';

/** Parts of links that evidence has at the most (rule 19). */
const MOST_LINKS = 8;

/** Messages that are skipped of which it is told what was sent. */
const MOST_LOST = 64;
/** All that is asked for may take as long. */
const MOST_MS = 30_000;

/**
 * Where a client's only mailbox is shown a chain that skips a counter, what proves it to others is told, or why nothing does;
 * `book`: told of all that was verified before; `signal`: the client's.
 */
export function watchSkips(
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
        (evidence) => {
          if (evidence) events.emit('evidence', { mailbox: 0, evidence });
        },
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
  async function refused(error: VerificationError, asker: Gateway, opened: Promise<boolean>) {
    const found = await accuseOfSkip(gateway, member, book(), reader, bundleOf, error.frame);
    if (!found) return null;
    error.evidence = found.evidence;
    if (await opened) error.evidence = await narrowed(asker, found);
    return error.evidence;
  }
}

/**
 * `frame`: the delivery that was refused, right behind what the book has. Null where it skips no counter. Rejects with
 * `ComparisonError`: `malformed` where more is wrong with the frame, `let-go` where the message before the skip is not kept,
 * and `nothing-proven`.
 */
async function accuseOfSkip(
  { ground: { world } }: Gateway,
  member: Member,
  book: VectorBook,
  reader: PairReader,
  bundleOf: BundleOf,
  frame: Uint8Array,
): Promise<Skipped | null> {
  // All of this at once: what is known changes no more, but is let go with the client.
  const { delivery, link, skip } = again(world, member, frame);
  if (!skip) return null;
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

/** What was hashed of the newest messages that are skipped, while they are not forgotten. */
function lostOf({ after, counter }: Skip, reader: PairReader, bundleOf: BundleOf): Uint8Array[] {
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
  const limit = AbortSignal.timeout(MOST_MS);
  asker.endWith(signal ? AbortSignal.any([limit, signal]) : limit);
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

interface Skip {
  readonly after: number;
  readonly counter: number;
  /** Of the later message, among those of the frame. */
  readonly row: number;
}

/** A frame once more, whatever its messages of the owner are. */
class Again extends Verification {
  skip: Skip | null = null;

  protected override checkOwn(_: OwnMessages, counter: number, hashAt: number): void {
    const after = this.ownCounter;
    if (after >= 0 && counter !== after + 1)
      this.skip ??= { after, counter, row: Math.floor(hashAt / LINK_ENTRY_BYTES) };
  }
}

/** The delivery as it would have been taken over, and where it skips a counter. */
function again(world: World, { mailbox, outbox, session }: Member, frame: Uint8Array) {
  try {
    return overFrame(frame, () => {
      const verification = new Again(world, outbox, decodeDeliver(frame));
      const delivery = verification.run(session!.log, () => mailbox.state!);
      return { delivery, link: delivery.mailboxes.find(isLink)!, skip: verification.skip };
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
