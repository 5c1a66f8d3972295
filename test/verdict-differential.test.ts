/** Two verifiers of evidence, one verdict: on a collection of cases, on each of them damaged, and on random ones. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { RULE } from '../src/protocol/evidence/evidence.js';
import { verdict } from '../src/protocol/evidence/verdict.js';
import { type EvidenceCase, evidenceCases } from './support/evidence-cases.js';
import { secondVerdict } from './twin/verdict.js';
import './worlds.js';

const test = suite('two verdicts');

type Judged = Pick<EvidenceCase, 'bytes' | 'serverId' | 'rootKey'>;

interface Found {
  outcome: string;
  rule?: number;
  role?: number;
  index?: number;
  key?: Uint8Array;
  suspects?: readonly { role: number; index: number }[];
}

/** Everything that a verdict says but its words: as `expected` of a case, then rule and key. */
function told({ outcome, rule, role, index, key, suspects }: Found): string[] {
  const names = (suspects ?? []).map((one) => `${one.role}.${one.index}`).sort();
  const who = outcome === 'actor' ? [`${role}.${index}`] : names;
  return [[outcome, ...who].join(' '), String(rule), key ? Buffer.from(key).toString('hex') : ''];
}

function first({ bytes, serverId, rootKey }: Judged): string[] {
  const found = verdict(bytes, serverId, rootKey);
  return told({ ...found, rule: 'rule' in found ? RULE[found.rule] : undefined } as Found);
}

function second({ bytes, serverId, rootKey }: Judged): string[] {
  const found = secondVerdict(bytes, serverId, rootKey);
  assert.not.match(found.why, 'fault of this verifier');
  return told(found as Found);
}

const CASES = evidenceCases();

test('both say of every case what the document says', () => {
  const wrong = CASES.flatMap((one) => {
    const [a, b] = [first(one), second(one)];
    if (a[0] === one.expected && b.join() === a.join()) return [];
    const why = [
      verdict(one.bytes, one.serverId, one.rootKey).text,
      secondVerdict(one.bytes, one.serverId, one.rootKey).why,
    ];
    return [
      `${one.name}: ${one.expected}; first ${a.slice(0, 2)}, second ${b.slice(0, 2)} (${why.join('; ')})`,
    ];
  });
  assert.equal(wrong, []);
});

test.run();
