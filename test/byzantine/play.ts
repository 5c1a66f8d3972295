/** A play: some epochs with a cheat in one of them. Then clients compare, and holders open. */
import { type Accusation, accuse, type CaseFile } from '../../src/protocol/evidence/accuse.js';
import { nameOf } from '../../src/protocol/evidence/guilt.js';
import { readMailboxLeaf } from '../../src/protocol/evidence/leaves.js';
import {
  attestationHash,
  type Claim,
  comparePlaces,
  type Place,
  ROLE,
  type Role,
} from '../../src/protocol/index.js';
import { bothSay } from '../support/verdicts.js';
import * as twin from '../twin/index.js';
import type { Act } from './acts.js';
import { type Cheat, PLAN } from './cheat.js';
import { type SentMessage, Theatre } from './theatre.js';

export interface Ending {
  readonly theatre: Theatre;
  /** The message of the second epoch that cheats are about. */
  readonly message: SentMessage;
  /** What Alice, Bob and Carol can show by themselves, and whoever has what is not for it with them, with statements that were let out beside the log. */
  readonly clients: Accusation | null;
  /** With what holders other than the cheats have opened, and what any client has. */
  readonly opened: Accusation | null;
  /** What was opened for that. */
  readonly openings: Openings;
  /** All that was proven on the way, the best or not. */
  readonly found: readonly Accusation[];
}

export interface Openings {
  /** Leaves, and statements without. */
  readonly count: number;
  /** Those of them that the evidence rests on. */
  readonly needed: number;
  /** No message said what to ask for: it is all that anybody opens. */
  readonly isAll: boolean;
}

const NOTHING = new Uint8Array(0);
const NO_OPENINGS: Openings = { count: 0, needed: 0, isAll: false };

export function play(cheats: readonly Cheat[], checks: boolean, refusing: readonly string[] = []): Ending {
  const theatre = new Theatre({ cheats, checks });
  const plan = cheats.find((cheat) => cheat.plan)?.plan ?? PLAN;
  for (const messages of plan(theatre.cast)) {
    for (const [from, to] of messages) theatre.send(from, to);
    if (!theatre.epoch()) break;
  }
  const message = theatre.sent[2]!;
  const empty = { theatre, message, clients: null, opened: null, openings: NO_OPENINGS, found: [] };
  if (theatre.epochs.length === 0) return empty;
  return { ...empty, ...compare(theatre, refusing) };
}

// ---- comparing

/** A client's own leaves: what it has verified, all claims under the newest checkpoint that it was served. */
export function leavesOf(theatre: Theatre, mailbox: Buffer): Claim[] {
  return servedLeaves(theatre, mailbox).filter(({ leaf }) => isLeaf(leaf));
}

function isLeaf(leaf: Uint8Array): boolean {
  try {
    readMailboxLeaf(leaf);
    return true;
  } catch {
    return false;
  }
}

/** With those that it cannot read, and refuses. */
function servedLeaves(theatre: Theatre, mailbox: Buffer): Claim[] {
  const { outbox } = theatre.world.placement(mailbox);
  const { size, without } = servedTo(theatre, mailbox);
  const log = theatre.log(size);
  return log.epochs.flatMap(({ epoch }) => {
    const act = theatre.acts.find(
      (each) => each.epoch === epoch && each.role === ROLE.outbox && each.index === outbox,
    );
    if (!act || epoch === without) return [];
    return act.outputs[0]!.flatMap((leaf, i) =>
      Buffer.compare(leaf.subarray(9, 41), mailbox) === 0 ? [theatre.claim(act, 0, i, log)] : [],
    );
  });
}

function servedTo(
  theatre: Theatre,
  mailbox: Buffer,
): { readonly size: number; readonly without: number | undefined } {
  const all = (theatre.options.cheats ?? []).map(({ serves }) => serves?.(mailbox, theatre) ?? {});
  const { size = theatre.epochs.length, without } = Object.assign({}, ...all);
  return { size: Math.min(size, theatre.epochs.length), without };
}

