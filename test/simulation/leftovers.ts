/**
 * What says on the disk what actors have yet to do is what the states on the disk come to: who has not acknowledged an
 * epoch, who is full, and how far actors are, each under the actor of today; bodies are there as long as somebody needs
 * them, and no longer. Where who needs them is at several outboxes since a move, the last of these deletes them with the
 * next epoch, or leaves them to the sweep if it dies before.
 */
import { Links } from '../../src/actors/epoch-file.js';
import { idBytes } from '../../src/actors/ids.js';
import { decodeState, unacknowledged } from '../../src/actors/mailbox-state.js';
import type { StoreReader, StoreRecord } from '../../src/actors/messages.js';
import { Placements } from '../../src/actors/placements.js';
import {
  epochKey,
  flushMarkKey,
  fullKey,
  idKey,
  metaKey,
  numberKey,
  TABLE,
  type Table,
} from '../../src/actors/store-keys.js';
import { countsIn, placementOf } from '../../src/protocol/index.js';
import type { Config } from '../../src/server/config.js';
import type { Identity } from '../../src/server/founding.js';

/** Epochs that are committed until what was shared is deleted: that of the flush itself, and the next one. */
const SOON = 2;
/** Epochs that a sweep looks at with each commit, and between two flushes at most. */
const SWEPT_AT_ONCE = 4;
const MOST_FLUSH_EPOCHS = 8;

const epochOf = (key: Uint8Array) => Number(Buffer.from(key).readBigUInt64BE(1));
const actorOf = (key: Uint8Array) => Buffer.from(key).readUInt16BE(9);
const all = (disk: StoreReader, table: Table) => disk.range(Uint8Array.of(table), Uint8Array.of(table + 1));
const hasAny = (disk: StoreReader, table: Table, epoch: number) =>
  !disk
    .keys(numberKey(table, epoch), numberKey(table, epoch + 1))
    [Symbol.iterator]()
    .next().done;

/** What nobody needs, and nobody deletes. Told of every write of the server. */
export class Unneeded {
  /** Of the life that wrote last: which epoch it found to be the newest, how many epochs had a count, and how many it has committed. */
  private last: {
    readonly life: object;
    readonly newest: number;
    readonly counted: number;
    commits: number;
  } = { life: this, newest: 0, counted: 0, commits: 0 };
  /** By epochs: whose write it was after which nobody needed them, and how many epochs that life has committed since then. */
  private readonly since = new Map<number, { readonly life: object; commits: number }>();

  wrote(disk: StoreReader, life: object, records: readonly StoreRecord[]): void {
    const isCommit = records.some(({ key, value }) => key[0] === TABLE.attestations && value !== null);
    if (this.last.life !== life) this.last = { life, ...standOf(disk), commits: 0 };
    if (isCommit) this.last.commits++;
    for (const each of this.since.values()) if (isCommit && each.life === life) each.commits++;
    for (const { key, value } of records) {
      if (key[0] !== TABLE.references || value) continue;
      const epoch = epochOf(key);
      if (!hasAny(disk, TABLE.references, epoch)) this.since.set(epoch, { life, commits: 1 });
    }
  }

  /** Own messages through this epoch are let go and that is flushed, if this life has looked at all epochs with a count twice. */
  letGoThrough(retentionEpochs: number): number {
    const { newest, counted, commits } = this.last;
    const rounds = 2 * Math.ceil(counted / SWEPT_AT_ONCE) + 2;
    return commits >= rounds + MOST_FLUSH_EPOCHS ? newest - retentionEpochs : 0;
  }

  /** Of epochs before this one, which are flushed everywhere. */
  left(disk: StoreReader, before: number): number[] {
    return [...this.since].flatMap(([epoch, { commits }]) =>
      epoch < before &&
      commits > SOON &&
      hasAny(disk, TABLE.bodies, epoch) &&
      !hasAny(disk, TABLE.references, epoch)
        ? [epoch]
        : [],
    );
  }
}

function standOf(disk: StoreReader): { newest: number; counted: number } {
  const epochs = (table: Table) => new Set([...all(disk, table)].map(({ key }) => epochOf(key)));
  return {
    newest: Math.max(0, ...epochs(TABLE.attestations)),
    counted: epochs(TABLE.references).size,
  };
}

interface Kept {
  readonly identity: Identity;
  readonly disk: StoreReader & { readonly unneeded: Unneeded };
  readonly limits: Config['limits'];
  /** All who read have acknowledged everything. */
  readonly isAtRest: boolean;
}

export function checkLeftovers(of: Kept, complain: (problem: string) => void): void {
  const placements = new Placements(of.identity.serverId, of.identity.manifests);
  const { needed, counts } = unacknowledgedIn(of, complain);
  checkCounts(of, counts, complain);
  checkBodies(of, placements, needed, complain);
  checkFull(of, placements, complain);
  checkMarks(of, complain);
}

const outboxOf = ({ manifest, serverId }: Identity, id: Uint8Array) =>
  placementOf(manifest, serverId, id).outbox;

function markOf(disk: StoreReader, kind: 'inbox' | 'outbox', index: number): number {
  const mark = disk.get(flushMarkKey(kind, index));
  return mark ? Number(Buffer.from(mark).readBigUInt64BE(0)) : 0;
}

