/**
 * Openings: what a stage has signed of one message, as claims under one checkpoint, rebuilt from what is stored. For
 * parties of the message, and for the operator.
 */
import {
  actorLeafHash,
  actorPosition,
  attestationHash,
  buildTree,
  type Checkpoint,
  CountersignError,
  concat,
  countActors,
  decodeAttestation,
  decodeEpochLeaf,
  encodeClaim,
  encodeOpenedHandOver,
  encodeSubmission,
  equalBytes,
  getU32,
  getU64,
  HANDED_SENDER,
  HASH_BYTES,
  inForceFrom,
  isHandOver,
  logPath,
  multiproof,
  type OpenedItem,
  RECEIVER_PREFIX,
  ROLE,
  ROUTER_PREFIX,
  type Role,
  type SignedAttestation,
  Writer,
} from '../protocol/index.js';
import { decodeAttestations } from './committed-epochs.js';
import { Links } from './epoch-file.js';
import { idAt } from './ids.js';
import { InboxRows } from './inbox-rows.js';
import { openHandOver, readHandOver } from './kept-hand-overs.js';
import { KeptStills } from './kept-stills.js';
import { logNodes, logRecordLeaf } from './log-store.js';
import { RUN, type StoreReader } from './messages.js';
import { OutboxLeaves } from './outbox-leaves.js';
import type { Placements } from './placements.js';
import {
  ITEM_KEY_BYTES,
  ItemPages,
  inboxLeaves,
  type Leaves,
  PLACE_AT,
  proveLeaves,
  type Steps,
} from './stage-leaves.js';
import { epochKey, numberKey, TABLE } from './store-keys.js';
import { findSubmission } from './submission-proofs.js';

export interface Archive {
  readonly reader: StoreReader;
  readonly placements: Placements;
}

/** An epoch as it is stored. */
interface KeptEpoch {
  readonly logIndex: number;
  readonly attestations: readonly SignedAttestation[];
}

/** In binary forms. */
export interface Opened {
  readonly claims: readonly Uint8Array[];
  /** At the inbox that of the row, if it names one. */
  readonly submissions: readonly Uint8Array[];
}

/**
 * The claims that open what the stage has signed of the item. `key`: who asks; null = the
 * operator. Throws `CountersignError` where there is nothing to open, or not for who asks.
 */
export function* open(
  archive: Archive,
  asked: OpenedItem,
  key: Uint8Array | null,
  checkpoint: Checkpoint,
): Steps<Opened> {
  if (isHandOver(asked.stage)) return openMove(archive, asked, key);
  const epoch = findEpoch(archive, asked.epoch, checkpoint);
  if (key && !isParty(archive, asked, key))
    throw new CountersignError('not-a-party', 'neither your mailbox nor a message of yours');
  const { signed, position, outputAt, output } = signedBy(archive, asked, epoch);
  const leaves = yield* leavesOf(archive, asked);
  if (leaves.count !== output.leaves) throw notKept();
  const { root, paths } = yield* proveLeaves(leaves);
  if (!equalBytes(root, output.root)) throw notKept();
  const preimages = leaves.shown.map((leaf) => leaves.preimage(leaf));
  const log = archive.reader.get(numberKey(TABLE.log, epoch.logIndex))!;
  const rest = {
    output: outputAt,
    attestation: signed.bytes,
    signature: signed.signature,
    actorPath: actorPath(epoch.attestations, position),
    epochLeaf: logRecordLeaf(log),
    logIndex: epoch.logIndex,
    logPath: logPath(logNodes(archive.reader), epoch.logIndex, checkpoint.size),
    checkpoint,
  };
  const nothing = new Uint8Array(0);
  if (leaves.count === 0) {
    const claim = encodeClaim({ leaf: nothing, leafIndex: 0, outputPath: nothing, ...rest });
    return { claims: [claim], submissions: [] };
  }
  const claims = preimages.map((leaf, i) => {
    if (!leaf) throw notKept();
    return encodeClaim({ leaf, leafIndex: leaves.shown[i]!, outputPath: paths[i]!, ...rest });
  });
  return { claims, submissions: asked.stage === ROLE.inbox ? submissionOf(archive, asked) : [] };
}