/** What a client's chain has at a place; null is nothing. */
export function entryAt(claims: readonly Claim[], { epoch, inbox, index }: Place): Buffer | null {
  for (const { leaf } of claims) {
    const link = readMailboxLeaf(leaf);
    if (link.kind !== 'link' || link.epoch !== epoch) continue;
    const entry = link.entries.find((each) => each.inbox === inbox && each.index === index);
    if (entry) return Buffer.from(entry.messageHash);
  }
  return null;
}

export type Subject = NonNullable<CaseFile['subject']>;

export function preimage(theatre: Theatre, { message }: SentMessage): Uint8Array {
  const { sender, counter, recipients, body } = message;
  return twin.join(
    twin.ascii('csign1ms'),
    theatre.world.serverId,
    sender,
    twin.u64(counter),
    twin.u16(recipients.length),
    twin.recipientsPart(recipients),
    twin.bodyHash(body),
  );
}

export function recipientOf({ message }: SentMessage, mailbox: Buffer) {
  const position = message.recipients.findIndex((each) => each.mailbox.equals(mailbox));
  const hashes = message.recipients.map((each) => twin.recipientLeafHash(twin.recipientLeaf(each)));
  const siblings = message.recipients.length === 1 ? [] : hashes.filter((_, i) => i !== position);
  const leaf = twin.recipientLeaf(message.recipients[position]!);
  return { position, leaf, siblings: twin.join(...siblings) };
}

/** The two recipients that a mailbox would stand between, or the one at the end that it would stand beyond. */
function gapAt(sent: SentMessage, mailbox: Buffer) {
  const ids = sent.message.recipients.map((each) => each.mailbox);
  const behind = ids.findIndex((id) => Buffer.compare(id, mailbox) > 0);
  const both = behind < 0 ? ids.slice(-1) : ids.slice(Math.max(0, behind - 1), behind + 1);
  return both.map((id) => recipientOf(sent, id));
}

/** The leaves of each client, by its id in hexadecimal. */
export function heldBy(theatre: Theatre): Map<string, Claim[]> {
  return new Map(theatre.world.clients.map(({ id }) => [twin.hex(id), leavesOf(theatre, id)]));
}

/** Everything that two clients find when they compare: places where one has what the other does not. */
export function* divergences(theatre: Theatre): Generator<Subject> {
  const held = heldBy(theatre);
  for (const sent of theatre.sent) {
    const place = theatre.placeOf(sent);
    if (!place) continue;
    const column = [sent.sender, ...sent.message.recipients.map(({ mailbox }) => mailbox)];
    const have = column.filter((id) => entryAt(held.get(twin.hex(id))!, place)?.equals(sent.hash));
    for (const mailbox of column.filter((id) => !have.includes(id))) {
      const recipients = mailbox.equals(sent.sender) ? [] : [recipientOf(sent, mailbox)];
      const message = preimage(theatre, sent);
      yield { mailbox, ...place, message, recipients, others: have };
    }
  }
  // What is in a chain, and its sender says that it is not there.
  for (const [hex, claims] of held) {
    for (const { leaf } of claims) {
      const link = readMailboxLeaf(leaf);
      if (link.kind !== 'link') continue;
      for (const { inbox, index, messageHash } of link.entries) {
        const known = theatre.sent.find(({ hash }) => hash.equals(messageHash));
        const place = { epoch: link.epoch, inbox, index };
        const mailbox = Buffer.from(hex, 'hex');
        const told = known && theatre.placeOf(known);
        const isHere = told && comparePlaces(told, place) === 0;
        const column = known ? [known.sender, ...known.message.recipients.map((each) => each.mailbox)] : [];
        if (isHere && column.some((id) => id.equals(mailbox))) continue;
        const opened = isHere && { message: preimage(theatre, known), recipients: gapAt(known, mailbox) };
        yield { mailbox, ...place, ...opened, others: [mailbox, ...whoHasAnother(held, place, messageHash)] };
      }
    }
  }
}

/** Whether the mailbox misses it; else it has it, and should not. */
export const isMissed = ({ mailbox, others = [] }: Subject) =>
  !others.some((id) => Buffer.compare(id, mailbox) === 0);

/** A message that is known, at its place, in a mailbox that it is not for. */
export const isStray = (subject: Subject) => !isMissed(subject) && subject.message !== undefined;

