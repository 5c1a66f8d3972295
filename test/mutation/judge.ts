/** What mutants of claim, evidence and verdict are killed by: every case gets its verdict, and a few bytes changed defeat it. */
import { readFileSync } from 'node:fs';
import { decodeEvidence, type Evidence } from '../../src/protocol/evidence/evidence.js';
import { judgeOf, type Verdict, verdict } from '../../src/protocol/evidence/verdict.js';
import { CASES_FILE, type KeptCase } from './cases.js';

const cases: KeptCase[] = JSON.parse(readFileSync(CASES_FILE, 'utf8'));
const bytesOf = (text: string) => Uint8Array.from(Buffer.from(text, 'base64'));

function told(found: Verdict): string {
  if (found.outcome === 'actor') return `actor ${found.role}.${found.index}`;
  if (found.outcome !== 'server') return found.outcome;
  return ['server', ...found.suspects.map(({ role, index }) => `${role}.${index}`).sort()].join(' ');
}

/** Judges of the same manifests, which are accepted once: that takes longer than all else. */
const judges = new Map<string, (evidence: Evidence) => Verdict>();

function judge(bytes: Uint8Array, one: KeptCase): Verdict {
  let evidence: Evidence;
  try {
    evidence = decodeEvidence(bytes);
  } catch (error) {
    return { outcome: 'unreadable', text: String(error) };
  }
  const manifests = evidence.manifests.map(({ bytes, signature }) =>
    Buffer.concat([bytes, signature]).toString('hex'),
  );
  const name = [one.serverId, one.rootKey, ...manifests].join();
  const known = judges.get(name) ?? judgeOf(evidence.manifests, bytesOf(one.serverId), bytesOf(one.rootKey));
  judges.set(name, known);
  return known(evidence);
}

function must(holds: boolean, name: string, what: string): void {
  if (holds) return;
  console.error(`${name}: ${what}`);
  process.exit(1);
}

const seen = new Set<string>();
for (const one of cases) {
  const bytes = bytesOf(one.bytes);
  const found = judge(bytes, one);
  must(told(found) === one.expected, one.name, `${told(found)}, ${one.expected} expected`);
  // Of each kind of end once as a whole, with the manifests.
  if (!seen.has(found.outcome)) {
    seen.add(found.outcome);
    const whole = verdict(bytes, bytesOf(one.serverId), bytesOf(one.rootKey));
    must(told(whole) === one.expected, one.name, `${told(whole)} as a whole`);
  }
}
