/** Some cheats of every role, and honest plays; all of them, and the document, are in test/long. */
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { nameOf } from '../src/protocol/evidence/guilt.js';
import { CHEATS } from './byzantine/cheats.js';
import { addLaterManifests } from './byzantine/later.js';
import { LIES, outcomeOfLie } from './byzantine/liars.js';
import { compare, play } from './byzantine/play.js';
import { leagues, outcomeOf, playLeagues } from './byzantine/table.js';
import { RUNS, SEED } from './worlds.js';

const accountability = suite('accountability');

accountability('honest actors are named by nothing, with checks and without', () => {
  for (const checks of [true, false]) {
    const { theatre, clients, opened } = play([], checks);
    assert.is(theatre.stopped, null);
    assert.is(theatre.epochs.length, 3);
    assert.is(clients, null);
    assert.is(opened, null);
    addLaterManifests(theatre);
    assert.is(compare(theatre, []).opened, null);
  }
});

/** A third in `npm test`, of which SEED says which; with RUNS=4 all. */
const isIn = (_: unknown, i: number) => RUNS >= 4 || i % 3 === SEED % 3;

const SOME = [
  ['router', 'drop for one recipient'],
  ['receiver', 'alter the committed hash'],
  ['outbox', 'break a chain: skip an epoch'],
  ['outbox', 'deny with a still'],
  ['outbox', 'drop after receipt'],
  ['inbox', 'number twice'],
  ['inbox', 'submissions required: alter the committed hash'],
  ['inbox', 'submissions required: inject, with a submission that another client signs'],
  ['inbox', 'sign twice after a restart'],
  ['sequencer', 'log a false base'],
  ['sequencer', 'log another manifest'],
] as const;

for (const [role, name] of SOME.filter(isIn))
  accountability(`${role}: ${name}`, () => {
    const cheat = CHEATS.find((each) => each.role === role && each.name === name)!;
    const { unchecked, checked } = outcomeOf(cheat);
    const { opened, theatre } = unchecked;
    if (opened?.verdict.outcome !== 'actor') throw new Error('nobody is named');
    assert.is(nameOf(opened.verdict), `${role} 0`);
    assert.ok(opened.evidence.length < 20_000);
    if (!checked.theatre.stopped) assert.is(checked.opened?.verdict.outcome, 'actor');
    // What clients did not hold themselves was opened, and not all that was is needed.
    const { count, needed } = unchecked.openings;
    if (opened === unchecked.clients) assert.equal([count, needed], [0, 0]);
    else assert.ok(needed >= 1 && needed <= 3 && needed < count, `${needed} of ${count}`);
    addLaterManifests(theatre);
    assert.equal(compare(theatre, [`${role} 0`]).opened, opened);
  });

accountability(`three in league, of which SEED=${SEED} says which, frame nobody`, () => {
  const all = leagues(3);
  const some = fc.sample(fc.constantFrom(...all), { seed: SEED, numRuns: 5 * RUNS });
  assert.is(playLeagues(some).framed, 0);
});

for (const lie of LIES.filter(isIn))
  accountability(`a lying client: ${lie.name}`, () => {
    const { tries, outcomes } = outcomeOfLie(lie);
    assert.ok(tries > 0);
    assert.equal(outcomes, ['nothing']);
  });

accountability.run();