/** A hand-over is its id's owner's. */
function openMove({ reader, placements }: Archive, asked: OpenedItem, key: Uint8Array | null): Opened {
  const { stage, epoch, mailbox: id } = asked;
  if (key && !equalBytes(id, key)) throw new CountersignError('not-a-party', 'not your own');
  const next = placements.manifestAt(epoch);
  const role = stage === HANDED_SENDER ? ROLE.inbox : ROLE.outbox;
  const kind = stage === HANDED_SENDER ? 'inbox' : 'outbox';
  const [from, to] = [epoch - 1, epoch].map((each) => placements.placed(each, id)[kind]);
  const handing = { version: next.version, role, from: from!, to: to! };
  const kept = inForceFrom(next) === epoch && from !== to ? readHandOver(reader, handing) : undefined;
  if (!kept)
    throw new CountersignError('opening-unknown', `nothing of it was handed over before epoch ${epoch}`);
  const leaves = openHandOver(reader, handing, kept, id);
  if (!leaves) throw new CountersignError('opening-expired', 'what was handed over is not kept any more');
  return {
    claims: [encodeOpenedHandOver({ signed: kept.signed, ...kept.signatures, leaves })],
    submissions: [],
  };
}

const notKept = () => new CountersignError('opening-unknown', 'what the stage has signed is not kept whole');

/** Throws `opening-unknown` or `opening-expired`. */
function findEpoch({ reader, placements }: Archive, epoch: number, { size }: Checkpoint): KeptEpoch {
  const record = reader.get(numberKey(TABLE.attestations, epoch));
  const kept = record && decodeAttestations(record);
  // The store may have one that is committed and not told yet.
  if (kept && kept.logIndex < size) return kept;
  const newest = size && decodeEpochLeaf(logRecordLeaf(reader.get(numberKey(TABLE.log, size - 1))!)).epoch;
  if (epoch > 0 && epoch <= newest - placements.newest.policy.retentionEpochs)
    throw new CountersignError('opening-expired', `epoch ${epoch} is older than what is kept`);
  throw new CountersignError('opening-unknown', `no epoch ${epoch} is committed`);
}

/**
 * Whose mailbox it is; who sent the message, of all that it is in; and who received it, of its sender's alone: to whom
 * else it went is the sender's to tell.
 */
function isParty(archive: Archive, asked: OpenedItem, key: Uint8Array): boolean {
  const { mailbox } = asked;
  if (equalBytes(mailbox, key)) return true;
  const sender = senderOf(archive.reader, asked);
  const isSender = sender !== null && equalBytes(sender, key);
  // The sender's own row is its own also where a later stage has lost the message.
  if (asked.stage === ROLE.inbox) return isSender || hasItem(archive, asked, key);
  const isBetween = isSender || (sender !== null && equalBytes(sender, mailbox));
  return isBetween && hasItem(archive, asked, key) && hasItem(archive, asked, mailbox);
}

/** Null where there is no message. */
function senderOf(reader: StoreReader, asked: OpenedItem): Uint8Array | null {
  return runOf(reader, asked, asked.index)?.subarray(0, HASH_BYTES) ?? null;
}

/** The run that a row is in; null where there is none. */
function runOf(reader: StoreReader, { epoch, inbox }: OpenedItem, row: number): Uint8Array | null {
  const runs = reader.get(epochKey(TABLE.senderRuns, epoch, inbox)) ?? new Uint8Array(0);
  for (let at = runs.length - RUN.bytes; at >= 0; at -= RUN.bytes)
    if (getU32(runs, at + RUN.first) <= row) return runs.subarray(at, at + RUN.bytes);
  return null;
}

