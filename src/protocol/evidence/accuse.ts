/**
 * Accuses: from what clients hold and holders have opened, finds evidence. It tries every rule on everything that could
 * fit and keeps what the verdict says of it, so that there is one place where guilt is decided. What names an actor is
 * better than what names the server.
 */
import { sha256 } from '#crypto';
import { type Attestation, attestationHash, inputsHash, ROLE, type Role } from '../attestation.js';
import { compareWhole, equalBytes, sameBytes, toHex } from '../bytes.js';
import type { Claim } from '../claim.js';
import type { Checkpoint } from '../log.js';
import { rootShown } from '../merkle.js';
import type { OpenedHandOver } from '../opened-hand-over.js';
import { submissionHash } from '../pages.js';
import { comparePlaces } from '../place.js';
import type { OpenedLeaf, Signed } from '../statement.js';
import type { ShownSubmission } from '../submission.js';
import { type KnownHandOver, knownHandOvers, ofHandOvers } from './accuse-handed.js';
import { CaseManifests } from './case-manifests.js';
import { type Evidence, encodeEvidence, RULE, type Subject } from './evidence.js';
import type { Recipient } from './message.js';
import { ownMessages } from './own-messages.js';
import {
  claimsOf,
  combinations,
  decodedOrNull,
  grouped,
  neighboursIn,
  pairs,
  placeOf,
  rowsOf,
  type Testimony,
  witnesses,
} from './testimony.js';
import { judgeOf, type Verdict } from './verdict.js';

/** All that is known of a case. */
export interface CaseFile {
  readonly manifests: Evidence['manifests'];
  /** Opened leaves, as clients and holders gave them. Those of a statement without a leaf have an empty one. */
  readonly claims: readonly Claim[];
  /** Statements by themselves. */
  readonly statements?: readonly Signed[];
  readonly checkpoints?: readonly Checkpoint[];
  /** Preimages of message hashes. */
  readonly messages?: readonly Uint8Array[];
  /** That rows of inboxes name. */
  readonly submissions?: readonly ShownSubmission[];
  /**
   * What one client has and another one misses: a place, the mailbox that misses it, and what shows that it is for it. Or the mailbox
   * that has it, and what shows that it is not for it.
   */
  readonly subject?: Pick<Subject, 'mailbox' | 'epoch' | 'inbox' | 'index'> & {
    readonly message?: Uint8Array;
    readonly recipients?: readonly Recipient[];
    /** Mailboxes that have it; where nothing is said the mailbox itself. */
    readonly others?: readonly Uint8Array[];
  };
  /** Of moves, with what is opened of them. */
  readonly handOvers?: readonly OpenedHandOver[];
  /** The consistency proof between two sizes of the log; empty where there is none. */
  readonly bridge?: (from: number, to: number) => Uint8Array;
  /** What may have been the root of a larger log at a smaller size, where that proof does not tell. */
  readonly roots?: readonly Uint8Array[];
}

export interface Accusation {
  readonly evidence: Uint8Array;
  readonly verdict: Verdict;
}

/**
 * Null when nothing is proven. Of several guilty actors the earliest in the pipeline: those behind it may have signed
 * what it gave them. Throws `RangeError` when there is too much to try.
 */
export function accuse(file: CaseFile, serverId: Uint8Array, rootKey: Uint8Array): Accusation | null {
  const judge = judgeOf(file.manifests, serverId, rootKey);
  const candidates = new Candidates(file);
  let best: { evidence: Evidence; verdict: Verdict } | null = null;
  let judged = 0;
  const consider = (all: Iterable<Parts>) => {
    for (const parts of all) {
      if (++judged > MOST_JUDGED)
        throw new RangeError(`more than ${MOST_JUDGED} candidates: give fewer claims`);
      const evidence = { manifests: file.manifests, ...parts } as Evidence;
      const found = judge(evidence);
      if (best && rank(found.verdict) >= rank(best.verdict)) continue;
      const manifests = file.manifests.slice(0, found.named);
      best = { evidence: { ...evidence, manifests }, verdict: found.verdict };
    }
    return best && rank(best.verdict) < PROVES_NOTHING ? best : null;
  };
  const found = consider(candidates.ofActors()) ?? consider(candidates.ofServer());
  return found && { evidence: encodeEvidence(found.evidence), verdict: found.verdict };
}

/** Pieces of evidence that are tried: some seconds. */
const MOST_JUDGED = 50_000;
/** Ways to put together what a statement was made of, where somebody has made several for one epoch. */
const MOST_COMBINATIONS = 1024;

const PROVES_NOTHING = 100;

