/** Evidence about statements and leaves, rules 1 to 5: guilty and innocent variants, all with true signatures. */
import * as twin from '../twin/index.js';
import { named } from '../worlds.js';
import {
  bytesOf,
  EvidenceWorld,
  leafOf,
  listOf,
  type Made,
  openedOf,
  pathOf,
  recipientOf,
  type Said,
  statementOf,
} from './evidence-world.js';
import { smallOrder, torsionedKey, torsionedSignature } from './forgeries.js';

const { join, u8, u16, u64 } = twin;

/** `expected`: `actor 1.0` (role and index), `server 2.0 3.1`, `operator`, `nothing`. */
export interface EvidenceCase {
  name: string;
  rule: number;
  expected: string;
  bytes: Buffer;
  serverId: Buffer;
  rootKey: Buffer;
}

export function caseIn(world: EvidenceWorld) {
  return (name: string, rule: number, expected: string, parts: Buffer[], manifests = world.manifests) => ({
    name: `${rule} ${name}`,
    rule,
    expected,
    bytes: world.evidence(rule, parts, manifests),
    serverId: world.serverId,
    rootKey: world.rootKey,
  });
}

export const NO_LISTS = join(u8(0), u8(0), u8(0));
export const oneOf = (entries: number, leaves: Buffer[]): Made => ({ outputs: [{ entries, leaves }] });

export interface Link {
  mailbox: Buffer;
  epoch?: bigint;
  part?: number;
  parts?: number;
  previousEpoch?: bigint;
  total?: bigint;
  previousHead?: Buffer;
  entries?: number | twin.ChainEntry[];
}

export const entriesOf = (n: number): twin.ChainEntry[] =>
  Array.from({ length: n }, (_, index) => ({ inbox: 0, index, messageHash: named(`entry ${index}`) }));

export function linkOf(link: Link): Buffer {
  const { entries = 1, part = 0 } = link;
  const all = typeof entries === 'number' ? entriesOf(entries) : entries;
  return twin.linkLeaf({
    epoch: 7n,
    parts: part + 1,
    previousEpoch: 0n,
    total: BigInt(64 * part + all.length),
    previousHead: named('seed'),
    ...link,
    part,
    entries: all,
  });
}

export function stillOf(still: Partial<twin.Still> & { mailbox: Buffer }): Buffer {
  return twin.stillLeaf({
    epoch: 7n,
    lastEpoch: 0n,
    total: 0n,
    head: named('seed'),
    trimmedThrough: 0n,
    ...still,
  });
}

export const itemOf = (mailbox: Buffer, index = 0, inbox = 0): twin.MailboxItem => ({
  mailbox,
  inbox,
  index,
  messageHash: named(`entry ${index}`),
});

export const rowOf = (hash: Buffer, previous: twin.Place = twin.NO_PLACE, submission = twin.UNSIGNED) => ({
  messageHash: hash,
  submissionHash: submission,
  previousPlace: previous,
});

/** A page as no decoder of the twin would write it: rows in whatever order. */
export const looseItems = (tag: string, items: twin.MailboxItem[]) =>
  join(
    u8(0),
    twin.ascii(tag),
    ...items.map(({ mailbox, inbox, index, messageHash }) =>
      join(mailbox, u16(inbox), twin.u32(index), messageHash),
    ),
  );

function statementTools(world: EvidenceWorld) {
  const make = caseIn(world);
  const nothing = oneOf(0, []);
  const page = twin.inboxPages([rowOf(named('a'))]);
  const empty = world.say(1, 0, 7n, nothing);
  const full = world.say(1, 0, 7n, oneOf(1, page));
  const later = world.say(1, 0, 8n, oneOf(1, page));
  const other = world.say(1, 1, 7n, oneOf(1, page));
  const ordered = (a: Said, b: Said) =>
    [a, b].sort((x, y) => Buffer.compare(x.signed, y.signed)).map(statementOf);
  const malformed = (name: string, expected: string, role: number, made: Made, inputs?: Buffer[]) =>
    make(name, 2, expected, [statementOf(world.say(role, 1, 7n, made, inputs))]);
  const two = { outputs: [...nothing.outputs, ...nothing.outputs] };
  return { world, make, nothing, empty, full, later, other, ordered, malformed, two };
}

