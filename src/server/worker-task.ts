/** What the main thread and a worker say to each other, beside the actors' own messages. */
import type { MessagePort } from 'node:worker_threads';
import type { Plan } from '../actors/pipeline.js';
import type { QuotaLimits } from '../actors/quotas.js';
import type { Phase } from '../actors/sequencer.js';
import type { Envelope } from '../actors/switchboard.js';
import type { Checkpoint, SignedManifest } from '../protocol/index.js';

/** A worker's task: everything its actors are made from. Lives as long as the server. */
export interface WorkerTask {
  readonly thread: number;
  readonly plan: Plan;
  readonly data: string;
  readonly serverId: Uint8Array;
  /** All versions. */
  readonly manifests: readonly SignedManifest[];
  /** `kind index` → secret seed, for the actors of this thread alone. */
  readonly seeds: ReadonlyMap<string, Uint8Array>;
  readonly checkInputs: boolean;
  readonly bytesInFlight: number;
  readonly quota: QuotaLimits;
  /** Of one outbox. */
  readonly bytesInFlightInAll: number;
  readonly minIntervalMs: number;
  readonly heartbeatMs: number;
  readonly log: { readonly size: number; readonly lastEpoch: number; readonly reserved: number };
  readonly checkpoint: Checkpoint;
  /** Thread number → port to it; 0 is the main thread. */
  readonly ports: ReadonlyMap<number, MessagePort>;
}

export type FromWorker = { type: 'envelopes'; envelopes: Envelope[] } | { type: 'ready' };
export type ToWorker = { type: 'envelopes'; envelopes: Envelope[] } | { type: 'stop' };

/** Told of the sequencer's phases; a test may crash the process there. */
export type ObservePhase = (phase: Phase, epoch: number) => void;
