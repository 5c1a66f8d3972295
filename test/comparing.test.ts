/** Two clients find out in what they differ: of an honest server, of one that cheats, and with a counterpart that lies. */
import { setTimeout as wait } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { askFor, askForProof } from '../src/client/asking.js';
import { type Frame, SAY } from '../src/client/comparison-frames.js';
import { type ComplainOptions, complaintOf } from '../src/client/complaint.js';
import { firstDifference } from '../src/client/dispute.js';
import type { Gateway } from '../src/client/gateway.js';
import type { GatewayEvents } from '../src/client/gateway-events.js';
import { headOf } from '../src/client/heads.js';
import type { Client, Message } from '../src/client/index.js';
import type { OpenOptions } from '../src/client/openings.js';
import type { PairChain } from '../src/client/vector-chain.js';
import { encodeFramed } from '../src/client/vector-frame.js';
import {
  type ComparisonError,
  type Finding,
  Vectors,
  type VectorsOptions,
} from '../src/client/vectors-entry.js';
import { disputedPlace } from '../src/protocol/evidence/index.js';
import {
  CountersignError,
  decodeBlock,
  type ErrorCode,
  encodeBlock,
  encodeClaim,
  equalBytes,
  ROLE,
  toHex,
} from '../src/protocol/index.js';
import { CHEATS } from './byzantine/cheats.js';
import { play } from './byzantine/play.js';
import { clientOf } from './client-helpers.js';
import {
  chat,
  compare,
  duplexes,
  end,
  halfAnswers,
  id,
  liar,
  loseOne,
  lying,
  mustProveThat,
  Pipe,
  refused,
  started,
  three,
  twoWorlds,
  withoutProofs,
} from './support/comparing.js';
import { bothSay } from './support/verdicts.js';

const test = suite('comparing');

test('case 1: a client lacks a message. Two find it, and both hold evidence that the server is faulty', async () => {
  const { server, cheat } = await started();
  const [alice, bob, cora] = await three(server);
  await chat(alice, bob, 3);
  cheat({ way: 'drop', from: toHex(alice.id), to: toHex(bob.id), instead: toHex(cora.id) });
  await cora.close();
  const { place } = await alice.send({ to: bob.id, body: 'the one that is lost' });
  await chat(alice, bob, 8);
  assert.is(bob.vectors!.check(alice.id, alice.vectors!.block(bob.id)).outcome, 'differs');
  const told = [alice, bob].map((client) => next(client));
  const [ofAlice, ofBob, frames] = await compare(alice, bob);
  for (const found of [ofAlice, ofBob]) {
    mustProveThat(found, server, /lost a message/);
    if (found.outcome === 'diverged') assert.is(found.epoch, place.epoch);
  }
  assert.ok(frames <= 15, `${frames} frames for some 20 epochs`);
  for (const [i, event] of (await Promise.all(told)).entries()) {
    assert.equal(event.peer, [bob, alice][i]!.id);
    assert.equal(event.evidence, ([ofAlice, ofBob][i] as { evidence: Uint8Array }).evidence);
  }
  // Whoever does not show that there is one log is no better off.
  const restore = withoutProofs();
  for (const found of (await compare(alice, bob)).slice(0, 2) as Finding[])
    mustProveThat(found, server, /lost a message/);
  restore();
  await end(server, alice, bob);
});

for (const [way, what, text] of [
  ['skip', 'lost a message', /lost a message/],
  ['address', 'gave it to one recipient as a message to others', /two messages at one place/],
] as const)
  test(`a router that ${what}: both hold evidence, and the complaint of it names the router`, async () => {
    const { server, cheat } = await started();
    const [alice, bob, cora] = await three(server);
    const instead = { instead: toHex(id('instead')) };
    await chat(alice, bob, 2);
    await cora.close();
    cheat({ way, from: toHex(alice.id), to: toHex(bob.id), ...(way === 'address' && instead) });
    await alice.send({ to: [bob.id, cora.id], body: 'the same to two' });
    await chat(alice, bob, 2);
    const found = await compare(alice, bob);
    const { serverId, manifest } = server.identity;
    for (const [i, client] of [alice, bob].entries()) {
      const own = found[i] as Extract<Finding, { outcome: 'diverged' }>;
      mustProveThat(own, server, text);
      const { evidence, verdict } = await client.complain(own.evidence);
      assert.equal(bothSay(evidence, serverId, manifest.rootKey), verdict);
      // Where he lacks it, nothing but his own is opened to the recipient.
      if (client === bob && way === 'skip') assert.is(verdict.outcome, 'server', verdict.text);
      else assert.match(verdict.text, /^Proven against router 0, /);
    }
    await end(server, alice, bob);
  });

