/** Evidence about one message on its way, rules 16 to 19. */
import * as twin from '../twin/index.js';
import { named } from '../worlds.js';
import { caseIn, type EvidenceCase, itemOf, linkOf, looseItems, oneOf, stillOf } from './evidence-leaves.js';
import {
  bytesOf,
  type Client,
  type Epoch,
  EvidenceWorld,
  Log,
  leafOf,
  list2Of,
  listOf,
  type Made,
  pathOf,
  recipientOf,
  type Said,
  type Stages,
  saidBy,
  statementOf,
} from './evidence-world.js';

const { join, u8, u16, u32, u64 } = twin;

export interface About {
  mailbox: Buffer;
  place?: twin.Place;
  message?: Buffer;
  recipients?: Buffer[];
}

export const AT: twin.Place = { epoch: 7n, inbox: 0, index: 0 };

export const subjectOf = ({ mailbox, place = AT, message, recipients = [] }: About) =>
  join(
    mailbox,
    u64(place.epoch),
    u16(place.inbox),
    u32(place.index),
    listOf(message ? [bytesOf(message)] : []),
    listOf(recipients),
  );

/** A statement with leaves of one of its outputs. */
export const witnessOf = (said: Said, output = 0, indices: number[] = [0]) =>
  join(statementOf(said), listOf(indices.map((index) => leafOf(said, output, index))));

/** Alice at 0.0 writes to Bob at 1.1 and Carol at 0.1, in epoch 7, place 7.0.0. */
export function stageWorld(world: EvidenceWorld) {
  const alice = world.client(0, 0);
  const [bob, carol] = [world.client(1, 1), world.client(0, 1)].sort((a, b) =>
    Buffer.compare(a.id, b.id),
  ) as [Client, Client];
  const message = world.message(alice, 1n, [bob, carol]);
  const preimage = world.preimage(message);
  const honest = world.stages(7n, [message]);
  const changed = (changes: Record<string, Made>): Epoch =>
    world.epoch(7n, new Map([...honest, ...Object.entries(changes)]) as Stages);
  const item = (mailbox: Buffer, index = 0, hash = twin.H(preimage)) => ({
    ...itemOf(mailbox, index),
    messageHash: hash,
  });
  return { world, alice, bob, carol, message, preimage, honest, changed, item };
}

export type Scene = ReturnType<typeof stageWorld>;

export const pages = (tag: string, lists: twin.MailboxItem[][]): Made['outputs'] =>
  lists.map((items) => ({ entries: items.length, leaves: items.length > 0 ? [looseItems(tag, items)] : [] }));

/** Between routers, receivers and outboxes the message is never opened. */
function laterNeighbours({ world, bob, carol, changed, item }: Scene) {
  const make = caseIn(world);
  const all = [item(bob.id), item(carol.id)];
  const routerToReceiver = (
    name: string,
    expected: string,
    items: twin.MailboxItem[],
    about: About,
    changes: Record<string, Made> = {},
  ) => {
    const epoch = changed({ '3.1': { outputs: pages('csign1re', [items]) }, ...changes });
    const parts = [
      witnessOf(saidBy(epoch, 2, 0), 1),
      witnessOf(saidBy(epoch, 3, 1), 0, items.length ? [0] : []),
    ];
    return make(name, 16, expected, [
      subjectOf(about),
      ...parts,
      list2Of([0, 1].map((i) => saidBy(epoch, 2, i).hash)),
    ]);
  };
  const receiverToOutbox = (
    name: string,
    expected: string,
    leaves: Buffer[],
    about: About,
    indices = [0],
    received = all,
  ) => {
    const epoch = changed({ '3.1': { outputs: pages('csign1re', [received]) }, '4.1': oneOf(1, leaves) });
    const parts = [witnessOf(saidBy(epoch, 3, 1)), witnessOf(saidBy(epoch, 4, 1), 0, indices)];
    return make(name, 16, expected, [subjectOf(about), ...parts, list2Of([saidBy(epoch, 3, 1).hash])]);
  };
  return { all, routerToReceiver, receiverToOutbox };
}

