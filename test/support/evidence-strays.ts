/** Evidence of rule 18 about a message that one column has for a mailbox that it is not for: guilty and innocent variants. */
import * as twin from '../twin/index.js';
import { named } from '../worlds.js';
import { caseIn, type EvidenceCase, linkOf, oneOf, stillOf } from './evidence-leaves.js';
import { type About, findClient, pages, type Scene, subjectOf, witnessOf } from './evidence-stages.js';
import { type Epoch, Log, type Made, recipientOf, saidBy } from './evidence-world.js';

interface Column {
  readonly role: number;
  readonly actor: number;
  readonly output?: number;
  /** Of the log that it is committed in. */
  readonly size?: number;
}

const ROUTER: Column = { role: 2, actor: 0, output: 1 };
const RECEIVER: Column = { role: 3, actor: 1 };
const OUTBOX: Column = { role: 4, actor: 1 };

/** Clients of Bob's outbox, by where they sort; with the recipients that show that the message is not for them. */
function strangers({ world, bob, carol, message }: Scene) {
  const stranger = (fits: (id: Buffer) => boolean) => findClient((n) => world.client(0, 1, n).id, fits);
  const [r0, r1] = [recipientOf(message, 0), recipientOf(message, 1)] as [Buffer, Buffer];
  const below = stranger((id) => Buffer.compare(id, bob.id) < 0);
  const between = stranger((id) => Buffer.compare(id, bob.id) > 0 && Buffer.compare(id, carol.id) < 0);
  const above = stranger((id) => Buffer.compare(id, carol.id) > 0);
  return { r0, r1, below, between, above };
}

/** Epoch 7, in which all three stages have the message for these mailboxes; epoch 9 is empty. */
function strayTools(scene: Scene) {
  const { world, alice, bob, carol, changed, item } = scene;
  const having = (mailboxes: Buffer[], hash?: Buffer): Record<string, Made> => {
    const ids = [...new Set([bob.id, carol.id, ...mailboxes])].sort(Buffer.compare);
    const items = ids.map((id) => (mailboxes.includes(id) ? item(id, 0, hash) : item(id)));
    const links = items.map((each) => linkOf({ mailbox: each.mailbox, entries: [each] }));
    return {
      '2.0': { outputs: pages('csign1ro', [[item(alice.id)], items]) },
      '3.1': { outputs: pages('csign1re', [items]) },
      '4.1': oneOf(items.length, links),
    };
  };
  /** The page that has the mailbox, or its link. */
  const part = (log: Log, mailbox: Buffer, { role, actor, output = 0, size = 1 }: Column) => {
    const said = saidBy(log.epochs[0]!, role, actor);
    const own = said.made.outputs[output]!.leaves.findIndex((leaf) => leaf.subarray(9, 41).equals(mailbox));
    return twin.join(witnessOf(said, output, [role === 4 ? own : 0]), log.committed(said, size));
  };
  return (
    name: string,
    expected: string,
    about: About,
    columns: [Column, Column],
    { other = about.mailbox, hash }: { other?: Buffer; hash?: Buffer } = {},
  ) => {
    const later: Epoch = world.epoch(9n, world.stages(9n, []), {}, { previousEpoch: 7n });
    const log = new Log(world, [changed(having([about.mailbox], hash)), later]);
    const [a, b] = columns;
    const parts = [part(log, other, a), part(log, about.mailbox, b)];
    const bridge = log.bridge(a.size ?? 1, b.size ?? 1);
    return caseIn(world)(name, 18, expected, [subjectOf(about), other, ...parts, bridge]);
  };
}

