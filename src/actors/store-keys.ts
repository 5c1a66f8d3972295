/**
 * Keys of what is durable: one table byte, then big-endian numbers or an id, so that keys of one table
 * sort by epoch. One store holds everything, so that an epoch is one transaction. Numbers of inboxes and outboxes are those
 * of the epoch's manifest, but for R and F and flush marks: those say what actors of today have to do.
 *
 *   L log index 8              → log record: epoch leaf 163 ‖ nodes completed n 1 ‖ n × 32
 *   A epoch 8                  → log index 8 ‖ count 2 ‖ count × (length 4 ‖ signed bytes ‖ signature 64)
 *   E epoch 8 ‖ inbox 2        → inbox rows (inbox-rows.ts)
 *   S epoch 8 ‖ inbox 2        → runs of senders (messages.ts, RUN)
 *   P epoch 8 ‖ inbox 2        → what proves the submissions of the rows (submission-proofs.ts)
 *   K epoch 8 ‖ outbox 2       → links of the epoch (epoch-file.ts)
 *   T epoch 8 ‖ outbox 2       → stills of the epoch (kept-stills.ts)
 *   B epoch 8 ‖ outbox 2       → bodies of the epoch, once for all mailboxes
 *   R epoch 8 ‖ outbox 2       → who has not acknowledged the epoch yet (unacknowledged.ts), of today's outbox
 *   M mailbox 32               → mailbox state (mailbox-state.ts)
 *   W mailbox 32 ‖ epoch 8     → 1 byte: every so many links a waymark, so that a walk back need not begin at the end
 *   F outbox 2 ‖ mailbox 32    → 1 byte: the mailbox is full (quotas.ts)
 *   C sender 32                → last counter 8 ‖ its place 14
 *   H version 1 ‖ role 1 ‖ from 2 ‖ to 2            → hand-over (kept-hand-overs.ts) to that version of the manifest
 *   H version 1 ‖ role 1 ‖ from 2 ‖ to 2 ‖ block 4  → leaves of the hand-over, 64 at most
 *   m name                     → single values: reserved epoch, flush marks, newest checkpoint, manifest, format
 */
import { concat, putU16, putU64 } from '../protocol/index.js';
import { idBytes } from './ids.js';

const letter = (text: string) => text.charCodeAt(0);
export const TABLE = {
  log: letter('L'),
  attestations: letter('A'),
  inboxRows: letter('E'),
  senderRuns: letter('S'),
  submissions: letter('P'),
  links: letter('K'),
  stills: letter('T'),
  bodies: letter('B'),
  references: letter('R'),
  mailbox: letter('M'),
  waymark: letter('W'),
  full: letter('F'),
  sender: letter('C'),
  handOver: letter('H'),
  meta: letter('m'),
} as const;
export type Table = (typeof TABLE)[keyof typeof TABLE];

/** Key of one number (an epoch or a log index). */
export function numberKey(table: Table, number: number): Uint8Array {
  const key = new Uint8Array(9);
  key[0] = table;
  putU64(key, 1, number);
  return key;
}

/** Key of an epoch and an actor. */
export function epochKey(table: Table, epoch: number, actor: number): Uint8Array {
  const key = new Uint8Array(11);
  key[0] = table;
  putU64(key, 1, epoch);
  putU16(key, 9, actor);
  return key;
}

export function idKey(table: Table, id: Uint8Array): Uint8Array {
  return concat(Uint8Array.of(table), id);
}

export function waymarkKey(mailbox: string, epoch: number): Uint8Array {
  const key = new Uint8Array(41);
  key[0] = TABLE.waymark;
  key.set(idBytes(mailbox), 1);
  putU64(key, 33, epoch);
  return key;
}

/** Without a mailbox the first key of the outbox. */
export function fullKey(outbox: number, mailbox = ''): Uint8Array {
  const key = new Uint8Array(3 + mailbox.length);
  key[0] = TABLE.full;
  putU16(key, 1, outbox);
  key.set(idBytes(mailbox), 3);
  return key;
}

export function metaKey(name: string): Uint8Array {
  return concat(Uint8Array.of(TABLE.meta), Buffer.from(name, 'latin1'));
}

/** Of the epoch that an actor has written its changed states in last. */
export function flushMarkKey(kind: 'inbox' | 'outbox', index: number): Uint8Array {
  return metaKey(`flush ${kind} ${index}`);
}

/** A number of 8 bytes as a value. */
export function numberValue(number: number): Uint8Array {
  const value = new Uint8Array(8);
  putU64(value, 0, number);
  return value;
}
