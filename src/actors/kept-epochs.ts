/**
 * What is kept of epochs, for an audit: as it lies in the store, brought into the form of what was signed and nothing more.
 * Whoever audits makes the rest again. What cannot be read is said to be so: a store that is damaged must not stop an audit.
 */

import { sha256 } from '#crypto';
import { PART, putPart } from '../protocol/audit/kept-parts.js';
import { PAGES_PER_PART, RUNS_PER_PART, UNREADABLE_TEXT } from '../protocol/audit/part-bounds.js';
import {
  BLINDER_BYTES,
  BundleCursor,
  concat,
  FormatError,
  getU64,
  HASH_BYTES,
  linkParts,
  MAX_U16,
  MESSAGE_TAG,
  mailboxAt,
  merkleRoot,
  PAGE_ENTRIES,
  RECIPIENT_PAGE,
  Reader,
  ROLE,
  type Role,
  recipientPages,
  type SignedAttestation,
  sameBytes,
  Writer,
} from '../protocol/index.js';
import { packedBundle, packedCounter, packedEnd } from './body-packer.js';
import { BODY_HEADER_BYTES, isSent, Links, linksBytes } from './epoch-file.js';
import { InboxRows } from './inbox-rows.js';
import { KeptStills } from './kept-stills.js';
import { RUN, type StoreReader } from './messages.js';
import { partPreimage } from './outbox-leaves.js';
import type { Placements } from './placements.js';
import { epochKey, numberKey, TABLE } from './store-keys.js';
import { submissionParts } from './submission-proofs.js';

export interface KeptIn {
  readonly reader: StoreReader;
  readonly placements: Placements;
}

/** Rows of an inbox in a part: whole pages. */
const ROWS_PER_PART = PAGES_PER_PART * PAGE_ENTRIES;
/** Leaves and messages after which others have their turn. */
const PER_STEP = 256;
const NOTHING = new Uint8Array(0);

/** Epochs of which anything is kept: those with attestations, rising. */
export function* keptEpochs(reader: StoreReader, from: number, to: number): Generator<number> {
  const end = Math.min(to + 1, Number.MAX_SAFE_INTEGER);
  for (const key of reader.keys(numberKey(TABLE.attestations, from), numberKey(TABLE.attestations, end)))
    yield getU64(key, 1);
}

/** Puts all parts of an epoch, step by step; none when it is not kept. */
export function* putKeptEpoch(kept: KeptIn, epoch: number, out: Writer): Generator<undefined> {
  const { reader } = kept;
  const { inboxes, outboxes } = kept.placements.countsAt(epoch);
  const key = numberKey(TABLE.attestations, epoch);
  const record = reader.get(key);
  if (!record) return;
  const { logIndex, attestations } = readAttestations(record);
  putPart(out, PART.epoch, 0, new Writer(16).u64(epoch).u64(logIndex).done());
  for (const [position, { bytes, signature }] of attestations.entries())
    putPart(out, PART.attestation, position, bytes, signature);
  for (let i = 0; i < inboxes; i++) yield* readable(out, ROLE.inbox, i, putInbox(reader, epoch, i, out));
  for (let j = 0; j < outboxes; j++) yield* readable(out, ROLE.outbox, j, putOutbox(kept, epoch, j, out));
  // What gets too old meanwhile is deleted as a whole.
  putPart(out, PART.end, 0, Uint8Array.of(reader.get(key) ? 1 : 0));
}

/** None when the record cannot be read as a whole. */
function readAttestations(record: Uint8Array): { logIndex: number; attestations: SignedAttestation[] } {
  const attestations: SignedAttestation[] = [];
  const from = new Reader(record);
  try {
    const logIndex = from.u64();
    for (let left = from.u16(); left > 0; left--)
      attestations.push({ bytes: from.bytes(from.u32()), signature: from.bytes(64) });
    from.end();
    return { logIndex, attestations };
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    return { logIndex: 0, attestations: [] };
  }
}

