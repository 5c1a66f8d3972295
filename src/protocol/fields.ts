/**
 * What frames are made of. A `Field` says once how a value stands in binary and in JSON; frames.ts,
 * delivery.ts and manifest.ts put their objects together from them, in wire order.
 *
 * In JSON: bytes are base64url without padding, integers of 8 bytes decimal strings, smaller ones
 * numbers, lists arrays, everything else an object of named members. One value, one meaning: a missing
 * or unknown member, another type or a number out of range is a `FormatError` that names the member.
 */
import { fromBase64Url, toBase64Url } from './base64url.js';
import { ascii, FormatError, HASH_BYTES, Reader, SIGNATURE_BYTES, Writer } from './bytes.js';

export type Json = string | number | readonly Json[] | { readonly [name: string]: Json };

export interface Field<T> {
  read(from: Reader): T;
  write(to: Writer, value: T): void;
  toJson(value: T): Json;
  /** `at` names the member in what is thrown. */
  fromJson(json: unknown, at: string): T;
}

// biome-ignore lint/suspicious/noExplicitAny: a field of any value
export type Fields = Readonly<Record<string, Field<any>>>;
export type ValueOf<F> = F extends Field<infer T> ? T : never;
/** What a struct of these fields holds. */
export type Struct<F extends Fields> = { readonly [K in keyof F]: ValueOf<F[K]> };

function wrong(at: string, expected: string): FormatError {
  return new FormatError(`${at}: expected ${expected}`);
}

// ---- numbers

function integer(max: number, read: (from: Reader) => number, write: (to: Writer, value: number) => void) {
  const field: Field<number> = {
    read,
    write,
    toJson: (value) => value,
    fromJson(json, at) {
      if (typeof json !== 'number' || !Number.isInteger(json) || json < 0 || json > max)
        throw wrong(at, `a number from 0 to ${max}`);
      return json;
    },
  };
  return field;
}

export const u8 = integer(
  0xff,
  (from) => from.u8(),
  (to, value) => to.u8(value),
);
export const u16 = integer(
  0xffff,
  (from) => from.u16(),
  (to, value) => to.u16(value),
);
export const u32 = integer(
  0xffff_ffff,
  (from) => from.u32(),
  (to, value) => to.u32(value),
);

export const u64: Field<number> = {
  read: (from) => from.u64(),
  write: (to, value) => to.u64(value),
  toJson: String,
  fromJson(json, at) {
    const value = typeof json === 'string' && /^(0|[1-9]\d{0,15})$/.test(json) ? Number(json) : Number.NaN;
    if (!Number.isSafeInteger(value)) throw wrong(at, 'a decimal string up to 9007199254740991');
    return value;
  },
};

// ---- bytes

/** Exactly `length` bytes. */
export function fixed(length: number): Field<Uint8Array> {
  return {
    read: (from) => from.bytes(length),
    write: (to, value) => to.bytes(value),
    toJson: toBase64Url,
    fromJson(json, at) {
      const value = bytesFromJson(json, at);
      if (value.length !== length) throw wrong(at, `${length} bytes`);
      return value;
    },
  };
}

export const hash = fixed(HASH_BYTES);
export const signature = fixed(SIGNATURE_BYTES);

function bytesFromJson(json: unknown, at: string): Uint8Array {
  const value = typeof json === 'string' ? fromBase64Url(json) : null;
  if (!value) throw wrong(at, 'base64url without padding');
  return value;
}

/** The rest, however many: for JSON alone, as in binary something else must say where it ends. */
export const bytes: Field<Uint8Array> = {
  read: (from) => from.bytes(from.limit - from.at),
  write: (to, value) => to.bytes(value),
  toJson: toBase64Url,
  fromJson: bytesFromJson,
};

/** A count and so many hashes, as one view; an array in JSON. */
export function hashes(count: Field<number>): Field<Uint8Array> {
  return {
    read: (from) => from.hashes(count.read(from)),
    write(to, value) {
      count.write(to, value.length / HASH_BYTES);
      to.bytes(value);
    },
    toJson: (value) =>
      Array.from({ length: value.length / HASH_BYTES }, (_, i) =>
        toBase64Url(value.subarray(i * HASH_BYTES, (i + 1) * HASH_BYTES)),
      ),
    fromJson(json, at) {
      const array = arrayFromJson(json, at, count);
      const value = new Uint8Array(array.length * HASH_BYTES);
      array.forEach((each, i) => {
        value.set(hash.fromJson(each, `${at}[${i}]`), i * HASH_BYTES);
      });
      return value;
    },
  };
}

/** Length 4 ‖ tag ‖ content, read and written with its tag; the content alone in JSON. */
export function part(tag: Uint8Array, mayBeAbsent: boolean): Field<Uint8Array> {
  return {
    read: (from) => from.bytes(from.u32()),
    write: (to, value) => to.u32(value.length).bytes(value),
    toJson(value) {
      if (mayBeAbsent && value.length === 0) return '';
      new Reader(value).expect(tag, 'tag of a part');
      return toBase64Url(value.subarray(tag.length));
    },
    fromJson(json, at) {
      const content = bytesFromJson(json, at);
      if (mayBeAbsent && content.length === 0) return content;
      return new Writer(tag.length + content.length).bytes(tag).bytes(content).done();
    },
  };
}

/** Length 2 ‖ printable ASCII. */
export function text(max: number): Field<string> {
  const check = (value: string, at: string) => {
    if (value.length > max) throw wrong(at, `at most ${max} characters`);
    if (/[^\x20-\x7e]/.test(value)) throw wrong(at, 'printable ASCII');
    return value;
  };
  return {
    read: (from) => check(String.fromCharCode(...from.bytes(from.u16())), 'text'),
    write: (to, value) => to.u16(value.length).bytes(ascii(value)),
    toJson: (value) => value,
    fromJson(json, at) {
      if (typeof json !== 'string') throw wrong(at, 'a string');
      return check(json, at);
    },
  };
}

