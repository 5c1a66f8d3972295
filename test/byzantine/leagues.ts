/** Actors in league: who they are, what they do together, and how it ends. */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Accusation } from '../../src/protocol/evidence/accuse.js';
import { nameOf } from '../../src/protocol/evidence/guilt.js';
import { readMailboxLeaf } from '../../src/protocol/evidence/leaves.js';
import { equalBytes, ROLE, toHex } from '../../src/protocol/index.js';
import { type Cheat, PLAN, type Plan } from './cheat.js';
import { CHEATS } from './cheats.js';
import {
  divergences,
  entryAt,
  heldBy,
  holders,
  isMissed,
  isOpen,
  isStray,
  leavesOf,
  play,
  type Subject,
  whoHasAnother,
} from './play.js';
import { rowsOfInbox, Theatre } from './theatre.js';

export type League = readonly Cheat[];

const nameOfCheat = ({ role, index = 0 }: Cheat) => `${role} ${index}`;

// ---- who they are

const IN_LISTS = [
  'drop for one recipient',
  'drop for all',
  'alter the committed hash',
  'swap two messages',
  'inject',
  'duplicate',
];

/** What changes what becomes of a message. */
const CHANGES = CHEATS.filter(({ name }) => IN_LISTS.includes(name));
const STRAYS = CHEATS.filter(({ name }) => name === 'hand to a mailbox that it is not for');
const REFUSING = (['inbox', ...STRAYS.map(({ role }) => role)] as const).map(
  (role): Cheat => ({ name: 'only refuse to open', role }),
);
const BEHIND_INBOXES = CHANGES.filter(({ role }) => role !== 'inbox');
const OF_INBOXES = CHANGES.filter(({ role }) => role === 'inbox');
const OF_SEQUENCERS = CHEATS.filter(({ role }) => role === 'sequencer');
/** What an outbox says of a chain, an epoch after others have changed what came into it. */
const OF_CHAINS = CHEATS.filter(
  ({ role, name }) =>
    role === 'outbox' &&
    (name.startsWith('break a chain') || name.includes('later still') || name.startsWith('drop after')),
);

const joined = (some: readonly League[], others: readonly League[]): League[] =>
  some.flatMap((league) => others.map((other) => [...league, ...other]));
const alone = (cheats: readonly Cheat[]): League[] => cheats.map((cheat) => [cheat]);

/** So many of as many roles, in every way. */
function ofRoles(cheats: readonly Cheat[], size: number): League[] {
  const grown = (some: League[]) =>
    some.flatMap((league) => {
      const last = league.at(-1);
      const others = last ? cheats.slice(cheats.indexOf(last) + 1) : cheats;
      return others.flatMap((cheat) =>
        league.some(({ role }) => role === cheat.role) ? [] : [[...league, cheat]],
      );
    });
  return Array.from({ length: size }).reduce<League[]>(grown, [[]]);
}

const isOfOneCheat = (league: League) => league.every(({ name }) => name === league[0]!.name);

/** Dave sends as much as Alice, so that the other inbox and its router have as much to cheat about. */
const ALIKE: Plan = (cast) => {
  const [first, second, third] = PLAN(cast);
  const { alice, bob, carol, dave } = cast;
  const hers = second!.filter(([from]) => from === alice);
  return [first!, [...hers, [dave, [bob, carol]], [dave, [bob]], [dave, [carol]]], third!];
};

/** The number of Carol's outbox. */
const CAROLS = (() => {
  const { world, cast } = new Theatre({ checks: false });
  return world.placement(world.clients[cast.carol]!.id).outbox;
})();

/** Number 0 and another one of its role: of outboxes and receivers the ones of Carol. */
function twins(isOne: boolean): League[] {
  return CHANGES.flatMap((one) =>
    CHANGES.filter(({ role, name }) => role === one.role && (!isOne || name === one.name)).map((other) => [
      { ...one, plan: ALIKE },
      { ...other, index: one.role === 'inbox' || one.role === 'router' ? 1 : CAROLS },
    ]),
  );
}

const twinsAndAnother = (): League[] =>
  twins(true).flatMap((pair) =>
    CHANGES.filter(({ role }) => role !== pair[0]!.role).map((other) => [...pair, other]),
  );

/** The second epoch, once more. */
const AGAIN: Plan = (cast) => {
  const [first, second] = PLAN(cast);
  return [first!, second!, second!];
};

const inTwoEpochs = (): League[] =>
  CHANGES.flatMap((one) =>
    CHANGES.filter(({ role }) => role !== one.role).map((other) => [
      one,
      { ...other, round: 3, plan: AGAIN },
    ]),
  );

