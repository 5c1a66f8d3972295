/**
 * Audits of real servers whose ids were moved, from the directory and over the network: honest ones are clean, whatever was
 * moved and whatever keys were changed; who lies when ids are moved is named, and both verifiers agree.
 */
import { randomBytes } from 'node:crypto';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { importSecretKey } from '#crypto';
import { handOverKey, keptHandOvers, readHandOver } from '../../src/actors/kept-hand-overs.js';
import { decodeState, encodeState } from '../../src/actors/mailbox-state.js';
import { senderCodec } from '../../src/actors/sender-state.js';
import { flushMarkKey, idKey, numberValue, TABLE } from '../../src/actors/store-keys.js';
import { NetworkSource } from '../../src/cli/audit/network.js';
import { audit, type EpochSource, type Finding } from '../../src/protocol/audit/index.js';
import {
  concat,
  decodeHandOver,
  encodeHandOver,
  HAND_OVER_BYTES,
  type Handing,
  type HandOver,
  ROLE,
  toHex,
} from '../../src/protocol/index.js';
import { openKeptDirectory } from '../../src/server/kept-directory.js';
import { loadOrCreateKeys, seedOf } from '../../src/server/keys.js';
import { recoverLog } from '../../src/server/recovery.js';
import { changeActors } from '../../src/server/resizing.js';
import { rotateKeys } from '../../src/server/rotation.js';
import type { Store } from '../../src/server/store.js';
import { clientOf, read } from '../client-helpers.js';
import { lines } from '../support/audits.js';
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
import { bothSay } from '../support/verdicts.js';

const test = suite('audits of moves');

/** So many that two or more go to each new actor, but in one run of a million. */
const MANY = 28;

/** The shortest retention, and epochs that come quickly; what is beyond it. */
const SHORT = { 'limits-retention-epochs': '2000', 'epoch-heartbeat-ms': '1' };
const BEYOND = 2020;

/** What an audit finds over the network and then, of the stopped server, from its directory: the same. */
async function audited(at: Home, from = 1): Promise<readonly Finding[]> {
  const { url, internalUrl, identity } = at.server;
  const reportOf = (source: EpochSource) => audit(source, { from });
  const online = await reportOf(
    await NetworkSource.open({ http: url, internal: internalUrl, token: at.token }),
  );
  await at.server.stop();
  const { source, close } = await openKeptDirectory(at.data);
  const offline = await reportOf(source);
  await close();
  assert.equal(lines(online), lines(offline));
  for (const { findings } of [online, offline])
    for (const { evidence, verdict } of findings)
      if (evidence) assert.equal(bothSay(evidence, identity.serverId, identity.manifest.rootKey), verdict);
  return offline.findings;
}

/** Who is named, by which rule, of these kinds. */
const named = (findings: readonly Finding[]) =>
  findings.map(({ kind, verdict }) =>
    verdict?.outcome === 'actor' ? `${kind}: ${verdict.role}.${verdict.index} ${verdict.rule}` : kind,
  );

test('several moves and new keys between them: nothing is found', async () => {
  const at = await home();
  const ids = await people(at, MANY);
  const talk = async () => {
    for (const i of [0, 1, 2]) await sent(at, i, ids, `hello from ${i}`);
    const last = await clientOf(at.server, `person ${MANY - 1}`);
    await read(last, 2);
    await last.close();
  };
  await talk();
  for (const change of [
    () => changeActors(at.data, { inboxes: 2, outboxes: 2 }),
    () => rotateKeys(at.data, null),
    () => changeActors(at.data, { inboxes: 3, outboxes: 1 }),
    () => changeActors(at.data, { inboxes: 1, outboxes: 3 }),
    () => rotateKeys(at.data, null),
  ]) {
    await meanwhile(at, change);
    await talk();
  }
  // Nothing between these two.
  await meanwhile(at, () => changeActors(at.data, { inboxes: 2, outboxes: 2 }));
  await meanwhile(at, () => changeActors(at.data, { inboxes: 2, outboxes: 3 }));
  await talk();
  const middle = Math.floor(epochOfMove(at) / 2);
  assert.equal(await audited(at, middle), []);
  const { stdout, status } = await countersign(['audit', '--data', at.data]);
  assert.is(status, 0);
  assert.match(stdout, /Nothing found/);
});

