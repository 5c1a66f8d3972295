/**
 * Actors that lie when ids are moved, at real servers: an outbox that hands over less than it has signed, and one that does not go on
 * from what it took over. Who is named by what the server opens, to the operator and to the owner of a mailbox.
 */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { decodeState, encodeState } from '../../src/actors/mailbox-state.js';
import { senderCodec } from '../../src/actors/sender-state.js';
import { flushMarkKey, idKey, numberValue, TABLE } from '../../src/actors/store-keys.js';
import type { Member } from '../../src/client/member.js';
import { preimageOf } from '../../src/client/preimage.js';
import type { World } from '../../src/client/world.js';
import { type Accusation, accuse, type CaseFile } from '../../src/protocol/evidence/accuse.js';
import {
  type Claim,
  type CountersignError,
  decodeClaim,
  decodeHandOver,
  decodeOpenedHandOver,
  type OpenedHandOver,
  type Place,
  toHex,
} from '../../src/protocol/index.js';
import { decodeProof } from '../../src/protocol/notes/index.js';
import { recoverLog } from '../../src/server/recovery.js';
import { changeActors } from '../../src/server/resizing.js';
import { clientOf } from '../client-helpers.js';
import {
  empty,
  epochOfMove,
  forget,
  type Home,
  home,
  inStore,
  meanwhile,
  move,
  moved,
  people,
  sent,
  sentBlindly,
} from '../support/moving-home.js';
import { countersign } from '../support/program.js';
import { refused } from '../support/rotation-client.js';
import { bothSay } from '../support/verdicts.js';

const test = suite('actors that lie when ids are moved');

/** What the operator opens, in binary. */
async function opened(at: Home, query: Record<string, string | number>): Promise<Uint8Array[]> {
  const asked = new URLSearchParams(Object.entries(query).map(([name, value]) => [name, `${value}`]));
  const response = await fetch(`${at.server.internalUrl}/v1/openings?${asked}`, {
    headers: { authorization: `Bearer ${at.token}` },
  });
  const { claims, error } = (await response.json()) as { claims?: string[]; error?: { code: string } };
  if (error) throw Object.assign(new Error(error.code), error);
  return claims!.map((claim) => Uint8Array.from(Buffer.from(claim, 'base64')));
}

async function proofs(at: Home, sizes: readonly number[]): Promise<CaseFile['bridge']> {
  const known = new Map<string, Uint8Array>();
  for (const from of sizes)
    for (const to of sizes)
      if (from < to) {
        const answer = await fetch(`${at.server.url}/v1/consistency/${from}/${to}`);
        known.set(`${from} ${to}`, decodeProof(new Uint8Array(await answer.arrayBuffer())));
      }
  return (from, to) => known.get(`${from} ${to}`)!;
}

/** Each statement once, with all that is opened of it. */
function grouped(all: readonly OpenedHandOver[]): OpenedHandOver[] {
  const found = new Map<string, OpenedHandOver>();
  for (const each of all) {
    const name = toHex(each.signed);
    const leaves = [...(found.get(name)?.leaves ?? []), ...each.leaves];
    const different = new Map(leaves.map((leaf) => [leaf.leafIndex, leaf]));
    found.set(name, { ...each, leaves: [...different.values()] });
  }
  return [...found.values()];
}

/** What these openings prove; both verifiers agree. */
async function accused(
  at: Home,
  claims: readonly Claim[],
  handOvers: readonly Uint8Array[],
  more: Partial<CaseFile> = {},
): Promise<Accusation | null> {
  const { serverId, manifests, manifest } = at.server.identity;
  const read = grouped(handOvers.map(decodeOpenedHandOver));
  const logs = read.map(({ signed }) => decodeHandOver(signed).log.size);
  const sizes = [...new Set([...logs, ...claims.map(({ checkpoint }) => checkpoint.size)])];
  const file = { manifests, claims, handOvers: read, bridge: await proofs(at, sizes), ...more } as CaseFile;
  const found = accuse(file, serverId, manifest.rootKey);
  if (found) same(at, found);
  return found;
}

function same({ server }: Home, { evidence, verdict: said }: Accusation): void {
  const { serverId, manifest } = server.identity;
  assert.equal(bothSay(evidence, serverId, manifest.rootKey), said);
}

