/** Evidence against an actor about one message in an epoch of 10,000: how large it is. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { accuse } from '../../src/protocol/evidence/accuse.js';
import { readItemPage } from '../../src/protocol/evidence/leaves.js';
import { type Claim, PAGE_ENTRIES, ROLE } from '../../src/protocol/index.js';
import type { Act } from '../byzantine/acts.js';
import { CHEATS } from '../byzantine/cheats.js';
import { preimage, recipientOf } from '../byzantine/play.js';
import { Theatre } from '../byzantine/theatre.js';
import { bothSay } from '../support/verdicts.js';

const MESSAGES = 10_000;
const test = suite('size of evidence');

/** The pages of a router or receiver that hold a mailbox, and those beside them. */
function around(theatre: Theatre, act: Act, output: number, mailbox: Buffer): Claim[] {
  const leaves = act.outputs[output]!;
  const holds = leaves.map((leaf) => readItemPage(leaf, act.role).some((row) => mailbox.equals(row.mailbox)));
  const wanted = leaves.flatMap((_, i) => (holds[i - 1] || holds[i] || holds[i + 1] ? [i] : []));
  return wanted.map((i) => theatre.claim(act, output, i));
}

for (const [role, name] of [
  ['router', 'drop for one recipient'],
  ['receiver', 'alter the committed hash'],
] as const)
  test(`${role}: ${name}`, () => {
    const cheat = { ...CHEATS.find((each) => each.role === role && each.name === name)!, round: 1 };
    const theatre = new Theatre({ cheats: [cheat], checks: false });
    const { alice, bob, dave, carol } = theatre.cast;
    // The first is the one that cheats are about.
    for (const to of [bob, carol, carol]) theatre.send(alice, [to, dave]);
    for (let i = 3; i < MESSAGES; i++) theatre.send(i % 2 === 0 ? alice : dave, [i % 24]);
    theatre.epoch();
    const sent = theatre.sent[0]!;
    const { inbox, index, epoch } = theatre.placeOf(sent)!;
    const mailbox = theatre.client(bob);
    const { outbox } = theatre.world.placement(mailbox);
    const acts = [ROLE.inbox, ROLE.router].map((each) => theatre.act(epoch, each, inbox));
    const receiver = theatre.act(epoch, ROLE.receiver, outbox);
    const claims = [
      theatre.claim(acts[0]!, 0, Math.floor(index / PAGE_ENTRIES)),
      ...around(theatre, acts[1]!, outbox, mailbox),
      ...around(theatre, receiver, 0, mailbox),
      theatre.claim(theatre.act(epoch, ROLE.router, 1 - inbox), outbox, 0),
    ];
    const message = preimage(theatre, sent);
    const recipients = [recipientOf(sent, mailbox)];
    const subject = { mailbox, epoch, inbox, index, message, recipients };
    const found = accuse(
      { manifests: theatre.manifests, claims, subject },
      theatre.world.serverId,
      theatre.rootKey,
    );
    if (found?.verdict.outcome !== 'actor') throw new Error('nobody is named');
    assert.is(found.verdict.role, ROLE[role]);
    assert.equal(bothSay(found.evidence, theatre.world.serverId, theatre.rootKey), found.verdict);
    assert.ok(found.evidence.length < 20_000, `${found.evidence.length} bytes`);
    console.log(`${role}: ${name}: ${found.evidence.length} bytes of evidence`);
  });

test.run();