/** One more epoch of its world, which a still might wait for. */
const goOn = (client: Client) => client.send({ to: client.id, body: 'a note' });

test('two worlds of one server: both clients hold evidence against the sequencer, and never have the same', async () => {
  const { servers, clients, stop } = await twoWorlds();
  const [alice, bob] = clients;
  const told = clients.map(gather);
  const judged = (found: Finding, size: number, text: RegExp) => {
    assert.is(found.outcome, 'forked');
    if (found.outcome !== 'forked') return;
    assert.is(found.size, size);
    const { serverId, manifest } = servers[0].identity;
    assert.equal(bothSay(found.evidence, serverId, manifest.rootKey), found.verdict);
    assert.is(found.verdict.outcome === 'actor' && found.verdict.role, ROLE.sequencer);
    assert.match(found.verdict.text, text);
  };
  const size = () => Math.min(alice.checkpoint.size, bob.checkpoint.size);
  const isPower = (size: number) => Number.isInteger(Math.log2(size));
  const apart = async () => {
    const isApart = () => alice.checkpoint.size !== bob.checkpoint.size && !isPower(size());
    for (let i = 0; !isApart() && i < 20; i++)
      await goOn(alice.checkpoint.size <= bob.checkpoint.size ? alice : bob);
  };
  await apart();
  const restore = withoutProofs();
  for (const error of await Promise.all(errorsOf(alice, bob))) assert.is(error.code, 'no-proof');
  restore();
  for (const { suspicions, divergences } of told) {
    assert.equal(
      suspicions.map(({ error }) => error.code),
      ['no-proof'],
    );
    assert.is(divergences.length, 0);
  }
  await apart();
  for (const found of (await compare(alice, bob)).slice(0, 2) as Finding[])
    judged(found, size(), /signed a log of \d+ epochs, and one of \d+ that does not go on from it/);
  // A message of one world that is lost in the other makes no difference.
  await alice.send({ to: bob.id, body: 'only in one' });
  await bob.still();
  await apart();
  for (const found of (await compare(alice, bob)).slice(0, 2) as Finding[])
    judged(found, size(), /does not go on/);
  // At a power of two the proof does not show what the larger log was, and the one beside it does.
  for (let i = 0; (size() < 2 || !isPower(alice.checkpoint.size)) && i < 200; i++) await goOn(alice);
  for (let i = 0; bob.checkpoint.size < alice.checkpoint.size + 2 && i < 200; i++) await goOn(bob);
  assert.ok(isPower(alice.checkpoint.size), `${alice.checkpoint.size}`);
  for (const found of (await compare(alice, bob)).slice(0, 2) as Finding[])
    judged(found, alice.checkpoint.size, /does not go on/);
  for (let i = 0; alice.checkpoint.size !== bob.checkpoint.size && i < 200; i++)
    await goOn(alice.checkpoint.size < bob.checkpoint.size ? alice : bob);
  for (const found of (await compare(alice, bob)).slice(0, 2) as Finding[])
    judged(found, size(), /signed two logs of \d+ epochs/);
  for (const { divergences } of told) assert.is(divergences.length, 4);
  for (const [i, { divergences }] of told.entries()) assert.equal(divergences[0]!.peer, [bob, alice][i]!.id);
  await stop();
});

