/** The witness put together: lock, key, what it remembers, and its port. */
import { mkdir } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { importSecretKey } from '#crypto';
import { type ErrorCode, toHex } from '../protocol/index.js';
import { encodeVerifierKey, MAX_NOTE_BYTES, NOTE_KEY, type VerifierKey } from '../protocol/notes/index.js';
import { lockDataDirectory } from './data-lock.js';
import { deferred } from './deferred.js';
import { readKeyFile } from './key-file.js';
import { listen } from './ports.js';
import { Witness, type WitnessAnswer, type WitnessPhase } from './witness.js';
import { WitnessHeads } from './witness-heads.js';

export interface WitnessSettings {
  /** Key file. */
  readonly key: string;
  /** Of the key; empty: made of the public key. */
  readonly name: string;
  readonly data: string;
  readonly logs: readonly VerifierKey[];
  readonly host: string;
  /** 0 = any free one. */
  readonly port: number;
  /** For the operator. */
  readonly warn: (text: string) => void;
  readonly observe?: (phase: WitnessPhase) => void;
}

export interface WitnessServer {
  /** Submission prefix: `http://host:port`. */
  readonly url: string;
  /** What logs and clients are given. */
  readonly verifierKey: string;
  /** Never resolves; rejects when the witness had to stop. */
  readonly failed: Promise<never>;
  stop(): Promise<void>;
}

/** For the head of a request and its body. */
const PATIENCE_MS = 10_000;

/** The key of a witness by its seed and name. */
export function witnessKey(publicKey: Uint8Array, name: string): VerifierKey {
  return { name: name || `countersign/witness/${toHex(publicKey)}`, type: NOTE_KEY.cosignature, publicKey };
}

/** Throws `OperatorError` when it cannot start; nothing is left running or locked then. */
export async function startWitness(settings: WitnessSettings): Promise<WitnessServer> {
  const { data, warn, observe = () => {} } = settings;
  const { publicKey, sign } = importSecretKey(await readKeyFile(settings.key));
  await mkdir(data, { recursive: true, mode: 0o700 });
  const lock = await lockDataDirectory(data);
  try {
    const failure = deferred<never>();
    failure.promise.catch(() => {});
    const key = witnessKey(publicKey, settings.name);
    const now = () => Math.floor(Date.now() / 1000);
    const heads = await WitnessHeads.open(data);
    const { logs } = settings;
    const witness = new Witness({ key, sign, logs, heads, now, observe, warn, failed: failure.reject });
    const requests = (request: IncomingMessage, response: ServerResponse) =>
      void answer(witness, request, response);
    const port = await listen(requests, settings.host, settings.port, PATIENCE_MS);
    const stop = async () => {
      await port.close();
      await lock.release();
    };
    return { url: port.url, verifierKey: encodeVerifierKey(key), failed: failure.promise, stop };
  } catch (error) {
    await lock.release();
    throw error;
  }
}

async function answer(witness: Witness, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { method, url } = request;
  if (url !== '/add-checkpoint') return refuse(response, 404, 'not-found', 'only /add-checkpoint is here');
  if (method !== 'POST') return refuse(response, 405, 'bad-request', `${method}: only POST is known here`);
  const body = await readBody(request).catch(() => undefined);
  if (body === undefined) return void response.destroy();
  if (body === null) {
    // What is left of it is not waited for.
    response.shouldKeepAlive = false;
    return refuse(response, 413, 'bad-request', `more than ${MAX_NOTE_BYTES} bytes`);
  }
  tell(response, await witness.addCheckpoint(body));
}

/** Null when it is too long; rejects when the connection is lost. */
async function readBody(request: IncomingMessage): Promise<Buffer | null> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > MAX_NOTE_BYTES) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

const CODES: { readonly [status: number]: ErrorCode } = { 404: 'not-found', 500: 'busy', 503: 'busy' };

function tell(response: ServerResponse, { status, text, type }: WitnessAnswer): void {
  if (status === 200 || type) return send(response, status, type ?? 'text/plain; charset=utf-8', text);
  refuse(response, status, CODES[status] ?? 'bad-request', text);
}

function refuse(response: ServerResponse, status: number, code: ErrorCode, message: string): void {
  send(response, status, 'application/json', `${JSON.stringify({ error: { code, message } })}\n`);
}

function send(response: ServerResponse, status: number, type: string, body: string): void {
  response.writeHead(status, {
    'content-type': type,
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
  });
  response.end(body);
}
