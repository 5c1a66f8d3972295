/** Audits of stores in memory: honest ones are clean, whatever happened; every cheat and every changed byte is found. */
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { HEADER_BYTES, isSent, Links, ROW_BYTES } from '../src/actors/epoch-file.js';
import { metaKey, numberKey, TABLE, type Table } from '../src/actors/store-keys.js';
import type { Draft } from '../src/protocol/audit/draft.js';
import { audit, type EpochSource } from '../src/protocol/audit/index.js';
import type { AuditedLog } from '../src/protocol/audit/log.js';
import { Moves } from '../src/protocol/audit/moves.js';
import { AuditState } from '../src/protocol/audit/state.js';
import type { AuditWorld } from '../src/protocol/audit/world.js';
import { nameOf } from '../src/protocol/evidence/guilt.js';
import { evenBuckets, HAND_OVER_BYTES, ROLE } from '../src/protocol/index.js';

import type { Cheat } from './byzantine/cheat.js';
import { CHEATS } from './byzantine/cheats.js';
import { addLaterManifests } from './byzantine/later.js';
import { compare, play } from './byzantine/play.js';
import { renumber } from './byzantine/rows.js';
import { auditTheatre, lines, sourceOf } from './support/audits.js';
import { plans } from './support/plans.js';
import { type Plan, SideBySide } from './support/side-by-side.js';
import { bothSay } from './support/verdicts.js';
import * as twin from './twin/index.js';
import { RUNS, runOptions, SEED } from './worlds.js';

const test = suite('audit');

test('random epochs, with acknowledgments, stills and restarts, are clean', async () => {
  console.log(`SEED=${SEED}`);
  const kinds = ['nothing', 'reconnect', 'restart'] as const;
  const between = fc.record({ kind: fc.constantFrom(...kinds), reuse: fc.boolean(), forget: fc.boolean() });
  const property = fc.asyncProperty(
    plans,
    between,
    fc.integer({ min: 1, max: 3 }),
    async (plan, gap, flush) => {
      // Exceptions from placement are in no manifest.
      const asked: Plan = { ...plan, moved: [] };
      const side = new SideBySide(asked, { checkInputs: false, flushEpochs: flush });
      side.run(asked, gap);
      const source = sourceOf(side);
      const report = await audit(source);
      assert.equal(lines(report), []);
      const inputs = [...side.done.values()].map(({ result }) => result.messageHashes.flat().length);
      assert.is(report.epochs, side.done.size);
      assert.is(
        report.messages,
        inputs.reduce((sum, n) => sum + n, 0),
      );
      assert.is(report.leaves, side.done.size);
      // The last epoch's checkpoint is kept with the next one.
      assert.is(report.signedLeaves, Math.max(0, report.leaves - 1));
    },
  );
  await fc.assert(property, runOptions(12, 4));
});

test('epochs that are too old may have gone, and younger ones may not', async () => {
  const empty = { frames: [], early: 0, asked: [], acks: [] };
  const all = [...SMALL.epochs.map((each) => ({ ...each, acks: [0, 1, 2, 3] })), ...Array(30).fill(empty)];
  const plan: Plan = { ...SMALL, retentionEpochs: 8, epochs: all };
  const side = new SideBySide(plan, { checkInputs: false, flushEpochs: 1 });
  side.run(plan, { kind: 'nothing', reuse: false, forget: false });
  const source = sourceOf(side);
  const report = await audit(source);
  assert.equal(lines(report), []);
  assert.is(report.leaves, 32);
  assert.ok(report.epochs >= 8 && report.epochs < 32, `${report.epochs} are kept`);
  side.pipeline.store.write([{ key: numberKey(TABLE.attestations, report.last - 7), value: null }]);
  const { findings } = await audit(source);
  assert.equal(
    findings.map(({ kind, epoch }) => [kind, epoch]),
    [['missing', report.last - 7]],
  );
});

// ---- cheats