test('another root in a block is told, and stays so until it is shown that there is one log', async () => {
  const { server } = await started();
  const [alice, bob, cora] = await three(server);
  await chat(alice, bob, 1);
  await bob.still();
  const told = gather(bob);
  const block = decodeBlock(alice.vectors!.block(bob.id));
  const check = (anchor: { size: number; root: Uint8Array }) =>
    bob.vectors!.check(alice.id, encodeBlock({ ...block, anchor }));
  bob.vectors!.book.anchors.push({ size: 1024, root: id('root') });
  assert.is(check({ size: 1024, root: id('root') }).outcome, 'same');
  assert.equal(check({ size: 1024, root: id('another') }), { outcome: 'forked', size: 1024 });
  assert.equal(check({ size: 2048, root: id('unknown') }), { outcome: 'forked', size: 1024 });
  assert.equal(check({ size: 1024, root: id('root') }), { outcome: 'forked', size: 1024 });
  assert.equal(
    told.suspicions.map(({ error, peer }) => [error.code, peer]),
    Array(3).fill(['forked', alice.id]),
  );
  assert.is((await compare(alice, bob))[1].outcome, 'same');
  assert.is(check({ size: 2048, root: id('unknown') }).outcome, 'same');
  const wrong = { ...block, digest: id('other') };
  assert.is(bob.vectors!.check(alice.id, encodeBlock(wrong)).outcome, 'differs');
  const message = { sender: alice.id, place: { epoch: 1, inbox: 0, index: 0 } } as unknown as Message;
  const framed = encodeFramed({
    ...{ roster: [], body: id('body') },
    blocks: [{ peer: bob.id, block: encodeBlock(wrong) }],
  });
  assert.is(bob.vectors!.unframe(message, framed).comparison!.outcome, 'differs');
  assert.equal(
    told.suspicions.slice(3).map(({ error, peer }) => [error.code, peer]),
    Array(2).fill(['differs', alice.id]),
  );
  await end(server, alice, bob, cora);
});

for (const role of ['router', 'receiver', 'outbox'] as const)
  test(`holders that open narrow a complaint to the ${role}; without them it stays as it is`, async () => {
    const cheat = CHEATS.find((each) => each.role === role && each.name === 'drop for one recipient')!;
    const { theatre, clients } = play([cheat], false);
    const before = clients!.verdict;
    assert.is(before.outcome, 'server');
    const asked: OpenOptions[] = [];
    const holders = (refusal: ErrorCode | null) => async (_: number, asking: OpenOptions) => {
      asked.push(asking);
      if (refusal) throw new CountersignError(refusal, 'refused');
      const mailbox = Buffer.from((asking.mailbox as Uint8Array | undefined) ?? []);
      const at = asking.stage === 'inbox' ? null : theatre.world.placement(mailbox).outbox;
      const index = at === null || asking.stage === 'router' ? asking.inbox : at;
      const act = theatre.act(asking.epoch, ROLE[asking.stage as keyof typeof ROLE], index);
      const claims = theatre.claims(act, asking.stage === 'router' ? at! : 0).map(encodeClaim);
      return { isThere: true, claims };
    };
    const { serverId } = theatre.world;
    const { manifest } = theatre.cluster;
    const manifests = [{ hash: serverId, manifest }];
    const { lacking, sender } = disputedPlace(clients!.evidence)!;
    let problem: CountersignError | null = null;
    const complainAs = (who: Uint8Array, refusal: ErrorCode | null, options?: ComplainOptions) => {
      asked.length = 0;
      const ground = { world: { serverId, manifest, manifests } };
      const gateway = {
        ground,
        id: () => who,
        open: holders(refusal),
        living: () => {},
        problem: () => problem,
      };
      const ending = new AbortController();
      return complaintOf({ ...gateway, ending } as unknown as Gateway, 0, clients!.evidence, options);
    };
    const told = await complainAs(sender!, null);
    assert.equal(bothSay(told.evidence, serverId, theatre.rootKey), told.verdict);
    assert.is(told.verdict.outcome === 'actor' && told.verdict.role, ROLE[role]);
    assert.equal([told.closed, told.unanswered], [[], []]);
    const others = manifest.actors.filter((each) => each.role === ROLE.inbox).length - 1;
    const silent = await complainAs(sender!, 'opening-expired');
    assert.equal(silent.verdict, before);
    assert.is(silent.closed.length, 1 + 2 * (3 + others));
    // To whom it was for the inbox's entry is not shown, nor may it ask for another recipient's items.
    const lacks = await complainAs(lacking, 'opening-expired');
    assert.not(lacks.closed.some(({ stage }) => stage === 'inbox'));
    await complainAs(id('another'), 'opening-expired');
    assert.ok(asked.every(({ mailbox }) => equalBytes(mailbox as Uint8Array, sender!)));
    const strange = await complainAs(sender!, 'not-a-party');
    assert.equal(
      [strange.closed.length, asked.length],
      [4 + others, 5 + others],
      'what it has to open, and one question about what is not the own',
    );
    const busy = await complainAs(sender!, 'busy', { timeoutMs: 50 });
    assert.equal([busy.closed, busy.unanswered.length], [[], silent.closed.length]);
    const signal = AbortSignal.timeout(50);
    const ended = await complainAs(sender!, 'busy', { signal }).catch((error: unknown) => error);
    assert.is((ended as CountersignError).code, 'aborted');
    // Whatever a server says that it does not open with.
    const odd = await complainAs(sender!, 'closed');
    assert.equal(new Set(odd.closed.map(({ code }) => code)), new Set(['closed']));
    assert.is(odd.closed.length, silent.closed.length);
    problem = new CountersignError('displaced', 'one of many mailboxes is over');
    const over = await complainAs(sender!, 'displaced');
    assert.equal([over.closed, over.unanswered.length], [[], silent.closed.length]);
  });

