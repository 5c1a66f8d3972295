/** Counters of a frame that are refused with the bundle at `k`: all behind it and, as a signature is over all of a frame, of a signed one those before it. */
export function refusedBeside(
  { firstCounter, count, signature }: { firstCounter: number; count: number; signature: Uint8Array | null },
  k: number,
): { readonly firstCounter: number; readonly count: number; readonly text: string }[] {
  const text = `counter ${firstCounter + k} was refused`;
  const before = { firstCounter, count: signature ? k : 0, text };
  const behind = { firstCounter: firstCounter + k + 1, count: count - k - 1, text };
  return [before, behind].filter((each) => each.count > 0);
}
