/**
 * The verdict: who is guilty, by which rule. A pure and total function of the evidence, the server id and the
 * operator's root key. It never throws, and its cost has a bound: that of `MAX_EVIDENCE` bytes.
 */
import { trustedPublicKey } from '#crypto';
import type { Role } from '../attestation.js';
import { compareWhole, equalBytes, toHex } from '../bytes.js';
import { decodeManifest, type Manifest, manifestHash, manifestSigned } from '../manifest.js';
import { Court, must } from './court.js';
import { decodeEvidence, type Evidence, type EvidenceOf, RULE, type Rule } from './evidence.js';
import { type Guilt, guiltyOperator, nameOf, type Suspect } from './guilt.js';
import { mailboxLeaves, ownCounters } from './rules-chain.js';
import {
  falseHandOn,
  falseHandOver,
  falseTakeOver,
  lostInHandOver,
  malformedHandOver,
  twoHandOvers,
} from './rules-handed.js';
import { inboxRow, previousPlace, senderOrder } from './rules-inbox.js';
import {
  falseBase,
  logEntry,
  logInputs,
  logOrder,
  malformedLogLeaf,
  twoLogs,
  twoRoots,
} from './rules-log.js';
import { laterLeaf, neighbours, stages } from './rules-stages.js';
import { malformedLeaf, malformedStatement, twoStatements, unsortedLeaves } from './rules-statements.js';

/** `text`: in plain words, what is proven, or why nothing is. Keys are 32 bytes. */
export type Verdict =
  | {
      readonly outcome: 'actor';
      readonly rule: Rule;
      readonly role: Role;
      readonly index: number;
      readonly key: Uint8Array;
      readonly text: string;
    }
  /** The server: at least one of `suspects` is guilty, and the evidence does not say which. */
  | {
      readonly outcome: 'server';
      readonly rule: Rule;
      readonly suspects: readonly Suspect[];
      readonly text: string;
    }
  | {
      readonly outcome: 'operator';
      readonly rule: Rule;
      readonly key: Uint8Array;
      readonly text: string;
    }
  /** It is evidence, and proves nothing. */
  | { readonly outcome: 'nothing'; readonly text: string }
  /** It is not evidence. */
  | { readonly outcome: 'unreadable'; readonly text: string };

type Judge<R extends Rule> = (court: Court, evidence: EvidenceOf<R>) => Guilt;

const JUDGES: { readonly [R in Exclude<Rule, 'twoManifests'>]: Judge<R> } = {
  twoStatements,
  malformedStatement,
  malformedLeaf,
  unsortedLeaves,
  inboxRow,
  senderOrder,
  mailboxLeaves,
  twoRoots,
  malformedLogLeaf,
  logOrder,
  falseBase,
  logEntry,
  logInputs,
  neighbours,
  laterLeaf,
  stages,
  ownCounters,
  previousPlace,
  twoLogs,
  twoHandOvers,
  malformedHandOver,
  falseHandOver,
  falseTakeOver,
  lostInHandOver,
  falseHandOn,
};

const RULE_NAMES = new Map(Object.entries(RULE).map(([name, number]) => [number as number, name as Rule]));

/** `evidence` is anything; `serverId` and `rootKey` are what whoever asks knows the server by. Never throws. */
export function verdict(evidence: Uint8Array, serverId: Uint8Array, rootKey: Uint8Array): Verdict {
  let decoded: Evidence;
  try {
    decoded = decodeEvidence(evidence);
  } catch (error) {
    return { outcome: 'unreadable', text: messageOf(error) };
  }
  return asGiven(judgeOf(decoded.manifests, serverId, rootKey)(decoded), decoded);
}

/** What evidence proves with the manifests that it has: more than it rests on are not allowed. */
export function asGiven({ verdict, named }: Judged, { manifests }: Evidence): Verdict {
  if (named === manifests.length || verdict.outcome === 'nothing') return verdict;
  return { outcome: 'nothing', text: 'a manifest that nothing names' };
}

export interface Judged {
  readonly verdict: Verdict;
  /** So many of the manifests it rests on, from the first one on. */
  readonly named: number;
}

