/** Opens a gateway: store, server, sockets, within a time. */
import { identityOf } from '#crypto';
import { CountersignError, toHex } from '../protocol/index.js';
import { abortedError, onAbort } from './abortable.js';
import { addresses } from './directory.js';
import { findServer, timeout } from './find-server.js';
import { Gateway, type OnMessages } from './gateway.js';
import { type GatewayOptions, idOf, settingsOf } from './options.js';
import { sending } from './sending.js';
import type { Dial } from './socket.js';
import { MemoryStore, type Store, storeError } from './store.js';

/** Resolves when every mailbox is open or refused; rejects when all are. `onMessages` as in `Gateway`. */
export async function openGateway(
  options: GatewayOptions & { readonly vectors?: { start(gateway: Gateway, signal?: AbortSignal): void } },
  dial: Dial,
  onMessages: OnMessages | null,
): Promise<Gateway> {
  const settings = settingsOf(options, dial);
  const { signal, keys } = options;
  const store = options.store ?? new MemoryStore();
  checkKeys(keys);
  const { http, front: frontUrl } = addresses(options.url);
  const ending = new AbortController();
  const leave = signal && onAbort(signal, () => ending.abort(abortedError(signal)));
  const timer = setTimeout(() => ending.abort(timeout(settings)), settings.connectTimeoutMs);
  let gateway: Gateway | null = null;
  try {
    const saved = await load(store);
    const world = await findServer(options, saved, store, http, ending.signal);
    const identities = await Promise.all(keys.map(identityOf));
    if (identities.some(({ publicKey }) => saved.mailboxes.get(toHex(publicKey))?.bundles.length))
      await loadSending(ending.signal);
    const opening = new Gateway({ world, http, frontUrl, store, saved }, identities, settings, onMessages);
    gateway = opening;
    options.vectors?.start(opening, signal);
    options.onReady?.((name, listener) => opening.on(name, listener));
    await opening.connect(ending.signal);
    opening.endWith(signal);
    return opening;
  } catch (error) {
    // A gateway closes its store when a save under way is done.
    await (gateway ?? store).close();
    // An abort shows as many things on its way up.
    const { aborted, reason } = ending.signal;
    throw aborted && (signal?.aborted || !(error instanceof CountersignError)) ? reason : error;
  } finally {
    clearTimeout(timer);
    leave?.();
  }
}

function checkKeys(keys: readonly Uint8Array[]): void {
  for (const key of keys) idOf(key, 'keys');
  if (keys.length === 0 || new Set(keys.map(toHex)).size < keys.length)
    throw new TypeError('keys: expected one or more, each once');
}

/** What a former life has not got receipts for is sent before anything else. */
function loadSending(signal: AbortSignal): Promise<unknown> {
  return new Promise((resolve, reject) => {
    onAbort(signal, () => reject(signal.reason));
    sending.get().then(resolve, reject);
  });
}

async function load(store: Store) {
  try {
    return await store.load();
  } catch (error) {
    throw storeError('loading', error);
  }
}
