/**
 * Fields (fields.ts) in JSON: bytes are base64url without padding, integers of 8 bytes decimal strings, smaller
 * ones numbers, lists arrays, everything else an object of named members. One value, one meaning: a missing
 * or unknown member, another type or a number out of range is a `FormatError` that names the member.
 */
import { fromBase64Url, toBase64Url } from './base64url.js';
import { FormatError, HASH_BYTES, Reader, Writer } from './bytes.js';
import { expectBytes } from './expect-bytes.js';
import { type AnyField, type Field, hash, join, wrong } from './fields.js';

export type Json = string | number | readonly Json[] | { readonly [name: string]: Json };

// ---- to JSON

export function toJson<T>({ shape }: Field<T>, value: T): Json {
  return write(shape, value as never);
}

// biome-ignore lint/suspicious/noExplicitAny: of the shape's own type
function write(shape: AnyField['shape'], value: any): Json {
  if (shape === 'u64') return String(value);
  if ('max' in shape || 'checkText' in shape) return value;
  if ('fixed' in shape) return toBase64Url(value);
  if ('hashCount' in shape) return hashesOf(value).map(toBase64Url);
  if ('tag' in shape) {
    if (shape.mayBeAbsent && value.length === 0) return '';
    expectBytes(new Reader(value), shape.tag, 'tag of a part');
    return toBase64Url(value.subarray(shape.tag.length));
  }
  if ('item' in shape) return value.map((each: unknown) => toJson(shape.item, each));
  if ('head' in shape)
    return Object.assign(toJson(shape.head, value), toJson(shape.restOf(value[shape.tagName], ''), value));
  const object: Record<string, Json> = {};
  for (const name in shape.fields) object[name] = toJson(shape.fields[name]!, value[name]);
  return object;
}

function hashesOf(value: Uint8Array): Uint8Array[] {
  return Array.from({ length: value.length / HASH_BYTES }, (_, i) =>
    value.subarray(i * HASH_BYTES, (i + 1) * HASH_BYTES),
  );
}

// ---- from JSON

/** `at` names the member in what is thrown. */
export function fromJson<T>(field: Field<T>, json: unknown, at: string): T {
  const value = read(field.shape, json, at) as T;
  field.check?.(value);
  return value;
}

function read(shape: AnyField['shape'], json: unknown, at: string): unknown {
  if (shape === 'u64') return u64FromJson(json, at);
  if ('max' in shape) return integerFromJson(json, at, shape.max);
  if ('checkText' in shape) {
    if (typeof json !== 'string') throw wrong(at, 'a string');
    return shape.checkText(json, at);
  }
  if ('fixed' in shape) {
    const value = bytesFromJson(json, at);
    if (shape.fixed !== null && value.length !== shape.fixed) throw wrong(at, `${shape.fixed} bytes`);
    return value;
  }
  if ('hashCount' in shape) {
    const array = arrayFromJson(json, at, shape.hashCount);
    const value = new Uint8Array(array.length * HASH_BYTES);
    array.forEach((each, i) => {
      value.set(fromJson(hash, each, `${at}[${i}]`), i * HASH_BYTES);
    });
    return value;
  }
  if ('tag' in shape) {
    const content = bytesFromJson(json, at);
    if (shape.mayBeAbsent && content.length === 0) return content;
    return new Writer(shape.tag.length + content.length).bytes(shape.tag).bytes(content).done();
  }
  if ('item' in shape) {
    const array = arrayFromJson(json, at, shape.count);
    shape.checkLength(array.length);
    return array.map((each, i) => fromJson(shape.item, each, `${at}[${i}]`));
  }
  const object = objectFromJson(json, at);
  return 'head' in shape ? taggedFromJson(shape, object, at) : structFromJson(shape.fields, object, at);
}

function u64FromJson(json: unknown, at: string): number {
  const value = typeof json === 'string' && /^(0|[1-9]\d{0,15})$/.test(json) ? Number(json) : Number.NaN;
  if (!Number.isSafeInteger(value)) throw wrong(at, 'a decimal string up to 9007199254740991');
  return value;
}

function integerFromJson(json: unknown, at: string, max: number): number {
  if (typeof json !== 'number' || !Number.isInteger(json) || json < 0 || json > max)
    throw wrong(at, `a number from 0 to ${max}`);
  return json;
}

function bytesFromJson(json: unknown, at: string): Uint8Array {
  const value = typeof json === 'string' ? fromBase64Url(json) : null;
  if (!value) throw wrong(at, 'base64url without padding');
  return value;
}

function arrayFromJson(json: unknown, at: string, count: Field<number>): readonly unknown[] {
  if (!Array.isArray(json)) throw wrong(at, 'an array');
  fromJson(count, json.length, `length of ${at}`);
  return json;
}

type JsonObject = Readonly<Record<string, unknown>>;

export function objectFromJson(json: unknown, at: string): JsonObject {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) throw wrong(at, 'an object');
  return json as JsonObject;
}

function structFromJson(fields: Readonly<Record<string, AnyField>>, object: JsonObject, at: string): object {
  const value: Record<string, unknown> = {};
  for (const name in fields) {
    if (!Object.hasOwn(object, name)) throw new FormatError(`${join(at, name)}: missing`);
    value[name] = fromJson(fields[name]!, object[name], join(at, name));
  }
  refuseOthers(object, at, Object.keys(fields));
  return value;
}

/** Throws when the object has members that none of `known` has. */
function refuseOthers(object: JsonObject, at: string, known: readonly string[]): void {
  const names = Object.keys(object);
  if (names.length === known.length) return;
  const name = names.find((each) => !known.includes(each))!;
  throw new FormatError(`${join(at, name.slice(0, 40))}: not known`);
}

function taggedFromJson(
  { head, tagName, restOf }: Extract<AnyField['shape'], { head: AnyField }>,
  object: JsonObject,
  at: string,
): object {
  const headNames = Object.keys((head.shape as Extract<AnyField['shape'], { fields: object }>).fields);
  /** The members of the head, or those behind it. */
  const members = (inHead: boolean) =>
    Object.fromEntries(Object.entries(object).filter(([each]) => headNames.includes(each) === inHead));
  const value = fromJson(head, members(true), at);
  return Object.assign(value, fromJson(restOf(value[tagName], at), members(false), at));
}
