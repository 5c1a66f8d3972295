/**
 * Moves: each two actors that buckets go between have signed what was handed over, and that is where chains and senders
 * stood, as far as it is known. What comes behind a move is held against what was handed over.
 */
import { ROLE, ROLE_NAMES } from '../attestation.js';
import { compareBytes, equalBytes, FormatError } from '../bytes.js';
import {
  type HandedMailbox,
  type HandedSender,
  handedLeaf,
  readHandedMailbox,
  readHandedSender,
} from '../hand-over.js';
import { HANDING_ROLES, type Handing, handings, placedBy } from '../handings.js';
import { keysOf } from '../manifest.js';
import type { OpenedManifest } from '../manifest-chain.js';
import { formatPlace } from '../place.js';
import { type PlacedAt, placesAlike } from '../placement.js';
import type { Case, Draft } from './draft.js';
import { entriesCase } from './entries.js';
import { short } from './findings.js';
import { Handed, handingText } from './handed.js';
import { idOf, idText } from './id-table.js';
import type { AuditedLog, LogHead } from './log.js';
import { lastLeafOf } from './outbox.js';
import type { Prover } from './prover.js';
import type { EpochSource } from './source.js';
import type { AuditState } from './state.js';
import type { AuditWorld } from './world.js';

type Report = (draft: Draft) => void;

/** A version that places buckets elsewhere than the one before it. */
interface Move {
  readonly before: OpenedManifest;
  readonly next: OpenedManifest;
  readonly head: LogHead;
}

const nameOf = ({ version, role, from, to }: Handing) => `${version} ${role} ${from} ${to}`;

export class Moves {
  private readonly moves: readonly Move[];
  private done = 0;

  private constructor(
    private readonly world: AuditWorld,
    private readonly state: AuditState,
    log: AuditedLog,
    private readonly handed: ReadonlyMap<string, Handed>,
    private readonly newest: number,
    private readonly report: Report,
  ) {
    this.moves = world.versions.flatMap((next, i) => {
      const before = world.versions[i - 1];
      const isMove = before !== undefined && !placesAlike(before.manifest, next.manifest);
      return isMove ? [{ before, next, head: log.heads[i]! }] : [];
    });
    state.handedUntil = (kind, id) => this.handedUntil(kind, idOf(id));
  }

  static async read(
    source: EpochSource,
    world: AuditWorld,
    state: AuditState,
    log: AuditedLog,
    report: Report,
  ): Promise<Moves> {
    const handed = new Map<string, Handed>();
    const hasMoved = !placesAlikeAll(world.versions);
    if (hasMoved)
      for await (const kept of source.handOvers()) {
        // Of a move that came behind the manifests that were read, and so are all others behind it.
        if (kept.version > world.newest.version) break;
        handed.set(nameOf(kept), new Handed(kept));
      }
    const moves = new Moves(world, state, log, handed, hasMoved ? await log.newest() : 0, report);
    moves.reportOthers();
    return moves;
  }

  /** Everything about moves before a leaf of the log, if that has not been looked at. */
  until(index: number): void {
    for (; this.done < this.moves.length && this.moves[this.done]!.head.size <= index; this.done++)
      this.audit(this.moves[this.done]!);
  }

  /** What was handed over of an id, opened: of all its moves, with what leads from there to the checkpoint. */
  async opened(
    prover: Prover,
    kind: keyof PlacedAt,
    id: Uint8Array,
  ): Promise<Pick<Case, 'handOvers' | 'bridge'>> {
    const all = this.moves.flatMap((move) => this.of(move, kind, id) ?? []);
    return prover.handedCase(all.map((handed) => [handed, handed.around(id)]));
  }

  private handedUntil(kind: keyof PlacedAt, id: Uint8Array): number {
    for (const move of this.moves.slice(0, this.done).reverse())
      if (this.of(move, kind, id)?.isWhole) return move.head.lastEpoch;
    return 0;
  }

  /** Undefined where the id was not moved, or nothing is kept of it. */
  private of({ before, next }: Move, kind: keyof PlacedAt, id: Uint8Array): Handed | undefined {
    const [from, to] = [before, next].map(({ manifest }) => this.world.placed(manifest, id)[kind]) as [
      number,
      number,
    ];
    if (from === to) return undefined;
    const role = kind === 'inbox' ? ROLE.inbox : ROLE.outbox;
    return this.handed.get(nameOf({ version: next.manifest.version, role, from, to }));
  }