function rank(verdict: Verdict): number {
  if (verdict.outcome === 'actor') return verdict.role;
  if (verdict.outcome === 'operator') return 0;
  return verdict.outcome === 'server' ? 50 : PROVES_NOTHING;
}

type Parts = { readonly rule: number } & Readonly<Record<string, unknown>>;

const NOTHING = new Uint8Array(0);

class Candidates {
  private readonly testimonies: readonly Testimony[];
  private readonly statements: readonly { readonly signed: Signed; readonly decoded: Attestation }[];
  private readonly manifests: CaseManifests;
  private readonly handOvers: readonly KnownHandOver[];

  constructor(private readonly file: CaseFile) {
    this.manifests = new CaseManifests(file.manifests);
    this.testimonies = grouped(file.claims);
    this.handOvers = knownHandOvers(file.handOvers ?? []);
    const all = [...file.claims, ...(file.statements ?? [])].map(({ attestation, signature }) => ({
      attestation,
      signature,
    }));
    const different = new Map(all.map((signed) => [toHex(signed.attestation), signed]));
    this.statements = [...different.values()].flatMap((signed) => {
      const decoded = decodedOrNull(signed.attestation);
      return decoded ? [{ signed, decoded }] : [];
    });
  }

  /** By rules that name an actor. */
  *ofActors(): Generator<Parts> {
    yield* this.ofStatements();
    yield* this.ofLeaves();
    yield* this.ofInboxes();
    yield* this.ofLog();
    yield* this.ofMailboxes();
    yield* this.ofMoves();
    if (this.file.subject) yield* this.ofNeighbours(this.file.subject);
  }

  /** By rules that name the server. */
  *ofServer(): Generator<Parts> {
    for (const own of ownMessages(this.file.claims, this.file.messages ?? []))
      yield { rule: RULE.ownCounters, ...own };
    if (this.file.subject) yield* this.ofStages(this.file.subject);
  }

  private bridge(a: Pick<Checkpoint, 'size'>, b: Pick<Checkpoint, 'size'>): Uint8Array {
    if (a.size === b.size) return NOTHING;
    return this.file.bridge?.(Math.min(a.size, b.size), Math.max(a.size, b.size)) ?? NOTHING;
  }

  // ---- statements and leaves by themselves

  private *ofStatements(): Generator<Parts> {
    for (const { signed } of this.statements) yield { rule: RULE.malformedStatement, statement: signed };
    for (const [a, b] of pairs(this.statements)) {
      if (actorOf(a.decoded) !== actorOf(b.decoded) || a.decoded.epoch !== b.decoded.epoch) continue;
      const [first, second] = inOrder([a.signed, b.signed], ({ attestation }) => attestation);
      yield { rule: RULE.twoStatements, first, second };
    }
  }

  private *ofLeaves(): Generator<Parts> {
    for (const { leaves, ...statement } of this.testimonies) {
      for (const leaf of leaves) yield { rule: RULE.malformedLeaf, opened: { ...statement, ...leaf } };
      for (const [first, second] of neighboursIn(leaves)) {
        const { output } = statement;
        yield { rule: RULE.unsortedLeaves, statement, output, first, second };
      }
    }
  }

  // ---- inboxes

  private named() {
    return this.testimonies
      .filter(({ decoded }) => decoded.role === ROLE.inbox)
      .flatMap(claimsOf)
      .flatMap((claim) => rowsOf(claim).map((hashes, row) => ({ claim, row, ...hashes })));
  }

  /** Rows whose messages are known. */
  private numbered(named: ReturnType<Candidates['named']>, messages: ReadonlyMap<string, Uint8Array>) {
    return named
      .flatMap(({ claim, row, hash }) => {
        const message = messages.get(toHex(hash));
        return message ? [{ claim, row, message }] : [];
      })
      .sort((a, b) => comparePlaces(placeOf(a), placeOf(b)));
  }

  private messages(): Map<string, Uint8Array> {
    return new Map((this.file.messages ?? []).map((each) => [toHex(sha256(each)), each]));
  }

