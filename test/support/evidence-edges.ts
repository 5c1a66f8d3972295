/**
 * Evidence at the edges of rules 1 to 15: what mutants of the rules were not told from the rules by. Each case is next
 * to one that is judged the other way.
 */
import * as twin from '../twin/index.js';
import { named } from '../worlds.js';
import {
  caseIn,
  type EvidenceCase,
  entriesOf,
  itemOf,
  type Link,
  linkOf,
  looseItems,
  oneOf,
  rowOf,
  stillOf,
} from './evidence-leaves.js';
import { epochWith, leavesOfOne, twoLeaves } from './evidence-log.js';
import {
  bytesOf,
  type EvidenceWorld,
  Log,
  leafOf,
  listOf,
  type Made,
  openedOf,
  pathOf,
  recipientOf,
  type Said,
  saidBy,
  statementOf,
} from './evidence-world.js';

const { join, u8, u16, u32 } = twin;

/** The leaf at its index, with the path of the one that stands there. */
const insteadOf = (said: Said, index: number, leaf: Buffer) => {
  const old = bytesOf(said.made.outputs[0]!.leaves[index]!);
  return join(bytesOf(leaf), leafOf(said, 0, index).subarray(old.length));
};

/** Rules 2 and 3. */
export function leafEdges(world: EvidenceWorld): EvidenceCase[] {
  const make = caseIn(world);
  const statement = (name: string, role: number, made: Made) =>
    make(name, 2, 'nothing', [statementOf(world.say(role, 1, 7n, made))]);
  const leaf = (name: string, expected: string, role: number, actor: number, made: Made, index = 0) =>
    make(name, 3, expected, [openedOf(world.say(role, actor, 7n, made), 0, index)]);
  const mailbox = world.client(0, 0).id;
  const rows = (n: number, last: twin.Place = twin.NO_PLACE) =>
    twin.inboxPages(
      Array.from({ length: n }, (_, i) => rowOf(named(`row ${i}`), i === n - 1 ? last : undefined)),
    );
  const full = looseItems(
    'csign1re',
    entriesOf(64).map(({ index }) => itemOf(mailbox, index)),
  );
  const good = world.say(3, 1, 7n, oneOf(1, [looseItems('csign1re', [itemOf(world.client(0, 1).id)])]));
  return [
    statement('a good inbox with a page', 1, oneOf(1, [named('x')])),
    statement('an outbox with as many leaves as full parts', 4, oneOf(1, [named('x')])),
    leaf('a full page', 'nothing', 3, 0, oneOf(64, [full])),
    leaf('a second page', 'nothing', 1, 0, oneOf(65, rows(65, { epoch: 7n, inbox: 0, index: 10 })), 1),
    leaf(
      'its own place on a second page',
      'actor 1.0',
      1,
      0,
      oneOf(65, rows(65, { epoch: 7n, inbox: 0, index: 64 })),
      1,
    ),
    make('a good page of the second receiver', 3, 'nothing', [openedOf(good, 0, 0)]),
    make('what does not stand in the output', 3, 'nothing', [
      join(
        bytesOf(named('no page')),
        u16(0),
        openedOf(good, 0, 0).subarray(bytesOf(good.made.outputs[0]!.leaves[0]!).length + 2),
      ),
    ]),
    make('an output that there is not', 3, 'nothing', [
      join(bytesOf(named('no page')), u16(1), u32(0), pathOf([]), statementOf(good)),
    ]),
    leaf(
      'a full part beyond the parts',
      'actor 4.0',
      4,
      0,
      oneOf(128, [named('x'), linkOf({ mailbox, part: 1, parts: 1, entries: 64 })]),
      1,
    ),
    leaf(
      'parts that do not follow, behind another leaf',
      'actor 4.0',
      4,
      0,
      oneOf(64, [named('x'), linkOf({ mailbox, parts: 2, entries: 64 })]),
      1,
    ),
    retiredInbox(world, mailbox),
  ];
}

