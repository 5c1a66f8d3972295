/**
 * Nobody is framed: everything that stages signed in a run and that is kept, with all its crashes, is opened from the disk,
 * some epochs at a time, and accused of everything. With it goes what liars add: claims that clients made before things
 * were deleted, statements of epochs that were never committed, bytes that were changed, and mailboxes and places that a
 * message was not for or at. Whoever did not cheat must not be named.
 */
import { importSecretKey } from '#crypto';
import { decodeAttestations } from '../../src/actors/committed-epochs.js';
import { Links } from '../../src/actors/epoch-file.js';
import { idBytes } from '../../src/actors/ids.js';
import { logNodes, logRecordLeaf } from '../../src/actors/log-store.js';
import type { StoreReader } from '../../src/actors/messages.js';
import { open } from '../../src/actors/openings.js';
import { Placements } from '../../src/actors/placements.js';
import { epochKey, numberKey, TABLE } from '../../src/actors/store-keys.js';
import { type Accusation, accuse, type CaseFile } from '../../src/protocol/evidence/accuse.js';
import { nameOf } from '../../src/protocol/evidence/guilt.js';
import type { Verdict } from '../../src/protocol/evidence/verdict.js';
import {
  actorLeafHash,
  attestationHash,
  buildTree,
  type Checkpoint,
  type Claim,
  CountersignError,
  concat,
  consistencyProof,
  decodeAttestation,
  decodeClaim,
  decodeSubmission,
  encodeAttestation,
  encodeClaim,
  equalBytes,
  FormatError,
  getU64,
  logPath,
  logRoot,
  multiproof,
  type OpenedItem,
  type PlacedAt,
  ROLE,
  ROLE_NAMES,
  type ShownSubmission,
  toHex,
} from '../../src/protocol/index.js';
import type { Signed } from '../../src/protocol/statement.js';
import type { Config } from '../../src/server/config.js';
import type { Identity } from '../../src/server/founding.js';
import type { Chronicle } from './chronicle.js';
import type { Disk } from './disk.js';
import type { Liar } from './liar.js';
import type { Random } from './random.js';
import type { EndedKey } from './secrets.js';

/** Epochs that are opened and accused together. */
const EPOCHS = 6;
/** With these: claims that clients have made themselves at most, how much is changed, and how often somebody is said to miss a message. */
const OWN = 12;
const EDITS = 4;
/** Checkpoints that a sequencer signed of another log. */
const FORKS = 4;
const MISSED = 0.5;

export interface Case {
  readonly chronicle: Chronicle;
  readonly identity: Identity;
  readonly disk: Disk;
  readonly random: Random;
  readonly limits: Config['limits'];
  /** The actor that has lied, and what it signed beside the log. */
  readonly guilty: Pick<Liar, 'name' | 'role' | 'leaked' | 'checkpoints'> | null;
  readonly endedKeys: readonly EndedKey[];
}