/** `needed`: keys of bodies; `counts`: by keys of counts, mailboxes and those with their own messages alone, flushed. */
function unacknowledgedIn(of: Kept, complain: (problem: string) => void) {
  const { identity, disk, limits, isAtRest } = of;
  const letGo = isAtRest ? disk.unneeded.letGoThrough(limits.retentionEpochs) : 0;
  const needed = new Set<string>();
  const counts = new Map<string, { mailboxes: number; own: number }>();
  for (const { key, value } of all(disk, TABLE.links)) {
    const [epoch, links] = [epochOf(key), Links.read(value)];
    for (let i = 0; i < links.mailboxes; i++) {
      const id = idBytes(links.mailbox(i));
      const { acknowledged } = decodeState(disk.get(idKey(TABLE.mailbox, id))!);
      if (acknowledged.lastEpoch >= epoch) continue;
      const outbox = outboxOf(identity, id);
      const isFirstOwn = links.isOwn(i) && acknowledged.lastEpoch === links.previousEpoch(i);
      if (isFirstOwn && epoch <= letGo)
        complain(`${hex(id)} holds its own message of epoch ${epoch} for ever`);
      if (!links.isOwn(i)) needed.add(hex(epochKey(TABLE.bodies, epoch, actorOf(key))));
      if (epoch > markOf(disk, 'outbox', outbox)) continue;
      const at = hex(epochKey(TABLE.references, epoch, outbox));
      const count = counts.get(at) ?? { mailboxes: 0, own: 0 };
      counts.set(at, count);
      count.mailboxes++;
      if (links.isOwn(i)) count.own++;
    }
  }
  for (const key of needed)
    if (!disk.get(Buffer.from(key, 'hex')))
      complain(`bodies of epoch ${epochOf(Buffer.from(key, 'hex'))} are gone and needed`);
  return { needed, counts };
}

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

function checkCounts(
  { disk }: Kept,
  counts: ReadonlyMap<string, { mailboxes: number; own: number }>,
  complain: (problem: string) => void,
): void {
  const left = new Map(counts);
  for (const { key, value } of all(disk, TABLE.references)) {
    const [epoch, outbox, bytes] = [epochOf(key), actorOf(key), Buffer.from(value)];
    const { mailboxes, own } = counts.get(hex(key)) ?? { mailboxes: 0, own: 0 };
    left.delete(hex(key));
    const counted = [bytes.readUInt32BE(0), bytes.readUInt32BE(4)];
    if (counted.join() !== [mailboxes, own].join())
      complain(
        `outbox ${outbox} counts ${counted} who have not acknowledged epoch ${epoch}: ${mailboxes},${own}`,
      );
  }
  for (const key of left.keys()) {
    const bytes = Buffer.from(key, 'hex');
    complain(`outbox ${actorOf(bytes)} counts nobody who has not acknowledged epoch ${epochOf(bytes)}`);
  }
}

/** Also those whose epoch is not flushed yet are there. */
function checkBodies(
  { disk }: Kept,
  { since }: Placements,
  needed: ReadonlySet<string>,
  complain: (problem: string) => void,
): void {
  for (const { key } of all(disk, TABLE.bodies)) {
    const [epoch, outbox] = [epochOf(key), actorOf(key)];
    const isFlushed = epoch >= since && epoch <= markOf(disk, 'outbox', outbox);
    // Who has only sent needs none, and holds them all the same.
    if (isFlushed && !needed.has(hex(key)) && !disk.get(epochKey(TABLE.references, epoch, outbox)))
      complain(`bodies of epoch ${epoch} at outbox ${outbox} are needed by nobody`);
  }
  for (const epoch of disk.unneeded.left(disk, since))
    complain(`bodies of epoch ${epoch} are needed by nobody any more`);
}

function checkFull(
  { identity, disk, limits }: Kept,
  { since }: Placements,
  complain: (problem: string) => void,
) {
  const { unacknowledgedEpochs, unacknowledgedBytes } = limits;
  for (const { key, value } of all(disk, TABLE.mailbox)) {
    const id = key.subarray(1);
    const { links, own, bytes } = unacknowledged(decodeState(value));
    const isFull =
      links >= unacknowledgedEpochs ||
      bytes >= unacknowledgedBytes ||
      own >= unacknowledgedEpochs + limits.retentionEpochs;
    const outbox = outboxOf(identity, id);
    const isWritten = disk.get(fullKey(outbox, Buffer.from(id).toString('latin1'))) !== undefined;
    // A move writes down who may be.
    const mayBe = !isFull && markOf(disk, 'outbox', outbox) < since;
    if (isFull !== isWritten && !mayBe)
      complain(
        `${hex(id)} is ${isFull ? 'full' : 'not full'}, and outbox ${outbox} has written another thing`,
      );
  }
  for (const { key } of all(disk, TABLE.full)) {
    const outbox = Buffer.from(key).readUInt16BE(1);
    if (outbox !== outboxOf(identity, key.subarray(3)))
      complain(`outbox ${outbox} has written that ${hex(key.subarray(3))} is full, which it does not keep`);
  }
}

function checkMarks({ identity, disk }: Kept, complain: (problem: string) => void): void {
  const { inboxes, outboxes } = countsIn(identity.manifest);
  for (const { key } of disk.range(metaKey('flush '), metaKey('flush~'))) {
    const [, kind, index] = Buffer.from(key.subarray(1)).toString('latin1').split(' ');
    if (Number(index) >= (kind === 'inbox' ? inboxes : outboxes))
      complain(`${kind} ${index} has a flush mark, and is not there`);
  }
}
