/** Two clients find out in what they differ: of an honest server, of one that cheats, and with a counterpart that lies. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { encodeFrame, type Frame, SAY } from '../src/client/comparison-frames.js';
import { complain } from '../src/client/complaint.js';
import { firstDifference } from '../src/client/dispute.js';
import type { Gateway } from '../src/client/gateway.js';
import type { Client } from '../src/client/index.js';
import type { OpenOptions } from '../src/client/openings.js';
import { verdict } from '../src/protocol/evidence/index.js';
import { CountersignError, encodeClaim, ROLE, toHex } from '../src/protocol/index.js';
import { CHEATS } from './byzantine/cheats.js';
import { play } from './byzantine/play.js';
import {
  chat,
  compare,
  duplexes,
  end,
  id,
  mustProveThat,
  Pipe,
  refused,
  started,
  three,
} from './support/comparing.js';

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
  assert.ok(frames <= 12, `${frames} frames for some 20 epochs`);
  for (const [i, event] of (await Promise.all(told)).entries()) {
    assert.equal(event.peer, [bob, alice][i]!.id);
    assert.equal(event.evidence, ([ofAlice, ofBob][i] as { evidence: Uint8Array }).evidence);
  }
  await end(server, alice, bob);
});

for (const role of ['router', 'receiver', 'outbox'] as const)
  test(`holders that open narrow a complaint to the ${role}; without them it stays as it is`, async () => {
    const cheat = CHEATS.find((each) => each.role === role && each.name === 'drop for one recipient')!;
    const { theatre, clients } = play([cheat], false);
    const before = clients!.verdict;
    assert.is(before.outcome, 'server');
    const holders = (isOpen: boolean) => async (_: number, asked: OpenOptions) => {
      if (!isOpen) throw new CountersignError('opening-expired', 'closed');
      const mailbox = Buffer.from((asked.mailbox as Uint8Array | undefined) ?? []);
      const at = asked.stage === 'inbox' ? null : theatre.world.placement(mailbox).outbox;
      const index = at === null || asked.stage === 'router' ? asked.inbox : at;
      const act = theatre.act(asked.epoch, ROLE[asked.stage as keyof typeof ROLE], index);
      const claims = theatre.claims(act, asked.stage === 'router' ? at! : 0).map(encodeClaim);
      return { isThere: true, claims };
    };
    const { serverId } = theatre.world;
    const { manifest } = theatre.cluster;
    const manifests = [{ hash: serverId, manifest }];
    const gateway = (isOpen: boolean) =>
      ({
        ground: { world: { serverId, manifest, manifests } },
        open: holders(isOpen),
      }) as unknown as Gateway;
    const told = await complain(gateway(true), 0, [], clients!.evidence, undefined);
    assert.equal(verdict(told.evidence, serverId, theatre.rootKey), told.verdict);
    assert.is(told.verdict.outcome === 'actor' && told.verdict.role, ROLE[role]);
    assert.is(told.closed.length, 0);
    const silent = await complain(gateway(false), 0, [], clients!.evidence, undefined);
    assert.equal(silent.verdict, before);
    assert.is(silent.closed.length, 9);
  });

test('two clients of an honest server have the same', async () => {
  const { server } = await started();
  const [alice, bob, cora] = await three(server);
  await chat(alice, bob, 2);
  const [ofAlice, ofBob] = await compare(alice, bob);
  assert.is(ofAlice.outcome, 'same');
  assert.equal(ofAlice, ofBob);
  assert.is((await compare(cora, bob))[0].outcome, 'same');
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
  const script = (frames: readonly Frame[], isOpen = false) => {
    const line = duplexes();
    for (const frame of frames) line.toOne.push(encodeFrame(frame));
    if (!isOpen) line.toOne.end();
    return line.one;
  };
  const code = (frames: readonly Frame[]) => refused(alice, bob.id, script(frames));
  assert.is(await code([]), 'no-answer');
  assert.is(await refused(alice, bob.id, script([], true), 200), 'no-answer', 'it never answers');
  assert.is(await code([{ ...hello, sender: cora.id }]), 'not-comparable');
  assert.is(await code([{ ...hello, scope: 1 }]), 'not-comparable');
  assert.is(await code([{ ...hello, serverId: id('server') }]), 'not-comparable');
  assert.is(await code([{ ...hello, says: SAY.digest, epoch: 1, digest: id('x') } as never]), 'malformed');
  assert.is(await code([hello, { ...hello, base: 2 ** 45 }]), 'let-go');
  assert.is(await code([hello, hello, digest(1, 'x')]), 'malformed', 'of another epoch than is its turn');
  const { asOf } = alice.vectors!;
  assert.is(await code([hello, hello, digest(asOf, 'x'), digest(0, 'y')]), 'let-go');
  const line = duplexes();
  line.toOne.push(new Uint8Array(1 << 20));
  assert.is(await refused(alice, bob.id, line.one), 'malformed', 'too long');
  const broken = { incoming: new Pipe(), send: () => Promise.reject(new Error('cut')) };
  assert.is(await refused(alice, bob.id, broken), 'no-answer');
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

function next(client: Client): Promise<{ peer: Uint8Array; evidence: Uint8Array }> {
  return new Promise((resolve) => client.on('divergence', resolve));
}

test.run();
