/**
 * What the bench asks of a message system, countersign or any other: every one is driven through this by the same
 * generator, counted by the same audit and timed by the same clock. An adapter is one file in bench/systems/.
 *
 * The server runs in processes of its own, which the bench's main process starts (`start`). Senders and receivers run in
 * other processes (`connect`), so that CPU and memory are counted apart. Senders, mailboxes and receivers are numbers
 * from 0; an adapter knows what its system calls them. A mailbox is whatever keeps, in order, what was sent to it.
 *
 * Nothing here is awaited per message: `send` returns at once, answers come by callbacks, and an adapter batches what is
 * sent in one turn of the event loop as its system does best.
 */
import type { CpuProfile } from './profile.js';
import type { Workload } from './workload.js';

/** What a system promises when it is set up as the adapter does; it stands in every result. */
export interface Promises {
  /** One order of all messages that every mailbox agrees with. Where false, places are compared within a mailbox only. */
  readonly totalOrder: boolean;
  /** What had happened to a message when it was acknowledged: 'fsynced per epoch', 'fsynced per second', 'in memory' … */
  readonly durable: string;
  /** What clients checked, within the time that is measured: 'every receipt and delivery', 'nothing' … */
  readonly verified: string;
}

/** How clients find a server: plain values, as it is passed to other processes. */
export type Address = Readonly<Record<string, string | number>>;

export interface System {
  /** As on the command line: 'countersign', 'nats-ws' … */
  readonly name: string;
  promises(workload: Workload): Promises;
  /** Why this machine or this workload cannot have it ('redis-server is not installed: run …'); null = it can. */
  missing(workload: Workload): Promise<string | null>;
  /** Starts a server with an empty data directory. Whatever is left of it when this rejects has been stopped. */
  start(workload: Workload, directory: string): Promise<RunningSystem>;
  /** In a client process. */
  connect(address: Address, workload: Workload): Promise<Clients>;
}

export interface RunningSystem {
  readonly address: Address;
  /** Of the server, as it says itself; stands in every result. */
  readonly version: string;
  /** Of all processes of the server: their CPU time and memory are counted. */
  readonly pids: readonly number[];
  /** Milliseconds of every epoch's stages (fill, route, merge, commit, fsync, deliver …) since the last call; null where unknown. */
  stages(): Promise<StageTimes | null>;
  /** Profiles the server's threads until what it returns is called; not there where nothing can. */
  profile?(): Promise<() => Promise<readonly ThreadProfile[]>>;
  stop(): Promise<void>;
}

export interface ThreadProfile {
  readonly name: string;
  readonly profile: CpuProfile;
}

/** By stage, one number per epoch, in milliseconds. */
export type StageTimes = Readonly<Record<string, readonly number[]>>;

export interface SenderEvents {
  /**
   * A message is safe, as `Promises.durable` says. `place` is where it stands in the order, as a number that sorts alike;
   * 0 where the system tells its senders none.
   */
  acknowledged(number: number, place: number): void;
  /** A message was refused, or the connection is gone for good: the run is void. */
  failed(error: Error): void;
}

export interface Sender {
  /** `to`: mailboxes, each once. The body is the bench's until it is acknowledged and does not change meanwhile. */
  send(number: number, to: readonly number[], body: Uint8Array): void;
  close(): Promise<void>;
}

export interface ReceiverEvents {
  /** In the mailbox's order; `body` may be used until this returns. `place` as in `SenderEvents`, and never 0. */
  delivered(mailbox: number, body: Uint8Array, place: number): void;
  /** Something did not verify, or the connection is gone for good: the run is void. */
  failed(error: Error): void;
}

export interface Receiver {
  close(): Promise<void>;
}

/** The clients of one process. */
export interface Clients {
  /** Messages are sent to mailboxes that exist: makes them, for whoever is away. Needed before the first message. */
  register(mailboxes: readonly number[]): Promise<void>;
  openSender(sender: number, events: SenderEvents): Promise<Sender>;
  /** One socket for all of these, from the beginning of each or from where it was acknowledged. */
  openReceiver(mailboxes: readonly number[], events: ReceiverEvents): Promise<Receiver>;
  close(): Promise<void>;
}
