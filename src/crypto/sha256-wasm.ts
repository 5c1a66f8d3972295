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
const all = (...parts: Code[]): Code => parts.flat();

// ---- the binary format of WebAssembly

/** LEB128. */
const number = (value: number): Code =>
  value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...number(value >>> 7)];
const signed = (value: number): Code =>
  value >= -64 && value < 64 ? [value & 0x7f] : [(value & 0x7f) | 0x80, ...signed(value >> 7)];
const sized = (bytes: Code): Code => all(number(bytes.length), bytes);
const list = (...items: Code[]): Code => all(number(items.length), ...items);
const section = (id: number, ...items: Code[]): Code => all([id], sized(list(...items)));
const named = (name: string, kind: number): Code => all(sized([...Buffer.from(name)]), [kind, 0]);

const HEADER: Code = [0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
const FUNCTION = 0;
const MEMORY = 2;
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

// ---- the function's parameters and locals

const BLOCKS = 0;
/** Where the next block of each input lies; of the first it is the second parameter. */
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

const plus = (a: Code, b: Code): Code => all(a, b, ADD);
const shift = (x: Code, by: number): Code => all(x, int(by), SHIFT_RIGHT);
const rotate = (x: Code, by: number): Code => all(shift(x, by), x, int(32 - by), SHIFT_LEFT, OR);
const xor = (a: Code, b: Code, c: Code): Code => all(a, b, XOR, c, XOR);

/** Of two vectors the first two words (0) or the last two (8) by turns, or those halves side by side. */
const words = (from: number) =>
  shuffled(...[from, from + 4].flatMap((at) => [...run(at, 4), ...run(at + 16, 4)]));
const halves = (from: number) => shuffled(...run(from, 8), ...run(from + 16, 8));
/** The vector on the stack with the bytes of each word the other way round. */
const SWAPPED = all(
  tee(VALUE),
  get(VALUE),
  shuffled(...[0, 4, 8, 12].flatMap((at) => [...run(at, 4)].reverse())),
);

/** Four vectors as rows of words: `take(i)` finds column `i` on the stack, the bytes of its words swapped. */
function columns(rows: readonly Code[], take: (column: number) => Code): Code {
  const [a, b, c, d] = run(ROWS, 4).map(get) as [Code, Code, Code, Code];
  const column = (i: number) => all(get(PAIRS), get(PAIRS + 1), halves(8 * (i % 2)), SWAPPED, take(i));
  const two = (i: number) => {
    const pair = (first: Code, second: Code) => all(first, second, words(4 * i));
    return all(pair(a, b), set(PAIRS), pair(c, d), set(PAIRS + 1), column(i), column(i + 1));
  };
  return all(...rows.map((row, i) => all(row, set(ROWS + i))), two(0), two(2));
}

// ---- SHA-256

/** §6.2.2, 1: the words of a block, of each input 16 bytes at a time. */
const LOADED = run(0, 4).flatMap((quarter) =>
  columns(
    run(AT, LANES).map((at) => all(get(at), load(quarter * VECTOR_BYTES))),
    (i) => set(WORDS + 4 * quarter + i),
  ),
);

/** The word of the round 16 after `t`, in the place of its own. */
function schedule(t: number): Code {
  const word = (back: number) => get(WORDS + ((t - back + 16) % 16));
  const s0 = xor(rotate(word(15), 7), rotate(word(15), 18), shift(word(15), 3));
  const s1 = xor(rotate(word(2), 17), rotate(word(2), 19), shift(word(2), 10));
  return all(plus(plus(word(16), s0), plus(word(7), s1)), set(WORDS + t));
}

/** §6.2.2, 3. Instead of all eight words moving on by one, the next round finds each in the local before. */
function round(t: number): Code {
  const local = (i: number) => STATE + ((i - t + 16) % 8);
  const word = (i: number) => get(local(i));
  const [a, b, c, e, f, g, h] = [word(0), word(1), word(2), word(4), word(5), word(6), word(7)];
  const constant = all(get(CONSTANTS), load(t * VECTOR_BYTES));
  const s1 = xor(rotate(e, 6), rotate(e, 11), rotate(e, 25));
  const choice = all(g, e, f, g, XOR, AND, XOR);
  const s0 = xor(rotate(a, 2), rotate(a, 13), rotate(a, 22));
  const majority = all(a, b, AND, c, a, b, OR, AND, OR);
  return all(
    plus(plus(plus(h, plus(constant, get(WORDS + t))), s1), choice),
    set(local(7)),
    plus(word(3), h),
    set(local(3)),
    plus(plus(h, s0), majority),
    set(local(7)),
  );
}

/** The rounds of a block, 16 at a time: behind these the words of the next. */
const ROUNDS = all(
  all(int(0), set(CONSTANTS)),
  LOOP,
  run(0, 16).flatMap(round),
  all(get(CONSTANTS), int(16 * VECTOR_BYTES), ADD_INT, tee(CONSTANTS), int(DIGESTS_AT), LESS),
  all(IF, run(0, 16).flatMap(schedule), again(1), END),
  END,
);

const eight = (code: (i: number) => Code) => run(0, 8).flatMap(code);

const HASH = all(
  run(AT + 1, LANES - 1).flatMap((at) =>
    all(get(at - 1), get(BLOCKS), int(6), SHIFT_INT_LEFT, ADD_INT, set(at)),
  ),
  eight((i) => all(int(INITIAL[i]!), SPLAT, set(BEFORE + i))),
  LOOP,
  LOADED,
  eight((i) => all(get(BEFORE + i), set(STATE + i))),
  ROUNDS,
  eight((i) => all(plus(get(BEFORE + i), get(STATE + i)), set(BEFORE + i))),
  run(AT, LANES).flatMap((at) => all(get(at), int(BLOCK_BYTES), ADD_INT, set(at))),
  all(get(BLOCKS), int(1), SUBTRACT_INT, tee(BLOCKS), againIf(0)),
  END,
  run(0, 2).flatMap((half) =>
    columns(run(BEFORE + 4 * half, 4).map(get), (lane) =>
      // The address comes before the vector.
      all(set(VALUE), int(0), get(VALUE), store(DIGESTS_AT + lane * DIGEST_BYTES + half * VECTOR_BYTES)),
    ),
  ),
  END,
);

/** Each constant as a vector, in the byte order of WebAssembly. */
const constants = new DataView(new ArrayBuffer(DIGESTS_AT));
for (const [i, constant] of [...K].entries())
  for (let lane = 0; lane < LANES; lane++) constants.setInt32(4 * (i * LANES + lane), constant, true);

/** The module's bytes: some 8 KB. */
export const SHA256_MODULE = Uint8Array.from(
  all(
    HEADER,
    section(1, [0x60, ...list([I32], [I32]), 0]), // a type: two numbers, no result
    section(3, [0]), // a function of that type
    section(5, [0, 1]), // a memory of one page, 64 KiB
    section(7, named('memory', MEMORY), named('hash', FUNCTION)),
    section(10, sized(all(list([...number(WORDS - AT - 1), I32], [VECTORS, V128]), HASH))),
    section(11, all([0], int(0), END, sized([...new Uint8Array(constants.buffer)]))), // what lies at 0
  ),
);
