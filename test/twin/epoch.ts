/**
 * One whole epoch, from the inboxes' queues to the epoch leaf, by filtering and sorting plain
 * arrays. What the server computes with worker threads and packed buffers must equal this.
 */
import {
  type Attestation,
  attestationHash,
  attestationSigned,
  type Base,
  INBOX,
  inputsHash,
  OUTBOX,
  type Output,
  outputOf,
  RECEIVER,
  ROUTER,
} from './attestation.js';
import { hex, NO_PLACE, type Place } from './bytes.js';
import {
  type Chain,
  chainAfter,
  type Link,
  linkLeaf,
  linksOf,
  type Still,
  stillLeaf,
  stillOf,
} from './chain.js';
import { publicKeyOf, sign } from './ed25519.js';
import { epochLeaf } from './log.js';
import { type Message, messageHash } from './message.js';
import {
  compareItems,
  type InboxEntry,
  inboxPages,
  type MailboxItem,
  receiverPages,
  routerPages,
} from './pages.js';
import type { Assigned } from './placement.js';

export interface Bundle extends Message {
  /** 32 zero bytes = unsigned. */
  submissionHash: Buffer;
}

/** Secret seeds, by actor index. */
export interface Secrets {
  inboxes: Buffer[];
  routers: Buffer[];
  receivers: Buffer[];
  outboxes: Buffer[];
}

export interface EpochInput {
  serverId: Buffer;
  manifestHash: Buffer;
  placementRoot: Buffer;
  base: Base;
  epoch: bigint;
  /** The epoch committed before this one, 0 = none. */
  previousEpoch: bigint;
  /** The queue of inbox 0, of inbox 1, … in the order in which the inbox took them. */
  inboxes: Bundle[][];
  outboxes: number;
  placement: (id: Buffer) => Assigned;
  /** Last place of each sender (hex), for all that sent before. */
  lastPlaces: Map<string, Place>;
  /** Every mailbox (hex) that exists. */
  chains: Map<string, Chain>;
  /** Mailboxes for which a still was asked. */
  asked: Buffer[];
  secrets: Secrets;
}

/** An attestation with all that the epoch leaf and a verifier need of it. */
export interface Signed {
  role: number;
  index: number;
  outputs: Output[];
  signed: Buffer;
  attestationHash: Buffer;
  signature: Buffer;
  publicKey: Buffer;
}

export interface EpochResult {
  /** Sorted by (role, index). */
  attestations: Signed[];
  /** Message hash at [inbox][index]. */
  messageHashes: Buffer[][];
  inboxEntries: InboxEntry[][];
  /** Leaf preimages. [inbox][page], [router][receiver][page], [receiver][page], [outbox][leaf]. */
  inboxPages: Buffer[][];
  routerPages: Buffer[][][];
  receiverPages: Buffer[][];
  outboxLeaves: Buffer[][];
  routerItems: MailboxItem[][][];
  receiverItems: MailboxItem[][];
  links: Link[][];
  stills: Still[][];
  /** State after the epoch, as new maps. */
  chains: Map<string, Chain>;
  lastPlaces: Map<string, Place>;
  epochLeaf: Buffer;
}

export function runEpoch(input: EpochInput): EpochResult {
  const hashes = input.inboxes.map((bundles) => bundles.map((bundle) => messageHash(input.serverId, bundle)));

  const inbox = runInboxes(input, hashes);
  const router = runRouters(input, hashes, inbox.attestations);
  const receiver = runReceivers(input, router.items, router.attestations);
  const outbox = runOutboxes(input, receiver.items, receiver.attestations);

  const attestations = [
    ...inbox.attestations,
    ...router.attestations,
    ...receiver.attestations,
    ...outbox.attestations,
  ];
  return {
    attestations,
    messageHashes: hashes,
    inboxEntries: inbox.entries,
    inboxPages: inbox.pages,
    routerPages: router.pages,
    receiverPages: receiver.pages,
    outboxLeaves: outbox.leaves,
    routerItems: router.items,
    receiverItems: receiver.items,
    links: outbox.links,
    stills: outbox.stills,
    chains: outbox.chains,
    lastPlaces: inbox.lastPlaces,
    epochLeaf: epochLeaf({ ...input, actors: attestations }),
  };
}

/** Each inbox numbers its messages from 0. Input: none. One output: its pages. */
function runInboxes(input: EpochInput, hashes: Buffer[][]) {
  const lastPlaces = new Map(input.lastPlaces);
  const entries = input.inboxes.map((bundles, inbox) =>
    bundles.map((bundle, index): InboxEntry => {
      if (input.placement(bundle.sender).inbox !== inbox) throw new Error('a sender at a foreign inbox');
      const previousPlace = lastPlaces.get(hex(bundle.sender)) ?? NO_PLACE;
      lastPlaces.set(hex(bundle.sender), { epoch: input.epoch, inbox, index });
      const { submissionHash } = bundle;
      return { messageHash: hashes[inbox]![index]!, submissionHash, previousPlace };
    }),
  );
  const pages = entries.map(inboxPages);
  const attestations = entries.map((own, i) =>
    attest(input, INBOX, i, [], [outputOf(own.length, pages[i]!)], input.secrets.inboxes[i]!),
  );
  return { entries, pages, attestations, lastPlaces };
}

