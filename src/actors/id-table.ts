/**
 * Ids of 32 bytes as numbers: each that is there has a row of its own in one piece of memory. To look one up makes no string
 * and no object, wherever its bytes lie.
 *
 * Open addressing with linear probing. Clients choose their ids, so the hash is keyed: nobody can choose many that
 * have to be looked for in one place.
 */
import { randomBytes } from '#crypto';
import { copyHash, getU32, HASH_BYTES, sameBytes } from '../protocol/index.js';

const FIRST_ROWS = 1024;

/** Of the hash, one in a process. Odd, so that no bit of a word is lost. */
const KEYS = randomBytes(8);
const KEY_0 = getU32(KEYS, 0) | 1;
const KEY_1 = getU32(KEYS, 4) | 1;

export class IdTable {
  /** Row `r` lies at `r · 32`. Another array when the table has grown. */
  ids = new Uint8Array(FIRST_ROWS * HASH_BYTES);
  /** Row + 1 of the id that has this place; 0 = none. Half of them at the most are taken. */
  private places = new Int32Array(2 * FIRST_ROWS);
  /** Rows below this one are or were taken. */
  rows = 0;
  private readonly free: number[] = [];
  private readonly looked = new Uint8Array(HASH_BYTES);

  get size(): number {
    return this.rows - this.free.length;
  }

  /** Rows that there is room for; they never become fewer. */
  get capacity(): number {
    return this.ids.length / HASH_BYTES;
  }

  /** Row of the id of 32 bytes at `at`; −1 if it is not there. */
  find(bytes: Uint8Array, at: number): number {
    const { places, ids } = this;
    const mask = places.length - 1;
    for (let place = this.home(bytes, at); ; place = (place + 1) & mask) {
      const row = places[place]! - 1;
      if (row < 0 || sameBytes(ids, row * HASH_BYTES, bytes, at, HASH_BYTES)) return row;
    }
  }

  /** The same of an id as a latin1 string. */
  findText(id: string): number {
    const { looked } = this;
    for (let i = 0; i < HASH_BYTES; i++) looked[i] = id.charCodeAt(i);
    return this.find(looked, 0);
  }

  /** A row for an id that has none. */
  add(bytes: Uint8Array, at: number): number {
    if (this.size === this.capacity) this.grow();
    const row = this.free.pop() ?? this.rows++;
    copyHash(bytes, at, this.ids, row * HASH_BYTES);
    this.take(row);
    return row;
  }

  /** Its row may be another id's from now on. */
  remove(row: number): void {
    const { places, ids } = this;
    const mask = places.length - 1;
    let hole = this.home(ids, row * HASH_BYTES);
    while (places[hole] !== row + 1) hole = (hole + 1) & mask;
    // Who was put behind it for want of a better place moves up.
    for (let place = (hole + 1) & mask; places[place] !== 0; place = (place + 1) & mask) {
      const home = this.home(ids, (places[place]! - 1) * HASH_BYTES);
      if (((place - home) & mask) < ((place - hole) & mask)) continue;
      places[hole] = places[place]!;
      hole = place;
    }
    places[hole] = 0;
    this.free.push(row);
  }

  private home(bytes: Uint8Array, at: number): number {
    const mixed = Math.imul(getU32(bytes, at), KEY_0) + Math.imul(getU32(bytes, at + 4), KEY_1);
    return (mixed ^ (mixed >>> 15)) & (this.places.length - 1);
  }

  private take(row: number): void {
    const { places } = this;
    const mask = places.length - 1;
    let place = this.home(this.ids, row * HASH_BYTES);
    while (places[place] !== 0) place = (place + 1) & mask;
    places[place] = row + 1;
  }

  private grow(): void {
    this.ids = doubled(this.ids);
    this.places = new Int32Array(this.places.length * 2);
    for (let row = 0; row < this.rows; row++) this.take(row);
  }
}

/** A value for each id. */
export class IdMap<V> {
  private readonly table = new IdTable();
  private readonly values: (V | undefined)[] = [];

  /** Of the id of 32 bytes at `at`. */
  at(bytes: Uint8Array, at: number): V | undefined {
    return this.valueOf(this.table.find(bytes, at));
  }

  get(id: string): V | undefined {
    return this.valueOf(this.table.findText(id));
  }

  private valueOf(row: number): V | undefined {
    return row < 0 ? undefined : this.values[row];
  }

  set(id: Uint8Array, value: V): void {
    const row = this.table.find(id, 0);
    this.values[row < 0 ? this.table.add(id, 0) : row] = value;
  }

  delete(id: string): void {
    const row = this.table.findText(id);
    if (row < 0) return;
    this.table.remove(row);
    this.values[row] = undefined;
  }
}

/** What `bytes` holds, and as much room behind it. */
export function doubled(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const larger = new Uint8Array(bytes.length * 2);
  larger.set(bytes);
  return larger;
}
