/**
 * While a run lasts, what the product takes from its surroundings comes from the loop: timers, clocks, chance
 * and fetch. All of it is put back afterwards. What is signed is recorded on the way, and what was computed
 * by node:crypto for one pair of key and bytes is not computed again.
 */
import crypto, { type KeyObject } from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';
import timersPromises from 'node:timers/promises';
import type { Loop, LoopEvent } from './loop.js';

export type Fetch = (url: string, signal: AbortSignal) => Promise<unknown>;

interface Timer {
  event: LoopEvent;
  cancelled: boolean;
  unref(): Timer;
}

type Callback = (...args: unknown[]) => void;

const real = {
  setTimeout: globalThis.setTimeout,
  clearTimeout: globalThis.clearTimeout,
  setInterval: globalThis.setInterval,
  clearInterval: globalThis.clearInterval,
  setImmediate: globalThis.setImmediate,
  fetch: globalThis.fetch,
  now: Date.now,
  random: Math.random,
  performanceNow: performance.now,
  randomBytes: crypto.randomBytes,
  sign: crypto.sign,
  verify: crypto.verify,
  createPublicKey: crypto.createPublicKey,
  createPrivateKey: crypto.createPrivateKey,
  diffieHellman: crypto.diffieHellman,
  pass: timersPromises.setTimeout,
};

export interface Surroundings {
  readonly loop: Loop;
  readonly fetch: Fetch;
  /** Told of everything that is signed with a key of the server. */
  readonly signed: (bytes: Uint8Array, signature: Uint8Array) => void;
}

/** Replaces them, runs, and puts them back. */
export async function within<T>(surroundings: Surroundings, run: () => Promise<T>): Promise<T> {
  const rejected = (error: unknown) =>
    surroundings.loop.complain(
      `a promise was rejected and nobody took it: ${(error as Error).stack ?? error}`,
    );
  process.on('unhandledRejection', rejected);
  replaceTimers(surroundings.loop);
  replaceChance(surroundings);
  replaceCrypto(surroundings);
  try {
    return await run();
  } finally {
    restore();
    process.off('unhandledRejection', rejected);
  }
}

function replaceTimers(loop: Loop): void {
  const start = (what: string, delay: number, repeat: boolean, run: Callback, args: unknown[]): Timer => {
    const process = loop.current;
    if (!process) throw new Error(`a timer that belongs to nobody: ${run}`);
    const fire = () => {
      if (repeat && !timer.cancelled) timer.event = loop.in(delay, process, what, fire);
      run(...args);
    };
    const event = loop.in(delay, process, what, fire);
    const timer: Timer = { event, cancelled: false, unref: () => timer };
    return timer;
  };
  const stop = (timer: Timer | undefined) => {
    if (!timer) return;
    timer.cancelled = true;
    timer.event.cancelled = true;
  };
  Object.assign(globalThis, {
    setTimeout: (run: Callback, ms = 0, ...args: unknown[]) =>
      start('timer', Math.max(ms, 1), false, run, args),
    setInterval: (run: Callback, ms = 0, ...args: unknown[]) =>
      start('interval', Math.max(ms, 1), true, run, args),
    setImmediate: (run: Callback, ...args: unknown[]) => start('turn', 0, false, run, args),
    clearTimeout: stop,
    clearInterval: stop,
  });
  const pass = (ms = 0, value?: unknown) =>
    new Promise((resolve) => start('timer', ms, false, () => resolve(value), []));
  Object.assign(timersPromises, { setTimeout: pass });
  syncBuiltinESMExports();
}

function replaceChance({ loop, fetch }: Surroundings): void {
  Math.random = loop.random.next;
  Date.now = () => Math.floor(loop.now);
  performance.now = () => loop.now;
  globalThis.fetch = ((url: string, { signal }: { signal: AbortSignal }) => fetch(url, signal)) as never;
}

/** The same for all objects of a key. */
const ids = new WeakMap<KeyObject, string>();
/** By key and bytes, and by key, signature and bytes. */
const signatures = new Map<string, Buffer>();
const verdicts = new Map<string, boolean>();
const keys = new Map<string, KeyObject>();
const shared = new WeakMap<KeyObject, Buffer>();
const MOST_KEPT = 100_000;

interface Pair {
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

/** As DER or as JWK. */
interface Encoded {
  readonly key: Buffer | object;
  readonly type?: string;
}

function createKey(encoded: Encoded, create: (encoded: never) => KeyObject): KeyObject {
  const id =
    encoded.type +
    (Buffer.isBuffer(encoded.key) ? encoded.key.toString('latin1') : JSON.stringify(encoded.key));
  return remembered(keys, id, () => create(encoded as never));
}

/** Of the one secret that there is, by which keys are held against the rule. */
function sharedWith({ privateKey, publicKey }: Pair): Buffer {
  const known = shared.get(publicKey) ?? real.diffieHellman({ privateKey, publicKey });
  shared.set(publicKey, known);
  return known;
}

function idOf(key: KeyObject, ...bytes: readonly Uint8Array[]): string {
  const id = ids.get(key) ?? (key.export({ format: 'jwk' }).x as string);
  ids.set(key, id);
  return id + Buffer.concat(bytes).toString('latin1');
}

function remembered<T>(known: Map<string, T>, id: string, compute: () => T): T {
  if (known.size > MOST_KEPT) known.clear();
  const result = known.get(id) ?? compute();
  known.set(id, result);
  return result;
}

function replaceCrypto({ loop, signed }: Surroundings): void {
  const sign = (_: null, bytes: Uint8Array, key: KeyObject) => {
    const signature = remembered(signatures, idOf(key, bytes), () => real.sign(null, bytes, key));
    signed(bytes, signature);
    return Buffer.from(signature);
  };
  const verify = (_: null, bytes: Uint8Array, key: KeyObject, signature: Uint8Array) =>
    remembered(verdicts, idOf(key, signature, bytes), () => real.verify(null, bytes, key, signature));
  const randomBytes = (length: number) => Buffer.from(loop.random.bytes(length));
  const createPrivateKey = (from: Encoded) => createKey(from, real.createPrivateKey);
  const createPublicKey = (from: Encoded) => createKey(from, real.createPublicKey);
  const diffieHellman = sharedWith;
  Object.assign(crypto, { sign, verify, randomBytes, createPrivateKey, createPublicKey, diffieHellman });
  syncBuiltinESMExports();
}

function restore(): void {
  const { setTimeout, clearTimeout, setInterval, clearInterval, setImmediate, fetch } = real;
  Object.assign(globalThis, { setTimeout, clearTimeout, setInterval, clearInterval, setImmediate, fetch });
  Object.assign(timersPromises, { setTimeout: real.pass });
  Math.random = real.random;
  Date.now = real.now;
  performance.now = real.performanceNow;
  const { sign, verify, randomBytes, createPrivateKey, createPublicKey, diffieHellman } = real;
  Object.assign(crypto, { sign, verify, randomBytes, createPrivateKey, createPublicKey, diffieHellman });
  syncBuiltinESMExports();
}