  private *ofInboxes(): Generator<Parts> {
    const [named, messages] = [this.named(), this.messages()];
    const numbered = this.numbered(named, messages);
    for (const { claim, row, message } of numbered)
      yield { rule: RULE.inboxRow, opened: claim, row, message: [message], recipients: [], submission: [] };
    const inboxes = this.statements.filter(({ decoded }) => decoded.role === ROLE.inbox);
    for (const { claim, row, previous } of named) {
      yield { rule: RULE.inboxRow, opened: claim, row, message: [], recipients: [], submission: [] };
      for (const { signed, decoded } of inboxes) {
        const isThat = decoded.epoch === previous.epoch && decoded.actor === previous.inbox;
        if (isThat && previous.index >= (decoded.outputs[0]?.entries ?? 0))
          yield { rule: RULE.previousPlace, opened: claim, row, statement: signed };
      }
    }
    for (const { claim, row, hash, submissionHash } of named) {
      const message = messages.get(toHex(hash));
      for (const submission of this.submissionsOf(submissionHash, message))
        yield { rule: RULE.inboxRow, opened: claim, row, recipients: [], ...submission };
    }
    for (const [earlier, later] of pairs(numbered)) {
      if (earlier.claim.decoded.actor !== later.claim.decoded.actor) continue;
      const bridge = this.bridge(earlier.claim.checkpoint, later.claim.checkpoint);
      yield { rule: RULE.senderOrder, earlier, later, bridge };
    }
  }

  /** What could be wrong with a submission: itself, or its page. With the message, and without. */
  private *submissionsOf(hash: Uint8Array, message: Uint8Array | undefined) {
    for (const { page, pagePath, ...signed } of this.file.submissions ?? []) {
      if (!equalBytes(submissionHash(signed.signed, signed.signature), hash)) continue;
      const forms = [
        { ...signed, page: NOTHING, pagePath: NOTHING },
        { ...signed, page, pagePath },
      ];
      for (const submission of forms)
        for (const known of message ? [[], [message]] : [[]])
          yield { message: known, submission: [submission] };
    }
  }

  // ---- the log

  private *ofLog(): Generator<Parts> {
    const known = [...(this.file.checkpoints ?? []), ...this.file.claims.map(({ checkpoint }) => checkpoint)];
    yield* this.ofTwoLogs();
    for (const [a, b] of pairs(known)) {
      if (a.size !== b.size || equalBytes(a.root, b.root)) continue;
      const [first, second] = inOrder([a, b], ({ root }) => root);
      yield { rule: RULE.twoRoots, first, second };
    }
    const leaves = [...new Map(this.file.claims.map((claim) => [toHex(claim.epochLeaf), claim])).values()];
    for (const leaf of leaves) {
      yield { rule: RULE.malformedLogLeaf, leaf };
      for (const checkpoint of known) yield { rule: RULE.falseBase, leaf, checkpoint };
    }
    for (const [a, b] of pairs(leaves)) {
      const isOne = a.logIndex === b.logIndex;
      const [first, second] = inOrder([a, b], ({ epochLeaf }) => epochLeaf);
      const [earlier, later] = isOne ? [first, second] : a.logIndex < b.logIndex ? [a, b] : [b, a];
      yield { rule: RULE.logOrder, earlier, later };
    }
    for (const testimony of this.testimonies) yield* this.ofEntries(testimony);
  }

  /** Of checkpoints that were given as such: there may be many claims. */
  private *ofTwoLogs(): Generator<Parts> {
    for (const [a, b] of pairs(this.file.checkpoints ?? [])) {
      const [earlier, later] = a.size < b.size ? [a, b] : [b, a];
      const bridge = this.bridge(earlier, later);
      const shown = rootShown(earlier.size, later.size, later.root, bridge);
      for (const root of [...(shown ? [shown] : []), ...(this.file.roots ?? [])])
        if (!equalBytes(root, earlier.root)) yield { rule: RULE.twoLogs, earlier, later, root, bridge };
    }
  }

  private *ofEntries(consumer: Testimony): Generator<Parts> {
    const position = this.manifests.positionOf(consumer);
    if (position !== null) yield { rule: RULE.logEntry, position, ...consumer };
    const beside = this.testimonies.filter(({ epochLeaf }) => equalBytes(epochLeaf, consumer.epochLeaf));
    const producers = this.manifests
      .producersOf(consumer)
      ?.map((each) =>
        beside.find(({ decoded }) => decoded.role === each.role && decoded.actor === each.index),
      );
    if (!producers?.every((each) => each !== undefined)) return;
    const entries = producers.map(({ hash, signature, actorPath }) => ({ hash, signature, actorPath }));
    yield { rule: RULE.logInputs, ...consumer, consumer, producers: entries };
  }

  // ---- mailboxes and stages

  private leavesOfOutboxes() {
    return this.testimonies.filter(({ decoded }) => decoded.role === ROLE.outbox).flatMap(claimsOf);
  }

  private ofMoves(): Generator<Parts> {
    const leaves = this.leavesOfOutboxes();
    const rows = this.numbered(this.named(), this.messages());
    const { handOvers } = this;
    return ofHandOvers({ handOvers, leaves, rows, bridge: (a, b) => this.bridge(a, b) });
  }

