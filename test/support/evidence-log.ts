/** Evidence about epochs that are committed, rules 6 to 15: guilty and innocent variants, all with true signatures. */
import * as twin from '../twin/index.js';
import { named } from '../worlds.js';
import { caseIn, type EvidenceCase, type Link, linkOf, oneOf, stillOf } from './evidence-leaves.js';
import {
  actorPathOf,
  bytesOf,
  type Epoch,
  type EvidenceWorld,
  Log,
  list2Of,
  pathOf,
  type Said,
  saidBy,
  statementOf,
} from './evidence-world.js';

const { join, u8, u16, u64 } = twin;

/** The epoch with these numbers, in which one actor makes this and the others nothing. */
export function epochWith(
  world: EvidenceWorld,
  epoch: bigint,
  role: number,
  entries: number,
  leaves: Buffer[],
  leafFields: Partial<twin.EpochLeaf> & { saids?: Said[] } = {},
  actor = 0,
): Epoch {
  const stages = world.stages(epoch, []);
  stages.set(`${role}.${actor}`, oneOf(entries, leaves));
  return world.epoch(epoch, stages, {}, leafFields);
}

/** Rule 6: rows at 5.0.0 and 7.0.1, each with a claim. */
function senderTools(world: EvidenceWorld) {
  const [alice, bob] = [world.client(0, 0), world.client(0, 1)];
  const start = { epoch: 5n, inbox: 0, index: 0 };
  const pair = (
    name: string,
    expected: string,
    a: [twin.Message, twin.Place],
    b: [twin.Message, twin.Place],
    how: { swap?: boolean; from?: number; bridge?: Buffer; inbox?: number } = {},
  ) => {
    const pageOf = (rows: [twin.Message, twin.Place][]) =>
      twin.inboxPages(
        rows.map(([message, previousPlace]) => ({
          messageHash: twin.H(world.preimage(message)),
          submissionHash: twin.UNSIGNED,
          previousPlace,
        })),
      );
    const filler: [twin.Message, twin.Place] = [
      world.message(bob, 9n, [bob]),
      { epoch: 3n, inbox: 0, index: 9 },
    ];
    const epochs = [
      epochWith(world, 5n, 1, 1, pageOf([a])),
      epochWith(world, 7n, 1, 2, pageOf([filler, b]), { previousEpoch: 5n }, how.inbox),
    ];
    const log = new Log(world, epochs);
    const size = how.from ?? 1;
    const rows = [
      join(log.claim(saidBy(epochs[0]!, 1, 0), 0, 0, size), u8(0), bytesOf(world.preimage(a[0]))),
      join(log.claim(saidBy(epochs[1]!, 1, how.inbox ?? 0), 0, 0), u8(1), bytesOf(world.preimage(b[0]))),
    ];
    if (how.swap) rows.reverse();
    return caseIn(world)(name, 6, expected, [...rows, how.bridge ?? log.bridge(size)]);
  };
  const message = (counter: bigint, body = 'text') => world.message(alice, counter, [bob], body);
  const before = { epoch: 4n, inbox: 0, index: 0 };
  return { world, bob, start, pair, message, before };
}

const senderTable = ({
  world,
  bob,
  start,
  pair,
  message,
  before,
}: ReturnType<typeof senderTools>): EvidenceCase[] => [
  pair('one counter after the other', 'nothing', [message(4n), before], [message(5n), start]),
  pair('a counter twice', 'actor 1.0', [message(4n), before], [message(4n, 'other'), start]),
  pair(
    'a counter twice, unrelated',
    'actor 1.0',
    [message(4n), before],
    [message(4n, 'other'), { ...before, index: 8 }],
  ),
  pair('a counter left out', 'actor 1.0', [message(4n), before], [message(6n), start]),
  pair(
    'a counter left out, between others',
    'nothing',
    [message(4n), before],
    [message(6n), { ...start, epoch: 6n }],
  ),
  pair('one previous place twice', 'actor 1.0', [message(4n), before], [message(6n), before]),
  pair(
    'no previous place twice',
    'nothing',
    [message(1n), twin.NO_PLACE],
    [world.message(bob, 1n, [bob]), twin.NO_PLACE],
  ),
  pair(
    'the place of another sender',
    'actor 1.0',
    [message(4n), before],
    [world.message(bob, 5n, [bob]), start],
  ),
  pair('the later first', 'nothing', [message(4n), before], [message(6n), start], { swap: true }),
  pair('a counter twice, at two inboxes', 'nothing', [message(4n), before], [message(4n, 'other'), start], {
    inbox: 1,
  }),
  pair('a counter twice, the later first', 'nothing', [message(4n), before], [message(4n, 'other'), start], {
    swap: true,
  }),
  pair('one checkpoint', 'actor 1.0', [message(4n), before], [message(6n), start], { from: 2 }),
  pair('no bridge', 'nothing', [message(4n), before], [message(6n), start], { bridge: pathOf([]) }),
  pair('a bridge that is not needed', 'nothing', [message(4n), before], [message(6n), start], {
    from: 2,
    bridge: pathOf([named('x')]),
  }),
];

