/** What is known of a case, by the statement and output that it is of; what each shows, taken apart for rules (accuse.ts). */
import { type Attestation, attestationHash, decodeAttestation } from '../attestation.js';
import { toHex } from '../bytes.js';
import type { Claim } from '../claim.js';
import { PAGE_ENTRIES } from '../limits.js';
import type { Place } from '../place.js';
import type { OpenedLeaf } from '../statement.js';
import type { Witness } from './evidence.js';
import { readInboxPage } from './leaves.js';

/** Everything opened of one output of one statement. */
export interface Testimony extends Claim {
  readonly decoded: Attestation;
  readonly hash: Uint8Array;
  readonly leaves: readonly OpenedLeaf[];
}

export function decodedOrNull(bytes: Uint8Array): Attestation | null {
  try {
    return decodeAttestation(bytes);
  } catch {
    return null;
  }
}

export function grouped(claims: readonly Claim[]): Testimony[] {
  const all = new Map<string, Testimony & { leaves: OpenedLeaf[] }>();
  for (const claim of claims) {
    const decoded = decodedOrNull(claim.attestation);
    if (!decoded) continue;
    const { checkpoint, attestation, output, leaf, leafIndex, outputPath } = claim;
    const name = `${toHex(attestation)} ${output} ${checkpoint.size} ${toHex(checkpoint.root)}`;
    const known = all.get(name) ?? { ...claim, decoded, hash: attestationHash(attestation), leaves: [] };
    all.set(name, known);
    const isKnown = known.leaves.some((each) => each.leafIndex === leafIndex);
    if (leaf.length > 0 && !isKnown) known.leaves.push({ leaf, leafIndex, outputPath });
  }
  for (const { leaves } of all.values()) leaves.sort((a, b) => a.leafIndex - b.leafIndex);
  return [...all.values()];
}

export const claimsOf = (testimony: Testimony) => testimony.leaves.map((leaf) => ({ ...testimony, ...leaf }));

/** A statement with no leaf, with each one, and with each two that follow each other. */
export function* witnesses(testimony: Testimony): Generator<Witness & Testimony> {
  yield { ...testimony, leaves: [] };
  for (const leaf of testimony.leaves) yield { ...testimony, leaves: [leaf] };
  for (const two of neighboursIn(testimony.leaves)) yield { ...testimony, leaves: two };
}

export function neighboursIn(leaves: readonly OpenedLeaf[]): [OpenedLeaf, OpenedLeaf][] {
  return leaves.flatMap((leaf, i) => {
    const next = leaves[i + 1];
    return next?.leafIndex === leaf.leafIndex + 1 ? [[leaf, next] as [OpenedLeaf, OpenedLeaf]] : [];
  });
}

/** Where the message of an inbox page's row stands. */
export function placeOf({
  claim: { decoded, leafIndex },
  row,
}: {
  claim: Testimony & OpenedLeaf;
  row: number;
}): Place {
  return { epoch: decoded.epoch, inbox: decoded.actor, index: leafIndex * PAGE_ENTRIES + row };
}

/** What an inbox page's rows hold; none of what is no page. */
export function rowsOf({ leaf }: Claim): {
  readonly hash: Uint8Array;
  readonly submissionHash: Uint8Array;
  readonly previous: Place;
}[] {
  try {
    return readInboxPage(leaf).map(({ messageHash: hash, ...row }) => ({ hash, ...row }));
  } catch {
    return [];
  }
}

export function pairs<T>(all: readonly T[]): [T, T][] {
  return all.flatMap((a, i) => all.slice(i + 1).map((b) => [a, b] as [T, T]));
}

/** One of each list, in every way. */
export function combinations<T>(lists: readonly (readonly T[])[]): T[][] {
  return lists.reduce<T[][]>((all, list) => all.flatMap((some) => list.map((each) => [...some, each])), [[]]);
}
