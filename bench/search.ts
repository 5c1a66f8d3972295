/** The search for the highest rate: doubling, then bisection. Pure but for what a probe does. */

/** Nothing on one machine is faster or slower. */
const HIGHEST = 2 ** 26;
const LOWEST = 1;

/**
 * The highest whole rate that `holds`, to `precision` (0.05: the next 5 % do not hold any more); null when none does. What
 * holds is taken to hold for every lower rate.
 */
export async function searchMax(
  first: number,
  precision: number,
  holds: (rate: number) => Promise<boolean>,
): Promise<number | null> {
  let rate = Math.max(LOWEST, Math.round(first));
  let [good, bad]: [number | null, number | null] = [null, null];
  while (good === null || bad === null) {
    if (await holds(rate)) good = rate;
    else bad = rate;
    if (bad === null && rate >= HIGHEST) return good;
    if (good === null && rate <= LOWEST) return null;
    rate = good === null ? Math.max(LOWEST, Math.floor(rate / 2)) : rate * 2;
  }
  while (bad > good * (1 + precision) && bad - good > 1) {
    const middle: number = Math.round((good + bad) / 2);
    if (await holds(middle)) good = middle;
    else bad = middle;
  }
  return good;
}
