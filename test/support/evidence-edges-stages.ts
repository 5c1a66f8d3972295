/** Evidence at the edges of rules 16 to 19, as evidence-edges.ts has it of the rules before them. */
import * as twin from '../twin/index.js';
import { named } from '../worlds.js';
import { caseIn, type EvidenceCase, linkOf, looseItems, oneOf, rowOf, stillOf } from './evidence-leaves.js';
import { type About, AT, findClient, pages, type Scene, subjectOf, witnessOf } from './evidence-stages.js';
import {
  bytesOf,
  type Epoch,
  EvidenceWorld,
  Log,
  list2Of,
  listOf,
  type Made,
  recipientOf,
  type Said,
  saidBy,
  statementOf,
} from './evidence-world.js';

const { join, u16, u8 } = twin;

/** Rule 16: one statement, and the one that was made of it and of others. */
function pairIn({ world }: Scene) {
  return (name: string, expected: string, about: About, witnesses: Buffer[], inputs: Said[]) =>
    caseIn(world)(name, 16, expected, [
      subjectOf(about),
      ...witnesses,
      list2Of(inputs.map(({ hash }) => hash)),
    ]);
}

/** Who a message is for: an inbox and its router, which passed on just what `items` says. */
export function partyEdges(scene: Scene): EvidenceCase[] {
  const { world, alice, bob, carol, message, preimage, changed, item } = scene;
  const [r0, r1] = [recipientOf(message, 0), recipientOf(message, 1)] as [Buffer, Buffer];
  const stranger = (fits: (id: Buffer) => boolean) => findClient((n) => world.client(0, 1, n).id, fits);
  const between = stranger((id) => Buffer.compare(id, bob.id) > 0 && Buffer.compare(id, carol.id) < 0);
  const above = stranger((id) => Buffer.compare(id, carol.id) > 0);
  const all = [item(bob.id), item(carol.id)];
  const of = (
    name: string,
    expected: string,
    items: twin.MailboxItem[],
    mailbox: Buffer,
    recipients: Buffer[],
  ) => {
    const rows = pages('csign1ro', [[item(alice.id)], items]);
    const epoch = changed({ '2.0': { outputs: rows } });
    const [earlier, later] = [saidBy(epoch, 1, 0), saidBy(epoch, 2, 0)];
    const about = { mailbox, message: preimage, recipients };
    return pairIn(scene)(name, expected, about, [witnessOf(earlier), witnessOf(later, 1)], [earlier]);
  };
  const madeUp = join(
    u16(0),
    twin.recipientLeaf({ ...message.recipients[0]!, mailbox: between }),
    r0.subarray(82),
  );
  return [
    of('a row of the last recipient, with it alone', 'nothing', all, carol.id, [r1]),
    of('a row of the first recipient, with it alone', 'nothing', all, bob.id, [r0]),
    of('a row of the first recipient, with the last', 'nothing', all, bob.id, [r1]),
    of('a row of the last recipient, with both', 'nothing', all, carol.id, [r0, r1]),
    of('a row made up above, with both', 'nothing', [...all, item(above)], above, [r0, r1]),
    of('a row made up, and no recipient', 'nothing', [...all, item(above)], above, []),
    of('a row lost, of one who is no recipient', 'nothing', [item(carol.id)], between, [madeUp]),
    ...thirdRecipient(scene),
  ];
}

/** The last of three is behind the first two, and a recipient all the same. */
function thirdRecipient(scene: Scene): EvidenceCase[] {
  const { world, alice, bob, carol } = scene;
  const message = world.message(alice, 1n, [bob, carol, world.client(0, 1, 40)]);
  const epoch = world.epoch(7n, new EvidenceWorld().stages(7n, [message]));
  const [earlier, later] = [saidBy(epoch, 1, 0), saidBy(epoch, 2, 0)];
  const recipients = [0, 1].map((position) => recipientOf(message, position));
  const about = { mailbox: message.recipients[2]!.mailbox, message: world.preimage(message), recipients };
  return [
    pairIn(scene)(
      'a last recipient behind two others',
      'nothing',
      about,
      [witnessOf(earlier), witnessOf(later, 1)],
      [earlier],
    ),
  ];
}