/** The manifest of version 2, in which inbox 0 has another key: two inboxes are in use, and three have been. */
function retiredInbox(world: EvidenceWorld, mailbox: Buffer): EvidenceCase {
  const [old, ...others] = world.manifest.actors;
  const key = twin.publicKeyOf(named('evidence second inbox'));
  const actors = [{ ...old!, lastEpoch: 5n }, { ...old!, key, firstEpoch: 6n }, ...others];
  const second = world.second({ actors });
  const made = oneOf(1, [linkOf({ mailbox, entries: [itemOf(mailbox, 0, 2)] })]);
  const said = world.say(4, 0, 7n, made, [], { manifestHash: twin.manifestHash(second.bytes) });
  const manifests = [...world.manifests, second];
  return caseIn(world)(
    'an entry of one inbox more than are in use',
    3,
    'actor 4.0',
    [openedOf(said, 0, 0)],
    manifests,
  );
}

/** Rule 4. */
export function orderEdges(world: EvidenceWorld): EvidenceCase[] {
  const [low, high] = [world.client(0, 0).id, world.client(0, 0, 1).id].sort(Buffer.compare) as [
    Buffer,
    Buffer,
  ];
  const page = (mailbox: Buffer, n = 1) =>
    looseItems(
      'csign1re',
      entriesOf(n).map(({ index }) => itemOf(mailbox, index)),
    );
  const pair = (
    name: string,
    expected: string,
    role: number,
    leaves: [Buffer, Buffer],
    shown: (said: Said) => Buffer[] = (said) => [0, 1].map((index) => leafOf(said, 0, index)),
  ) => {
    const said = world.say(role, 0, 7n, oneOf(2, leaves));
    return caseIn(world)(name, 4, expected, [statementOf(said), u16(0), ...shown(said)]);
  };
  const first = linkOf({ mailbox: low, parts: 3, entries: 64 });
  const third = linkOf({ mailbox: low, part: 2, parts: 3, total: 65n, previousHead: twin.H(first) });
  return [
    pair('a part left out', 'actor 4.0', 4, [first, third]),
    pair('65 rows', 'nothing', 3, [page(high, 65), page(low)]),
    pair('a first page that is not in the output', 'nothing', 3, [page(low), page(high)], (said) => [
      insteadOf(said, 0, page(high, 2)),
      leafOf(said, 0, 1),
    ]),
    pair('a second page that is not in the output', 'nothing', 3, [page(low), page(high)], (said) => [
      leafOf(said, 0, 0),
      insteadOf(said, 1, page(low)),
    ]),
  ];
}

/** Rule 5. */
export function rowEdges(world: EvidenceWorld, required: EvidenceWorld): EvidenceCase[] {
  const alice = world.client(0, 0);
  const to = (n: number) => Array.from({ length: n }, (_, i) => world.client(1, 1, i));
  const earlier = { epoch: 6n, inbox: 0, index: 3 };
  const alone = (
    name: string,
    expected: string,
    message: twin.Bundle,
    previous?: twin.Place,
    role = 1,
    row = 0,
  ) => {
    const preimage = world.preimage(message);
    const said = world.say(role, 0, 7n, oneOf(1, twin.inboxPages([rowOf(twin.H(preimage), previous)])));
    const lists = [u8(row), listOf([bytesOf(preimage)]), u8(0), u8(0)];
    return caseIn(world)(name, 5, expected, [openedOf(said, 0, 0), ...lists]);
  };
  const zero = world.message(alice, 0n, to(1));
  const unsigned = required.say(1, 0, 7n, oneOf(1, twin.inboxPages([rowOf(named('a'))])));
  const submission = join(bytesOf(Buffer.alloc(0)), Buffer.alloc(64), bytesOf(Buffer.alloc(0)), pathOf([]));
  return [
    alone('counter 0 behind a place', 'actor 1.0', zero, earlier),
    alone('counter 0, to 16 recipients', 'actor 1.0', world.message(alice, 0n, to(16))),
    alone('counter 0, to 17 recipients', 'actor 1.0', world.message(alice, 0n, to(17))),
    alone('a page that a router signed', 'nothing', zero, twin.NO_PLACE, 2),
    alone('a row that there is not', 'nothing', zero, twin.NO_PLACE, 1, 1),
    caseIn(required)('no submission, and a recipient and a submission', 5, 'nothing', [
      openedOf(unsigned, 0, 0),
      join(u8(0), u8(0), listOf([recipientOf(zero, 0)]), listOf([submission])),
    ]),
    firstCovered(world),
  ];
}