function neighbourTools(scene: Scene) {
  const { world, alice, bob, carol, message, preimage, changed, item } = scene;
  const make = caseIn(world);
  const stranger = (n: number) => world.client(0, 1, n).id;
  const [below, between, above] = [
    findClient(stranger, (id) => Buffer.compare(id, bob.id) < 0),
    findClient(stranger, (id) => Buffer.compare(id, bob.id) > 0 && Buffer.compare(id, carol.id) < 0),
    findClient(stranger, (id) => Buffer.compare(id, carol.id) > 0),
  ];
  const [r0, r1] = [recipientOf(message, 0), recipientOf(message, 1)];
  const ofAlice = pages('csign1ro', [[item(alice.id)], []])[0]!;
  const router = (items: twin.MailboxItem[]): Made => ({ outputs: [ofAlice, ...pages('csign1ro', [items])] });
  const inboxToRouter = (
    name: string,
    expected: string,
    items: twin.MailboxItem[] | Made,
    about: About,
    how: { inbox?: number[]; router?: number[]; inputs?: Buffer[] } = {},
  ) => {
    const made = Array.isArray(items) ? router(items) : items;
    const epoch = changed({ '2.0': made });
    const [earlier, later] = [saidBy(epoch, 1, 0), saidBy(epoch, 2, 0)];
    const parts = [
      witnessOf(earlier, 0, how.inbox),
      witnessOf(later, 1, how.router ?? (made.outputs[1]!.leaves.length ? [0] : [])),
    ];
    return make(name, 16, expected, [subjectOf(about), ...parts, list2Of(how.inputs ?? [earlier.hash])]);
  };
  const given = (mailbox: Buffer, ...recipients: Buffer[]) => ({ mailbox, message: preimage, recipients });
  const bare = (mailbox: Buffer, place = AT) => ({ mailbox, place });
  const nextPlace = { ...AT, index: 1 };
  const linkTo = (mailbox: Buffer, changes: object = {}) =>
    linkOf({ mailbox, entries: [item(mailbox)], ...changes });
  const [otherLow, otherHigh] = [linkOf({ mailbox: below }), linkOf({ mailbox: above })];
  const other = named('other');
  const twoPages = (a: twin.MailboxItem, b: twin.MailboxItem): Made => ({
    outputs: [ofAlice, { entries: 65, leaves: [a, b].map((one) => looseItems('csign1ro', [one])) }],
  });
  return {
    scene,
    bob,
    carol,
    item,
    below,
    between,
    above,
    r0,
    r1,
    ofAlice,
    inboxToRouter,
    given,
    bare,
    nextPlace,
    ...laterNeighbours(scene),
    linkTo,
    otherLow,
    otherHigh,
    other,
    twoPages,
  };
}

