/** Everything a client can be told, with its defaults. */
import { FormatError, fromHex, HASH_BYTES } from '../protocol/index.js';
import type { Gateway } from './gateway.js';
import { type Dial, SILENCE_MS } from './socket.js';
import type { Store } from './store.js';

export interface GatewayOptions {
  /** Base address of the server: http, https, ws or wss. */
  readonly url: string;
  /** Secret seeds, 32 bytes each; a mailbox per key. */
  readonly keys: readonly Uint8Array[];
  /** Id of the server, 32 bytes or hexadecimal. Without: the first one met is pinned in the store. */
  readonly server?: Uint8Array | string;
  /** Where state is kept; in memory when not given. */
  readonly store?: Store;
  /** Gives up connecting; closes the client afterwards. */
  readonly signal?: AbortSignal;
  /** Messages without receipt that may be under way, per key. Default 1,024. */
  readonly window?: number;
  /** Their bytes, per key. Default 16 MiB. */
  readonly windowBytes?: number;
  /** Messages that may wait for the window, per key; then `busy`. Default 65,536. */
  readonly maxQueued?: number;
  /** Received bytes that may wait for the application, per socket; then nothing more is read. Default 8 MiB. */
  readonly bufferBytes?: number;
  /**
   * How long the application may take none of a full buffer. What waits for a receipt or a still is then told
   * (`receipt-delayed`), as it stands behind those messages. Default 5,000.
   */
  readonly unreadMs?: number;
  /** Mailboxes on one socket: no more than the server's `limits.mailboxesPerSocket`. Default 4,096. */
  readonly mailboxesPerSocket?: number;
  /** Without a word from the server, until a socket is given up and opened anew, in ms. Default 40,000. */
  readonly silenceMs?: number;
  /** How long the first connection may take, in ms. Default 10,000. */
  readonly connectTimeoutMs?: number;
  /** Full-jitter back-off: ceiling of the first delay and of the longest, in ms. Defaults 200 and 15,000. */
  readonly backoffFirstMs?: number;
  readonly backoffMostMs?: number;
  /** Called with `on` before anything can happen: the place to listen to first events. */
  readonly onReady?: (on: Gateway['on']) => void;
}

export interface Settings {
  readonly window: number;
  readonly windowBytes: number;
  readonly maxQueued: number;
  readonly bufferBytes: number;
  readonly unreadMs: number;
  readonly mailboxesPerSocket: number;
  readonly silenceMs: number;
  readonly connectTimeoutMs: number;
  readonly backoffFirstMs: number;
  readonly backoffMostMs: number;
  readonly dial: Dial;
}

const DEFAULTS = {
  window: 1024,
  windowBytes: 16 << 20,
  maxQueued: 65_536,
  bufferBytes: 8 << 20,
  unreadMs: 5000,
  mailboxesPerSocket: 4096,
  silenceMs: SILENCE_MS,
  connectTimeoutMs: 10_000,
  backoffFirstMs: 200,
  backoffMostMs: 15_000,
};

/** Throws `TypeError` on a number that is not a positive integer. */
export function settingsOf(options: Omit<GatewayOptions, 'keys'>, dial: Dial): Settings {
  const settings = { ...DEFAULTS };
  for (const name of Object.keys(DEFAULTS) as (keyof typeof DEFAULTS)[]) {
    const value = options[name];
    if (value === undefined) continue;
    if (!Number.isSafeInteger(value) || value < 1)
      throw new TypeError(`${name}: expected a positive integer, got ${value}`);
    settings[name] = value;
  }
  return { ...settings, dial: (url, events) => dial(url, events, settings.silenceMs) };
}

/** An id as bytes. Throws `TypeError` on anything but 32 bytes or 64 hexadecimal digits. */
export function idOf(id: Uint8Array | string, name: string): Uint8Array {
  if (typeof id !== 'string') {
    if (id.length !== HASH_BYTES) throw new TypeError(`${name}: expected 32 bytes, got ${id.length}`);
    return id;
  }
  try {
    return fromHex(id, HASH_BYTES);
  } catch (error) {
    if (error instanceof FormatError) throw new TypeError(`${name}: ${error.message}`);
    throw error;
  }
}