// ---- what holds others

/** A count and so many items; at most `max` of them. */
export function list<T>(count: Field<number>, item: Field<T>, max = Infinity): Field<readonly T[]> {
  const check = (length: number) => {
    if (length > max) throw new FormatError(`${length} in a list of at most ${max}`);
    return length;
  };
  return {
    read(from) {
      // Not allocated beforehand: a false count gets no further than the bytes do.
      const items: T[] = [];
      for (let left = check(count.read(from)); left > 0; left--) items.push(item.read(from));
      return items;
    },
    write(to, items) {
      count.write(to, items.length);
      for (const each of items) item.write(to, each);
    },
    toJson: (items) => items.map((each) => item.toJson(each)),
    fromJson(json, at) {
      const array = arrayFromJson(json, at, count);
      check(array.length);
      return array.map((each, i) => item.fromJson(each, `${at}[${i}]`));
    },
  };
}

function arrayFromJson(json: unknown, at: string, count: Field<number>): readonly unknown[] {
  if (!Array.isArray(json)) throw wrong(at, 'an array');
  count.fromJson(json.length, `length of ${at}`);
  return json;
}

type JsonObject = Readonly<Record<string, unknown>>;

export function objectFromJson(json: unknown, at: string): JsonObject {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) throw wrong(at, 'an object');
  return json as JsonObject;
}

function memberOf(object: JsonObject, name: string, at: string): unknown {
  if (!Object.hasOwn(object, name)) throw new FormatError(`${join(at, name)}: missing`);
  return object[name];
}

/** Throws when the object has members that none of `known` has. */
function refuseOthers(object: JsonObject, at: string, known: readonly string[]): void {
  const names = Object.keys(object);
  if (names.length === known.length) return;
  const name = names.find((each) => !known.includes(each))!;
  throw new FormatError(`${join(at, name.slice(0, 40))}: not known`);
}

const join = (at: string, name: string) => (at ? `${at}.${name}` : name);

/** Fields one after another. */
export function struct<F extends Fields>(fields: F): Field<Struct<F>> {
  const entries = Object.entries(fields);
  const names = Object.keys(fields);
  return {
    read(from) {
      const value: Record<string, unknown> = {};
      for (const [name, field] of entries) value[name] = field.read(from);
      return value as Struct<F>;
    },
    write(to, value) {
      for (const [name, field] of entries) field.write(to, value[name]);
    },
    toJson(value) {
      const object: Record<string, Json> = {};
      for (const [name, field] of entries) object[name] = field.toJson(value[name]);
      return object;
    },
    fromJson(json, at) {
      const object = objectFromJson(json, at);
      const value: Record<string, unknown> = {};
      for (const [name, field] of entries)
        value[name] = field.fromJson(memberOf(object, name, at), join(at, name));
      refuseOthers(object, at, names);
      return value as Struct<F>;
    },
  };
}

type Variants = Readonly<Record<number, Fields>>;
type Tagged<C extends Fields, N extends string, V extends Variants> = {
  [K in keyof V & number]: Struct<C> & { readonly [_ in N]: K } & Struct<V[K]>;
}[keyof V & number];

/** Common fields, then a tag of one byte, then the fields that go with it: all in one object. */
export function tagged<C extends Fields, N extends string, V extends Variants>(
  common: C,
  name: N,
  variants: V,
): Field<Tagged<C, N, V>> {
  type Value = Tagged<C, N, V>;
  const head = struct({ ...common, [name]: u8 });
  const headNames = [...Object.keys(common), name];
  const rests = new Map(Object.entries(variants).map(([tag, fields]) => [Number(tag), struct(fields)]));
  const restOf = (tag: number, at: string) => {
    const rest = rests.get(tag);
    if (!rest) throw new FormatError(`${join(at, name)}: ${tag} is not known`);
    return rest;
  };
  /** The members of the head, or those behind it. */
  const members = (object: JsonObject, inHead: boolean) =>
    Object.fromEntries(Object.entries(object).filter(([each]) => headNames.includes(each) === inHead));
  return {
    read(from) {
      const value = head.read(from) as Record<string, unknown>;
      return Object.assign(value, restOf(value[name] as number, '').read(from)) as Value;
    },
    write(to, value) {
      const fields = value as Record<string, unknown>;
      head.write(to, fields as never);
      restOf(fields[name] as number, '').write(to, fields);
    },
    toJson(value) {
      const fields = value as Record<string, unknown>;
      return Object.assign(
        head.toJson(fields as never),
        restOf(fields[name] as number, '').toJson(fields),
      ) as Json;
    },
    fromJson(json, at) {
      const object = objectFromJson(json, at);
      const value = head.fromJson(members(object, true), at) as Record<string, unknown>;
      return Object.assign(
        value,
        restOf(value[name] as number, at).fromJson(members(object, false), at),
      ) as Value;
    },
  };
}

/** A field whose values must also pass `check`, which throws `FormatError`. */
export function checked<T>(field: Field<T>, check: (value: T) => void): Field<T> {
  const pass = (value: T) => {
    check(value);
    return value;
  };
  return {
    ...field,
    read: (from) => pass(field.read(from)),
    fromJson: (json, at) => pass(field.fromJson(json, at)),
  };
}

// ---- whole objects

/** Throws `FormatError` unless `bytes` from `at` on are exactly one value. */
export function decode<T>(field: Field<T>, bytes: Uint8Array, at = 0): T {
  const reader = new Reader(bytes, at);
  const value = field.read(reader);
  reader.end();
  return value;
}
