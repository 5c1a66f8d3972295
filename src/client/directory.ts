/** What a server tells over HTTP: its manifest, and where the outbox of a mailbox listens. */
import {
  type AcceptedManifest,
  ascii,
  CountersignError,
  FormatError,
  manifestHash,
  openManifestLater,
  toHex,
} from '../protocol/index.js';
import { VerificationError } from './verification-error.js';

/** The same host by HTTP and by WebSocket. Throws `TypeError` on anything else than an absolute URL of those. */
export function addresses(url: string): { readonly http: string; readonly front: string } {
  const { origin, pathname, protocol } = new URL(url);
  const [, rest] = /^(?:http|ws)(s?:.*?)\/*$/.exec(origin + pathname) ?? [];
  if (!rest) throw new TypeError(`url: expected http, https, ws or wss, got ${protocol}`);
  return { http: `http${rest}`, front: `ws${rest}/v1/front` };
}

/** A manifest as a server hands it over, in base64: its root signature is checked. Rejects with `VerificationError`. */
export async function acceptManifest(answer: Record<string, unknown>): Promise<AcceptedManifest> {
  const bytes = fromBase64(answer['manifest']);
  const signature = fromBase64(answer['signature']);
  try {
    const manifest = await openManifestLater(bytes, signature);
    return { bytes, signature, hash: manifestHash(bytes), manifest };
  } catch (cause) {
    throw new VerificationError('manifest', String(cause), bytes, { cause });
  }
}

/** Where the outbox of a mailbox listens; null where that is another one than the manifest that is known names. */
export async function fetchOutboxUrl(
  http: string,
  mailbox: Uint8Array,
  outbox: number,
  signal: AbortSignal,
): Promise<string | null> {
  const answer = await getJson(`${http}/v1/mailboxes/${toHex(mailbox)}`, signal);
  if (answer['outbox'] !== outbox) return null;
  if (typeof answer['url'] !== 'string') throw new FormatError('the answer has no url');
  return answer['url'];
}

export async function getJson(url: string, signal: AbortSignal): Promise<Record<string, unknown>> {
  const response = await fetch(url, { signal }).catch((error: unknown) => {
    // Nobody answers, or a browser may not tell who does. Node says why in the cause.
    if (!(error instanceof TypeError)) throw error;
    throw new CountersignError('connection-lost', String(error.cause ?? error), { cause: error });
  });
  const { ok, status } = response;
  if (!ok) throw new CountersignError(status === 404 ? 'not-found' : 'connection-lost', `${url}: ${status}`);
  const answer: unknown = await response.json().catch((error: unknown) => {
    if (error instanceof SyntaxError) return null;
    throw error;
  });
  // Whoever answers is no server of ours, or stands between for a while, as a network's login page does.
  if (typeof answer !== 'object' || answer === null)
    throw new CountersignError('connection-lost', `${url}: no JSON object`);
  return answer as Record<string, unknown>;
}

function fromBase64(text: unknown): Uint8Array {
  try {
    return ascii(atob(text as string));
  } catch {
    throw new VerificationError('manifest', 'base64 text expected');
  }
}