/** Router i splits inbox i. Input: its inbox. One output per receiver: the items of its mailboxes. */
function runRouters(input: EpochInput, hashes: Buffer[][], consumed: Signed[]) {
  const items = input.inboxes.map((bundles, inbox) => {
    const all = bundles.flatMap((bundle, index) =>
      mailboxesOf(bundle).map(
        (mailbox): MailboxItem => ({ mailbox, inbox, index, messageHash: hashes[inbox]![index]! }),
      ),
    );
    return range(input.outboxes).map((receiver) =>
      all.filter((item) => input.placement(item.mailbox).outbox === receiver).sort(compareItems),
    );
  });
  const pages = items.map((shares) => shares.map(routerPages));
  const attestations = items.map((shares, i) =>
    attest(
      input,
      ROUTER,
      i,
      [consumed[i]!],
      shares.map((share, receiver) => outputOf(share.length, pages[i]![receiver]!)),
      input.secrets.routers[i]!,
    ),
  );
  return { items, pages, attestations };
}

/** The recipients and the sender, each mailbox once. */
function mailboxesOf(bundle: Bundle): Buffer[] {
  const recipients = bundle.recipients.map((recipient) => recipient.mailbox);
  const toItself = recipients.some((mailbox) => mailbox.equals(bundle.sender));
  return toItself ? recipients : [...recipients, bundle.sender];
}

/** Receiver j merges its share of every router. Inputs: all routers. One output. */
function runReceivers(input: EpochInput, routerItems: MailboxItem[][][], consumed: Signed[]) {
  const items = range(input.outboxes).map((receiver) =>
    routerItems.flatMap((shares) => shares[receiver]!).sort(compareItems),
  );
  const pages = items.map(receiverPages);
  const attestations = items.map((own, j) =>
    attest(input, RECEIVER, j, consumed, [outputOf(own.length, pages[j]!)], input.secrets.receivers[j]!),
  );
  return { items, pages, attestations };
}

/** Outbox j appends what receiver j merged. Input: its receiver. One output: links and stills. */
function runOutboxes(input: EpochInput, receiverItems: MailboxItem[][], consumed: Signed[]) {
  const chains = new Map(input.chains);
  const links = receiverItems.map((items) =>
    distinct(items.map((item) => item.mailbox)).flatMap((mailbox) => {
      const chain = chainOf(input.chains, mailbox);
      const own = items.filter((item) => item.mailbox.equals(mailbox));
      const made = linksOf(mailbox, input.epoch, chain, own);
      chains.set(hex(mailbox), chainAfter(chain, made));
      return made;
    }),
  );
  const stills = links.map((made, outbox) =>
    distinct(input.asked)
      .filter((mailbox) => input.placement(mailbox).outbox === outbox)
      .filter((mailbox) => !made.some((link) => link.mailbox.equals(mailbox)))
      .map((mailbox) => stillOf(mailbox, input.epoch, chainOf(input.chains, mailbox))),
  );
  const leaves = links.map((made, outbox) => sortedLeaves(made, stills[outbox]!));
  const attestations = leaves.map((own, j) =>
    attest(
      input,
      OUTBOX,
      j,
      [consumed[j]!],
      [outputOf(receiverItems[j]!.length, own)],
      input.secrets.outboxes[j]!,
    ),
  );
  return { links, stills, leaves, chains, attestations };
}

/** Sorted by (mailbox, part). A still has no part, and no link beside it. */
function sortedLeaves(links: Link[], stills: Still[]): Buffer[] {
  const all = [
    ...links.map((link) => ({ mailbox: link.mailbox, part: link.part, leaf: linkLeaf(link) })),
    ...stills.map((still) => ({ mailbox: still.mailbox, part: 0, leaf: stillLeaf(still) })),
  ];
  return all
    .sort((a, b) => Buffer.compare(a.mailbox, b.mailbox) || a.part - b.part)
    .map((labelled) => labelled.leaf);
}

function attest(
  input: EpochInput,
  role: number,
  index: number,
  consumed: Signed[],
  outputs: Output[],
  secret: Buffer,
): Signed {
  const attestation: Attestation = {
    serverId: input.serverId,
    role,
    actor: index,
    epoch: input.epoch,
    base: input.base,
    manifestHash: input.manifestHash,
    placementRoot: input.placementRoot,
    inputs: inputsHash(consumed.map((signed) => signed.attestationHash)),
    outputs,
  };
  const signed = attestationSigned(attestation);
  return {
    role,
    index,
    outputs,
    signed,
    attestationHash: attestationHash(signed),
    signature: sign(secret, signed),
    publicKey: publicKeyOf(secret),
  };
}

function chainOf(chains: Map<string, Chain>, mailbox: Buffer): Chain {
  const chain = chains.get(hex(mailbox));
  if (!chain) throw new Error(`no such mailbox: ${hex(mailbox)}`);
  return chain;
}

function distinct(ids: Buffer[]): Buffer[] {
  return ids.filter((id, i) => ids.findIndex((other) => other.equals(id)) === i);
}

function range(n: number): number[] {
  return Array.from({ length: n }, (_, i) => i);
}
