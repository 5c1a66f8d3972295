/**
 * What must hold of a run that has come to rest, read off its chronicle: plain code over what was observed,
 * that shares no logic with what it checks.
 */
import type { StoreReader } from '../../src/actors/messages.js';
import { decodeClaim, type OpenedManifest, ROLE, verifyClaimAmong } from '../../src/protocol/index.js';
import type { Identity } from '../../src/server/founding.js';
import { checkHistory } from '../support/checker.js';
import { checkClaim, type Known } from '../twin/claim-check.js';
import { verify } from '../twin/index.js';
import type { Chronicle, MadeClaim } from './chronicle.js';
import { type Case, checkNobodyFramed } from './framed.js';
import { checkReceipts } from './kept-receipts.js';
import { checkLeftovers } from './leftovers.js';
import type { Person } from './person.js';

type Complain = (problem: string) => void;

export interface Findings {
  readonly problems: readonly string[];
  /** Pieces of evidence that named the actor that lied. */
  readonly named: number;
}

export function checkRun(run: Case, persons: readonly Person[]): Findings {
  const { chronicle, identity, disk, guilty } = run;
  const problems: string[] = [];
  const complain = (problem: string) => problems.push(problem);
  let named = 0;
  try {
    checkSigned(chronicle, guilty?.name, complain);
    checkSigners(chronicle, identity, guilty?.name, complain);
    checkClaims(chronicle, identity, guilty?.name === 'sequencer 0', complain);
    named = checkNobodyFramed(run, complain);
    checkReceipts(run, persons, complain);
    // Where somebody has lied nothing else is promised.
    if (guilty) return { problems, named };
    for (const { kind, what } of checkHistory(chronicle)) complain(`${kind}: ${what}`);
    checkHints(chronicle, complain);
    checkTotals(chronicle, persons, complain);
    checkLeftovers(run, complain);
    checkPreviousPlaces(chronicle, disk, !persons.some(({ isLiar }) => isLiar), complain);
  } catch (error) {
    complain(`the checks themselves failed: ${(error as Error).stack}`);
  }
  return { problems, named };
}

/** countersign/v1 attestation 26 ‖ server id 32 ‖ role 1 ‖ actor 2 ‖ epoch 8: who says something of what. */
const ABOUT = 69;

const ROLES = ['', 'inbox', 'router', 'receiver', 'outbox'];

/** One statement per actor and epoch, whatever became of the epoch, but for one who has lied; one log for ever. */
function checkSigned({ signed }: Chronicle, guilty: string | undefined, complain: Complain): void {
  const statements = new Map<string, string>();
  for (const text of signed.keys()) {
    const isAttestation = text.startsWith('countersign/v1 attestation');
    // A checkpoint: origin, size, root, each on a line.
    const isCheckpoint = !isAttestation && /^countersign\/v1\/[0-9a-f]{64}\n/.test(text);
    if (!isAttestation && !isCheckpoint) continue;
    const [role, high, low] = [58, 59, 60].map((at) => text.charCodeAt(at));
    const signer = isAttestation ? `${ROLES[role!]} ${256 * high! + low!}` : 'sequencer 0';
    if (signer === guilty) continue;
    const about = isAttestation ? text.slice(0, ABOUT) : text.split('\n', 2).join('\n');
    const other = statements.get(about) ?? text;
    if (other !== text)
      complain(
        `signed twice: ${isAttestation ? Buffer.from(about.slice(58), 'latin1').toString('hex') : about}`,
      );
    statements.set(about, text);
  }
}

/** base size 8 ‖ root 32 ‖ manifest hash 32 … */
const MANIFEST_HASH = ABOUT + 40;