/** The message is the first that its submission covers. */
function firstCovered(world: EvidenceWorld): EvidenceCase {
  const alice = world.client(0, 0);
  const message = world.message(alice, 70n, [alice]);
  const preimage = world.preimage(message);
  const signed = twin.submissionSigned({
    serverId: world.serverId,
    sender: alice.id,
    firstCounter: 70n,
    messageHashes: [twin.H(preimage), named('next')],
  });
  const signature = twin.sign(alice.secret, signed);
  const row = rowOf(
    twin.H(preimage),
    { epoch: 6n, inbox: 0, index: 0 },
    twin.submissionHash(signed, signature),
  );
  const said = world.say(1, 0, 7n, oneOf(1, twin.inboxPages([row])));
  const submission = join(bytesOf(signed), signature, bytesOf(Buffer.alloc(0)), pathOf([]));
  const lists = [u8(0), listOf([bytesOf(preimage)]), u8(0), listOf([submission])];
  return caseIn(world)('a submission from this message on', 5, 'nothing', [openedOf(said, 0, 0), ...lists]);
}

/** Rule 6: row 67 of epoch 5, the first of epoch 7, and an epoch behind them. */
export function senderEdges(world: EvidenceWorld): EvidenceCase[] {
  const [alice, bob] = [world.client(0, 0), world.client(0, 1)];
  const before = { epoch: 4n, inbox: 0, index: 0 };
  const at = { epoch: 5n, inbox: 0, index: 67 };
  const messages = [world.message(alice, 4n, [bob]), world.message(alice, 6n, [bob])];
  const hashes = messages.map((message) => twin.H(world.preimage(message)));
  const filler = Array.from({ length: 67 }, (_, i) => rowOf(named(`filler ${i}`)));
  const log = new Log(world, [
    epochWith(world, 5n, 1, 68, twin.inboxPages([...filler, rowOf(hashes[0]!, before)])),
    epochWith(world, 7n, 1, 1, twin.inboxPages([rowOf(hashes[1]!, at)]), { previousEpoch: 5n }),
    epochWith(world, 9n, 1, 0, [], { previousEpoch: 7n }),
  ]);
  const row = (i: number, size: number) => {
    const [leaf, number] = i === 0 ? [1, 3] : [0, 0];
    const claim = log.claim(saidBy(log.epochs[i]!, 1, 0), 0, leaf, size);
    return join(claim, u8(number), bytesOf(world.preimage(messages[i]!)));
  };
  const of = (name: string, expected: string, parts: Buffer[]) => caseIn(world)(name, 6, expected, parts);
  return [
    of('a counter left out, from a second page', 'actor 1.0', [row(0, 1), row(1, 2), log.bridge(1, 2)]),
    of('the earlier row under the larger checkpoint', 'actor 1.0', [row(0, 3), row(1, 2), log.bridge(2)]),
    of('one row twice', 'nothing', [row(0, 1), row(0, 1), pathOf([])]),
  ];
}