/** What judges evidence by these manifests, which are accepted once. Never throws. */
export function judgeOf(
  parts: Evidence['manifests'],
  serverId: Uint8Array,
  rootKey: Uint8Array,
): (evidence: Evidence) => Judged {
  let manifests: Manifests;
  try {
    manifests = accepted(parts, serverId, rootKey);
  } catch (error) {
    return () => ({ verdict: { outcome: 'nothing', text: messageOf(error) }, named: 0 });
  }
  const court = new Court(serverId, manifests);
  return (evidence) => {
    try {
      return judged(evidence, manifests, court.begin(), rootKey);
    } catch (error) {
      return { verdict: { outcome: 'nothing', text: messageOf(error) }, named: 0 };
    }
  };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : 'it cannot be read';
}

type Manifests = readonly (readonly [hash: Uint8Array, manifest: Manifest])[];

function judged(evidence: Evidence, manifests: Manifests, court: Court, rootKey: Uint8Array): Judged {
  const rule = RULE_NAMES.get(evidence.rule)!;
  if (rule === 'twoManifests') {
    const guilt = twoManifests(manifests, evidence as EvidenceOf<'twoManifests'>, rootKey);
    return { verdict: described(rule, guilt), named: manifests.length };
  }
  const judge = JUDGES[rule] as (court: Court, evidence: Evidence) => Guilt;
  const guilt = judge(court, evidence);
  const last = manifests.findLastIndex(([hash]) => court.hasUsed(hash));
  return { verdict: described(rule, guilt), named: Math.max(1, last + 1) };
}

/** The manifests, each the next version of the one before, from the one whose hash is the server id. */
function accepted(parts: Evidence['manifests'], serverId: Uint8Array, rootKey: Uint8Array): Manifests {
  const all: (readonly [hash: Uint8Array, manifest: Manifest])[] = [];
  for (const part of parts) {
    const manifest = opened(part, rootKey);
    const hash = manifestHash(part.bytes);
    const before = all.at(-1);
    const follows = before
      ? manifest.version === before[1].version + 1 && equalBytes(manifest.previousHash, before[0])
      : equalBytes(hash, serverId);
    must(follows, before ? 'manifests that do not follow each other' : 'another server');
    all.push([hash, manifest]);
  }
  must(all.length > 0, 'no manifest');
  return all;
}

/**
 * Signed by the root key. That comes first: to check the keys of a manifest is slow, and nobody but the operator shall
 * be able to hand over a thousand of them.
 */
function opened({ bytes, signature }: Evidence['manifests'][number], rootKey: Uint8Array): Manifest {
  must(trustedPublicKey(rootKey).verify(manifestSigned(bytes), signature), 'a manifest of another root key');
  const manifest = decodeManifest(bytes);
  must(equalBytes(manifest.rootKey, rootKey), 'another root key');
  return manifest;
}

/** Two manifests of one version behind one before them. */
function twoManifests(
  manifests: Manifests,
  { manifests: parts, other }: EvidenceOf<'twoManifests'>,
  rootKey: Uint8Array,
): Guilt {
  const [, last] = manifests.at(-1)!;
  must(manifests.length > 1, 'two first manifests are of two servers');
  const second = opened(other, rootKey);
  must(second.version === last.version, 'manifests of two versions');
  must(equalBytes(second.previousHash, last.previousHash), 'manifests that follow different ones');
  must(compareWhole(parts.at(-1)!.bytes, other.bytes) < 0, 'two manifests, the lower bytes first');
  return guiltyOperator(rootKey, `signed two manifests of version ${last.version}`);
}

function described(rule: Rule, guilt: Guilt): Verdict {
  if (guilt.outcome === 'actor') {
    const { role, index, key } = guilt.actor;
    const text = `Proven against ${nameOf(guilt.actor)}, key ${toHex(key)}: ${guilt.text}.`;
    return { outcome: 'actor', rule, role, index, key, text };
  }
  if (guilt.outcome === 'server') {
    const names = guilt.suspects.map(nameOf).join(', ');
    return { ...guilt, rule, text: `Proven against the server: it ${guilt.text}. It was one of: ${names}.` };
  }
  return { ...guilt, rule, text: `Proven: ${guilt.text}.` };
}
