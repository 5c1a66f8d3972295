/** Which manifests follow each other: random rotations, and each rule broken. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { importSecretKey } from '#crypto';
import {
  countsIn,
  decodeManifest,
  encodeManifest,
  evenBuckets,
  inForceAt,
  inOrder,
  type Manifest,
  type ManifestActor,
  manifestHash,
  type OpenedManifest,
  ROLE,
} from '../src/protocol/index.js';
import { Random } from './simulation/random.js';
import { manifestFor, seed } from './small-server.js';
import { named, SEED } from './worlds.js';

const test = suite('versions of the manifest');

const keyOf = (name: string) => importSecretKey(seed(`rotated ${name}`)).publicKey;
const first = decodeManifest(manifestFor(2, 2));

type Change = Partial<Manifest>;

/** The next version, with the keys of these slots changed from `from` on. */
function next(before: Manifest, slots: readonly number[], from: number, change: Change = {}): Manifest {
  const inUse = before.actors.filter(({ lastEpoch }) => lastEpoch === 0);
  const actors = inUse.flatMap((actor, slot): ManifestActor[] =>
    slots.includes(slot)
      ? [
          { ...actor, lastEpoch: from - 1 },
          { ...actor, key: keyOf(`${slot} ${from}`), firstEpoch: from },
        ]
      : [actor],
  );
  const version = before.version + 1;
  return { ...before, version, previousHash: manifestHash(encodeManifest(before)), actors, ...change };
}

function opened(all: readonly Manifest[]): OpenedManifest[] {
  return inOrder(
    all.map((manifest) => {
      const bytes = encodeManifest(manifest);
      return { bytes, signature: new Uint8Array(64), hash: manifestHash(bytes), manifest };
    }),
  );
}

test('random rotations follow each other, are in force from where their keys begin, and do not grow', () => {
  const random = new Random(SEED);
  for (let run = 0; run < 5; run++) {
    const all = [first];
    const froms = [1];
    for (let i = 0; i < 12; i++) {
      const slots = [...Array(9).keys()].filter(() => random.int(3) === 0);
      if (slots.length === 0) slots.push(random.int(9));
      froms.push(froms.at(-1)! + 1 + random.int(1000));
      all.push(next(all.at(-1)!, slots, froms.at(-1)!));
      decodeManifest(encodeManifest(all.at(-1)!));
      assert.is(all.at(-1)!.actors.length, 9 + slots.length);
    }
    assert.equal(
      opened(all).map(({ from }) => from),
      froms,
      `SEED=${SEED}`,
    );
  }
});

const second = next(first, [0, 8], 1001);
const change = (at: number, fields: Partial<ManifestActor>) =>
  second.actors.map((actor, i) => (i === at ? { ...actor, ...fields } : actor));

/** The next version, with other numbers of actors from `from` on. */
function resized(
  before: Manifest,
  inboxes: number,
  outboxes: number,
  from: number,
  change: (actor: ManifestActor) => ManifestActor = (actor) => actor,
): Manifest {
  const inUse = before.actors.filter(({ lastEpoch }) => lastEpoch === 0);
  const countOf = (role: number) => (role === 5 ? 1 : role <= 2 ? inboxes : outboxes);
  const old = inUse.map((actor) =>
    actor.index < countOf(actor.role) ? actor : { ...actor, lastEpoch: from - 1 },
  );
  const begun = [1, 2, 3, 4].flatMap((role) => {
    const have = inUse.filter((actor) => actor.role === role).length;
    return Array.from({ length: Math.max(0, countOf(role) - have) }, (_, i): ManifestActor => {
      const index = have + i;
      const key = keyOf(`${role} ${index} ${from}`);
      return { role: role as ManifestActor['role'], index, key, firstEpoch: from, lastEpoch: 0 };
    });
  });
  const actors = [...old, ...begun]
    .map(change)
    .sort((a, b) => a.role - b.role || a.index - b.index || a.firstEpoch - b.firstEpoch);
  return next(before, [], from, { actors, buckets: evenBuckets(inboxes, outboxes) });
}