const neighbourTable = ({
  scene,
  bob,
  carol,
  item,
  below,
  between,
  above,
  r0,
  r1,
  ofAlice,
  inboxToRouter,
  all,
  given,
  bare,
  nextPlace,
  routerToReceiver,
  receiverToOutbox,
  linkTo,
  otherLow,
  otherHigh,
  other,
  twoPages,
}: ReturnType<typeof neighbourTools>): EvidenceCase[] => [
  inboxToRouter('a row passed on', 'nothing', all, bare(bob.id)),
  inboxToRouter('a row changed', 'actor 2.0', [item(bob.id, 0, other), item(carol.id)], bare(bob.id)),
  inboxToRouter(
    'a row changed, with the message',
    'nothing',
    [item(bob.id, 0, other), item(carol.id)],
    given(bob.id, r0),
  ),
  inboxToRouter('a row lost', 'actor 2.0', [item(carol.id)], given(bob.id, r0)),
  inboxToRouter('a last row lost', 'actor 2.0', [item(bob.id)], given(carol.id, r1)),
  inboxToRouter('a row lost, of another recipient', 'nothing', [item(carol.id)], given(bob.id, r1)),
  inboxToRouter('a row lost, and no message', 'nothing', [item(carol.id)], bare(bob.id)),
  inboxToRouter('a row lost, two recipients', 'nothing', [item(carol.id)], given(bob.id, r0, r1)),
  inboxToRouter('all rows lost', 'actor 2.0', [], given(bob.id, r0)),
  inboxToRouter('a row lost between others', 'actor 2.0', [item(below), item(above)], given(bob.id, r0)),
  inboxToRouter(
    'a row lost between pages',
    'actor 2.0',
    twoPages(item(below), item(above)),
    given(bob.id, r0),
    { router: [0, 1] },
  ),
  inboxToRouter('a row perhaps behind', 'nothing', twoPages(item(below), item(above)), given(bob.id, r0), {
    router: [0],
  }),
  inboxToRouter('a row perhaps before', 'nothing', twoPages(item(below), item(above)), given(bob.id, r0), {
    router: [1],
  }),
  inboxToRouter(
    'pages in the wrong order',
    'nothing',
    twoPages(item(below), item(above)),
    given(bob.id, r0),
    { router: [1, 0] },
  ),
  inboxToRouter(
    'a row lost between pages that are not neighbours',
    'nothing',
    {
      outputs: [
        ofAlice,
        {
          entries: 1,
          leaves: [item(below), item(bob.id), item(above)].map((one) => looseItems('csign1ro', [one])),
        },
      ],
    },
    given(bob.id, r0),
    { router: [0, 2] },
  ),
  inboxToRouter(
    'a row on the second of two pages',
    'nothing',
    twoPages(item(below), item(bob.id)),
    given(bob.id, r0),
    { router: [0, 1] },
  ),
  ...senderCases(scene),
  amongThree(scene),
  fewInputs(scene),
  ...oneRecipientCases(scene),
  inboxToRouter(
    'a row made up between',
    'actor 2.0',
    [item(bob.id), item(between), item(carol.id)],
    given(between, r0, r1),
  ),
  inboxToRouter('a row made up below', 'actor 2.0', [item(below), ...all], given(below, r0)),
  inboxToRouter('a row made up above', 'actor 2.0', [...all, item(above)], given(above, r1)),
  inboxToRouter('a row made up, the wrong recipient', 'nothing', [...all, item(above)], given(above, r0)),
  inboxToRouter(
    'a row made up, the wrong order',
    'nothing',
    [item(bob.id), item(between), item(carol.id)],
    given(between, r1, r0),
  ),
  inboxToRouter('a row made up, and nothing else', 'nothing', [...all, item(above)], bare(above)),
  inboxToRouter('a row of a recipient, with its neighbours', 'nothing', all, given(bob.id, r0, r1)),
  inboxToRouter('a row beyond the inbox', 'actor 2.0', [...all, item(above, 1)], bare(above, nextPlace), {
    inbox: [],
  }),
  inboxToRouter(
    'a row beyond the inbox, with a page',
    'nothing',
    [...all, item(above, 1)],
    bare(above, nextPlace),
  ),
  inboxToRouter('another list of inputs', 'nothing', [item(carol.id)], given(bob.id, r0), {
    inputs: [other],
  }),
  routerToReceiver('all received', 'nothing', all, bare(bob.id)),
  routerToReceiver('one not received', 'actor 3.1', [item(carol.id)], bare(bob.id)),
  routerToReceiver('one not received, with the message', 'nothing', [item(carol.id)], given(bob.id, r0)),
  routerToReceiver(
    'one not received, of another epoch',
    'nothing',
    [item(carol.id)],
    bare(bob.id, { ...AT, epoch: 8n }),
  ),
  routerToReceiver('another received', 'actor 3.1', [item(bob.id, 0, other), item(carol.id)], bare(bob.id)),
  routerToReceiver('one too many received', 'actor 3.1', [...all, item(above)], bare(above)),
  routerToReceiver('none received', 'actor 3.1', [], bare(bob.id)),
  receiverToOutbox('a link', 'nothing', [linkTo(bob.id), linkTo(carol.id)], bare(bob.id)),
  receiverToOutbox(
    'another link',
    'actor 4.1',
    [linkOf({ mailbox: bob.id }), linkTo(carol.id)],
    bare(bob.id),
  ),
  receiverToOutbox('no link', 'actor 4.1', [linkTo(carol.id)], bare(bob.id)),
  receiverToOutbox(
    'a still instead',
    'actor 4.1',
    [stillOf({ mailbox: bob.id }), linkTo(carol.id)],
    bare(bob.id),
  ),
  receiverToOutbox(
    'a link without it',
    'actor 4.1',
    [linkTo(bob.id, { entries: [item(bob.id, 1)] }), linkTo(carol.id)],
    bare(bob.id),
  ),
  receiverToOutbox('a link between two', 'actor 4.1', [otherLow, otherHigh], bare(bob.id), [0, 1]),
  receiverToOutbox('a link perhaps behind', 'nothing', [otherLow, otherHigh], bare(bob.id), [0]),
  receiverToOutbox(
    'both show nothing',
    'nothing',
    [linkTo(bob.id, { part: 1, parts: 2 }), otherHigh],
    bare(bob.id, nextPlace),
  ),
  receiverToOutbox(
    'a part that another follows',
    'nothing',
    [linkOf({ mailbox: below, parts: 2, entries: 64 }), otherHigh],
    bare(below, { ...AT, index: 70 }),
    [0],
    [item(below, 70)],
  ),
  receiverToOutbox(
    'a last part with all before it',
    'actor 4.1',
    [linkOf({ mailbox: below, parts: 1, entries: 64 }), otherHigh],
    bare(below, { ...AT, index: 70 }),
    [0],
    [item(below, 70)],
  ),
  receiverToOutbox(
    'a first part with all behind it',
    'actor 4.1',
    [linkOf({ mailbox: below }), linkTo(bob.id, { entries: [item(bob.id, 1)] })],
    bare(bob.id),
    [1],
  ),
  receiverToOutbox(
    'between two parts',
    'actor 4.1',
    [
      linkOf({ mailbox: bob.id, parts: 2, entries: 64 }),
      linkOf({ mailbox: bob.id, part: 1, parts: 2, entries: [item(bob.id, 90)] }),
    ],
    bare(bob.id, { ...AT, index: 70 }),
    [0, 1],
    [item(bob.id, 70)],
  ),
  receiverToOutbox(
    'two leaves where one is enough',
    'nothing',
    [stillOf({ mailbox: bob.id }), otherHigh],
    bare(bob.id),
    [0, 1],
  ),
  receiverToOutbox(
    'a first part, and the leaf before it',
    'nothing',
    [otherLow, linkTo(bob.id, { entries: [item(bob.id, 1)] })],
    bare(bob.id),
    [0, 1],
  ),
  notNeighbours(scene),
];