const whom = (found: Accusation | null) =>
  found?.verdict.outcome === 'actor'
    ? `${found.verdict.role}.${found.verdict.index} ${found.verdict.rule}`
    : found?.verdict.outcome;

/** What was hashed of the messages that somebody has, and where they stand. */
async function received(at: Home, person: number, count: number) {
  const client = await clientOf(at.server, `person ${person}`);
  const found: { readonly place: Place; readonly preimage: Uint8Array }[] = [];
  for await (const message of client.mailbox()) {
    const world = { serverId: client.serverId } as World;
    const preimage = preimageOf(message, world, { identity: { publicKey: client.id } } as Member);
    found.push({ place: message.place, preimage });
    if (found.length === count) break;
  }
  await client.close();
  return found;
}

test('owners and the operator open what was handed over, nobody else; nothing in it proves anything', async () => {
  const at = await home();
  const ids = await people(at);
  const place = await sent(at, 0, ids);
  await meanwhile(at, () => move(at));
  const epoch = epochOfMove(at);
  const [mailbox, stranger] = moved(at, ids, 'outbox') as [number, number];
  const client = await clientOf(at.server, `person ${mailbox}`);
  const asked = { stage: 'mailbox-hand-over', epoch, inbox: 0, index: 0 } as const;
  const own = await client.open(asked);
  assert.equal([own.isThere, own.claims.length, own.continues], [true, 1, 0]);
  // It has sent nothing, so of the sender nothing was handed over.
  if (moved(at, ids, 'inbox').includes(mailbox) && mailbox !== 0)
    assert.is((await client.open({ ...asked, stage: 'sender-hand-over' })).isThere, false);
  const code = (error: CountersignError) => error.code;
  assert.is(await client.open({ ...asked, mailbox: ids[stranger]! }).catch(code), 'not-a-party');
  assert.is(await client.open({ ...asked, epoch: 1 }).catch(code), 'opening-unknown');
  assert.is(await client.open({ ...asked, epoch: epoch + 1 }).catch(code), 'opening-unknown');
  await client.close();
  const stayed = [...ids.keys()].find((i) => !moved(at, ids, 'outbox').includes(i))!;
  const query = { stage: 'mailbox-hand-over', epoch };
  await refused('opening-unknown', () => opened(at, { ...query, mailbox: toHex(ids[stayed]!) }));
  await refused('bad-request', () => opened(at, { ...query, mailbox: toHex(ids[mailbox]!), index: 0 }));
  const [shown] = await opened(at, { ...query, mailbox: toHex(ids[mailbox]!) });
  assert.equal(shown, own.claims[0]);
  const out = join(at.data, 'hand-over');
  const { stdout, status } = await countersign([
    ...['open', '--stage', 'mailbox-hand-over', '--epoch', `${epoch}`, '--mailbox', toHex(ids[mailbox]!)],
    ...['--url', at.server.url, '--internal', at.server.internalUrl],
    ...['--token', at.flags['operator-token']!, '--out', out],
  ]);
  assert.is(status, 0);
  assert.match(stdout, /it was handed over, and both have signed that/);
  const claims = await opened(at, { stage: 'outbox', ...place, mailbox: toHex(ids[mailbox]!) });
  assert.is(await accused(at, claims.map(decodeClaim), [shown!]), null);
  await at.server.stop();
});