/** Signed twice or told to somebody, and only one of it is stored: whoever holds the other one has the evidence. */
const NOT_STORED = ['equivocate to two clients', 'sign twice after a restart', 'serve a stale checkpoint'];
/** Found, and not proven by what is stored. */
const UNPROVEN = [
  // The message is with its sender alone: its inbox has its hash, which shows no evidence.
  'router:drop for all',
  // Stored is what it has handed on, which its hash is not of.
  'inbox:hand on other recipients than signed',
  // Stored are rows and chains, not what was signed of them: who was given that has the evidence.
  'inbox:drop for all',
  'inbox:drop for all, and name a place where nothing is',
  'inbox:malformed pages',
  'router:malformed pages',
  'receiver:malformed pages',
  'outbox:malformed pages',
  'outbox:deny with a still',
  'outbox:a still beside a link',
  // Found is that no such submission is stored: who has it has the evidence.
  'inbox:submissions required: inject, with a submission that another client signs',
  'inbox:submissions required: inject, with a hash that is of no submission',
  'inbox:submissions required: take in what it refused, too',
  // Leaves are shown with the statements of actors, and none of those names that manifest.
  'sequencer:log another manifest',
];

/** Manifests are added without what a server does when it moves ids. */
const NOT_HANDED_OVER = /^hand-over: what (in|out)box \d handed over to (in|out)box \d is not kept$/;

// An eighth of them in `npm test`; with RUNS=4 all.
const SOME = CHEATS.filter((_, i) => RUNS >= 4 || i % 8 === SEED % 8);

for (const cheat of SOME) {
  const name = `${cheat.role}:${cheat.name}`;
  test(`found: ${name}`, async () => {
    const ending = play([cheat], false);
    const { theatre } = ending;
    if (theatre.stopped) return;
    // What consumers were given beside the log is not stored.
    const isGiven = theatre.given.splice(0).length > 0;
    const { opened } = isGiven ? compare(theatre, []) : ending;
    const report = await auditTheatre(theatre);
    if (NOT_STORED.includes(cheat.name)) return assert.equal(lines(report), []);
    assert.ok(report.findings.length > 0);
    const proven = report.findings.flatMap((each) => (each.evidence ? [each] : []));
    for (const each of proven) {
      const again = bothSay(each.evidence!, theatre.world.serverId, theatre.rootKey);
      assert.equal(again, each.verdict);
    }
    // As it is after a move.
    addLaterManifests(theatre);
    const moved = lines(await auditTheatre(theatre));
    assert.equal(
      moved.filter((line) => !NOT_HANDED_OVER.test(line)),
      lines(report),
    );
    assert.ok(moved.length > report.findings.length);
    if (UNPROVEN.includes(name)) return assert.is(proven.length, 0);
    const named = proven.flatMap(({ verdict }) => (verdict?.outcome === 'actor' ? [nameOf(verdict)] : []))[0];
    // Whom everything that clients and holders have together names, if they have.
    const known = opened?.verdict.outcome === 'actor' ? nameOf(opened.verdict) : undefined;
    assert.is(named, known, lines(report).join('\n'));
  });
}

test('who lies in no way is named by nothing', async () => {
  for (const checks of [true, false]) {
    const { theatre } = play([], checks);
    const report = await auditTheatre(theatre);
    assert.equal(lines(report), []);
    assert.equal([report.epochs, report.messages, report.signedLeaves], [3, 9, 3]);
    assert.is(report.recipientsUnknown, 0);
  }
});

test('what a router drops, and nobody else was to get, is counted among what routers were not held against', async () => {
  const cheat = CHEATS.find(({ role, name }) => role === 'router' && name === 'drop for one recipient')!;
  const plan: Cheat['plan'] = ({ alice, bob, dave }) => [
    [
      [dave, [bob]],
      [dave, [bob]],
    ],
    [[alice, [bob]]],
  ];
  const { theatre } = play([{ ...cheat, plan }], false);
  const report = await auditTheatre(theatre);
  assert.equal(lines(report), []);
  assert.equal([report.messages, report.recipientsUnknown], [3, 1]);
});

// ---- submissions

const signedPlay: Cheat = { name: 'none', role: 'inbox', isSigned: true };

/** A signature that its sender has not made, and the row that names it. */
const unsigned: Cheat = {
  ...signedPlay,
  give: (said, self) =>
    renumber(said, self, (rows) => {
      const { sender, counter, hash } = self.theatre.sent[2]!;
      const { serverId } = self.theatre.world;
      const submission = { serverId, sender, firstCounter: BigInt(counter), messageHashes: [hash] };
      const [row, ...rest] = rows.map((each) => Buffer.from(each));
      twin.submissionHash(twin.submissionSigned(submission), BAD_SIGNATURE).copy(row!, 32);
      return [row!, ...rest];
    }).map(({ to, message }) => {
      if (message.type !== 'attested') return { to, message };
      const records = message.records.map(({ key, value }) => {
        const changed = value && Uint8Array.from(value);
        if (key[0] === TABLE.submissions) changed!.set(BAD_SIGNATURE, 8);
        return { key, value: changed };
      });
      return { to, message: { ...message, records } };
    }),
};
const BAD_SIGNATURE = Buffer.alloc(64, 7);