const statementTable = ({
  world,
  make,
  nothing,
  empty,
  full,
  later,
  other,
  ordered,
  malformed,
  two,
}: ReturnType<typeof statementTools>): EvidenceCase[] => [
  make('two statements', 1, 'actor 1.0', ordered(empty, full)),
  make('two statements, the wrong one first', 1, 'nothing', ordered(empty, full).reverse()),
  make('one statement twice', 1, 'nothing', [statementOf(full), statementOf(full)]),
  make('two epochs', 1, 'nothing', ordered(full, later)),
  make('two actors', 1, 'nothing', ordered(full, other)),
  make('signed by another', 1, 'nothing', ordered(empty, { ...full, signature: other.signature })),
  malformed('a good inbox', 'nothing', 1, nothing),
  malformed('a good router', 'nothing', 2, two),
  malformed('a good receiver', 'nothing', 3, nothing, [named('x')]),
  malformed('a good outbox', 'nothing', 4, oneOf(1, [named('x'), named('y')])),
  malformed('an inbox with two outputs', 'actor 1.1', 1, two),
  malformed('a router with one output', 'actor 2.1', 2, nothing),
  malformed('a router with three outputs', 'actor 2.1', 2, { outputs: [...two.outputs, ...two.outputs] }),
  malformed('an inbox with inputs', 'actor 1.1', 1, nothing, [named('x')]),
  malformed('entries without leaves', 'actor 3.1', 3, oneOf(1, [])),
  malformed('a root without leaves', 'actor 3.1', 3, {
    outputs: [{ entries: 0, leaves: [], root: named('r') }],
  }),
  malformed('a page too many', 'actor 3.1', 3, oneOf(64, [named('x'), named('y')])),
  malformed('a page too few', 'actor 1.1', 1, oneOf(65, [named('x')])),
  malformed('an outbox with too few leaves', 'actor 4.1', 4, oneOf(65, [named('x')])),
  malformed('an outbox with stills alone', 'nothing', 4, oneOf(0, [named('x')])),
  malformed('no role', 'nothing', 1, { ...nothing, fields: { role: 5 } }),
  make('a statement of the sequencer', 2, 'nothing', [statementOf(world.say(5, 0, 7n, two))]),
  malformed('another server', 'nothing', 1, { ...two, fields: { serverId: named('s') } }),
  malformed('another manifest', 'nothing', 1, { ...two, fields: { manifestHash: named('m') } }),
  malformed('no such actor', 'nothing', 1, { ...two, fields: { actor: 2 } }),
];

export const statementCases = (world: EvidenceWorld): EvidenceCase[] => statementTable(statementTools(world));

/** Rule 3. Clients: `x.y` is placed at inbox x and outbox y. */
function leafTools(world: EvidenceWorld) {
  const make = caseIn(world);
  const at = (outbox: number, n = 0) => world.client(0, outbox, n).id;
  const [low, high] = [at(0), at(0, 1)].sort(Buffer.compare) as [Buffer, Buffer];
  const one = (name: string, expected: string, role: number, made: Made, index = 0, output = 0, epoch = 7n) =>
    make(name, 3, expected, [openedOf(world.say(role, 0, epoch, made), output, index)]);
  const inbox = (name: string, expected: string, rows: twin.InboxEntry[]) =>
    one(name, expected, 1, oneOf(rows.length, twin.inboxPages(rows)));
  const router = (name: string, expected: string, items: twin.MailboxItem[], entries = items.length) =>
    one(name, expected, 2, oneOf(entries, [looseItems('csign1ro', items)]));
  const receiver = (name: string, expected: string, items: twin.MailboxItem[]) =>
    one(name, expected, 3, oneOf(items.length, [looseItems('csign1re', items)]));
  const outbox = (
    name: string,
    expected: string,
    leaf: Buffer,
    before: Buffer[] = [],
    behind: Buffer[] = [],
  ) => one(name, expected, 4, oneOf(1, [...before, leaf, ...behind]), before.length);
  const previous = (name: string, expected: string, epoch: bigint, inboxNumber: number, index: number) =>
    inbox(name, expected, [rowOf(named('a')), rowOf(named('b'), { epoch, inbox: inboxNumber, index })]);
  const elsewhere = looseItems('csign1ro', [itemOf(at(1))]);
  const mailbox = low;
  return { at, low, high, one, router, receiver, outbox, previous, elsewhere, mailbox };
}