/** Clients that have another message at a place. */
export function whoHasAnother(
  held: ReadonlyMap<string, readonly Claim[]>,
  place: Place,
  hash: Uint8Array,
): Buffer[] {
  return [...held].flatMap(([hex, claims]) => {
    const entry = entryAt(claims, place);
    return entry && Buffer.compare(entry, hash) !== 0 ? [Buffer.from(hex, 'hex')] : [];
  });
}

/** What clients find when they compare, and what it comes to when holders have opened what they are asked for. */
export function compare(
  theatre: Theatre,
  refusing: readonly string[],
): Pick<Ending, 'clients' | 'opened' | 'openings' | 'found'> {
  const { alice, bob, carol } = theatre.cast;
  const three = [alice, bob, carol].map((i) => theatre.client(i));
  const own = theatre.world.clients.flatMap(({ id }) => servedLeaves(theatre, id));
  const messages = [...theatre.sent, ...theatre.others].map((sent) => preimage(theatre, sent));
  const statements = theatre.leaked.map(({ bytes, signature }) => ({ attestation: bytes, signature }));
  const { manifests, submissions } = theatre;
  const checkpoints = [...theatre.checkpoints, ...theatre.lost];
  const bridge = (from: number, to: number) => theatre.bridge(from, to);
  const base = { manifests, messages, checkpoints, statements, submissions, bridge };
  // What a message says to ask for comes before all that there is.
  const subjects: (Subject | undefined)[] = [...divergences(theatre), undefined];
  // What consumers were given beside what is logged, they show when they open.
  const given = theatre.given.flatMap((each) => (refusing.includes(each.by) ? [] : each.statements));
  const told = given.map(({ bytes, signature }) => ({ attestation: bytes, signature }));
  const files = subjects.map((subject) => ({
    ...base,
    claims: subject ? own.filter((claim) => concerns(claim, subject)) : own,
    ...(subject && { subject }),
  }));
  const { serverId } = theatre.world;
  const all: (Accusation | null)[] = [];
  let clients: Accusation | null = null;
  for (const { subject, ...file } of files) {
    const who = subject && isStray(subject) ? [...three, subject.mailbox] : three;
    if (subject && !who.some((id) => Buffer.compare(id, subject.mailbox) === 0)) continue;
    const claims = file.claims.filter((claim) => isOf(claim, who));
    const shown = { ...file, claims, ...(subject && { subject }) };
    const found = accuse(shown, serverId, theatre.rootKey);
    all.push(found);
    clients = better(clients, found);
  }
  let opened = clients;
  let openings = NO_OPENINGS;
  for (const file of files) {
    const more = file.subject
      ? [...opening(theatre, file.subject, refusing), ...beside(theatre, file.subject, own, refusing)]
      : everything(theatre, refusing);
    const shown = { ...file, claims: [...file.claims, ...more], statements: [...statements, ...told] };
    const found = accuse(shown, serverId, theatre.rootKey);
    all.push(found);
    const best = better(opened, found);
    if (best === found && found && best !== opened) {
      const asked = [...more, ...told.map((each) => ({ leaf: NOTHING, ...each }))];
      const needed = neededIn(found.evidence, asked, file.claims);
      openings = { count: asked.length, needed, isAll: !file.subject };
    }
    opened = best;
  }
  const found = distinct(all.flatMap((each) => each ?? []));
  for (const { evidence } of found) bothSay(evidence, serverId, theatre.rootKey);
  return { clients, opened, openings, found };
}

function distinct(all: readonly Accusation[]): Accusation[] {
  return [...new Map(all.map((each) => [twin.hex(each.evidence), each])).values()];
}

/** The one that names an actor, the earlier one in the pipeline; else what there is. */
function better(a: Accusation | null, b: Accusation | null): Accusation | null {
  if (!a || !b) return a ?? b;
  return rankOf(b) < rankOf(a) ? b : a;
}

function rankOf({ verdict }: Accusation): number {
  return verdict.outcome === 'actor' ? verdict.role : 10;
}

function concerns(claim: Claim, { mailbox, others = [] }: Pick<Subject, 'mailbox' | 'others'>): boolean {
  return isOf(claim, [mailbox, ...others]);
}

