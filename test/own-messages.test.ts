/** Where a client's own chain skips a counter is found in what it holds: claims on its links, and the messages. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { accuse } from '../src/protocol/evidence/accuse.js';
import {
  decodeEvidence,
  type Evidence,
  type EvidenceOf,
  encodeEvidence,
  RULE,
} from '../src/protocol/evidence/evidence.js';
import { type OwnMessages, ownMessages } from '../src/protocol/evidence/own-messages.js';
import { type EvidenceCase, evidenceCases } from './support/evidence-cases.js';
import { bothSay } from './support/verdicts.js';

const test = suite('own messages of a chain');

const CASES = evidenceCases().filter(({ name }) => name.startsWith('19 '));
const decoded = (name: string) => {
  const found = CASES.find((each) => each.name === `19 ${name}`)!;
  return { ...found, evidence: decodeEvidence(found.bytes) as EvidenceOf<'ownCounters'> };
};

function judged(manifests: Evidence['manifests'], own: OwnMessages, { serverId, rootKey }: EvidenceCase) {
  const bytes = encodeEvidence({ manifests, rule: RULE.ownCounters, ...own } as unknown as Evidence);
  return bothSay(bytes, serverId, rootKey);
}

for (const each of CASES.filter(({ expected }) => expected !== 'nothing'))
  test(`${each.name.slice(3)}: found in claims and messages in any order`, () => {
    const { manifests, links, messages } = decoded(each.name.slice(3)).evidence;
    const found = [...ownMessages([...links].reverse(), [...messages].reverse())];
    assert.is(found.length, 1);
    const said = judged(manifests, found[0]!, each);
    if (said.outcome !== 'server') throw new Error(said.text);
    const names = said.suspects.map(({ role, index }) => `${role}.${index}`);
    assert.is(['server', ...names].join(' '), each.expected);
  });

test('it is among what an accusation tries', () => {
  const { evidence, serverId, rootKey } = decoded('a counter left out, with others between');
  const { manifests, links, messages } = evidence;
  const found = accuse({ manifests, claims: links, messages }, serverId, rootKey)!;
  const said = bothSay(found.evidence, serverId, rootKey);
  assert.is(said.outcome === 'server' && said.rule, 'ownCounters');
});

test('counters that follow, and what is not known to be of others, are no case', () => {
  for (const name of ['counters that follow', 'counters that follow, with another one between']) {
    const { evidence, serverId, rootKey } = decoded(name);
    const { manifests, links, messages } = evidence;
    assert.ok([...ownMessages(links, messages)].length > 0);
    assert.is(accuse({ manifests, claims: links, messages }, serverId, rootKey), null);
  }
  const { links, messages } = decoded('a counter left out, with others between').evidence;
  assert.is([...ownMessages(links, messages)].length, 1);
  assert.equal([...ownMessages(links, [messages[0]!, messages.at(-1)!])], []);
});

test.run();