const leafTable = ({
  at,
  low,
  high,
  one,
  router,
  receiver,
  outbox,
  previous,
  elsewhere,
  mailbox,
}: ReturnType<typeof leafTools>): EvidenceCase[] => [
  previous('no previous place', 'nothing', 0n, 0, 0),
  previous('previous place in this epoch', 'nothing', 7n, 0, 0),
  previous('previous place in an earlier epoch', 'nothing', 6n, 1, 99),
  previous('its own place', 'actor 1.0', 7n, 0, 1),
  previous('a place of another inbox in this epoch', 'actor 1.0', 7n, 1, 0),
  previous('a later epoch', 'actor 1.0', 8n, 0, 0),
  previous('epoch 0, and an inbox', 'actor 1.0', 0n, 1, 0),
  previous('epoch 0, and an index', 'actor 1.0', 0n, 0, 1),
  previous('an epoch beyond numbers', 'actor 1.0', 2n ** 53n, 0, 0),
  one('a page of another role', 'actor 1.0', 1, oneOf(1, [elsewhere])),
  one('too few rows', 'actor 1.0', 1, oneOf(2, twin.inboxPages([rowOf(named('a'))]))),
  one(
    '65 rows',
    'actor 3.0',
    3,
    oneOf(65, [
      looseItems(
        'csign1re',
        entriesOf(65).map(({ index }) => itemOf(low, index)),
      ),
    ]),
  ),
  one('no rows', 'actor 3.0', 3, oneOf(0, [looseItems('csign1re', [])])),
  one('half a row', 'actor 3.0', 3, oneOf(1, [looseItems('csign1re', [itemOf(low)]).subarray(0, 70)])),
  router('a good page', 'nothing', [itemOf(low, 0), itemOf(low, 1), itemOf(high, 0)]),
  router('one row twice', 'actor 2.0', [itemOf(low, 0), itemOf(low, 0)]),
  router('mailboxes that fall', 'actor 2.0', [itemOf(high, 0), itemOf(low, 1)]),
  router('a row of another inbox', 'actor 2.0', [itemOf(low, 0, 1)]),
  router('a mailbox placed elsewhere', 'actor 2.0', [itemOf(at(1))]),
  router('fewer rows than entries', 'actor 2.0', [itemOf(low)], 2),
  one(
    'a good page in the second output',
    'nothing',
    2,
    { outputs: [...oneOf(0, []).outputs, ...oneOf(1, [elsewhere]).outputs] },
    0,
    1,
  ),
  receiver('a good page of two inboxes', 'nothing', [itemOf(low, 1, 0), itemOf(low, 0, 1)]),
  receiver('inboxes that fall', 'actor 3.0', [itemOf(low, 0, 1), itemOf(low, 1, 0)]),
  receiver('an inbox that there is not', 'actor 3.0', [itemOf(low, 0, 2)]),
  receiver('a mailbox placed elsewhere', 'actor 3.0', [itemOf(at(1))]),
  outbox('a good link', 'nothing', linkOf({ mailbox })),
  outbox('a good later link', 'nothing', linkOf({ mailbox, previousEpoch: 6n, total: 2n })),
  outbox('another epoch', 'actor 4.0', linkOf({ mailbox, epoch: 8n })),
  outbox('a previous epoch that is its own', 'actor 4.0', linkOf({ mailbox, previousEpoch: 7n, total: 2n })),
  outbox('a link placed elsewhere', 'actor 4.0', linkOf({ mailbox: at(1) })),
  outbox('no leaf of an outbox', 'actor 4.0', looseItems('csign1re', [itemOf(low)])),
  outbox('bytes left over', 'actor 4.0', join(linkOf({ mailbox }), u8(0))),
  outbox('a part beyond the parts', 'actor 4.0', linkOf({ mailbox, part: 1, parts: 1 }), [
    linkOf({ mailbox }),
  ]),
  outbox('a part above its leaf index', 'actor 4.0', linkOf({ mailbox, part: 1, parts: 2 })),
  outbox('a part behind one', 'nothing', linkOf({ mailbox, part: 1, parts: 2 }), [linkOf({ mailbox })]),
  outbox('parts that do not follow', 'actor 4.0', linkOf({ mailbox, parts: 2, entries: 64 })),
  outbox('parts that follow', 'nothing', linkOf({ mailbox, parts: 2, entries: 64 }), [], [named('x')]),
  outbox(
    'a part that is not full',
    'actor 4.0',
    linkOf({ mailbox, parts: 2, entries: 63 }),
    [],
    [named('x')],
  ),
  outbox('no entries', 'actor 4.0', linkOf({ mailbox, entries: 0, previousEpoch: 1n, total: 5n })),
  outbox('65 entries', 'actor 4.0', linkOf({ mailbox, entries: 65 })),
  outbox(
    'entries that do not rise',
    'actor 4.0',
    linkOf({ mailbox, entries: [...entriesOf(1), ...entriesOf(1)] }),
  ),
  outbox('an entry of no inbox', 'actor 4.0', linkOf({ mailbox, entries: [itemOf(low, 0, 2)] })),
  outbox('a first total that is too high', 'actor 4.0', linkOf({ mailbox, total: 2n })),
  outbox('a later total that is too low', 'actor 4.0', linkOf({ mailbox, previousEpoch: 6n, total: 1n })),
  outbox('a good still', 'nothing', stillOf({ mailbox })),
  outbox('a good later still', 'nothing', stillOf({ mailbox, lastEpoch: 6n, total: 1n, trimmedThrough: 6n })),
  outbox('a still of its last epoch', 'actor 4.0', stillOf({ mailbox, lastEpoch: 7n, total: 1n })),
  outbox(
    'a still trimmed too far',
    'actor 4.0',
    stillOf({ mailbox, lastEpoch: 5n, total: 1n, trimmedThrough: 6n }),
  ),
  outbox('a still with a total alone', 'actor 4.0', stillOf({ mailbox, total: 1n })),
  outbox('a still with an epoch alone', 'actor 4.0', stillOf({ mailbox, lastEpoch: 1n })),
  outbox('a still placed elsewhere', 'actor 4.0', stillOf({ mailbox: at(1) })),
  one(
    'a second output of an outbox',
    'nothing',
    4,
    {
      outputs: [
        ...oneOf(0, []).outputs,
        ...oneOf(64, [linkOf({ mailbox, parts: 2, entries: 64 }), named('x')]).outputs,
      ],
    },
    0,
    1,
  ),
  ...exceptionCases(),
];

