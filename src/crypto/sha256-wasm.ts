/**
 * SHA-256's compression (FIPS 180-4 §6.2) of four inputs at a time, as a WebAssembly module that is put together here: each
 * 32-bit word of the algorithm is a vector of four, one of each input, and a processor does four in the time of one.
 *
 * The module exports its `memory` and `hash(blocks, at)`: at `at` lie four inputs of so many blocks, padded, one behind the
 * other; afterwards their digests lie at `DIGESTS_AT`. What lies before `INPUTS_AT` is the module's.
 */
import { INITIAL, K } from './sha256.js';

/** How many inputs are hashed at a time. */
export const LANES = 4;
export const BLOCK_BYTES = 64;
export const DIGEST_BYTES = 32;
const VECTOR_BYTES = 16;
/** Behind the constants of the rounds. */
export const DIGESTS_AT = K.length * VECTOR_BYTES;
export const INPUTS_AT = DIGESTS_AT + LANES * DIGEST_BYTES;

/** Bytes of a module, or of its code. */
type Code = readonly number[];

const run = (from: number, length: number): Code => Array.from({ length }, (_, i) => from + i);

// ---- the binary format of WebAssembly

/** LEB128. */
const number = (value: number): Code =>
  value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...number(value >>> 7)];
const signed = (value: number): Code =>
  value >= -64 && value < 64 ? [value & 0x7f] : [(value & 0x7f) | 0x80, ...signed(value >> 7)];
const sized = (bytes: Code): Code => [...number(bytes.length), ...bytes];
const list = (...items: Code[]): Code => [...number(items.length), ...items.flat()];
const section = (id: number, ...items: Code[]): Code => [id, ...sized(list(...items))];
const named = (name: string, ...kindAndIndex: number[]): Code => [
  ...sized([...Buffer.from(name)]),
  ...kindAndIndex,
];

