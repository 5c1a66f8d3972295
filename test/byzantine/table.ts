/** docs/ACCOUNTABILITY.md: what becomes of every cheat, as the plays have just shown it. */
import type { Accusation } from '../../src/protocol/evidence/accuse.js';
import { nameOf } from '../../src/protocol/evidence/guilt.js';
import type { Cheat } from './cheat.js';
import { CHEATS } from './cheats.js';
import { forked } from './fork.js';
import { ENDS, type End, type Ends } from './leagues.js';
import { ELSEWHERE, LIES, outcomeOfLie } from './liars.js';
import { type Ending, holders, isOpen, type Openings, play } from './play.js';

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

function openedIn({ count, needed, isAll }: Openings): string {
  return `${isAll ? 'all ' : ''}${count} opened, ${needed} needed`;
}

function cell({ theatre, clients, opened, openings }: Ending): string {
  if (theatre.stopped) return `stopped by ${theatre.stopped.who}`;
  const parts: string[] = [];
  if (clients) parts.push(`clients: ${named(clients)}, ${size(clients)}`);
  if (opened && opened !== clients) parts.push(`${openedIn(openings)}: ${named(opened)}, ${size(opened)}`);
  return parts.length > 0 ? parts.join('; ') : 'nothing is proven';
}

/** What is still opened of an actor's outputs when it opens nothing, and what all of that proves. */
export function refusals(): string[] {
  return ROLES.slice(0, 4).map((role) => {
    const name = `${role} 0`;
    const { theatre, opened } = play([], false, [name]);
    const own = theatre.acts
      .filter((act) => nameOf(act) === name)
      .flatMap((act) => act.outputs.map((_, output) => ({ act, output })));
    const open = own.filter(({ act, output }) => isOpen(act, output, [name]));
    const all = own.flatMap(({ act, output }) => holders(act, output));
    const others = [...new Set(all)].filter((each) => each !== name);
    const by = others.length > 0 ? others.join(', ') : 'nobody: owners of mailboxes hold their leaves';
    return `| ${role} | ${open.length} of ${own.length} | ${by} | ${opened ? named(opened) : 'nobody is named'} |`;
  });
}

/** What becomes of who is handed something else than was signed, and does not look, when what was signed is opened. */
export function vouchings(): string[] {
  return CHEATS.filter(({ name }) => name.startsWith(HAND_ON)).map((cheat) => {
    const { role, name } = cheat;
    const endings = [play([cheat], false, [`${role} 0`]), play([cheat], false)];
    return `| ${role} | ${[name, ...endings.map(cell)].join(' | ')} |`;
  });
}

export const HAND_ON = 'hand on ';
const SIGNED_CONTEXT = 'in rows *close …*, *log …*';

/** Where a role could do it and no play of that name does. */
const IN_OTHER_ROWS: Readonly<Record<string, string>> = {
  'inbox: duplicate': 'in row *number twice*',
  'sequencer: equivocate to two clients': '[two worlds](#two-groups-of-clients-in-two-worlds)',
  'sequencer: sign a false count': 'in row *omit a statement*',
  'sequencer: sign another base': SIGNED_CONTEXT,
  'sequencer: sign another manifest': SIGNED_CONTEXT,
  'sequencer: sign another placement': SIGNED_CONTEXT,
  'sequencer: skip an empty attestation': 'in row *omit a statement*',
};

function tableOf(all: readonly Outcome[], ending: (outcome: Outcome) => Ending): string[] {
  const names = [...new Set(all.map(({ cheat }) => cheat.name))];
  const rows = names.map((name) => {
    const cells = ROLES.map((role) => {
      const outcome = all.find(({ cheat }) => cheat.name === name && cheat.role === role);
      return outcome ? cell(ending(outcome)) : (IN_OTHER_ROWS[`${role}: ${name}`] ?? '—');
    });
    return `| ${name} | ${cells.join(' | ')} |`;
  });
  return [`| cheat | ${ROLES.join(' | ')} |`, '|---|---|---|---|---|---|', ...rows];
}

/** Leagues by how they end. */
function leagueTable(ends: readonly Ends[], letters: (ends: Ends) => string): string {
  const kinds = Object.values(ENDS).filter((letter) => ends.some((each) => letters(each).includes(letter)));
  const count = (all: string, letter: string) => [...all].filter((each) => each === letter).length;
  const rows = ends.map((each) => {
    const all = letters(each);
    return `| ${[each.name, all.length, ...kinds.map((letter) => count(all, letter))].join(' | ')} |`;
  });
  const heads = Object.entries(ENDS).filter(([, letter]) => kinds.includes(letter));
  return [
    `| in league | plays | ${heads.map(([end]) => HEADS[end as End]).join(' | ')} |`,
    `|---|---|${'---|'.repeat(heads.length)}`,
    ...rows,
  ].join('\n');
}

