/** How long messages took, and which of them say something about the server. Pure. */

/** One message on its way to one recipient; times in ms of one clock. */
export interface Flight {
  readonly sender: number;
  readonly recipient: number;
  readonly sentAt: number;
  readonly shownAt: number;
}

/** A time in which something was down: one client, or all when `client` is not given. */
export interface Outage {
  readonly from: number;
  readonly until: number;
  readonly client?: number;
}

export interface Latency {
  /** Flights that the percentiles are of. */
  readonly flights: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Of all flights, outages and all. */
  readonly slowestMs: number;
}

/** Percentiles of the flights that no outage touched; 0 when there are none. */
export function latencyOf(flights: readonly Flight[], outages: readonly Outage[]): Latency {
  const rising = (list: readonly Flight[]) => list.map(duration).sort((a, b) => a - b);
  const undisturbed = rising(flights.filter((flight) => !outages.some((outage) => touches(outage, flight))));
  return {
    flights: undisturbed.length,
    p50Ms: percentile(undisturbed, 50),
    p99Ms: percentile(undisturbed, 99),
    slowestMs: percentile(rising(flights), 100),
  };
}

/** Nearest rank, to a hundredth. */
export function percentile(rising: readonly number[], percent: number): number {
  const value = rising[Math.max(0, Math.ceil((rising.length * percent) / 100) - 1)] ?? 0;
  return Math.round(value * 100) / 100;
}

function duration({ sentAt, shownAt }: Flight): number {
  return shownAt - sentAt;
}

function touches({ from, until, client }: Outage, { sender, recipient, sentAt, shownAt }: Flight): boolean {
  if (client !== undefined && client !== sender && client !== recipient) return false;
  return sentAt < until && shownAt > from;
}