export const neighbourCases = (scene: Scene): EvidenceCase[] => neighbourTable(neighbourTools(scene));

export function findClient(at: (n: number) => Buffer, fits: (id: Buffer) => boolean): Buffer {
  for (let n = 1; ; n++) if (fits(at(n))) return at(n);
}

/** The sender's own mailbox, which is no recipient. */
function senderCases({ world, alice, bob, preimage, message, changed, item }: Scene): EvidenceCase[] {
  const of = (name: string, expected: string, rows: twin.MailboxItem[], recipients: Buffer[]) => {
    const epoch = changed({ '2.0': { outputs: pages('csign1ro', [rows, []]) } });
    const [earlier, later] = [saidBy(epoch, 1, 0), saidBy(epoch, 2, 0)];
    const about = subjectOf({ mailbox: alice.id, message: preimage, recipients });
    return caseIn(world)(name, 16, expected, [
      about,
      witnessOf(earlier),
      witnessOf(later),
      list2Of([earlier.hash]),
    ]);
  };
  const other = [item(world.client(0, 0, 1).id)];
  const [below, above] = [
    Buffer.compare(alice.id, bob.id) < 0,
    message.recipients.every(({ mailbox }) => Buffer.compare(alice.id, mailbox) > 0),
  ];
  const around = below ? [0] : above ? [1] : [0, 1];
  const recipients = around.map((position) => recipientOf(message, position));
  return [
    of('a sender lost', 'actor 2.0', other, []),
    of('a sender lost, and a recipient', 'nothing', other, [recipientOf(message, 0)]),
    of('the row of a sender that is no recipient', 'nothing', [item(alice.id)], recipients),
  ];
}

/** The one in the middle stands between the other two, which are no neighbours. */
function amongThree({ world, alice, bob, carol }: Scene): EvidenceCase {
  const message = world.message(alice, 1n, [bob, carol, world.client(0, 1, 40)]);
  const middle = message.recipients[1]!.mailbox;
  const stages = new EvidenceWorld().stages(7n, [message]);
  const epoch = world.epoch(7n, stages);
  const [earlier, later] = [saidBy(epoch, 1, 0), saidBy(epoch, 2, 0)];
  const recipients = [0, 2].map((position) => recipientOf(message, position));
  const about = subjectOf({ mailbox: middle, message: world.preimage(message), recipients });
  const parts = [about, witnessOf(earlier), witnessOf(later, 1), list2Of([earlier.hash])];
  return caseIn(world)('a recipient between two others', 16, 'nothing', parts);
}

