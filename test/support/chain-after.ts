import type { Links } from '../../src/actors/epoch-file.js';
import type { KeptChain } from '../../src/actors/mailbox-state.js';

/** The chain of the mailbox of header `i` after the epoch, by itself. */
export function chainAfter(links: Links, i: number): KeptChain {
  const chain = { lastEpoch: 0, total: 0, head: new Uint8Array(32), links: 0, own: 0, bytes: 0 };
  links.moveChain(i, chain);
  return chain;
}