export const senderCases = (world: EvidenceWorld): EvidenceCase[] => senderTable(senderTools(world));

/** Leaves of one mailbox in epochs 5 and 9, for rule 7: everything a link or a still may say there. */
export function twoLeaves(
  world: EvidenceWorld,
  name: string,
  expected: string,
  earlier: Buffer,
  later: Buffer,
  epochs: [bigint, bigint] = [5n, 9n],
  outbox = 0,
): EvidenceCase {
  const all = [
    epochWith(world, epochs[0], 4, 1, [earlier]),
    epochWith(world, epochs[1], 4, 1, [later], { previousEpoch: epochs[0] }, outbox),
  ];
  const log = new Log(world, all);
  const claims = all.map((epoch, i) => log.claim(saidBy(epoch, 4, i * outbox), 0, 0, i + 1));
  return caseIn(world)(name, 7, expected, [...claims, log.bridge(1)]);
}

/** The same of two leaves of one statement. */
export function leavesOfOne(
  world: EvidenceWorld,
  name: string,
  expected: string,
  leaves: Buffer[],
  order = [0, 1],
): EvidenceCase {
  const log = new Log(world, [epochWith(world, 7n, 4, 1, leaves)]);
  const said = saidBy(log.epochs[0]!, 4, 0);
  return caseIn(world)(name, 7, expected, [...order.map((index) => log.claim(said, 0, index)), pathOf([])]);
}

function chainTools(world: EvidenceWorld) {
  const mailbox = world.client(0, 0).id;
  const two = (name: string, expected: string, earlier: Partial<Link>, later: Partial<Link>) =>
    twoLeaves(world, name, expected, link({ epoch: 5n, ...earlier }), link({ epoch: 9n, ...later }));
  const link = (changes: Partial<Link>) => linkOf({ mailbox, ...changes });
  const still = (changes: Partial<twin.Still>) => stillOf({ mailbox, ...changes });
  const a = { entries: 3, previousEpoch: 2n, total: 10n };
  const head = twin.H(link({ epoch: 5n, ...a }));
  const next = { previousEpoch: 5n, total: 11n, previousHead: head };
  const behind = { entries: 64, parts: 3, previousEpoch: 2n, total: 100n };
  const stillAt5 = still({ epoch: 5n, lastEpoch: 3n, total: 4n });
  const first = link({ parts: 3, entries: 64 });
  const part = (changes: Partial<Link>) =>
    link({ part: 1, parts: 3, entries: 64, previousHead: twin.H(first), ...changes });
  return { world, two, link, still, a, head, next, behind, stillAt5, first, part };
}