/** The page of an inbox that a place is on: 66 messages, of which the one at index 65 is looked at. */
export function inboxPageEdges(scene: Scene): EvidenceCase[] {
  const { alice, bob, changed, item } = scene;
  const hash = (index: number) => named(`message ${index}`);
  const rows = Array.from({ length: 66 }, (_, index) => rowOf(hash(index)));
  const ofAlice = pages('csign1ro', [[item(alice.id)]])[0]!;
  const place = { ...AT, index: 65 };
  const of = (
    name: string,
    expected: string,
    passed: Buffer,
    shown: number[],
    inbox = twin.inboxPages(rows),
  ) => {
    const router = { outputs: [ofAlice, ...pages('csign1ro', [[item(bob.id, 65, passed)]])] };
    const epoch = changed({ '1.0': oneOf(66, inbox), '2.0': router });
    const [earlier, later] = [saidBy(epoch, 1, 0), saidBy(epoch, 2, 0)];
    const witnesses = [witnessOf(earlier, 0, shown), witnessOf(later, 1)];
    return pairIn(scene)(name, expected, { mailbox: bob.id, place }, witnesses, [earlier]);
  };
  const cut = [...twin.inboxPages(rows.slice(0, 64)), twin.inboxPages([rows[64]!])[0]!];
  return [
    of('a row of a second page passed on', 'nothing', hash(65), [1]),
    of('a row of a second page changed', 'actor 2.0', hash(0), [1]),
    of('a row of a second page, and the first page', 'nothing', hash(65), [0]),
    of('a row of a second page changed, and both pages', 'nothing', hash(0), [1, 0]),
    of('a row of a second page changed, and no page', 'nothing', hash(0), []),
    of('a second page without the row', 'nothing', hash(0), [1], cut),
  ];
}

/** Who passes a message: routers and receivers that are beside its way. */
export function wayEdges(scene: Scene): EvidenceCase[] {
  const { world, bob, carol, changed, item, honest } = scene;
  const routers = (epoch: Epoch) => [0, 1].map((i) => saidBy(epoch, 2, i));
  const receiver = (...items: twin.MailboxItem[]): Made => ({ outputs: pages('csign1re', [items]) });
  const epoch = changed({});
  const oneOutput = changed({ '2.0': { outputs: pages('csign1ro', [[]]) } });
  const fromOne = { ...item(bob.id), inbox: 1 };
  const ofSecond = changed({
    '2.1': { outputs: [{ entries: 0, leaves: [] }, ...pages('csign1ro', [[fromOne]])] },
    '3.1': receiver(item(carol.id)),
  });
  return [
    pairIn(scene)(
      'a row of another router',
      'nothing',
      { mailbox: bob.id },
      [witnessOf(saidBy(epoch, 2, 1), 1, []), witnessOf(saidBy(epoch, 3, 1))],
      routers(epoch),
    ),
    pairIn(scene)(
      'a router without the output',
      'nothing',
      { mailbox: bob.id },
      [witnessOf(saidBy(oneOutput, 2, 0), 0, []), witnessOf(saidBy(oneOutput, 3, 1))],
      routers(oneOutput),
    ),
    pairIn(scene)(
      'one of the second router not received',
      'actor 3.1',
      { mailbox: bob.id, place: { ...AT, inbox: 1 } },
      [witnessOf(saidBy(ofSecond, 2, 1), 1), witnessOf(saidBy(ofSecond, 3, 1))],
      routers(ofSecond),
    ),
    receiverOfInbox(scene, world.epoch(7n, honest)),
  ];
}

/** A receiver that names an inbox as what it was made of is not the inbox's neighbour. */
function receiverOfInbox(scene: Scene, honest: Epoch): EvidenceCase {
  const { bob, message, preimage, changed } = scene;
  const inputs = [saidBy(honest, 1, 0), saidBy(honest, 2, 1)];
  const made = { outputs: pages('csign1re', [[]]), inputs: inputs.map(({ hash }) => hash) };
  const later = saidBy(changed({ '3.1': made }), 3, 1);
  const about = { mailbox: bob.id, message: preimage, recipients: [recipientOf(message, 0)] };
  return pairIn(scene)(
    'a receiver made of an inbox',
    'nothing',
    about,
    [witnessOf(inputs[0]!), witnessOf(later, 0, [])],
    inputs,
  );
}

/** What one leaf shows by itself. */
export function leafEdgesOfStages(scene: Scene): EvidenceCase[] {
  const { world, bob, carol, changed, item } = scene;
  const stranger = (fits: (id: Buffer) => boolean) => findClient((n) => world.client(0, 1, n).id, fits);
  const below = stranger((id) => Buffer.compare(id, bob.id) < 0);
  const above = stranger((id) => Buffer.compare(id, carol.id) > 0);
  const around = looseItems('csign1re', [item(below), item(above)]);
  const received = (name: string, expected: string, leaves: Buffer[], shown: number[]) => {
    const epoch = changed({ '3.1': oneOf(65, leaves) });
    const routers = [0, 1].map((i) => saidBy(epoch, 2, i));
    const witnesses = [witnessOf(routers[0]!, 1), witnessOf(saidBy(epoch, 3, 1), 0, shown)];
    return pairIn(scene)(name, expected, { mailbox: bob.id }, witnesses, routers);
  };
  const sent = (name: string, expected: string, leaves: Buffer[], shown: number[]) => {
    const epoch = changed({ '4.1': oneOf(1, leaves) });
    const receiver = saidBy(epoch, 3, 1);
    const witnesses = [witnessOf(receiver), witnessOf(saidBy(epoch, 4, 1), 0, shown)];
    return pairIn(scene)(name, expected, { mailbox: bob.id }, witnesses, [receiver]);
  };
  return [
    received('a first page around the place', 'actor 3.1', [around, around], [0]),
    received('a last page around the place', 'actor 3.1', [around, around], [1]),
    received('no page of two', 'nothing', [around, around], []),
    sent('a link with nothing in it', 'nothing', [linkOf({ mailbox: bob.id, entries: 0 })], [0]),
    emptyWithLeaf(scene, around),
  ];
}