/** Returns how often somebody guilty was named. */
export function checkNobodyFramed(of: Case, complain: (problem: string) => void): number {
  const { identity, disk, random, guilty, chronicle } = of;
  const { manifest, manifests, serverId } = identity;
  const own = chronicle.claims.map(({ bytes }) => decodeClaim(bytes));
  const placements = placementsOf(identity);
  const nodes = logNodes(disk);
  const forks = guilty?.checkpoints.slice(-FORKS) ?? [];
  const isOfLog = ({ size, root }: Checkpoint) => equalBytes(logRoot(nodes, size), root);
  const checkpoint = own
    .map((claim) => claim.checkpoint)
    .filter((each) => forks.length === 0 || isOfLog(each))
    .reduce<Checkpoint | null>(larger, null);
  if (!checkpoint) return 0;
  // A checkpoint that somebody changed may be of any size.
  const bridge = (from: number, to: number) =>
    from > 0 && to <= checkpoint.size ? consistencyProof(nodes, from, to) : new Uint8Array(0);
  const signed = statementsOf(chronicle, guilty);
  let named = 0;
  let last = Number.POSITIVE_INFINITY;
  for (const epochs of some(keptEpochs(disk))) {
    const items = epochs.flatMap((epoch) => [...itemsOf(disk, placements, epoch)]);
    const shown = openedOf(of, items, checkpoint, complain);
    const mine = ownIn(own, epochs, random);
    // What a sequencer has logged of a stage that opens nothing then.
    const logged =
      guilty?.role === 'sequencer' ? epochs.flatMap((each) => loggedIn(disk, each, checkpoint)) : [];
    const claims = [...shown.claims, ...logged, ...mine];
    // Also of epochs between these, and behind the newest, that never were committed.
    const statements = signed.flatMap(({ epoch, said }) =>
      epoch >= epochs[0]! && epoch <= last ? [said] : [],
    );
    last = epochs[0]!;
    const isMissed = items.length > 0 && random.chance(MISSED);
    const file: CaseFile = {
      ...{ manifests, bridge, ...(isMissed && { subject: lieAbout(items, random) }) },
      claims: [...claims, ...edited(claims, random)],
      checkpoints: [...mine, ...(forks.length > 0 ? own.slice(-OWN) : [])]
        .map((each) => each.checkpoint)
        .concat(forks),
      submissions: shown.submissions,
      statements: [...statements, ...forged(statements, random), ...stolen(of, statements)],
    };
    for (const found of accusations(file, (each) => accuse(each, serverId, manifest.rootKey)))
      if (guilty && isJust(found, guilty.name)) named++;
      else complain(`framed: ${found.text}`);
  }
  return named;
}

/** Where there is too much to try at once, of each half of the claims. */
function accusations(file: CaseFile, of: (file: CaseFile) => Accusation | null): Verdict[] {
  try {
    const found = withoutStacks(() => of(file));
    return found ? [found.verdict] : [];
  } catch (error) {
    if (!(error instanceof RangeError) || file.claims.length < 2) throw error;
    const half = file.claims.length >> 1;
    const halves = [file.claims.slice(0, half), file.claims.slice(half)];
    return halves.flatMap((claims) => accusations({ ...file, claims }, of));
  }
}

/** The actor that has lied, or the server where it is among the suspects. */
function isJust(verdict: Verdict, guilty: string): boolean {
  if (verdict.outcome === 'actor') return nameOf(verdict) === guilty;
  return verdict.outcome === 'server' && verdict.suspects.some((each) => nameOf(each) === guilty);
}