const chainTable = ({
  world,
  two,
  link,
  still,
  a,
  head,
  next,
  behind,
  stillAt5,
  first,
  part,
}: ReturnType<typeof chainTools>): EvidenceCase[] => [
  two('a link behind another', 'nothing', a, next),
  two('a link that leaves one out', 'actor 4.0', a, { ...next, previousEpoch: 4n }),
  two('another total', 'actor 4.0', a, { ...next, total: 12n }),
  two('a lower total', 'actor 4.0', a, { ...next, total: 10n }),
  two('another head', 'actor 4.0', a, { ...next, previousHead: named('h') }),
  two('links between them', 'nothing', a, { ...next, previousEpoch: 8n, total: 12n }),
  two('links between them that brought nothing', 'actor 4.0', a, { ...next, previousEpoch: 8n }),
  two('parts behind: the least', 'nothing', behind, { ...next, total: 100n + 65n + 1n }),
  two('parts behind: less', 'actor 4.0', behind, { ...next, total: 100n + 64n + 1n }),
  two('parts behind: the most', 'nothing', behind, { ...next, total: 100n + 128n + 1n }),
  two('parts behind: more', 'actor 4.0', behind, { ...next, total: 100n + 129n + 1n }),
  two('a later part', 'nothing', a, { part: 1, parts: 2, previousEpoch: 5n, total: 75n }),
  two('a later part with another total', 'actor 4.0', a, {
    part: 1,
    parts: 2,
    previousEpoch: 5n,
    total: 76n,
  }),
  twoLeaves(world, 'stills that agree', 'nothing', stillAt5, still({ epoch: 9n, lastEpoch: 3n, total: 4n })),
  twoLeaves(
    world,
    'stills with other heads',
    'actor 4.0',
    stillAt5,
    still({ epoch: 9n, lastEpoch: 3n, total: 4n, head: named('h') }),
  ),
  twoLeaves(
    world,
    'a link that a still denies',
    'actor 4.0',
    stillAt5,
    still({ epoch: 9n, lastEpoch: 5n, total: 5n }),
  ),
  twoLeaves(
    world,
    'a link after a still',
    'nothing',
    stillAt5,
    still({ epoch: 9n, lastEpoch: 6n, total: 5n }),
  ),
  twoLeaves(
    world,
    'a still without the link before it',
    'actor 4.0',
    link({ epoch: 5n, ...a }),
    still({ epoch: 9n, lastEpoch: 4n, total: 10n }),
  ),
  twoLeaves(
    world,
    'a still with the link before it',
    'nothing',
    link({ epoch: 5n, ...a }),
    still({ epoch: 9n, lastEpoch: 5n, total: 10n, head }),
  ),
  twoLeaves(
    world,
    'two mailboxes',
    'nothing',
    link({ epoch: 5n, ...a }),
    linkOf({ epoch: 9n, ...next, total: 20n, mailbox: world.client(1, 0).id }),
  ),
  twoLeaves(
    world,
    'stills of epochs to come',
    'nothing',
    still({ epoch: 5n, lastEpoch: 9n }),
    still({ epoch: 9n, lastEpoch: 9n, total: 64n }),
  ),
  twoLeaves(
    world,
    'two outboxes',
    'nothing',
    link({ epoch: 5n, ...a }),
    link({ epoch: 9n, ...next, previousEpoch: 4n }),
    [5n, 9n],
    1,
  ),
  twoLeaves(
    world,
    'the later first',
    'nothing',
    link({ epoch: 9n, ...next, previousEpoch: 4n }),
    link({ epoch: 5n, ...a }),
    [9n, 5n],
  ),
  twoLeaves(
    world,
    'leaves of other epochs than the statements',
    'nothing',
    link({ epoch: 4n, ...a }),
    link({ epoch: 9n, ...next, previousEpoch: 3n }),
  ),
  leavesOfOne(world, 'two parts', 'nothing', [first, part({})]),
  leavesOfOne(world, 'a still beside a link', 'actor 4.0', [link({}), still({})]),
  leavesOfOne(world, 'one leaf twice', 'nothing', [link({}), still({})], [0, 0]),
  leavesOfOne(world, 'the second first', 'nothing', [link({}), still({})], [1, 0]),
  leavesOfOne(world, 'parts that do not rise', 'actor 4.0', [part({}), first]),
  leavesOfOne(world, 'another number of parts', 'actor 4.0', [first, part({ parts: 4 })]),
  leavesOfOne(world, 'another previous epoch', 'actor 4.0', [first, part({ previousEpoch: 1n })]),
  leavesOfOne(world, 'another total in one link', 'actor 4.0', [first, part({ total: 127n })]),
  leavesOfOne(world, 'another head in one link', 'actor 4.0', [first, part({ previousHead: named('h') })]),
  leavesOfOne(world, 'a part between', 'nothing', [first, part({ part: 2, total: 129n, entries: 1 })]),
  leavesOfOne(world, 'a part between, another total', 'actor 4.0', [
    first,
    part({ part: 2, total: 130n, entries: 1 }),
  ]),
  leavesOfOne(world, 'what is no leaf of an outbox', 'nothing', [
    twin.inboxPages([
      { messageHash: named('a'), submissionHash: named('b'), previousPlace: twin.NO_PLACE },
    ])[0]!,
    first,
  ]),
];

export const chainCases = (world: EvidenceWorld): EvidenceCase[] => chainTable(chainTools(world));

/** Leaves that contradict each other, of which the later one is not committed as it should be. */
function commitTools(world: EvidenceWorld) {
  const mailbox = world.client(0, 0).id;
  const leaves = [
    linkOf({ mailbox, epoch: 5n }),
    linkOf({ mailbox, epoch: 9n, previousEpoch: 4n, total: 2n }),
  ];
  const base = { size: 1n, root: named('base') };
  const of = (
    name: string,
    expected: string,
    leafFields: Partial<twin.EpochLeaf> & { saids?: Said[] },
    change: (claim: Buffer, log: Log) => Buffer = (claim) => claim,
    manifests = world.manifests,
  ) => {
    const epochs = [
      epochWith(world, 5n, 4, 1, [leaves[0]!]),
      epochWith(world, 9n, 4, 1, [leaves[1]!], { previousEpoch: 5n, ...leafFields }),
    ];
    const log = new Log(world, epochs);
    const [first, second] = epochs.map((epoch) => log.claim(saidBy(epoch, 4, 0), 0, 0));
    return caseIn(world)(name, 7, expected, [first!, change(second!, log), pathOf([])], manifests);
  };
  const { saids } = epochWith(world, 9n, 4, 1, [leaves[1]!]);
  const second = world.second();
  const secondHash = twin.manifestHash(second.bytes);
  return { world, base, of, saids, second, secondHash };
}