/** A receiver without leaves, and one that it has not signed. */
function emptyWithLeaf(scene: Scene, leaf: Buffer): EvidenceCase {
  const { bob, changed } = scene;
  const epoch = changed({ '3.1': { outputs: pages('csign1re', [[]]) } });
  const routers = [0, 1].map((i) => saidBy(epoch, 2, i));
  const shown = listOf([join(bytesOf(leaf), Buffer.alloc(4), u8(0))]);
  const later = join(statementOf(saidBy(epoch, 3, 1)), shown);
  return pairIn(scene)(
    'a leaf of an empty output',
    'nothing',
    { mailbox: bob.id },
    [witnessOf(routers[0]!, 1), later],
    routers,
  );
}

interface Column {
  role: number;
  actor: number;
  output?: number;
  shown?: number[];
  epoch?: number;
}

/** Rule 18: epoch 7 with the message, and epoch 9. */
export function columnEdges(scene: Scene): EvidenceCase[] {
  const { world, bob, carol, message, preimage, changed, item } = scene;
  const still = stillOf({ mailbox: bob.id, epoch: 9n, lastEpoch: 5n, total: 3n });
  const lost = { '4.1': oneOf(1, [linkOf({ mailbox: carol.id, entries: [item(carol.id)] })]) };
  const of = (name: string, expected: string, later: Made, a: Column, b: Column) => {
    const stages = world.stages(9n, []);
    stages.set(`${b.role}.${b.actor}`, later);
    const log = new Log(world, [changed(lost), world.epoch(9n, stages, {}, { previousEpoch: 7n })]);
    const part = ({ role, actor, output = 0, shown = [0], epoch = 0 }: Column) => {
      const said = saidBy(log.epochs[epoch]!, role, actor);
      return join(witnessOf(said, output, shown), log.committed(said));
    };
    const about = { mailbox: bob.id, message: preimage, recipients: [recipientOf(message, 0)] };
    return caseIn(world)(name, 18, expected, [subjectOf(about), bob.id, part(a), part(b), listOf([])]);
  };
  const inbox = { role: 1, actor: 0 };
  const outbox = { role: 4, actor: 1 };
  return [
    of('a later still that a receiver signed', 'nothing', oneOf(0, [still]), inbox, {
      role: 3,
      actor: 1,
      epoch: 1,
    }),
    of('a later still, and another leaf', 'nothing', oneOf(0, [still, still]), inbox, {
      ...outbox,
      shown: [0, 1],
      epoch: 1,
    }),
    of('a later statement, and no leaf', 'nothing', oneOf(0, [still]), inbox, {
      ...outbox,
      shown: [],
      epoch: 1,
    }),
    of('an outbox that shows nothing, and its still', 'nothing', oneOf(0, [still]), outbox, {
      ...outbox,
      epoch: 1,
    }),
    of('the outbox of others', 'nothing', oneOf(0, []), inbox, { role: 4, actor: 0 }),
  ];
}

/**
 * Rule 17 with a receiver in the outbox's place: its key is that of an outbox in the next manifest, and has signed a
 * still that passes over the message.
 */
