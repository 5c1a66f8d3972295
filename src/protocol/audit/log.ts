/** Reads the whole log, from its first leaf, and holds it against everything that was signed about it. */

import { sha256 } from '#crypto';
import { concat, equalBytes, FormatError } from '../bytes.js';
import { CountersignError } from '../errors.js';
import { type Checkpoint, decodeEpochLeaf, type EpochLeaf } from '../log.js';
import { epochActors } from '../manifest.js';
import { consistencyProof, EMPTY_ROOT, Frontier, type LogNodes, logPath, nodeHash } from '../merkle.js';
import { buildTree, merkleRoot, type Tree } from '../merkle-tree.js';
import type { Draft } from './draft.js';
import { MOST_FINDINGS } from './findings.js';
import type { EpochSource, LogRecord } from './source.js';
import type { AuditWorld } from './world.js';

/** Nodes below this level are made anew from their leaves when they are needed. */
const BLOCK_LEVEL = 10;
const BLOCK = 2 ** BLOCK_LEVEL;

export type Report = (draft: Draft) => void;

/** The log before a version of the manifest comes into force. */
export interface LogHead {
  readonly size: number;
  readonly root: Uint8Array;
  /** Of its last leaf; 0 where there is none. */
  readonly lastEpoch: number;
}

export class AuditedLog {
  /** In the order of versions; of those that are not in force yet the whole log. */
  readonly heads: LogHead[] = [];
  size = 0;
  newestEpoch = 0;
  /** The largest signed one that this log bears out; null when there is none. */
  checkpoint: Checkpoint | null = null;
  /** Index and number of the first epoch at or above where the audit begins. */
  first: { readonly index: number; readonly epoch: number } | null = null;
  private readonly frontier = new Frontier();
  private readonly blocks: Uint8Array[] = [];
  /** Hashes of the leaves behind the last whole block. */
  private rest: Uint8Array[] = [];
  /** As far as it has grown since. */
  private grownTo = 0;
  private told = 0;
  private readonly roots = new Map<number, Uint8Array>();
  private isOffBase = false;
  private areNodesOff = false;

  private constructor(
    private readonly source: EpochSource,
    private readonly world: AuditWorld,
    private readonly report: Report,
  ) {}

  /** `checkpoints`: signed ones from elsewhere. `from`: the epoch that the audit begins with. */
  static async read(
    source: EpochSource,
    world: AuditWorld,
    checkpoints: readonly Checkpoint[],
    from: number,
    report: Report,
    progress: (leaves: number) => void,
  ): Promise<AuditedLog> {
    const log = new AuditedLog(source, world, report);
    const all = source.checkpoint ? [source.checkpoint, ...checkpoints] : checkpoints;
    const sizes = new Set(all.map(({ size }) => size));
    if (sizes.has(0)) log.roots.set(0, EMPTY_ROOT);
    let before: EpochLeaf | null = null;
    for await (const record of source.records(0)) {
      before = log.append(record, before);
      if (before && !log.first && before.epoch >= from)
        log.first = { index: log.size - 1, epoch: before.epoch };
      if (sizes.has(log.size)) log.roots.set(log.size, log.frontier.root());
      if (log.size % BLOCK === 0) progress(log.size);
      if (log.isCut) break;
    }
    progress(log.size);
    log.newestEpoch = log.grownTo = before?.epoch ?? 0;
    log.begun(Number.MAX_SAFE_INTEGER, log.size, log.frontier.root(), log.newestEpoch);
    if (log.isCut) return log;
    for (const checkpoint of all) log.hold(checkpoint);
    log.holdKept();
    return log;
  }