export function strayCases(scene: Scene): EvidenceCase[] {
  const { alice, bob, carol, preimage: message } = scene;
  const { r0, r1, below, between, above } = strangers(scene);
  const of = strayTools(scene);
  const twice = (column: Column): [Column, Column] => [column, column];
  const given = (mailbox: Buffer, ...recipients: Buffer[]) => ({ mailbox, message, recipients });
  const stray = given(between, r0, r1);
  const guilty = 'server 2.0 3.1 4.1';
  return [
    of('a stray in a link', guilty, stray, twice(OUTBOX)),
    of('a stray in a link, below all', guilty, given(below, r0), twice(OUTBOX)),
    of('a stray in a link, above all', guilty, given(above, r1), twice(OUTBOX)),
    of('a stray of a receiver', 'server 2.0 3.1', stray, twice(RECEIVER)),
    of('a stray of a router', 'server 2.0', stray, twice(ROUTER)),
    of('a stray under a later checkpoint', guilty, stray, twice({ ...OUTBOX, size: 2 })),
    of('a stray under two checkpoints', 'nothing', stray, [OUTBOX, { ...OUTBOX, size: 2 }]),
    of('a stray of two stages', 'nothing', stray, [RECEIVER, OUTBOX]),
    of('a stray, and the inbox', 'nothing', stray, [{ role: 1, actor: 0 }, OUTBOX]),
    of('a stray of an inbox', 'nothing', stray, twice({ role: 1, actor: 0 })),
    of('a stray, and a recipient of the same page', 'nothing', stray, twice(ROUTER), { other: bob.id }),
    of('a stray, and no message', 'nothing', { mailbox: between }, twice(OUTBOX)),
    of('a stray, and no recipient', 'nothing', given(between), twice(OUTBOX)),
    of('a stray, and one of the two around it', 'nothing', given(between, r0), twice(OUTBOX)),
    of('a stray, and the two in the wrong order', 'nothing', given(between, r1, r0), twice(OUTBOX)),
    of('a stray, and another message', 'nothing', stray, twice(OUTBOX), { hash: named('other') }),
    of('no stray: the first recipient, with both', 'nothing', given(bob.id, r0, r1), twice(OUTBOX)),
    of('no stray: the last recipient, with itself', 'nothing', given(carol.id, r1), twice(OUTBOX)),
    ...ofSender(scene, alice.id),
    twoAtOnePlace(scene, between, r0, r1),
  ];
}

/** The sender's own mailbox has it, whoever it is for. */
function ofSender(scene: Scene, mailbox: Buffer): EvidenceCase[] {
  const { world, message, preimage, honest } = scene;
  const log = new Log(world, [world.epoch(7n, honest)]);
  const said = saidBy(log.epochs[0]!, 4, 0);
  const own = said.made.outputs[0]!.leaves.findIndex((leaf) => leaf.subarray(9, 41).equals(mailbox));
  const part = twin.join(witnessOf(said, 0, [own]), log.committed(said));
  const all = [0, 1].map((position) => recipientOf(message, position));
  return [[all[0]!], [all[1]!], all, []].map((recipients, i) =>
    caseIn(world)(`no stray: the sender, shown ${i}`, 18, 'nothing', [
      subjectOf({ mailbox, message: preimage, recipients }),
      ...[mailbox, part, part, log.bridge(1)],
    ]),
  );
}

/** A link with two messages at one place is of nobody honest; which one it shows is the first. */
function twoAtOnePlace(scene: Scene, mailbox: Buffer, r0: Buffer, r1: Buffer): EvidenceCase {
  const { world, preimage, changed, item } = scene;
  const entries = [item(mailbox, 0, named('other')), item(mailbox)];
  const made = oneOf(2, [linkOf({ mailbox, entries }), stillOf({ mailbox: named('last') })]);
  const log = new Log(world, [changed({ '4.1': made })]);
  const said = saidBy(log.epochs[0]!, 4, 1);
  const part = twin.join(witnessOf(said, 0, [0]), log.committed(said));
  return caseIn(world)('a stray behind another message at its place', 18, 'nothing', [
    subjectOf({ mailbox, message: preimage, recipients: [r0, r1] }),
    ...[mailbox, part, part, log.bridge(1)],
  ]);
}