/** Says what cannot be read, and goes on. */
function* readable(
  out: Writer,
  role: Role,
  actor: number,
  steps: Generator<undefined>,
): Generator<undefined> {
  try {
    yield* steps;
  } catch (error) {
    const why = Buffer.from((error as Error).message.slice(0, UNREADABLE_TEXT));
    putPart(out, PART.unreadable, actor, Uint8Array.of(role), why);
  }
}

function* putInbox(reader: StoreReader, epoch: number, inbox: number, out: Writer): Generator<undefined> {
  const rows = new InboxRows(reader.get(epochKey(TABLE.inboxRows, epoch, inbox)));
  rows.check();
  for (let from = 0; from < rows.count; from += ROWS_PER_PART) {
    putPart(out, PART.pages, inbox, rows.pages(from, from + ROWS_PER_PART));
    yield;
  }
  const runs = reader.get(epochKey(TABLE.senderRuns, epoch, inbox)) ?? NOTHING;
  must(runs.length % RUN.bytes === 0, `${runs.length} bytes of who sent them`);
  // A number that is none is an error here, and not with whoever reads the part.
  for (let at = 0; at < runs.length; at += RUN.bytes) getU64(runs, at + RUN.counter);
  for (let at = 0; at < runs.length; at += RUNS_PER_PART * RUN.bytes)
    putPart(out, PART.senders, inbox, runs.subarray(at, at + RUNS_PER_PART * RUN.bytes));
  for (const part of submissionParts(reader.get(epochKey(TABLE.submissions, epoch, inbox)) ?? NOTHING)) {
    putPart(out, PART.submissions, inbox, part);
    yield;
  }
}

function* putOutbox(
  { reader, placements }: KeptIn,
  epoch: number,
  outbox: number,
  out: Writer,
): Generator<undefined> {
  const bytes = reader.get(epochKey(TABLE.links, epoch, outbox));
  const links = bytes ? readLinks(bytes, epoch) : null;
  const stills = new KeptStills(reader.get(epochKey(TABLE.stills, epoch, outbox)) ?? NOTHING, epoch);
  must(Number.isInteger(stills.count), 'stills of no whole number');
  const leaves = links?.leaves ?? stills.count;
  for (let leaf = 0, link = 0, still = 0; leaf < leaves; ) {
    if (leaf % PER_STEP === 0) yield;
    if (links && link < links.mailboxes && links.position(link) === leaf) {
      const parts = linkParts(links.rowCount(link));
      for (let part = 0; part < parts; part++, leaf++)
        putLeaf(out, outbox, links, leaf, partPreimage(links, link, part));
      link++;
    } else if (still < stills.count && stills.position(still) === leaf) {
      putLeaf(out, outbox, links, leaf++, stills.preimage(still++));
    } else throw new FormatError(`leaf ${leaf} is neither a link nor a still`);
  }
  const bodies = reader.get(epochKey(TABLE.bodies, epoch, outbox));
  if (bodies && links) yield* putMessages(links, bodies, placements.serverId, outbox, out);
}

/** Throws `FormatError` on links whose numbers do not fit. */
function readLinks(bytes: Uint8Array, epoch: number): Links {
  must(bytes.length >= linksBytes(0, 0, 0), `${bytes.length} bytes of links`);
  const links = Links.read(bytes);
  const { mailboxes, leaves, rows } = links;
  must(bytes.length === linksBytes(mailboxes, leaves, rows), `${bytes.length} bytes of links`);
  must(links.epoch === epoch, 'links of another epoch');
  let row = 0;
  for (let i = 0; i < mailboxes; i++) {
    must(links.firstRow(i) === row && links.rowCount(i) > 0, `link ${i} has not its rows`);
    row += links.rowCount(i);
  }
  must(row === rows, 'rows of no link');
  return links;
}

