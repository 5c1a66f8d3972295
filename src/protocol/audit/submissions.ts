/** Submissions of an inbox's entries: each entry names one that its sender has signed, and that covers its message. */
import { sha256 } from '#crypto';
import { concat, equalBytes, HASH_BYTES, sameBytes, ZERO_HASH } from '../bytes.js';
import { MAX_U16 } from '../limits.js';
import { SUBMISSIONS } from '../manifest.js';
import { INBOX_ROW_BYTES, rowAt, submissionBytes, submissionHash } from '../pages.js';
import { formatPlace } from '../place.js';
import { type ShownSubmission, type Submission, showSubmission } from '../submission.js';
import { entriesCase, messageAt } from './entries.js';
import type { KeptSubmission } from './source.js';
import type { EpochView, InboxRows, Senders } from './view.js';

/** Offset in a row. */
const SUBMISSION_AT = 32;
/** Whether of `bundles`, in the order in which a submission is made again. */
const WAYS = [false, true] as const;

export function auditSubmissions(
  view: EpochView,
  inbox: number,
  rows: InboxRows,
  submissions: readonly KeptSubmission[],
): void {
  new InboxSubmissions(view, inbox, rows, submissions).audit();
}

/** With the hash that entries name it by. */
interface Found {
  readonly submission: Submission;
  readonly signed: Uint8Array;
  readonly hash: Uint8Array;
}

class InboxSubmissions {
  private readonly names: string;
  /** Those of entries that are there, each behind the one before it. */
  private readonly placed: KeptSubmission[] = [];
  /** What names a submission, as made again with and without `bundles`; of those looked at. */
  private readonly hashes = new Map<KeptSubmission, readonly (Uint8Array | undefined)[]>();

  constructor(
    private readonly view: EpochView,
    private readonly inbox: number,
    private readonly rows: InboxRows,
    private readonly submissions: readonly KeptSubmission[],
  ) {
    this.names = `inbox ${inbox}`;
  }

  audit(): void {
    const { rows, submissions } = this;
    let covered = 0;
    for (const kept of submissions) {
      const { first, count } = kept;
      if (first < covered || count === 0 || first + count > rows.count) {
        this.report(
          `a submission that is kept of ${this.names} is of entries ${first} to ${first + count - 1}`,
        );
        continue;
      }
      this.without(covered, first);
      this.placed.push(kept);
      if (rows.senders) this.with(kept, rows.senders);
      covered = first + count;
    }
    this.without(covered, rows.count);
  }

  /** Entries of which no submission is kept. */
  private without(from: number, to: number): void {
    const { submissions: policy } = this.view.manifest.policy;
    for (let index = from; index < to; index++) {
      if (!this.isNamed(index, ZERO_HASH)) this.tell(index, 'names a submission that is not kept');
      else if (policy === SUBMISSIONS.required)
        this.tell(index, 'has no submission, which the manifest requires');
    }
  }

  private with(kept: KeptSubmission, senders: Senders): void {
    const { first, count } = kept;
    const { submissions: policy } = this.view.manifest.policy;
    const sender = senders.sender(first);
    const found = this.madeAgain(kept, senders);
    for (let index = first; index < first + count; index++) {
      const counter = senders.counter(first) + index - first;
      const isOf = equalBytes(senders.sender(index), sender) && senders.counter(index) === counter;
      if (!found || !isOf || !this.isNamed(index, found.hash))
        this.tell(index, 'names another submission than the one of its sender and message that is kept');
    }
    if (policy === SUBMISSIONS.off)
      this.tell(first, 'names a submission, which the manifest does not let in');
    const key = this.view.world.keyOf(sender);
    if (found && !key?.verify(found.signed, kept.signature))
      this.tell(first, 'names a submission that its sender has not signed');
  }

  /**
   * A submission, from the entries and who sent them; or, with `bundles`, from the messages that are kept of them where these are
   * others. Null where there is none that could be.
   */
  private madeAgain(
    { first, count, signature, known }: KeptSubmission,
    senders: Senders,
    bundles = false,
  ): Found | null {
    const hashes = Array.from(
      { length: count },
      (_, i) => (bundles && this.hashOf(first + i)) || this.row(first + i, 0),
    );
    const messageHashes = concat(known, ...hashes);
    const firstCounter = senders.counter(first) - known.length / HASH_BYTES;
    if (firstCounter < 1 || messageHashes.length > MAX_U16 * HASH_BYTES) return null;
    const { serverId } = this.view.world;
    const submission = { serverId, sender: senders.sender(first), firstCounter, messageHashes, signature };
    const signed = submissionBytes(serverId, submission.sender, firstCounter, messageHashes);
    return { submission, signed, hash: submissionHash(signed, signature) };
  }

  private hashOf(index: number): Uint8Array | null {
    const message = messageAt(this.view.kept, this.inbox, index);
    return message && sha256(message.preimage);
  }

  /** 32 bytes of an entry. */
  private row(index: number, at: number): Uint8Array {
    const from = rowAt(index, INBOX_ROW_BYTES) + at;
    return this.rows.pages.subarray(from, from + HASH_BYTES);
  }

  private isNamed(index: number, hash: Uint8Array): boolean {
    return sameBytes(this.rows.pages, rowAt(index, INBOX_ROW_BYTES) + SUBMISSION_AT, hash, 0, HASH_BYTES);
  }

  /**
   * Submissions of the inbox that an entry names, as evidence shows them: with the page of its message, where it has that. The
   * one that is kept of the entry is tried first.
   */
  private named(index: number): ShownSubmission[] {
    const { placed } = this;
    const { senders } = this.rows;
    if (!senders) return [];
    const wanted = this.row(index, SUBMISSION_AT);
    const own = placed.find(({ first, count }) => index >= first && index < first + count);
    for (const kept of own ? [own, ...placed] : placed) {
      const way = this.hashesOf(kept, senders).findIndex((hash) => hash && equalBytes(hash, wanted));
      if (way < 0) continue;
      const { submission } = this.madeAgain(kept, senders, WAYS[way])!;
      const known = kept.known.length / HASH_BYTES;
      const position = Math.max(0, Math.min(index - kept.first, kept.count - 1)) + known;
      return [showSubmission(submission, position)];
    }
    return [];
  }

  /** Makes it again once, however many entries ask. */
  private hashesOf(kept: KeptSubmission, senders: Senders): readonly (Uint8Array | undefined)[] {
    let hashes = this.hashes.get(kept);
    if (hashes) return hashes;
    hashes = WAYS.map((bundles) => this.madeAgain(kept, senders, bundles)?.hash);
    this.hashes.set(kept, hashes);
    return hashes;
  }

  private tell(index: number, what: string): void {
    const { view, inbox } = this;
    const { kept } = view;
    const place = { epoch: kept.epoch, inbox, index };
    this.report(`the entry of ${formatPlace(place)} ${what}`, async (prover) => ({
      ...(await entriesCase(prover, kept, [place])),
      submissions: this.named(index),
    }));
  }

  private report(text: string, proof: Parameters<EpochView['report']>[0]['proof'] = null): void {
    this.view.report({ kind: 'submission', who: this.names, text, proof });
  }
}
