/**
 * What frames are made of. A `Field` says once how a value stands in binary, and by its shape how it does in
 * JSON (fields-json.ts); frames.ts, delivery.ts and manifest.ts put their objects together from them, in wire
 * order.
 */
import { ascii, FormatError, HASH_BYTES, Reader, SIGNATURE_BYTES, type Writer } from './bytes.js';

export interface Field<T> {
  read(from: Reader): T;
  write(to: Writer, value: T): void;
  readonly shape: Shape;
  /** What values must pass besides. Throws `FormatError`. */
  readonly check?: (value: T) => void;
}

// biome-ignore lint/suspicious/noExplicitAny: a field of any value
export type AnyField = Field<any>;
export type Fields = Readonly<Record<string, AnyField>>;
export type ValueOf<F> = F extends Field<infer T> ? T : never;
/** What a struct of these fields holds. */
export type Struct<F extends Fields> = { readonly [K in keyof F]: ValueOf<F[K]> };

/** What a field is, for who reads and writes it in another way than binary. */
export type Shape =
  /** An integer up to `max`, of at most 4 bytes. */
  | { readonly max: number }
  | 'u64'
  /** Bytes, `fixed` many or any number. */
  | { readonly fixed: number | null }
  | { readonly hashCount: AnyField }
  | { readonly tag: Uint8Array; readonly mayBeAbsent: boolean }
  | { readonly checkText: (value: string, at: string) => string }
  | { readonly count: AnyField; readonly item: AnyField; readonly checkLength: (length: number) => number }
  | { readonly fields: Fields }
  | { readonly head: AnyField; readonly tagName: string; readonly restOf: RestOf };

type RestOf = (tag: number, at: string) => AnyField;

export function wrong(at: string, expected: string): FormatError {
  return new FormatError(`${at}: expected ${expected}`);
}

export function field<T>(
  read: (from: Reader) => T,
  write: (to: Writer, value: T) => void,
  shape: Shape,
): Field<T> {
  const made = { read, write };
  // biome-ignore lint/suspicious/noConfusingLabels: what browsers, which speak binary alone, are built without
  JSON_ONLY: Object.assign(made, { shape });
  return made as Field<T>;
}

// ---- numbers

export const u8: Field<number> = field(
  (from) => from.u8(),
  (to, value) => to.u8(value),
  { max: 0xff },
);
export const u16: Field<number> = field(
  (from) => from.u16(),
  (to, value) => to.u16(value),
  { max: 0xffff },
);
export const u32: Field<number> = field(
  (from) => from.u32(),
  (to, value) => to.u32(value),
  { max: 0xffff_ffff },
);
export const u64: Field<number> = field(
  (from) => from.u64(),
  (to, value) => to.u64(value),
  'u64',
);

// ---- bytes

/** Exactly `length` bytes. */
export function fixed(length: number): Field<Uint8Array> {
  return field(
    (from) => from.bytes(length),
    (to, value) => to.bytes(value),
    { fixed: length },
  );
}

export const hash = fixed(HASH_BYTES);
export const signature = fixed(SIGNATURE_BYTES);

/** The rest, however many: for JSON alone, as in binary something else must say where it ends. */
export const bytes: Field<Uint8Array> = /* @__PURE__ */ field(
  (from) => from.bytes(from.limit - from.at),
  (to, value) => to.bytes(value),
  { fixed: null },
);

/** A count and so many hashes, as one view; an array in JSON. */
export function hashes(count: Field<number>): Field<Uint8Array> {
  return field(
    (from) => from.hashes(count.read(from)),
    (to, value) => {
      count.write(to, value.length / HASH_BYTES);
      to.bytes(value);
    },
    { hashCount: count },
  );
}

/** Length 4 ‖ tag ‖ content, read and written with its tag; the content alone in JSON. */
export function part(tag: Uint8Array, mayBeAbsent: boolean): Field<Uint8Array> {
  return field(
    (from) => from.bytes(from.u32()),
    (to, value) => to.u32(value.length).bytes(value),
    { tag, mayBeAbsent },
  );
}

/** Length 2 ‖ printable ASCII. */
export function text(max: number): Field<string> {
  const checkText = (value: string, at: string) => {
    if (value.length > max) throw wrong(at, `at most ${max} characters`);
    if (/[^\x20-\x7e]/.test(value)) throw wrong(at, 'printable ASCII');
    return value;
  };
  return field(
    (from) => checkText(String.fromCharCode(...from.bytes(from.u16())), 'text'),
    (to, value) => to.u16(value.length).bytes(ascii(value)),
    { checkText },
  );
}

// ---- what holds others

/** A count and so many items; at most `max` of them. */
export function list<T>(count: Field<number>, item: Field<T>, max = Infinity): Field<readonly T[]> {
  const checkLength = (length: number) => {
    if (length > max) throw new FormatError(`${length} in a list of at most ${max}`);
    return length;
  };
  return field<readonly T[]>(
    (from) => {
      // Not allocated beforehand: a false count gets no further than the bytes do.
      const items: T[] = [];
      for (let left = checkLength(count.read(from)); left > 0; left--) items.push(item.read(from));
      return items;
    },
    (to, items) => {
      count.write(to, items.length);
      for (const each of items) item.write(to, each);
    },
    { count, item, checkLength },
  );
}

/** Fields one after another. */
export function struct<F extends Fields>(fields: F): Field<Struct<F>> {
  const entries = Object.entries(fields);
  return field<Struct<F>>(
    (from) => {
      const value: Record<string, unknown> = {};
      for (const [name, field] of entries) value[name] = field.read(from);
      return value as Struct<F>;
    },
    (to, value) => {
      for (const [name, field] of entries) field.write(to, value[name]);
    },
    { fields },
  );
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
  const head: AnyField = struct({ ...common, [name]: u8 });
  const rests = new Map(Object.entries(variants).map(([tag, fields]) => [Number(tag), struct(fields)]));
  const restOf: RestOf = (tag, at) => {
    const rest = rests.get(tag);
    if (!rest) throw new FormatError(`${join(at, name)}: ${tag} is not known`);
    return rest;
  };
  return field<Value>(
    (from) => {
      const value = head.read(from);
      return Object.assign(value, restOf(value[name], '').read(from)) as Value;
    },
    (to, value) => {
      head.write(to, value);
      restOf(value[name as never], '').write(to, value);
    },
    { head, tagName: name, restOf },
  );
}

/** How members of members are named in what is thrown. */
export const join = (at: string, name: string) => (at ? `${at}.${name}` : name);

/** A field whose values must also pass `check`, which throws `FormatError`. */
export function checked<T>(field: Field<T>, check: (value: T) => void): Field<T> {
  return {
    ...field,
    read(from) {
      const value = field.read(from);
      check(value);
      return value;
    },
    check,
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
