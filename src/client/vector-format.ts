/**
 * What vectors keep in a client's store, each under a name of its own and rewritten as a whole:
 *
 *   state    how far everything goes
 *   anchors  roots of the log to compare
 *   still    the claim of the newest still, when no link came behind it
 *   epoch i  one of the newest epochs that brought the mailbox something; i goes round, so there are never more than are to be kept
 *   pair i   where the chain of a pair starts
 *   forks    with whom there are two logs
 *
 * Nothing at all under a name is as if it were not there.
 */
import { blob } from '../protocol/blob.js';
import {
  type Field,
  hash,
  hashes,
  list,
  struct,
  u8,
  u16,
  u32,
  u64,
  type ValueOf,
} from '../protocol/fields.js';
import { epochDigest, toHex, Writer } from '../protocol/index.js';

const MOST_BYTES = 1 << 26;

const range = { to: u64, hashes: hashes(u8) };
const wholeRange = struct({ from: u64, ...range });
/** Of a session's mailboxes, behind what is in their states: `log <outbox> <session>`, where there are several. */
export const rangesField = list(u8, wholeRange);

export const stateField = struct({
  scope: u8,
  /** How many epochs are kept. */
  epochs: u32,
  asOf: u64,
  /** Plus 1; 0 = no leaf was ever seen. */
  lastLink: u64,
  floor: u64,
  /** Number of the next epoch to be kept. */
  next: u64,
  /** The log from 0 to where the first kept epoch's range starts, behind the last one's, and behind the still. */
  before: struct(range),
  behind: struct(range),
  since: struct(range),
});

export const anchorsField = list(u8, struct({ size: u64, root: hash }));

const messageField = struct({
  inbox: u16,
  index: u32,
  messageHash: hash,
  preimage: blob(1024),
  leaves: blob(MOST_BYTES),
  /** Its roster is still to be checked. */
  isOpen: u8,
  peers: list(u16, hash),
});

export const epochField = struct({
  number: u64,
  epoch: u64,
  range: wholeRange,
  claims: list(u16, blob(1 << 20)),
  digests: list(u32, struct({ peer: hash, digest: hash })),
  messages: list(u32, messageField),
});
export type KeptMessage = ValueOf<typeof messageField>;
/** An epoch that brought the mailbox something. */
export type KeptEpoch = ValueOf<typeof epochField>;

export const pairField = struct({ peer: hash, from: u64, baseEpoch: u64, baseHead: hash, verified: u64 });

const forkField = struct({
  peer: hash,
  size: u64,
  /** The other's root of a log of that size, as its block names it; zeros where none has. */
  root: hash,
  /** Empty: nothing proves it. */
  evidence: blob(1 << 20),
});
export const forksField = list(u8, forkField);
export type Fork = ValueOf<typeof forkField>;

export function encoded<T>(field: Field<T>, value: T): Uint8Array {
  const out = new Writer();
  field.write(out, value);
  return out.done();
}

/** What an epoch brought to each pair. */
export function digestsOf(epoch: number, messages: readonly KeptMessage[]): KeptEpoch['digests'] {
  const byPeer = new Map<string, { peer: Uint8Array; items: KeptMessage[] }>();
  for (const message of messages)
    for (const peer of message.peers) {
      const hex = toHex(peer);
      const pair = byPeer.get(hex) ?? { peer, items: [] };
      byPeer.set(hex, pair);
      pair.items.push(message);
    }
  return [...byPeer.values()].map(({ peer, items }) => ({ peer, digest: epochDigest(epoch, items) }));
}
