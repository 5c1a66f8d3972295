/**
 * Nobody is framed: everything that stages signed in the newest epochs of a run, with all its crashes, is opened from the
 * disk and accused of everything, also by what a lying client adds. No actor cheats here, so nothing may come of it.
 */

import { Links } from '../../src/actors/epoch-file.js';
import { idBytes } from '../../src/actors/ids.js';
import type { StoreReader } from '../../src/actors/messages.js';
import { open } from '../../src/actors/openings.js';
import { epochKey, numberKey, TABLE } from '../../src/actors/store-keys.js';
import { accuse, type CaseFile } from '../../src/protocol/evidence/accuse.js';
import {
  type Checkpoint,
  type Claim,
  CountersignError,
  countActors,
  decodeClaim,
  getU64,
  type OpenedItem,
  placementOf,
  ROLE,
  toHex,
} from '../../src/protocol/index.js';
import type { Identity } from '../../src/server/founding.js';
import type { Chronicle } from './chronicle.js';

/** Newest epochs of a run that are opened whole, and subjects that are tried in them. */
const EPOCHS = 6;
const SUBJECTS = 4;

export function checkNobodyFramed(
  { claims: made }: Chronicle,
  identity: Identity,
  disk: StoreReader,
  complain: (problem: string) => void,
): void {
  const own = made.map(({ bytes }) => decodeClaim(bytes));
  const checkpoint = own.map((claim) => claim.checkpoint).reduce<Checkpoint | null>(larger, null);
  if (!checkpoint) return;
  const { manifest, manifestBytes, manifestSignature, serverId } = identity;
  const placed = (id: Uint8Array) => placementOf(manifest, serverId, id);
  const archive = { reader: disk, manifest, placementOf: placed };
  const items = newestItems(disk, identity);
  const claims = new Map<string, Claim>();
  for (const item of items)
    for (const stage of [ROLE.inbox, ROLE.router, ROLE.receiver, ROLE.outbox]) {
      const mailbox = stage === ROLE.inbox ? new Uint8Array(32) : item.mailbox;
      for (const claim of opened(archive, { ...item, stage, mailbox }, checkpoint)) {
        const { attestation, output, leafIndex } = claim;
        claims.set(`${toHex(attestation)} ${output} ${leafIndex}`, claim);
      }
    }
  const manifests = [{ bytes: manifestBytes, signature: manifestSignature }];
  const file: CaseFile = { manifests, claims: [...claims.values()] };
  const tried: CaseFile[] = [file, { manifests, claims: own.slice(-60) }];
  // The client says of a message that it was for a mailbox that it was not for, or at another place.
  items.slice(0, SUBJECTS).forEach(({ mailbox, ...place }, i) => {
    const other = items[items.length - 1 - i]!.mailbox;
    tried.push({ ...file, subject: { mailbox, ...place, others: [other] } });
    tried.push({ ...file, subject: { ...place, mailbox: other, others: [mailbox] } });
    tried.push({ ...file, subject: { ...place, mailbox, index: place.index + 1, others: [mailbox] } });
  });
  for (const each of tried) {
    const found = accuse(each, serverId, manifest.rootKey);
    if (found) complain(`framed: ${found.verdict.text}`);
  }
}

function larger(a: Checkpoint | null, b: Checkpoint): Checkpoint {
  return a && a.size >= b.size ? a : b;
}

type Item = Omit<OpenedItem, 'stage'>;

/** Mailboxes and places of all entries in the newest epochs. */
function newestItems(disk: StoreReader, { manifest }: Identity): Item[] {
  const epochs = [...disk.keys(numberKey(TABLE.attestations, 0), Uint8Array.of(TABLE.attestations + 1))]
    .map((key) => getU64(key, 1))
    .slice(-EPOCHS);
  const items: Item[] = [];
  for (const epoch of epochs)
    for (let outbox = 0; outbox < countActors(manifest, ROLE.outbox); outbox++) {
      const bytes = disk.get(epochKey(TABLE.links, epoch, outbox));
      const links = bytes && Links.read(bytes);
      for (let i = 0; links && i < links.mailboxes; i++)
        for (let x = links.firstRow(i), end = x + links.rowCount(i); x < end; x++) {
          const { inbox, index } = links.row(x);
          items.push({ epoch, inbox, index, mailbox: idBytes(links.mailbox(i)) });
        }
    }
  return items;
}

/** Nothing where it is too new for the checkpoint. */
function opened(archive: Parameters<typeof open>[0], asked: OpenedItem, checkpoint: Checkpoint): Claim[] {
  try {
    const steps = open(archive, asked, null, checkpoint);
    for (let step = steps.next(); ; step = steps.next())
      if (step.done) return step.value.map(decodeClaim).filter(({ leaf }) => leaf.length > 0);
  } catch (error) {
    if (error instanceof CountersignError && error.code === 'opening-unknown') return [];
    throw error;
  }
}