const HEADS: Readonly<Record<End, string>> = {
  named: 'one of them is named',
  server: 'the server',
  stopped: 'nothing: *stopped*',
  unharmed: 'nothing: *unharmed*',
  word: 'nothing: *its word*',
  closed: 'nothing: *closed*',
  behind: 'nothing: *behind*',
};

function lies(): string[] {
  const words: Record<string, string> = { nothing: 'names nobody' };
  return LIES.map((lie) => {
    const { tries, outcomes } = outcomeOfLie(lie);
    const said = outcomes.map((outcome) => words[outcome] ?? `names: ${outcome}`).join(', ');
    return `| ${lie.name} | ${tries} | ${said} |`;
  });
}

const UNPROVABLE = `## What cannot be proven

- Before a receipt suppression is silence: *drop for all* shows when a later message of the same sender comes, and its chain skips a counter, or
  when somebody opens.
- *Inject* behind an inbox: the mailbox's owner sees an entry that is no message to it, which proves nothing by itself; what is opened does, and
  so does a client that has another message at that place (as all have in *duplicate*; of *inject* it is the bystander that has to compare).
- *Hand to a mailbox that it is not for*: the server is exposed by the owner's claim together with the message, which its sender and recipients have. A client refuses such a delivery unless it is told as a message of its own,
  and so the library's \`compare\` never comes to it; whoever has the claim's bytes can show them.
- An inbox that invents a message (*inject*), or commits to another hash than it was sent (*alter the committed hash*), where submissions are unsigned: its
  word against the sender's.
- An inbox that drops a message for all, and lets the sender's next one follow a place in an epoch that was never committed: the sender's chain skips a counter, which exposes the
  server. Of an epoch that it has signed its own statement names it (*previous place*); that there was no such epoch, the sequencer could have told it otherwise.
- *Serve a stale checkpoint*: it is true. Who has it is behind, as whoever compares with it sees, and so suspects the server; what is older than the client's own it refuses.
- An output that is wrong and that maker and consumer both refuse to open: the server is exposed, the actor is not. So it is of routers and receivers, and of receivers and outboxes, in league.
- *Equivocate to two neighbours*: as long as the sequencer is honest nothing of the epoch is logged, and the server stops. In these plays it is in league, and the neighbour has kept what it was given: that names the
  maker. The stages themselves store no statement that they are given, but its hash in their own (*inputs*), so that after a restart nobody has the second one. Without it the maker is not named: where both outputs are opened the
  sequencer is, by *log inputs*, as what it logged of the neighbour was made of something else; where not, the server is exposed.
- *Hand on …*: of actors that do not check each other, as by default those of one process, nobody can show which of two neighbours is at fault when the maker signs one thing and hands on another. The neighbour has
  signed something else than what it was given is signed to be, and is named for it, though it has done what it was told: such actors vouch for one another. Where the maker opens nothing of it, the server is exposed. With \`checks: everywhere\` it is not to be done.
- *Drop after receipt* names the outbox with its statement about the epoch, which is in the claims of its other mailboxes that had mail then. Where none had, the sequencer
  alone keeps it, there is no frame to ask for it, and the server is exposed.
- On one store what maker and consumer keep is one copy, from which an opening is computed anew: it is what an honest stage signed. Where a stage has
  cheated, those whose output does not come out of that copy open nothing, as if they refused; the plays take it that holders have kept what they got.
- A page or leaf above 8,192 bytes has no form in evidence: clients refuse it, and what it should have been is never opened.
- Whoever may ask about its own mailbox is shown the neighbours' rows of the page, up to 63, and can choose a key that sorts beside somebody's: openings show
  who else had mail in an epoch, and its hashes.
- The client holds an opening's checkpoint against its own log, and has evidence of a fork that shows in openings alone. A server that opens under a smaller checkpoint than the
  client knows, or refuses to open the epoch behind that, leaves it open (\`continues\` is 0): it is suspected.
- A server that runs from an old copy of its data directory signs epochs again until a client that knows better connects; that convicts its actors, and they are the operator's.
- An inbox that names a hash of no submission, and opens none, is suspected. It is named when the sender's next message comes, with the counter that was
  taken; a sender that sends no more cannot show that it has not signed.
- A signed message that is altered to bytes that nobody has is shown by the submission alone, where that is of 64 messages at the most; a larger one has pages
  that do not fit into evidence together.
- Clients of these plays show what they have signed; the client library does not keep that, and shows what the inbox opens. An inbox that shows nothing is suspected.
- Only an inbox keeps submissions: routers check a message's hash, with \`checks: everywhere\`, and not who has signed it. Audits do, of what the inbox has kept: what it has not kept they miss, and name nobody
  for it.
- An audit knows who a message was for only while its bundle is kept. What a router has dropped for its only recipient, or for all of them, is kept by nobody from the first, and what
  all who got it have acknowledged is gone: audits count these messages, and hold no router against them. Their senders and recipients can, when they compare.
- Placement with exceptions is judged only where the rules do not need to know who is placed where.
- Where an id was moved between two statements about it, the hand-over that both actors have signed says which of them is guilty (PROTOCOL.md, *Hand-overs*). As long as it is not shown, or where the key of that actor was changed in between, a message that was lost exposes the server, and
  anything else proves nothing. A client asks for it when it complains of a lost message; audits look at all of them.
- A client refuses a delivery in which its own chain skips a counter. One with vectors holds evidence of it by itself: it keeps the claims of its links, what was hashed of the
  messages in them, and what leads through the log to the newest checkpoint. It then asks for 30 seconds at the most, over a socket of its own, what the inbox has signed of the later message and of the place
  that this goes on from, and what the stages have of its own mailbox there: where they open that, the evidence is of the actor, else of the server (\`test/own-chain.test.ts\`). Without vectors, or with \`headsOnly\`, or where the message before
  the skip is let go, and no stage opens what is wrong with the later one, it has nothing that shows it to others: the server is suspected (\`suspicion\`).
- So it does where its own chain shows another message than it has sent, or one that it has not: a client with vectors asks in the same way what the stages have signed of that place. Where senders
  sign, an inbox that altered it or put it in is named; a stage behind it, or the server, where they differ. Where senders do not sign (\`submissions: off\`), or the inbox says with \`accepted\` that nobody did, it is the sender's
  word against the inbox's: the server is suspected.
`;

