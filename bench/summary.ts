/** What a run's numbers come to: the audit, rates, latencies and seconds, and whether it counts. Pure. */
import * as hdr from 'hdr-histogram-js';
import { audit } from './audit.js';
import type { DeliveredColumns, SentColumns } from './columns.js';
import { Latencies, percentile } from './latencies.js';
import type { ReceivingResults } from './receiving.js';
import { type Audit, type Environment, FORMAT, type Interval, type RunResult, type Usage } from './result.js';
import type { SendingResults } from './sending.js';
import type { Promises, StageTimes } from './system.js';
import type { Sample } from './usage.js';
import type { Workload } from './workload.js';

/** Open loop: a generator whose lateness has a 99th percentile beyond this did not offer the load that it says. */
export const MOST_LATENESS_MS = 10;

export interface Measured {
  readonly system: string;
  readonly workload: Workload;
  readonly repetition: number;
  readonly promises: Promises;
  readonly startedAt: string;
  readonly environment: Environment;
  /** Moment of the clock when the load started. */
  readonly start: number;
  readonly sent: readonly SendingResults[];
  readonly received: readonly ReceivingResults[];
  /** Of the server, every second from the start of the load. */
  readonly samples: readonly Sample[];
  /** Within the window. */
  readonly usage: { readonly server: Usage; readonly senders: Usage; readonly receivers: Usage };
  readonly stages: StageTimes | null;
  readonly diskBytes: number;
  readonly failures: readonly Error[];
}

export function summarise(measured: Measured): RunResult {
  const { workload, system, repetition, startedAt, environment, promises, usage, stages } = measured;
  const events = new Events(measured);
  const { delivered, acknowledged } = events;
  const audited = auditOf(measured);
  const generator = generatorOf(measured.sent);
  const histograms = {
    delivered: delivered.window.histogram(),
    acknowledged: acknowledged.window.histogram(),
  };
  return {
    format: FORMAT,
    system,
    workload: workload.name,
    config: workload,
    repetition,
    startedAt,
    environment,
    promises,
    seconds: workload.seconds,
    acknowledgedPerSecond: Math.round(acknowledged.inWindow / workload.seconds),
    deliveredPerSecond: Math.round(delivered.inWindow / workload.seconds),
    p50Ms: percentile(histograms.delivered, 50),
    p99Ms: percentile(histograms.delivered, 99),
    p999Ms: percentile(histograms.delivered, 99.9),
    acknowledgeP50Ms: percentile(histograms.acknowledged, 50),
    acknowledgeP99Ms: percentile(histograms.acknowledged, 99),
    audit: audited,
    generator,
    returnSeconds: workload.waiting > 0 ? events.returnSeconds : null,
    ...usage,
    serverCpuSecondsPerMillion: (usage.server.cpuSeconds / acknowledged.inWindow) * 1e6,
    diskBytes: measured.diskBytes,
    intervals: intervalsOf(measured, events),
    histograms: {
      delivered: base64(histograms.delivered),
      acknowledged: base64(histograms.acknowledged),
    },
    stages,
    void: [
      ...whyVoid(measured, audited, generator),
      ...whyNothing(events, workload, histograms.delivered.totalCount),
    ],
  };
}

function auditOf({ sent, received, workload, promises, failures }: Measured): Audit {
  return audit({
    senders: sent.flatMap(({ senders }) => senders),
    delivered: received.map(({ delivered }) => delivered),
    mailboxes: workload.mailboxes,
    recipients: workload.recipients,
    altered: received.reduce((sum, { altered }) => sum + altered, 0),
    unverified: failures.filter(({ name }) => name === 'VerificationError').length,
    oneOrder: promises.totalOrder,
  });
}

/** Acknowledgments or deliveries, by when they happened. */
class Kind {
  /** Of messages that were due within the window, whenever they came. */
  readonly window = new Latencies();
  /** What happened within the window. */
  inWindow = 0;
  /** By second of the load. */
  readonly perSecond: number[];

  constructor(
    private readonly from: number,
    private readonly to: number,
    private readonly start: number,
    seconds: number,
  ) {
    this.perSecond = new Array(seconds).fill(0);
  }

  /** Returns its second; outside of all of them it is beyond their end. */
  add(intended: number, time: number): number {
    if (time >= this.from && time < this.to) this.inWindow++;
    if (intended >= this.from && intended < this.to) this.window.record(time - intended);
    const second = Math.floor((time - this.start) / 1000);
    if (second < 0 || second >= this.perSecond.length) return this.perSecond.length;
    this.perSecond[second]!++;
    return second;
  }
}

/** One pass over all that was sent, acknowledged and delivered. */
class Events {
  readonly acknowledged: Kind;
  readonly delivered: Kind;
  readonly sentPerSecond: number[];
  /** Of deliveries, by the second in which they came. */
  readonly latencies: Latencies[];
  /** Of what waited, from the start of the load until the last of it came. */
  returnSeconds = 0;