export const leafCases = (world: EvidenceWorld): EvidenceCase[] => leafTable(leafTools(world));

/** With exceptions in its placement a statement does not say who belongs where. */
function exceptionCases(): EvidenceCase[] {
  const world = new EvidenceWorld({ exceptions: [{ id: named('moved'), inbox: 0, outbox: 0 }] });
  const said = world.say(4, 0, 7n, oneOf(1, [linkOf({ mailbox: world.client(0, 1).id })]));
  return [caseIn(world)('placement with exceptions', 3, 'nothing', [openedOf(said, 0, 0)])];
}

function orderTools(world: EvidenceWorld) {
  const make = caseIn(world);
  const [low, high] = [world.client(0, 0).id, world.client(0, 0, 1).id].sort(Buffer.compare) as [
    Buffer,
    Buffer,
  ];
  const pair = (name: string, expected: string, role: number, leaves: Buffer[], indices = [0, 1]) => {
    const said = world.say(role, 0, 7n, oneOf(leaves.length, leaves));
    const parts = [statementOf(said), u16(0), ...indices.map((index) => leafOf(said, 0, index))];
    return make(name, 4, expected, parts);
  };
  const pages = (name: string, expected: string, a: twin.MailboxItem, b: twin.MailboxItem) =>
    pair(name, expected, 3, [looseItems('csign1re', [a]), looseItems('csign1re', [b])]);
  const mailbox = low;
  const first = linkOf({ mailbox, parts: 2, entries: 64 });
  const second = (changes: Partial<Link> = {}) =>
    linkOf({ mailbox, part: 1, parts: 2, previousHead: twin.H(first), ...changes });
  return { low, high, pair, pages, mailbox, first, second };
}