const chainsAfterwards = (): League[] =>
  joined(
    alone(CHANGES.filter(({ role }) => role !== 'outbox')),
    alone(OF_CHAINS.map((cheat) => ({ ...cheat, round: 3 }))),
  );

const straysAndAnother = (): League[] =>
  STRAYS.flatMap((one) =>
    [...CHANGES, ...STRAYS, ...REFUSING].filter(({ role }) => role !== one.role).map((other) => [one, other]),
  );

const PAIRS = ofRoles(BEHIND_INBOXES, 2);

/** All that are played, in the order of the document. */
export const LEAGUES: readonly { readonly name: string; readonly leagues: readonly League[] }[] = [
  { name: 'two', leagues: PAIRS },
  { name: 'three', leagues: ofRoles(BEHIND_INBOXES, 3) },
  { name: 'an inbox and another', leagues: joined(alone(OF_INBOXES), alone(BEHIND_INBOXES)) },
  { name: 'an inbox and two others', leagues: joined(alone(OF_INBOXES), PAIRS) },
  { name: 'the sequencer and another', leagues: joined(alone(OF_SEQUENCERS), alone(CHANGES)) },
  {
    name: 'the sequencer and two others of one cheat',
    leagues: joined(alone(OF_SEQUENCERS), ofRoles(CHANGES, 2).filter(isOfOneCheat)),
  },
  { name: 'two of one role', leagues: twins(false) },
  { name: 'two of one role and cheat, and another', leagues: twinsAndAnother() },
  { name: 'one in the second epoch, another in the third', leagues: inTwoEpochs() },
  {
    name: 'one in the second epoch, and an outbox in the third about the chain',
    leagues: chainsAfterwards(),
  },
  { name: 'one that hands a message to whom it is not for, and another', leagues: straysAndAnother() },
];

// ---- how it ends

/** How a play ends, in one letter. What is not `named` or `server` proves nothing, for the reason that is said of it. */
export const ENDS = {
  named: 'n',
  server: 's',
  /** The server has stopped before anything of the epoch left it. */
  stopped: 'x',
  /** Everybody has what it was sent, and nothing else. */
  unharmed: 'u',
  /** An inbox has taken in another message than was sent, or none, and all chains are as its rows say. */
  word: 'w',
  /** A chain has what nobody else has, or the other way round, and an output that would show it stays closed. */
  closed: 'c',
  /** Who misses a message has been shown no later epoch, either. */
  behind: 'b',
} as const;

export type End = keyof typeof ENDS;

/** What an actor that checks nothing signs itself when it is given something malformed: its guilt, whatever it was fed. */
const OF_WHO_CHECKS_NOTHING = ['malformedLeaf', 'unsortedLeaves', 'malformedStatement'];

/** Throws when an honest actor is named, or less is proven than must be. */
export function endOf(league: League, checks: boolean): End {
  const names = league.map(nameOfCheat);
  const ending = play(league, checks, names);
  const gap = (what: string) =>
    new Error(`${league.map((cheat, i) => `${names[i]} ${cheat.name}`).join(', ')}: ${what}`);
  const isOneOfThem = ({ verdict }: Accusation) =>
    verdict.outcome === 'actor' && names.includes(nameOf(verdict));
  for (const each of ending.found) {
    const { verdict } = each;
    if (verdict.outcome === 'server' || isOneOfThem(each)) continue;
    const isOwnFault = verdict.outcome === 'actor' && OF_WHO_CHECKS_NOTHING.includes(verdict.rule);
    if (checks || !isOwnFault || each === ending.opened) throw gap(`names another: ${verdict.text}`);
  }
  const { theatre, clients, opened } = ending;
  const seen = seenIn(theatre);
  const three = [theatre.cast.alice, theatre.cast.bob, theatre.cast.carol].map((i) => theatre.client(i));
  if (!clients && seen.some((each) => isProvenBy(theatre, each, three)))
    throw gap('two clients differ, and prove nothing');
  if (opened?.verdict.outcome === 'server') {
    const suspects = opened.verdict.suspects.map(nameOf);
    if (!isClosedBetween(theatre, suspects, names))
      throw gap(`all is open, and the server alone is named: ${opened.verdict.text}`);
    return 'server';
  }
  if (opened) return 'named';
  const end = whyNothing(theatre, seen, names);
  if (end === 'stopped' && !checks && !theatre.stopped!.who.startsWith('inbox '))
    throw gap(`${theatre.stopped!.who} has checked something`);
  return end;
}

/** Where clients differ in what is committed. */
function seenIn(theatre: Theatre): Subject[] {
  const committed = theatre.epochs.map(({ epoch }) => epoch);
  return [...divergences(theatre)].filter(({ epoch }) => committed.includes(epoch));
}

