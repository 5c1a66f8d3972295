/** Some cheats of every role, some leagues, and honest plays; all of them, and the document, are in test/long. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { nameOf } from '../src/protocol/evidence/guilt.js';
import { accuseAgain, disputedPlace } from '../src/protocol/evidence/index.js';
import { encodeClaim } from '../src/protocol/index.js';
import { CHEATS } from './byzantine/cheats.js';
import { addLaterManifests } from './byzantine/later.js';
import { ENDS, endOf, keptEnds, LEAGUES } from './byzantine/leagues.js';
import { LIES, outcomeOfLie } from './byzantine/liars.js';
import { compare, opening, play } from './byzantine/play.js';
import { scene } from './byzantine/show.js';
import { HAND_ON, leaguesSection, outcomeOf } from './byzantine/table.js';
import { Theatre } from './byzantine/theatre.js';
import { bothSay } from './support/verdicts.js';
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
  ['outbox', 'malformed pages'],
  ['inbox', 'number twice'],
  ['inbox', 'submissions required: alter the committed hash'],
  ['inbox', 'submissions required: inject, with a submission that another client signs'],
  ['inbox', 'sign twice after a restart'],
  ['sequencer', 'log a false base'],
  ['sequencer', 'log another manifest'],
  ['sequencer', 'sign twice after a restart'],
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

accountability(
  'a mailbox with a message that is not for it: the server is exposed, and what is opened names who',
  () => {
    const cheats = CHEATS.filter(({ name }) => name === 'hand to a mailbox that it is not for');
    assert.is(cheats.length, 3);
    for (const cheat of cheats) {
      const who = `${cheat.role} 0`;
      const { theatre, clients } = play([cheat], false, [who]);
      const { serverId } = theatre.world;
      if (clients?.verdict.outcome !== 'server') throw new Error(`${who}: ${clients?.verdict.text}`);
      assert.equal(clients.verdict.suspects.map(nameOf), ['router 0', 'receiver 0', 'outbox 0']);
      const place = disputedPlace(clients.evidence)!;
      assert.equal(place.lacking, place.having);
      const opened = opening(theatre, { ...place, mailbox: place.lacking }, [who]).map(encodeClaim);
      const bridge = (from: number, to: number) => theatre.bridge(from, to);
      const again = accuseAgain(clients.evidence, opened, [], serverId, bridge);
      assert.is(again?.verdict.outcome === 'actor' && nameOf(again.verdict), who);
      assert.is(bothSay(again!.evidence, serverId, theatre.rootKey).outcome, 'actor');
    }
  },
);

accountability('docs/ACCOUNTABILITY.md counts the leagues whose ends are kept', () => {
  const file = fileURLToPath(new URL('../../docs/ACCOUNTABILITY.md', import.meta.url));
  const ends = keptEnds();
  assert.ok(readFileSync(file, 'utf8').includes(leaguesSection(ends)));
  const sizes = ends.flatMap(({ unchecked, checked }) => [unchecked.length, checked.length]);
  assert.equal(
    sizes,
    LEAGUES.flatMap(({ leagues }) => [leagues.length, leagues.length]),
  );
});

for (const [i, { name, leagues }] of LEAGUES.entries())
  accountability(`in league, ${name}: some of them, of which SEED=${SEED} says which, end as is kept`, () => {
    const { unchecked, checked } = keptEnds()[i]!;
    const some = fc.sample(fc.nat({ max: leagues.length - 1 }), { seed: SEED, numRuns: 2 * RUNS });
    for (const which of some) {
      const ends = [false, true].map((checks) => ENDS[endOf(leagues[which]!, checks)]);
      assert.equal(ends, [unchecked[which], checked[which]], `number ${which}`);
    }
  });

/** An honest sequencer logs no such epoch; where nobody checks it is the one that is named. Who is handed something else than was signed, and does not check, vouches for it. */
const NEEDS_THE_SEQUENCER = [
  'equivocate to two neighbours',
  'sign another',
  'name other inputs',
  'skip an empty',
];

