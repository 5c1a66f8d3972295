/** What mutants of claim, evidence and verdict are killed by: every case and every claim gets what is expected, in words as well. */
import { readFileSync } from 'node:fs';
import { ROLE_NAMES } from '../../src/protocol/attestation.js';
import { FormatError } from '../../src/protocol/bytes.js';
import { decodeClaim, encodeClaim, verifyClaim } from '../../src/protocol/claim.js';
import {
  decodeEvidence,
  type Evidence,
  encodeEvidence,
  evidenceToJson,
  MAX_EVIDENCE,
  RULE,
} from '../../src/protocol/evidence/evidence.js';
import { asGiven, type Judged, judgeOf, type Verdict, verdict } from '../../src/protocol/evidence/verdict.js';
import { decodeManifest } from '../../src/protocol/manifest.js';
import { CASES_FILE, type Kept, type KeptCase, type KeptClaim } from './cases.js';

const kept: Kept = JSON.parse(readFileSync(CASES_FILE, 'utf8'));
const bytesOf = (text: string) => Uint8Array.from(Buffer.from(text, 'base64'));

function must(holds: boolean, name: string, what: string): void {
  if (holds) return;
  console.error(`${name}: ${what}`);
  process.exit(1);
}

function told(found: Verdict): string {
  if (found.outcome === 'actor') return `actor ${found.role}.${found.index}`;
  if (found.outcome !== 'server') return found.outcome;
  return ['server', ...found.suspects.map(({ role, index }) => `${role}.${index}`).sort()].join(' ');
}

/** Judges of the same manifests, which are accepted once: that takes longer than all else. */
const judges = new Map<string, (evidence: Evidence) => Judged>();

function judge(evidence: Evidence, one: KeptCase): Verdict {
  const manifests = evidence.manifests.map(({ bytes, signature }) =>
    Buffer.concat([bytes, signature]).toString('hex'),
  );
  const name = [one.serverId, one.rootKey, ...manifests].join();
  const known = judges.get(name) ?? judgeOf(evidence.manifests, bytesOf(one.serverId), bytesOf(one.rootKey));
  judges.set(name, known);
  return asGiven(known(evidence), evidence);
}

/** What nobody has refused, and the engine has stumbled over. */
const STUMBLED = /undefined|null|^Cannot |is not (a function|iterable)/;

/** The words: why nothing is proven, or against whom. */
function checkWords(found: Verdict, name: string, rule?: number): void {
  must(found.text.length > 0 && !STUMBLED.test(found.text), name, `"${found.text}"`);
  if ('rule' in found) must(RULE[found.rule] === rule, name, `by the rule ${found.rule}`);
  if (found.outcome !== 'server') return;
  const missing = found.suspects.filter(
    ({ role, index }) => !found.text.includes(`${ROLE_NAMES[role]} ${index}`),
  );
  must(missing.length === 0, name, `"${found.text}" does not name all`);
}

function checkCase(one: KeptCase): Verdict {
  const bytes = bytesOf(one.bytes);
  const evidence = decodeEvidence(bytes);
  must(Buffer.from(encodeEvidence(evidence)).equals(bytes), one.name, 'is written otherwise');
  const found = judge(evidence, one);
  must(told(found) === one.expected, one.name, `${told(found)}, ${one.expected} expected`);
  checkWords(found, one.name, one.rule);
  return found;
}

/** As a whole, with the manifests. */
function checkWhole(one: KeptCase): void {
  const bytes = bytesOf(one.bytes);
  const whole = (each: Uint8Array) => verdict(each, bytesOf(one.serverId), bytesOf(one.rootKey));
  must(told(whole(bytes)) === one.expected, one.name, `${told(whole(bytes))} as a whole`);
  for (const damaged of [bytes.slice(1), bytes.slice(0, -1), Uint8Array.of(...bytes, 0)]) {
    const found = whole(damaged);
    must(found?.outcome === 'unreadable', one.name, `${found?.outcome} when damaged`);
    checkWords(found, one.name);
  }
}

/** As large as evidence may be, and a byte larger: with manifests of nothing, as decoding does not look into them. */
function checkSize(one: KeptCase): void {
  const evidence = decodeEvidence(bytesOf(one.bytes));
  const signature = new Uint8Array(64);
  const sized = (...sizes: number[]) =>
    encodeEvidence({
      ...evidence,
      manifests: sizes.map((size) => ({ bytes: new Uint8Array(size), signature })),
    });
  const third = Math.floor(MAX_EVIDENCE / 3);
  const left = third + MAX_EVIDENCE - sized(third, third, third).length;
  must(decodeEvidence(sized(third, third, left)).manifests.length === 3, one.name, 'too large at the limit');
  try {
    decodeEvidence(sized(third, third, left + 1));
  } catch (error) {
    return must(error instanceof FormatError, one.name, String(error));
  }
  must(false, one.name, 'is read although it is too large');
}

function checkClaim(one: KeptClaim): void {
  const bytes = bytesOf(one.bytes);
  const claim = decodeClaim(bytes);
  must(Buffer.from(encodeClaim(claim)).equals(bytes), one.name, 'is written otherwise');
  const serverId = bytesOf(one.serverId);
  let why = '';
  try {
    const { leaf } = verifyClaim(claim, serverId, decodeManifest(bytesOf(one.manifest)), serverId);
    must(leaf === claim.leaf, one.name, 'another leaf');
  } catch (error) {
    must(error instanceof FormatError && error.message.startsWith('claim: '), one.name, String(error));
    why = String(error);
  }
  must(one.holds === (why === ''), one.name, why || 'holds');
}

kept.claims.forEach(checkClaim);
const seen = new Set<string>();
for (const one of kept.evidence) {
  const { outcome } = checkCase(one);
  // Of each kind of end once.
  if (!seen.has(outcome)) checkWhole(one);
  seen.add(outcome);
}
const [first] = kept.evidence;
checkSize(first!);
const json = JSON.stringify(evidenceToJson(decodeEvidence(bytesOf(first!.bytes))));
must(json.includes('"manifests"'), first!.name, `${json} for reading`);
