/** What an outbox keeps per mailbox, whatever is deleted: where its chain ends and what is acknowledged. */
import { type ChainState, getU64, putU64 } from '../protocol/index.js';
import type { StateCodec } from './state-table.js';

export interface MailboxState {
  chain: ChainState;
  /** The chain through what the owner has acknowledged; at first the seed. */
  acknowledged: ChainState;
}

const CHAIN_BYTES = 48;

function putChain(out: Uint8Array, at: number, chain: ChainState): void {
  putU64(out, at, chain.lastEpoch);
  putU64(out, at + 8, chain.total);
  out.set(chain.head, at + 16);
}

function getChain(bytes: Uint8Array, at: number): ChainState {
  return {
    lastEpoch: getU64(bytes, at),
    total: getU64(bytes, at + 8),
    head: bytes.slice(at + 16, at + CHAIN_BYTES),
  };
}

/** last epoch 8 ‖ total 8 ‖ head 32, for the chain and for what is acknowledged. */
export const mailboxCodec: StateCodec<MailboxState> = {
  encode({ chain, acknowledged }) {
    const bytes = new Uint8Array(2 * CHAIN_BYTES);
    putChain(bytes, 0, chain);
    putChain(bytes, CHAIN_BYTES, acknowledged);
    return bytes;
  },
  decode: (bytes) => ({ chain: getChain(bytes, 0), acknowledged: getChain(bytes, CHAIN_BYTES) }),
};

/** A new mailbox: its chain starts with the seed (32 random bytes). */
export function newMailbox(seed: Uint8Array): MailboxState {
  const chain = { lastEpoch: 0, total: 0, head: Uint8Array.from(seed) };
  return { chain, acknowledged: chain };
}