  private reportOthers(): void {
    const expected = new Set(
      this.moves.flatMap(({ before, next }) => handings(before.manifest, next.manifest).map(nameOf)),
    );
    for (const [name, { kept }] of this.handed) {
      if (expected.has(name)) continue;
      const text = `a hand-over of version ${kept.version} from ${handingText(kept)} is kept, and nobody goes there`;
      this.report({ kind: 'hand-over', epoch: 0, who: name, text, proof: null });
    }
  }

  private audit(move: Move): void {
    const known = HANDING_ROLES.map((role) => this.movedIds(move, placedBy(role)));
    for (const handing of handings(move.before.manifest, move.next.manifest)) {
      const ids = known[HANDING_ROLES.indexOf(handing.role)]!.get(`${handing.from} ${handing.to}`);
      new HandingAudit(this.world, this.state, move, handing, this.handed.get(nameOf(handing)) ?? null, {
        report: this.report,
        opened: (prover, id) => this.opened(prover, placedBy(handing.role), id),
        isOld: move.head.lastEpoch < this.newest - this.world.retentionEpochs,
      }).audit(ids ?? new Set());
    }
  }

  /** Ids of which it is known where they stand, by who hands them over to whom. */
  private movedIds({ before, next }: Move, kind: keyof PlacedAt): Map<string, Set<string>> {
    const found = new Map<string, Set<string>>();
    for (const id of this.state.ids(kind)) {
      const bytes = idOf(id);
      const [from, to] = [before, next].map(({ manifest }) => this.world.placed(manifest, bytes)[kind]);
      if (from === to) continue;
      const name = `${from} ${to}`;
      const ids = found.get(name);
      if (ids) ids.add(id);
      else found.set(name, new Set([id]));
    }
    return found;
  }
}

const placesAlikeAll = (versions: readonly OpenedManifest[]) =>
  versions.every(({ manifest }) => placesAlike(manifest, versions[0]!.manifest));

interface Surroundings {
  readonly report: Report;
  readonly opened: (prover: Prover, id: Uint8Array) => Promise<Pick<Case, 'handOvers' | 'bridge'>>;
  /** Whether it lies so far back that leaves may have gone. */
  readonly isOld: boolean;
}

/** One hand-over of a move. */
class HandingAudit {
  private readonly text: string;

  constructor(
    private readonly world: AuditWorld,
    private readonly state: AuditState,
    private readonly move: Move,
    private readonly handing: Handing,
    private readonly handed: Handed | null,
    private readonly around: Surroundings,
  ) {
    this.text = `what ${handingText(handing).replace(' to ', ' handed over to ')}`;
  }

  /** `known`: ids that it is about and of which it is known where they stand. */
  audit(known: Set<string>): void {
    const { handed } = this;
    if (!handed) return this.tell('is not kept');
    const fault = this.statementFault(handed);
    if (fault) this.tell(fault, [[]]);
    if (handed.isWhole) return this.leaves(handed, known);
    if (handed.kept.leaves) this.tell('has other leaves than were signed');
    else if (!this.around.isOld) this.tell('has to be kept for the retention, and its leaves are not');
  }

  private statementFault({ said, signed, signatures }: Handed): string | null {
    const { move, handing, world } = this;
    if (!said) return 'cannot be read';
    const { role, from, to } = handing;
    const { head, before, next } = move;
    const isOf =
      equalBytes(said.serverId, world.serverId) &&
      equalBytes(said.manifestHash, next.hash) &&
      equalBytes(said.placementRoot, world.placementRoot) &&
      said.role === role &&
      said.from === from &&
      said.to === to;
    if (!isOf) return 'is of another move';
    const isAtLog =
      said.log.size === head.size &&
      equalBytes(said.log.root, head.root) &&
      said.lastEpoch === head.lastEpoch;
    if (!isAtLog) return 'is not of the log before the move';
    for (const [{ manifest }, index, signature] of [
      [before, from, signatures.from],
      [next, to, signatures.to],
    ] as const)
      if (!keysOf(manifest).get(role, index).verify(signed, signature))
        return `is not signed by ${ROLE_NAMES[role]} ${index}`;
    return null;
  }

