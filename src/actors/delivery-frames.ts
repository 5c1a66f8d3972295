/** The frames that an outbox makes: an epoch's links and stills for one socket, with their proof. */
import {
  BundleCursor,
  type BundleLimits,
  type Checkpoint,
  encodeCheckpoint,
  FrameWriter,
  gapHashes,
  LOG_MODE,
  type LogProof,
  linkParts,
  logPath,
  MAILBOX_KIND,
  pagesTree,
  putDeliverHead,
  putMultiproof,
  putReceivedEntry,
  putSentEntry,
  RECIPIENT_PAGE,
  type RecipientLeaves,
  type Tree,
} from '../protocol/index.js';
import { leafBytes } from './batch.js';
import { packedBundle, packedCounter, packedEnd } from './body-packer.js';
import type { CommittedEpoch } from './committed-epochs.js';
import { isSent, type LinkRow } from './epoch-file.js';
import { logNodes } from './log-store.js';
import type { StoreReader } from './messages.js';
import { HEAD_ROOM } from './outstanding.js';
import type { SignedEpoch } from './signed-epoch.js';
import { type Connection, type Due, positionOf } from './subscription.js';

/**
 * A deliver frame is closed once it is longer; one mailbox's epoch is never split. With its last mailbox and its proof
 * most then fit a block of 256 KiB (memory.ts).
 */
const FRAME_TARGET = 240 << 10;
/** Of a mailbox: slot, position, kind. */
const HEAD = 2 + 4 + 1;

export class DeliveryFrames {
  private readonly cursor: BundleCursor;
  /** Trees over the pages of many recipients in the epoch that is being delivered, by the bundle's offset in the bodies. */
  private readonly trees = new Map<number, Tree>();
  private treesOf: Uint8Array | null = null;
  private readonly out = new FrameWriter(FRAME_TARGET * 2);
  private readonly heads = new FrameWriter(HEAD_ROOM);

  constructor(
    private readonly reader: StoreReader,
    limits: BundleLimits,
    /** The newest. */
    public checkpoint: Checkpoint,
  ) {
    this.cursor = new BundleCursor(limits);
  }

  /** Brings the client to the newest checkpoint, under which a backlog is then proven. Null when it has it. */
  checkpointFor(connection: Connection): Uint8Array | null {
    const { checkpoint } = this;
    if (connection.logSize >= checkpoint.size) return null;
    const from = connection.logSize;
    const gap = gapHashes(logNodes(this.reader), from, checkpoint.size);
    connection.logSize = checkpoint.size;
    return encodeCheckpoint({ from, to: checkpoint.size, signature: checkpoint.signature, gap });
  }

  /** What a frame begins with that is sent now: known when its epoch is committed. Good until the next. */
  head(connection: Connection, epoch: CommittedEpoch): Uint8Array {
    this.heads.reset();
    putDeliverHead(this.heads, this.proof(connection, epoch.logIndex), epoch.part);
    return this.heads.done();
  }

  /**
   * Behind the head, what an epoch has for a socket, from `due[first]` on, as far as one frame goes; good until the next. `next`:
   * what is behind it. It may be made before the epoch is committed.
   */
  tail(epoch: SignedEpoch, due: readonly Due[], first: number): { tail: Uint8Array; next: number } {
    const { out } = this;
    out.reset();
    out.u16(0);
    const positions: number[] = [];
    let next = first;
    while (next < due.length && (next === first || out.length < FRAME_TARGET) && next - first < 0xffff) {
      this.putMailbox(epoch, due[next++]!, positions);
    }
    out.patchU16(0, next - first);
    const proofAt = out.length;
    out.u32(0);
    putMultiproof(out, epoch.tree, positions);
    out.patchU32(proofAt, (out.length - proofAt - 4) / 32);
    return { tail: out.done(), next };
  }

  /** An epoch is through: its trees are not needed any more. */
  forget(): void {
    this.trees.clear();
    this.treesOf = null;
  }

  private proof(connection: Connection, logIndex: number): LogProof {
    const nodes = logNodes(this.reader);
    const from = connection.logSize;
    if (logIndex >= from) {
      connection.logSize = logIndex + 1;
      const { signature } = this.checkpoint;
      return { mode: LOG_MODE.extend, logIndex, from, signature, gap: gapHashes(nodes, from, logIndex) };
    }
    return { mode: LOG_MODE.under, logIndex, size: from, path: logPath(nodes, logIndex, from) };
  }

  private putMailbox(epoch: SignedEpoch, due: Due, positions: number[]): void {
    const { out } = this;
    const { subscription, link, still } = due;
    const position = positionOf(epoch, due);
    const at = out.grow(HEAD);
    out.view.setUint16(at, subscription.slot);
    out.view.setUint32(at + 2, position);
    if (still) {
      positions.push(position);
      out.view.setUint8(at + 6, MAILBOX_KIND.still);
      out.u64(still.trimmedThrough);
      return;
    }
    const { links } = epoch;
    const rows = links.rowCount(link);
    out.view.setUint8(at + 6, MAILBOX_KIND.link);
    out.u32(rows);
    for (let part = 0; part < linkParts(rows); part++) positions.push(position + part);
    for (let x = links.firstRow(link), end = x + rows; x < end; x++) {
      const row = links.row(x);
      if (isSent(row)) {
        putSentEntry(out, row.inbox, row.index, row.detail, links.view, row.hashAt);
      } else {
        this.putReceived(epoch, row);
      }
    }
  }

  private putReceived({ bodies }: SignedEpoch, { inbox, index, detail, position }: LinkRow): void {
    const { cursor, out } = this;
    const end = packedEnd(bodies, detail);
    cursor.jump(bodies, packedBundle(detail), end);
    const leaves = cursor.recipients > 1 ? this.leavesOf(bodies, detail, end) : null;
    const counter = packedCounter(bodies, detail);
    putReceivedEntry(out, inbox, index, cursor.view, detail, counter, cursor, leaves, position);
  }

  /** Of the bundle under the cursor, which is packed at `offset`. */
  private leavesOf(bodies: Uint8Array, offset: number, at: number): RecipientLeaves {
    const { view, recipients } = this.cursor;
    if (recipients <= RECIPIENT_PAGE) return { view, at, pages: null };
    if (this.treesOf !== bodies) this.trees.clear();
    this.treesOf = bodies;
    let pages = this.trees.get(offset);
    if (!pages) {
      pages = pagesTree(bodies.subarray(at, at + leafBytes(recipients)));
      this.trees.set(offset, pages);
    }
    return { view, at, pages };
  }
}
