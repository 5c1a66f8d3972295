/**
 * Audits a server: reads its log from the first leaf and recomputes every epoch that is kept, and holds all of it against
 * what was signed. A function of what the source gives and nothing else.
 */

import type { Checkpoint, EpochLeaf } from '../log.js';
import type { Draft } from './draft.js';
import { auditEpoch } from './epoch.js';
import type { Finding } from './findings.js';
import { MOST_FINDINGS, short } from './findings.js';
import { idText } from './id-table.js';
import { AuditedLog, leafOf } from './log.js';
import { Moves } from './moves.js';
import { Prover } from './prover.js';
import type { EpochSource, KeptEpoch } from './source.js';
import { AuditState } from './state.js';
import { AuditWorld } from './world.js';

export { type Finding, type Kind, MOST_FINDINGS } from './findings.js';
export * from './source.js';

/** Deviations of one kind, epoch and actor of which evidence is looked for. */
const MOST_TRIED = 4;

export interface AuditOptions {
  /** First and last epoch to recompute. The log is read whole in any case. */
  readonly from?: number;
  readonly to?: number;
  /** Signed ones from elsewhere, such as clients'. */
  readonly checkpoints?: readonly Checkpoint[];
  readonly found?: (finding: Finding) => void;
  /** Of `total` leaves or epochs, so many have been read; 0 = not known. */
  readonly progress?: (what: 'log' | 'epochs', done: number, total: number) => void;
}

export interface AuditReport {
  readonly serverId: Uint8Array;
  readonly rootKey: Uint8Array;
  /** Leaves of the log, and how many of them the newest signed checkpoint covers. */
  readonly leaves: number;
  readonly signedLeaves: number;
  /** Recomputed epochs and messages in them. */
  readonly epochs: number;
  readonly messages: number;
  /** Messages whose bundles are not kept, as after all have acknowledged: whether routers lost one of their recipients does not show. */
  readonly recipientsUnknown: number;
  /** The first and last of them; 0 = none. */
  readonly first: number;
  readonly last: number;
  readonly findings: readonly Finding[];
  /** Whether there were more than are told. */
  readonly isCut: boolean;
}

/** Rejects with `FormatError` when the source is none of one server, and as the source does. */
export async function audit(source: EpochSource, options: AuditOptions = {}): Promise<AuditReport> {
  const world = new AuditWorld(source.manifests);
  return new Audit(source, world, options).run();
}

class Audit {
  private readonly state = new AuditState();
  private readonly findings: Finding[] = [];
  private drafts: Draft[] = [];
  private prover: Prover | null = null;
  private isCut = false;
  private epochs = 0;
  private messages = 0;
  private recipientsUnknown = 0;
  private first = 0;
  private last = 0;

  constructor(
    private readonly source: EpochSource,
    private readonly world: AuditWorld,
    private readonly options: AuditOptions,
  ) {}

  async run(): Promise<AuditReport> {
    const { source, world, options } = this;
    const { from = 1, to = Number.MAX_SAFE_INTEGER, checkpoints = [], progress } = options;
    const report = (draft: Draft) => void this.drafts.push(draft);
    const total = source.checkpoint?.size ?? 0;
    const log = await AuditedLog.read(source, world, checkpoints, from, report, (done) =>
      progress?.('log', done, total),
    );
    const all = source.checkpoint ? [source.checkpoint, ...checkpoints] : checkpoints;
    const moves = await Moves.read(source, world, this.state, log, report);
    this.prover = new Prover(source, world, log, all, moves);
    await this.settle();
    this.isCut ||= log.isCut;
    if (log.first && !this.isCut) await this.readEpochs(log, moves, from, to);
    if (to >= log.newestEpoch && !this.isCut) {
      moves.until(log.size);
      await this.settle();
      await this.readChains();
    }
    return {
      serverId: world.serverId,
      rootKey: world.rootKey,
      leaves: log.size,
      signedLeaves: log.checkpoint?.size ?? 0,
      epochs: this.epochs,
      messages: this.messages,
      recipientsUnknown: this.recipientsUnknown,
      first: this.first,
      last: this.last,
      findings: this.findings,
      isCut: this.isCut,
    };
  }

