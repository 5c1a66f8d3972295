/**
 * What docs/PROTOCOL.md tells a client to do with a deliver frame, step by step and nothing else, so
 * that we know that the steps are enough. The client that people use is in src/client.
 */
import { importPublicKey, sha256 } from '#crypto';
import * as p from '../../src/protocol/index.js';
import * as w from './world.js';

export interface Client {
  readonly frontier: p.Frontier;
  /** By slot. */
  readonly mailboxes: readonly { readonly id: Uint8Array; chain: p.ChainState }[];
}

export class Refused extends Error {}

function need(holds: boolean, what: string): void {
  if (!holds) throw new Refused(what);
}

const manifest = p.decodeManifest(w.MANIFEST);

/** R from the own leaf part and its siblings. */
function recipientsPart(entry: p.ReceivedEntry, leaf: Uint8Array): Uint8Array {
  const { recipients, position, siblings } = entry;
  need(recipients > 0 && position < recipients, 'position');
  if (recipients === 1) {
    need(siblings.length === 0, 'siblings');
    return leaf.subarray(9);
  }
  const page = Math.floor(position / p.RECIPIENT_PAGE);
  const inPage = recipients <= 16 ? recipients : Math.min(16, recipients - 16 * page);
  const at = position - page * 16;
  need(siblings.length >= (inPage - 1) * 32, 'siblings');
  const hashes = p.concat(
    siblings.subarray(0, at * 32),
    sha256(leaf),
    siblings.subarray(at * 32, (inPage - 1) * 32),
  );
  const path = siblings.subarray((inPage - 1) * 32);
  if (recipients > 16) {
    const pageHash = sha256(p.concat(p.ascii('\0csign1rp'), hashes));
    return p.rootFromPath(Math.ceil(recipients / 16), page, pageHash, path);
  }
  need(path.length === 0, 'siblings');
  return hashes;
}

function messageHash(entry: p.DeliveredEntry, mailbox: Uint8Array): Uint8Array {
  if (entry.kind === p.ENTRY_KIND.sent) return entry.messageHash;
  need(p.isBodyPart(entry.body) && p.isEnvelopePart(entry.envelope), 'parts');
  const R = recipientsPart(entry, p.leafPart(entry.blinder, mailbox, entry.envelope));
  const numbers = new p.Writer().u64(entry.counter).u16(entry.recipients).done();
  return sha256(p.concat(p.ascii('csign1ms'), w.SERVER_ID, entry.sender, numbers, R, sha256(entry.body)));
}

/** The preimages of a mailbox's leaves. */
function leavesOf(mailbox: p.DeliveredMailbox, epoch: number, { id, chain }: Client['mailboxes'][number]) {
  need(epoch > chain.lastEpoch, 'epoch');
  if (mailbox.kind === p.MAILBOX_KIND.still) {
    need(mailbox.trimmedThrough <= chain.lastEpoch, 'trimmed');
    return [p.stillPreimage(id, epoch, chain, mailbox.trimmedThrough)];
  }
  const rows = mailbox.entries.map((entry) =>
    new p.Writer().u16(entry.inbox).u32(entry.index).bytes(messageHash(entry, id)).done(),
  );
  need(
    rows.every((row, i) => i === 0 || p.compareBytes(rows[i - 1]!, 0, row, 0, 6) < 0),
    'places',
  );
  const parts = p.linkParts(rows.length);
  let before = chain;
  return Array.from({ length: parts }, (_, part) => {
    const own = p.concat(...rows.slice(part * 64, part * 64 + 64));
    const preimage = p.linkPreimage(id, epoch, part, parts, before, own);
    before = { lastEpoch: chain.lastEpoch, total: before.total + own.length / 38, head: sha256(preimage) };
    return preimage;
  });
}

/** The log's new frontier, once the epoch's leaf is proven to be in it. */
function prove(frontier: p.Frontier, { proof }: p.Deliver, leaf: Uint8Array): p.Frontier {
  const { logIndex } = proof;
  if (proof.mode === p.LOG_MODE.under) {
    need(proof.size === frontier.size, 'checkpoint');
    need(p.equalBytes(p.rootFromPath(proof.size, logIndex, leaf, proof.path), frontier.root()), 'log path');
    return frontier;
  }
  need(proof.from === frontier.size && logIndex >= proof.from, 'checkpoint');
  const next = frontier.copy();
  next.appendGap(logIndex, proof.gap);
  next.append(leaf);
  const text = p.checkpointText(w.SERVER_ID, next.size, next.root());
  need(importPublicKey(w.KEYS.sequencer.publicKey).verify(text, proof.signature), 'checkpoint signature');
  return next;
}

/** The client after the frame. Throws `Refused` or `FormatError` and changes nothing. */
export function accept(client: Client, frame: Uint8Array): Client {
  const delivery = p.decodeDeliver(frame);
  const { epoch } = delivery;
  need(p.equalBytes(epoch.manifestHash, w.MANIFEST_HASH), 'manifest');
  need(p.equalBytes(epoch.placementRoot, p.EMPTY_ROOT), 'placement');
  need(epoch.previousEpoch < epoch.epoch && epoch.base.size <= delivery.proof.logIndex, 'epoch');
  const indices: number[] = [];
  const preimages: Uint8Array[] = [];
  const mailboxes = [...client.mailboxes];
  const ids: Uint8Array[] = [];
  for (const mailbox of delivery.mailboxes) {
    const own = mailboxes[mailbox.slot];
    if (!own) throw new Refused('slot');
    need(
      ids.every((id) => p.compareBytes(id, 0, own.id, 0, 32) < 0),
      'mailboxes',
    );
    ids.push(own.id);
    const leaves = leavesOf(mailbox, epoch.epoch, own);
    for (const [part, leaf] of leaves.entries()) {
      indices.push(mailbox.position + part);
      preimages.push(leaf);
    }
    if (mailbox.kind === p.MAILBOX_KIND.still) continue;
    const total = own.chain.total + mailbox.entries.length;
    const chain = { lastEpoch: epoch.epoch, total, head: sha256(leaves.at(-1)!) };
    mailboxes[mailbox.slot] = { id: own.id, chain };
  }
  const hashes = p.concat(...preimages.map((leaf) => sha256(leaf)));
  const root = p.rootFromMultiproof(epoch.leaves, indices, hashes, delivery.multiproof);
  const attestation = p.encodeAttestation({
    ...epoch,
    serverId: w.SERVER_ID,
    role: p.ROLE.outbox,
    actor: 0,
    outputs: [{ entries: epoch.entries, leaves: epoch.leaves, root }],
  });
  need(
    importPublicKey(w.KEYS.outbox.publicKey).verify(attestation, epoch.signature),
    'attestation signature',
  );
  const actors = p.epochActors(manifest);
  const actorLeaf = p.actorLeafHash(p.attestationHash(attestation), epoch.signature);
  const position = p.actorPosition(manifest, p.ROLE.outbox, 0);
  const actorsRoot = p.rootFromPath(actors, position, actorLeaf, epoch.actorPath);
  const leaf = p.epochLeafHash({ ...epoch, actors, actorsRoot });
  return { frontier: prove(client.frontier, delivery, leaf), mailboxes };
}