/** A leaf of an outbox: a link's part and a still have their mailbox at one place. */
function isOf({ leaf }: Claim, mailboxes: readonly Uint8Array[]): boolean {
  return mailboxes.some((id) => Buffer.compare(leaf.subarray(9, 41), id) === 0);
}

/** How many opened ones stand in evidence, by their leaves or else by their statements, and are not what clients had. */
function neededIn(
  evidence: Uint8Array,
  opened: readonly Pick<Claim, 'leaf' | 'attestation' | 'signature'>[],
  own: readonly Claim[],
): number {
  const bytes = Buffer.from(evidence);
  const isIn = (part: Uint8Array) => bytes.includes(Buffer.from(part));
  const had = new Set(own.flatMap(({ leaf, signature }) => [twin.hex(leaf), twin.hex(signature)]));
  const leaves = new Set<string>();
  const statements = new Set<string>();
  for (const { leaf, attestation, signature } of opened) {
    const name = twin.hex(signature);
    const isThere = [signature, attestationHash(attestation)].some((each) => isIn(each));
    if (!isThere) continue;
    if (leaf.length > 0 && isIn(leaf)) {
      if (!had.has(twin.hex(leaf))) leaves.add(`${name} ${twin.hex(leaf)}`);
      had.add(name);
    } else if (!had.has(name)) statements.add(name);
  }
  const byStatement = [...statements].filter((name) => !had.has(name));
  return leaves.size + byStatement.length;
}

/** Who keeps an output of an act, and opens it unless it refuses: its maker, and the one that was given it. Outboxes give theirs to nobody. */
export function holders({ role, index, astray }: Act, output: number): string[] {
  if (astray?.includes(output)) return [nameOf({ role, index })];
  if (role === ROLE.inbox) return [`inbox ${index}`, `router ${index}`];
  if (role === ROLE.router) return [`router ${index}`, `receiver ${output}`];
  if (role === ROLE.receiver) return [`receiver ${index}`, `outbox ${index}`];
  return [`outbox ${index}`];
}

export function isOpen(act: Act, output: number, refusing: readonly string[]): boolean {
  return holders(act, output).some((name) => !refusing.includes(name));
}

/** What holders open of the column of a message: whole outputs, which here are a page or two. */
export function opening(
  theatre: Theatre,
  { mailbox, epoch, inbox }: Subject,
  refusing: readonly string[],
): Claim[] {
  const { outbox } = theatre.world.placement(Buffer.from(mailbox));
  const wanted: [Role, number, number][] = [
    [ROLE.inbox, inbox, 0],
    [ROLE.router, inbox, outbox],
    [ROLE.receiver, outbox, 0],
    [ROLE.outbox, outbox, 0],
  ];
  const others: [Role, number, number][] = theatre.cluster.seeds.routers.map((_, i) => [
    ROLE.router,
    i,
    outbox,
  ]);
  return [...wanted, ...others].flatMap(([role, index, output]) => {
    const act = theatre.acts.find(
      (each) => each.epoch === epoch && each.role === role && each.index === index,
    );
    if (!act || output >= act.outputs.length || !isOpen(act, output, refusing)) return [];
    return theatre.claims(act, output);
  });
}

/** Where an outbox opens nothing: what other mailboxes of it have of that epoch. Its statement is in their claims. */
function beside(
  theatre: Theatre,
  { mailbox, epoch, others = [] }: Subject,
  own: readonly Claim[],
  refusing: readonly string[],
): Claim[] {
  const act = theatre.act(epoch, ROLE.outbox, theatre.world.placement(Buffer.from(mailbox)).outbox);
  if (isOpen(act, 0, refusing)) return [];
  return own.filter(
    (claim) =>
      Buffer.compare(claim.attestation, act.signed.bytes) === 0 && !concerns(claim, { mailbox, others }),
  );
}

/** All that was committed, for what is wrong by itself or in the order of one sender. */
function everything(theatre: Theatre, refusing: readonly string[]): Claim[] {
  return theatre.acts.flatMap((act) =>
    theatre.isCommitted(act)
      ? act.outputs.flatMap((_, output) => (isOpen(act, output, refusing) ? theatre.claims(act, output) : []))
      : [],
  );
}
