/**
 * Committed epochs as deliveries need them: the outbox's links and bodies with everything up to the
 * log. The newest stay in memory; older ones are read back from the store. What came before a move lies there as the
 * outbox of that epoch signed it, and is delivered so.
 */
import {
  actorPosition,
  buildTree,
  countActors,
  decodeAttestation,
  decodeEpochLeaf,
  type EpochPart,
  getU16,
  getU32,
  getU64,
  multiproof,
  ROLE,
  type SignedAttestation,
} from '../protocol/index.js';
import { actorLeaves } from './attest.js';
import { isSent, Links } from './epoch-file.js';
import { idBytes } from './ids.js';
import { treeOver } from './link-hashes.js';
import { logRecordLeaf } from './log-store.js';
import type { Memory } from './memory.js';
import type { Logged, StoreReader } from './messages.js';
import type { Placements } from './placements.js';
import type { SignedEpoch, Still } from './signed-epoch.js';
import { epochKey, numberKey, TABLE } from './store-keys.js';

export interface CommittedEpoch extends SignedEpoch {
  readonly logIndex: number;
  readonly part: EpochPart;
}

/** Epochs kept in memory for readers that are nearly up to date, and for acknowledgments. */
const MAX_EPOCHS = 64;
const MAX_BYTES = 32 << 20;
/** The same for epochs that were read back, and for links alone that were: many who are behind go through the same ones. */
const OLD_EPOCHS = 1024;
const OLD_BYTES = 16 << 20;

/** An epoch's links and the memory that they lie in. */
interface InMemory {
  readonly links: Links;
  readonly blocks: readonly Uint8Array[];
  readonly tree?: { readonly size: number };
}

/** Epochs in memory, so many and so many bytes, or one larger one; the one that came first is the first to go. */
class KeptEpochs<Epoch extends InMemory> {
  /** Arrays, not a map: see switchboard.ts. */
  private readonly epochs: Epoch[] = [];
  private readonly outboxes: number[] = [];
  private bytes = 0;

  constructor(
    private readonly maxEpochs: number,
    private readonly maxBytes: number,
    private readonly memory: Memory,
  ) {}

  get(epoch: number, outbox: number): Epoch | undefined {
    const { epochs, outboxes } = this;
    for (let i = epochs.length - 1; i >= 0; i--)
      if (epochs[i]!.links.epoch === epoch && outboxes[i] === outbox) return epochs[i];
    return undefined;
  }

  keep(epoch: Epoch, outbox: number): Epoch {
    const bytes = bytesOf(epoch);
    this.makeRoom(bytes);
    this.epochs.push(epoch);
    this.outboxes.push(outbox);
    this.bytes += bytes;
    return epoch;
  }

  /** For one more epoch of so many bytes. */
  makeRoom(bytes: number): void {
    while (this.epochs.length >= this.maxEpochs || this.bytes + bytes > this.maxBytes) {
      const oldest = this.epochs.shift();
      if (!oldest) return;
      this.outboxes.shift();
      this.bytes -= bytesOf(oldest);
      for (const block of oldest.blocks) this.memory.give(block);
    }
  }
}
const NO_STILLS: ReadonlyMap<string, Still> = new Map();

export class CommittedEpochs {
  /** By number: of this outbox, since it was started. */
  private readonly newest: KeptEpochs<CommittedEpoch>;
  /** Read back last: those who are behind together need the same ones. */
  private readonly old: KeptEpochs<CommittedEpoch>;
  /** Read back last: a frame acknowledges the same ones for many mailboxes. */
  private readonly oldLinks: KeptEpochs<InMemory>;

  constructor(
    private readonly reader: StoreReader,
    private readonly memory: Memory,
    private readonly outbox: number,
    private readonly placements: Placements,
  ) {
    this.newest = new KeptEpochs(MAX_EPOCHS, MAX_BYTES, memory);
    this.old = new KeptEpochs(OLD_EPOCHS, OLD_BYTES, memory);
    this.oldLinks = new KeptEpochs(OLD_EPOCHS, OLD_BYTES, memory);
  }

  /** Takes over the memory of an epoch that is now committed. */
  add(epoch: number, logged: Logged, signed: SignedEpoch): CommittedEpoch {
    const part = epochPart(logged, this.positionIn(epoch, this.outbox));
    return this.newest.keep({ ...signed, logIndex: logged.logIndex, part }, this.outbox);
  }

  private positionIn(epoch: number, outbox: number): number {
    return actorPosition(this.placements.manifestAt(epoch), ROLE.outbox, outbox);
  }

  /** Which outbox a mailbox of this one was at in an epoch. */
  outboxIn(epoch: number, mailbox: string): number {
    const { since } = this.placements;
    return epoch >= since ? this.outbox : this.placements.placed(epoch, idBytes(mailbox)).outbox;
  }

