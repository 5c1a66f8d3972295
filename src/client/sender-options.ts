/** What a sender is told, and what it tells the rest of the client. */
import {
  CountersignError,
  type ErrorFrame,
  equalBytes,
  errorCode,
  type Policy,
  toHex,
  ZERO_HASH,
} from '../protocol/index.js';
import type { Receipt } from './message.js';

export interface SenderOptions {
  /** Messages without receipt that may be under way. */
  readonly window: number;
  /** Their bytes. */
  readonly windowBytes: number;
  /** Messages that may wait for room in the window. */
  readonly maxQueued: number;
  readonly policy: Policy;
  /** Signs the messages with these hashes (packed) and consecutive counters from the first; null = nothing is signed. */
  readonly sign: ((firstCounter: number, hashes: Uint8Array) => Uint8Array | Promise<Uint8Array>) | null;
  /** False: the mailbox is not opened, and a message is answered with its unproven place. */
  readonly proven: boolean;
}

export interface SenderHost {
  submit(frames: readonly Uint8Array[]): void;
  /** Of a message that was sent in an earlier life of the store: nobody waits for it. */
  receipt(receipt: Receipt): void;
  /** This counter was used for another message: the key is in use elsewhere, or was restored. */
  conflict(counter: number, error: CountersignError): void;
}

/** A server that is busy is left alone for so long at least. */
export const MIN_BUSY_MS = 20;

/** Why bundles are refused. A number that is not known is permanent. */
export function reasonOf({ number, text, mailbox }: ErrorFrame): CountersignError {
  const about = equalBytes(mailbox, ZERO_HASH) ? {} : { mailbox: toHex(mailbox) };
  return new CountersignError(errorCode(number) ?? 'session-refused', text, about);
}
