/** Very many good public keys, fast: successive multiples of the base point, from a random one on. */
import { randomBytes } from 'node:crypto';
import { add, BASE, littleEndian, timesBase, toNumber } from '../test/twin/rfc8032.js';

const P = 2n ** 255n - 19n;
const times = (a: bigint, b: bigint) => (a * b) % P;

function inverse(a: bigint): bigint {
  let result = 1n;
  for (let square = a, e = P - 2n; e > 0n; e >>= 1n, square = times(square, square))
    if (e & 1n) result = times(result, square);
  return result;
}

/** Returns a function that gives the next `count` keys. One inversion serves all of them. */
export function manyKeys(): (count: number) => Uint8Array[] {
  let point = timesBase(toNumber(randomBytes(31)) + 1n);
  return (count) => {
    const points = Array.from({ length: count }, () => {
      point = add(point, BASE);
      return point;
    });
    const products = [1n];
    for (const { Z } of points) products.push(times(products.at(-1)!, Z));
    let rest = inverse(products[count]!);
    const keys = new Array<Uint8Array>(count);
    for (let i = count - 1; i >= 0; i--) {
      const { X, Y, Z } = points[i]!;
      const one = times(rest, products[i]!);
      rest = times(rest, Z);
      keys[i] = littleEndian(times(Y, one) | ((times(X, one) & 1n) << 255n));
    }
    return keys;
  };
}
