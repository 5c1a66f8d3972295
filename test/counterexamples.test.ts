/**
 * Schedules and tricks that framed an honest actor, or let a guilty one go, in earlier drafts of the design. What they are
 * called by is what was wrong; each fails if what mends it is taken out. Held elsewhere:
 *
 *   restored or lagging disks: what is above the log is dropped       simulation (mutants: numbers used again, told before durable)
 *   a log older than a checkpoint that somebody holds does not run    attack-process
 *   actors check before they sign, whatever order or count came       check-then-sign; cheats `unsorted`, `sign a false count`
 *   libraries that do not agree about a signature                     crypto, on vectors; evidence cases 5: torsioned keys and signatures
 *   a still and a link, which say whether the chain moved             evidence cases 7; cheats `deny with a still` and those after it
 *   own messages in the own chain, with no stream beside it           client-verifier, client-sender-model, own-messages
 *   silent drops: the server at once, the actor by what is opened     accountability: `drop for one recipient`, also in league
 *   invented messages; submissions that are missing or do not verify  evidence cases 5; cheats `submissions required: …`
 *   receipts that are not committed: claims are whole or nothing      client-verifier, evidence cases 12 and 13
 *   counters left out, twice, by another sender; places that overlap  evidence cases 6; cheats of the inbox
 *   a counter used again with another message                         inbox, client-sender (`counter-conflict`); liars; below, after a refusal
 *   epoch numbers that are not log indices                            evidence cases 9 and 10
 *   mail that was deleted: never delivered, or acknowledged?          liars: evidence from before a deletion
 *   order: causal, first in first out, exactly once                   simulation
 *   trees: one shape for one count, one index for one path            trees-differential
 *   one salt for all recipients, who could then guess each other      outgoing-bundle: no random blinder comes twice
 *   base64 and other bytes that may differ in what is signed          verdict-differential, client-verifier: every byte is covered
 *   who may open what, and how often                                  openings-server, limits
 *   what both took part in, and who else did; a wrong roster          vectors, outgoing-bundle, comparing
 *   a receipt that is late raises no alarm: the same cut for both     vectors, many-vectors; simulation (`--vectors`)
 *   two checkpoints of different sizes: anchors, and proofs           vectors, comparing, forks; evidence cases 8 and 21
 *   first in first out, and what comes first, over moves              moves, random-moves; simulation; evidence cases 22 to 27
 *
 * Of retired keys nothing can be held: whoever has one can sign for an old epoch.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ActorFault, attest } from '../src/actors/attest.js';
import { accuse } from '../src/protocol/evidence/accuse.js';
import { type Evidence, encodeEvidence, RULE } from '../src/protocol/evidence/evidence.js';
import { nameOf } from '../src/protocol/evidence/guilt.js';
import {
  type Claim,
  concat,
  decodeAttestation,
  EMPTY_ROOT,
  encodeAttestation,
  ROLE,
} from '../src/protocol/index.js';
import type { Act } from './byzantine/acts.js';
import { CHEATS } from './byzantine/cheats.js';
import { claimsOf, forkedTheatres } from './byzantine/fork.js';
import { play } from './byzantine/play.js';
import { Theatre } from './byzantine/theatre.js';
import { bothSay } from './support/verdicts.js';
import * as twin from './twin/index.js';
import { named } from './worlds.js';

const test = suite('counterexamples');

const { theatre } = play([], true);
const { manifests, rootKey, world } = theatre;
const { serverId } = world;
const signer = (kind: 'inbox' | 'router' | 'receiver' | 'outbox', index = 0) =>
  theatre.signer({ kind, index });

function judged(parts: object, of = manifests) {
  return bothSay(encodeEvidence({ manifests: of, ...parts } as unknown as Evidence), serverId, rootKey);
}

const signedOf = ({ signed }: Act) => ({ attestation: signed.bytes, signature: signed.signature });

/** The statement of an act, changed and signed by its actor. */
function restated(
  act: Act,
  kind: 'inbox' | 'outbox',
  change: (a: ReturnType<typeof decodeAttestation>) => object,
) {
  const decoded = decodeAttestation(act.signed.bytes);
  const attestation = encodeAttestation({ ...decoded, ...change(decoded) });
  return { attestation, signature: signer(kind, act.index).sign(attestation) };
}

