/**
 * Evidence: statements that no honest server can have made, in one canonical binary form; JSON is for reading only.
 *
 *   evidence := csign1ev ‖ n 1 ‖ n × manifest ‖ rule 1 ‖ the rule's fields below
 *   manifest := length 4 ‖ bytes ‖ root signature 64; version 1 first, each the next version of the one before
 */

import { blob } from '../blob.js';
import { ascii, equalBytes, FormatError, Reader, Writer } from '../bytes.js';
import { claimField } from '../claim.js';
import { expectBytes } from '../expect-bytes.js';
import {
  type Field,
  hash,
  list,
  type Struct,
  signature,
  struct,
  tagged,
  u8,
  u16,
  u32,
  u64,
  type ValueOf,
} from '../fields.js';
import { type Json, toJson } from '../fields-json.js';
import { MOST_MANIFESTS } from '../manifest-chain.js';
import { MAX_HAND_OVER } from '../opened-hand-over.js';
import {
  checkpointFields,
  committedFields,
  leafFields,
  loggedFields,
  openedFields,
  path,
  signedFields,
} from '../statement.js';
import { submissionFields } from '../submission.js';
import { MAX_MESSAGE, recipientFields } from './message.js';

const TAG = ascii('csign1ev');
/** More is refused unread: a pure function that anybody may call must not cost more than this lets it. */
export const MAX_EVIDENCE = 1 << 20;
const MAX_MANIFEST = 1 << 19;
/** Of rule 19: link parts from one own message to the next, and messages. */
export const MAX_OWN_LINKS = 8;
export const MAX_OWN_MESSAGES = 512;

/** Numbers stand in evidence and are never reused: 15 was that of a rule against clients (docs/PROTOCOL.md, "No rule against clients"). */
export const RULE = {
  twoStatements: 1,
  malformedStatement: 2,
  malformedLeaf: 3,
  unsortedLeaves: 4,
  inboxRow: 5,
  senderOrder: 6,
  mailboxLeaves: 7,
  twoRoots: 8,
  malformedLogLeaf: 9,
  logOrder: 10,
  falseBase: 11,
  logEntry: 12,
  logInputs: 13,
  twoManifests: 14,
  neighbours: 16,
  laterLeaf: 17,
  stages: 18,
  ownCounters: 19,
  previousPlace: 20,
  twoLogs: 21,
  twoHandOvers: 22,
  malformedHandOver: 23,
  falseHandOver: 24,
  falseTakeOver: 25,
  lostInHandOver: 26,
  falseHandOn: 27,
} as const;
export type Rule = keyof typeof RULE;

const signed = struct(signedFields);
const openedLeaf = struct(leafFields);
const opened = struct(openedFields);
const checkpoint = struct(checkpointFields);
const logged = struct(loggedFields);
const message = blob(MAX_MESSAGE);
const recipient = struct(recipientFields);
const manifest = struct({ bytes: blob(MAX_MANIFEST), signature });

/** A submission with its signature, and the page of its message hashes that holds one. */
const submission = struct(submissionFields);

/** A row of an inbox's committed page, and its message. */
const numberedRow = struct({ claim: claimField, row: u8, message });

/** What a statement shows of one mailbox and place: no leaf of an empty output, one, or two with nothing between. */
const witnessFields = { ...signedFields, leaves: list(u8, openedLeaf, 2) };
const witness = struct(witnessFields);
export type Witness = ValueOf<typeof witness>;

/** The same of a statement that is committed. */
const committedWitness = struct({ ...witnessFields, ...committedFields });
type CommittedWitness = ValueOf<typeof committedWitness>;

/** A mailbox and a place. Where it matters whether the message there is for the mailbox, what shows it. */
const subjectFields = {
  mailbox: hash,
  epoch: u64,
  inbox: u16,
  index: u32,
  message: list(u8, message, 1),
  recipients: list(u8, recipient, 2),
};
export type Subject = Struct<typeof subjectFields>;

/** A hand-over's signed bytes, and the signature of one of the two that signed them. */
const handOverFields = { signed: blob(MAX_HAND_OVER), signature };
const handOver = struct(handOverFields);
export type SignedHandOver = ValueOf<typeof handOver>;

/** With a leaf of an id, or two with nothing between. */
const shownHandOver = struct({ ...handOverFields, leaves: list(u8, openedLeaf, 2) });
export type ShownHandOver = ValueOf<typeof shownHandOver>;

/** Hashes of all attestations that a statement consumed, in order. */
const inputs = list(u16, hash);