const orderTable = ({
  low,
  high,
  pair,
  pages,
  mailbox,
  first,
  second,
}: ReturnType<typeof orderTools>): EvidenceCase[] => [
  pages('pages that rise', 'nothing', itemOf(low), itemOf(high)),
  pages('pages that fall', 'actor 3.0', itemOf(high), itemOf(low)),
  pages('one row on two pages', 'actor 3.0', itemOf(low), itemOf(low)),
  pages('indices that fall', 'actor 3.0', itemOf(low, 1), itemOf(low, 0)),
  pair('pages of an inbox', 'nothing', 1, [
    looseItems('csign1re', [itemOf(high)]),
    looseItems('csign1re', [itemOf(low)]),
  ]),
  pair('what is no page', 'nothing', 3, [named('x'), named('y')]),
  pair(
    'pages that are not neighbours',
    'nothing',
    3,
    [itemOf(high), itemOf(low), itemOf(low)].map((item) => looseItems('csign1re', [item])),
    [0, 2],
  ),
  pair(
    'the second before the first',
    'nothing',
    3,
    [itemOf(low), itemOf(high)].map((item) => looseItems('csign1re', [item])),
    [1, 0],
  ),
  pair('links that rise', 'nothing', 4, [linkOf({ mailbox: low }), linkOf({ mailbox: high })]),
  pair('stills that rise', 'nothing', 4, [stillOf({ mailbox: low }), stillOf({ mailbox: high })]),
  pair('mailboxes that fall', 'actor 4.0', 4, [linkOf({ mailbox: high }), stillOf({ mailbox: low })]),
  pair('a link before its last part', 'actor 4.0', 4, [
    linkOf({ mailbox: low, parts: 2 }),
    linkOf({ mailbox: high }),
  ]),
  pair('a link behind its first part', 'actor 4.0', 4, [
    stillOf({ mailbox: low }),
    linkOf({ mailbox: high, part: 1 }),
  ]),
  pair('two parts', 'nothing', 4, [first, second()]),
  pair('a still beside a link', 'actor 4.0', 4, [linkOf({ mailbox }), stillOf({ mailbox })]),
  pair('two stills', 'actor 4.0', 4, [stillOf({ mailbox }), stillOf({ mailbox })]),
  pair('a part twice', 'actor 4.0', 4, [first, first]),
  pair('another number of parts', 'actor 4.0', 4, [first, second({ parts: 3 })]),
  pair('another previous epoch', 'actor 4.0', 4, [first, second({ previousEpoch: 1n })]),
  pair('another epoch', 'actor 4.0', 4, [first, second({ epoch: 8n })]),
  pair('another total', 'actor 4.0', 4, [first, second({ total: 66n })]),
  pair('another head', 'actor 4.0', 4, [first, second({ previousHead: named('h') })]),
];

export const orderCases = (world: EvidenceWorld): EvidenceCase[] => orderTable(orderTools(world));

