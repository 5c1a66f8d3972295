/**
 * What lying clients show of servers whose actors did nothing wrong, or of one that did to others than it harmed; and
 * what the verdict says.
 */

import { address } from '../../src/actors/messages.js';
import { accuse } from '../../src/protocol/evidence/accuse.js';
import { readMailboxLeaf } from '../../src/protocol/evidence/leaves.js';
import type { Verdict } from '../../src/protocol/evidence/verdict.js';
import { type Claim, encodeAck, ROLE } from '../../src/protocol/index.js';
import { bytesOf } from '../support/evidence-world.js';
import { bothSay } from '../support/verdicts.js';
import * as twin from '../twin/index.js';
import { named } from '../worlds.js';
import type { Cheat } from './cheat.js';
import { CHEATS } from './cheats.js';
import { leavesOf, opening, play, preimage, recipientOf } from './play.js';
import type { SentMessage, Theatre } from './theatre.js';

export interface Lie {
  readonly name: string;
  /** What becomes of each try. Null: nothing was found to be tried. */
  readonly tell: () => readonly (Verdict | null)[];
}

/** What is proven by some claims, with what a client says of them. */
function accused(theatre: Theatre, claims: readonly Claim[], more: object = {}): Verdict | null {
  const { manifests, checkpoints, world, rootKey, leaked } = theatre;
  const messages = theatre.sent.map((sent) => preimage(theatre, sent));
  const statements = leaked.map(({ bytes, signature }) => ({ attestation: bytes, signature }));
  const file = { manifests, checkpoints, messages, statements, claims, ...more };
  return accuse(file, world.serverId, rootKey)?.verdict ?? null;
}

const honest = () => play([], true).theatre;

/** A crash before the second epoch is committed, and nothing else: all that was signed of it is in somebody's hands. */
const CRASH: Cheat = { name: 'crash', role: 'inbox', before: (theatre) => theatre.crash() };

// ---- what is told of messages

/** That a message is missing, or should not be there: it or another one, at its place or the next, for whom it was or not. */
function* subjects(theatre: Theatre, about: SentMessage, mailboxes: readonly Buffer[]) {
  const place = theatre.placeOf(about)!;
  for (const mailbox of mailboxes)
    for (const sent of [about, theatre.sent[3]!])
      for (const index of [place.index, place.index + 1])
        for (const recipients of [
          [],
          sent.message.recipients.slice(0, 2).map((each) => recipientOf(sent, each.mailbox)),
        ])
          yield {
            subject: {
              ...{ mailbox, epoch: place.epoch, inbox: place.inbox, index, recipients },
              message: preimage(theatre, sent),
              others: mailboxes,
            },
          };
}

/** Alice says that Bob was to get what he did not, and Bob that he did not; what he got in that epoch he hides. */
function hiding(): (Verdict | null)[] {
  const theatre = honest();
  const { alice, bob } = theatre.cast;
  const pair = [theatre.client(alice), theatre.client(bob)];
  const [hers, his] = pair.map((id) => leavesOf(theatre, id)) as [Claim[], Claim[]];
  const second = theatre.act(2, ROLE.outbox, 0).signed.bytes;
  const shown = his.filter(({ attestation }) => Buffer.compare(attestation, second) !== 0);
  return [...subjects(theatre, theatre.sent[2]!, pair)].map((more) =>
    accused(theatre, [...hers, ...shown], more),
  );
}

/** The same, hiding nothing, with all that holders open of it. */
function insisting(): (Verdict | null)[] {
  const theatre = honest();
  const { alice, bob, bystander } = theatre.cast;
  const ids = [alice, bob, bystander].map((i) => theatre.client(i));
  const own = ids.flatMap((id) => leavesOf(theatre, id));
  return [...subjects(theatre, theatre.sent[2]!, ids)].map((more) =>
    accused(theatre, [...own, ...opening(theatre, more.subject, [])], more),
  );
}

// ---- what is true, elsewhere or no more

/** Proof against an outbox, shown to another server of the same operator, and by another root key. */
function replayed(): Verdict[] {
  const cheat = CHEATS.find(({ name, role }) => name === 'equivocate to two clients' && role === 'outbox')!;
  const { theatre, opened } = play([cheat], false);
  const { evidence } = opened!;
  const { world, rootKey } = theatre;
  const again = twin.manifestBytes({ ...world.manifest, nonce: named('another nonce') });
  return [
    bothSay(evidence, twin.manifestHash(again), rootKey),
    bothSay(evidence, world.serverId, twin.publicKeyOf(named('another root'))),
  ];
}