test('a share for another receiver than its rows are placed at is the fault of the router, not of the receiver', () => {
  const cheat = CHEATS.find(({ name }) => name === 'hand a share to the wrong receiver')!;
  const { opened } = play([cheat], false, ['router 0']);
  if (opened?.verdict.outcome !== 'actor') throw new Error('nobody is named');
  assert.is(nameOf(opened.verdict), 'router 0');
});

test('a client that numbers a message again, because it was told that it is refused, is not to blame; who takes both in is', () => {
  const cheat = CHEATS.find(({ name }) => name === 'submissions required: take in what it refused, too')!;
  const { opened, theatre } = play([cheat], false, ['inbox 0']);
  const [before] = theatre.others;
  const again = theatre.sent.find(
    (each) => each.sender === before!.sender && each.counter === before!.counter,
  )!;
  assert.not.equal(before!.hash, again.hash);
  // The client has signed both, and both have places.
  assert.ok(theatre.placeOf(before!) && theatre.placeOf(again));
  if (opened?.verdict.outcome !== 'actor') throw new Error('nobody is named');
  assert.is(nameOf(opened.verdict), 'inbox 0');
});

test('a statement of an epoch that was never committed contradicts nothing', () => {
  // It says something else than the committed epochs before and behind it, and is in no log.
  const act = theatre.act(2, ROLE.inbox, 0);
  const lost = restated(act, 'inbox', ({ epoch }) => ({ epoch: epoch + 500 }));
  const found = accuse({ manifests, claims: theatre.claims(act, 0), statements: [lost] }, serverId, rootKey);
  assert.is(found, null);
  // Of the committed epoch itself it would.
  const twice = restated(act, 'inbox', () => ({ outputs: [{ entries: 0, leaves: 0, root: EMPTY_ROOT }] }));
  const again = accuse(
    { manifests, claims: theatre.claims(act, 0), statements: [twice] },
    serverId,
    rootKey,
  )!;
  assert.is(bothSay(again.evidence, serverId, rootKey).outcome, 'actor');
});

test('leaves of two forks contradict each other only through the sequencer', () => {
  const [one, other] = forkedTheatres();
  const [left, right] = [claimsOf(one, 3), claimsOf(other, 3)];
  const isLeaf = (claim: Claim) => claim.leaf.length > 0;
  for (const earlier of left.filter(isLeaf))
    for (const later of right.filter(isLeaf)) {
      const parts = { rule: RULE.mailboxLeaves, earlier, later, bridge: new Uint8Array(0) };
      assert.is(judged(parts).outcome, 'nothing');
    }
});

test('an actor signs no epoch twice, whatever it is asked, and none that it may have signed in another life', () => {
  const { sign } = signer('inbox');
  const self = { index: 0, serverId, sign, signed: { through: 4 } };
  const context = { ...decodeAttestation(theatre.act(2, ROLE.inbox, 0).signed.bytes) };
  const output = { entries: 0, leaves: 0, root: EMPTY_ROOT };
  for (const epoch of [3, 4])
    assert.throws(() => attest(self, ROLE.inbox, { ...context, epoch }, [], [output]), isFault);
  attest(self, ROLE.inbox, { ...context, epoch: 5 }, [], [output]);
  // Nor on another base than the log that it was told.
  const told = { size: context.base.size + 1, root: context.base.root };
  assert.throws(() => attest(self, ROLE.inbox, { ...context, epoch: 6 }, [], [output], told), isFault);
  // Nor by another manifest or placement than its own.
  for (const field of ['manifestHash', 'placementRoot'] as const) {
    const known = { ...context, [field]: EMPTY_ROOT.map((byte) => byte ^ 1) };
    const third = { ...self, known, signed: { through: 5 } };
    assert.throws(() => attest(third, ROLE.inbox, { ...context, epoch: 6 }, [], [output]), isFault);
  }
  const next = { ...context, epoch: 6 };
  attest({ ...self, known: context }, ROLE.inbox, next, [], [output], context.base);
  assert.throws(() => attest(self, ROLE.inbox, { ...context, epoch: 5 }, [], [output]), isFault);
});

