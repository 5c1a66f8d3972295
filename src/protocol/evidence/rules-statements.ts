/** Rules about what one actor has signed: its own statements, by themselves, make it guilty. */
import { sha256 } from '#crypto';
import { inputsHash, type Output, ROLE } from '../attestation.js';
import { compareWhole, equalBytes, FormatError } from '../bytes.js';
import { PAGE_ENTRIES } from '../limits.js';
import { countActors } from '../manifest.js';
import { EMPTY_ROOT } from '../merkle.js';
import { type Court, must, type Said } from './court.js';
import type { EvidenceOf } from './evidence.js';
import { type Guilt, guiltyActor } from './guilt.js';
import {
  byBuckets,
  checkLeaf,
  compareItems,
  type LinkPart,
  readItemPage,
  readMailboxLeaf,
  type StillLeaf,
} from './leaves.js';

/** Two statements of one key about one epoch, with other bytes. */
export function twoStatements(court: Court, { first, second }: EvidenceOf<'twoStatements'>): Guilt {
  const [a, b] = [court.hear(first), court.hear(second)];
  must(compareWhole(first.attestation, second.attestation) < 0, 'two statements, the lower bytes first');
  const isOne = equalBytes(a.actor.key, b.actor.key) && a.attestation.epoch === b.attestation.epoch;
  must(isOne, 'statements of two actors, or about two epochs');
  return guiltyActor(a.actor, `signed two different statements about epoch ${a.attestation.epoch}`);
}

/** What throws is what is wrong; nothing wrong proves nothing. */
function faultOf(check: () => void): string {
  try {
    check();
  } catch (error) {
    if (error instanceof FormatError) return error.message;
    throw error;
  }
  throw new FormatError('nothing is wrong with it');
}

export function malformedStatement(court: Court, { statement }: EvidenceOf<'malformedStatement'>): Guilt {
  const said = court.hear(statement);
  const fault = faultOf(() => checkStatement(said));
  return guiltyActor(said.actor, `signed a statement with ${fault}`);
}

/** Throws `FormatError` on numbers that no statement of this role can have. */
export function checkStatement({ attestation, manifest }: Said): void {
  const { role, outputs, inputs } = attestation;
  const expected = role === ROLE.router ? countActors(manifest, ROLE.receiver) : 1;
  must(outputs.length === expected, `${outputs.length} outputs`);
  must(role !== ROLE.inbox || equalBytes(inputs, inputsHash([])), 'inputs of an inbox');
  for (const output of outputs) must(isPossible(role, output), `${output.leaves} leaves for its entries`);
}

function isPossible(role: number, { entries, leaves, root }: Output): boolean {
  if (leaves === 0) return entries === 0 && equalBytes(root, EMPTY_ROOT);
  const pages = Math.ceil(entries / PAGE_ENTRIES);
  // Beside full parts an outbox has others, and stills.
  return role === ROLE.outbox ? leaves >= pages : leaves === pages;
}

export function malformedLeaf(court: Court, { opened }: EvidenceOf<'malformedLeaf'>): Guilt {
  const said = court.hear(opened);
  byBuckets(said);
  court.open(said, opened.output, opened);
  const fault = faultOf(() => checkLeaf(said, court.serverId, opened.output, opened.leafIndex, opened.leaf));
  return guiltyActor(said.actor, `signed a malformed leaf: ${fault}`);
}

/** Two leaves that follow each other and do not rise. */
export function unsortedLeaves(court: Court, evidence: EvidenceOf<'unsortedLeaves'>): Guilt {
  const { statement, output, first, second } = evidence;
  const said = court.hear(statement);
  const { role } = said.attestation;
  must(second.leafIndex === first.leafIndex + 1, 'leaves that do not follow each other');
  for (const leaf of [first, second]) court.open(said, output, leaf);
  const isRight = role === ROLE.outbox ? mailboxesRise : itemsRise;
  must(role !== ROLE.inbox && !isRight(first.leaf, second.leaf, role), 'leaves that rise');
  return guiltyActor(said.actor, 'signed leaves that do not rise');
}

function itemsRise(first: Uint8Array, second: Uint8Array, role: number): boolean {
  return compareItems(readItemPage(first, role).at(-1)!, readItemPage(second, role)[0]!) < 0;
}

function mailboxesRise(first: Uint8Array, second: Uint8Array): boolean {
  const [a, b] = [readMailboxLeaf(first), readMailboxLeaf(second)];
  const order = compareWhole(a.mailbox, b.mailbox);
  if (order === 0) return a.kind === 'link' && b.kind === 'link' && isNextPart(a, sha256(first), b);
  return order < 0 && isLast(a) && isFirst(b);
}

const isFirst = (leaf: LinkPart | StillLeaf) => leaf.kind === 'still' || leaf.part === 0;
const isLast = (leaf: LinkPart | StillLeaf) => leaf.kind === 'still' || leaf.part === leaf.parts - 1;

function isNextPart(a: LinkPart, headOfA: Uint8Array, b: LinkPart): boolean {
  return (
    b.epoch === a.epoch &&
    b.part === a.part + 1 &&
    b.parts === a.parts &&
    b.lastEpoch === a.lastEpoch &&
    b.total === a.total + b.entries.length &&
    equalBytes(b.head, headOfA)
  );
}