/** What is tried and does not hold is an error each time: to write down where takes longer than to try. */
function withoutStacks<T>(run: () => T): T {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  try {
    return run();
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}

// ---- what is true

function larger(a: Checkpoint | null, b: Checkpoint): Checkpoint {
  return a && a.size >= b.size ? a : b;
}

/** Those that are on the disk, rising. */
export function keptEpochs(disk: StoreReader): number[] {
  const keys = disk.keys(numberKey(TABLE.attestations, 0), Uint8Array.of(TABLE.attestations + 1));
  return [...keys].map((key) => getU64(key, 1));
}

/** From the newest back; each begins with the epoch that the one before it in time ends with. */
function* some(epochs: readonly number[]): Generator<number[]> {
  for (let end = epochs.length; end > 0; end = end > EPOCHS ? end - EPOCHS + 1 : 0)
    yield epochs.slice(Math.max(0, end - EPOCHS), end);
}

export const placementsOf = ({ serverId, manifests }: Identity) => new Placements(serverId, manifests);

type Item = Omit<OpenedItem, 'stage'>;

/** Mailboxes and places of all entries of an epoch. */
export function* itemsOf(disk: StoreReader, placements: Placements, epoch: number): Generator<Item> {
  for (let outbox = 0; outbox < placements.countsAt(epoch).outboxes; outbox++) {
    const bytes = disk.get(epochKey(TABLE.links, epoch, outbox));
    const links = bytes && Links.read(bytes);
    for (let i = 0; links && i < links.mailboxes; i++)
      for (let x = links.firstRow(i), end = x + links.rowCount(i); x < end; x++) {
        const { inbox, index } = links.row(x);
        yield { epoch, inbox, index, mailbox: idBytes(links.mailbox(i)) };
      }
  }
}

const STAGES = [ROLE.inbox, ROLE.router, ROLE.receiver, ROLE.outbox] as const;

interface Shown {
  readonly claims: readonly Claim[];
  readonly submissions: readonly ShownSubmission[];
}

/** Everything that is opened of these, each once. */
function openedOf(
  { identity, disk, guilty }: Case,
  items: readonly Item[],
  checkpoint: Checkpoint,
  complain: (problem: string) => void,
): Shown {
  const placements = placementsOf(identity);
  const places = new Map<string, PlacedAt>();
  const placed = ({ epoch, mailbox }: Item) => {
    const about = `${placements.manifestAt(epoch).version} ${toHex(mailbox)}`;
    const known = places.get(about) ?? placements.placed(epoch, mailbox);
    places.set(about, known);
    return known;
  };
  const archive = { reader: disk, placements };
  const claims = new Map<string, Claim>();
  const submissions = new Map<string, ShownSubmission>();
  /** Outputs of one page, which show all that there is when they are opened for anything. */
  const whole = new Set<string>();
  for (const item of items)
    for (const stage of STAGES) {
      const { outbox } = placed(item);
      const output = `${stage} ${item.epoch} ${item.inbox} ${stage === ROLE.inbox ? '' : outbox}`;
      // A submission is shown with the rows that name it alone.
      if (whole.has(output) && stage !== ROLE.inbox) continue;
      const mailbox = stage === ROLE.inbox ? new Uint8Array(32) : item.mailbox;
      const shown = opened(archive, { ...item, stage, mailbox }, checkpoint);
      if (!shown && !guilty && isIn(disk, item.epoch, checkpoint))
        complain(`${ROLE_NAMES[stage]} opens nothing of ${item.epoch}.${item.inbox}.${item.index}`);
      if (!shown) continue;
      for (const each of shown.submissions) submissions.set(toHex(each.signed) + toHex(each.page), each);
      for (const claim of shown.claims) {
        claims.set(`${toHex(claim.attestation)} ${claim.output} ${claim.leafIndex}`, claim);
        if (claim.outputPath.length === 0) whole.add(output);
      }
    }
  return { claims: [...claims.values()], submissions: [...submissions.values()] };
}

function isIn(disk: StoreReader, epoch: number, { size }: Checkpoint): boolean {
  return decodeAttestations(disk.get(numberKey(TABLE.attestations, epoch))!).logIndex < size;
}

/** All statements of an epoch as they are logged, without what they are about. */
function loggedIn(disk: StoreReader, epoch: number, checkpoint: Checkpoint): Claim[] {
  const { logIndex, attestations } = decodeAttestations(disk.get(numberKey(TABLE.attestations, epoch))!);
  if (logIndex >= checkpoint.size) return [];
  const nothing = new Uint8Array(0);
  const epochLeaf = logRecordLeaf(disk.get(numberKey(TABLE.log, logIndex))!);
  const path = logPath(logNodes(disk), logIndex, checkpoint.size);
  const tree = buildTree(
    concat(...attestations.map(({ bytes, signature }) => actorLeafHash(attestationHash(bytes), signature))),
  );
  const rest = { leaf: nothing, output: 0, leafIndex: 0, outputPath: nothing, epochLeaf, logIndex };
  return attestations.map(({ bytes: attestation, signature }, position) => {
    const actorPath = multiproof(tree, [position]);
    return { ...rest, attestation, signature, actorPath, logPath: path, checkpoint };
  });
}

/** Null where it is too new for the checkpoint, or not kept as it was signed. */
function opened(
  archive: Parameters<typeof open>[0],
  asked: OpenedItem,
  checkpoint: Checkpoint,
): Shown | null {
  try {
    const steps = open(archive, asked, null, checkpoint);
    for (let step = steps.next(); ; step = steps.next())
      if (step.done) {
        const { claims, submissions } = step.value;
        const shown = claims.map(decodeClaim).filter(({ leaf }) => leaf.length > 0);
        return { claims: shown, submissions: submissions.map(decodeSubmission) };
      }
  } catch (error) {
    if (error instanceof CountersignError && error.code === 'opening-unknown') return null;
    throw error;
  }
}

/** What clients have shown of these epochs, under whatever checkpoint they had. */
function ownIn(own: readonly Claim[], epochs: readonly number[], random: Random): Claim[] {
  const wanted = new Set(epochs);
  const found = own.filter(({ attestation }) => wanted.has(decodeAttestation(attestation).epoch));
  while (found.length > OWN) found.splice(random.int(found.length), 1);
  return found;
}

/**
 * All statements that were signed in the run, by their epochs. Of who has lied only what it let go: what it signed and
 * kept to itself nobody has.
 */
function statementsOf({ signed }: Chronicle, guilty: Case['guilty']): { epoch: number; said: Signed }[] {
  const all = [...signed].flatMap(([text, { bytes, signature }]) =>
    text.startsWith('countersign/v1 attestation') ? [{ attestation: bytes, signature }] : [],
  );
  return [...all, ...(guilty?.leaked ?? [])].flatMap((said) => {
    const { epoch, role, actor } = decodeAttestation(said.attestation);
    const isKept = nameOf({ role, index: actor }) === guilty?.name && !guilty.leaked.includes(said);
    return isKept ? [] : [{ epoch, said }];
  });
}

// ---- what is not

/** Somebody says of a message that it was for a mailbox that it was not for, or at another place. */
function lieAbout(items: readonly Item[], random: Random): NonNullable<CaseFile['subject']> {
  const { mailbox, ...place } = random.pick(items);
  const other = random.pick(items).mailbox;
  return random.pick([
    { ...place, mailbox, others: [other] },
    { ...place, mailbox: other, others: [mailbox] },
    { ...place, mailbox, index: place.index + 1, others: [mailbox] },
  ]);
}

function flipped(bytes: Uint8Array, random: Random): Uint8Array {
  const copy = Uint8Array.from(bytes);
  copy[random.int(copy.length)]! ^= 1 << random.int(8);
  return copy;
}

/** Claims with one bit changed, as far as they are claims still. */
function edited(claims: readonly Claim[], random: Random): Claim[] {
  if (claims.length === 0) return [];
  return Array.from({ length: EDITS }, () => random.pick(claims)).flatMap((claim) => {
    try {
      return [decodeClaim(flipped(encodeClaim(claim), random))];
    } catch (error) {
      if (error instanceof FormatError) return [];
      throw error;
    }
  });
}

/** Statements with one bit changed, and with each other's signatures. */
function forged(statements: readonly Signed[], random: Random): Signed[] {
  if (statements.length === 0) return [];
  return Array.from({ length: EDITS }, () => {
    const [one, other] = [random.pick(statements), random.pick(statements)];
    return random.chance(0.5)
      ? { attestation: flipped(one.attestation, random), signature: one.signature }
      : { attestation: one.attestation, signature: other.signature };
  });
}

/** Two statements that a thief signs with a key that has ended, about one epoch behind its last. */
function stolen({ endedKeys, random }: Case, statements: readonly Signed[]): Signed[] {
  if (endedKeys.length === 0) return [];
  const { role, index, lastEpoch, seed, manifestHash } = random.pick(endedKeys);
  const { sign } = importSecretKey(seed);
  const later = statements
    .map(({ attestation }) => decodeAttestation(attestation))
    .filter((said) => said.role === role && said.epoch > lastEpoch);
  if (later.length === 0) return [];
  // That actor need not be there any more.
  const its = later.filter(({ actor }) => actor === index);
  const said = random.pick(its.length > 0 ? its : later);
  return [said.inputs, random.bytes(32)].map((inputs) => {
    const attestation = encodeAttestation({ ...said, actor: index, manifestHash, inputs });
    return { attestation, signature: sign(attestation) };
  });
}