/** Rule 7. */
export function chainEdges(world: EvidenceWorld): EvidenceCase[] {
  const mailbox = world.client(0, 0).id;
  const link = (changes: Partial<Link>) => linkOf({ mailbox, ...changes });
  const still = (changes: Partial<twin.Still>) => stillOf({ mailbox, ...changes });
  const one = (name: string, expected: string, leaves: Buffer[]) =>
    leavesOfOne(world, name, expected, leaves);
  const two = (name: string, expected: string, earlier: Buffer, later: Buffer) =>
    twoLeaves(world, name, expected, earlier, later);
  const first = link({ parts: 3, entries: 64 });
  const second = link({ part: 1, parts: 3, entries: 64, previousHead: twin.H(first) });
  const third = (head: Buffer) => link({ part: 2, parts: 3, total: 129n, previousHead: head });
  const middle = link({ epoch: 5n, part: 1, parts: 3, entries: 64, previousEpoch: 2n, total: 200n });
  const after = (total: bigint) => link({ epoch: 9n, previousEpoch: 5n, total });
  return [
    one('two stills', 'actor 4.0', [still({}), still({})]),
    one('a part twice', 'actor 4.0', [first, first]),
    one('a second and a third part', 'nothing', [second, third(twin.H(second))]),
    one('a second and a third part, another head', 'actor 4.0', [second, third(named('h'))]),
    one('a part between, another head', 'nothing', [first, third(named('h'))]),
    two('a middle part with one behind it', 'nothing', middle, after(202n)),
    two('a middle part with none behind it', 'actor 4.0', middle, after(201n)),
    two(
      'a link that a still denies, and that brought nothing',
      'actor 4.0',
      still({ epoch: 5n, lastEpoch: 3n, total: 4n }),
      still({ epoch: 9n, lastEpoch: 4n, total: 4n }),
    ),
    laterFirst(world, link({ epoch: 5n, previousEpoch: 2n, total: 4n }), after(5n)),
    twoStatementsOfOne(world, link({}), still({})),
    onOldBase(
      world,
      link({ epoch: 5n, previousEpoch: 2n, total: 4n }),
      still({ epoch: 9n, lastEpoch: 2n, total: 3n }),
    ),
  ];
}

/** Leaves that contradict each other, but the later epoch is on the log without the earlier one: that was logged late. */
function onOldBase(world: EvidenceWorld, earlier: Buffer, later: Buffer): EvidenceCase {
  const stages = world.stages(9n, []);
  stages.set('4.0', oneOf(0, [later]));
  const base = { size: 0n, root: twin.root([]) };
  const log = new Log(world, [
    epochWith(world, 5n, 4, 1, [earlier]),
    world.epoch(9n, stages, { base }, { previousEpoch: 5n }),
  ]);
  const claims = [0, 1].map((i) => log.claim(saidBy(log.epochs[i]!, 4, 0), 0, 0));
  return caseIn(world)('an epoch that was logged late', 7, 'nothing', [...claims, pathOf([])]);
}

/** Leaves that agree, the later one first. */
function laterFirst(world: EvidenceWorld, earlier: Buffer, later: Buffer): EvidenceCase {
  const log = new Log(world, [
    epochWith(world, 5n, 4, 1, [earlier]),
    epochWith(world, 9n, 4, 1, [later], { previousEpoch: 5n }),
  ]);
  const claims = [1, 0].map((i) => log.claim(saidBy(log.epochs[i]!, 4, 0), 0, 0));
  return caseIn(world)('leaves that agree, the later first', 7, 'nothing', [...claims, pathOf([])]);
}

/** The sequencer has logged an epoch twice, and an outbox has signed two statements: that is for rules 1 and 10. */
function twoStatementsOfOne(world: EvidenceWorld, first: Buffer, second: Buffer): EvidenceCase {
  const log = new Log(world, [
    epochWith(world, 7n, 4, 1, [first]),
    epochWith(world, 7n, 4, 1, [named('filler'), second], { previousEpoch: 5n }),
  ]);
  const claims = [0, 1].map((i) => log.claim(saidBy(log.epochs[i]!, 4, 0), 0, i));
  return caseIn(world)('leaves of two statements about one epoch', 7, 'nothing', [...claims, pathOf([])]);
}