const HEADER: Code = [0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
const I32 = 0x7f;
const V128 = 0x7b;

const get = (local: number): Code => [0x20, ...number(local)];
const set = (local: number): Code => [0x21, ...number(local)];
const tee = (local: number): Code => [0x22, ...number(local)];
const int = (value: number): Code => [0x41, ...signed(value)];
const ADD_INT: Code = [0x6a];
const SUBTRACT_INT: Code = [0x6b];
const SHIFT_INT_LEFT: Code = [0x74];
const LESS: Code = [0x48];
/** Neither has a result. */
const LOOP: Code = [0x03, 0x40];
const IF: Code = [0x04, 0x40];
const END: Code = [0x0b];
/** The loop that is so many blocks around this one. */
const again = (depth: number): Code => [0x0c, depth];
const againIf = (depth: number): Code => [0x0d, depth];

const vector = (operation: number, ...rest: number[]): Code => [0xfd, ...number(operation), ...rest];
/** From the address on the stack plus `offset`, which is a multiple of 2^4 bytes. */
const load = (offset: number): Code => vector(0x00, 4, ...number(offset));
const store = (offset: number): Code => vector(0x0b, 4, ...number(offset));
/** The bytes at these places of two vectors, 16 of 32. */
const shuffled = (...places: number[]): Code => vector(0x0d, ...places);
const SPLAT = vector(0x11);
const AND = vector(0x4e);
const OR = vector(0x50);
const XOR = vector(0x51);
const SHIFT_LEFT = vector(0xab);
const SHIFT_RIGHT = vector(0xad);
const ADD = vector(0xae);

// ---- the function: its parameters and locals

const BLOCKS = 0;
/** Where the next block of each input lies; the first is the second parameter. */
const AT = 1;
/** Where those of the next 16 rounds lie. */
const CONSTANTS = AT + LANES;
const WORDS = CONSTANTS + 1;
/** The eight words of the state, and as they were before a block. */
const STATE = WORDS + 16;
const BEFORE = STATE + 8;
const ROWS = BEFORE + 8;
const PAIRS = ROWS + 4;
const VALUE = PAIRS + 2;
const VECTORS = VALUE + 1 - WORDS;

// ---- vectors of words

const shift = (x: Code, by: number): Code => [...x, ...int(by), ...SHIFT_RIGHT];
const rotate = (x: Code, by: number): Code => [...shift(x, by), ...x, ...int(32 - by), ...SHIFT_LEFT, ...OR];
const xor = (a: Code, b: Code, c: Code): Code => [...a, ...b, ...XOR, ...c, ...XOR];

/** Of two vectors the first two words (0) or the last two (8) by turns, or those halves side by side. */
const words = (from: number) =>
  shuffled(...[from, from + 4].flatMap((at) => [...run(at, 4), ...run(at + 16, 4)]));
const halves = (from: number) => shuffled(...run(from, 8), ...run(from + 16, 8));
/** The vector on the stack with the bytes of each word the other way round. */
const SWAPPED = [
  ...tee(VALUE),
  ...get(VALUE),
  ...shuffled(...[0, 4, 8, 12].flatMap((at) => [...run(at, 4)].reverse())),
];

/** Four vectors as rows of words: `take(i)` is given column `i` on the stack, the bytes of its words swapped. */
function columns(rows: readonly Code[], take: (column: number) => Code): Code {
  const [a, b, c, d] = run(ROWS, 4).map(get) as [Code, Code, Code, Code];
  const two = (i: number, from: number) => [
    ...[...a, ...b, ...words(from), ...set(PAIRS), ...c, ...d, ...words(from), ...set(PAIRS + 1)],
    ...[0, 1].flatMap((k) => [
      ...get(PAIRS),
      ...get(PAIRS + 1),
      ...halves(8 * k),
      ...SWAPPED,
      ...take(i + k),
    ]),
  ];
  return [...rows.flatMap((row, i) => [...row, ...set(ROWS + i)]), ...two(0, 0), ...two(2, 8)];
}

// ---- SHA-256

const eight = (code: (i: number) => Code) => run(0, 8).flatMap(code);

/** §6.2.2, 1: the words of a block, of each input 16 bytes at a time. */
const LOADED = [0, 1, 2, 3].flatMap((q) =>
  columns(
    run(AT, LANES).map((at) => [...get(at), ...load(q * VECTOR_BYTES)]),
    (i) => set(WORDS + 4 * q + i),
  ),
);

/** The word of the round 16 after `t`, in the place of its own. */
function schedule(t: number): Code {
  const word = (back: number) => get(WORDS + ((t - back + 16) % 16));
  const s0 = xor(rotate(word(15), 7), rotate(word(15), 18), shift(word(15), 3));
  const s1 = xor(rotate(word(2), 17), rotate(word(2), 19), shift(word(2), 10));
  return [...word(16), ...s0, ...ADD, ...word(7), ...ADD, ...s1, ...ADD, ...set(WORDS + t)];
}

/** §6.2.2, 3. Instead of all eight words moving on by one, the next round finds each in the local before. */
function round(t: number): Code {
  const local = (i: number) => STATE + ((i - t + 16) % 8);
  const [a, b, c, d, e, f, g, h] = run(0, 8).map((i) => get(local(i))) as Code[] & { length: 8 };
  const constant = [...get(CONSTANTS), ...load(t * VECTOR_BYTES)];
  const s1 = xor(rotate(e!, 6), rotate(e!, 11), rotate(e!, 25));
  const choice = [...g!, ...e!, ...f!, ...g!, ...XOR, ...AND, ...XOR];
  const s0 = xor(rotate(a!, 2), rotate(a!, 13), rotate(a!, 22));
  const majority = [...a!, ...b!, ...AND, ...c!, ...a!, ...b!, ...OR, ...AND, ...OR];
  return [
    ...[
      ...h!,
      ...constant,
      ...get(WORDS + t),
      ...ADD,
      ...ADD,
      ...s1,
      ...ADD,
      ...choice,
      ...ADD,
      ...set(local(7)),
    ],
    ...[...d!, ...h!, ...ADD, ...set(local(3))],
    ...[...h!, ...s0, ...ADD, ...majority, ...ADD, ...set(local(7))],
  ];
}

/** The rounds of a block, 16 at a time: after these the words of the next. */
const ROUNDS = [
  ...[...int(0), ...set(CONSTANTS)],
  ...LOOP,
  ...run(0, 16).flatMap(round),
  ...[...get(CONSTANTS), ...int(16 * VECTOR_BYTES), ...ADD_INT, ...tee(CONSTANTS)],
  ...[...int(DIGESTS_AT), ...LESS, ...IF],
  ...run(0, 16).flatMap(schedule),
  ...[...again(1), ...END],
  ...END,
];

const HASH = [
  ...[1, 2, 3].flatMap((i) => [
    ...[...get(AT + i - 1), ...get(BLOCKS), ...int(6), ...SHIFT_INT_LEFT, ...ADD_INT, ...set(AT + i)],
  ]),
  ...eight((i) => [...int(INITIAL[i]!), ...SPLAT, ...set(BEFORE + i)]),
  ...LOOP,
  ...LOADED,
  ...eight((i) => [...get(BEFORE + i), ...set(STATE + i)]),
  ...ROUNDS,
  ...eight((i) => [...get(BEFORE + i), ...get(STATE + i), ...ADD, ...set(BEFORE + i)]),
  ...run(AT, LANES).flatMap((at) => [...get(at), ...int(BLOCK_BYTES), ...ADD_INT, ...set(at)]),
  ...[...get(BLOCKS), ...int(1), ...SUBTRACT_INT, ...tee(BLOCKS)],
  ...[...againIf(0), ...END],
  ...[0, 1].flatMap((half) =>
    columns(run(BEFORE + 4 * half, 4).map(get), (lane) => [
      ...[...set(VALUE), ...int(0), ...get(VALUE)],
      ...store(DIGESTS_AT + lane * DIGEST_BYTES + half * VECTOR_BYTES),
    ]),
  ),
  ...END,
];

/** The module's bytes: some 18 KB. */
export const SHA256_MODULE = Uint8Array.from([
  ...HEADER,
  ...section(1, [0x60, ...list([I32], [I32]), 0]), // a type: two numbers, no result
  ...section(3, [0]), // a function of that type
  ...section(5, [0, 1]), // a memory of one page, 64 KiB
  ...section(7, named('memory', 2, 0), named('hash', 0, 0)),
  ...section(10, sized([...list([...number(WORDS - AT - 1), I32], [...number(VECTORS), V128]), ...HASH])),
]);
