/** Random evidence whose signatures are true: leaves, pages, statements and epoch leaves of small random numbers. */
import fc from 'fast-check';
import * as twin from '../twin/index.js';
import { named } from '../worlds.js';
import { caseIn, entriesOf, itemOf, linkOf, looseItems, oneOf, stillOf } from './evidence-leaves.js';
import { leavesOfOne, twoLeaves } from './evidence-log.js';
import { stageWorld, subjectOf, witnessOf } from './evidence-stages.js';
import {
  EvidenceWorld,
  Log,
  leafOf,
  list2Of,
  openedOf,
  recipientOf,
  type Said,
  saidBy,
  statementOf,
} from './evidence-world.js';
import type { Judged } from './verdicts.js';

const { u16 } = twin;
const world = new EvidenceWorld();
const make = caseIn(world);
const scene = stageWorld(new EvidenceWorld());
const ids = [0, 1].flatMap((inbox) => [0, 1].map((outbox) => world.client(inbox, outbox).id));

const small = (max: number) => fc.nat(max).map(BigInt);
const mostly = <T>(usual: T, other: fc.Arbitrary<T>) =>
  fc.oneof({ weight: 3, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary: other });

interface LeafShape {
  isLink: boolean;
  mailbox: number;
  part: number;
  behind: number;
  previous: bigint;
  /** Beyond what the part itself has. */
  total: bigint;
  entries: number;
  follows: boolean;
  trimmed: bigint;
  offEpoch: bigint;
}

const leafShape = fc.record<LeafShape>({
  isLink: fc.boolean(),
  mailbox: mostly(0, fc.nat(3)),
  part: fc.nat(2),
  behind: fc.integer({ min: 0, max: 2 }),
  previous: small(9),
  total: fc.oneof(small(3), fc.constantFrom(64n, 65n, 128n, 129n)),
  entries: fc.constantFrom(0, 1, 2, 63, 64, 64, 64, 65),
  follows: fc.boolean(),
  trimmed: small(9),
  offEpoch: mostly(0n, small(1)),
});

function leafOfShape(shape: LeafShape, epoch: bigint, before?: Buffer): Buffer {
  const mailbox = ids[shape.mailbox]!;
  const head = shape.follows && before ? twin.H(before) : named('seed');
  const common = { mailbox, epoch: epoch + shape.offEpoch };
  if (!shape.isLink) {
    const state = { lastEpoch: shape.previous, total: shape.total, head, trimmedThrough: shape.trimmed };
    return stillOf({ ...common, ...state });
  }
  const { part, behind, entries } = shape;
  return linkOf({
    ...common,
    part,
    parts: part + behind,
    entries: entriesOf(entries),
    previousEpoch: shape.previous,
    total: shape.total + BigInt(64 * part + entries),
    previousHead: head,
  });
}

/** Rule 3: one leaf among others. */
const oneLeaf = fc
  .record({ leaf: leafShape, before: fc.nat(2), behind: fc.nat(2), outbox: fc.nat(1) })
  .map(({ leaf, before, behind, outbox }): Judged => {
    const filler = (n: number) => Array.from({ length: n }, (_, i) => named(`filler ${i}`));
    const leaves = [...filler(before), leafOfShape(leaf, 7n), ...filler(behind)];
    return make('random leaf', 3, '', [openedOf(world.say(4, outbox, 7n, oneOf(1, leaves)), 0, before)]);
  });

/** Rule 4: two leaves next to each other. */
const nextLeaves = fc.tuple(leafShape, leafShape).map(([a, b]): Judged => {
  const first = leafOfShape(a, 7n);
  const said = world.say(4, 0, 7n, oneOf(1, [first, leafOfShape(b, 7n, first)]));
  return make('random leaves', 4, '', [statementOf(said), u16(0), leafOf(said, 0, 0), leafOf(said, 0, 1)]);
});

