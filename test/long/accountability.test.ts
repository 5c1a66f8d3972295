/** Every cheat by itself and in league; docs/ACCOUNTABILITY.md says what that shows. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { nameOf } from '../../src/protocol/evidence/guilt.js';
import { addLaterManifests } from '../byzantine/later.js';
import { keptEnds, playShare } from '../byzantine/leagues.js';
import { compare } from '../byzantine/play.js';
import { documentOf, HAND_ON, type Outcome, outcomes } from '../byzantine/table.js';
import { SEED } from '../worlds.js';

const accountability = suite('accountability: every cheat');
const all: Outcome[] = [];

/** With these the sequencer is in league, because an honest one logs no such epoch: it is the one that is named. */
const SEQUENCERS = [
  'sign another base',
  'sign another manifest',
  'sign another placement',
  'name other inputs',
  'skip an empty attestation',
];

/** What names nobody: docs/ACCOUNTABILITY.md, "What cannot be proven", says why. */
const UNPROVEN = new Map([
  ['inbox: alter the committed hash', 'nothing'],
  ['inbox: inject', 'nothing'],
  ['outbox: serve a stale checkpoint', 'nothing'],
  ['sequencer: serve a stale checkpoint', 'nothing'],
]);

accountability('whoever cheats is named, and nobody else, though it opens nothing', () => {
  all.push(...outcomes());
  for (const { cheat, checked, unchecked } of all) {
    const who = `${cheat.role}: ${cheat.name}`;
    for (const ending of [checked, unchecked]) {
      if (ending.theatre.stopped) continue;
      // They name who did not look, if anybody: test/accountability.test.ts.
      if (cheat.name.startsWith(HAND_ON)) continue;
      const named = ending.opened?.verdict;
      const unproven = UNPROVEN.get(who);
      if (unproven) {
        assert.is(named?.outcome ?? 'nothing', unproven, who);
        continue;
      }
      if (named?.outcome !== 'actor') throw new Error(`${who}: nobody is named`);
      const isLogged = SEQUENCERS.includes(cheat.name) && who !== 'inbox: name other inputs';
      const expected = isLogged ? 'sequencer 0' : `${cheat.role} 0`;
      assert.is(nameOf(named), expected, who);
      assert.ok(ending.opened!.evidence.length < 20_000, who);
      // What clients show by themselves convicts the server, or an actor that signed what it was given.
      const { clients, theatre } = ending;
      if (clients?.verdict.outcome === 'actor' && theatre.options.checks)
        assert.is(nameOf(clients.verdict), expected, who);
    }
  }
});

accountability('later manifests, with other numbers of actors and new keys, change nothing of that', () => {
  assert.ok(all.length > 0);
  for (const { cheat, checked, unchecked } of all)
    for (const { theatre, clients, opened } of [checked, unchecked]) {
      if (theatre.stopped) continue;
      addLaterManifests(theatre);
      const again = compare(theatre, [`${cheat.role} 0`]);
      assert.equal([again.clients, again.opened], [clients, opened], `${cheat.role}: ${cheat.name}`);
    }
});

/** One league of so many is played, all if not given. */
const EVERY = Number(process.env['LEAGUES'] ?? 1);

accountability(
  `in league nobody else is named, and one play of ${EVERY}, from SEED=${SEED} on, ends as is kept`,
  () => {
    assert.equal(playShare(EVERY, SEED % EVERY), keptEnds());
  },
);

accountability(
  'docs/ACCOUNTABILITY.md is what was just played: npm run docs:accountability writes it',
  () => {
    const file = fileURLToPath(new URL('../../../docs/ACCOUNTABILITY.md', import.meta.url));
    assert.is(readFileSync(file, 'utf8'), documentOf(all, keptEnds()));
  },
);

accountability.run();