const commitTable = ({
  world,
  base,
  of,
  saids,
  second,
  secondHash,
}: ReturnType<typeof commitTools>): EvidenceCase[] => [
  of('committed', 'actor 4.0', {}),
  of('another epoch in the log', 'nothing', { epoch: 10n }),
  of('another size of the base', 'nothing', { base: { ...base, root: twin.root([]) } }),
  of('another root of the base', 'nothing', { base: { size: 0n, root: named('base') } }),
  of('another manifest in the log', 'nothing', { manifestHash: secondHash }, undefined, [
    ...world.manifests,
    second,
  ]),
  of('another placement', 'nothing', { placementRoot: named('placement') }),
  of('one statement more', 'nothing', { saids: [...saids, saids[7]!] }),
  of('an entry of another', 'nothing', {
    actors: actorsOf(saids).map((one) => ({ ...one, attestationHash: named('x') })),
  }),
  of('a previous epoch that is not below', 'nothing', { previousEpoch: 9n }),
  of('another index in the log', 'nothing', {}, (claim, log) =>
    replaced(claim, join(log.epochs[1]!.leaf, u64(1n)), join(log.epochs[1]!.leaf, u64(0n))),
  ),
  of('a checkpoint of another root', 'nothing', {}, (claim, log) =>
    replaced(claim, log.checkpoint(), world.checkpoint(2n, named('x'))),
  ),
];

export const commitCases = (world: EvidenceWorld): EvidenceCase[] => commitTable(commitTools(world));

const actorsOf = (saids: Said[]) =>
  saids.map(({ role, actor, hash, signature }) => ({ role, index: actor, attestationHash: hash, signature }));

function replaced(bytes: Buffer, old: Buffer, by: Buffer): Buffer {
  const at = bytes.indexOf(old);
  return join(bytes.subarray(0, at), by, bytes.subarray(at + old.length));
}

/** A manifest of version 2 with another sequencer. */
export function withSequencer(world: EvidenceWorld, secret: Buffer) {
  return world.second({ actors: sequencedBy(world, secret) });
}

function sequencedBy({ manifest }: EvidenceWorld, secret: Buffer): twin.ManifestActor[] {
  const old = manifest.actors.at(-1)!;
  return [
    ...manifest.actors.slice(0, -1),
    { ...old, lastEpoch: 5n },
    { ...old, key: twin.publicKeyOf(secret), firstEpoch: 6n },
  ];
}

function logTools(world: EvidenceWorld) {
  const make = caseIn(world);
  const both = [...world.manifests, world.second()];
  const secondHash = twin.manifestHash(both[1]!.bytes);
  const newSequencer = named('evidence second sequencer');
  const three = [...world.manifests, withSequencer(world, newSequencer)];
  const roots = [named('a'), named('b')].sort(Buffer.compare);
  const points = (size = 3n, secret?: Buffer) => roots.map((root) => world.checkpoint(size, root, secret));
  const empty = (
    epoch: bigint,
    changes: Partial<twin.EpochLeaf> = {},
    fields: Partial<twin.Attestation> = {},
  ) => world.epoch(epoch, world.stages(epoch, []), fields, changes);
  const leaf = (
    name: string,
    expected: string,
    epochs: Epoch[],
    index: number,
    manifests = world.manifests,
  ) => make(name, 9, expected, [new Log(world, epochs).logged(index)], manifests);
  const good = [empty(3n), empty(5n, { previousEpoch: 3n }), empty(9n, { previousEpoch: 5n })];
  const order = (
    name: string,
    expected: string,
    epochs: Epoch[],
    a: number,
    b: number,
    manifests = world.manifests,
  ) => {
    const log = new Log(world, epochs);
    return make(name, 10, expected, [log.logged(a), log.logged(b)], manifests);
  };
  const others = good.slice(0, 1).map((epoch) => ({ ...epoch, leaf: empty(4n).leaf }));
  const pair = [good[0]!, others[0]!].sort((a, b) => Buffer.compare(a.leaf, b.leaf));
  const atOne = (epochs: Epoch[], second?: Buffer) =>
    epochs.map((epoch, i) => new Log(world, [epoch], i === 1 ? second : undefined).logged(0));
  const noLeaf = { saids: good[0]!.saids, leaf: Buffer.alloc(163, 1) };
  const withBase = (size: bigint, root: Buffer) => ({ base: { size, root } });
  const log = new Log(world, good);
  const baseOf = (size: number) => withBase(BigInt(size), twin.root(log.hashes.slice(0, size)));
  const based = (name: string, expected: string, base: { base: twin.Base }, checkpoint: Buffer) => {
    const epochs = [...good.slice(0, 2), empty(9n, { previousEpoch: 5n, ...base }, base)];
    return make(name, 11, expected, [new Log(world, epochs).logged(2), checkpoint]);
  };
  return {
    world,
    make,
    both,
    secondHash,
    newSequencer,
    three,
    points,
    empty,
    leaf,
    good,
    order,
    pair,
    atOne,
    noLeaf,
    withBase,
    log,
    baseOf,
    based,
  };
}

