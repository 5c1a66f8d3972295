/** What the bench's main process and its client processes tell each other. */
import type { CpuProfile } from './profile.js';
import type { ReceivingResults } from './receiving.js';
import type { SendingResults } from './sending.js';
import type { Address } from './system.js';
import type { Workload } from './workload.js';

export interface OpenOptions {
  readonly system: string;
  readonly address: Address;
  readonly workload: Workload;
}

/** What a client process is asked; each is answered when it is done. */
export interface Calls {
  open(options: OpenOptions): void;
  register(mailboxes: readonly number[]): void;
  openSenders(senders: readonly number[]): void;
  fill(count: number, window: number): void;
  /** `moment` of the clock: seconds are counted from it, and messages are due from it on. */
  start(moment: number): void;
  /** Answered when all is acknowledged. */
  stop(): void;
  /** One socket for each list of mailboxes. */
  read(lists: readonly (readonly number[])[]): void;
  expect(count: number): void;
  readRest(mailboxes: readonly number[], expected: readonly number[]): void;
  sent(): SendingResults;
  received(): ReceivingResults;
  startProfile(): void;
  stopProfile(): CpuProfile;
  close(): void;
}

export type CallName = keyof Calls;

export interface ToClient {
  readonly id: number;
  readonly name: CallName;
  readonly args: readonly unknown[];
}

/** Of a second that is over, as far as a process has seen it. */
export interface Tick {
  readonly sent: number;
  readonly acknowledged: number;
  readonly delivered: number;
  /** Buckets of `Latencies`, of deliveries. */
  readonly latencies: Uint32Array;
}

export type FromClient =
  | { readonly type: 'answer'; readonly id: number; readonly value: unknown; readonly error?: string }
  | { readonly type: 'tick'; readonly second: number; readonly tick: Tick }
  | { readonly type: 'failed'; readonly name: string; readonly message: string };