for (const way of ['hang', 'reset'] as const)
  test(`a server whose answers about its log ${way} half-way: a complaint has what was opened, and who did not answer`, async () => {
    const { server, cheat } = await started();
    const [alice, bob, cora] = await three(server);
    await loseOne(cheat, [alice, bob, cora], 3, 3);
    const [found] = await compare(alice, bob);
    assert.is(found.outcome, 'diverged');
    const evidence = 'evidence' in found ? found.evidence : new Uint8Array(0);
    const answers = await halfAnswers(way);
    try {
      const complaint = await bob.complain(evidence, { timeoutMs: way === 'hang' ? 1500 : 20_000 });
      assert.is.not(answers.count(), 0);
      assert.is(complaint.verdict.outcome, 'server');
      assert.ok(complaint.closed.length > 0);
      assert.is(complaint.unanswered.length > 0, way === 'hang');
      const url = `${server.url}/v1/consistency/1/2`;
      const error = await askFor(url, AbortSignal.timeout(200)).catch((error: unknown) => error);
      assert.is((error as CountersignError).code, 'connection-lost');
      assert.is((await askForProof(server.url, 1, 2, AbortSignal.timeout(200))).length, 0);
    } finally {
      answers.restore();
    }
    await end(server, alice, bob);
  });

test('a client that is closed ends its complaints, with what is known by then', async () => {
  const { server, cheat } = await started({ 'limits-openings-per-minute': '1' });
  const [alice, bob, cora] = await three(server);
  await loseOne(cheat, [alice, bob, cora], 2, 1);
  const [found] = await compare(alice, bob);
  const evidence = 'evidence' in found ? found.evidence : new Uint8Array(0);
  const complaining = bob.complain(evidence, { timeoutMs: 60_000 });
  assert.is(await Promise.race([complaining, wait(500)]), undefined, 'it waits for an opening');
  await bob.close();
  const complaint = await Promise.race([complaining, wait(1000)]);
  assert.is(complaint?.verdict.outcome, 'server');
  assert.ok(complaint!.unanswered.length > 0);
  const refusal = await bob.complain(evidence).catch((error: unknown) => error);
  assert.is((refusal as CountersignError).code, 'closed');
  await end(server, alice);
});

test('two clients of an honest server have the same', async () => {
  const { server } = await started();
  const [alice, bob, cora] = await three(server);
  await chat(alice, bob, 2);
  const [ofAlice, ofBob] = await compare(alice, bob);
  assert.is(ofAlice.outcome, 'same');
  assert.equal(ofAlice, ofBob);
  assert.is((await compare(cora, bob))[0].outcome, 'same');
  // What answers over HTTP may hear of an epoch later than the client did.
  const told = [alice, bob].map(gather);
  for (let i = 0; i < 3; i++) await alice.still();
  assert.is.not(alice.checkpoint.size, bob.checkpoint.size);
  const restore = withoutProofs(5);
  assert.is((await compare(alice, bob))[0].outcome, 'same');
  restore();
  assert.ok(told.every(({ suspicions }) => suspicions.length === 0));
  await end(server, alice, bob, cora);
});

