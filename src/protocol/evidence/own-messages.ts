/** Finds where a chain shows two messages of its owner with none of its own between: candidates for rule 19. */
import { sha256 } from '#crypto';
import { equalBytes, FormatError, sameBytes, toHex } from '../bytes.js';
import type { Claim } from '../claim.js';
import { SENDER_AT } from '../message-hash.js';
import { MAX_OWN_LINKS, MAX_OWN_MESSAGES } from './evidence.js';
import { type LinkPart, readMailboxLeaf } from './leaves.js';

export interface OwnMessages {
  readonly sender: Uint8Array;
  /** Claims of link parts, from the one that holds the first message to the one that holds the last. */
  readonly links: readonly Claim[];
  /** The first message's entry in the first part. */
  readonly first: number;
  /** Preimages, from the first message to the last. */
  readonly messages: readonly Uint8Array[];
}

interface Part {
  readonly claim: Claim;
  readonly link: LinkPart;
}

interface Entry {
  /** Its part's number in the chain, and its own in the part. */
  readonly part: number;
  readonly at: number;
  readonly message: Uint8Array | undefined;
}

/** `claims`: any; those that are no link parts are passed over. `messages`: preimages of message hashes. */
export function* ownMessages(
  claims: readonly Claim[],
  messages: readonly Uint8Array[],
): Generator<OwnMessages> {
  const known = new Map(messages.map((each) => [toHex(sha256(each)), each]));
  for (const chain of chainsOf(claims)) {
    const sender = chain[0]!.link.mailbox;
    const entries = chain.flatMap(({ link }, part) =>
      link.entries.map(
        ({ messageHash }, at): Entry => ({ part, at, message: known.get(toHex(messageHash)) }),
      ),
    );
    let before = -1;
    for (const [i, { message, part }] of entries.entries()) {
      const isOwn = message !== undefined && sameBytes(message, SENDER_AT, sender, 0, 32);
      const first = isOwn ? entries[before] : undefined;
      const isShort = first && i - before < MAX_OWN_MESSAGES && part - first.part < MAX_OWN_LINKS;
      if (isShort)
        yield {
          sender,
          links: chain.slice(first.part, part + 1).map(({ claim }) => claim),
          first: first.at,
          messages: entries.slice(before, i + 1).map((each) => each.message!),
        };
      // One that is not known may be its own, too.
      if (isOwn) before = i;
      else if (!message) before = -1;
    }
  }
}

/** Link parts of each mailbox, in the order of its chain. */
function chainsOf(claims: readonly Claim[]): Part[][] {
  const chains = new Map<string, Part[]>();
  for (const claim of claims) {
    const link = linkOf(claim.leaf);
    if (!link) continue;
    const id = toHex(link.mailbox);
    const chain = chains.get(id) ?? [];
    chains.set(id, chain);
    if (!chain.some((each) => equalBytes(each.claim.leaf, claim.leaf))) chain.push({ claim, link });
  }
  for (const chain of chains.values())
    chain.sort((a, b) => a.link.epoch - b.link.epoch || a.link.part - b.link.part);
  return [...chains.values()];
}

function linkOf(leaf: Uint8Array): LinkPart | null {
  try {
    const read = readMailboxLeaf(leaf);
    return read.kind === 'link' ? read : null;
  } catch (error) {
    if (error instanceof FormatError) return null;
    throw error;
  }
}
