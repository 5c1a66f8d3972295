/** The signature of the manifest that a client has verified, once more from the server: a client keeps the manifest alone. */
import { ascii, encodeManifest, openManifestLater } from '../protocol/index.js';
import { ComparisonError } from './comparison-error.js';
import type { Ground } from './gateway.js';

/** Rejects with `ComparisonError` when the server does not tell it. */
export async function fetchManifestSignature(
  { http, world }: Ground,
  signal?: AbortSignal,
): Promise<Uint8Array> {
  try {
    const response = await fetch(`${http}/v1/manifest`, signal ? { signal } : {});
    const { signature } = (await response.json()) as { signature: string };
    const bytes = ascii(atob(signature));
    await openManifestLater(encodeManifest(world.manifest), bytes);
    return bytes;
  } catch (cause) {
    throw new ComparisonError('no-answer', 'the server does not tell the signature of its manifest', {
      cause,
    });
  }
}