/** Rule 7: two leaves of one or two epochs. */
const chainLeaves = fc
  .tuple(leafShape, leafShape, fc.boolean(), fc.boolean())
  .map(([a, b, one, same]): Judged => {
    const first = leafOfShape(a, one ? 7n : 5n);
    const second = leafOfShape(same ? { ...b, previous: 5n, mailbox: a.mailbox } : b, one ? 7n : 9n, first);
    if (one) return leavesOfOne(world, 'random leaves', '', [first, second]);
    return twoLeaves(world, 'random leaves', '', first, second);
  });

const item = fc.record({
  mailbox: fc.nat(3),
  inbox: mostly(0, fc.nat(2)),
  index: fc.nat(2),
  other: fc.boolean(),
});
type Item = typeof item extends fc.Arbitrary<infer T> ? T : never;

const itemsOf = (all: Item[], sorted: boolean) => {
  const items = all.map(({ mailbox, inbox, index, other }) => ({
    ...itemOf(ids[mailbox]!, index, inbox),
    messageHash: other ? named('other') : twin.H(scene.preimage),
  }));
  return sorted ? items.sort(twin.compareItems) : items;
};

/** Rule 3: a page of a router or a receiver. */
const onePage = fc
  .record({
    items: fc.array(item, { maxLength: 4 }),
    sorted: fc.boolean(),
    role: fc.constantFrom(2, 3),
    off: mostly(0, fc.nat(2)),
  })
  .map(({ items, sorted, role, off }): Judged => {
    const page = looseItems(role === 2 ? 'csign1ro' : 'csign1re', itemsOf(items, sorted));
    return make('random page', 3, '', [
      openedOf(world.say(role, 0, 7n, oneOf(items.length + off, [page])), 0, 0),
    ]);
  });

const row = fc.record({ epoch: small(8), inbox: fc.nat(1), index: fc.nat(2) });

/** Rule 3: a page of an inbox. */
const inboxPage = fc.array(row, { minLength: 1, maxLength: 3 }).map((places): Judged => {
  const rows = places.map((previousPlace) => ({
    messageHash: named('a'),
    submissionHash: named('b'),
    previousPlace,
  }));
  return make('random page', 3, '', [
    openedOf(world.say(1, 0, 7n, oneOf(rows.length, twin.inboxPages(rows))), 0, 0),
  ]);
});

/** Rule 2: numbers and outputs. */
const statement = fc
  .record({
    role: fc.integer({ min: 1, max: 5 }),
    outputs: fc.array(
      fc.record({ entries: fc.constantFrom(0, 1, 64, 65, 128), leaves: fc.nat(3), empty: fc.boolean() }),
      { maxLength: 3 },
    ),
    inputs: fc.boolean(),
  })
  .map(({ role, outputs, inputs }): Judged => {
    const made = outputs.map(({ entries, leaves, empty }) => ({
      entries,
      leaves: [],
      count: leaves,
      root: empty ? twin.root([]) : named('root'),
    }));
    return make('random statement', 2, '', [
      statementOf(world.say(role, 0, 7n, { outputs: made }, inputs ? [named('i')] : [])),
    ]);
  });

const epochLeaf = fc.record({
  epoch: small(4),
  previousEpoch: small(4),
  size: small(3),
  empty: fc.boolean(),
  few: mostly(false, fc.constant(true)),
  version: mostly(1, fc.constantFrom(1, 2, 3)),
});
type EpochLeafShape = typeof epochLeaf extends fc.Arbitrary<infer T> ? T : never;

const manifests = [...world.manifests, world.second()];

function epochOfShape({ epoch, previousEpoch, size, empty, few, version }: EpochLeafShape) {
  const honest = world.epoch(7n, world.stages(7n, []));
  const hash = manifests[version - 1]
    ? twin.manifestHash(manifests[version - 1]!.bytes)
    : named('no manifest');
  const base = { size, root: empty ? twin.root([]) : named('root') };
  const fields = { epoch, previousEpoch, base, manifestHash: hash, ...(few ? { actors: [] } : {}) };
  return { saids: honest.saids, leaf: world.epoch(7n, world.stages(7n, []), {}, fields).leaf };
}