test('signed messages of an honest server are clean, and every byte of what is kept of them is looked at', async () => {
  const { theatre } = play([signedPlay], false);
  assert.equal(lines(await auditTheatre(theatre)), []);
  const { store } = theatre.pipeline;
  const from = numberKey(TABLE.submissions, 0);
  const all = [...store.range(from, numberKey((TABLE.submissions + 1) as Table, 0))];
  assert.ok(all.length >= 3);
  const stride = Math.max(1, Math.floor(32 / RUNS));
  for (const { key, value } of all) {
    const cut = [value.subarray(0, -1), value.subarray(72), null];
    const first = (SEED + key[8]!) % stride;
    const places = Array.from(value.keys()).filter((at) => at % stride === first);
    const flipped = places.map((at) => {
      const changed = Uint8Array.from(value);
      changed[at]! ^= 1 << (at % 8);
      return changed;
    });
    for (const changed of [...cut, ...flipped]) {
      store.write([{ key, value: changed }]);
      const { findings } = await auditTheatre(theatre);
      assert.ok(findings.length > 0);
      for (const { evidence } of findings) assert.is(evidence, null, 'somebody is framed');
    }
    store.write([{ key, value }]);
  }
});

test('an inbox that takes in what its sender has not signed is named, also when it has been acknowledged', async () => {
  const { theatre } = play([unsigned], false);
  const named = async () => {
    const { findings } = await auditTheatre(theatre);
    return findings.map(({ kind, evidence, verdict }) => {
      assert.equal(bothSay(evidence!, theatre.world.serverId, theatre.rootKey), verdict);
      return `${kind}: ${verdict!.text}`;
    });
  };
  const found = await named();
  assert.is(found.length, 1);
  assert.match(
    found[0]!,
    /^submission: .*inbox 0 took in a message with a submission that is not signed by its sender/,
  );
  const { store } = theatre.pipeline;
  for (const { key } of [
    ...store.range(numberKey(TABLE.bodies, 0), numberKey((TABLE.bodies + 1) as Table, 0)),
  ])
    store.write([{ key, value: null }]);
  assert.equal(await named(), found);
});

// ---- what was changed after it was signed

/**
 * Bytes that are kept beside what was signed and that nothing is held against: how much a chain weighs, in the header of a
 * link, and the counter of a message that its owner sent.
 */
function isFree(table: Table, value: Uint8Array, at: number): boolean {
  if (table !== TABLE.links) return false;
  const links = Links.read(value);
  const [header, row] = [
    (at - links.headerAt(0)) % HEADER_BYTES,
    Math.floor((at - links.rowAt(0)) / ROW_BYTES),
  ];
  if (at >= links.headerAt(0) && at < links.leafAt(0)) return header >= HEADER_BYTES - 16;
  return row >= 0 && isSent(links.row(row)) && at >= links.rowAt(row) + ROW_BYTES - 10;
}

const TABLES: readonly Table[] = [
  TABLE.log,
  TABLE.attestations,
  TABLE.inboxRows,
  TABLE.senderRuns,
  TABLE.links,
  TABLE.stills,
  TABLE.bodies,
];

test('every byte that is changed is found, and names nobody', async () => {
  const side = new SideBySide(SMALL, { checkInputs: false, flushEpochs: 1 });
  side.run(SMALL, { kind: 'nothing', reuse: false, forget: false });
  const { store } = side.pipeline;
  const source = sourceOf(side);
  assert.equal(lines(await audit(source)), []);
  const stride = Math.max(1, Math.floor(32 / RUNS));
  let [flipped, phase] = [0, 0];
  const unseen: string[] = [];
  for (const table of TABLES) {
    for (const { key, value } of [...store.range(numberKey(table, 0), numberKey((table + 1) as Table, 0))]) {
      const first = (SEED + phase++) % stride;
      const places = Array.from(value.keys()).filter((at) => at % stride === first);
      // The last one is of a body where there is one.
      for (const at of new Set([...places, value.length - 1])) {
        const changed = Uint8Array.from(value);
        changed[at]! ^= 1 << (at % 8);
        store.write([{ key, value: changed }]);
        const report = await audit(source);
        assert.equal(
          report.findings.filter(({ evidence }) => evidence),
          [],
          `byte ${at} frames somebody`,
        );
        if (report.findings.length === 0 && !isFree(table, value, at))
          unseen.push(`${String.fromCharCode(table)} ${at}`);
        flipped++;
      }
      store.write([{ key, value }]);
    }
  }
  console.log(`${flipped} bytes`);
  assert.equal(unseen, []);
});