/** None where the row is unsigned. */
function submissionOf({ reader, placements }: Archive, asked: OpenedItem): Uint8Array[] {
  const { epoch, inbox, index } = asked;
  const kept = reader.get(epochKey(TABLE.submissions, epoch, inbox));
  const proof = kept && findSubmission(kept, index);
  if (!proof) return [];
  const { firstRow, rows: count, signature, known } = proof;
  const rows = new InboxRows(reader.view(epochKey(TABLE.inboxRows, epoch, inbox)));
  const taken = Array.from({ length: count }, (_, i) => rows.messageHash(firstRow + i));
  const run = runOf(reader, asked, firstRow)!;
  const counter = getU64(run, RUN.counter) + firstRow - getU32(run, RUN.first);
  const before = known.length / HASH_BYTES;
  const submission = {
    ...{
      serverId: placements.serverId,
      sender: run.subarray(0, HASH_BYTES),
      firstCounter: counter - before,
      signature,
    },
    messageHashes: concat(known, ...taken),
  };
  return [encodeSubmission(submission, before + index - firstRow)];
}

function hasItem({ reader, placements }: Archive, asked: OpenedItem, mailbox: Uint8Array): boolean {
  const links = linksOf(reader, asked.epoch, placements.placed(asked.epoch, mailbox).outbox);
  const link = links?.find(idAt(mailbox, 0)) ?? -1;
  if (!links || link < 0) return false;
  const row = links.rowFrom(link, itemKey(asked), PLACE_AT);
  if (row === links.firstRow(link) + links.rowCount(link)) return false;
  const { inbox, index } = links.row(row);
  return inbox === asked.inbox && index === asked.index;
}

function linksOf(reader: StoreReader, epoch: number, outbox: number): Links | null {
  const bytes = reader.view(epochKey(TABLE.links, epoch, outbox));
  return bytes ? Links.read(bytes) : null;
}

/** What items sort by. */
function itemKey({ mailbox, inbox, index }: OpenedItem): Uint8Array {
  return new Writer(ITEM_KEY_BYTES).bytes(mailbox).u16(inbox).u32(index).done();
}

/** Which attestation, and which of its outputs. Throws `opening-unknown` where there is no such actor or row. */
function signedBy({ placements }: Archive, asked: OpenedItem, { attestations }: KeptEpoch) {
  const { stage, epoch, inbox, index, mailbox } = asked;
  const manifest = placements.manifestAt(epoch);
  if (inbox >= countActors(manifest, ROLE.inbox))
    throw new CountersignError('opening-unknown', `there is no inbox ${inbox}`);
  const outbox = stage === ROLE.inbox ? 0 : placements.placed(epoch, mailbox).outbox;
  const position = actorPosition(manifest, stage as Role, stage <= ROLE.router ? inbox : outbox);
  const signed = attestations[position]!;
  const outputAt = stage === ROLE.router ? outbox : 0;
  const output = decodeAttestation(signed.bytes).outputs[outputAt]!;
  if (stage === ROLE.inbox && output.entries > 0 && index >= output.entries)
    throw new CountersignError('opening-unknown', `the inbox took ${output.entries} messages`);
  return { signed, position, outputAt, output };
}

function* leavesOf({ reader, placements }: Archive, asked: OpenedItem): Steps<Leaves> {
  const { epoch, stage, inbox, index, mailbox } = asked;
  if (stage === ROLE.inbox)
    return inboxLeaves(() => new InboxRows(reader.view(epochKey(TABLE.inboxRows, epoch, inbox))), index);
  const { outbox } = placements.placed(epoch, mailbox);
  const links = () => linksOf(reader, epoch, outbox);
  const key = itemKey(asked);
  if (stage === ROLE.router) return yield* new ItemPages(links, ROUTER_PREFIX, inbox).build(key);
  if (stage === ROLE.receiver) return yield* new ItemPages(links, RECEIVER_PREFIX, null).build(key);
  const stills = reader.get(epochKey(TABLE.stills, epoch, outbox)) ?? new Uint8Array(0);
  return new OutboxLeaves(links, new KeptStills(stills, epoch), key);
}

function actorPath(attestations: readonly SignedAttestation[], position: number): Uint8Array {
  const leaves = attestations.map(({ bytes, signature }) => actorLeafHash(attestationHash(bytes), signature));
  return multiproof(buildTree(concat(...leaves)), [position]);
}