const isFault = (error: unknown) => error instanceof ActorFault;

test('a routing that a newer manifest allows is not judged by an older one', () => {
  const { manifest } = world;
  const first = manifests[0]!;
  // Everything moves to outbox 1 in version 2.
  const moved = {
    ...manifest,
    version: 2,
    previousHash: Buffer.from(serverId),
    runs: [{ firstBucket: 0, inbox: 0, outbox: 1 }],
  };
  const bytes = twin.manifestBytes(moved);
  const signature = twin.sign(world.rootSecret, concat(twin.ascii('countersign/v1 manifest'), bytes));
  const mailbox = theatre.client(theatre.cast.bob);
  const leaf = twin.stillLeaf({
    mailbox,
    epoch: 9n,
    lastEpoch: 0n,
    total: 0n,
    head: named('seed'),
    trimmedThrough: 0n,
  });
  const statement = encodeAttestation({
    ...decodeAttestation(theatre.act(2, ROLE.outbox, 1).signed.bytes),
    epoch: 9,
    manifestHash: twin.manifestHash(bytes),
    outputs: [{ entries: 0, leaves: 1, root: twin.H(leaf) }],
  });
  const opened = {
    ...{ leaf, output: 0, leafIndex: 0, outputPath: new Uint8Array(0) },
    ...{ attestation: statement, signature: signer('outbox', 1).sign(statement) },
  };
  const parts = { rule: RULE.malformedLeaf, opened };
  assert.match(judged(parts).text, /another manifest/);
  assert.match(judged(parts, [first, { bytes, signature }]).text, /nothing is wrong/);
  // By the manifest that it names, an outbox that does not keep the mailbox is guilty.
  const old = encodeAttestation({ ...decodeAttestation(statement), manifestHash: serverId });
  const misplaced = { ...opened, attestation: old, signature: signer('outbox', 1).sign(old) };
  assert.is(judged({ rule: RULE.malformedLeaf, opened: misplaced }).outcome, 'actor');
});

test('a server that was set up anew with the same root key is another server', () => {
  const again = twin.manifestBytes({ ...world.manifest, nonce: named('another nonce') });
  const act = theatre.act(2, ROLE.outbox, 0);
  const other = restated(act, 'outbox', () => ({ serverId: twin.manifestHash(again) }));
  const inOrder = [signedOf(act), other].sort((a, b) => Buffer.compare(a.attestation, b.attestation));
  const parts = { rule: RULE.twoStatements, first: inOrder[0], second: inOrder[1] };
  assert.match(judged(parts).text, /another server/);
});

test('a request handler, which signs nothing, cannot have an inbox take in what is not placed there', () => {
  const other = new Theatre({ checks: true });
  const { alice, bob } = other.cast;
  assert.throws(() => other.send(alice, [bob], 1), /placed at another inbox/);
});

test('two checkpoints of different sizes are no evidence', () => {
  const [first, second] = [theatre.checkpoints[0]!, theatre.checkpoints[1]!];
  assert.is(judged({ rule: RULE.twoRoots, first, second }).outcome, 'nothing');
  assert.is(accuse({ manifests, claims: [], checkpoints: [first, second] }, serverId, rootKey), null);
});