/** Rule 21. Of two logs that part behind their first two leaves. */
function twoLogs({ world, make, newSequencer, three }: ReturnType<typeof logTools>): EvidenceCase[] {
  const leaves = (name: string) =>
    Array.from({ length: 9 }, (_, i) => named(i < 2 ? `leaf ${i}` : `${name} ${i}`));
  const [one, other] = [leaves('one'), leaves('other')];
  const rootOf = (of: Buffer[], size: number) => twin.root(of.slice(0, size));
  const parts = (from: number, to: number, secrets: readonly (Buffer | undefined)[] = []) => ({
    earlier: world.checkpoint(BigInt(from), rootOf(one, from), secrets[0]),
    later: world.checkpoint(BigInt(to), rootOf(other, to), secrets[1]),
    root: rootOf(other, from),
    bridge: pathOf(twin.consistencyProof(from, other.slice(0, to))),
  });
  type Changes = Partial<ReturnType<typeof parts>>;
  const logs = (
    name: string,
    expected: string,
    of = parts(3, 7),
    changes: Changes = {},
    manifests = world.manifests,
  ) => {
    const { earlier, later, root, bridge } = { ...of, ...changes };
    return make(`two logs: ${name}`, 21, expected, [earlier, later, root, bridge], manifests);
  };
  const guilty = 'actor 5.0';
  return [
    logs('at a size between', guilty),
    logs('at a power of two', guilty, parts(4, 9)),
    logs('one leaf apart', guilty, parts(8, 9)),
    logs('before they part', 'nothing', parts(2, 7)),
    logs('the root of the smaller one', 'nothing', parts(3, 7), { root: rootOf(one, 3) }),
    logs('another root', 'nothing', parts(3, 7), { root: named('root') }),
    logs('another root at a power of two', 'nothing', parts(4, 9), { root: named('root') }),
    logs('the proof of the smaller one', 'nothing', parts(3, 7), {
      bridge: pathOf(twin.consistencyProof(3, one.slice(0, 7))),
    }),
    logs('a proof between other sizes', 'nothing', parts(3, 7), { bridge: parts(5, 7).bridge }),
    logs('no proof', 'nothing', parts(3, 7), { bridge: pathOf([]) }),
    logs('a hash too many', 'nothing', parts(3, 7), {
      bridge: pathOf([...twin.consistencyProof(3, other.slice(0, 7)), named('more')]),
    }),
    logs('the larger one first', 'nothing', parts(3, 7), {
      earlier: parts(3, 7).later,
      later: parts(3, 7).earlier,
    }),
    logs('of one size', 'nothing', parts(3, 7), { later: parts(3, 3).later, bridge: pathOf([]) }),
    logs('of none', 'nothing', parts(3, 7), { earlier: parts(0, 7).earlier, bridge: pathOf([]) }),
    logs('the smaller by another key', 'nothing', parts(3, 7, [named('nobody')])),
    logs('the larger by another key', 'nothing', parts(3, 7, [undefined, named('nobody')])),
    logs('by two sequencers', 'server 5.0', parts(3, 7, [undefined, newSequencer]), {}, three),
    logs('by a second sequencer', guilty, parts(3, 7, [newSequencer, newSequencer]), {}, three),
    logs('a manifest that is not needed', 'nothing', parts(3, 7), {}, three),
  ];
}

