/**
 * States of an outbox's mailboxes, of which there are more than memory holds. As in state-table.ts: changes are kept in memory and
 * written in bulk (`flush`) with some later epoch; until then a restart rebuilds them from the epochs' own links.
 *
 * Thousands of states change with each epoch. So they lie packed, each in a row beside its id (id-table.ts), as they are
 * stored, and are read and changed there through one view that is lent to who works on one of them.
 */
import { HASH_BYTES, viewOf } from '../protocol/index.js';
import { doubled, IdTable } from './id-table.js';
import { idBytes } from './ids.js';
import { checkState, STATE_BYTES, StateView } from './mailbox-state.js';
import type { StoreReader, StoreRecord } from './messages.js';
import { idKey, TABLE } from './store-keys.js';

/** States in memory, unless more have changed since the last flush: some 170 bytes each, and room for 131,072 of them at once. */
const KEPT = 100_000;
/** Rows that are looked at for one that may go, for each that comes. */
const STEPS = 16;
/** Of a row: it must stay until it is written, or until that is durable; it was used since the hand came by. */
const CHANGED = 1;
const WRITING = 2;
const USED = 4;
/** It is one's. */
const HELD = 8;

const KEY_BYTES = 1 + HASH_BYTES;

export class MailboxTable {
  private readonly table = new IdTable();
  private states = new Uint8Array(this.table.capacity * STATE_BYTES);
  private view = viewOf(this.states);
  private marks = new Uint8Array(this.table.capacity);
  private changedRows: number[] = [];
  private writing: number[] = [];
  /** Where the search for rows that may go goes on. */
  private hand = 0;
  private readonly lent = new StateView();
  private lentRow = -1;

  constructor(
    private readonly reader: StoreReader,
    private readonly kept = KEPT,
  ) {}

  /** The state of the mailbox whose id lies at `at`, lent until the next call; undefined if there is none. */
  lend(ids: Uint8Array, at: number): StateView | undefined {
    const row = this.table.find(ids, at);
    return this.lendRow(row < 0 ? this.load(ids, at) : row);
  }

  /** The same of an id as a latin1 string. */
  lendTo(id: string): StateView | undefined {
    const row = this.table.findText(id);
    return this.lendRow(row < 0 ? this.load(idBytes(id), 0) : row);
  }

  /** By this `lendAgain` lends what was lent last, once `keep` has said that it changes: until then it may leave memory. */
  get lentAt(): number {
    return this.lentRow;
  }

  lendAgain(lentAt: number): StateView {
    return this.lendRow(lentAt)!;
  }

  private lendRow(row: number): StateView | undefined {
    if (row < 0) return undefined;
    this.lentRow = row;
    this.marks[row]! |= USED;
    return this.lent.moveTo(this.view, row * STATE_BYTES);
  }

  /** Says that what was lent last has changed, or is about to. */
  keep(): void {
    const row = this.lentRow;
    if (this.marks[row]! & CHANGED) return;
    this.marks[row]! |= CHANGED;
    this.changedRows.push(row);
  }

  /** Whether the id has a state; one that is not in memory is not brought there. */
  has(id: string): boolean {
    return this.table.findText(id) >= 0 || this.reader.view(idKey(TABLE.mailbox, idBytes(id))) !== undefined;
  }

  private load(ids: Uint8Array, at: number): number {
    const state = this.reader.view(idKey(TABLE.mailbox, ids.subarray(at, at + HASH_BYTES)));
    return state ? this.learn(ids, at, state) : -1;
  }

  private learn(ids: Uint8Array, at: number, state: Uint8Array): number {
    checkState(state);
    this.makeRoom();
    const row = this.table.add(ids, at);
    if (this.marks.length < this.table.capacity) {
      this.states = doubled(this.states);
      this.view = viewOf(this.states);
      this.marks = doubled(this.marks);
    }
    this.states.set(state, row * STATE_BYTES);
    this.marks[row] = HELD;
    return row;
  }

  /** Second chance: what was used since the hand last came by stays. At most two go for each that comes. */
  private makeRoom(): void {
    const { table, marks } = this;
    const least = table.size - 2;
    for (let step = 0; step < STEPS && table.size >= this.kept && table.size > least; step++) {
      const row = this.hand;
      this.hand = row + 1 < table.rows ? row + 1 : 0;
      if (marks[row] === (HELD | USED)) marks[row] = HELD;
      else if (marks[row] === HELD) {
        table.remove(row);
        marks[row] = 0;
      }
    }
  }

  get changed(): number {
    return this.changedRows.length;
  }

  /** Everything changed, as records for the epoch being signed. Call `flushed` when it is durable. */
  flush(): StoreRecord[] {
    const { changedRows: rows, marks, states } = this;
    const { ids } = this.table;
    const keys = new Uint8Array(rows.length * KEY_BYTES);
    const values = new Uint8Array(rows.length * STATE_BYTES);
    const records = rows.map((row, i): StoreRecord => {
      marks[row] = (marks[row]! & ~CHANGED) | WRITING;
      const key = keys.subarray(i * KEY_BYTES, (i + 1) * KEY_BYTES);
      key[0] = TABLE.mailbox;
      key.set(ids.subarray(row * HASH_BYTES, (row + 1) * HASH_BYTES), 1);
      const value = values.subarray(i * STATE_BYTES, (i + 1) * STATE_BYTES);
      value.set(states.subarray(row * STATE_BYTES, (row + 1) * STATE_BYTES));
      return { key, value };
    });
    for (const row of rows) this.writing.push(row);
    this.changedRows = [];
    return records;
  }

  flushed(): void {
    for (const row of this.writing) this.marks[row]! &= ~WRITING;
    this.writing = [];
  }
}