test('nobody is named over several moves of an honest server, whatever is opened of it', async () => {
  const at = await home();
  const ids = (await people(at)).slice(0, 8);
  const places: Place[] = [];
  const moves: number[] = [];
  const talk = async () => {
    for (const i of [0, 1, 2, 3]) places.push(await sent(at, i, ids, `${places.length}`));
  };
  await talk();
  for (const counts of [
    { inboxes: 2, outboxes: 2 },
    { inboxes: 3, outboxes: 1 },
    { inboxes: 1, outboxes: 2 },
  ]) {
    await meanwhile(at, () => changeActors(at.data, counts));
    moves.push(epochOfMove(at));
    // Of two moves nothing lies between.
    if (counts.inboxes !== 3) await talk();
  }
  const messages = (await received(at, 7, places.length)).map(({ preimage }) => preimage);
  const claims: Claim[] = [];
  for (const place of places) {
    claims.push(...(await opened(at, { stage: 'inbox', ...place })).map(decodeClaim));
    for (const id of ids)
      claims.push(...(await opened(at, { stage: 'outbox', ...place, mailbox: toHex(id) })).map(decodeClaim));
  }
  const handOvers: Uint8Array[] = [];
  for (const epoch of moves)
    for (const id of ids)
      for (const stage of ['mailbox-hand-over', 'sender-hand-over']) {
        const found = await opened(at, { stage, epoch, mailbox: toHex(id) }).catch(() => []);
        handOvers.push(...found);
      }
  assert.ok(handOvers.length > 8);
  for (const i of ids.keys())
    assert.is(await accused(at, ownOf(claims, ids[i]!), handOvers, { messages }), null, `person ${i}`);
  await at.server.stop();
});

/** Pages of inboxes, and leaves of one mailbox. */
const ownOf = (claims: readonly Claim[], id: Uint8Array) =>
  claims.filter(({ leaf, output }) => {
    const isPage = leaf[8] === 'n'.charCodeAt(0);
    return output === 0 && (isPage || Buffer.from(leaf.subarray(9, 41)).equals(id));
  });

test('an outbox that hands over less is named by what it signed before, or was given', async () => {
  const at = await home();
  const ids = await people(at);
  const place = await sent(at, 0, ids);
  await meanwhile(at, async () => {
    await forget(at);
    await move(at);
  });
  const gone = moved(at, ids, 'outbox');
  const one = gone[0]!;
  const mailbox = toHex(ids[one]!);
  const handOvers = await opened(at, { stage: 'mailbox-hand-over', epoch: epochOfMove(at), mailbox });
  const of = async (stage: string) => (await opened(at, { stage, ...place, mailbox })).map(decodeClaim);
  const [link, given] = [await of('outbox'), await of('receiver')];
  assert.is(whom(await accused(at, link, handOvers)), '4.0 falseHandOver');
  // Its own leaf need not be opened: that of somebody who stays says as well what it was made of.
  const subject = { mailbox: ids[one]!, ...place };
  const other = ids.findIndex((_, i) => !gone.includes(i));
  const beside = (await opened(at, { stage: 'outbox', ...place, mailbox: toHex(ids[other]!) })).map(
    decodeClaim,
  );
  assert.is(whom(await accused(at, [...beside, ...given], handOvers, { subject })), '4.0 lostInHandOver');
  await at.server.stop();
});

for (const liar of [0, 1])
  test(`the owner of a mailbox that lost its own message over a move has outbox ${liar} named by a complaint`, async () => {
    const at = await home();
    const ids = await people(at);
    const one = moved(at, ids, 'outbox')[0]!;
    const [other, another] = [...ids.keys()].filter((i) => i !== one) as [number, number];
    const place = await sent(at, one, [ids[other]!]);
    const [message] = await received(at, other, 1);
    await meanwhile(at, async () => {
      if (liar === 0) await forget(at);
      await move(at);
    });
    if (liar === 1) {
      await sent(at, another, [ids[other]!]);
      await meanwhile(at, () => empty(at.data, ids[one]!));
    }
    // The new outbox says that nothing came, in good faith or not.
    const later = await sent(at, other, [ids[one]!], 'later');
    const mailbox = toHex(ids[one]!);
    const of = async (stage: string, where: typeof place) =>
      (await opened(at, { stage, ...where, mailbox })).map(decodeClaim);
    const claims = [...(await of('receiver', place)), ...(await of('outbox', later))];
    const subject = { mailbox: ids[one]!, ...place, message: message!.preimage };
    const found = await accused(at, claims, [], { subject });
    assert.is(whom(found), 'server');
    const client = await clientOf(at.server, `person ${one}`);
    const complaint = await client.complain(found!.evidence);
    same(at, complaint);
    assert.is(whom(complaint)!.slice(0, 3), `4.${liar}`);
    assert.equal(complaint.closed, []);
    await client.close();
    await at.server.stop();
  });