test('whatever a counterpart says ends in an error that says what, and soon', async () => {
  const { server } = await started();
  const [alice, bob, cora] = await three(server);
  await chat(alice, bob, 4);
  const hello = {
    says: SAY.hello,
    serverId: alice.serverId,
    sender: bob.id,
    scope: 0,
    from: 0,
    base: 0,
    asOf: 2 ** 40,
  };
  const digest = (epoch: number, name: string): Frame => ({ says: SAY.digest, epoch, digest: id(name) });
  const code = (frames: readonly Frame[], isOpen = false, timeoutMs = 20_000) => {
    const line = duplexes();
    void liar('bob', alice.id, line, frames, isOpen);
    return refused(alice, bob.id, line.one, timeoutMs);
  };
  assert.is(await code([]), 'no-answer');
  assert.is(await code([], true, 200), 'no-answer', 'it never answers');
  assert.is(await code([{ ...hello, sender: cora.id }]), 'not-comparable');
  assert.is(await code([{ ...hello, scope: 1 }]), 'not-comparable');
  assert.is(await code([{ ...hello, serverId: id('server') }]), 'not-comparable');
  assert.is(await code([{ ...hello, says: SAY.digest, epoch: 1, digest: id('x') } as never]), 'malformed');
  const head = (size: number, name = 'x'): Frame => ({
    says: SAY.head,
    head: headOf({ size, root: id(name), signature: new Uint8Array(64) }),
  });
  const none = head(0);
  const told = gather(alice);
  assert.is(await code([hello, { ...hello, base: 2 ** 45 }, none]), 'not-comparable');
  assert.is(
    await code([hello, hello, none, digest(1, 'x')]),
    'malformed',
    'of another epoch than is its turn',
  );
  const proof = (hashes: number): Frame => {
    const packed = new Uint8Array(hashes * 32);
    return { says: SAY.proof, proof: packed, beside: packed };
  };
  assert.is(
    await code([hello, hello, head(alice.checkpoint.size)]),
    'unknown-checkpoint',
    'a head that nobody signed',
  );
  for (const hashes of [0, 1, 100, 200])
    assert.is(
      await code([hello, hello, head(2 ** 40), proof(hashes)]),
      'unknown-checkpoint',
      `${hashes} hashes`,
    );
  assert.equal(told.suspicions, [], 'who lies makes nobody suspected');
  // But who has another digest, as far as it says.
  const { asOf } = alice.vectors!;
  const differing = [hello, hello, none, digest(asOf, 'x')];
  assert.is(await code([...differing, digest(0, 'y')]), 'let-go');
  assert.is(await code(differing), 'differs', 'and ends there');
  assert.equal(
    told.suspicions.map(({ error, peer }) => [error.code, peer]),
    ['let-go', 'differs'].map((each) => [each, bob.id]),
  );
  const broken = { incoming: new Pipe(), send: () => Promise.reject(new Error('cut')) };
  assert.is(await refused(alice, bob.id, broken), 'no-answer');
  await end(server, alice, bob, cora);
});

test('who knows what hashes alone show, and that they differ, suspects the server', async () => {
  const { server, cheat } = await started();
  const join = (name: string, letGo: VectorsOptions['letGo']) =>
    clientOf(server, name, { vectors: new Vectors({ letGo: letGo! }) });
  const clients = await Promise.all([
    join('alice', { headsOnly: 100 }),
    join('bob', { keepEpochs: 100 }),
    join('cora', { headsOnly: 1 }),
  ]);
  await loseOne(cheat, clients, 2, 2);
  const [alice, bob] = clients;
  await bob.still();
  const told = [alice, bob].map(gather);
  const codes = (await Promise.all(errorsOf(alice, bob))).map(({ code }) => code);
  // She ends, and he hears nothing more.
  assert.equal(codes, ['let-go', 'differs']);
  for (const [i, { suspicions, divergences }] of told.entries()) {
    assert.equal(
      suspicions.map(({ error, peer }) => [error.code, peer]),
      [[codes[i]!, [bob, alice][i]!.id]],
    );
    assert.is(divergences.length, 0);
  }
  await end(server, alice, bob);
});