/** Rules 9 and 10: one epoch leaf, or two. */
const logLeaves = fc
  .record({
    shapes: fc.tuple(epochLeaf, epochLeaf, epochLeaf),
    indices: fc.tuple(fc.nat(2), fc.nat(2)),
    two: fc.boolean(),
    all: fc.boolean(),
  })
  .map(({ shapes, indices, two, all }): Judged => {
    const log = new Log(world, shapes.map(epochOfShape));
    const parts = indices.map((index) => log.logged(index));
    return make(
      'random log',
      two ? 10 : 9,
      '',
      two ? parts : parts.slice(1),
      all ? manifests : world.manifests,
    );
  });

/** Rule 16: a router's pages, the receiver's, and links; what is looked at and what is given is random too. */
const looks = fc
  .record({
    router: fc.array(fc.array(item, { minLength: 1, maxLength: 3 }), { maxLength: 3 }),
    receiver: fc.array(fc.array(item, { minLength: 1, maxLength: 3 }), { maxLength: 3 }),
    sorted: fc.boolean(),
    links: fc.array(leafShape, { maxLength: 3 }),
    pair: fc.nat(2),
    opened: fc.tuple(fc.array(fc.nat(2), { maxLength: 2 }), fc.array(fc.nat(2), { maxLength: 2 })),
    mailbox: fc.nat(5),
    index: fc.nat(2),
    given: fc.nat(3),
    recipients: fc.array(fc.nat(1), { maxLength: 2 }),
  })
  .map((shape): Judged => {
    const pagesOf = (tag: string, lists: Item[][]) => {
      const all = lists.map((list) => itemsOf(list, shape.sorted));
      const sorted = shape.sorted ? all.sort((a, b) => twin.compareItems(a[0]!, b[0]!)) : all;
      return { entries: 1, leaves: sorted.map((items) => looseItems(tag, items)) };
    };
    const links = shape.links.map((one) => leafOfShape({ ...one, entries: one.entries % 3 }, 7n));
    const epoch = scene.changed({
      '2.0': { outputs: [{ entries: 0, leaves: [] }, pagesOf('csign1ro', shape.router)] },
      '3.1': { outputs: [pagesOf('csign1re', shape.receiver)] },
      '4.1': oneOf(1, links),
    });
    const [earlier, later] = [shape.pair, shape.pair + 1].map((i) => saidBy(epoch, i + 1, i < 2 ? 0 : 1));
    const witness = (said: Said, wanted: number[]) => {
      const output = said.role === 2 ? 1 : 0;
      const { leaves } = said.made.outputs[output]!;
      return witnessOf(
        said!,
        output,
        wanted.filter((index) => index < leaves.length),
      );
    };
    const inputs = (shape.pair === 1 ? [0, 1].map((i) => saidBy(epoch, 2, i)) : [earlier!]).map(
      ({ hash }) => hash,
    );
    const mailbox = [...ids, scene.bob.id, scene.carol.id][shape.mailbox]!;
    const given = shape.given === 0 ? { message: scene.preimage } : {};
    const recipients = shape.given <= 1 ? shape.recipients.map((n) => recipientOf(scene.message, n)) : [];
    const subject = subjectOf({
      mailbox,
      place: { epoch: 7n, inbox: 0, index: shape.index },
      ...given,
      recipients,
    });
    const witnesses = [witness(earlier!, shape.opened[0]), witness(later!, shape.opened[1])];
    return make('random stages', 16, '', [subject, ...witnesses, list2Of(inputs)]);
  });

/** Signed, and random: for the rules whose numbers have most to say. */
export const randomEvidence: fc.Arbitrary<Judged> = fc.oneof(
  { weight: 4, arbitrary: oneLeaf },
  { weight: 4, arbitrary: nextLeaves },
  { weight: 6, arbitrary: chainLeaves },
  { weight: 2, arbitrary: onePage },
  { weight: 1, arbitrary: inboxPage },
  { weight: 2, arbitrary: statement },
  { weight: 3, arbitrary: logLeaves },
  { weight: 6, arbitrary: looks },
);
