/**
 * What was receipted is not lost, whoever lies: for each receipt the disk has the message in the chains of all whom it is for, and
 * its body where one of them has not got it yet. Left out is what the liar had in its hands from its first lie on.
 */
import { epochKey, numberKey, TABLE } from '../../src/actors/store-keys.js';
import { toHex } from '../../src/protocol/index.js';
import { type Case, itemsOf, keptEpochs, placementsOf } from './framed.js';
import type { Person } from './person.js';

const NEVER = 100_000;

export function checkReceipts(
  { chronicle, identity, disk, guilty, limits: { retentionEpochs, unacknowledgedEpochs } }: Case,
  persons: readonly Person[],
  complain: (problem: string) => void,
): void {
  const sent = new Map(chronicle.sent.map((each) => [each.message, each]));
  const got = new Map(persons.flatMap(({ mailboxes }) => mailboxes.map((each) => [each.hex, each.got])));
  const places = new Map<string, number>();
  const placements = placementsOf(identity);
  const outboxIn = (epoch: number, hex: string) => {
    const about = `${placements.manifestAt(epoch).version} ${hex}`;
    const outbox = places.get(about) ?? placements.placed(epoch, Buffer.from(hex, 'hex')).outbox;
    places.set(about, outbox);
    return outbox;
  };
  const isAtInbox = guilty?.role === 'inbox' || guilty?.role === 'router';
  const isAtOutbox = guilty?.role === 'receiver' || guilty?.role === 'outbox';
  const epochs = new Map<number, ReadonlySet<string>>();
  // Of a commit that a crash has struck nobody was told.
  const newest = keptEpochs(disk).at(-1) ?? 0;
  for (const { message, sender, place } of chronicle.receipted) {
    const about = message === null ? undefined : sent.get(message);
    const { epoch, inbox, index } = place;
    // Swept.
    if (!about || epoch <= newest - retentionEpochs) continue;
    const isLied = chronicle.lied !== undefined && epoch > chronicle.lied;
    if (isLied && ((isAtInbox && inbox === 0) || (isAtOutbox && outboxIn(epoch, sender) === 0))) continue;
    if (!disk.get(numberKey(TABLE.attestations, epoch))) {
      complain(`${message} has its receipt of epoch ${epoch}, which is not there`);
      continue;
    }
    const items =
      epochs.get(epoch) ??
      new Set([...itemsOf(disk, placements, epoch)].map((each) => nameOf(each, each.mailbox)));
    epochs.set(epoch, items);
    for (const mailbox of new Set([sender, ...about.to])) {
      if (isLied && isAtOutbox && outboxIn(epoch, mailbox) === 0) continue;
      if (!items.has(nameOf({ inbox, index }, Buffer.from(mailbox, 'hex'))))
        complain(
          `${message} has its receipt at ${epoch}.${inbox}.${index}, and ${mailbox} has no entry of it`,
        );
      const isGot = !about.to.includes(mailbox) || got.get(mailbox)?.has(message!) !== false;
      const mayGo = unacknowledgedEpochs < NEVER;
      if (!isGot && !mayGo && !disk.get(epochKey(TABLE.bodies, epoch, outboxIn(epoch, mailbox))))
        complain(`${message} has its receipt, ${mailbox} has not got it, and its body is gone`);
    }
  }
}

function nameOf({ inbox, index }: { inbox: number; index: number }, mailbox: Uint8Array): string {
  return `${inbox}.${index} ${toHex(mailbox)}`;
}
