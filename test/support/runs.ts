/** Results of runs that never were, for the tests of what is done with results. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as hdr from 'hdr-histogram-js';
import { FORMAT, type Interval, type NotAvailable, type RunResult } from '../../bench/result.js';
import { loadWorkload } from '../../bench/workload.js';

interface Wanted {
  readonly system?: string;
  readonly workload?: string;
  /** As after --set. */
  readonly set?: readonly string[];
  readonly repetition?: number;
  /** Second of the day at which it began. */
  readonly at?: number;
  readonly perSecond?: number;
  readonly cpu?: number;
  readonly p50Ms?: number;
  readonly void?: readonly string[];
  readonly cores?: number;
  readonly node?: string;
  readonly stages?: RunResult['stages'];
  readonly durable?: string;
}

const microseconds = {
  lowestDiscernibleValue: 1,
  highestTrackableValue: 60_000_000,
  numberOfSignificantValueDigits: 3 as const,
};

/** Latencies whose median is `p50Ms`, whose tail is ten times that. */
function histogram(p50Ms: number): { text: string; at: (percentile: number) => number } {
  const made = hdr.build(microseconds);
  for (let i = 0; i < 1000; i++)
    made.recordValue(Math.round(p50Ms * 1000 * (0.5 + i / 1000) * (i > 989 ? 10 : 1)));
  return {
    text: hdr.encodeIntoCompressedBase64(made),
    at: (percentile) => made.getValueAtPercentile(percentile) / 1000,
  };
}

function intervals(seconds: number, perSecond: number, p50Ms: number): Interval[] {
  return Array.from({ length: seconds }, (_, second) => {
    const share = second === 0 ? 0.4 : 1 + 0.05 * Math.sin(second);
    const messages = Math.round(perSecond * share);
    const latency = { p50Ms: p50Ms / share, p99Ms: (3 * p50Ms) / share };
    return {
      second,
      sent: messages,
      acknowledged: messages,
      delivered: messages,
      ...latency,
      serverCpuSeconds: 0.8,
      serverMiB: 120,
    };
  });
}

const ENVIRONMENT = {
  cpu: 'Example 9000',
  kernel: 'Linux 6.1',
  memoryMiB: 8192,
  disk: 'ext4',
  fdatasyncMs: 0.6,
  lockfile: 'a'.repeat(64),
  commit: 'b'.repeat(40),
  load: 0.4,
  systemVersion: '1.2.3',
};

const CLEAN = {
  lost: 0,
  duplicated: 0,
  misordered: 0,
  skipped: 0,
  altered: 0,
  unverified: 0,
  otherPlace: 0,
  totalOrder: true,
};

export function madeRun(wanted: Wanted = {}): RunResult {
  const {
    system = 'countersign',
    workload = 'throughput',
    perSecond = 100_000,
    cpu = 8,
    p50Ms = 40,
  } = wanted;
  const config = loadWorkload(workload, wanted.set);
  const delivered = histogram(p50Ms);
  const messages = Math.round(perSecond * config.seconds);
  const usage = (cpuSeconds: number) => ({ cpuSeconds, peakMiB: 150 });
  return {
    format: FORMAT,
    system,
    workload: config.name,
    config,
    repetition: wanted.repetition ?? 1,
    startedAt: new Date(Date.UTC(2026, 0, 1) + (wanted.at ?? 0) * 1000).toISOString(),
    environment: { ...ENVIRONMENT, cores: wanted.cores ?? 2, node: wanted.node ?? 'v20.20.2' },
    promises: {
      totalOrder: system !== 'nats-ws',
      durable: wanted.durable ?? 'fsynced per epoch',
      verified: 'every receipt and delivery',
    },
    seconds: config.seconds,
    acknowledgedPerSecond: perSecond,
    deliveredPerSecond: perSecond * config.recipients,
    p50Ms: delivered.at(50),
    p99Ms: delivered.at(99),
    p999Ms: delivered.at(99.9),
    acknowledgeP50Ms: delivered.at(50),
    acknowledgeP99Ms: delivered.at(99),
    audit: { ...CLEAN, sent: messages, acknowledged: messages, delivered: messages * config.recipients },
    generator: { latenessP99Ms: 0.2, unsent: 0 },
    returnSeconds: null,
    server: usage((cpu * messages) / 1e6),
    senders: usage(3),
    receivers: usage(4),
    serverCpuSecondsPerMillion: cpu,
    diskBytes: 1_000_000,
    intervals: intervals(config.warmupSeconds + config.seconds, perSecond, p50Ms),
    histograms: { delivered: delivered.text, acknowledged: delivered.text },
    stages: wanted.stages ?? null,
    void: wanted.void ?? [],
  };
}

export const notAvailable = (system: string, text: string): NotAvailable => ({
  format: FORMAT,
  system,
  workload: 'throughput',
  notAvailable: text,
});

/** Writes each as a run of its own, and gives the folder back. */
export function writeRuns(folder: string, outcomes: readonly (RunResult | NotAvailable)[]): string {
  outcomes.forEach((outcome, index) => {
    const own = join(folder, String(index).padStart(3, '0'));
    mkdirSync(own, { recursive: true });
    writeFileSync(join(own, 'run.json'), JSON.stringify(outcome));
  });
  return folder;
}
