/** docs/ACCOUNTABILITY.md: what becomes of every cheat, as the plays have just shown it. */
import type { Accusation } from '../../src/protocol/evidence/accuse.js';
import { nameOf } from '../../src/protocol/evidence/guilt.js';
import type { Cheat } from './cheat.js';
import { CHEATS } from './cheats.js';
import { forked } from './fork.js';
import { type Ending, play } from './play.js';

const ROLES = ['inbox', 'router', 'receiver', 'outbox', 'sequencer'] as const;

export interface Outcome {
  readonly cheat: Cheat;
  /** Honest actors check what they are given, or nobody does. The cheat opens nothing in either. */
  readonly checked: Ending;
  readonly unchecked: Ending;
}

export function outcomeOf(cheat: Cheat): Outcome {
  const refusing = [`${cheat.role} 0`];
  return { cheat, checked: play([cheat], true, refusing), unchecked: play([cheat], false, refusing) };
}

/** All of them. `told` is called with how many are done, of how many. */
export function outcomes(told: (done: number, of: number) => void = () => {}): Outcome[] {
  return CHEATS.map((cheat, i) => {
    told(i, CHEATS.length);
    return outcomeOf(cheat);
  });
}

const size = ({ evidence }: Accusation) => `${(evidence.length / 1000).toFixed(1)} KB`;

function named({ verdict }: Accusation): string {
  if (verdict.outcome === 'actor') return `**${nameOf(verdict)}** by *${inWords(verdict.rule)}*`;
  if (verdict.outcome === 'server') return `the server by *${inWords(verdict.rule)}*`;
  return verdict.outcome;
}

const inWords = (rule: string) => rule.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);

/** Two clients compare: one exchange. Then each holder that opens is another one. */
function cell({ theatre, clients, opened, openings }: Ending): string {
  if (theatre.stopped) return `stopped by ${theatre.stopped.who}`;
  const parts: string[] = [];
  if (clients) parts.push(`clients: ${named(clients)}, ${size(clients)}`);
  if (opened && opened !== clients) parts.push(`${openings} opened: ${named(opened)}, ${size(opened)}`);
  return parts.length > 0 ? parts.join('; ') : 'not seen';
}

function tableOf(all: readonly Outcome[], ending: (outcome: Outcome) => Ending): string[] {
  const names = [...new Set(all.map(({ cheat }) => cheat.name))];
  const rows = names.map((name) => {
    const cells = ROLES.map((role) => {
      const outcome = all.find(({ cheat }) => cheat.name === name && cheat.role === role);
      return outcome ? cell(ending(outcome)) : '—';
    });
    return `| ${name} | ${cells.join(' | ')} |`;
  });
  return [`| cheat | ${ROLES.join(' | ')} |`, '|---|---|---|---|---|---|', ...rows];
}