  private append({ leaf: bytes, nodes }: LogRecord, before: EpochLeaf | null): EpochLeaf | null {
    const index = this.size++;
    const root = this.frontier.root();
    const completed = this.frontier.appendSubtree(0, sha256(bytes));
    this.rest.push(completed[0]!);
    if (completed.length > BLOCK_LEVEL) {
      this.blocks.push(completed[BLOCK_LEVEL]!);
      this.rest = [];
    }
    const areOff =
      nodes.length !== completed.length || nodes.some((node, i) => !equalBytes(node, completed[i]!));
    // Those behind one that is off are off as well.
    if (areOff && !this.areNodesOff)
      this.tell(index, 0, 'the nodes that are kept with it are not those that its leaves give', 'cache');
    this.areNodesOff ||= areOff;
    const leaf = leafOf(bytes);
    if (!leaf) {
      this.tell(index, 0, 'holds no epoch leaf');
      return before;
    }
    this.begun(leaf.epoch, index, root, before?.epoch ?? 0);
    this.order(index, leaf, before);
    this.base(index, leaf, root);
    const manifest = this.world.manifest(leaf.manifestHash);
    if (!manifest) this.tell(index, leaf.epoch, 'names a manifest that is none of this server');
    else if (!this.world.isInForce(leaf.manifestHash, leaf.epoch))
      this.tell(
        index,
        leaf.epoch,
        `names version ${manifest.version} of the manifest, which is not in force in it`,
      );
    else if (leaf.actors !== epochActors(manifest))
      this.tell(index, leaf.epoch, `has ${leaf.actors} attestations, ${epochActors(manifest)} expected`);
    if (!equalBytes(leaf.placementRoot, this.world.placementRoot))
      this.tell(index, leaf.epoch, 'names a placement that the manifest does not give');
    return leaf;
  }

  /** What is logged before the versions that are in force from this epoch on, or an earlier one. */
  private begun(epoch: number, size: number, root: Uint8Array, lastEpoch: number): void {
    const { versions } = this.world;
    while (this.heads.length < versions.length && versions[this.heads.length]!.from <= epoch)
      this.heads.push({ size, root, lastEpoch });
  }

  private order(index: number, { epoch, previousEpoch }: EpochLeaf, before: EpochLeaf | null): void {
    const last = before?.epoch ?? 0;
    if (epoch <= last) this.tell(index, epoch, `is epoch ${epoch} behind epoch ${last}`);
    else if (previousEpoch !== last)
      this.tell(index, epoch, `names epoch ${previousEpoch} as the one before it, which is ${last}`);
  }

  private base(index: number, { epoch, base }: EpochLeaf, root: Uint8Array): void {
    const isOff = base.size !== index || !equalBytes(base.root, root);
    // Once a leaf is not what it was, all behind it stand on another log than this one: that is one deviation.
    if (isOff && !this.isOffBase)
      this.tell(index, epoch, 'is on a base that is not the log before it, as all its actors signed it');
    this.isOffBase = isOff;
  }

  /** Whether more is wrong than is told: then the rest has not been read. */
  get isCut(): boolean {
    return this.told >= MOST_FINDINGS;
  }

  private tell(index: number, epoch: number, what: string, kind: Draft['kind'] = 'log'): void {
    this.told++;
    this.report({
      kind,
      epoch,
      who: 'log',
      text: `the log's leaf ${index} ${what}`,
      proof: async (prover) => ({
        claims: await prover.logged([index - 1, index, index + 1]),
        checkpoints: prover.checkpoints,
      }),
    });
  }

  /** A signed checkpoint against the log. */
  private hold(checkpoint: Checkpoint): void {
    const { size, root } = checkpoint;
    const told = (text: string) =>
      this.report({
        kind: 'checkpoint',
        epoch: 0,
        who: 'log',
        text: `the checkpoint of size ${size} ${text}`,
        proof: async (prover) => ({
          claims: await prover.logged([size]),
          checkpoints: [checkpoint, ...prover.checkpoints],
        }),
      });
    if (!this.world.hasSigned(checkpoint)) return told('does not verify with the sequencer’s key');
    if (size > this.size) return told(`goes beyond the log, which has ${this.size} leaves`);
    if (!equalBytes(this.roots.get(size)!, root)) return told('has another root than the log');
    if (size > (this.checkpoint?.size ?? 0)) this.checkpoint = checkpoint;
  }

  /** An epoch is written with the checkpoint of the log before it, so one leaf at most has none yet. */
  private holdKept(): void {
    const { checkpoint } = this.source;
    if (!checkpoint || checkpoint.size >= this.size - 1) return;
    this.report({
      kind: 'checkpoint',
      epoch: 0,
      who: 'log',
      text: `the newest checkpoint is of size ${checkpoint.size}, and the log has ${this.size} leaves`,
      proof: null,
    });
  }

  // ---- what is read once more, or later

