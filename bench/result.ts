/**
 * What a run leaves behind: one run.json per run, whole enough to be checked, merged and drawn later. Times are milliseconds
 * unless the name says otherwise; rates are per second of the measured window.
 */
import type { Promises, StageTimes } from './system.js';
import type { Workload } from './workload.js';

export const FORMAT = 'countersign-bench/1';

/** Of the machine and the code, at the start of a run. */
export interface Environment {
  readonly cpu: string;
  readonly cores: number;
  readonly kernel: string;
  readonly memoryMiB: number;
  /** File system of the data directory, and the median of 100 writes of 4 KiB with fdatasync on it. */
  readonly disk: string;
  readonly fdatasyncMs: number;
  readonly node: string;
  /** SHA-256 of package-lock.json, and the commit ('-dirty' with uncommitted changes; 'unknown' outside a checkout). */
  readonly lockfile: string;
  readonly commit: string;
  /** Load average over the last minute when the run began. */
  readonly load: number;
  /** Version of the system that was measured, as it says itself. */
  readonly systemVersion: string;
}

/** Compared after every run: what was sent, acknowledged and delivered, all of it, warm-up and drain too. */
export interface Audit {
  readonly sent: number;
  readonly acknowledged: number;
  /** Deliveries: a message with n recipients is delivered n times. */
  readonly delivered: number;
  readonly lost: number;
  readonly duplicated: number;
  /** Deliveries whose place or whose sender's number does not rise within their mailbox. */
  readonly misordered: number;
  /** A sender's messages that a mailbox has behind later ones of that sender, or not at all though it has later ones. */
  readonly skipped: number;
  /** Bodies that are not what was sent, or not to this mailbox. */
  readonly altered: number;
  /** Failed verifications, where clients verify. */
  readonly unverified: number;
  /** Messages that two mailboxes, or a mailbox and the sender, see at different places. */
  readonly otherPlace: number;
  /** Whether one order of all messages exists that every mailbox agrees with, by what was delivered alone. */
  readonly totalOrder: boolean;
}

/** One second of the run, warm-up included; `second` counts from the start of the load. */
export interface Interval {
  readonly second: number;
  readonly sent: number;
  readonly acknowledged: number;
  readonly delivered: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly serverCpuSeconds: number;
  readonly serverMiB: number;
}

export interface Usage {
  readonly cpuSeconds: number;
  readonly peakMiB: number;
}

export interface RunResult {
  readonly format: typeof FORMAT;
  readonly system: string;
  /** Name of the workload; `config` has all of it. */
  readonly workload: string;
  readonly config: Workload;
  /** From 1; of runs of one system and workload in one call. */
  readonly repetition: number;
  readonly startedAt: string;
  readonly environment: Environment;
  readonly promises: Promises;
  readonly seconds: number;
  readonly acknowledgedPerSecond: number;
  readonly deliveredPerSecond: number;
  /** From the intended time of sending to the delivery. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  readonly acknowledgeP50Ms: number;
  readonly acknowledgeP99Ms: number;
  readonly audit: Audit;
  /** Open loop: how late the generator was, and what it could not send. */
  readonly generator: { readonly latenessP99Ms: number; readonly unsent: number };
  /** Until all that waited was delivered; null unless the workload lets messages wait. */
  readonly returnSeconds: number | null;
  readonly server: Usage;
  readonly senders: Usage;
  readonly receivers: Usage;
  readonly serverCpuSecondsPerMillion: number;
  /** Bytes of the data directory at the end. */
  readonly diskBytes: number;
  readonly intervals: readonly Interval[];
  /** HdrHistograms, microseconds, compressed and base64 as the library encodes them. */
  readonly histograms: { readonly delivered: string; readonly acknowledged: string };
  readonly stages: StageTimes | null;
  /** Why the numbers do not count; empty = they do. */
  readonly void: readonly string[];
}

/** A system that could not be run here: loud, and never a blank. */
export interface NotAvailable {
  readonly format: typeof FORMAT;
  readonly system: string;
  readonly workload: string;
  readonly notAvailable: string;
}

/** One JSON line per run, for scripts. */
export function lineOf(result: RunResult | NotAvailable): Record<string, unknown> {
  if ('notAvailable' in result) return { ...result };
  const { audit, promises } = result;
  return {
    system: result.system,
    workload: result.workload,
    repetition: result.repetition,
    acknowledgedPerSecond: result.acknowledgedPerSecond,
    deliveredPerSecond: result.deliveredPerSecond,
    p50Ms: result.p50Ms,
    p99Ms: result.p99Ms,
    p999Ms: result.p999Ms,
    lost: audit.lost,
    duplicated: audit.duplicated,
    misordered: audit.misordered,
    skipped: audit.skipped,
    altered: audit.altered,
    unverified: audit.unverified,
    totalOrder: audit.totalOrder,
    durable: promises.durable,
    verified: promises.verified,
    serverCpuSecondsPerMillion: result.serverCpuSecondsPerMillion,
    serverPeakMiB: result.server.peakMiB,
    clientCpuSecondsPerMillion:
      ((result.senders.cpuSeconds + result.receivers.cpuSeconds) /
        result.acknowledgedPerSecond /
        result.seconds) *
      1e6,
    fdatasyncMs: result.environment.fdatasyncMs,
    void: result.void,
  };
}