  /** The outboxes that this one's mailboxes were at in an epoch: at most so many. */
  outboxesIn(epoch: number): number[] {
    if (epoch >= this.placements.since) return [this.outbox];
    return [...Array(countActors(this.placements.manifestAt(epoch), ROLE.outbox)).keys()];
  }

  /** What an outbox linked in a committed epoch; null when nothing came, or it is deleted. Holds until the next read. */
  links(epoch: number, outbox: number): Links | null {
    const kept = this.kept(epoch, outbox) ?? this.oldLinks.get(epoch, outbox);
    if (kept) return kept.links;
    const bytes = this.copy(epochKey(TABLE.links, epoch, outbox), this.oldLinks);
    return bytes
      ? this.oldLinks.keep({ links: Links.read(bytes), blocks: shared(bytes) }, outbox).links
      : null;
  }

  private kept(epoch: number, outbox: number): CommittedEpoch | undefined {
    return this.newest.get(epoch, outbox) ?? this.old.get(epoch, outbox);
  }

  /** A committed epoch of an outbox whole. Throws when the store has lost it. */
  get(epoch: number, outbox: number): CommittedEpoch {
    return this.kept(epoch, outbox) ?? this.old.keep(this.load(epoch, outbox), outbox);
  }

  private load(epoch: number, outbox: number): CommittedEpoch {
    const record = this.reader.get(numberKey(TABLE.attestations, epoch));
    const links = this.copy(epochKey(TABLE.links, epoch, outbox), this.old);
    if (!record || !links) throw new Error(`epoch ${epoch} is missing in the store`);
    const { logIndex, attestations } = decodeAttestations(record);
    const log = this.reader.get(numberKey(TABLE.log, logIndex))!;
    const leaf = decodeEpochLeaf(logRecordLeaf(log));
    const copy = Links.read(links);
    const bodies = this.copy(epochKey(TABLE.bodies, epoch, outbox), this.old) ?? noBodies(copy);
    const position = this.positionIn(epoch, outbox);
    return {
      logIndex,
      part: epochPart({ leaf, attestations, actorLeaves: actorLeaves(attestations) }, position),
      links: copy,
      bodies,
      tree: treeOver(copy.leafHashes),
      stills: NO_STILLS,
      blocks: shared(links, bodies),
    };
  }

  /** In recycled memory, for which the one that came first among `kept` makes room. */
  private copy(key: Uint8Array, kept: { makeRoom(bytes: number): void }): Uint8Array | undefined {
    const view = this.reader.view(key);
    if (!view) return undefined;
    kept.makeRoom(view.length);
    const block = this.memory.take(view.length).subarray(0, view.length);
    block.set(view);
    return block;
  }
}

/** Those of them that are recycled. */
function shared(...blocks: readonly Uint8Array[]): Uint8Array[] {
  return blocks.filter(({ buffer }) => buffer instanceof SharedArrayBuffer);
}

/** Right when the outbox's mailboxes have only sent in the epoch. Throws when bodies are missing. */
function noBodies(links: Links): Uint8Array {
  for (let x = 0; x < links.rows; x++) {
    if (!isSent(links.row(x))) throw new Error(`bodies of epoch ${links.epoch} are missing in the store`);
  }
  return new Uint8Array(0);
}

/** What an epoch occupies: its blocks, whole, and its tree above the leaves. */
function bytesOf({ blocks, tree }: InMemory): number {
  return blocks.reduce((sum, { buffer }) => sum + buffer.byteLength, (tree?.size ?? 0) * 32);
}

/** log index 8 ‖ count 2 ‖ count × (length 4 ‖ signed bytes ‖ signature 64), as the sequencer writes it. */
export function decodeAttestations(record: Uint8Array): {
  logIndex: number;
  attestations: SignedAttestation[];
} {
  const attestations: SignedAttestation[] = [];
  let at = 10;
  for (let i = 0; i < getU16(record, 8); i++) {
    const end = at + 4 + getU32(record, at);
    attestations.push({ bytes: record.subarray(at + 4, end), signature: record.subarray(end, end + 64) });
    at = end + 64;
  }
  return { logIndex: getU64(record, 0), attestations };
}

function epochPart(
  { leaf, attestations, actorLeaves: leaves }: Omit<Logged, 'logIndex'>,
  position: number,
): EpochPart {
  const own = attestations[position]!;
  const { inputs, outputs } = decodeAttestation(own.bytes);
  return {
    epoch: leaf.epoch,
    previousEpoch: leaf.previousEpoch,
    base: leaf.base,
    manifestHash: leaf.manifestHash,
    placementRoot: leaf.placementRoot,
    inputs,
    entries: outputs[0]!.entries,
    leaves: outputs[0]!.leaves,
    signature: own.signature,
    actorPath: multiproof(buildTree(leaves), [position]),
  };
}
