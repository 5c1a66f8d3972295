/**
 * Latencies counted at the cost of two additions: buckets as an HdrHistogram of three digits has them (2,048 wide ones of
 * one microsecond, then 1,024 for every doubling), made into one when it is looked at.
 */
import * as hdr from 'hdr-histogram-js';

const SUB_BITS = 11;
const SUB = 1 << SUB_BITS;
/** 19 minutes; what is longer counts as that. */
const MOST_MICROS = 2 ** 30;
const BUCKETS = SUB + ((30 - SUB_BITS + 1) * SUB) / 2;

export class Latencies {
  readonly counts = new Uint32Array(BUCKETS);

  /** At least 1 µs, as HdrHistograms want it. */
  record(ms: number): void {
    const micros = Math.min(MOST_MICROS, Math.max(1, Math.round(ms * 1000)));
    const shift = Math.max(0, 32 - SUB_BITS - Math.clz32(micros));
    this.counts[(shift * SUB) / 2 + (micros >>> shift)]!++;
  }

  add(counts: Uint32Array): void {
    for (let i = 0; i < counts.length; i++) this.counts[i]! += counts[i]!;
  }

  clear(): void {
    this.counts.fill(0);
  }

  histogram(): hdr.Histogram {
    const histogram = hdr.build({
      lowestDiscernibleValue: 1,
      highestTrackableValue: MOST_MICROS,
      numberOfSignificantValueDigits: 3,
    });
    this.counts.forEach((count, bucket) => {
      if (count > 0) histogram.recordValueWithCount(microsOf(bucket), count);
    });
    return histogram;
  }
}

/** The lowest value of a bucket. */
function microsOf(bucket: number): number {
  const shift = Math.max(0, Math.floor((2 * bucket) / SUB) - 1);
  return (bucket - (shift * SUB) / 2) * 2 ** shift;
}

/** In milliseconds; NaN where nothing was counted. */
export function percentile(histogram: hdr.Histogram, percent: number): number {
  return histogram.totalCount === 0 ? Number.NaN : histogram.getValueAtPercentile(percent) / 1000;
}