function putLeaf(out: Writer, outbox: number, links: Links | null, leaf: number, preimage: Uint8Array): void {
  const at = links ? links.leafAt(leaf) : 0;
  const hash = links ? links.bytes.subarray(at, at + HASH_BYTES) : sha256(preimage);
  putPart(out, PART.leaf, outbox, hash, preimage);
}

// ---- messages

/** Each once, however many mailboxes got it. One that would be delivered as another mailbox's is none. */
function* putMessages(
  links: Links,
  bodies: Uint8Array,
  serverId: Uint8Array,
  outbox: number,
  out: Writer,
): Generator<undefined> {
  const done = new Set<number>();
  const bundle = new BundleCursor(ANY_SIZE);
  for (let link = 0, x = 0; link < links.mailboxes; link++) {
    const mailbox = links.headerAt(link);
    for (const end = x + links.rowCount(link); x < end; x++) {
      const row = links.row(x);
      if (isSent(row)) continue;
      const at = mailboxAt(packedBundle(row.detail), row.position);
      const isIts =
        at + HASH_BYTES <= bodies.length && sameBytes(bodies, at, links.bytes, mailbox, HASH_BYTES);
      if (isIts && done.has(row.detail)) continue;
      done.add(row.detail);
      const { preimage, recipients } = isIts ? messageAt(bundle, bodies, row.detail, serverId) : NO_MESSAGE;
      const head = new Writer(8).u16(row.inbox).u32(row.index).u16(preimage.length).done();
      putPart(out, PART.message, outbox, head, preimage, recipients);
      if (done.size % PER_STEP === 0) yield;
    }
  }
}

const NO_MESSAGE = { preimage: NOTHING, recipients: NOTHING };
/** What is kept was let in. */
const ANY_SIZE = { recipients: MAX_U16, bodyBytes: 2 ** 32, envelopeBytes: 2 ** 32 };

/** Made from the bytes that would be delivered. Empty where they are no bundle. */
function messageAt(
  bundle: BundleCursor,
  bodies: Uint8Array,
  offset: number,
  serverId: Uint8Array,
): { preimage: Uint8Array; recipients: Uint8Array } {
  try {
    must(offset + BODY_HEADER_BYTES <= bodies.length, 'no such body');
    const end = packedEnd(bodies, offset);
    must(bundle.parse(bodies, packedBundle(offset), end) === end, 'a bundle of another length');
    bundle.checkEnvelopes();
    const { recipients: count } = bundle;
    const recipients = recipientLeaves(bundle);
    const hashes = bodies.subarray(end, end + count * HASH_BYTES);
    const listed = count <= RECIPIENT_PAGE ? hashes : merkleRoot(recipientPages(hashes, count));
    const head = new Writer(42)
      .bytes(bodies.subarray(offset, offset + HASH_BYTES))
      .u64(packedCounter(bodies, offset))
      .u16(count);
    const R = count === 1 ? recipients : listed;
    const body = sha256(bodies.subarray(bundle.bodyAt, end));
    return { preimage: concat(MESSAGE_TAG, serverId, head.done(), R, body), recipients };
  } catch (error) {
    // Also what reading beyond the end throws.
    if (!(error instanceof FormatError || error instanceof RangeError)) throw error;
    return NO_MESSAGE;
  }
}

/** blinder 16 ‖ mailbox 32 ‖ envelope hash 32, of each. */
function recipientLeaves(bundle: BundleCursor): Uint8Array {
  const leafBytes = BLINDER_BYTES + 2 * HASH_BYTES;
  const out = new Writer(bundle.recipients * leafBytes);
  for (let i = 0; i < bundle.recipients; i++) {
    const from = bundle.blinderAt(i);
    out.bytes(bundle.bytes.subarray(from, from + leafBytes));
  }
  return out.done();
}

function must(holds: boolean, what: string): asserts holds {
  if (!holds) throw new FormatError(what);
}