  private leaves(handed: Handed, known: Set<string>): void {
    const { role } = this.handing;
    for (let i = 0; i < handed.count; i++) {
      const leaf = handed.at(i);
      const fault = this.leafFault(handed, i);
      if (fault) this.tell(`has leaf ${i}, ${fault}`, [[i - 1, i], [i]]);
      const id = idText(leaf);
      known.delete(id);
      const read = readOrNull(role, leaf);
      if (read) this.hold(id, read);
    }
    for (const id of known) this.missing(id);
  }

  private leafFault(handed: Handed, i: number): string | null {
    const { before, next, head } = this.move;
    const { role, from, to } = this.handing;
    const leaf = handed.at(i);
    const read = readOrNull(role, leaf);
    if (!read) return 'which cannot be read';
    if (i > 0 && compareBytes(handed.at(i - 1), 0, leaf, 0, 32) >= 0)
      return 'which is not above the one before it';
    const [old, now] = [before, next].map(
      ({ manifest }) => this.world.placed(manifest, leaf)[placedBy(role)],
    );
    if (old !== from || now !== to) return 'of an id that does not go there';
    const [epoch, count] = 'total' in read ? [read.lastEpoch, read.total] : [read.place.epoch, read.counter];
    if (count === 0 || epoch === 0 || epoch > head.lastEpoch) return `of ${count} until epoch ${epoch}`;
    return null;
  }

  /** A leaf against where its id stood; it stands there from now on. */
  private hold(id: string, read: HandedMailbox | HandedSender): void {
    const { state } = this;
    if ('total' in read) {
      const broken = state.chainBreak(id, read);
      state.moveChain(id, read);
      if (!broken) return;
      const what = `says of mailbox ${short(idOf(id))} ${read.total} entries until epoch ${read.lastEpoch}: a chain that ${broken.text}`;
      return this.tellOf(id, what, (prover) => this.chainCase(prover, id, broken.before));
    }
    const broken = state.senderBreak(id, read);
    state.moveSender(id, read);
    if (!broken) return;
    const what = `says of sender ${short(idOf(id))} counter ${read.counter} at ${formatPlace(read.place)}, and ${broken.text}`;
    // Also the place that is told, which may be another's.
    this.tellOf(id, what, (prover) => entriesCase(prover, null, [broken.before, read.place]));
  }

  /** An id that has no leaf, and of which it is known that it should have one. */
  private missing(id: string): void {
    const { state } = this;
    if (this.handing.role === ROLE.outbox) {
      const { lastEpoch } = state.chain(id)!;
      state.forgetChain(id);
      const what = `leaves out mailbox ${short(idOf(id))}, which had a link in epoch ${lastEpoch}`;
      return this.tellOf(id, what, (prover) => this.chainCase(prover, id, lastEpoch));
    }
    const { counter, place } = state.sender(id)!;
    state.forgetSender(id);
    const what = `leaves out sender ${short(idOf(id))}, which had counter ${counter} at ${formatPlace(place)}`;
    this.tellOf(id, what, (prover) => entriesCase(prover, null, [place]));
  }

  private async chainCase(prover: Prover, id: string, epoch: number): Promise<Case> {
    return { claims: epoch > 0 ? await lastLeafOf(prover, epoch, idOf(id)) : [] };
  }

  private tellOf(id: string, what: string, rest: (prover: Prover) => Promise<Case>): void {
    this.draft(what, async (prover) => ({
      ...(await rest(prover)),
      ...(await this.around.opened(prover, idOf(id))),
    }));
  }

  /** `shown`: each by itself, which leaves to open; none: there is nothing that was signed. */
  private tell(what: string, shown: readonly (readonly number[])[] = []): void {
    const { handed } = this;
    const proof: Draft['proof'] = async (prover) => ({
      claims: [],
      ...(await prover.handedCase(shown.map((some) => [handed!, some]))),
    });
    this.draft(what, handed && shown.length > 0 ? proof : null);
  }

  private draft(what: string, proof: Draft['proof']): void {
    const text = `${this.text} ${what}`;
    this.around.report({ kind: 'hand-over', epoch: this.move.next.from, who: this.text, text, proof });
  }
}

function readOrNull(role: Handing['role'], kept: Uint8Array): HandedMailbox | HandedSender | null {
  try {
    const leaf = handedLeaf(role, kept);
    return role === ROLE.inbox ? readHandedSender(leaf) : readHandedMailbox(leaf);
  } catch (error) {
    if (error instanceof FormatError) return null;
    throw error;
  }
}