test('two that cannot start behind one epoch do not compare, and nobody is suspected', async () => {
  const { server } = await started();
  const join = (name: string, vectors: Vectors) => clientOf(server, name, { vectors });
  const alice = await join('alice', new Vectors({ letGo: { keepEpochs: 1 } }));
  let bob = await join('bob', new Vectors());
  await chat(alice, bob, 1);
  await bob.close();
  // With a new store he knows nothing of what was before, and she has let go of what has come since.
  bob = await join('bob', new Vectors());
  await chat(alice, bob, 2);
  await alice.still();
  await bob.still();
  const [starts, bases] = [(each: PairChain) => each.from, (each: PairChain) => each.baseEpoch].map((of) =>
    [alice, bob].map((each, i) => of(each.vectors!.book.pairOf(toHex([bob, alice][i]!.id)))),
  ) as [number[], number[]];
  assert.ok(starts[0]! < starts[1]! && starts[1]! < bases[0]!, JSON.stringify({ starts, bases }));
  const told = [alice, bob].map(gather);
  for (const error of await Promise.all(errorsOf(alice, bob))) {
    assert.is(error.code, 'not-comparable');
    assert.match(error.message, /one starts behind epoch \d+, the other \d+/);
  }
  assert.ok(told.every(({ suspicions }) => suspicions.length === 0));
  // She has heard where he starts, and says where she does.
  assert.is((await compare(alice, bob))[0].outcome, 'same');
  await end(server, alice, bob);
});

test('a pair that starts anew while it is compared is no difference', async () => {
  const { server } = await started();
  const [alice, bob, cora] = await three(server);
  await chat(alice, bob, 2);
  await bob.still();
  const told = [alice, bob].map(gather);
  const restore = lying(alice.id, (frame) => {
    if (frame[8] === SAY.head) alice.vectors!.book.meet(toHex(bob.id), alice.vectors!.asOf - 1);
    return frame;
  });
  const codes = (await Promise.all(errorsOf(alice, bob))).map(({ code }) => code);
  restore();
  assert.equal(codes, ['not-comparable', 'no-answer']);
  assert.ok(told.every(({ suspicions }) => suspicions.length === 0));
  assert.is((await compare(alice, bob))[0].outcome, 'same');
  await end(server, alice, bob, cora);
});

test('the first difference of two lists is found, and what stands there', () => {
  const item = (index: number, name = 'm') => ({ inbox: 0, index, messageHash: id(`${name} ${index}`) });
  const at = (index: number, own: Uint8Array | null, others: Uint8Array | null) => ({
    ...{ epoch: 7, inbox: 0, index, own, others },
  });
  assert.is(firstDifference(7, [item(1)], [item(1)]), null);
  assert.equal(firstDifference(7, [item(1)], []), at(1, item(1).messageHash, null));
  assert.equal(
    firstDifference(7, [item(1), item(3)], [item(1), item(2), item(3)]),
    at(2, null, item(2).messageHash),
  );
  assert.equal(
    firstDifference(7, [item(1)], [item(1, 'n')]),
    at(1, item(1).messageHash, item(1, 'n').messageHash),
  );
});

/** Everything that is told of comparing. */
function gather(client: Client) {
  const suspicions: GatewayEvents['suspicion'][] = [];
  const divergences: GatewayEvents['divergence'][] = [];
  client.on('suspicion', (each) => suspicions.push(each));
  client.on('divergence', (each) => divergences.push(each));
  return { suspicions, divergences };
}

/** Who ends, ends the line for the other. */
function errorsOf(one: Client, other: Client): Promise<ComparisonError>[] {
  const line = duplexes();
  const error = (comparing: Promise<Finding>, toPeer: Pipe) =>
    comparing
      .then(
        (found) => assert.unreachable(found.outcome),
        (error) => error,
      )
      .finally(() => toPeer.end());
  return [
    error(one.vectors!.compare(other.id, line.one), line.toOther),
    error(other.vectors!.compare(one.id, line.other), line.toOne),
  ];
}

function next(client: Client): Promise<{ peer: Uint8Array; evidence: Uint8Array }> {
  return new Promise((resolve) => client.on('divergence', resolve));
}

test.run();