  private *ofMailboxes(): Generator<Parts> {
    const leaves = this.leavesOfOutboxes();
    for (const [a, b] of pairs(leaves)) {
      if (!isOfOneMailbox(a, b)) continue;
      const isOrdered =
        a.decoded.epoch === b.decoded.epoch ? a.leafIndex < b.leafIndex : a.decoded.epoch < b.decoded.epoch;
      const [earlier, later] = isOrdered ? [a, b] : [b, a];
      const bridge = this.bridge(a.checkpoint, b.checkpoint);
      yield { rule: RULE.mailboxLeaves, earlier, later, bridge };
    }
  }

  /** A subject by itself, and with the message opened. */
  private subjects(subject: NonNullable<CaseFile['subject']>) {
    const { message, recipients = [], others: _, ...place } = subject;
    return {
      bare: { ...place, message: [], recipients: [] },
      open: { ...place, message: message ? [message] : [], recipients },
      atPlace: this.testimonies.filter(({ decoded }) => decoded.epoch === place.epoch),
      later: this.testimonies.filter(
        ({ decoded }) => decoded.role === ROLE.outbox && decoded.epoch > place.epoch,
      ),
    };
  }

  private *ofNeighbours(subject: NonNullable<CaseFile['subject']>): Generator<Parts> {
    const { bare, open, atPlace, later } = this.subjects(subject);
    for (const consumer of atPlace)
      for (const producer of atPlace) {
        const inputs = this.inputsOf(consumer, producer);
        if (!inputs) continue;
        for (const earlier of witnesses(producer)) {
          for (const each of witnesses(consumer))
            for (const subject of [bare, open])
              yield { rule: RULE.neighbours, ...subject, earlier, later: each, inputs };
          for (const leaf of later.flatMap(claimsOf)) {
            const bridge = this.bridge(consumer.checkpoint, leaf.checkpoint);
            const rest = { consumer, inputs, later: leaf, bridge };
            yield { rule: RULE.laterLeaf, ...consumer, ...bare, earlier, ...rest };
          }
          for (const { said, from } of this.handOvers)
            for (const handOver of from) {
              const bridge = this.bridge(consumer.checkpoint, said.log);
              const rest = { consumer, inputs, handOver, bridge };
              yield { rule: RULE.lostInHandOver, ...consumer, ...bare, earlier, ...rest };
            }
        }
      }
  }

  private *ofStages(subject: NonNullable<CaseFile['subject']>): Generator<Parts> {
    const { bare, open, atPlace, later } = this.subjects(subject);
    const { others = [subject.mailbox] } = subject;
    for (const a of atPlace)
      for (const b of [...atPlace, ...later].filter(({ decoded }) => decoded.role !== ROLE.inbox)) {
        const bridge = this.bridge(a.checkpoint, b.checkpoint);
        const isInbox = a.decoded.role === ROLE.inbox;
        for (const earlier of witnesses(a))
          for (const later of witnesses(b))
            for (const each of [bare, open])
              for (const other of isInbox ? [subject.mailbox] : others)
                yield { rule: RULE.stages, ...each, other, earlier, later, bridge };
      }
  }

  /** The hashes of what a statement was made of, when it was made of this one among others that are known. */
  private inputsOf(consumer: Testimony, producer: Testimony): Uint8Array[] | null {
    const { epoch } = consumer.decoded;
    const expected = this.manifests.producersOf(consumer);
    if (!expected?.some((each) => actorOf(producer.decoded) === `${each.role} ${each.index}`)) return null;
    const known = expected.map((each) =>
      this.statements
        .filter(({ decoded }) => decoded.epoch === epoch && actorOf(decoded) === `${each.role} ${each.index}`)
        .map(({ signed }) => attestationHash(signed.attestation)),
    );
    if (known.reduce((ways, hashes) => ways * hashes.length, 1) > MOST_COMBINATIONS) return null;
    const found = combinations(known).find((hashes) =>
      equalBytes(inputsHash(hashes), consumer.decoded.inputs),
    );
    return found?.some((hash) => equalBytes(hash, producer.hash)) ? found : null;
  }
}

const actorOf = ({ role, actor }: { role: Role; actor: number }) => `${role} ${actor}`;

/** A link's part and a still both begin with their prefix of 9 bytes and the mailbox. */
const isOfOneMailbox = (a: OpenedLeaf, b: OpenedLeaf) => sameBytes(a.leaf, 9, b.leaf, 9, 32);

function inOrder<T>([a, b]: readonly [T, T], key: (value: T) => Uint8Array): [T, T] {
  return compareWhole(key(a), key(b)) < 0 ? [a, b] : [b, a];
}