  /** Leaves from an index on, which must be those that were read before. Throws `CountersignError` where they are not. */
  async *again(from: number): AsyncGenerator<Uint8Array> {
    let at = from - (from % BLOCK);
    let block: Uint8Array[] = [];
    for await (const { leaf } of this.source.records(at)) {
      block.push(leaf);
      if (block.length < Math.min(BLOCK, this.size - at)) continue;
      const known = this.blocks[at / BLOCK] ?? merkleRoot(concat(...this.rest));
      if (!equalBytes(merkleRoot(concat(...block.map((each) => sha256(each)))), known))
        throw wrong(`leaves ${at} to ${at + block.length - 1} of the log are others than before`);
      yield* block.slice(Math.max(0, from - at));
      at += block.length;
      block = [];
      if (at === this.size) return;
    }
    throw wrong(`the log ends at leaf ${at + block.length}, and had ${this.size}`);
  }

  /**
   * The newest epoch by now, of this log as it has grown: what it makes too old may be gone. Throws `CountersignError` where it is
   * another log.
   */
  async newest(): Promise<number> {
    const { frontier, source } = this;
    // Where what was read is not what was signed, nothing can be proven to go on from there.
    if (this.checkpoint !== source.checkpoint) return this.newestEpoch;
    const later = await source.later();
    if (!later || later.size <= frontier.size) return this.grownTo;
    let last: EpochLeaf | null = null;
    for await (const { leaf } of source.records(frontier.size, later.size)) {
      frontier.appendSubtree(0, sha256(leaf));
      last = leafOf(leaf);
    }
    const isGrown = frontier.size === later.size && equalBytes(frontier.root(), later.root);
    if (!isGrown || !last) throw wrong('its log has not grown from the one that was read');
    this.grownTo = last.epoch;
    return last.epoch;
  }

  // ---- proofs

  /** The audit path of a leaf under the checkpoint. Throws `FormatError` for one that it does not cover. */
  async path(index: number): Promise<Uint8Array> {
    const size = this.covered(index);
    return logPath(await this.nodes(index, size), index, size);
  }

  /** The proof that the log of so many leaves, not 0, is in that of the checkpoint. Throws `FormatError` where that does not cover it. */
  async consistency(from: number): Promise<Uint8Array> {
    const size = this.covered(from - 1);
    return consistencyProof(await this.nodes(from - 1, size), from, size);
  }

  /** The checkpoint's size, where it covers the leaf. */
  private covered(index: number): number {
    const { checkpoint } = this;
    if (!checkpoint || index < 0 || index >= checkpoint.size)
      throw new FormatError('no signed checkpoint covers it');
    return checkpoint.size;
  }

  /** What leads from a leaf up, in a log of this size. */
  private async nodes(index: number, size: number): Promise<LogNodes> {
    const trees = new Map<number, Tree>();
    for (const block of new Set([Math.floor(index / BLOCK), Math.floor((size - 1) / BLOCK)])) {
      const hashes = (await this.leaves(block * BLOCK, BLOCK)).map((leaf) => sha256(leaf));
      trees.set(block, buildTree(concat(...hashes)));
    }
    return (level, at) => this.node(trees, level, at);
  }

  private node(trees: ReadonlyMap<number, Tree>, level: number, index: number): Uint8Array {
    if (level === BLOCK_LEVEL) return this.blocks[index]!;
    if (level > BLOCK_LEVEL)
      return nodeHash(this.node(trees, level - 1, 2 * index), this.node(trees, level - 1, 2 * index + 1));
    const perBlock = BLOCK / 2 ** level;
    const nodes = trees.get(Math.floor(index / perBlock))!.levels[level]!;
    const at = (index % perBlock) * 32;
    return nodes.subarray(at, at + 32);
  }

  /** Leaves from an index on, as many as there are. */
  async leaves(from: number, count: number): Promise<Uint8Array[]> {
    const leaves: Uint8Array[] = [];
    if (from < 0 || count === 0) return leaves;
    for await (const { leaf } of this.source.records(from)) {
      leaves.push(leaf);
      if (leaves.length === count) break;
    }
    return leaves;
  }
}

const wrong = (what: string) =>
  new CountersignError('verification-failed', `what the server sends is wrong: ${what}`);

/** Null of what is none. */
export function leafOf(bytes: Uint8Array): EpochLeaf | null {
  try {
    return decodeEpochLeaf(bytes);
  } catch (error) {
    if (error instanceof FormatError) return null;
    throw error;
  }
}
