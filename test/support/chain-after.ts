import type { Links } from '../../src/actors/epoch-file.js';
import { ChainView, type KeptChain } from '../../src/actors/mailbox-state.js';

/** The chain of the mailbox of header `i` after the epoch, by itself. */
export function chainAfter(links: Links, i: number): KeptChain {
  const chain = new ChainView();
  links.moveChain(i, chain);
  return chain.copy();
}