/** Rule 5. */
function rowTools(world: EvidenceWorld, required: EvidenceWorld) {
  const alice = world.client(0, 0);
  const others = [1, 2, 3].map((n) => world.client(0, 0, n));
  const one = (
    where: EvidenceWorld,
    name: string,
    expected: string,
    message: twin.Bundle,
    lists: Buffer[],
    previous = twin.NO_PLACE,
  ) => {
    const row = rowOf(twin.H(where.preimage(message)), previous, message.submissionHash);
    const said = where.say(1, 0, 7n, oneOf(2, twin.inboxPages([rowOf(named('x')), row])));
    return caseIn(where)(name, 5, expected, [openedOf(said, 0, 0), u8(1), ...lists]);
  };
  const given = (where: EvidenceWorld, message: twin.Bundle) => listOf([bytesOf(where.preimage(message))]);
  const alone = (name: string, expected: string, message: twin.Bundle, previous?: twin.Place) =>
    one(world, name, expected, message, [given(world, message), u8(0), u8(0)], previous);
  const earlier = { epoch: 6n, inbox: 0, index: 3 };
  const good = world.message(alice, 1n, others);
  const [a, b, c] = good.recipients as [twin.Recipient, twin.Recipient, twin.Recipient];
  const fallen = { ...good, recipients: [a, c, b] };
  const pair = (name: string, expected: string, message: twin.Bundle, positions: number[]) => {
    const bytes = join(
      ...[
        twin.ascii('csign1ms'),
        world.serverId,
        message.sender,
        u64(message.counter),
        u16(message.recipients.length),
      ],
      ...message.recipients.map((recipient) => twin.recipientLeafHash(twin.recipientLeaf(recipient))),
      twin.bodyHash(message.body),
    );
    const row = rowOf(twin.H(bytes));
    const said = world.say(1, 0, 7n, oneOf(1, twin.inboxPages([row])));
    const hashes = message.recipients.map((recipient) =>
      twin.recipientLeafHash(twin.recipientLeaf(recipient)),
    );
    const recipients = positions.map((position) =>
      join(
        u16(position),
        twin.recipientLeaf(message.recipients[position]!),
        pathOf(hashes.filter((_, i) => i !== position)),
      ),
    );
    return caseIn(world)(name, 5, expected, [
      openedOf(said, 0, 0),
      u8(0),
      listOf([bytesOf(bytes)]),
      listOf(recipients),
      u8(0),
    ]);
  };
  const many = world.message(
    alice,
    1n,
    Array.from({ length: 20 }, (_, n) => world.client(1, 1, n)),
  );
  return { world, required, alice, one, given, alone, earlier, good, a, fallen, pair, many };
}

const rowTable = ({
  world,
  required,
  alice,
  one,
  given,
  alone,
  earlier,
  good,
  a,
  fallen,
  pair,
  many,
}: ReturnType<typeof rowTools>): EvidenceCase[] => [
  one(required, 'no submission', 'actor 1.0', good, [NO_LISTS]),
  one(required, 'a submission that is there', 'nothing', { ...good, submissionHash: named('s') }, [NO_LISTS]),
  one(world, 'no submission where none is required', 'nothing', good, [NO_LISTS]),
  one(required, 'no submission, and a recipient', 'nothing', good, [
    join(u8(0), listOf([recipientOf(good, 0)]), u8(0)),
  ]),
  alone('a good message', 'nothing', good),
  alone('to nobody', 'actor 1.0', { ...good, recipients: [] }),
  alone('of no key', 'actor 1.0', { ...good, sender: Buffer.alloc(32, 0xff) }),
  alone('of a sender placed elsewhere', 'actor 1.0', { ...good, sender: world.client(1, 0).id }),
  alone('counter 0', 'actor 1.0', { ...good, counter: 0n }),
  alone('counter 1 behind a place', 'actor 1.0', good, earlier),
  alone('counter 2 behind none', 'actor 1.0', { ...good, counter: 2n }),
  alone('counter 2 behind a place', 'nothing', { ...good, counter: 2n }, earlier),
  one(world, 'one recipient given', 'nothing', fallenOne(world, alice), [
    given(world, fallenOne(world, alice)),
    listOf([recipientOf(fallenOne(world, alice), 0)]),
    u8(0),
  ]),
  one(world, 'recipients of a list of pages that rise', 'nothing', many, [
    given(world, many),
    listOf([recipientOf(many, 15), recipientOf(many, 16)]),
    u8(0),
  ]),
  pair('recipients that rise', 'nothing', good, [0, 1]),
  pair('recipients that fall', 'actor 1.0', fallen, [1, 2]),
  pair('positions that are not consecutive', 'nothing', good, [1, 0]),
  pair('one recipient twice', 'actor 1.0', { ...good, recipients: [a, a] }, [0, 1]),
  ...submissionCases(world),
  movedSender(),
  foreignMessage(world),
];

export const rowCases = (world: EvidenceWorld, required: EvidenceWorld): EvidenceCase[] =>
  rowTable(rowTools(world, required));