const logTable = ({
  world,
  make,
  both,
  secondHash,
  newSequencer,
  three,
  points,
  empty,
  leaf,
  good,
  order,
  pair,
  atOne,
  noLeaf,
  withBase,
  log,
  baseOf,
  based,
}: ReturnType<typeof logTools>): EvidenceCase[] => [
  make('two roots', 8, 'actor 5.0', points()),
  make('two roots, the wrong one first', 8, 'nothing', points().reverse()),
  make('one root', 8, 'nothing', [points()[0]!, points()[0]!]),
  make('two sizes', 8, 'nothing', [points(3n)[0]!, points(4n)[1]!]),
  make('two roots by another key', 8, 'nothing', points(3n, named('nobody'))),
  make('two roots by two sequencers', 8, 'server 5.0', [points()[0]!, points(3n, newSequencer)[1]!], three),
  make('two roots by a second sequencer', 8, 'actor 5.0', points(3n, newSequencer), three),
  make('a manifest that is not needed', 8, 'nothing', points(), three),
  make('an old manifest alone', 8, 'nothing', points(3n, newSequencer)),
  leaf('a good leaf', 'nothing', good, 1),
  leaf('a good first leaf', 'nothing', good, 0),
  leaf('what is no leaf', 'actor 5.0', [good[0]!, noLeaf], 1),
  leaf('a previous epoch that is not below', 'actor 5.0', [good[0]!, empty(5n, { previousEpoch: 5n })], 1),
  leaf('none before it, not first', 'actor 5.0', [good[0]!, empty(5n)], 1),
  leaf('one before it, and first', 'actor 5.0', [empty(5n, { previousEpoch: 3n })], 0),
  leaf(
    'a base that is too large',
    'actor 5.0',
    [good[0]!, empty(5n, { previousEpoch: 3n, ...withBase(2n, named('r')) })],
    1,
  ),
  leaf(
    'a base of the right size that is not the log before it',
    'actor 5.0',
    [good[0]!, empty(5n, { previousEpoch: 3n, ...withBase(1n, named('r')) })],
    1,
  ),
  leaf(
    'a base of another size, with the root of the log before it',
    'actor 5.0',
    [good[0]!, empty(5n, { previousEpoch: 3n, ...withBase(2n, baseOf(1).base.root) })],
    1,
  ),
  leaf('an empty base with a root', 'actor 5.0', [empty(5n, withBase(0n, named('r')))], 0),
  leaf('too few actors', 'actor 5.0', [empty(5n, { actors: [] })], 0),
  leaf(
    'too few actors by a manifest that is not there',
    'nothing',
    [empty(5n, { actors: [], manifestHash: secondHash })],
    0,
  ),
  leaf(
    'too few actors by a second manifest',
    'actor 5.0',
    [empty(5n, { actors: [], manifestHash: secondHash })],
    0,
    both,
  ),
  leaf(
    'a bad leaf of a second manifest',
    'actor 5.0',
    [empty(5n, { previousEpoch: 5n, manifestHash: secondHash })],
    0,
    both,
  ),
  order('leaves in order', 'nothing', good, 0, 2),
  order('neighbours in order', 'nothing', good, 1, 2),
  order('the later first', 'nothing', [good[1]!, good[0]!], 1, 0),
  order('an epoch twice', 'actor 5.0', [good[0]!, good[1]!, good[1]!], 1, 2),
  order('epochs that fall', 'actor 5.0', [good[1]!, good[2]!, good[0]!], 0, 2),
  order('another previous epoch', 'actor 5.0', [good[0]!, empty(5n, { previousEpoch: 2n })], 0, 1),
  order(
    'a previous epoch that is too low',
    'actor 5.0',
    [good[0]!, good[1]!, empty(9n, { previousEpoch: 3n })],
    0,
    2,
  ),
  order(
    'a manifest behind a later one',
    'actor 5.0',
    [empty(3n, { manifestHash: secondHash }), good[1]!],
    0,
    1,
    both,
  ),
  order(
    'a manifest behind an earlier one',
    'nothing',
    [good[0]!, empty(5n, { previousEpoch: 3n, manifestHash: secondHash })],
    0,
    1,
    both,
  ),
  order(
    'epochs that fall, by a second manifest',
    'actor 5.0',
    [empty(9n, { manifestHash: secondHash }), empty(5n, { previousEpoch: 3n, manifestHash: secondHash })],
    0,
    1,
    both,
  ),
  order(
    'epochs that fall, with a manifest that nothing names',
    'nothing',
    [good[1]!, good[2]!, good[0]!],
    0,
    2,
    both,
  ),
  make('two leaves at one index', 10, 'actor 5.0', atOne(pair)),
  make('two leaves at one index, the wrong one first', 10, 'nothing', atOne([...pair].reverse())),
  make('two leaves at one index, by two sequencers', 10, 'nothing', atOne(pair, newSequencer), three),
  make('one leaf twice', 10, 'nothing', atOne([pair[0]!, pair[0]!])),
  based('a good base', 'nothing', baseOf(2), log.checkpoint(2)),
  based('a false base', 'actor 5.0', withBase(2n, named('r')), log.checkpoint(2)),
  based('a base of another size', 'nothing', withBase(1n, named('r')), log.checkpoint(2)),
  based(
    'a false base by another key',
    'nothing',
    withBase(2n, named('r')),
    world.checkpoint(2n, named('x'), newSequencer),
  ),
];

export const logCases = (world: EvidenceWorld): EvidenceCase[] => {
  const tools = logTools(world);
  return [...logTable(tools), ...twoLogs(tools)];
};

/** Rules 12 and 13. */
function entryTools(world: EvidenceWorld) {
  const make = caseIn(world);
  const right = world.epoch(7n, world.stages(7n, []));
  const entry = (
    name: string,
    expected: string,
    said: Said,
    at = 2,
    leafFields: Partial<twin.EpochLeaf> = {},
    manifests = world.manifests,
  ) => {
    const saids = right.saids.map((one, i) => (i === at ? said : one));
    const epoch = world.epoch(7n, world.stages(7n, []), {}, { saids, ...leafFields });
    const log = new Log(world, [epoch]);
    return make(name, 12, expected, [u16(at), statementOf(said), log.committed(said)], manifests);
  };
  const router = (fields: Partial<twin.Attestation>, role = 2, actor = 0) =>
    world.say(role, actor, 7n, { outputs: [], fields });
  const raw = (signed: Buffer): Said => ({ ...right.saids[2]!, signed, hash: twin.attestationHash(signed) });
  const stages = world.stages(7n, []);
  const inputs = (
    name: string,
    expected: string,
    role: number,
    actor: number,
    changed: Buffer[] | undefined,
    producers: [number, number][],
    more: Said[] = [],
  ) => {
    const made = new Map(stages);
    if (changed) made.set(`${role}.${actor}`, { ...stages.get(`${role}.${actor}`)!, inputs: changed });
    const { saids } = world.epoch(7n, made);
    const epoch = world.epoch(7n, made, {}, { saids: [...saids, ...more] });
    const consumer = saidBy(epoch, role, actor);
    const entries = producers
      .map(([r, i]) => saidBy(epoch, r, i))
      .map((said) => join(said.hash, said.signature, actorPathOf(epoch, said)));
    return make(name, 13, expected, [
      statementOf(consumer),
      new Log(world, [epoch]).committed(consumer),
      list2Of(entries),
    ]);
  };
  const wrong = [named('another')];
  return { right, entry, router, raw, inputs, wrong };
}