/** A message to Bob alone, which the router does not pass on. */
function oneRecipientCases({ world, alice, bob }: Scene): EvidenceCase[] {
  const message = world.message(alice, 1n, [bob]);
  const stages = new EvidenceWorld().stages(7n, [message]);
  stages.set('2.0', { outputs: pages('csign1ro', [[], []]) });
  const epoch = world.epoch(7n, stages);
  const [earlier, later] = [saidBy(epoch, 1, 0), saidBy(epoch, 2, 0)];
  const leaf = twin.recipientLeaf(message.recipients[0]!);
  const of = (name: string, expected: string, position: number, siblings: Buffer[]) => {
    const recipients = [join(u16(position), leaf, pathOf(siblings))];
    const about = subjectOf({ mailbox: bob.id, message: world.preimage(message), recipients });
    return caseIn(world)(name, 16, expected, [
      about,
      witnessOf(earlier),
      witnessOf(later, 1, []),
      list2Of([earlier.hash]),
    ]);
  };
  return [
    of('the only recipient', 'actor 2.0', 0, []),
    of('a second recipient of one', 'nothing', 1, []),
    of('the only recipient, with a sibling', 'nothing', 0, [named('sibling')]),
  ];
}

/** A receiver that names one router of two. */
function fewInputs({ world, honest, bob, carol, item }: Scene): EvidenceCase {
  const made = { outputs: pages('csign1re', [[item(carol.id)]]) };
  const router = saidBy(world.epoch(7n, honest), 2, 0);
  const epoch = world.epoch(7n, new Map([...honest, ['3.1', { ...made, inputs: [router.hash] }]]));
  const parts = [witnessOf(saidBy(epoch, 2, 0), 1), witnessOf(saidBy(epoch, 3, 1)), list2Of([router.hash])];
  return caseIn(world)('one input of two', 16, 'nothing', [subjectOf({ mailbox: bob.id }), ...parts]);
}

/** An inbox and a receiver are no neighbours. */
function notNeighbours({ world, bob, preimage, message, changed }: Scene): EvidenceCase {
  const epoch = changed({ '3.1': { outputs: pages('csign1re', [[]]) } });
  const about = subjectOf({ mailbox: bob.id, message: preimage, recipients: [recipientOf(message, 0)] });
  const parts = [witnessOf(saidBy(epoch, 1, 0)), witnessOf(saidBy(epoch, 3, 1), 0, [])];
  return caseIn(world)('no neighbours', 16, 'nothing', [
    about,
    ...parts,
    list2Of([0, 1].map((i) => saidBy(epoch, 2, i).hash)),
  ]);
}

/** The same where placement has exceptions: nobody knows which outbox the mailbox is placed at. */
export function exceptionCases(others: (scene: Scene) => EvidenceCase[]): EvidenceCase[] {
  const scene = stageWorld(new EvidenceWorld({ exceptions: [{ id: named('moved'), inbox: 0, outbox: 0 }] }));
  const some = [...neighbourCases(scene), ...columnCases(scene), ...others(scene)].filter(
    ({ expected }) => expected !== 'nothing',
  );
  return some.map((one) => ({ ...one, name: `${one.name}, with exceptions`, expected: 'nothing' }));
}

const INBOX0 = { role: 1, actor: 0 };
const OUTBOX1 = { role: 4, actor: 1 };

/** What single actors make wrong in epoch 7. */
function faults({ bob, carol, item }: Scene) {
  const lost = { '4.1': oneOf(1, [linkOf({ mailbox: carol.id, entries: [item(carol.id)] })]) };
  const changedRow = {
    '3.1': { outputs: pages('csign1re', [[item(bob.id, 0, named('other')), item(carol.id)]]) },
  };
  const madeUp = {
    '2.0': { outputs: [{ entries: 0, leaves: [] }, ...pages('csign1ro', [[item(bob.id, 1)]])] },
  };
  return { lost, changedRow, madeUp };
}