/** The whole document. */
export function documentOf(all: readonly Outcome[], pairs: PairCount): string {
  const fork = forked();
  return `# Who is found out, and by whom

Written by \`npm run docs:accountability\` from plays with real stages that cheat (\`test/byzantine/\`); a test holds this
page to what they show. In each play one actor cheats in the second of three epochs, about a message from Alice to Bob and
Carol, and refuses to open anything afterwards. First two clients compare what they hold themselves: one exchange. Then
holders open what they keep: an output's maker and its consumers, each opening one more exchange. A cell says what that
proves: who is named in bold, by which rule of [PROTOCOL.md](PROTOCOL.md#the-rules), and how large the evidence is.

## Every actor checks what it is given (\`checks: everywhere\`)

*Stopped by* an actor: it, or the sequencer, has noticed and signed nothing, so the server stops before anything of the
epoch has left it.

${tableOf(all, ({ checked }) => checked).join('\n')}

## No honest actor checks

As with \`checks: process-boundaries\` inside one process, and with a sequencer that logs whatever it is told: clients and
what is opened are all there is. Actors behind the cheat sign what they are given, and vouch for it with that; evidence
names the earliest. What an actor signs for another base or placement, or names as its inputs, is the sequencer's fault
here, because an honest one logs no such epoch.

${tableOf(all, ({ unchecked }) => unchecked).join('\n')}

## Two groups of clients in two worlds

A sequencer that forks its log after the first epoch, and shows each group of clients one branch: when a client of each compares
checkpoints, ${fork.sameSize}; with different sizes, ${fork.otherSize}. No other actor is named by anything in both branches: ${fork.others}.

## Two actors in league

Every two of the cheats of routers, receivers and outboxes that change what becomes of a message (${pairs.plays} plays without checks), both in the second epoch, neither
opens: ${pairs.named} end with one of the two named, ${pairs.server} with the server (maker and consumer of what decides both stay silent), ${pairs.nothing} with nothing that two
clients can show (nobody has a receipt, or both made the same of it). An honest actor was named in ${pairs.framed}.

## Nobody is framed

\`npm run simulate -- --seconds N\` runs the real stages, recovery and client library on simulated networks, disks and clocks, with crashes between
any two steps; at the end of each run everything that stages signed in its newest six epochs is opened from the disk and accused of everything, also with what
a lying client says of it. On a machine busy with other work 4,719 epochs of 80 seeds with 2,501 crashes (every seed was run twice) named nobody. CI runs a minute of fresh
seeds. That is far from the 100,000 epochs that it shall be: a simulated epoch takes some 40 ms.

The verdict itself is held by some 500 cases of evidence, guilty and innocent, on which a second verifier, written from the specification alone, says
the same (\`test/verdict-differential.test.ts\`), also with their bytes changed; and by mutants: of 1,531 changes of the code of claims, evidence and verdicts
(\`npm run mutate\`, texts left alone) those cases noticed 1,362, 89 %, when it was last run as a whole; of the 169 others 136 are noticed since, 8 went with checks that nothing needed, and 25
are explained in \`test/mutation/survivors.md\`.

## What cannot be proven

- *Drop for all by the router*: its sender has no receipt, so two clients have nothing to compare; it is proven as soon as
  somebody opens. Before a receipt suppression is silence.
- *Inject* and *duplicate*: the mailbox's owner sees an entry that is no message to it, which proves nothing by itself; what
  is opened does.
- An inbox that invents a message, or commits to another hash than it was sent, where submissions are unsigned: its word against the
  sender's.
- An output that is wrong and that maker and consumer both refuse to open: the server is exposed, the actor is not.
- On one store what maker and consumer keep is one copy, from which an opening is computed anew: it is what an honest stage signed. Where a stage has
  cheated, those whose output does not come out of that copy open nothing, as if they refused; the plays take it that holders have kept what they got.
- A page or leaf above 8,192 bytes has no form in evidence: clients refuse it, and what it should have been is never opened.
- Whoever may ask about its own mailbox is shown the neighbours' rows of the page, up to 63, and can choose a key that sorts beside somebody's: openings show
  who else had mail in an epoch, and its hashes.
- The client does not hold an opening's checkpoint against its own log: a fork that shows in openings alone goes unnoticed.
- A server that runs from an old copy of its data directory signs epochs again until a client that knows better connects; that convicts its actors, and they are the operator's.
- A sender that numbers a message again, because one before it in the frame was refused, has signed two submissions with one counter, which
  rule 15 takes for its fault: submissions are off by default until the rule asks for two that were taken in.
- Openings show no submission yet, though it is kept: who invents a message where submissions are signed is not shown by the client library.
- A client that has lost its store may sign two submissions with one counter after a crash of the server: before submissions are required that needs a way out.
- Placement with exceptions, and manifests after the first, are judged only where the rules do not need to know who is placed where.
- Not built yet: stills and openings of clients with a cheat that denies with a still; two submissions of one client in a play;
  a claim of one's own skipped counter found by the client library.
`;
}

export interface PairCount {
  readonly plays: number;
  readonly named: number;
  readonly server: number;
  readonly nothing: number;
  readonly framed: number;
}

const IN_LISTS = [
  'drop for one recipient',
  'drop for all',
  'alter the committed hash',
  'swap two messages',
  'inject',
  'duplicate',
];

/** Every two cheats of two roles that change what becomes of a message. */
function leagues(): [Cheat, Cheat][] {
  const all = CHEATS.filter(({ name, role }) => IN_LISTS.includes(name) && role !== 'inbox');
  return all.flatMap((a, i) =>
    all.slice(i + 1).flatMap((b) => (a.role === b.role ? [] : [[a, b] as [Cheat, Cheat]])),
  );
}

export function playLeagues(told: (done: number, of: number) => void = () => {}): PairCount {
  const count = { plays: 0, named: 0, server: 0, nothing: 0, framed: 0 };
  const all = leagues();
  all.forEach((cheats, i) => {
    told(i, all.length);
    const refusing = cheats.map(({ role }) => `${role} 0`);
    const { opened } = play(cheats, false, refusing);
    count.plays++;
    if (!opened) count.nothing++;
    else if (opened.verdict.outcome !== 'actor') count.server++;
    else if (refusing.includes(nameOf(opened.verdict))) count.named++;
    else count.framed++;
  });
  return count;
}
