/**
 * countersign/client on Node. A client sends messages and gets a proven receipt for each, and reads its
 * mailbox in the one order that everybody sees; whatever it is told, it verifies first.
 */
import { Client, type ClientOptions } from './client.js';
import type { Gateway } from './gateway.js';
import { type ManyOptions, openMany } from './many.js';
import { openGateway } from './open-gateway.js';
import type { SenderClient, SenderClientOptions } from './sender-client.js';
import { sending } from './sending.js';
import { dial } from './websocket.js';

/**
 * Connects one key. Rejects when the server cannot be reached, is not the one expected, or does not
 * prove what it says; afterwards the connection is kept up until `close`.
 */
export function connect(options: ClientOptions): Promise<Client> {
  return Client.connect(options, dial);
}

/**
 * Connects one key to send with, without its mailbox: places are the server's word, nothing is proven. See
 * `SenderClient`.
 */
export async function connectSender(options: SenderClientOptions): Promise<SenderClient> {
  return (await sending.get()).SenderClient.connect(options, dial, openGateway);
}

/**
 * Connects many keys over few sockets: those of one kind and outbox share one, up to `mailboxesPerSocket`. A
 * mailbox that is refused or displaced is over by itself; rejects only when all are.
 */
export function connectMany(options: ManyOptions): Promise<Gateway> {
  return openMany(options, dial);
}

export { CountersignError, type ErrorCode } from '../protocol/index.js';

export { Client, type ClientOptions } from './client.js';
export type { AskedStage, ClosedStage, ComplainOptions, Complaint } from './complaint.js';
export { FileStore } from './file-store.js';
export type { Gateway, StillOptions } from './gateway.js';
export type { GatewayEvents, State, StateChange } from './gateway-events.js';
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