/** Rules 17 and 18: epoch 7 with the message, epoch 9 with a leaf that passes over it. */
function columnTools(scene: Scene) {
  const { world, alice, bob, carol, message, preimage, changed } = scene;
  const make = caseIn(world);
  const epochs = (leaf: Buffer, changes: Record<string, Made> = {}, outbox = 1) => {
    const stages = world.stages(9n, []);
    stages.set(`4.${outbox}`, oneOf(0, [leaf]));
    const all = [changed(changes), world.epoch(9n, stages, {}, { previousEpoch: 7n })];
    return new Log(world, all);
  };
  const skipping = stillOf({ mailbox: bob.id, epoch: 9n, lastEpoch: 5n, total: 3n });
  const later = (
    name: string,
    expected: string,
    leaf: Buffer,
    about: About = { mailbox: bob.id },
    how: { outbox?: number; own?: boolean; bridge?: Buffer } = {},
  ) => {
    const log = epochs(leaf, {}, how.outbox);
    const [first, second] = log.epochs as [Epoch, Epoch];
    const [receiver, outbox] = [saidBy(first, 3, 1), saidBy(first, 4, 1)];
    const parts = [
      witnessOf(receiver),
      statementOf(outbox),
      log.committed(outbox, 1),
      list2Of([receiver.hash]),
    ];
    const claim = how.own ? log.claim(outbox, 0, 0, 1) : log.claim(saidBy(second, 4, how.outbox ?? 1), 0, 0);
    const bridge = how.bridge ?? (how.own ? pathOf([]) : log.bridge(1));
    return make(name, 17, expected, [subjectOf(about), ...parts, claim, bridge]);
  };
  const r0 = recipientOf(message, 0);
  const given = { mailbox: bob.id, message: preimage, recipients: [r0] };
  type Column = { role: number; actor: number; output?: number; indices?: number[]; epoch?: number };
  const columns = (
    name: string,
    expected: string,
    about: About,
    other: Buffer,
    a: Column,
    b: Column,
    changes: Record<string, Made> = {},
    leaf = skipping,
    otherBridge?: Buffer,
  ) => {
    const log = epochs(leaf, changes);
    const part = ({ role, actor, output = 0, indices, epoch = 0 }: Column) => {
      const said = saidBy(log.epochs[epoch]!, role, actor);
      const opened = indices ?? (said.made.outputs[output]!.leaves.length > 0 ? [0] : []);
      return join(witnessOf(said, output, opened), log.committed(said, epoch + 1));
    };
    const bridge = otherBridge ?? log.bridge((a.epoch ?? 0) + 1, (b.epoch ?? 0) + 1);
    return make(name, 18, expected, [subjectOf(about), other, part(a), part(b), bridge]);
  };
  const toCarol = { mailbox: carol.id, message: preimage, recipients: [recipientOf(message, 1)] };
  return {
    alice,
    bob,
    carol,
    message,
    preimage,
    skipping,
    later,
    given,
    columns,
    ...faults(scene),
    toCarol,
  };
}

const columnTable = ({
  alice,
  bob,
  carol,
  message,
  preimage,
  skipping,
  later,
  given,
  columns,
  lost,
  changedRow,
  madeUp,
  toCarol,
}: ReturnType<typeof columnTools>): EvidenceCase[] => [
  later('a still that passes over a message', 'actor 4.1', skipping),
  later(
    'a link that passes over a message',
    'actor 4.1',
    linkOf({ mailbox: bob.id, epoch: 9n, previousEpoch: 5n, total: 3n }),
  ),
  later(
    'a still that does not',
    'nothing',
    stillOf({ mailbox: bob.id, epoch: 9n, lastEpoch: 7n, total: 3n }),
  ),
  later(
    'a still of another mailbox',
    'nothing',
    stillOf({ mailbox: carol.id, epoch: 9n, lastEpoch: 5n, total: 3n }),
  ),
  later('a still of another outbox', 'nothing', skipping, { mailbox: bob.id }, { outbox: 0 }),
  later('the link itself', 'nothing', skipping, { mailbox: bob.id }, { own: true }),
  later('a still, and no bridge', 'nothing', skipping, { mailbox: bob.id }, { bridge: pathOf([]) }),
  later('a still and the message', 'nothing', skipping, given),
  later('a message that is not there', 'nothing', skipping, {
    mailbox: bob.id,
    place: { ...AT, index: 1 },
  }),
  columns('an inbox and an outbox without', 'server 2.0 3.1 4.1', given, bob.id, INBOX0, OUTBOX1, lost),
  columns('an inbox and an outbox without, for any', 'nothing', given, carol.id, INBOX0, OUTBOX1, lost),
  columns('an inbox and an outbox with', 'nothing', given, bob.id, INBOX0, OUTBOX1),
  columns('an inbox and a later still', 'server 2.0 3.1 4.1', given, bob.id, INBOX0, {
    ...OUTBOX1,
    epoch: 1,
  }),
  columns('an inbox and a later still of another', 'nothing', toCarol, carol.id, INBOX0, {
    ...OUTBOX1,
    epoch: 1,
  }),
  columns(
    'the sender has it, the recipient not',
    'server 2.0 3.0 3.1 4.0 4.1',
    given,
    alice.id,
    { role: 4, actor: 0 },
    OUTBOX1,
    lost,
  ),
  columns(
    'two messages at one place',
    'server 2.0 3.0 3.1 4.0',
    { mailbox: bob.id },
    alice.id,
    { role: 4, actor: 0 },
    { role: 3, actor: 1 },
    changedRow,
  ),
  columns(
    'two messages at one place, with one of them',
    'nothing',
    given,
    alice.id,
    { role: 4, actor: 0 },
    { role: 3, actor: 1 },
    changedRow,
  ),
  columns(
    'a router and an outbox of one column',
    'server 2.0 3.1 4.1',
    given,
    bob.id,
    { role: 2, actor: 0, output: 1 },
    OUTBOX1,
    lost,
  ),
  columns(
    'an inbox and a later still, and no bridge',
    'nothing',
    given,
    bob.id,
    INBOX0,
    { ...OUTBOX1, epoch: 1 },
    {},
    skipping,
    pathOf([]),
  ),
  columns('an inbox and an outbox that agree', 'nothing', { mailbox: bob.id }, bob.id, INBOX0, OUTBOX1),
  columns(
    'a later inbox',
    'nothing',
    { ...given, place: { ...AT, index: 1 } },
    bob.id,
    { role: 2, actor: 0, output: 1 },
    { ...INBOX0, indices: [] },
    madeUp,
  ),
  columns('another inbox', 'nothing', { ...given, place: { ...AT, inbox: 1 } }, bob.id, INBOX0, OUTBOX1),
  columns('an inbox later', 'nothing', given, bob.id, INBOX0, INBOX0),
  columns(
    'not for it',
    'nothing',
    { mailbox: bob.id, message: preimage, recipients: [recipientOf(message, 1)] },
    bob.id,
    INBOX0,
    OUTBOX1,
    lost,
  ),
];