  /** Leaf by leaf, with the epochs that are kept. */
  private async readEpochs(log: AuditedLog, moves: Moves, from: number, to: number): Promise<void> {
    const { progress } = this.options;
    const kept = this.source.epochs(from, Math.min(to, log.newestEpoch))[Symbol.asyncIterator]();
    const begin = log.first!.index;
    let index = begin;
    let next = await kept.next();
    for await (const bytes of log.again(index)) {
      const leaf = leafOf(bytes);
      moves.until(index);
      if (leaf && leaf.epoch > to) break;
      if (this.isCut) break;
      while (leaf && !next.done && next.value.epoch < leaf.epoch && !this.isCut) {
        await this.notLogged(next.value.epoch);
        next = await kept.next();
      }
      if (leaf && !next.done && next.value.epoch === leaf.epoch) {
        this.recompute(next.value, leaf, index);
        await this.settle();
        next = await kept.next();
      } else if (leaf) await this.missing(leaf.epoch, log);
      index++;
      progress?.('epochs', index - begin, log.size - begin);
    }
    await kept.return?.();
    await this.settle();
  }

  private recompute(kept: KeptEpoch, leaf: EpochLeaf, index: number): void {
    const { state } = this;
    if (kept.logIndex !== index)
      this.tell(
        'cache',
        kept.epoch,
        `epoch ${kept.epoch} is kept for log index ${kept.logIndex}, and is at ${index}`,
      );
    state.completeFrom = Math.min(state.completeFrom, kept.epoch);
    // As the log has it: claims are made for that.
    const at = { ...kept, logIndex: index };
    const counts = auditEpoch(this.world, state, at, leaf, (draft) => void this.drafts.push(draft));
    this.messages += counts.messages;
    this.recipientsUnknown += counts.recipientsUnknown;
    this.epochs++;
    this.first ||= kept.epoch;
    this.last = kept.epoch;
  }

  private async notLogged(epoch: number): Promise<void> {
    this.tell('missing', epoch, `epoch ${epoch} is kept and has no leaf in the log`);
    await this.settle();
  }

  /** What is too old may be gone, and may be there still. */
  private async missing(epoch: number, log: AuditedLog): Promise<void> {
    this.state.completeFrom = Number.MAX_SAFE_INTEGER;
    const { retentionEpochs } = this.world;
    if (epoch <= log.newestEpoch - retentionEpochs) return;
    if (epoch <= (await log.newest()) - retentionEpochs) return;
    this.tell(
      'missing',
      epoch,
      `epoch ${epoch} has to be kept for ${retentionEpochs} epochs, and is not kept`,
    );
    await this.settle();
  }

  /** Where chains stand by what outboxes keep. That may be behind, and is never ahead. */
  private async readChains(): Promise<void> {
    const { state } = this;
    for await (const { mailbox, lastEpoch, total, head } of this.source.chains()) {
      const known = state.chain(idText(mailbox));
      const isKnown = known !== null && lastEpoch >= known.lastEpoch && known.lastEpoch >= state.completeFrom;
      if (!isKnown) continue;
      const fits =
        lastEpoch === known.lastEpoch && total === known.total && known.head.every((b, i) => b === head[i]);
      if (!fits)
        this.tell(
          'cache',
          lastEpoch,
          `the chain of mailbox ${short(mailbox)} is not kept as its last link left it`,
        );
      if (this.drafts.length >= MOST_FINDINGS) break;
    }
    await this.settle();
  }

  private tell(kind: Draft['kind'], epoch: number, text: string): void {
    this.drafts.push({ kind, epoch, who: '', text, proof: null });
  }

  /** Turns drafts into findings: those of one kind, epoch and actor into one, with the first evidence that holds. */
  private async settle(): Promise<void> {
    const groups = new Map<string, Draft[]>();
    for (const draft of this.drafts) {
      const name = `${draft.kind} ${draft.epoch} ${draft.who}`;
      const group = groups.get(name);
      if (group) group.push(draft);
      else groups.set(name, [draft]);
    }
    this.drafts = [];
    const found: Finding[] = [];
    for (const group of groups.values()) {
      this.isCut ||= this.findings.length + found.length >= MOST_FINDINGS;
      if (this.isCut) break;
      found.push(await this.finding(group));
    }
    found.sort((a, b) => rank(a) - rank(b));
    this.findings.push(...found);
    for (const finding of found) this.options.found?.(finding);
  }

  private async finding(group: readonly Draft[]): Promise<Finding> {
    const more = group.length - 1;
    for (const { kind, epoch, text, proof } of group.slice(0, MOST_TRIED)) {
      const accusation = await this.prover!.prove({ kind, epoch, text, proof, who: '' });
      if (accusation) return { kind, epoch, text, more, ...accusation };
    }
    const { kind, epoch, text } = group[0]!;
    return { kind, epoch, text, more, evidence: null, verdict: null };
  }
}

/** What names an actor first, the earliest in the pipeline: those behind it may have signed what it gave them. */
function rank({ verdict }: Finding): number {
  if (!verdict) return 100;
  return verdict.outcome === 'actor' ? verdict.role : 50;
}