test('what the retention has let go is not missed: of epochs, and of what was handed over before', async () => {
  const at = await home(SHORT);
  const ids = await people(at, MANY);
  const talk = async () => {
    await sent(at, 0, ids);
    for (let i = 0; i < MANY; i++) {
      const client = await clientOf(at.server, `person ${i}`);
      await read(client, 1);
      await client.close();
    }
  };
  await talk();
  await meanwhile(at, () => move(at));
  await talk();
  const { size } = at.server.checkpoint();
  while (at.server.checkpoint().size < size + BEYOND) await new Promise((resolve) => setTimeout(resolve, 20));
  await meanwhile(at, () => changeActors(at.data, { inboxes: 1, outboxes: 3 }));
  await talk();
  await inStoreRead(at, (store) => {
    const kept = [...keptHandOvers(store)].filter((each) => store.get(handOverKey(each, 0)));
    assert.ok(
      kept.length > 0 && kept.every(({ version }) => version === 3),
      'leaves of the first move are gone',
    );
  });
  assert.equal(await audited(at), []);
});

/** Looks into the store of a server, and starts that again. */
async function inStoreRead(at: Home, look: (store: Store) => void): Promise<void> {
  await meanwhile(at, () => inStore(at.data, look));
}

// ---- actors that lie

test('an outbox that hands over less than it has linked', async () => {
  const at = await home();
  const ids = await people(at, MANY);
  await sent(at, 0, ids);
  await meanwhile(at, async () => {
    await forget(at);
    await move(at);
  });
  assert.equal(named(await audited(at)), ['hand-over: 4.0 falseHandOver']);
});

test('the new outbox, which goes on from less in good faith, is not named', async () => {
  const at = await home();
  const ids = await people(at, MANY);
  await sent(at, 0, ids);
  await meanwhile(at, async () => {
    await forget(at);
    await move(at);
  });
  for (const i of moved(at, ids, 'outbox').slice(0, 2)) await sentBlindly(at, 0, ids[i]!, 'goes on');
  const found = await audited(at);
  assert.equal(named(found.filter(({ kind }) => kind === 'hand-over')), ['hand-over: 4.0 falseHandOver']);
  // Who has stayed was forgotten as well.
  for (const { kind, verdict } of found)
    if (kind !== 'hand-over')
      assert.is(verdict?.outcome === 'actor' && `${verdict.role}.${verdict.index}`, '4.0');
});

type Chain = ReturnType<typeof decodeState>['chain'];

/** As the outbox has it from now on: all that came is in what it has written down. */
const changedChain = (at: Home, id: Uint8Array, change: (chain: Chain) => Chain) =>
  inStore(at.data, (store, write) => {
    const key = idKey(TABLE.mailbox, id);
    const state = decodeState(store.get(key)!);
    write(key, encodeState({ ...state, chain: change(state.chain) }));
  });

test('an outbox that hands over an epoch that there was not', async () => {
  const at = await home();
  const ids = await people(at, MANY);
  await sent(at, 0, ids);
  const [one] = moved(at, ids, 'outbox').filter((i) => i !== 0) as [number];
  await meanwhile(at, async () => {
    await forget(at);
    await changedChain(at, ids[one]!, (chain) => ({ ...chain, lastEpoch: 10_000, total: 3 }));
    await move(at);
  });
  const [first] = await audited(at);
  assert.equal(named([first!]), ['hand-over: 4.0 malformedHandOver']);
});

test('an outbox that does not go on from what it took over', async () => {
  const at = await home();
  const ids = await people(at, MANY);
  await sent(at, 0, ids);
  await meanwhile(at, () => move(at));
  const [one, other] = moved(at, ids, 'outbox').filter((i) => i !== 0) as [number, number];
  await sent(at, 0, [ids[other]!]);
  await meanwhile(at, () =>
    changedChain(at, ids[one]!, (chain) => ({ ...chain, head: Uint8Array.from(randomBytes(32)) })),
  );
  await sent(at, 0, [ids[one]!]);
  const found = await audited(at);
  assert.equal(named(found.filter(({ kind }) => kind !== 'cache')), ['chain: 4.1 falseTakeOver']);
});