/** Bob acknowledges what he got, which is deleted; he says that it never came, with leaves from before and after. */
function deleted(): (Verdict | null)[] {
  const theatre = honest();
  const { alice, bob } = theatre.cast;
  const mailbox = theatre.client(bob);
  const { outbox } = theatre.world.placement(mailbox);
  const frame = encodeAck([{ slot: bob, epoch: theatre.epochs[1]!.epoch }]);
  theatre.pipeline.tell(address('outbox', outbox), { type: 'ack', connection: 1, frame });
  theatre.ask(bob);
  theatre.send(alice, [theatre.cast.carol]);
  theatre.epoch();
  const stills = theatre.act(4, ROLE.outbox, outbox).outputs[0]!.map(readMailboxLeaf);
  if (!stills.some((leaf) => leaf.kind === 'still' && leaf.trimmedThrough === 2))
    throw new Error('nothing was deleted');
  const own = [mailbox, theatre.client(alice)].flatMap((id) => leavesOf(theatre, id));
  const without = own.filter(({ logIndex }) => logIndex !== 1);
  const lies = [...subjects(theatre, theatre.sent[2]!, [mailbox])];
  return [accused(theatre, own), ...lies.map((more) => accused(theatre, without, more))];
}

function uncommitted(): (Verdict | null)[] {
  return [true, false].flatMap((checks) => {
    const { theatre, clients, opened } = play([CRASH], checks);
    if (theatre.leaked.length < 10) throw new Error('nothing leaked');
    return [clients?.verdict ?? null, opened?.verdict ?? null];
  });
}

// ---- what a client signs

/**
 * Two submissions of one client, each with another message of one counter, as rule 15 took them for its fault once. An
 * honest client signs such two whenever it is told that the first was refused.
 */
function twoSubmissions(): Verdict[] {
  const { manifests, world, rootKey, cast } = honest();
  const { serverId } = world;
  const { id: sender, secret } = world.clients[cast.alice]!;
  const submissions = ['one', 'other'].map((name) => {
    const messageHashes = [named(name)];
    const signed = twin.submissionSigned({ serverId, sender, firstCounter: 3n, messageHashes });
    const page = twin.submissionPage(messageHashes);
    return {
      signed,
      bytes: twin.join(bytesOf(signed), twin.sign(secret, signed), bytesOf(page), twin.u8(0)),
    };
  });
  const [first, second] = submissions.sort((a, b) => Buffer.compare(a.signed, b.signed));
  const [{ bytes, signature }] = manifests as [(typeof manifests)[number]];
  const manifest = twin.join(twin.u8(1), bytesOf(Buffer.from(bytes)), signature);
  const rule = twin.join(twin.u8(15), twin.u64(3n), first!.bytes, second!.bytes);
  const evidence = twin.join(twin.ascii('csign1ev'), manifest, rule);
  return [bothSay(evidence, serverId, rootKey)];
}

export const LIES: readonly Lie[] = [
  { name: 'two clients say that a message was lost, and hide what came', tell: hiding },
  { name: 'the same of a bystander, too, and all of it opened', tell: insisting },
  { name: 'replayed evidence: of another server, or for another operator', tell: replayed },
  { name: 'evidence from before a deletion', tell: deleted },
  { name: 'leaked statements of an uncommitted epoch', tell: uncommitted },
  { name: 'two submissions of one counter, with other messages', tell: twoSubmissions },
];

/** Lies that are told in other tests, and what the verdict says there. */
export const ELSEWHERE: readonly (readonly [lie: string, says: string, where: string])[] = [
  [
    'evidence with a newer manifest withheld',
    'nothing is proven: *another manifest*',
    '`test/counterexamples.test.ts`, *a routing that a newer manifest allows*',
  ],
  [
    'keys of small order among the actors of a manifest',
    'nothing is proven: no manifest has them',
    '`test/counterexamples.test.ts`, *keys of small order or with torsion*',
  ],
  [
    'signatures on the edges of all implementations',
    'one rule, whichever library checks',
    '`test/crypto.test.ts`, on vectors',
  ],
  [
    'edited, cut off or extended bytes; fields of other evidence put in',
    'nothing is proven, or unreadable',
    '`test/verdict-differential.test.ts`, bytes of every case of evidence',
  ],
  [
    'made-up messages of two clients in league; a recipient that a message was not for',
    'nothing is proven',
    '`test/counterexamples.test.ts`, *a client cannot frame an actor with its own word* and *what a message is for is shown by its own hash*',
  ],
  [
    'a lying client beside crashes and lost connections',
    'nobody was named in any run',
    '`test/simulation/`, at the end of each run',
  ],
];

/** In a word or two, whom what was tried has named. */
export function outcomeOfLie({ tell }: Lie): {
  readonly tries: number;
  readonly outcomes: readonly string[];
} {
  const said = tell().map((each) => (each && each.outcome !== 'unreadable' ? each.outcome : 'nothing'));
  return { tries: said.length, outcomes: [...new Set(said)].sort() };
}