accountability(`in league with any cheats, of which SEED=${SEED} says which: nobody else is named`, () => {
  const isLeftOut = (name: string) => [...NEEDS_THE_SEQUENCER, HAND_ON].some((each) => name.startsWith(each));
  const all = CHEATS.filter(({ name }) => !isLeftOut(name));
  const three = fc.array(fc.constantFrom(...all), { minLength: 3, maxLength: 3 });
  for (const cheats of fc.sample(three, { seed: SEED, numRuns: 5 * RUNS })) {
    const league = [...new Map(cheats.map((cheat) => [cheat.role, cheat])).values()];
    for (const checks of [false, true]) endOf(league, checks);
  }
});

/** Whom an actor hands on to. */
const NEIGHBOURS: Readonly<Record<string, string>> = {
  inbox: 'router',
  router: 'receiver',
  receiver: 'outbox',
};

for (const role of ['inbox', 'router', 'receiver'] as const)
  accountability(`${role}: equivocate to two neighbours, of whom one has kept what it was given`, () => {
    const name = 'equivocate to two neighbours';
    const cheat = CHEATS.find((each) => each.role === role && each.name === name)!;
    const { stopped } = play([cheat], true).theatre;
    const by = NEIGHBOURS[role];
    assert.equal(stopped, { who: 'sequencer 0', what: `${by} 0 names other inputs` });
    const { theatre, opened } = play([cheat], false, [`${role} 0`]);
    assert.equal(
      theatre.given.map((each) => [each.by, each.statements.length]),
      [[`${by} 0`, 2]],
    );
    if (opened?.verdict.outcome !== 'actor') throw new Error('nobody is named');
    assert.equal([nameOf(opened.verdict), opened.verdict.rule], [`${role} 0`, 'twoStatements']);
    // Without the second statement the sequencer is named, or nobody.
    theatre.given.length = 0;
    for (const refusing of [[], [`${role} 0`]]) {
      const { verdict } = compare(theatre, refusing).opened!;
      if (verdict.outcome === 'actor')
        assert.equal([nameOf(verdict), verdict.rule], ['sequencer 0', 'logInputs']);
      else assert.is(verdict.outcome, 'server');
      if (refusing.length === 0) assert.is(verdict.outcome, 'actor');
    }
  });

for (const cheat of CHEATS.filter(({ name }) => name.startsWith(HAND_ON)))
  accountability(`${cheat.role}: ${cheat.name}: who checks stops, who does not is named for it`, () => {
    const neighbour = `${NEIGHBOURS[cheat.role]} 0`;
    assert.is(play([cheat], true).theatre.stopped?.who, neighbour);
    const { theatre, opened } = play([cheat], false);
    if (opened?.verdict.outcome !== 'actor') throw new Error('nobody is named');
    assert.is(nameOf(opened.verdict), neighbour);
    // The inbox's rows are what it has signed, and its router has them. Of all else its maker has the one copy.
    const refused = compare(theatre, [`${cheat.role} 0`]).opened?.verdict;
    if (cheat.role === 'inbox') assert.equal(refused, opened.verdict);
    else assert.is(refused?.outcome, 'server');
  });

accountability('the demo says in which epoch of how many an actor cheats', () => {
  const { cast } = new Theatre({ checks: false });
  const said = CHEATS.map((cheat) => scene(cheat, cast)[0]!);
  const counted = (start: string) => said.filter((each) => each.startsWith(start)).length;
  const rounds = (n: number) => CHEATS.filter(({ round = 2 }) => round === n).length;
  const stage = 'two inboxes, three outboxes. In the';
  assert.ok(rounds(3) > 0 && rounds(4) > 0);
  assert.is(rounds(2) + rounds(3) + rounds(4), CHEATS.length);
  assert.is(counted(`Three epochs, ${stage} second epoch `), rounds(2));
  assert.is(counted(`Three epochs, ${stage} third epoch `), rounds(3));
  assert.is(counted(`Four epochs, ${stage} fourth epoch `), rounds(4));
  // As many as are played.
  const skip = CHEATS.find(({ round, role }) => round === 4 && role === 'outbox')!;
  assert.is(play([skip], false).theatre.round, 4);
});

for (const lie of LIES.filter(isIn))
  accountability(`a lying client: ${lie.name}`, () => {
    const { tries, outcomes } = outcomeOfLie(lie);
    assert.ok(tries > 0);
    assert.equal(outcomes, ['nothing']);
  });

accountability.run();