  constructor({ workload, start, sent, received }: Measured) {
    const seconds = Math.ceil(workload.warmupSeconds + workload.seconds);
    const from = start + workload.warmupSeconds * 1000;
    const to = from + workload.seconds * 1000;
    this.acknowledged = new Kind(from, to, start, seconds);
    this.delivered = new Kind(from, to, start, seconds);
    this.sentPerSecond = new Array(seconds).fill(0);
    this.latencies = Array.from({ length: seconds }, () => new Latencies());
    const intended = new Map<number, Float64Array>();
    for (const { senders } of sent)
      for (const columns of senders) {
        intended.set(columns.sender, columns.intended);
        this.addSender(columns, start);
      }
    for (const { delivered } of received) this.addDelivered(delivered, intended, start, workload.online);
  }

  private addSender({ count, intended, acknowledged }: SentColumns, start: number): void {
    for (let i = 0; i < count; i++) {
      const second = Math.floor((intended[i]! - start) / 1000);
      if (second >= 0 && second < this.sentPerSecond.length) this.sentPerSecond[second]!++;
      if (acknowledged[i] !== 0) this.acknowledged.add(intended[i]!, acknowledged[i]!);
    }
  }

  /** Of mailboxes that are read meanwhile: what waits for the audit says nothing of latency. */
  private addDelivered(
    { count, sender, number, mailbox, time }: DeliveredColumns,
    intended: ReadonlyMap<number, Float64Array>,
    start: number,
    online: number,
  ): void {
    for (let row = 0; row < count; row++) {
      if (mailbox[row]! >= online) continue;
      const due = intended.get(sender[row]!)?.[number[row]!];
      if (due === undefined) continue;
      if (due < start) this.returnSeconds = Math.max(this.returnSeconds, (time[row]! - start) / 1000);
      const second = this.delivered.add(due, time[row]!);
      this.latencies[second]?.record(time[row]! - due);
    }
  }
}

function intervalsOf({ samples }: Measured, events: Events): Interval[] {
  return events.sentPerSecond.map((sent, second) => {
    const histogram = events.latencies[second]!.histogram();
    const [before, after] = [samples[second], samples[second + 1]];
    return {
      second,
      sent,
      acknowledged: events.acknowledged.perSecond[second]!,
      delivered: events.delivered.perSecond[second]!,
      p50Ms: percentile(histogram, 50),
      p99Ms: percentile(histogram, 99),
      serverCpuSeconds: (after?.cpuSeconds ?? Number.NaN) - (before?.cpuSeconds ?? Number.NaN),
      serverMiB: after?.mebibytes ?? Number.NaN,
    };
  });
}

function generatorOf(sent: readonly SendingResults[]): RunResult['generator'] {
  const lateness = new Latencies();
  for (const each of sent) lateness.add(each.lateness);
  const histogram = lateness.histogram();
  const latenessP99Ms = histogram.totalCount === 0 ? 0 : percentile(histogram, 99);
  return { latenessP99Ms, unsent: sent.reduce((sum, { unsent }) => sum + unsent, 0) };
}

const ANOMALIES = [
  'lost',
  'duplicated',
  'misordered',
  'skipped',
  'altered',
  'unverified',
  'otherPlace',
] as const;

/** Whatever of these is not so, the number does not count. */
function whyVoid(
  { failures, promises }: Measured,
  audited: Audit,
  { latenessP99Ms }: RunResult['generator'],
): string[] {
  const why = ANOMALIES.filter((name) => audited[name] > 0).map((name) => `${audited[name]} ${name}`);
  if (promises.totalOrder && !audited.totalOrder) why.push('no total order, though it is promised');
  const open = audited.sent - audited.acknowledged;
  if (open > 0) why.push(`${open} not acknowledged`);
  if (latenessP99Ms > MOST_LATENESS_MS)
    why.push(`the generator was late: ${latenessP99Ms} ms at the 99th percentile, over ${MOST_LATENESS_MS}`);
  return [...why, ...new Set(failures.map(({ message }) => message))];
}

function base64(histogram: ReturnType<Latencies['histogram']>): string {
  return hdr.encodeIntoCompressedBase64(histogram);
}

/** A rate of 0 has no cost and no latency: it must not look like a figure. */
function whyNothing({ acknowledged, delivered }: Events, { online }: Workload, latencies: number): string[] {
  const why: string[] = [];
  if (latencies === 0) why.push('nothing of the window was delivered');
  if (acknowledged.inWindow === 0) why.push('nothing was acknowledged within the window');
  if (delivered.inWindow === 0 && online > 0) why.push('nothing was delivered within the window');
  return why;
}