const COSTS = `
## What it costs

Measured by \`npm run costs\` over real sockets, on an idle machine with two cores: time is of that machine, the rest is not. Everything is verified; epochs
are small, as the sender waits for receipts of 64 messages. Bodies have 128 bytes, and 100 peers write to one client.

| what | how much |
|---|---|
| CPU of a client per received message, verified | 70 µs, 21.9 in an epoch |
| … that can compare (\`keepEpochs: 1024\`) | 178 µs, 21.9 in an epoch |
| … that can only notice (\`headsOnly\`) | 146 µs, 21.9 in an epoch |
| proof per received message, beyond its body | 105 bytes |
| a block, wherever the application puts one | 97 bytes; 12 µs to make, 8.1 µs to check |
| … per message to one, by \`frame\` | 18 bytes on average, 10 to 139 |
| … per message to 50, by \`frame\` | 413 bytes on average, 10 to 1,042 |
| … and with a roster (\`rosters: true\`), to 50 | 3,647 bytes on average, 3,244 to 4,276 |
| memory per peer | 1,287 bytes |
| memory of what is kept to compare | 17.2 MiB after 30,000 messages (\`bytes\`: 16 MiB at most) |
| a dispute over one message among 1,601 epochs | 38 frames, 7,708 bytes, about 0.1 s |
| its evidence | 2,712 bytes; judged in 4.9 ms |
| the complaint about it | 2 of the stages stayed closed, 71 ms |
| kept for openings per message, to one recipient, 16 in a frame | 161 bytes |
| … one in a frame | 447 bytes |
| … alone in its epoch | 1,921 bytes |
| … to ten, 16 in a frame | 597 bytes |
| … to ten, one in a frame | 879 bytes |
| … with \`submissions: off\`, to one, 16 in a frame | 154 bytes |
| … with \`submissions: off\`, to one, one in a frame | 340 bytes |

In each of these epochs nearly every message is from another peer, so that each costs a digest of its own. Alone in its epoch, on a socket of its own, a message has
some 900 bytes of proof (\`test/delivery-size.test.ts\`). What \`frame\` adds to a message's body: 10 bytes, and 129 for each block. A peer has one in every 16th message to it (\`blockEvery\`), and a message has eight at the most, so of 16
to a group of 50 the first six have eight each and the seventh two. A roster has 64 bytes for each member, and is in every message to several. What a server keeps for openings is told of what its stages write in an epoch in which each of 100 mailboxes sends one
frame, or one of two does, at one inbox and one outbox, after all is acknowledged. Frames are signed there, as the default (\`submissions: required\`) has it, where nothing else is said (\`test/openings.test.ts\` holds the
[budget](ARCHITECTURE.md#openings)). \`bytes\` of vectors is an estimate of what objects weigh.
`;

