/** Accuses the operator, who has signed two manifests of one version. */
import { compareWhole } from '../bytes.js';
import type { SignedManifest } from '../manifest-chain.js';
import { encodeEvidence, RULE } from './evidence.js';
import { verdict } from './verdict.js';

/**
 * `accepted`: all versions through the one that `other` stands in the place of. Null when that proves nothing, as where
 * the root key has not signed it.
 */
export function accuseOperator(
  accepted: readonly SignedManifest[],
  other: SignedManifest,
  serverId: Uint8Array,
  rootKey: Uint8Array,
): Uint8Array | null {
  const last = accepted.at(-1)!;
  const [lower, higher] = compareWhole(last.bytes, other.bytes) < 0 ? [last, other] : [other, last];
  const manifests = [...accepted.slice(0, -1), lower];
  const evidence = encodeEvidence({ manifests, rule: RULE.twoManifests, other: higher });
  return verdict(evidence, serverId, rootKey).outcome === 'operator' ? evidence : null;
}