const fallenOne = (world: EvidenceWorld, sender: { secret: Buffer; id: Buffer }) =>
  world.message(sender, 2n, [sender]);

/** With exceptions in its placement a statement does not say who belongs where, and nothing is said of the message. */
function movedSender(): EvidenceCase {
  const world = new EvidenceWorld({ exceptions: [{ id: named('moved'), inbox: 0, outbox: 0 }] });
  const message = world.preimage(world.message(world.client(1, 0), 1n, [world.client(0, 0)]));
  const said = world.say(1, 0, 7n, oneOf(1, twin.inboxPages([rowOf(twin.H(message))])));
  const lists = [listOf([bytesOf(message)]), u8(0), u8(0)];
  return caseIn(world)('a sender that may have been moved', 5, 'nothing', [
    openedOf(said, 0, 0),
    u8(0),
    ...lists,
  ]);
}

function foreignMessage(world: EvidenceWorld): EvidenceCase {
  const message = world.preimage(world.message(world.client(0, 0), 0n, [world.client(0, 0)]));
  const foreign = join(message.subarray(0, 8), named('another server'), message.subarray(40));
  const said = world.say(1, 0, 7n, oneOf(1, twin.inboxPages([rowOf(twin.H(foreign))])));
  const lists = [listOf([bytesOf(foreign)]), u8(0), u8(0)];
  return caseIn(world)('counter 0, to another server', 5, 'nothing', [openedOf(said, 0, 0), u8(0), ...lists]);
}

function submissionTools(world: EvidenceWorld) {
  const [alice, bob] = [world.client(0, 0), world.client(0, 0, 1)];
  const message = world.message(alice, 70n, [bob]);
  const hash = twin.H(world.preimage(message));
  const submit = (
    name: string,
    expected: string,
    changes: Partial<twin.Submission> = {},
    how: {
      cut?: number;
      page?: number;
      secret?: Buffer;
      size?: number;
      path?: Buffer[];
      named?: Buffer;
      sign?: (signed: Buffer) => Buffer;
      withoutMessage?: true;
    } = {},
    recipients: Buffer[] = [],
  ) => {
    const submission = {
      serverId: world.serverId,
      sender: alice.id,
      firstCounter: 1n,
      messageHashes: Array.from({ length: 80 }, (_, i) => (i === 69 ? hash : named(`submitted ${i}`))),
      ...changes,
    };
    const pages = twin.partsOf(how.size ?? 64, submission.messageHashes).map(twin.submissionPage);
    const root = twin.root(pages.map((page) => twin.H(page)));
    const signed = join(twin.submissionSigned(submission).subarray(0, -32), root).subarray(0, how.cut);
    const signature = how.sign?.(signed) ?? twin.sign(how.secret ?? alice.secret, signed);
    const hashes = pages.map((page) => twin.H(page));
    const path = how.path ?? (how.page === undefined ? [] : twin.inclusionPath(how.page, hashes));
    const part = join(
      bytesOf(signed),
      signature,
      bytesOf(how.page === undefined ? Buffer.alloc(0) : pages[how.page]!),
      pathOf(path),
    );
    const row = rowOf(
      hash,
      { epoch: 6n, inbox: 0, index: 0 },
      how.named ?? twin.submissionHash(signed, signature),
    );
    const said = world.say(1, 0, 7n, oneOf(1, twin.inboxPages([row])));
    const messages = how.withoutMessage ? [] : [bytesOf(world.preimage(message))];
    const lists = [listOf(messages), listOf(recipients), listOf([part])];
    return caseIn(world)(name, 5, expected, [openedOf(said, 0, 0), u8(0), ...lists]);
  };
  const others = Array.from({ length: 80 }, (_, i) => named(`submitted ${i}`));
  return { alice, bob, message, submit, others, hash };
}