const entryTable = ({
  right,
  entry,
  router,
  raw,
  inputs,
  wrong,
}: ReturnType<typeof entryTools>): EvidenceCase[] => [
  entry('a good entry', 'nothing', right.saids[2]!),
  entry('what is no statement', 'actor 5.0', raw(named('no statement'))),
  entry('no bytes at all', 'actor 5.0', raw(Buffer.alloc(0))),
  entry('a statement of another role', 'actor 5.0', router({}, 3)),
  entry('a statement of another actor', 'actor 5.0', router({}, 2, 1)),
  entry('a statement of no role', 'actor 5.0', router({ role: 5 })),
  entry('a statement of no actor', 'actor 5.0', router({ actor: 7 })),
  entry('a statement for another server', 'actor 5.0', router({ serverId: named('s') })),
  entry('a statement about another epoch', 'actor 5.0', router({ epoch: 8n })),
  entry('a statement on a larger base', 'actor 5.0', router({ base: { size: 1n, root: twin.root([]) } })),
  entry('a statement on another base', 'actor 5.0', router({ base: { size: 0n, root: named('r') } })),
  entry('a statement under another manifest', 'actor 5.0', router({ manifestHash: named('m') })),
  entry('a statement with another placement', 'actor 5.0', router({ placementRoot: named('p') })),
  entry('a statement that another signed', 'actor 5.0', {
    ...right.saids[2]!,
    signature: right.saids[1]!.signature,
  }),
  entry('what is no statement, under a manifest that is not there', 'nothing', raw(named('x')), 2, {
    manifestHash: named('m'),
  }),
  entry('a statement, under a manifest that is not there', 'actor 5.0', right.saids[2]!, 2, {
    manifestHash: named('m'),
  }),
  entry(
    'a statement under the same manifest that is not there',
    'nothing',
    router({ manifestHash: named('m') }),
    2,
    {
      manifestHash: named('m'),
    },
  ),
  inputs('good inputs of a router', 'nothing', 2, 0, undefined, [[1, 0]]),
  inputs('other inputs of a router', 'actor 5.0', 2, 0, wrong, [[1, 0]]),
  inputs('other inputs of a router, and another inbox', 'nothing', 2, 0, wrong, [[1, 1]]),
  inputs('good inputs of a receiver', 'nothing', 3, 1, undefined, [
    [2, 0],
    [2, 1],
  ]),
  inputs('other inputs of a receiver', 'actor 5.0', 3, 1, wrong, [
    [2, 0],
    [2, 1],
  ]),
  inputs('a receiver and one router', 'nothing', 3, 1, wrong, [[2, 0]]),
  inputs('other inputs of an outbox', 'actor 5.0', 4, 1, wrong, [[3, 1]]),
  inputs('inputs of an inbox', 'actor 5.0', 1, 0, wrong, []),
  inputs('inputs of an inbox, among one actor more', 'nothing', 1, 0, wrong, [], right.saids.slice(0, 1)),
  inputs('no inputs of an inbox', 'nothing', 1, 0, undefined, []),
];

export const entryCases = (world: EvidenceWorld): EvidenceCase[] => entryTable(entryTools(world));

/** Two roots of a second sequencer, under manifests that do not lead to it. */
function manifestCases(world: EvidenceWorld): EvidenceCase[] {
  const sequencer = named('evidence second sequencer');
  const roots = [named('a'), named('b')].sort(Buffer.compare);
  const points = roots.map((root) => world.checkpoint(3n, root, sequencer));
  const actors = sequencedBy(world, sequencer);
  const other = world.client(0, 0);
  const of = (name: string, expected: string, all: { bytes: Buffer; signature: Buffer }[]) =>
    caseIn(world)(name, 8, expected, points, all);
  const [first] = world.manifests;
  const signedBy = (secret: Buffer, changes: Partial<twin.Manifest>) =>
    world.signManifest(
      { ...world.manifest, version: 2, previousHash: world.serverId, actors, ...changes },
      secret,
    );
  return [
    of('manifests that follow', 'actor 5.0', [first!, world.second({ actors })]),
    of('a version left out', 'nothing', [first!, world.second({ actors, version: 3 })]),
    of('another manifest before it', 'nothing', [first!, world.second({ actors, previousHash: named('m') })]),
    of('the second manifest alone', 'nothing', [world.second({ actors })]),
    of('no manifest', 'nothing', []),
    of('a manifest that another signed', 'nothing', [first!, signedBy(other.secret, {})]),
    of('a manifest of another root key', 'nothing', [
      first!,
      signedBy(world.rootSecret, { rootKey: other.id }),
    ]),
    of('a manifest of another root key that signed it', 'nothing', [
      first!,
      signedBy(other.secret, { rootKey: other.id }),
    ]),
    of('a manifest with a bad key', 'nothing', [
      first!,
      world.second({
        actors: actors.map((one) => (one.role === 1 ? { ...one, key: Buffer.alloc(32, 0xff) } : one)),
      }),
    ]),
  ];
}