test('an outbox that has forgotten a mailbox, of which nothing is kept but what it took over', async () => {
  const at = await home(SHORT);
  const ids = await people(at, MANY);
  await sent(at, 0, ids);
  const { size } = at.server.checkpoint();
  for (let i = 0; i < MANY; i++) {
    const client = await clientOf(at.server, `person ${i}`);
    await read(client, 1);
    await client.close();
  }
  await meanwhile(at, () => move(at));
  const [one, other] = moved(at, ids, 'outbox').filter((i) => i !== 0) as [number, number];
  await sent(at, 0, [ids[other]!]);
  while (at.server.checkpoint().size < size + BEYOND) await new Promise((resolve) => setTimeout(resolve, 20));
  await meanwhile(at, () => empty(at.data, ids[one]!));
  await sent(at, 0, [ids[one]!]);
  const found = await audited(at);
  assert.equal(named(found), ['chain: 4.1 falseTakeOver']);
});

test('an outbox that hands on another thing than it took over, with nothing in between', async () => {
  const at = await home();
  const ids = await people(at, MANY);
  await sent(at, 0, ids);
  await meanwhile(at, () => move(at));
  const [one, other] = moved(at, ids, 'outbox').filter((i) => i !== 0) as [number, number];
  await sent(at, 0, [ids[other]!]);
  await meanwhile(at, async () => {
    await changedChain(at, ids[one]!, (chain) => ({ ...chain, total: chain.total + 7 }));
    await changeActors(at.data, { outboxes: 1 });
  });
  assert.equal(named(await audited(at)), ['hand-over: 4.1 falseHandOn']);
});

for (const [liar, expected] of [
  [0, ['hand-over: 1.0 falseHandOver']],
  [1, ['sender: 1.1 falseTakeOver']],
] as const)
  test(`inbox ${liar} forgets a counter ${liar === 0 ? 'when it hands over' : 'that it took over'}`, async () => {
    const at = await home();
    const ids = await people(at, MANY);
    const [one, another] = moved(at, ids, 'inbox') as [number, number];
    const other = [...ids.keys()].find((i) => i !== one && i !== another)!;
    const first = await sentBlindly(at, one, ids[other]!, 'one');
    await sentBlindly(at, one, ids[other]!, 'two');
    const lie = () =>
      inStore(at.data, (store, write) => {
        write(idKey(TABLE.sender, ids[one]!), senderCodec.encode({ last: 1, place: first, queuedIn: null })!);
        for (const i of [0, 1]) write(flushMarkKey('inbox', i), numberValue(recoverLog(store).lastEpoch));
      });
    await meanwhile(at, async () => {
      if (liar === 0) await lie();
      await move(at);
    });
    if (liar === 1) {
      await sentBlindly(at, another, ids[another]!, 'from another');
      await meanwhile(at, lie);
    }
    await sentBlindly(at, one, ids[other]!, 'two again');
    assert.equal(named(await audited(at)), [...expected]);
  });

test('new actors that invent what was before the move, of ids that nothing was handed over of', async () => {
  const at = await home();
  const ids = await people(at, MANY);
  await sent(at, 0, [ids[0]!]);
  await meanwhile(at, () => move(at));
  await sent(at, 0, [ids[0]!]);
  const one = moved(at, ids, 'outbox').find((i) => i !== 0)!;
  const sender = moved(at, ids, 'inbox').find((i) => i !== 0 && i !== one)!;
  const place = { epoch: 1, inbox: 0, index: 0 };
  await meanwhile(at, async () => {
    await changedChain(at, ids[one]!, (chain) => ({ ...chain, lastEpoch: 1, total: 3 }));
    await inStore(at.data, (_, write) =>
      write(idKey(TABLE.sender, ids[sender]!), senderCodec.encode({ last: 5, place, queuedIn: null })!),
    );
  });
  await sentBlindly(at, sender, ids[one]!, 'goes on from what there was not');
  // Of what lies before the move nothing is read but what was handed over.
  const found = await audited(at, epochOfMove(at));
  assert.equal(named(found).sort(), ['chain: 4.1 falseTakeOver', 'sender: 1.1 falseTakeOver']);
});