export function swappedKeys(scene: Scene): EvidenceCase {
  const { world, bob, changed } = scene;
  const keyOf = (role: number) => twin.publicKeyOf(world.secret(role, 1));
  const swapped = (role: number) => (role === 3 ? keyOf(4) : keyOf(3));
  const actors = world.manifest.actors.map((one) =>
    one.index === 1 && one.role >= 3 ? { ...one, key: swapped(one.role) } : one,
  );
  const second = world.second({ actors });
  const stages = world.stages(9n, []);
  const still = stillOf({ mailbox: bob.id, epoch: 9n, lastEpoch: 5n, total: 3n });
  stages.set('4.1', { ...oneOf(0, [still]), secret: world.secret(3, 1) });
  const fields = { manifestHash: twin.manifestHash(second.bytes) };
  const log = new Log(world, [changed({}), world.epoch(9n, stages, fields, { previousEpoch: 7n })]);
  const [first, later] = log.epochs as [Epoch, Epoch];
  const routers = [0, 1].map((i) => saidBy(first, 2, i));
  const consumer = saidBy(first, 3, 1);
  const parts = [
    subjectOf({ mailbox: bob.id }),
    ...[witnessOf(routers[0]!, 1), statementOf(consumer), log.committed(consumer)],
    ...[list2Of(routers.map(({ hash }) => hash)), log.claim(saidBy(later, 4, 1), 0, 0), listOf([])],
  ];
  return caseIn(world)('a receiver that is an outbox later', 17, 'nothing', parts, [
    ...world.manifests,
    second,
  ]);
}

/** Rule 19: a chain whose links may have parts, each leaf in an own statement of its epoch or beside others of it. */
function counterTools(world: EvidenceWorld) {
  const [alice, bob] = [world.client(0, 0), world.client(1, 1)];
  const own = (counter: bigint) => world.message(alice, counter, [bob]);
  const other = (counter: bigint) => world.message(bob, counter, [alice]);
  const entries = (messages: twin.Message[]) =>
    messages.map((one, index) => ({ inbox: 0, index, messageHash: twin.H(world.preimage(one)) }));
  /** 63 of Bob's, and one of Alice's. */
  const full = entries([...Array.from({ length: 63 }, () => other(9n)), own(1n)]);
  const of = (
    name: string,
    expected: string,
    epochs: [bigint, Buffer[]][],
    messages: twin.Message[],
    first = 0,
    claimed = epochs.flatMap(([, leaves], epoch) => leaves.map((_, leaf) => [epoch, leaf] as const)),
  ) => {
    const log = new Log(
      world,
      epochs.map(([epoch, leaves], i) => {
        const stages = world.stages(epoch, []);
        stages.set('4.0', oneOf(1, leaves));
        return world.epoch(epoch, stages, {}, { previousEpoch: epochs[i - 1]?.[0] ?? 0n });
      }),
    );
    const claims = claimed.map(([epoch, leaf]) => log.claim(saidBy(log.epochs[epoch]!, 4, 0), 0, leaf));
    const opened = messages.map((one) => bytesOf(world.preimage(one)));
    return caseIn(world)(name, 19, expected, [alice.id, listOf(claims), u8(first), list2Of(opened)]);
  };
  return { alice, bob, own, other, entries, full, of };
}

export function counterEdges(world: EvidenceWorld): EvidenceCase[] {
  const { alice, bob, own, other, entries, full, of } = counterTools(world);
  const link = (messages: twin.Message[], changes: object = {}) =>
    linkOf({ mailbox: alice.id, epoch: 5n, entries: entries(messages), ...changes });
  const one = (name: string, expected: string, messages: twin.Message[], opened = messages) =>
    of(name, expected, [[5n, [link(messages)]]], opened);
  const start = (parts: number) => link([], { parts, entries: full });
  const next = (changes: object) => link([own(3n)], { epoch: 7n, previousEpoch: 5n, total: 66n, ...changes });
  const two = [own(1n), own(3n)];
  const guilty = 'server 1.0 2.0 3.0 4.0';
  return [
    one('counters that follow, with another one between', 'nothing', [own(1n), other(9n), own(2n)]),
    one('a counter left out, with the next one of another between', guilty, [own(1n), other(2n), own(3n)]),
    one('a message more than the chain has', 'nothing', two, [...two, other(4n)]),
    of('a mailbox of others', 'nothing', [[5n, [link(two, { mailbox: bob.id })]]], two),
    of('a still', 'nothing', [[5n, [stillOf({ mailbox: alice.id, epoch: 5n })]]], two),
    of(
      'a counter left out, in two parts',
      guilty,
      [[5n, [start(2), link([own(3n)], { part: 1, parts: 2 })]]],
      two,
      63,
    ),
    of(
      'a middle part left out',
      'nothing',
      [[5n, [start(3), link([own(3n)], { part: 2, parts: 3 })]]],
      two,
      63,
    ),
    of(
      'a second part of another link',
      'nothing',
      [
        [5n, [start(2)]],
        [7n, [next({ part: 1, parts: 2 })]],
      ],
      two,
      63,
    ),
    of(
      'a second part behind a last one',
      'nothing',
      [
        [5n, [start(1)]],
        [7n, [next({ part: 1, parts: 2 })]],
      ],
      two,
      63,
    ),
    of(
      'a first part behind a last one',
      guilty,
      [
        [5n, [start(1)]],
        [7n, [next({})]],
      ],
      two,
      63,
    ),
  ];
}