const fields = tagged({ manifests: list(u8, manifest, MOST_MANIFESTS) }, 'rule', {
  [RULE.twoStatements]: { first: signed, second: signed },
  [RULE.malformedStatement]: { statement: signed },
  [RULE.malformedLeaf]: { opened },
  [RULE.unsortedLeaves]: { statement: signed, output: u16, first: openedLeaf, second: openedLeaf },
  [RULE.inboxRow]: {
    opened,
    row: u8,
    message: list(u8, message, 1),
    recipients: list(u8, recipient, 2),
    submission: list(u8, submission, 1),
  },
  [RULE.senderOrder]: { earlier: numberedRow, later: numberedRow, bridge: path },
  [RULE.mailboxLeaves]: { earlier: claimField, later: claimField, bridge: path },
  [RULE.twoRoots]: { first: checkpoint, second: checkpoint },
  [RULE.malformedLogLeaf]: { leaf: logged },
  [RULE.logOrder]: { earlier: logged, later: logged },
  [RULE.falseBase]: { leaf: logged, checkpoint },
  [RULE.logEntry]: { position: u16, ...signedFields, ...committedFields },
  [RULE.logInputs]: {
    consumer: signed,
    ...committedFields,
    producers: list(u16, struct({ hash, signature, actorPath: path })),
  },
  [RULE.twoManifests]: { other: manifest },
  [RULE.neighbours]: { ...subjectFields, earlier: witness, later: witness, inputs },
  [RULE.laterLeaf]: {
    ...subjectFields,
    earlier: witness,
    consumer: signed,
    ...committedFields,
    inputs,
    later: claimField,
    bridge: path,
  },
  [RULE.stages]: {
    ...subjectFields,
    other: hash,
    earlier: committedWitness,
    later: committedWitness,
    bridge: path,
  },
  [RULE.ownCounters]: {
    sender: hash,
    links: list(u8, claimField, MAX_OWN_LINKS),
    first: u8,
    messages: list(u16, message, MAX_OWN_MESSAGES),
  },
  [RULE.previousPlace]: { opened, row: u8, statement: signed },
  [RULE.twoLogs]: { earlier: checkpoint, later: checkpoint, root: hash, bridge: path },
  [RULE.twoHandOvers]: { side: u8, first: handOver, second: handOver },
  [RULE.malformedHandOver]: { side: u8, handOver: shownHandOver },
  [RULE.falseHandOver]: {
    id: hash,
    earlier: claimField,
    row: u8,
    message: list(u8, message, 1),
    handOver: shownHandOver,
    bridge: path,
  },
  [RULE.falseTakeOver]: {
    handOver: shownHandOver,
    later: opened,
    row: u8,
    message: list(u8, message, 1),
  },
  [RULE.lostInHandOver]: {
    ...subjectFields,
    earlier: witness,
    consumer: signed,
    ...committedFields,
    inputs,
    handOver: shownHandOver,
    bridge: path,
  },
  [RULE.falseHandOn]: { id: hash, earlier: shownHandOver, later: shownHandOver },
});
export type Evidence = ValueOf<typeof fields>;
export type EvidenceOf<R extends Rule> = Extract<Evidence, { rule: (typeof RULE)[R] }>;

const evidence: Field<Evidence> = {
  ...fields,
  read(from) {
    expectBytes(from, TAG, 'evidence tag');
    return fields.read(from);
  },
  write(to, value) {
    to.bytes(TAG);
    fields.write(to, value);
  },
};

export function encodeEvidence(value: Evidence): Uint8Array {
  const out = new Writer(4096);
  evidence.write(out, value);
  return out.done();
}

/** Whether two parts are the same bytes. */
export function isSameWitness(a: CommittedWitness, b: CommittedWitness): boolean {
  const [one, other] = [a, b].map((each) => {
    const out = new Writer(4096);
    committedWitness.write(out, each);
    return out.done();
  });
  return equalBytes(one!, other!);
}

/** Throws `FormatError` on bytes that are not exactly one piece of evidence. Whether it proves anything: verdict.ts. */
export function decodeEvidence(bytes: Uint8Array): Evidence {
  if (bytes.length > MAX_EVIDENCE)
    throw new FormatError(`${bytes.length} bytes of evidence, at most ${MAX_EVIDENCE}`);
  const from = new Reader(bytes);
  const value = evidence.read(from);
  from.end();
  return value;
}

/** For reading: as frames are in JSON. */
export const evidenceToJson = (value: Evidence): Json => toJson(evidence, value);
