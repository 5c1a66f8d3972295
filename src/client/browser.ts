/** countersign/client in browsers: as on Node (index.ts), with the platform's WebSocket and IndexedDB. */
import { dial } from './browser-socket.js';
import { Client, type ClientOptions } from './client.js';
import type { Gateway } from './gateway.js';
import { type ManyOptions, openMany } from './many.js';
import { openGateway } from './open-gateway.js';
import type { SenderClient, SenderClientOptions } from './sender-client.js';
import { sending } from './sending.js';

/**
 * Connects one key. Rejects when the server cannot be reached, is not the one expected, or does not
 * prove what it says; afterwards the connection is kept up until `close`.
 */
export function connect(options: ClientOptions): Promise<Client> {
  return Client.connect(options, dial);
}

/** Connects one key to send with, without its mailbox: nothing is proven. See `SenderClient`. */
export async function connectSender(options: SenderClientOptions): Promise<SenderClient> {
  return (await sending.get()).SenderClient.connect(options, dial, openGateway);
}

/** Connects many keys over few sockets: see index.ts. */
export function connectMany(options: ManyOptions): Promise<Gateway> {
  return openMany(options, dial);
}

export { CountersignError, type ErrorCode } from '../protocol/index.js';
export { Client, type ClientOptions } from './client.js';
export type { AskedStage, ClosedStage, ComplainOptions, Complaint } from './complaint.js';
export type { Gateway, StillOptions } from './gateway.js';
export type { GatewayEvents, State, StateChange } from './gateway-events.js';
export { IndexedDbStore } from './indexed-db-store.js';
export type { Resumed } from './mailbox.js';
export type { ManyOptions } from './many.js';
export { type ClaimOptions, Message, Receipt, type UnprovenPlace } from './message.js';
export type { QueueOptions } from './message-queue.js';
export type { OpenedStage, OpenOptions } from './openings.js';
export type { GatewayOptions } from './options.js';
export type { SendOptions } from './outgoing-bundle.js';
export type { SenderClient, SenderClientOptions } from './sender-client.js';
export type { Stand } from './stands.js';
export { type Change, MemoryStore, type Saved, type Store } from './store.js';
export type { Submission } from './submission.js';
export { VerificationError, type VerificationStep } from './verification-error.js';