const submissionTable = ({
  alice,
  bob,
  message,
  submit,
  others,
  hash,
}: ReturnType<typeof submissionTools>): EvidenceCase[] => [
  submit('a good submission', 'nothing'),
  submit('a good submission with its page', 'nothing', {}, { page: 1 }),
  submit('a submission that cannot be decoded', 'actor 1.0', {}, { cut: 130 }),
  submit('a submission to another server', 'actor 1.0', { serverId: named('s') }),
  submit('a submission of another sender', 'actor 1.0', { sender: bob.id }, { secret: bob.secret }),
  submit('a submission of lower counters', 'actor 1.0', { messageHashes: others.slice(0, 69) }),
  submit('a submission of higher counters', 'actor 1.0', { firstCounter: 71n }),
  submit('a submission that another signed', 'actor 1.0', {}, { secret: bob.secret }),
  submit('a submission of another message', 'actor 1.0', { messageHashes: others }, { page: 1 }),
  submit(
    'a submission of another message, from this one on',
    'actor 1.0',
    { firstCounter: 70n, messageHashes: others },
    { page: 0 },
  ),
  submit(
    'a bad submission that the row does not name',
    'nothing',
    { serverId: named('s') },
    { named: named('n') },
  ),
  submit('a bad submission with a path', 'nothing', { serverId: named('s') }, { path: [named('p')] }),
  submit('a bad submission and a recipient', 'nothing', { serverId: named('s') }, {}, [
    recipientOf(message, 0),
  ]),
  submit('a page of another size', 'nothing', { messageHashes: others }, { page: 1, size: 40 }),
  submit('another page', 'nothing', { messageHashes: others }, { page: 0 }),
  submit('a page, and lower counters', 'nothing', { messageHashes: others.slice(0, 69) }, { page: 1 }),
  submit('a submission with a torsioned signature', 'actor 1.0', {}, torsionedSignature(alice.secret)),
  ...withoutMessage(submit, others, hash, message, bob),
];

/** What is wrong with a submission whatever the message is. */
function withoutMessage(
  submit: ReturnType<typeof submissionTools>['submit'],
  others: Buffer[],
  hash: Buffer,
  message: twin.Message,
  bob: { readonly id: Buffer; readonly secret: Buffer },
): EvidenceCase[] {
  const alone = { withoutMessage: true } as const;
  const torsioned = torsionedKey(bob.secret);
  const page = { ...alone, page: 0 };
  const few = (name: string, expected: string, n: number, changes = {}, how = {}) =>
    submit(name, expected, { messageHashes: others.slice(0, n), ...changes }, { ...page, ...how });
  return [
    few('the only page of a submission that has not the row', 'actor 1.0', 5),
    few('the full only page of a submission that has not the row', 'actor 1.0', 64),
    few('a page of a submission of two that has not the row', 'nothing', 65),
    few('an only page with the row', 'nothing', 0, { messageHashes: [...others.slice(0, 3), hash] }),
    few('an only page of a submission that another signed', 'actor 1.0', 5, {}, { secret: bob.secret }),
    few('a page of another size, and no message', 'nothing', 50, {}, { size: 40 }),
    few('an only page and a path', 'nothing', 5, {}, { path: [named('p')] }),
    submit('a good submission, and no message', 'nothing', {}, alone),
    submit('a submission that cannot be decoded, and no message', 'actor 1.0', {}, { ...alone, cut: 130 }),
    submit('a submission to another server, and no message', 'actor 1.0', { serverId: named('s') }, alone),
    submit('a submission that another signed, and no message', 'actor 1.0', {}, { ...alone, ...bob }),
    submit(
      'a submission of another sender, and no message',
      'nothing',
      { sender: bob.id },
      { ...alone, ...bob },
    ),
    submit(
      'a submission of a key with torsion',
      'actor 1.0',
      { sender: torsioned.key },
      { ...alone, ...torsioned },
    ),
    submit(
      'a submission of a key of small order',
      'actor 1.0',
      { sender: smallOrder.key },
      { ...alone, ...smallOrder },
    ),
    submit(
      'a submission that the row does not name, and no message',
      'nothing',
      { serverId: named('s') },
      { ...alone, named: named('n') },
    ),
    submit('a bad submission, no message, and a recipient', 'nothing', { serverId: named('s') }, alone, [
      recipientOf(message, 0),
    ]),
  ];
}

const submissionCases = (world: EvidenceWorld): EvidenceCase[] => submissionTable(submissionTools(world));