export const columnCases = (scene: Scene): EvidenceCase[] => columnTable(columnTools(scene));

/** Rule 19: Alice's chain, with what others wrote her between. */
function counterTools(world: EvidenceWorld) {
  const alice = world.client(0, 0);
  const bob = world.client(1, 1);
  const own = (counter: bigint) => world.message(alice, counter, [bob]);
  const other = (counter: bigint) => world.message(bob, counter, [alice]);
  type Row = [twin.Message, number];
  /** `links`: rows by epoch. */
  const chain = (
    name: string,
    expected: string,
    links: Row[][],
    how: { first?: number; messages?: twin.Message[]; outboxes?: number[]; previous?: bigint } = {},
  ) => {
    let total = 0;
    const epochs = links.map((rows, i) => {
      const epoch = BigInt(5 + 2 * i);
      total += rows.length;
      const entries = rows
        .map(([message, inbox], index) => ({ inbox, index, messageHash: twin.H(world.preimage(message)) }))
        .sort((a, b) => a.inbox - b.inbox || a.index - b.index);
      const previousEpoch = i === 0 ? 0n : (how.previous ?? epoch - 2n);
      const leaf = linkOf({ mailbox: alice.id, epoch, previousEpoch, total: BigInt(total), entries });
      const stages = world.stages(epoch, []);
      stages.set(`4.${how.outboxes?.[i] ?? 0}`, oneOf(rows.length, [leaf]));
      return world.epoch(epoch, stages, {}, { previousEpoch: i === 0 ? 0n : epoch - 2n });
    });
    const log = new Log(world, epochs);
    const claims = epochs.map((epoch, i) => log.claim(saidBy(epoch, 4, how.outboxes?.[i] ?? 0), 0, 0));
    const messages = (how.messages ?? links.flat().map(([message]) => message)).map((message) =>
      bytesOf(world.preimage(message)),
    );
    return caseIn(world)(name, 19, expected, [
      alice.id,
      listOf(claims),
      u8(how.first ?? 0),
      list2Of(messages),
    ]);
  };
  const guilty = 'server 1.0 2.0 3.0 4.0';
  return { world, alice, own, other, chain, guilty };
}