/** A key says nothing about epochs before its first one, nor, where a later manifest ends it, behind its last one. */
export function keyCases(world: EvidenceWorld): EvidenceCase[] {
  const make = caseIn(world);
  const [first] = world.manifests;
  const secrets = { outbox: named('evidence second outbox'), sequencer: named('evidence second sequencer') };
  const rotated = (lastEpoch: bigint) => {
    const change = (one: twin.ManifestActor, secret: Buffer) => [
      { ...one, lastEpoch },
      { ...one, key: twin.publicKeyOf(secret), firstEpoch: lastEpoch + 1n },
    ];
    const actors = world.manifest.actors.flatMap((one) => {
      if (one.role === 5) return change(one, secrets.sequencer);
      return one.role === 4 && one.index === 0 ? change(one, secrets.outbox) : [one];
    });
    return world.second({ actors });
  };
  // A statement by the key that the second manifest begins with, in no right form.
  const malformed = (name: string, expected: string, epoch: bigint, lastEpoch: bigint) => {
    const second = rotated(lastEpoch);
    const fields = { manifestHash: twin.manifestHash(second.bytes) };
    const said = world.say(4, 0, epoch, { outputs: [], secret: secrets.outbox, fields });
    return make(name, 2, expected, [statementOf(said)], [first!, second]);
  };
  // Two leaves by the first key, under checkpoints by the second sequencer.
  const mailbox = world.client(0, 0).id;
  const leaves = [
    linkOf({ mailbox, epoch: 5n }),
    linkOf({ mailbox, epoch: 9n, previousEpoch: 4n, total: 2n }),
  ];
  const disagreeing = (name: string, expected: string, lastEpoch: bigint) => {
    const epochs = [
      epochWith(world, 5n, 4, 1, [leaves[0]!]),
      epochWith(world, 9n, 4, 1, [leaves[1]!], { previousEpoch: 5n }),
    ];
    const log = new Log(world, epochs, secrets.sequencer);
    const claims = epochs.map((epoch) => log.claim(saidBy(epoch, 4, 0), 0, 0));
    return make(name, 7, expected, [...claims, pathOf([])], [first!, rotated(lastEpoch)]);
  };
  return [
    malformed('in the first epoch of a second key', 'actor 4.0', 9n, 8n),
    malformed('before the first epoch of a second key', 'nothing', 8n, 8n),
    disagreeing('leaves of a first key, under checkpoints of a second sequencer', 'actor 4.0', 9n),
    disagreeing('a leaf behind the last epoch of its key', 'nothing', 8n),
  ];
}

/** Rules 14 and 15. */
function signerTools(world: EvidenceWorld) {
  const make = caseIn(world);
  const versions = [1_000n, 2_000n].map((retentionEpochs) => world.second({ retentionEpochs }));
  const [low, high] = versions.sort((a, b) => Buffer.compare(a.bytes, b.bytes)) as [
    (typeof versions)[0] & {},
    (typeof versions)[0] & {},
  ];
  const signed = ({ bytes, signature }: { bytes: Buffer; signature: Buffer }) => [
    join(bytesOf(bytes), signature),
  ];
  const two = (name: string, expected: string, last: typeof low, other: typeof low) =>
    make(name, 14, expected, signed(other), [...world.manifests, last]);
  const alice = world.client(0, 0);
  return { world, make, low, high, signed, two, alice };
}

const signerTable = ({
  world,
  make,
  low,
  high,
  signed,
  two,
  alice,
}: ReturnType<typeof signerTools>): EvidenceCase[] => [
  two('two manifests', 'operator', low, high),
  two('two manifests, the wrong one first', 'nothing', high, low),
  two('one manifest twice', 'nothing', low, low),
  two('two versions', 'nothing', low, world.second({ version: 3 })),
  two('another one before it', 'nothing', low, world.second({ previousHash: named('m') })),
  two(
    'signed by another',
    'nothing',
    low,
    world.signManifest(
      { ...world.manifest, version: 2, previousHash: world.serverId, retentionEpochs: 3_000n },
      alice.secret,
    ),
  ),
  make(
    'two first manifests',
    14,
    'nothing',
    signed(world.signManifest({ ...world.manifest, retentionEpochs: 9_000n })),
  ),
  ...manifestCases(world),
];

export const signerCases = (world: EvidenceWorld): EvidenceCase[] => signerTable(signerTools(world));