/** What is said of actors in league, which npm test holds to the letters that are kept. */
export function leaguesSection(ends: readonly Ends[]): string {
  return `## Actors in league

Plays with two actors or three that cheat, without checks and with. They cheat in the second epoch where nothing else is said, and none of them opens anything. Routers, receivers and outboxes each commit one of the cheats in the
first six rows, which change what becomes of a message; an inbox one of those that it can; a sequencer any of its own. A row has all that its name allows. Who cheats is number 0 of its role; of two of one role
the other is the inbox or router of Dave, who sends as much as Alice then, or the receiver or outbox of Carol. In plays of two epochs the third is like the second; about the chain an outbox cheats as in the rows
*break a chain …*, *deny with a later still* and *drop after receipt*. With who hands a message to whom it is not for, another one commits one of all these cheats, or the same, or only refuses to open.

In no play does anything that is proven on the way name anybody else, and both verifiers say the same of all of it; but without checks an actor behind the league that signs something malformed which it was given is guilty
of that, too, and one of the league is named beside it. Wherever two of Alice, Bob and Carol differ at a place, and neither is behind, or any mailbox has a known message that is neither from nor for it, what they hold themselves convicts the server at least. A play that breaks this, or ends in another way than these or without
the reason that is told here, stops the test:

- *The server*: something that one of the suspects was given has both its maker and its consumer in the league, and stays closed (a router's output is kept by itself and by the receiver that it is for; an inbox's by itself and its router).
- *Stopped*: an actor, or the sequencer, has noticed and signed nothing, so nothing of the epoch has left the server. Without checks it is an inbox, at what the sequencer closes an epoch with.
- *Unharmed*: everybody has what was sent to it, each message at its place, and nothing else, as where two swap the same two messages: nobody has anything to ask for.
- *Its word*: submissions are not signed, and an inbox has taken in something else than was sent, or has left it out; what chains have there is what its rows say. That is its word against the sender's.
- *Closed*: a chain has something at a place where no other has anything, or none has what was sent, and something that an actor between was given stays closed, as above.
- *Behind*: who misses a message was served a log that is true and ends before it, and holds nothing of later epochs.

No honest actor checks:

${leagueTable(ends, ({ unchecked }) => unchecked)}

Every honest actor checks:

${leagueTable(ends, ({ checked }) => checked)}

Not run: the sequencer with two of different cheats; two of one role with different cheats and a third; four and more; three in several epochs. Of leagues of two and three with any cheats of the tables above, \`npm test\` plays some by
chance, but for those that an honest sequencer does not log, and those that hand on something else than they have signed, and holds them to the same.
`;
}