test("a client cannot frame an actor with its own word: messages that it makes up are in nobody's pages", () => {
  const { alice, bob } = theatre.cast;
  const sent = theatre.sent[2]!;
  const place = theatre.placeOf(sent)!;
  const mailbox = theatre.client(bob);
  const [epoch] = [place.epoch];
  const inboxAct = theatre.act(epoch, ROLE.inbox, place.inbox);
  const claims = [
    ...theatre.claims(inboxAct, 0),
    ...theatre.claims(theatre.act(epoch, ROLE.outbox, 0), 0),
    ...theatre.claims(theatre.act(epoch, ROLE.router, 0), 0),
  ];
  const message = twin.join(
    twin.ascii('csign1ms'),
    serverId,
    theatre.client(alice),
    twin.u64(7n),
    twin.u16(1),
    Buffer.alloc(80, 1),
    named('body'),
  );
  for (const index of [place.index, place.index + 1, 50])
    for (const recipients of [
      [],
      [{ position: 0, leaf: Buffer.alloc(80, 1), siblings: new Uint8Array(0) }],
    ]) {
      const subject = {
        mailbox,
        epoch,
        inbox: place.inbox,
        index,
        message,
        recipients,
        others: [theatre.client(alice)],
      };
      assert.is(accuse({ manifests, claims, subject, messages: [message] }, serverId, rootKey), null);
    }
});

test('keys of small order or with torsion are in no manifest, and so sign nothing that counts', () => {
  const small = Buffer.from('26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05', 'hex');
  const actors = world.manifest.actors.map((actor, i) => (i === 0 ? { ...actor, key: small } : actor));
  const bytes = twin.manifestBytes({ ...world.manifest, actors });
  const signature = twin.sign(world.rootSecret, concat(twin.ascii('countersign/v1 manifest'), bytes));
  const parts = { rule: RULE.malformedStatement, statement: signedOf(theatre.act(2, ROLE.inbox, 0)) };
  const evidence = encodeEvidence({ manifests: [{ bytes, signature }], ...parts } as Evidence);
  assert.match(bothSay(evidence, twin.manifestHash(bytes), rootKey).text, /bad key/);
});

test('what a message is for is shown by its own hash, not by who says so', () => {
  // Dave's message goes to Bob alone: Carol cannot show that it was for her.
  const sent = theatre.sent[1]!;
  const place = theatre.placeOf(sent)!;
  const carol = theatre.client(theatre.cast.carol);
  const { outbox } = world.placement(carol);
  const claims = [ROLE.inbox, ROLE.router].flatMap((role) => {
    const act = theatre.act(place.epoch, role, place.inbox);
    return theatre.claims(act, role === ROLE.inbox ? 0 : outbox);
  });
  const { sender, counter, recipients, body } = sent.message;
  const part = twin.recipientsPart(recipients);
  const message = twin.join(
    twin.ascii('csign1ms'),
    serverId,
    sender,
    twin.u64(counter),
    twin.u16(1),
    part,
    twin.bodyHash(body),
  );
  const leaf = Buffer.from(part);
  carol.copy(leaf, 16);
  for (const recipient of [part, leaf]) {
    const subject = {
      mailbox: carol,
      ...place,
      message,
      recipients: [{ position: 0, leaf: recipient, siblings: new Uint8Array(0) }],
    };
    assert.is(accuse({ manifests, claims, subject }, serverId, rootKey), null);
  }
});

test('no tag begins another one, or as a node or a leaf of a tree does', () => {
  const folder = new URL('../../src/protocol/', import.meta.url);
  const text = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => readFileSync(new URL(name, folder), 'utf8'))
    .join('\n');
  const tags = new Set([...text.matchAll(/'(?:\\0)?(csign1\w*)'/g)].map(([, tag]) => tag!));
  assert.ok(tags.size > 15);
  // Of one width: what follows cannot belong to it. Its first byte is neither 0 nor 1.
  for (const tag of tags) assert.match(tag, /^csign1[a-z]{2}$/);
});

test.run();