/** It has seen no leaf of that epoch, or behind it. */
function isBehind(theatre: Theatre, { mailbox, epoch }: Subject): boolean {
  const leaves = leavesOf(theatre, Buffer.from(mailbox)).map(({ leaf }) => readMailboxLeaf(leaf));
  return leaves.every((leaf) => leaf.epoch < epoch);
}

/** Whether one of these misses what another one of them has, or has another message at its place; or anybody one that is not for it. */
function isProvenBy(theatre: Theatre, subject: Subject, clients: readonly Buffer[]): boolean {
  const isIn = (id: Uint8Array) => clients.some((each) => each.equals(id));
  const { mailbox, others = [] } = subject;
  const isAnother = (id: Uint8Array) => isIn(id) && !equalBytes(id, mailbox);
  if (isStray(subject)) return true;
  return isIn(mailbox) && others.some(isAnother) && !isBehind(theatre, subject);
}

/** Whether something that one of the suspects was given is opened by nobody. */
function isClosedBetween(
  theatre: Theatre,
  suspects: readonly string[],
  refusing: readonly string[],
): boolean {
  return theatre.acts.some((act) =>
    act.outputs.some((_, output) => {
      const consumer = holders(act, output)[1];
      return consumer && suspects.includes(consumer) && !isOpen(act, output, refusing);
    }),
  );
}

function whyNothing(theatre: Theatre, seen: readonly Subject[], refusing: readonly string[]): End {
  const reasons = new Set(seen.map((each) => reasonOf(theatre, each, refusing)));
  for (const reason of ['closed', 'word', 'behind'] as const) if (reasons.has(reason)) return reason;
  if (theatre.stopped) return 'stopped';
  return theatre.sent.every((sent) => theatre.placeOf(sent)) ? 'unharmed' : 'word';
}

/** Throws where there is none. */
function reasonOf(theatre: Theatre, subject: Subject, refusing: readonly string[]): End {
  const { mailbox, epoch, inbox, index } = subject;
  const { outbox } = theatre.world.placement(Buffer.from(mailbox));
  const act = theatre.act(epoch, ROLE.inbox, inbox);
  const row = rowsOfInbox(act)[index];
  const held = heldBy(theatre);
  const entry = entryAt(held.get(toHex(mailbox))!, subject);
  const gap = new Error(`nothing is proven of ${epoch}.${inbox}.${index}`);
  if (isStray(subject) || (entry && whoHasAnother(held, subject, entry).length > 0)) throw gap;
  if (isMissed(subject) && isBehind(theatre, subject)) return 'behind';
  const isWord = row && entry?.equals(row) && !theatre.sent.some(({ hash }) => hash.equals(row));
  if (isWord) return 'word';
  const column = [`inbox ${inbox}`, `router ${inbox}`, `receiver ${outbox}`, `outbox ${outbox}`];
  if (isClosedBetween(theatre, column, refusing)) return 'closed';
  throw gap;
}

// ---- what is kept of it

/** How all of them end, with checks and without: a letter for each. */
export interface Ends {
  readonly name: string;
  readonly unchecked: string;
  readonly checked: string;
}

/** Plays one league of so many, from the given one on; of the others it is as is kept. */
export function playShare(every: number, first: number): Ends[] {
  const kept = keptEnds();
  return LEAGUES.map(({ name, leagues }, row) => {
    const { unchecked, checked } = kept[row]!;
    const letters = (known: string, checks: boolean) =>
      leagues.map((league, i) => (i % every === first ? ENDS[endOf(league, checks)] : known[i]!)).join('');
    return { name, unchecked: letters(unchecked, false), checked: letters(checked, true) };
  });
}

export function playAll(told: (name: string, done: number, of: number) => void): Ends[] {
  return LEAGUES.map(({ name, leagues }) => {
    const letters = (checks: boolean) =>
      leagues.map((league, i) => {
        told(`${name}, ${checks ? 'with' : 'without'} checks`, i, leagues.length);
        return ENDS[endOf(league, checks)];
      });
    return { name, unchecked: letters(false).join(''), checked: letters(true).join('') };
  });
}

/** Written by `npm run docs:accountability`: docs/ACCOUNTABILITY.md counts these letters. */
const KEPT = fileURLToPath(new URL('../../../test/byzantine/leagues.json', import.meta.url));

export function keptEnds(): Ends[] {
  return JSON.parse(readFileSync(KEPT, 'utf8'));
}

export function keepEnds(ends: readonly Ends[]): void {
  writeFileSync(KEPT, `${JSON.stringify(ends, null, 2)}\n`);
}
