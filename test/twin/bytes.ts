/**
 * The slow twin: a second implementation of docs/PROTOCOL.md, written to be read and not to be
 * fast. It shares no code with src/. The differential tests hold the fast code against it.
 *
 * This file: integers, text and joining. Integers are big-endian and of fixed width.
 */
import { createHash } from 'node:crypto';

/** SHA-256 of the pieces joined in the order given. */
export function H(...pieces: Uint8Array[]): Buffer {
  return createHash('sha256')
    .update(join(...pieces))
    .digest();
}

export function join(...pieces: Uint8Array[]): Buffer {
  return Buffer.concat(pieces);
}

export function u8(value: number): Buffer {
  const bytes = Buffer.alloc(1);
  bytes.writeUInt8(value);
  return bytes;
}

export function u16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(value);
  return bytes;
}

export function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

export function u64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(value);
  return bytes;
}

/** Text without a terminator. */
export function ascii(text: string): Buffer {
  return Buffer.from(text, 'ascii');
}

/** A field whose width is fixed: throws when it has another. */
export function fixed(width: number, value: Uint8Array): Buffer {
  if (value.length !== width) throw new Error(`expected ${width} bytes, got ${value.length}`);
  return Buffer.from(value);
}

export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

/** [0..63], [64..127], …: the last part may be shorter; nothing gives no part. */
export function partsOf<T>(size: number, items: T[]): T[][] {
  const parts: T[][] = [];
  for (let start = 0; start < items.length; start += size) parts.push(items.slice(start, start + size));
  return parts;
}

/** "Sorted" in the specification means strictly rising: equal neighbours are an error. */
export function mustRise<T>(what: string, items: T[], compare: (a: T, b: T) => number): void {
  for (let i = 1; i < items.length; i++) {
    if (compare(items[i - 1]!, items[i]!) >= 0) throw new Error(`${what}: item ${i} does not rise`);
  }
}

export const ZERO_32: Buffer = Buffer.alloc(32);

/** A place in the total order. Epoch 0 (with inbox and index 0) means none. */
export interface Place {
  epoch: bigint;
  inbox: number;
  index: number;
}

export const NO_PLACE: Place = { epoch: 0n, inbox: 0, index: 0 };