test('an outbox that does not go on from what it took over is named', async () => {
  const at = await home();
  const ids = await people(at);
  await sent(at, 0, ids);
  await meanwhile(at, () => move(at));
  const [one, other] = moved(at, ids, 'outbox').filter((i) => i !== 0) as [number, number];
  await sent(at, 0, [ids[other]!]);
  await meanwhile(at, () =>
    inStore(at.data, (store, write) => {
      const key = idKey(TABLE.mailbox, ids[one]!);
      const state = decodeState(store.get(key)!);
      const chain = { ...state.chain, head: Uint8Array.from(randomBytes(32)) };
      write(key, encodeState({ ...state, chain }));
    }),
  );
  const place = await sent(at, 0, [ids[one]!]);
  const mailbox = toHex(ids[one]!);
  const handOvers = await opened(at, { stage: 'mailbox-hand-over', epoch: epochOfMove(at), mailbox });
  const link = (await opened(at, { stage: 'outbox', ...place, mailbox })).map(decodeClaim);
  assert.is(whom(await accused(at, link, handOvers)), '4.1 falseTakeOver');
  await at.server.stop();
});

test('an outbox that hands on less than it took over is named by the two hand-overs', async () => {
  const at = await home();
  const ids = await people(at);
  await sent(at, 0, ids);
  await meanwhile(at, () => move(at));
  const first = epochOfMove(at);
  // Those of whom nothing is linked meanwhile.
  const [one, other] = moved(at, ids, 'outbox').filter((i) => i !== 0) as [number, number];
  await sent(at, 0, [ids[other]!]);
  await meanwhile(at, async () => {
    await inStore(at.data, (store, write) => {
      const key = idKey(TABLE.mailbox, ids[one]!);
      const state = decodeState(store.get(key)!);
      write(key, encodeState({ ...state, chain: { ...state.chain, total: state.chain.total + 7 } }));
    });
    await changeActors(at.data, { outboxes: 1 });
  });
  const mailbox = toHex(ids[one]!);
  const both = await Promise.all(
    [first, epochOfMove(at)].map((epoch) => opened(at, { stage: 'mailbox-hand-over', epoch, mailbox })),
  );
  assert.is(whom(await accused(at, [], both.flat())), '4.1 falseHandOn');
  await at.server.stop();
});

for (const [liar, rule] of [
  [0, '1.0 falseHandOver'],
  [1, '1.1 falseTakeOver'],
] as const)
  test(`inbox ${liar} forgets a counter ${liar === 0 ? 'when it hands over' : 'that it took over'}, and is named`, async () => {
    const at = await home();
    const ids = await people(at);
    const one = moved(at, ids, 'inbox')[0]!;
    const [other, another] = [...ids.keys()].filter((i) => i !== one) as [number, number];
    const first = await sentBlindly(at, one, ids[other]!, 'one');
    const second = await sentBlindly(at, one, ids[other]!, 'two');
    const lie = () =>
      inStore(at.data, (store, write) => {
        write(idKey(TABLE.sender, ids[one]!), senderCodec.encode({ last: 1, place: first, queuedIn: null })!);
        write(flushMarkKey('inbox', 0), numberValue(recoverLog(store).lastEpoch));
      });
    await meanwhile(at, async () => {
      if (liar === 0) await lie();
      await move(at);
    });
    if (liar === 1) {
      await sentBlindly(at, another, ids[another]!, 'from another');
      await meanwhile(at, lie);
    }
    const third = await sentBlindly(at, one, ids[other]!, 'two again');
    const messages = (await received(at, other, 3)).map(({ preimage }) => preimage);
    const rows = async (place: typeof first) =>
      (await opened(at, { stage: 'inbox', ...place })).map(decodeClaim);
    const handOvers = await opened(at, {
      ...{ stage: 'sender-hand-over', epoch: epochOfMove(at), mailbox: toHex(ids[one]!) },
    });
    const claims = [...(await rows(second)), ...(await rows(third))];
    assert.is(whom(await accused(at, claims, handOvers, { messages })), rule);
    // Without the hand-over there are two inboxes, and it may have been either.
    assert.is(await accused(at, claims, [], { messages }), null);
    await at.server.stop();
  });

test.run();
