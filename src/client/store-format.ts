/**
 * Changes of a store as bytes.
 *
 *   server     1 ‖ server id 32
 *   log        2 ‖ outbox 2 ‖ size 8 ‖ root 32 ‖ signature 64 ‖ hashes 1 ‖ hashes × 32
 *   chain      3 ‖ mailbox 32 ‖ acknowledged chain 48 ‖ own counter + 1 8 ‖ epoch 8 ‖ inbox 2 ‖ index 4 ‖
 *              verified chain 48;  chain := last epoch 8 ‖ total 8 ‖ head 32
 *   submitted  4 ‖ mailbox 32 ‖ first counter 8 ‖ count 4 ‖ count × (length 4 ‖ bundle)
 *   receipted  5 ‖ mailbox 32 ‖ through counter 8
 *   kept       6 ‖ length 1 ‖ name in ASCII ‖ length 4 ‖ bytes
 */
import {
  ascii,
  type ChainState,
  FormatError,
  fromHex,
  HASH_BYTES,
  Reader,
  SIGNATURE_BYTES,
  toHex,
  type Writer,
} from '../protocol/index.js';
import type { Change, Saved, SavedChain } from './store.js';

const KIND = { server: 1, log: 2, chain: 3, submitted: 4, receipted: 5, kept: 6 } as const;

export function encodeChange(out: Writer, change: Change): void {
  switch (change.type) {
    case 'server':
      return void out.u8(KIND.server).bytes(change.serverId);
    case 'log': {
      const { checkpoint, frontier } = change.log;
      out.u8(KIND.log).u16(change.outbox).u64(checkpoint.size).bytes(checkpoint.root);
      return void out
        .bytes(checkpoint.signature)
        .u8(frontier.length / HASH_BYTES)
        .bytes(frontier);
    }
    case 'chain':
      return putSavedChain(out.u8(KIND.chain).bytes(idOf(change.mailbox)), change.chain);
    case 'submitted':
      out.u8(KIND.submitted).bytes(idOf(change.mailbox)).u64(change.first).u32(change.bundles.length);
      for (const bundle of change.bundles) out.u32(bundle.length).bytes(bundle);
      return;
    case 'receipted':
      return void out.u8(KIND.receipted).bytes(idOf(change.mailbox)).u64(change.through);
    case 'kept': {
      const { name, bytes } = change;
      return void out.u8(KIND.kept).u8(name.length).bytes(ascii(name)).u32(bytes.length).bytes(bytes);
    }
  }
}

function idOf(mailbox: string): Uint8Array {
  return fromHex(mailbox, HASH_BYTES);
}

function putChain(out: Writer, { lastEpoch, total, head }: ChainState): Writer {
  return out.u64(lastEpoch).u64(total).bytes(head);
}

function putSavedChain(out: Writer, { acknowledged, ownCounter, place, verified }: SavedChain): void {
  putChain(out, acknowledged)
    .u64(ownCounter + 1)
    .u64(place.epoch)
    .u16(place.inbox)
    .u32(place.index);
  putChain(out, verified);
}

/** All changes of a batch. Throws `FormatError` on any other bytes than `encodeChange` gives. */
export function decodeChanges(payload: Uint8Array): Change[] {
  const reader = new Reader(payload);
  const changes: Change[] = [];
  while (reader.at < reader.limit) changes.push(readChange(reader));
  return changes;
}

function readChange(reader: Reader): Change {
  const kind = reader.u8();
  switch (kind) {
    case KIND.server:
      return { type: 'server', serverId: reader.hash().slice() };
    case KIND.log: {
      const outbox = reader.u16();
      const checkpoint = {
        size: reader.u64(),
        root: reader.hash().slice(),
        signature: reader.bytes(SIGNATURE_BYTES).slice(),
      };
      return { type: 'log', outbox, log: { checkpoint, frontier: reader.hashes(reader.u8()).slice() } };
    }
    case KIND.chain:
      return { type: 'chain', mailbox: toHex(reader.hash()), chain: readSavedChain(reader) };
    case KIND.submitted: {
      const mailbox = toHex(reader.hash());
      const first = reader.u64();
      const bundles = Array.from({ length: reader.u32() }, () => reader.bytes(reader.u32()).slice());
      return { type: 'submitted', mailbox, first, bundles };
    }
    case KIND.receipted:
      return { type: 'receipted', mailbox: toHex(reader.hash()), through: reader.u64() };
    case KIND.kept: {
      const name = String.fromCharCode(...reader.bytes(reader.u8()));
      return { type: 'kept', name, bytes: reader.bytes(reader.u32()).slice() };
    }
    default:
      throw new FormatError(`unknown record ${kind}`);
  }
}

function readSavedChain(reader: Reader): SavedChain {
  return {
    acknowledged: readChain(reader),
    ownCounter: reader.u64() - 1,
    place: { epoch: reader.u64(), inbox: reader.u16(), index: reader.u32() },
    verified: readChain(reader),
  };
}

function readChain(reader: Reader): ChainState {
  return { lastEpoch: reader.u64(), total: reader.u64(), head: reader.hash().slice() };
}

/** The changes that lead from nothing to `saved`. */
export function* changesOf(saved: Saved): Iterable<Change> {
  if (saved.serverId) yield { type: 'server', serverId: saved.serverId };
  for (const [outbox, log] of saved.logs) yield { type: 'log', outbox, log };
  for (const [mailbox, { chain, firstCounter, bundles }] of saved.mailboxes) {
    if (chain) yield { type: 'chain', mailbox, chain };
    yield { type: 'submitted', mailbox, first: firstCounter, bundles };
  }
  for (const [name, bytes] of saved.kept) yield { type: 'kept', name, bytes };
}