/** Every statement names the manifest that is in force in its epoch, and is signed with the key of that. */
function checkSigners(
  { signed }: Chronicle,
  identity: Identity,
  guilty: string | undefined,
  complain: Complain,
): void {
  const known = knownOf(identity);
  for (const { bytes: raw, signature } of signed.values()) {
    const bytes = Buffer.from(raw);
    if (!bytes.toString('latin1').startsWith('countersign/v1 attestation')) continue;
    const [role, index, epoch] = [bytes[58]!, bytes.readUInt16BE(59), Number(bytes.readBigUInt64BE(61))];
    const name = `${ROLES[role]} ${index}`;
    const { actors, manifestHash } = known[versionIn(epoch, identity.manifests)]!;
    const actor = actors.find((each) => each.role === role && each.index === index);
    const isNamed = bytes.subarray(MANIFEST_HASH, MANIFEST_HASH + 32).equals(manifestHash);
    if (name !== guilty && !(actor && isNamed && verify(actor.key, bytes, signature)))
      complain(`${name} signed epoch ${epoch} by another manifest than is in force, or with another key`);
  }
}

/** What is said without proof is what is proven later. */
function checkHints({ hints, receipted, delivered }: Chronicle, complain: Complain): void {
  const places = new Map<string, string>();
  for (const { sender, counter, place } of [...receipted, ...delivered])
    places.set(`${sender} ${counter}`, JSON.stringify([place.epoch, place.inbox, place.index]));
  for (const { sender, counter, place } of hints) {
    const hint = JSON.stringify([place.epoch, place.inbox, place.index]);
    const proven = places.get(`${sender} ${counter}`);
    if (proven !== hint) complain(`counter ${counter} of ${sender}: placed at ${hint}, proven at ${proven}`);
  }
}

/** A chain has one entry for everything that its owner was sent or has sent. Of what liars sent there may be more to come. */
function checkTotals(
  { sent, delivered, receipted, strange }: Chronicle,
  persons: readonly Person[],
  complain: Complain,
): void {
  const inOrder = new Set([
    ...delivered.map(({ message }) => message),
    ...receipted.map(({ message }) => message),
  ]);
  const isExact = !persons.some(({ isLiar }) => isLiar);
  for (const { name, hex, total } of persons.flatMap(({ isParty, mailboxes }) =>
    isParty ? mailboxes : [],
  )) {
    const count = sent.filter(
      ({ message, sender, to }) => inOrder.has(message) && (sender === hex || to.includes(hex)),
    ).length;
    const least = count + [...strange].filter((text) => text.startsWith(hex)).length;
    if (isExact ? total !== count : total! < least)
      complain(`${name} stands at ${total}, ${count} messages came or went`);
  }
}

/** `E` ‖ epoch 8 ‖ inbox 2 → submissions 4, 36 bytes for each, and rows of message hash 32 ‖ previous place 14. */
const ROWS = { table: 69, submission: 36, row: 46, previous: 32 };

/** What every inbox signed of a sender's previous message is where that stands. */
function checkPreviousPlaces(
  { delivered, receipted }: Chronicle,
  disk: StoreReader,
  /** Whether somebody was given everything that is in the order. */
  isKnown: boolean,
  complain: Complain,
): void {
  const places = new Map<string, string>();
  const owners = new Map<string, { sender: string; counter: number }>();
  for (const { sender, counter, place } of [...delivered, ...receipted]) {
    const text = [place.epoch, place.inbox, place.index].join('.');
    places.set(`${sender} ${counter}`, text);
    owners.set(text, { sender, counter });
  }
  const end = Uint8Array.of(ROWS.table + 1);
  for (const { key, value } of disk.range(Uint8Array.of(ROWS.table), end)) {
    const name = Buffer.from(key);
    const rows = Buffer.from(value);
    const first = 4 + rows.readUInt32BE(0) * ROWS.submission;
    for (let at = first, index = 0; at < rows.length; at += ROWS.row, index++) {
      const place = [name.readBigUInt64BE(1), name.readUInt16BE(9), index].join('.');
      const owner = owners.get(place);
      const previous = at + ROWS.previous;
      const said = [
        rows.readBigUInt64BE(previous),
        rows.readUInt16BE(previous + 8),
        rows.readUInt32BE(previous + 10),
      ];
      if (!owner && isKnown) complain(`nobody was given the message at ${place}`);
      const before = owner && (places.get(`${owner.sender} ${owner.counter - 1}`) ?? '0.0.0');
      if (before && before !== said.join('.'))
        complain(`before ${place}: ${before}, the inbox signed ${said.join('.')}`);
    }
  }
}