test('a leaf that was changed is not the log that actors signed as their base, also without a checkpoint', async () => {
  const side = new SideBySide(SMALL, { checkInputs: false, flushEpochs: 1 });
  side.run(SMALL, { kind: 'nothing', reuse: false, forget: false });
  const { store } = side.pipeline;
  const key = numberKey(TABLE.log, 0);
  const value = Uint8Array.from(store.get(key)!);
  // In the actors' root, with the leaf's hash as it then is.
  value[160]! ^= 1;
  value.set(twin.H(value.subarray(0, 163)), 164);
  store.write([
    { key, value },
    { key: metaKey('checkpoint'), value: null },
  ]);
  const { findings, signedLeaves } = await audit(sourceOf(side));
  assert.is(signedLeaves, 0);
  assert.ok(
    findings.some(
      ({ text }) =>
        text === "the log's leaf 1 is on a base that is not the log before it, as all its actors signed it",
    ),
  );
});

test('where a chain stands by its outbox is held against its last link', async () => {
  const side = new SideBySide(SMALL, { checkInputs: false, flushEpochs: 1 });
  side.run(SMALL, { kind: 'nothing', reuse: false, forget: false });
  const { store } = side.pipeline;
  const all = [...store.range(Uint8Array.of(TABLE.mailbox), Uint8Array.of(TABLE.mailbox + 1))];
  assert.is(all.length, 4);
  // last epoch 8 ‖ total 8 ‖ head 32
  for (const { key, value } of all)
    for (const at of [6, 15, 16, 47]) {
      const changed = Uint8Array.from(value);
      changed[at]! ^= 1;
      store.write([{ key, value: changed }]);
      const { findings } = await audit(sourceOf(side));
      assert.equal(
        findings.map(({ kind, evidence }) => [kind, evidence]),
        [['cache', null]],
        `byte ${at}`,
      );
      store.write([{ key, value }]);
    }
});

test('a hand-over of a version that is newer than the audit is not told, and one of an older version is', async () => {
  const versions = [1, 2, 2].map((actors, i) => ({
    from: 1 + i,
    manifest: { version: i + 1, buckets: evenBuckets(actors, actors) },
  }));
  const head = { size: 0, root: new Uint8Array(32), lastEpoch: 0 };
  const statement = new Uint8Array(HAND_OVER_BYTES);
  let read = 0;
  const told = async (handings: readonly [version: number, from: number, to: number][]) => {
    read = 0;
    async function* handOvers() {
      for (const [version, from, to] of handings) {
        read++;
        yield { version, role: ROLE.inbox, from, to, statement, leaves: null };
      }
    }
    const source = { handOvers } as unknown as EpochSource;
    const world = { versions, newest: versions.at(-1)!.manifest } as unknown as AuditWorld;
    const log = { heads: [head, head, head], newest: async () => 0 } as unknown as AuditedLog;
    const drafts: Draft[] = [];
    await Moves.read(source, world, new AuditState(), log, (draft) => drafts.push(draft));
    return drafts.map(({ text }) => text);
  };
  const stray = (version: number) =>
    `a hand-over of version ${version} from inbox 1 to inbox 2 is kept, and nobody goes there`;
  assert.equal(
    await told([
      [2, 0, 1],
      [2, 1, 2],
      [3, 1, 2],
    ]),
    [stray(2), stray(3)],
  );
  assert.equal(
    await told([
      [2, 0, 1],
      [4, 1, 2],
      [5, 1, 2],
    ]),
    [],
  );
  assert.is(read, 2, 'what comes behind a newer one is newer');
});

const SMALL: Plan = {
  inboxes: 1,
  outboxes: 1,
  mailboxes: 4,
  moved: [],
  epochs: [0, 1].map((sender) => ({
    frames: [
      { sender, bundles: [{ recipients: [1, 2], body: 9, envelope: 5 }] },
      { sender: 3, bundles: [{ recipients: [3], body: 3, envelope: 0 }] },
    ],
    early: 0,
    asked: [0, 1, 2],
    acks: [],
  })),
};

test.run();
