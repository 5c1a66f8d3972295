/** Questions over HTTP that need no session, and do not say who asks. */
import { CountersignError, FormatError } from '../protocol/index.js';
import { decodeProof } from '../protocol/notes/index.js';
import { pause } from './pause.js';

/** Of an answer. */
const MOST_BYTES = 1 << 20;

/**
 * What is answered. Rejects with a coded error, temporary where asking again may help: `not-found`, `connection-lost`, or
 * `verification-failed` on more than 1 MiB; and as the signal says.
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
  const response = await ask(url, request as RequestInit).catch((error: Error) => {
    throw new CountersignError('connection-lost', String(error.cause ?? error), { cause: error });
  });
  const { status, ok } = response;
  if (!ok) throw new CountersignError(status === 404 ? 'not-found' : 'connection-lost', `${url}: ${status}`);
  return bounded(response);
}

async function bounded({ body }: Response): Promise<Uint8Array> {
  const reader = body?.getReader();
  const chunks: Uint8Array[] = [];
  let length = 0;
  for (let part = await reader?.read(); part && !part.done; part = await reader!.read()) {
    chunks.push(part.value);
    length += part.value.length;
    if (length > MOST_BYTES) {
      await reader!.cancel();
      throw new CountersignError('verification-failed', `an answer of more than ${MOST_BYTES} bytes`);
    }
  }
  return new Uint8Array(await new Blob(chunks as BlobPart[]).arrayBuffer());
}

/** Between questions for a proof. */
const AGAIN_MS = [0, 200, 400, 800];

/**
 * The server's consistency proof between two sizes, packed: empty when it gives none, whatever the reason. Asked for again some
 * times: what answers may not know yet of an epoch that a client was told of, as all of a server's threads hear of it at once.
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
