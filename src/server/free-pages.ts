/**
 * Pages of the store's file that are free: LMDB lists them in a tree of its own (in the machine's byte order, as lmdb-js builds it).
 *
 *   page    flags 2 at 18 (1 = branch, 2 = leaf) ‖ bytes of offsets 2 at 20 ‖ offsets of nodes 2 each at 24
 *   node    24 behind its offset. Of a branch: page 6 ‖ bytes of key 2 ‖ key.
 *           Of a leaf: bytes of data 4 ‖ flags 2 ‖ bytes of key 2 ‖ key ‖ data; with flag 1 the data is a page 8, and lies 24 behind its begin
 *   data    how many numbers 8 ‖ numbers 8: a page; or −n, and the first of n pages; or 0
 */

const HEADER_BYTES = 24;
const NODE_BYTES = 8;
const FLAGS = { leaf: 2, elsewhere: 1 } as const;
/** Branches above each other. */
const DEEPEST = 16;

export const IS_LITTLE = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

/** `read` gives bytes from the beginning of a page, and throws `RangeError` behind the end. Throws that also where it is no such tree. */
export function* freePages(
  read: (page: number, bytes: number) => DataView,
  root: number,
  pageBytes: number,
  depth = 0,
): Iterable<{ readonly first: number; readonly count: number }> {
  if (depth > DEEPEST) throw new RangeError('too deep');
  const page = read(root, pageBytes);
  const short = (at: number) => page.getUint16(at, IS_LITTLE);
  const isLeaf = (short(18) & FLAGS.leaf) !== 0;
  for (let i = 0; i < short(20) / 2; i++) {
    const at = HEADER_BYTES + short(HEADER_BYTES + 2 * i);
    const low = page.getUint32(at, IS_LITTLE);
    if (!isLeaf) {
      yield* freePages(read, low + short(at + 4) * 2 ** 32, pageBytes, depth + 1);
      continue;
    }
    const dataAt = at + NODE_BYTES + short(at + 6);
    const isElsewhere = (short(at + 4) & FLAGS.elsewhere) !== 0;
    const [data, from] = isElsewhere
      ? [read(Number(page.getBigUint64(dataAt, IS_LITTLE)), HEADER_BYTES + low), HEADER_BYTES]
      : [page, dataAt];
    yield* listed(data, from);
  }
}

function* listed(data: DataView, from: number) {
  const number = (i: number) => Number(data.getBigInt64(from + 8 * i, IS_LITTLE));
  for (let i = 1; i <= number(0); i++) {
    const count = number(i) < 0 ? -number(i++) : 1;
    if (number(i) > 0) yield { first: number(i), count };
  }
}
