/** countersign/client in browsers: as on Node (index.ts), with the platform's WebSocket and IndexedDB. */
import { dial } from './browser-socket.js';
import { Client, type ClientOptions } from './client.js';
import type { Gateway } from './gateway.js';
import { type ManyOptions, openMany } from './many.js';

/**
 * Connects one key. Rejects when the server cannot be reached, is not the one expected, or does not
 * prove what it says; afterwards the connection is kept up until `close`.
 */
export function connect(options: ClientOptions): Promise<Client> {
  return Client.connect(options, dial);
}

/** Connects many keys over one front socket and one socket per outbox. */
export function connectMany(options: ManyOptions): Promise<Gateway> {
  return openMany(options, dial);
}

export { Client, type ClientOptions } from './client.js';
export type { Gateway } from './gateway.js';
export type { GatewayEvents, State } from './gateway-events.js';
export { IndexedDbStore } from './indexed-db-store.js';
export type { ManyOptions } from './many.js';
export { Message, Receipt } from './message.js';
export type { QueueOptions } from './message-queue.js';
export type { GatewayOptions } from './options.js';
export type { SendOptions } from './outgoing-bundle.js';
export type { Stand } from './stands.js';
export { type Change, MemoryStore, type Saved, type Store } from './store.js';
export { VerificationError, type VerificationStep } from './verification-error.js';
