/** Evidence of what clients hold, judged at once: what judges is loaded when it is first needed. */
import type { Dispute, Verdict } from '../protocol/evidence/index.js';
import { ComparisonError } from './comparison-error.js';
import { isBridged } from './dispute.js';
import type { Ground } from './gateway.js';
import { Later } from './later.js';
import { fetchManifestSignature } from './manifest-signature.js';

/** Evidence in its one binary form, and what it proves to anybody. */
export interface Accusation {
  readonly evidence: Uint8Array;
  readonly verdict: Verdict;
}

export const judging = new Later(() => import('../protocol/evidence/index.js'));

/** Evidence of what the two have shown. Rejects with `ComparisonError` where that proves nothing. */
export async function accuseIn(dispute: Dispute): Promise<Accusation> {
  const { accuseOfPlace } = await judging.get();
  const isJoined = isBridged(dispute);
  let accusation: Accusation | null;
  try {
    accusation = accuseOfPlace(dispute);
  } catch (cause) {
    throw new ComparisonError('malformed', String(cause), { cause });
  }
  if (accusation) return accusation;
  throw isJoined
    ? new ComparisonError('nothing-proven', 'what the two have shown proves nothing against the server')
    : new ComparisonError('not-bridged', 'the claims of the two are not shown to be of one log');
}

const NAME = 'manifest';

/** The root key's signature of the manifest, which evidence needs: asked for once, while the server is asked for it anyway, and kept. */
export class ManifestSignature {
  private known: Uint8Array | null;
  private isNew = false;
  private asking: Promise<Uint8Array> | null = null;

  constructor(
    private readonly ground: Ground,
    prefix: string,
    private readonly mark: () => void,
  ) {
    this.known = ground.saved.kept.get(prefix + NAME) ?? null;
    if (!this.known) this.get().catch(() => {});
  }

  /** Rejects when it is not known and the server does not tell. */
  get(signal?: AbortSignal): Promise<Uint8Array> {
    if (this.known) return Promise.resolve(this.known);
    this.asking ??= fetchManifestSignature(this.ground, signal).then(
      (signature) => {
        this.known = signature;
        this.isNew = true;
        this.mark();
        return signature;
      },
      (cause: unknown) => {
        this.asking = null;
        throw cause;
      },
    );
    return this.asking;
  }

  changes(): [name: string, bytes: Uint8Array][] {
    const { known, isNew } = this;
    this.isNew = false;
    return known && isNew ? [[NAME, known]] : [];
  }
}