/** Rules 10 and 12. */
export function logEdges(world: EvidenceWorld): EvidenceCase[] {
  const empty = (epoch: bigint, previousEpoch: bigint) =>
    epochWith(world, epoch, 4, 0, [], { previousEpoch });
  const log = new Log(world, [empty(5n, 0n), empty(5n, 5n)]);
  const entry = (name: string, said: Said, at: number, expected = 'actor 5.0') => {
    const saids = [...world.epoch(7n, world.stages(7n, [])).saids];
    saids[at] = said;
    const epoch = world.epoch(7n, world.stages(7n, []), {}, { saids });
    return caseIn(world)(name, 12, expected, [
      u16(at),
      statementOf(said),
      new Log(world, [epoch]).committed(said),
    ]);
  };
  const of = (role: number, actor: number) => world.say(role, actor, 7n, oneOf(0, []));
  return [
    caseIn(world)('an epoch behind itself', 10, 'actor 5.0', [log.logged(0), log.logged(1)]),
    entry('a statement of a third inbox in the place of a router', of(1, 2), 2),
    entry('a good entry of an inbox', of(1, 0), 0, 'nothing'),
    entry('a good entry of an outbox', of(4, 1), 7, 'nothing'),
    entry('a statement of the sequencer behind all others', of(5, 0), 8),
    entry('a statement of no role in the place of an inbox', of(0, 0), 0),
  ];
}

/** Rules 8, 14 and 15. */
export function signerEdges(world: EvidenceWorld): EvidenceCase[] {
  const make = caseIn(world);
  const [first] = world.manifests;
  const second = world.second();
  const third = (retentionEpochs: bigint, sequencer?: Buffer) => {
    const actors = world.manifest.actors.map((one) =>
      one.role === 5 && sequencer ? { ...one, key: twin.publicKeyOf(sequencer) } : one,
    );
    return world.second({
      actors,
      version: 3,
      previousHash: twin.manifestHash(second.bytes),
      retentionEpochs,
    });
  };
  const [low, high] = [third(1_000n), third(2_000n)].sort((a, b) => Buffer.compare(a.bytes, b.bytes)) as [
    typeof second,
    typeof second,
  ];
  const two = (name: string, expected: string, last: typeof second, { bytes, signature }: typeof second) =>
    make(name, 14, expected, [join(bytesOf(bytes), signature)], [first!, second, last]);
  const newSequencer = named('evidence second sequencer');
  const roots = [named('a'), named('b')].sort(Buffer.compare);
  const points = (secret?: Buffer) => roots.map((root) => world.checkpoint(3n, root, secret));
  const others = { retentionEpochs: 9_000n };
  return [
    two('two third manifests', 'operator', low, high),
    two('two third manifests, the wrong one first', 'nothing', high, low),
    make('two roots under a third manifest', 8, 'actor 5.0', points(newSequencer), [
      first!,
      second,
      third(1n, newSequencer),
    ]),
    make('two roots under the first of three manifests', 8, 'nothing', points(), [first!, second, low]),
    statementUnderSecond(world, others),
  ];
}

/** Two statements under the second manifest of three. */
function statementUnderSecond(world: EvidenceWorld, changes: Partial<twin.Manifest>): EvidenceCase {
  const second = world.second();
  const manifestHash = twin.manifestHash(second.bytes);
  const third = world.second({ version: 3, previousHash: manifestHash, ...changes });
  const saids = [oneOf(0, []), oneOf(1, [named('x')])].map((made) =>
    world.say(1, 0, 7n, made, [], { manifestHash }),
  );
  const sorted = saids.sort((a, b) => Buffer.compare(a.signed, b.signed)).map(statementOf);
  const manifests = [...world.manifests, second, third];
  return caseIn(world)('two statements under the second of three manifests', 1, 'nothing', sorted, manifests);
}