/**
 * Every claim that was made verifies, by two verifiers, and says what its maker was told.
 */
function checkClaims(
  { claims }: Chronicle,
  identity: Identity,
  /** Two logs may be shown to two clients. */
  isForked: boolean,
  complain: Complain,
): void {
  const known = knownOf(identity);
  const { manifests } = identity;
  const leaves = new Map<bigint, string>();
  for (const claim of claims) {
    try {
      const { attestation } = verifyClaimAmong(decodeClaim(claim.bytes), manifests);
      const version = known[versionIn(attestation.epoch, manifests)]!;
      const { logIndex, epochLeaf, leaf, epoch } = checkClaim(claim.bytes, version);
      if (!isForked && (leaves.get(logIndex) ?? epochLeaf.toString('hex')) !== epochLeaf.toString('hex'))
        complain(`two leaves at log index ${logIndex}`);
      leaves.set(logIndex, epochLeaf.toString('hex'));
      checkSays(claim, leaf, epoch);
    } catch (error) {
      complain(`a claim does not hold: ${(error as Error).message}`);
    }
  }
}

/** link: prefix 9 ‖ mailbox 32 ‖ epoch 8 ‖ part 2 ‖ parts 2 ‖ previous 8 ‖ total 8 ‖ head 32 ‖ n 2 ‖ n × 38. */
const LINK = { entries: 103, entry: 38 };
/** still: prefix 9 ‖ mailbox 32 ‖ epoch 8 ‖ last epoch 8 ‖ total 8 ‖ … */
const STILL = { lastEpoch: 49, total: 57 };

function checkSays({ mailbox, says }: MadeClaim, leaf: Buffer, epoch: bigint): void {
  if (!leaf.subarray(9, 41).equals(mailbox)) throw new Error('of another mailbox');
  if ('asOf' in says) {
    const told = [says.asOf, says.lastEpoch, says.total].join();
    const proven = [epoch, leaf.readBigUInt64BE(STILL.lastEpoch), leaf.readBigUInt64BE(STILL.total)].join();
    if (told !== proven) throw new Error(`stands at ${told}, proven ${proven}`);
    return;
  }
  const { place, messageHash } = says;
  if (epoch !== BigInt(place.epoch)) throw new Error('of another epoch');
  for (let at = LINK.entries; at < leaf.length; at += LINK.entry) {
    const isIt = leaf.readUInt16BE(at) === place.inbox && leaf.readUInt32BE(at + 2) === place.index;
    if (isIt && leaf.subarray(at + 6, at + LINK.entry).equals(messageHash)) return;
  }
  throw new Error('no such entry');
}

/** By version. */
function knownOf({ serverId, manifests }: Identity): Known[] {
  const inUse = manifests.map(({ manifest }) => manifest.actors.filter(({ lastEpoch }) => lastEpoch === 0));
  const sequencers = inUse.flatMap((actors) => actors.filter(({ role }) => role === ROLE.sequencer));
  const sequencerKeys = sequencers.map(({ key }) => key);
  return manifests.map(({ hash: manifestHash }, i) => {
    const actors = inUse[i]!.filter(({ role }) => role !== ROLE.sequencer);
    return { serverId, manifestHash, actors, sequencerKeys };
  });
}

/** Which one is in force: a version is from the first epoch of the newest of its keys, and behind the last one of those that end. */
function versionIn(epoch: number, manifests: readonly OpenedManifest[]): number {
  return manifests.findLastIndex(({ manifest: { actors } }) =>
    actors.every(({ firstEpoch, lastEpoch }) => (lastEpoch === 0 ? firstEpoch <= epoch : lastEpoch < epoch)),
  );
}
