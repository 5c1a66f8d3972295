/**
 * The second verifier of evidence, from docs/PROTOCOL.md alone: "Evidence" and what it refers to. One function
 * for each rule, in the order of the document and with its words; nothing is shared with the first verifier.
 */
import { SEQUENCER } from './attestation.js';
import { hex } from './bytes.js';
import { decodeEvidence, type Evidence, type PartsOf, type RuleNumber } from './evidence-form.js';
import {
  type Accepted,
  acceptManifest,
  type Heard,
  type Known,
  must,
  mustFollow,
  NothingProven,
  type Sequencer,
} from './evidence-steps.js';
import type { Handed } from './hand-over.js';
import { Unreadable } from './reader.js';
import { ownCounters } from './rules-counters.js';
import * as handOvers from './rules-hand-overs.js';
import { inboxRow, malformedLeaf } from './rules-leaves.js';
import * as log from './rules-log.js';
import { laterLeaf, neighbours, type Suspect, stages } from './rules-stages.js';
import {
  mailboxLeaves,
  malformedStatement,
  previousPlace,
  sendersOrder,
  twoStatements,
  unsortedLeaves,
} from './rules-statements.js';

export interface SecondVerdict {
  outcome: 'unreadable' | 'nothing' | 'actor' | 'server' | 'operator';
  rule?: number;
  role?: number;
  index?: number;
  key?: Buffer;
  /** By role and index, each once. */
  suspects?: Suspect[];
  why: string;
}

/** Never throws. */
export function secondVerdict(evidence: Buffer, serverId: Buffer, rootKey: Buffer): SecondVerdict {
  try {
    const read = decodeEvidence(Buffer.from(evidence));
    return judge(read, Buffer.from(serverId), Buffer.from(rootKey));
  } catch (error) {
    if (error instanceof Unreadable) return { outcome: 'unreadable', why: error.message };
    if (error instanceof NothingProven) return { outcome: 'nothing', why: error.message };
    return { outcome: 'unreadable', why: `a fault of this verifier: ${error}` };
  }
}

function judge(evidence: Evidence, serverId: Buffer, rootKey: Buffer): SecondVerdict {
  const manifests = acceptAll(evidence, serverId, rootKey);
  const known: Known = { serverId, rootKey, manifests, named: new Set() };
  const verdict = RULES[evidence.rule](known, evidence);
  mustNeedLast(known, evidence.rule);
  return { ...verdict, rule: evidence.rule };
}

/** The hash of the first is the server id; each other one is the next version of the one before it. */
function acceptAll(evidence: Evidence, serverId: Buffer, rootKey: Buffer): Accepted[] {
  const accepted: Accepted[] = [];
  for (const { bytes, signature } of evidence.manifests) {
    const next = acceptManifest(bytes, signature, rootKey);
    mustFollow(next, accepted.at(-1));
    accepted.push(next);
  }
  must(accepted.length > 0, 'no manifest');
  must(accepted[0]!.hash.equals(serverId), 'the first manifest is that of another server');
  return accepted;
}

/**
 * If there are several, the last one must be named by a statement that is heard, a hand-over or an epoch leaf that is decoded, or have
 * signed a checkpoint that no earlier one's sequencer has. (Not so in rule 14, which is about the last one.)
 */
function mustNeedLast({ manifests, named }: Known, rule: RuleNumber): void {
  const needed = manifests.length === 1 || rule === 14 || named.has(hex(manifests.at(-1)!.hash));
  must(needed, 'the last manifest is not needed');
}

type Guilty = Omit<SecondVerdict, 'rule'>;
type Rule = (known: Known, evidence: Evidence) => Guilty;

/** Its actor is guilty. */
function actorBy<N extends RuleNumber>(find: (known: Known, parts: PartsOf<N>) => Heard): Rule {
  return (known, { parts }) => {
    const { attestation, key } = find(known, parts as PartsOf<N>);
    return { outcome: 'actor', role: attestation.role, index: attestation.actor, key, why: find.name };
  };
}

/** The signer of a hand-over is guilty. */
function signerBy<N extends RuleNumber>(find: (known: Known, parts: PartsOf<N>) => Handed): Rule {
  return (known, { parts }) => {
    const { role, signer, key } = find(known, parts as PartsOf<N>);
    return { outcome: 'actor', role, index: signer, key, why: find.name };
  };
}

function sequencerBy<N extends RuleNumber>(find: (known: Known, parts: PartsOf<N>) => Sequencer): Rule {
  return (known, { parts }) => {
    const { key, index } = find(known, parts as PartsOf<N>);
    return { outcome: 'actor', role: SEQUENCER, index, key, why: find.name };
  };
}

/** The sequencer is guilty; of two keys, the server. */
function bySequencers<N extends RuleNumber>(
  find: (known: Known, parts: PartsOf<N>) => Sequencer | 'server',
): Rule {
  return (known, { parts }) => {
    const found = find(known, parts as PartsOf<N>);
    const why = find.name;
    if (found === 'server') return { outcome: 'server', suspects: [{ role: SEQUENCER, index: 0 }], why };
    return { outcome: 'actor', role: SEQUENCER, index: found.index, key: found.key, why };
  };
}

function serverBy<N extends RuleNumber>(find: (known: Known, parts: PartsOf<N>) => Suspect[]): Rule {
  return (known, { parts }) => {
    const found = find(known, parts as PartsOf<N>).sort((a, b) => a.role - b.role || a.index - b.index);
    const differs = (a: Suspect, b: Suspect | undefined) => a.role !== b?.role || a.index !== b.index;
    const suspects = found.filter((suspect, i) => differs(suspect, found[i - 1]));
    return { outcome: 'server', suspects, why: find.name };
  };
}

const RULES: Record<RuleNumber, Rule> = {
  1: actorBy<1>(twoStatements),
  2: actorBy<2>(malformedStatement),
  3: actorBy<3>(malformedLeaf),
  4: actorBy<4>(unsortedLeaves),
  5: actorBy<5>(inboxRow),
  6: actorBy<6>(sendersOrder),
  7: actorBy<7>(mailboxLeaves),
  8: bySequencers<8>(log.twoRoots),
  9: sequencerBy<9>(log.malformedLogLeaf),
  10: sequencerBy<10>(log.logOrder),
  11: sequencerBy<11>(log.falseBase),
  12: sequencerBy<12>(log.logEntry),
  13: sequencerBy<13>(log.logInputs),
  14: (known, { parts, manifests }) => {
    log.twoManifests(known, parts as PartsOf<14>, manifests.at(-1)!.bytes);
    return { outcome: 'operator', key: known.rootKey, why: 'twoManifests' };
  },
  16: actorBy<16>(neighbours),
  17: actorBy<17>(laterLeaf),
  18: serverBy<18>(stages),
  19: serverBy<19>(ownCounters),
  20: actorBy<20>(previousPlace),
  21: bySequencers<21>(log.twoLogs),
  22: signerBy<22>(handOvers.twoHandOvers),
  23: signerBy<23>(handOvers.malformedHandOver),
  24: signerBy<24>(handOvers.falseHandOver),
  25: signerBy<25>(handOvers.falseTakeOver),
  26: signerBy<26>(handOvers.lostInHandOver),
  27: signerBy<27>(handOvers.falseHandOn),
};
