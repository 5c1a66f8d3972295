/** Which messages of a verified link count in pairs, with what shows for whom they are. */
import { sha256 } from '#crypto';
import { LEAF_PREFIX } from '../protocol/bundle-layout.js';
import {
  BundleHasher,
  BundleView,
  blinderFor,
  compareWhole,
  concat,
  equalBytes,
  HASH_BYTES,
  LEAF_PART_BYTES,
  LINK_ENTRY_BYTES,
  leafBytes,
  merkleRoot,
  RECIPIENT_PAGE,
  type ReceivedEntry,
  recipientPages,
  SCOPE,
  type Scope,
} from '../protocol/index.js';
import { receivedHashInto } from './received-hash.js';
import type { KeptMessage } from './vector-format.js';
import { isOwn, type VerifiedLink } from './verifier.js';

const NOTHING = new Uint8Array(0);
export const LEAF_BYTES = 80;
/** Offset of R in the preimage of a message hash; 32 bytes of body hash are behind it. */
export const R_AT = 82;

/** What a client sent with a counter, while it is not forgotten. */
export type BundleOf = (counter: number) => Uint8Array | undefined;

export interface PairMessages {
  readonly messages: readonly KeptMessage[];
  /** Of a message of one's own it is not known to whom it went. */
  readonly isPartial: boolean;
}

/** Member of a roster: a mailbox, and the hash of its envelope if it is not empty. */
export interface RosterMember {
  readonly mailbox: Uint8Array;
  readonly envelopeHash?: Uint8Array;
}

/** Hashes messages, and gives what was hashed. */
class Preimages extends BundleHasher {
  private readonly hash = new Uint8Array(HASH_BYTES);
  private readonly cursor = new BundleView();

  sent(owner: Uint8Array, counter: number, { bytes, end }: BundleView): Uint8Array {
    this.sender(owner, 0);
    this.cursor.jump(bytes, 0, end);
    this.bundle(counter, this.cursor, this.hash, 0);
    return this.whole.slice();
  }

  received(owner: Uint8Array, entry: ReceivedEntry): Uint8Array {
    receivedHashInto(this, owner, entry, this.hash, 0);
    return this.whole.slice();
  }
}

export class PairReader {
  private readonly preimages: Preimages;
  private readonly view = new BundleView();

  constructor(
    serverId: Uint8Array,
    private readonly owner: Uint8Array,
    private readonly scope: Scope,
    /** Whether more than hashes is kept. */
    private readonly isWhole: boolean,
  ) {
    this.preimages = new Preimages(serverId);
  }

  read(link: VerifiedLink, bundleOf: BundleOf): PairMessages {
    const messages: KeptMessage[] = [];
    let isPartial = false;
    link.entries.forEach((entry, row) => {
      const at = (link.firstRow + row) * LINK_ENTRY_BYTES + 6;
      const { inbox, index, counter } = entry;
      const messageHash = link.delivery.rows.slice(at, at + HASH_BYTES);
      const place = { inbox, index, messageHash };
      if (!isOwn(entry, this.owner)) messages.push({ ...place, ...this.received(entry as ReceivedEntry) });
      else {
        const bundle = bundleOf(counter);
        if (!bundle) isPartial = true;
        else messages.push({ ...place, ...this.sent(counter, bundle) });
      }
    });
    // Of one to oneself nothing is compared: it is kept for what the chain shows of its owner's counters.
    const isKept = ({ peers, isOpen }: KeptMessage) => this.isWhole || peers.length > 0 || isOpen;
    return { messages: messages.filter(isKept), isPartial };
  }

  /** What was hashed of a message that was sent. */
  preimageOf(counter: number, bundle: Uint8Array): Uint8Array {
    this.view.jump(bundle, 0, bundle.length);
    return this.preimages.sent(this.owner, counter, this.view);
  }

  private received(entry: ReceivedEntry): Omit<KeptMessage, 'inbox' | 'index' | 'messageHash'> {
    const isOpen = this.scope === SCOPE.rosters && entry.recipients > 1;
    const preimage = this.isWhole || isOpen ? this.preimages.received(this.owner, entry) : NOTHING;
    return { preimage, leaves: NOTHING, isOpen: isOpen ? 1 : 0, peers: [entry.sender.slice()] };
  }

  private sent(counter: number, bundle: Uint8Array): Omit<KeptMessage, 'inbox' | 'index' | 'messageHash'> {
    const { view } = this;
    view.jump(bundle, 0, bundle.length);
    const parts = Array.from({ length: view.recipients }, (_, i) => {
      const at = view.leafAt(i);
      return bundle.subarray(at, at + LEAF_PART_BYTES);
    });
    const mailboxes = parts.map((part) => mailboxOf(leafBytes(part)));
    const peers = mailboxes.filter((mailbox) => !equalBytes(mailbox, this.owner));
    if (!this.isWhole) return { preimage: NOTHING, leaves: NOTHING, isOpen: 0, peers };
    const preimage = this.preimages.sent(this.owner, counter, view);
    return { preimage, leaves: concat(...parts.map(leafBytes)), isOpen: 0, peers };
  }
}

/** The mailbox of 80 leaf bytes, as a copy. */
export function mailboxOf(leaf: Uint8Array): Uint8Array {
  return leaf.slice(16, 48);
}

/** The leaves of a roster, packed, if the message of this preimage went to just these; else null. */
export function leavesOfRoster(
  preimage: Uint8Array,
  rosterKey: Uint8Array,
  members: readonly RosterMember[],
): Uint8Array | null {
  const sorted = [...members].sort((a, b) => compareWhole(a.mailbox, b.mailbox));
  const noEnvelope = new Uint8Array(HASH_BYTES);
  const leaves = sorted.map(({ mailbox, envelopeHash = noEnvelope }) =>
    concat(blinderFor(rosterKey, mailbox), mailbox, envelopeHash),
  );
  const count = (preimage[R_AT - 2]! << 8) | preimage[R_AT - 1]!;
  if (count !== leaves.length) return null;
  const packed = concat(...leaves);
  const R = preimage.subarray(R_AT, preimage.length - HASH_BYTES);
  return equalBytes(R, recipientsOf(packed)) ? packed : null;
}

const leafHashes = (leaves: Uint8Array): Uint8Array[] =>
  Array.from({ length: leaves.length / LEAF_BYTES }, (_, i) =>
    sha256(concat(LEAF_PREFIX, leaves.subarray(i * LEAF_BYTES, (i + 1) * LEAF_BYTES))),
  );

function recipientsOf(leaves: Uint8Array): Uint8Array {
  const count = leaves.length / LEAF_BYTES;
  if (count === 1) return leaves;
  const hashes = concat(...leafHashes(leaves));
  return count <= RECIPIENT_PAGE ? hashes : merkleRoot(recipientPages(hashes, count));
}
