/**
 * What the mailboxes of one session are told of the log: each frame shows how it has grown, and each mailbox needs to know how
 * since its last leaf. Those that have been told as far are one group, so a frame costs as much as there are groups.
 *
 * 1. A mailbox is told before its next leaf, before it is asked for anything, and when there is a new anchor.
 * 2. Behind the newest group there are at most `MOST_GROUPS`: the oldest is told then. A mailbox alone is told of every frame.
 */
import { decode } from '../protocol/fields.js';
import { anchorOf, type Frontier, toHex } from '../protocol/index.js';
import type { Gateway } from './gateway.js';
import { emptyAt, joined, type Range, rangeOf } from './log-range.js';
import type { LogState } from './log-state.js';
import type { Member } from './member.js';
import type { OutboxSession } from './outbox-session.js';
import type { Participant } from './persister.js';
import type { Change } from './store.js';
import { encoded, rangesField } from './vector-format.js';
import type { VerifiedMailbox } from './verifier.js';

/** Who keeps what a mailbox learns. */
export interface LogReader {
  /** As far as it has been told. */
  readonly logSize: number;
  /** What came before is not known. */
  startAt(frontier: Frontier): void;
  /** The log has grown by these subtrees, to this frontier. */
  grow(range: Range, frontier: Frontier): void;
  take(leaf: VerifiedMailbox): void;
}

/** What keeps vectors of a mailbox. */
export interface Watcher extends LogReader {
  /** `kept`: what was saved of it, by name. */
  startFor(gateway: Gateway, member: Member, kept: ReadonlyMap<string, Uint8Array>): void;
  startIn(log: SessionLog): void;
}

interface Group {
  range: Range;
  readonly readers: Set<LogReader>;
}

const MOST_GROUPS = 16;

export class SessionLog implements Participant {
  marked = false;
  /** By the size that they have been told of, rising. */
  private readonly groups = new Map<number, Group>();
  private readonly groupOf = new Map<LogReader, Group>();
  private readonly most: number;

  /** `saved`: what `changes` gave in a former life. */
  constructor(
    private readonly name: string,
    private log: LogState,
    readers: readonly LogReader[],
    saved: Uint8Array | undefined,
    private readonly mark: (participant: Participant) => void,
  ) {
    this.most = Math.min(MOST_GROUPS, readers.length - 1);
    const { frontier } = log;
    const { size } = log.checkpoint;
    for (const range of saved ? decode(rangesField, saved) : [])
      if (range.to === size) this.groups.set(range.from, { range, readers: new Set() });
    for (const reader of readers) {
      if (reader.logSize !== size && !this.groups.has(reader.logSize)) reader.startAt(frontier);
      this.join(reader);
    }
    for (const [from, { readers }] of this.groups) if (readers.size === 0) this.groups.delete(from);
  }

  private get size(): number {
    return this.log.checkpoint.size;
  }

  private join(reader: LogReader): void {
    const { logSize } = reader;
    const group = this.groups.get(logSize) ?? { range: emptyAt(logSize), readers: new Set() };
    this.groups.set(logSize, group);
    group.readers.add(reader);
    this.groupOf.set(reader, group);
  }

  /** A frame was verified: how the log stands now, and whose leaves were in it. */
  take(
    after: LogState,
    frame: Uint8Array,
    leaves: readonly { readonly reader: LogReader; readonly leaf: VerifiedMailbox }[],
  ): void {
    const before = this.log;
    if (after !== before) {
      const range = rangeOf(before, after, frame, leaves[0]?.leaf);
      for (const group of this.groups.values()) group.range = joined(group.range, range);
      this.log = after;
    }
    for (const { reader } of leaves) this.tell(reader);
    for (const { reader, leaf } of leaves) reader.take(leaf);
    const isAnchored = anchorOf(after.frontier).size !== anchorOf(before.frontier).size;
    for (const [from, group] of this.groups) {
      const behind = this.groups.size - (this.groups.has(this.size) ? 1 : 0);
      if (from === this.size || (behind <= this.most && !isAnchored)) break;
      for (const reader of group.readers) this.tell(reader);
    }
    if (this.most > 0) this.mark(this);
  }

  /** All that is known of the log. */
  tell(reader: LogReader): void {
    const group = this.groupOf.get(reader)!;
    const { range, readers } = group;
    if (range.from === this.size) return;
    readers.delete(reader);
    if (readers.size === 0) this.groups.delete(range.from);
    reader.grow(range, this.log.frontier);
    this.join(reader);
  }

  changes(out: Change[]): void {
    const ranges = [...this.groups.values()].map(({ range }) => range).filter(({ from }) => from < this.size);
    out.push({ type: 'kept', name: this.name, bytes: encoded(rangesField, ranges) });
  }

  saved(): void {}
}

/** `all`: of each mailbox, by the positions of their keys. Before anything can be verified. */
export function watchLog(gateway: Gateway, all: readonly Watcher[]): void {
  const { members, ground } = gateway;
  const saved = new Map<string, Map<string, Uint8Array>>();
  for (const [name, bytes] of ground.saved.kept) {
    const [, owner, rest] = /^vectors ([0-9a-f]{64}) (.*)$/.exec(name) ?? [];
    if (owner) saved.set(owner, (saved.get(owner) ?? new Map<string, Uint8Array>()).set(rest!, bytes));
  }
  for (const [i, member] of members.entries())
    all[i]!.startFor(gateway, member, saved.get(toHex(member.identity.publicKey)) ?? new Map());
  const sessions = [...new Set(members.map(({ session }) => session!))];
  for (const session of sessions) {
    const number = sessions.filter(({ outbox }) => outbox === session.outbox).indexOf(session);
    watchSession(gateway, session, `vectors log ${session.outbox} ${number}`, all);
  }
}

function watchSession(gateway: Gateway, session: OutboxSession, name: string, all: readonly Watcher[]): void {
  const { ground, persister } = gateway;
  const readers = session.members.map(({ index }) => all[index]!);
  const mark = (participant: Participant) => persister.mark(participant);
  const log = new SessionLog(name, session.log, readers, ground.saved.kept.get(name), mark);
  for (const reader of readers) reader.startIn(log);
  session.watch = (after, frame, leaves = []) => {
    const told = leaves.map((leaf) => ({ leaf, reader: all[session.slots[leaf.slot]!.index]! }));
    log.take(after, frame, told);
  };
  session.parted = (made) => {
    for (const reader of readers) log.tell(reader);
    watchSession(gateway, session, name, all);
    for (const [i, each] of made.entries()) watchSession(gateway, each, `${name} ${each.outbox} ${i}`, all);
  };
}