test('an inbox that leaves a sender out', async () => {
  const at = await home();
  const ids = await people(at, MANY);
  const [one] = moved(at, ids, 'inbox') as [number];
  await sentBlindly(at, one, ids[0]!, 'one');
  await meanwhile(at, async () => {
    await inStore(at.data, (store, write) => {
      write(idKey(TABLE.sender, ids[one]!), null);
      write(flushMarkKey('inbox', 0), numberValue(recoverLog(store).lastEpoch));
    });
    await move(at);
  });
  assert.equal(named(await audited(at)), ['hand-over: 1.0 falseHandOver']);
});

// ---- what was changed after it was signed

test('every hand-over, and every part of it, is looked at: what was changed or lost is told, and names nobody', async () => {
  const at = await home();
  const ids = await people(at, MANY);
  await sent(at, 0, ids);
  await sent(at, 1, ids);
  await meanwhile(at, () => move(at));
  await sent(at, 2, ids);
  await at.server.stop();
  let all: Handing[] = [];
  await inStore(at.data, (store) => {
    all = [...keptHandOvers(store)];
  });
  assert.ok(all.some(({ role }) => role === ROLE.inbox) && all.some(({ role }) => role === ROLE.outbox));
  const expectOne = async (key: Uint8Array, value: (was: Uint8Array) => Uint8Array | null, text: RegExp) => {
    let was: Uint8Array = new Uint8Array(0);
    await inStore(at.data, (store, write) => {
      was = Uint8Array.from(store.get(key)!);
      write(key, value(Uint8Array.from(was)));
    });
    const { source, close } = await openKeptDirectory(at.data);
    const { findings } = await audit(source);
    await close();
    await inStore(at.data, (_, write) => write(key, was));
    const what = findings.map(({ kind, text }) => `${kind}: ${text}`).join('\n');
    assert.ok(findings.length > 0 && findings.every(({ kind }) => kind === 'hand-over'), `${text}: ${what}`);
    assert.match(what, text);
    for (const { verdict } of findings) assert.is(verdict, null, what);
  };
  const flip = (at: number) => (value: Uint8Array) => {
    value[at]! ^= 1;
    return value;
  };
  for (const handing of all) {
    const key = handOverKey(handing);
    await expectOne(key, () => null, /is not kept/);
    // Domain, server, manifest, placement, role, from, to, size, root, last epoch, leaves, root.
    const fields = [3, 30, 60, 100, 120, 122, 124, 132, 150, 172, 176, 200];
    for (const field of fields) await expectOne(key, flip(field), /./);
    const roleOf = handing.role === ROLE.inbox ? 'inbox' : 'outbox';
    await expectOne(key, flip(HAND_OVER_BYTES + 5), new RegExp(`not signed by ${roleOf} ${handing.from}`));
    await expectOne(key, flip(HAND_OVER_BYTES + 70), new RegExp(`not signed by ${roleOf} ${handing.to}`));
    await expectOne(key, (value) => value.slice(0, 100), /cannot be read/);
    const block = handOverKey(handing, 0);
    let hasLeaves = false;
    await inStore(at.data, (store) => {
      hasLeaves = readHandOver(store, handing)!.blockRoots.length > 0;
    });
    if (!hasLeaves) continue;
    await expectOne(block, () => null, /has to be kept for the retention/);
    for (const byte of [5, 36, 47, 53])
      await expectOne(block, flip(byte), /has other leaves than were signed/);
    await expectOne(block, (value) => value.slice(0, -1), /has other leaves than were signed/);
  }
  const { source, close } = await openKeptDirectory(at.data);
  assert.equal(lines(await audit(source)), []);
  await close();
});