/** The whole document. */
export function documentOf(all: readonly Outcome[], ends: readonly Ends[]): string {
  const fork = forked();
  return `# Who is found out, and by whom

Written by \`npm run docs:accountability\` from plays with real stages that cheat (\`test/byzantine/\`); a test holds this
page to what they show. In each play one actor cheats in the second epoch or behind it, about a message from Alice to Bob and
Carol, and refuses to open anything afterwards; the actor is number 0 of its role. First (*clients*) Alice, Bob and Carol show each other the leaves that they hold, for each message
that one of them misses, or has and should not; and all of theirs at once. Of a message in a mailbox that it is not for, the owner shows its own with them. With these go statements that somebody was told beside those that are logged, and whatever clients have sent and signed. Then,
for each message that any of the 24 clients misses, or has and should not, its holders *open* what they keep of its way through the stages: an output's maker and its consumers. Where
no message says what to ask for, they open *all* that they keep of the three epochs, which is more than a client may ask for. Who was given another statement than is logged shows that, too. A cell says how many leaves (and statements without) were opened,
how many of them stand in the evidence and were *needed*, and what that proves: who is named in bold, by which rule of [PROTOCOL.md](PROTOCOL.md#the-rules), and how large the evidence is.
Where a cheat's name begins with *submissions required* the manifest says so, and clients sign what they submit; elsewhere nothing is signed.
*Nothing is proven* has its reason under [what cannot be proven](#what-cannot-be-proven). — is what a role cannot do, as it has no such thing to do it with.

## Every actor checks what it is given (\`checks: everywhere\`)

*Stopped by* an actor: it, or the sequencer, has noticed and signed nothing, so the server stops before anything of the
epoch has left it.

${tableOf(all, ({ checked }) => checked).join('\n')}

## No honest actor checks

As with \`checks: process-boundaries\` inside one process, and with a sequencer that logs whatever it is told: clients and
what is opened are all there is. Actors behind the cheat sign what they are given, and vouch for it with that; evidence
names the earliest that has signed something wrong. That is the cheat as long as it hands on what it has signed; where it hands on something
else, it is who was given that and did not look (rows *hand on …*, and [below](#who-hands-on-something-else-than-it-has-signed)). What an actor signs for another base, manifest or placement, or names as its inputs, or does not sign at
all, is the sequencer's fault here, because an honest one logs no such epoch.

${tableOf(all, ({ unchecked }) => unchecked).join('\n')}

## Who only refuses to open

In every play above the cheat opens nothing. One that does nothing else is suspected for as long as it refuses, and hides nothing:

| role | its outputs that are opened all the same | by | all of it proves |
|---|---|---|---|
${refusals().join('\n')}

## Who hands on something else than it has signed

What it has signed is right, and its neighbour has a wrong one under that statement. A neighbour that checks stops. One that does not, as by default inside one process, vouches for what it was given: it is the first that
has signed something wrong, and is named when what was signed is opened. It cannot show that it was given something else, as nothing of that is signed.

| role | cheat | it opens nothing | it opens what it has signed |
|---|---|---|---|
${vouchings().join('\n')}

## Two groups of clients in two worlds

A sequencer that forks its log after the first epoch, and shows each group of clients one branch: when a client of each compares
checkpoints, ${fork.sameSize}; with different sizes, ${fork.otherSize}. No other actor is named by anything in both branches: ${fork.others}.

${leaguesSection(ends)}
## Clients that lie

What clients show to have somebody named who did nothing, alone and in league with each other and with other actors. A lie that is told in a play is told in several ways.

| lie | tried | the verdict |
|---|---|---|
${lies().join('\n')}

Told in other tests:

| lie | the verdict | where |
|---|---|---|
${ELSEWHERE.map((row) => `| ${row.join(' | ')} |`).join('\n')}

## Nobody is framed

\`npm run simulate\` runs the real stages, recovery and client library on simulated networks, disks and clocks, with crashes between
any two steps; in every fourth run a client lies on the wire, and in every fourth an inbox, router, receiver or outbox lies to neighbours that
check; in every twelfth of the others a sequencer lies about the log, or an outbox about the chains that it remembers; in every fourth run actors get new keys now and then; in every fourth there are
other numbers of inboxes and outboxes now and then, up to eight times, and ids go to others. At the end of each run every epoch that is still kept is opened from the disk and accused of everything, also with what liars
say of it: statements of epochs that never were committed, claims from before things were deleted, changed bytes, messages that were
not for who misses them. Nobody but an actor that has lied may be named, and nothing that was receipted may be lost but in its hands. Every seed is run twice; epochs are counted once.

CI runs eight fresh seeds, and then 100,000 epochs of the seeds from 413947807 on (\`--seed 413947807 --total 100000 --epochs 100\`), of which any change of what is simulated makes other
runs; and some with clients that compare. With this version these are 1,057 seeds with 100,137 epochs (45,861 with messages), 76,737 crashes, 1,002 changes of keys, 2,035 moves, 5,205 lies of 242
clients and 2,830 of 296 actors, of whom 94 were named; nobody else. Longer runs on the way to it found two faults by which a client takes an honest server for a false one, and leaves it: seeds 500000210
and 413948233, mended, and kept in \`test/simulation/seeds.json\`. \`npm run simulate -- --total 1000000 --epochs 100 --record million.jsonl\` is the long run, which can be ended and gone on with: it takes
four hours of two idle cores. It was made whole: 1,000,116 epochs (452,751 with messages) of the 10,607 seeds from 413947807 on, with 2,837,512 messages, 772,307 crashes, 9,402 changes of keys,
19,694 moves, 58,801 lies of 2,649 clients and 28,071 of 3,099 actors, of whom 839 were named; nobody else. Most lies of actors are noticed by their neighbours, which stop the server, so that nothing of the epoch leaves it.

The verdict itself is held by more than 900 cases of evidence, guilty and innocent, on which a second verifier, written from the specification alone, says
the same (\`test/verdict-differential.test.ts\`), also with their bytes changed; and by mutants: of 2,061 changes of the code of claims, evidence and verdicts
(\`npm run mutate\`, a quarter of an hour, texts left alone) those cases notice 1,938, 94 %. Of the 123 others 45 are in two functions that no verdict calls, and all are
explained in \`test/mutation/survivors.md\`.

${UNPROVABLE}${COSTS}`;
}
