/** What a server tells over HTTP: its manifest, and where the outbox of a mailbox listens. */
import {
  type AcceptedManifest,
  ascii,
  CountersignError,
  FormatError,
  MOST_MANIFESTS_BYTES,
  manifestHash,
  openManifestLater,
  toHex,
} from '../protocol/index.js';
import { bounded } from './bounded.js';
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
  const answer = await getJson(`${http}/v1/mailboxes/${toHex(mailbox)}`, signal, 1 << 16);
  if (answer['outbox'] !== outbox) return null;
  if (typeof answer['url'] !== 'string') throw new FormatError('the answer has no url');
  return answer['url'];
}

/** An answer of at most so many bytes: without a number, as many as manifests may have. */
export async function getJson(
  url: string,
  signal: AbortSignal,
  most = MOST_MANIFESTS_BYTES,
): Promise<Record<string, unknown>> {
  try {
    const response = await fetch(url, { signal });
    const { ok, status } = response;
    if (!ok)
      throw new CountersignError(status === 404 ? 'not-found' : 'connection-lost', `${url}: ${status}`);
    const answer: unknown = await bounded(response, most, signal).json();
    // Whoever answers is no server of ours, or stands between for a while, as a network's login page does.
    if (Object(answer) !== answer) throw new TypeError('no JSON object');
    return answer as Record<string, unknown>;
  } catch (error) {
    if (error instanceof CountersignError) throw error;
    // Nobody answers, or not to the end, or too much, or a browser may not tell who does. Node says why in the cause.
    const text = `${url}: ${(error as Error).cause ?? error}`;
    throw new CountersignError('connection-lost', text, { cause: error });
  }
}

function fromBase64(text: unknown): Uint8Array {
  try {
    return ascii(atob(text as string));
  } catch {
    throw new VerificationError('manifest', 'base64 text expected');
  }
}