test('random numbers of actors follow each other, and random keys between them; each epoch has its own', () => {
  const random = new Random(SEED);
  for (let run = 0; run < 5; run++) {
    const all = [first];
    const counts = [[2, 2]];
    const froms = [1];
    for (let i = 0; i < 12; i++) {
      const from = froms.at(-1)! + 1 + random.int(1000);
      const [inboxes, outboxes] = counts.at(-1)!;
      const asked = [1 + random.int(4), 1 + random.int(4)];
      const isSame = asked[0] === inboxes && asked[1] === outboxes;
      all.push(
        isSame
          ? next(all.at(-1)!, [random.int(9) % 5], from)
          : resized(all.at(-1)!, asked[0]!, asked[1]!, from),
      );
      decodeManifest(encodeManifest(all.at(-1)!));
      counts.push(asked);
      froms.push(from);
    }
    const versions = opened(all);
    assert.equal(
      versions.map(({ from }) => from),
      froms,
      `SEED=${SEED}`,
    );
    for (const [i, from] of froms.entries())
      for (const [epoch, version] of [
        [from, i],
        [from - 1, Math.max(0, i - 1)],
      ] as const) {
        const { manifest } = inForceAt(versions, epoch);
        assert.is(manifest.version, version + 1, `SEED=${SEED}`);
        const { inboxes, outboxes } = countsIn(manifest);
        assert.equal([inboxes, outboxes], counts[version], `SEED=${SEED}`);
      }
  }
});

for (const [what, all, rule] of [
  ['none at all', [], /1 to 255/],
  ['256 of them', Array(256).fill(first), /1 to 255/],
  ['no first one', [second], /version 1 first/],
  ['a version is left out', [first, next(second, [1], 2001)], /do not follow/],
  ['another one is named', [first, { ...second, previousHash: named('other') }], /do not follow/],
  ['the root key changes', [first, { ...second, rootKey: keyOf('root') }], /more than actors/],
  ['the nonce changes', [first, { ...second, nonce: named('another nonce') }], /more than actors/],
  [
    'placement changes and no key does',
    [first, next(first, [], 5, { buckets: [{ firstBucket: 0, inbox: 1, outbox: 1 }] })],
    /no later/,
  ],
  ['policy changes', [first, { ...second, policy: { ...second.policy, recipients: 7 } }], /more than actors/],
  ['nothing changes', [first, next(first, [], 5)], /no later/],
  ['it is in force no later', [first, second, next(second, [1], 1001)], /no later/],
  [
    'a key goes without an end',
    [first, { ...second, actors: second.actors.slice(1) }],
    /neither ends nor goes on/,
  ],
  [
    'a key ends too early',
    [first, { ...second, actors: change(0, { lastEpoch: 999 }) }],
    /neither ends nor goes on/,
  ],
  [
    'a key begins earlier than it did',
    [first, { ...second, actors: change(2, { firstEpoch: 2 }) }],
    /neither ends/,
  ],
  [
    'a key begins too late',
    [first, { ...second, actors: change(1, { firstEpoch: 1002 }) }],
    /neither ends nor|does not begin/,
  ],
  [
    'a key is given to another actor',
    [first, { ...second, actors: change(2, { role: ROLE.outbox, index: 7 }) }],
    /neither ends/,
  ],
  [
    'an actor more begins before the version does',
    [
      first,
      resized(first, 3, 2, 1001, (actor) =>
        actor.role === 1 && actor.index === 2 ? { ...actor, firstEpoch: 900 } : actor,
      ),
    ],
    /does not begin/,
  ],
  [
    'an actor fewer ends later than the version begins',
    [
      first,
      resized(first, 2, 1, 1001, (actor) =>
        actor.role === 3 && actor.lastEpoch > 0 ? { ...actor, lastEpoch: 1001 } : actor,
      ),
    ],
    /neither ends nor goes on/,
  ],
  [
    'a key that ended stays',
    [
      first,
      second,
      { ...next(second, [1], 2001), actors: [second.actors[0]!, ...next(second, [1], 2001).actors] },
    ],
    /does not begin/,
  ],
  [
    'a key comes back',
    [
      first,
      second,
      ((third) => ({
        ...third,
        actors: third.actors.map((a) => (a.firstEpoch === 2001 ? { ...a, key: first.actors[0]!.key } : a)),
      }))(next(second, [0], 2001)),
    ],
    /was there before/,
  ],
] as const satisfies readonly (readonly [string, readonly Manifest[], RegExp])[])
  test(`refused: ${what}`, () => {
    assert.throws(() => opened(all), rule);
  });

test.run();