const counterTable = ({
  world,
  alice,
  own,
  other,
  chain,
  guilty,
}: ReturnType<typeof counterTools>): EvidenceCase[] => [
  chain('counters that follow', 'nothing', [
    [
      [own(1n), 0],
      [own(2n), 0],
    ],
  ]),
  chain('a counter left out', guilty, [
    [
      [own(1n), 0],
      [own(3n), 0],
    ],
  ]),
  chain('a counter twice', guilty, [
    [
      [own(1n), 0],
      [own(1n), 0],
    ],
  ]),
  chain('a counter left out, with others between', guilty, [
    [
      [own(1n), 0],
      [other(4n), 0],
      [own(3n), 0],
    ],
  ]),
  chain('a counter left out, in two links', guilty, [
    [
      [own(1n), 0],
      [other(4n), 1],
    ],
    [
      [other(5n), 0],
      [own(3n), 0],
    ],
  ]),
  chain('a link between', 'nothing', [[[own(1n), 0]], [[own(3n), 0]]], { previous: 4n }),
  chain('one of its own between', 'nothing', [
    [
      [own(1n), 0],
      [own(2n), 0],
      [own(4n), 0],
    ],
  ]),
  chain('a first entry that is not its own', 'nothing', [
    [
      [other(1n), 0],
      [own(3n), 0],
    ],
  ]),
  chain(
    'from the second entry',
    guilty,
    [
      [
        [other(1n), 0],
        [own(1n), 0],
        [own(3n), 0],
      ],
    ],
    { first: 1, messages: [own(1n), own(3n)] },
  ),
  chain(
    'a link that is not needed',
    'nothing',
    [
      [
        [own(1n), 0],
        [own(3n), 0],
      ],
      [[other(9n), 0]],
    ],
    { messages: [own(1n), own(3n)] },
  ),
  chain(
    'a first link that is not needed',
    'nothing',
    [
      [[other(9n), 0]],
      [
        [own(1n), 0],
        [own(3n), 0],
      ],
    ],
    { first: 1, messages: [own(1n), own(3n)] },
  ),
  chain(
    'another message',
    'nothing',
    [
      [
        [own(1n), 0],
        [own(3n), 0],
      ],
    ],
    { messages: [own(1n), own(4n)] },
  ),
  chain('one message', 'nothing', [[[own(1n), 0]]]),
  chain('two inboxes', 'nothing', [
    [
      [own(1n), 0],
      [own(3n), 1],
    ],
  ]),
  chain('an outbox of others', 'nothing', [[[own(1n), 0]], [[own(3n), 0]]], { outboxes: [0, 1] }),
  chain(
    'an outbox of others alone',
    'server 1.0 2.0 3.1 4.1',
    [
      [
        [own(1n), 0],
        [own(3n), 0],
      ],
    ],
    { outboxes: [1] },
  ),
  chain('no claims', 'nothing', []),
  partsCase(world, 'a part left out', 'nothing', alice, own(1n), own(3n)),
];

export const counterCases = (world: EvidenceWorld): EvidenceCase[] => counterTable(counterTools(world));

/** A link of three parts, and the link behind it: what is in the last part is not told. */
function partsCase(
  world: EvidenceWorld,
  name: string,
  expected: string,
  alice: Client,
  first: twin.Message,
  last: twin.Message,
): EvidenceCase {
  const hash = (message: twin.Message) => twin.H(world.preimage(message));
  const other = world.message(world.client(1, 1), 9n, [alice]);
  const rows = Array.from({ length: 64 }, (_, index) => ({
    inbox: 0,
    index,
    messageHash: hash(index === 63 ? first : other),
  }));
  const made = [
    linkOf({ mailbox: alice.id, epoch: 5n, parts: 2, entries: rows }),
    linkOf({
      mailbox: alice.id,
      epoch: 7n,
      previousEpoch: 5n,
      total: 66n,
      entries: [{ inbox: 0, index: 0, messageHash: hash(last) }],
    }),
  ];
  const epochs = made.map((leaf, i) => {
    const epoch = BigInt(5 + 2 * i);
    const stages = world.stages(epoch, []);
    stages.set('4.0', oneOf(1, [leaf, named('filler')]));
    return world.epoch(epoch, stages, {}, { previousEpoch: i === 0 ? 0n : 5n });
  });
  const log = new Log(world, epochs);
  const claims = epochs.map((epoch) => log.claim(saidBy(epoch, 4, 0), 0, 0));
  const messages = [first, last].map((message) => bytesOf(world.preimage(message)));
  return caseIn(world)(name, 19, expected, [alice.id, listOf(claims), u8(63), list2Of(messages)]);
}