test('what both have signed, of another log or move: told, and proven where a rule has it', async () => {
  const at = await home();
  const ids = await people(at, MANY);
  await sent(at, 0, ids);
  await sent(at, 1, ids);
  await meanwhile(at, () => move(at));
  const epoch = epochOfMove(at);
  const { serverId, manifests, manifest } = at.server.identity;
  await at.server.stop();
  const keys = await loadOrCreateKeys(at.data, { inboxes: 2, outboxes: 2 });
  const lies: [Partial<HandOver> | ((said: HandOver) => Partial<HandOver>), RegExp, string | undefined][] = [
    [({ log }) => ({ log: { ...log, size: log.size - 1 } }), /is not of the log before the move/, undefined],
    [
      ({ log }) => ({ log: { ...log, root: randomBytes(32) } }),
      /is not of the log before the move/,
      undefined,
    ],
    [({ lastEpoch }) => ({ lastEpoch: lastEpoch - 1 }), /is not of the log before the move/, undefined],
    [{ lastEpoch: epoch }, /is not of the log before the move/, 'malformedHandOver'],
    [{ manifestHash: manifests[0]!.hash }, /is of another move/, undefined],
    [{ placementRoot: randomBytes(32) }, /is of another move/, undefined],
    [({ role }) => ({ role: ROLE.inbox + ROLE.outbox - role }), /is of another move/, undefined],
    [{ from: 1 }, /is of another move/, 'malformedHandOver'],
    [{ serverId: randomBytes(32) }, /is of another move/, undefined],
    [{ leaves: 10_000 }, /has other leaves than were signed/, undefined],
  ];
  for (const role of [ROLE.inbox, ROLE.outbox] as const)
    for (const [lie, text, rule] of lies) {
      const key = handOverKey({ version: 2, role, from: 0, to: 1 });
      let was: Uint8Array = new Uint8Array(0);
      await inStore(at.data, (store, write) => {
        was = Uint8Array.from(store.get(key)!);
        const said = decodeHandOver(was.subarray(0, HAND_OVER_BYTES));
        const signed = encodeHandOver({ ...said, ...(typeof lie === 'function' ? lie(said) : lie) });
        const both = [0, 1].map((index) => importSecretKey(seedOf(keys, { role, index })).sign(signed));
        write(key, concat(signed, ...both, was.subarray(HAND_OVER_BYTES + 128)));
      });
      const { source, close } = await openKeptDirectory(at.data);
      const { findings } = await audit(source);
      await close();
      await inStore(at.data, (_, write) => write(key, was));
      const [{ kind, text: told, evidence, verdict }] = findings as [Finding];
      assert.equal([findings.length, kind], [1, 'hand-over'], `${text}`);
      assert.match(told, text);
      assert.is(verdict?.outcome === 'actor' ? verdict.rule : undefined, rule, told);
      if (evidence) assert.equal(bothSay(evidence, serverId, manifest.rootKey), verdict);
    }
});

test('hand-overs are the operator’s, in answers that can be gone on with', async () => {
  const at = await home();
  await people(at, 4);
  await meanwhile(at, () => move(at));
  const ask = (query: string, token = at.token) =>
    fetch(`${at.server.internalUrl}/v1/hand-overs${query}`, {
      headers: { authorization: `Bearer ${token}` },
    });
  assert.is((await ask('?from=0', '00'.repeat(32))).status, 401);
  for (const query of ['', '?from=-1', '?from=0&to=1', '?from=x'])
    assert.is((await ask(query)).status, 400, query);
  const bytes = async (from: number) => Buffer.from(await (await ask(`?from=${from}`)).arrayBuffer());
  const [all, second] = [await bytes(0), await bytes(1)];
  assert.is(all[0], 11);
  // From the second one on it is the rest of all of them.
  assert.ok(all.subarray(-second.length).equals(second));
  // kind 9 ‖ actor 2 ‖ length 4 ‖ 0: there are no more.
  assert.is(toHex(await bytes(1000)), `09000000000008${'00'.repeat(8)}`);
  await at.server.stop();
});

test.run();
