/** Questions over HTTP that need no session, and do not say who asks. */
import { CountersignError, FormatError } from '../protocol/index.js';
import { decodeProof } from '../protocol/notes/index.js';
import { bounded } from './bounded.js';
import { pause } from './pause.js';

/** Of an answer. */
const MOST_BYTES = 1 << 20;

/**
 * What is answered. Rejects with a coded error, temporary where asking again may help: `not-found`, `connection-lost`, also
 * when the answer breaks off or the signal ends it, or `verification-failed` on more than 1 MiB.
 */
export async function askFor(
  url: string,
  signal: AbortSignal,
  ask: typeof fetch = fetch,
): Promise<Uint8Array> {
  const request = {
    signal,
    credentials: 'omit',
    cache: 'no-store',
    referrerPolicy: 'no-referrer',
    redirect: 'error',
  };
  const response = await ask(url, request as RequestInit).catch(lost);
  const { status, ok } = response;
  if (!ok) throw new CountersignError(status === 404 ? 'not-found' : 'connection-lost', `${url}: ${status}`);
  const bytes = await bounded(response, MOST_BYTES, signal).arrayBuffer().catch(lost);
  if (bytes.byteLength > MOST_BYTES)
    throw new CountersignError('verification-failed', `an answer of more than ${MOST_BYTES} bytes`);
  return new Uint8Array(bytes);
}

function lost(error: Error): never {
  throw new CountersignError('connection-lost', String(error.cause ?? error), { cause: error });
}

/** Between questions for a proof. */
const AGAIN_MS = [0, 200, 400, 800];

/**
 * The server's consistency proof between two sizes, packed: empty when it gives none, whatever the reason, and when the signal
 * ends. Asked for again some times: what answers may not know yet of an epoch that a client was told of, as all of a server's threads hear of it at once.
 */
export async function askForProof(
  http: string,
  from: number,
  to: number,
  signal: AbortSignal,
): Promise<Uint8Array> {
  for (const ms of AGAIN_MS) {
    try {
      if (ms > 0) await pause(ms, signal);
      return decodeProof(await askFor(`${http}/v1/consistency/${from}/${to}`, signal));
    } catch (error) {
      if (error instanceof FormatError) break;
      if (!(error instanceof CountersignError)) throw error;
    }
  }
  return new Uint8Array(0);
}
