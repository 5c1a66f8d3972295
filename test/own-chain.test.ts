/** A server loses a message for all, alters one or puts one in: its sender sees that in its own chain, holds evidence by itself, and has the actor named. */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { ClientOptions } from '../src/client/client.js';
import type { Gateway } from '../src/client/gateway.js';
import {
  type Client,
  connect,
  connectSender,
  FileStore,
  MemoryStore,
  type SenderClient,
  VerificationError,
} from '../src/client/index.js';
import { judging } from '../src/client/judging.js';
import { Later } from '../src/client/later.js';
import { claimUnder, type Range } from '../src/client/log-range.js';
import type { Settings } from '../src/client/options.js';
import type { Dial, Socket } from '../src/client/socket.js';
import { type ComparisonError, Vectors, type VectorsOptions } from '../src/client/vectors-entry.js';
import { type EvidenceOf, encodeEvidence } from '../src/protocol/evidence/evidence.js';
import {
  accuseAgain,
  accuseOfSkip,
  decodeEvidence,
  disputedPlace,
  RULE,
  skippedCounter,
} from '../src/protocol/evidence/index.js';
import { type Claim, concat, FormatError, gapLevels, ROLE, toHex } from '../src/protocol/index.js';
import type { Server } from '../src/server/index.js';
import { clientOf, keyOf } from './client-helpers.js';
import type { Cheat } from './support/cheating-worker.js';
import { chat, end, started } from './support/comparing.js';
import { columnCases, counterCases, stageWorld } from './support/evidence-stages.js';
import { EvidenceWorld } from './support/evidence-world.js';
import { commandHere } from './support/program.js';
import { bothSay } from './support/verdicts.js';
import * as twin from './twin/index.js';
import { runOptions } from './worlds.js';

const test = suite('own chain');
const directory = mkdtempSync(join(tmpdir(), 'countersign-own-chain-'));
test.after(() => rmSync(directory, { recursive: true, force: true }));

// ---- the way from a claim to a later checkpoint

test('a claim is led on to any later log by what was told while that grew, and by nothing less', () => {
  fc.assert(
    fc.property(fc.nat(40), fc.nat(40), fc.nat(40), fc.nat(40), (i, more, on, cut) => {
      const [first, size, later] = [i, i + 1 + more, i + 1 + more + on];
      const leaves = Array.from({ length: later }, (_, at) => twin.join(twin.u8(0), twin.u32(at)));
      const hashes = leaves.map((leaf) => twin.H(leaf));
      const at = (n: number) => ({
        size: n,
        root: twin.root(hashes.slice(0, n)),
        signature: Buffer.alloc(64),
      });
      const pathAt = (n: number) => concat(...twin.inclusionPath(first, hashes.slice(0, n)));
      const claim = {
        logIndex: first,
        epochLeaf: leaves[first],
        logPath: pathAt(size),
        checkpoint: at(size),
      } as unknown as Claim;
      const known = [range(hashes, 0, size), range(hashes, size, later)];
      const led = claimUnder(claim, at(later), known);
      assert.equal(Buffer.from(led!.logPath), Buffer.from(pathAt(later)));
      assert.equal(led!.checkpoint, at(later));
      // Without some of how it grew there is no way, or it was not needed: never a wrong one.
      const missing = [known[0]!, range(hashes, size, Math.min(later, size + cut))];
      const found = claimUnder(claim, at(later), missing);
      if (on > 0 && cut === 0) assert.is(found, null);
      if (found) assert.equal(Buffer.from(found.logPath), Buffer.from(pathAt(later)));
    }),
    runOptions(200),
  );
});

/** Leaves [from, to) as the server tells of them. */
function range(hashes: readonly Buffer[], from: number, to: number): Range {
  let at = from;
  const subtrees = [...gapLevels(from, to)].map((level) => {
    at += 2 ** level;
    return twin.root(hashes.slice(at - 2 ** level, at));
  });
  return { from, to, hashes: concat(...subtrees) };
}

// ---- evidence of any shape

const isGuilty = ({ expected }: { expected: string }) => expected !== 'nothing';
const NONE = new Uint8Array(0);

/** Evidence of a skip and of a place, and what is asked of evidence. */
function shapes() {
  const world = new EvidenceWorld();
  const { bytes } = counterCases(world).find(isGuilty)!;
  const place = columnCases(stageWorld(world)).find(
    (one) => one.rule === RULE.stages && isGuilty(one),
  )!.bytes;
  const bridge = () => NONE;
  const known = (evidence: Uint8Array) => [
    skippedCounter(evidence),
    accuseOfSkip(evidence, [], [], world.serverId, bridge),
  ];
  const again = (evidence: Uint8Array) => [
    disputedPlace(evidence),
    accuseAgain(evidence, [], [], world.serverId, bridge),
  ];
  return { skip: bytes, place, known, again };
}

test('evidence that lacks what a skip is shown by, or is of another rule, is of none', () => {
  const { skip, place, known, again } = shapes();
  assert.ok(known(skip)[0]);
  const decoded = decodeEvidence(skip) as EvidenceOf<'ownCounters'>;
  const without = (changes: Partial<typeof decoded>) => encodeEvidence({ ...decoded, ...changes });
  for (const lacking of [{ links: [] }, { messages: [] }, { first: 250 }])
    assert.equal(known(without(lacking)), [null, null]);
  assert.is(known(without({ manifests: [] }))[1], null);
  assert.equal(known(place), [null, null]);
  assert.ok(again(place)[0]);
  assert.equal(again(skip), [null, null]);
  assert.is(again(encodeEvidence({ ...decodeEvidence(place), manifests: [] }))[1], null);
  const links = decoded.links.map((link) => ({ ...link, leaf: NONE }));
  const manifests = [{ bytes: new Uint8Array(3), signature: new Uint8Array(64) }];
  for (const malformed of [{ links }, { manifests }])
    assert.throws(
      () => known(without(malformed)),
      (error: unknown) => error instanceof FormatError,
    );
});

test('of evidence with any bytes changed they throw `FormatError`, and nothing else', () => {
  const { skip, place, known, again } = shapes();
  const change = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 3 });
  fc.assert(
    fc.property(fc.constantFrom(skip, place), change, (evidence, changes) => {
      const bytes = Uint8Array.from(evidence);
      for (const [at, byte] of changes) bytes[at % bytes.length] = byte;
      for (const ask of [known, again]) {
        try {
          ask(bytes);
        } catch (error) {
          assert.instance(error, FormatError);
        }
      }
    }),
    runOptions(100),
  );
});

// ---- over real sockets

/** The evidence that a client tells of, or why there is none. */
function listening(): { told: Promise<Uint8Array>; onReady: NonNullable<ClientOptions['onReady']> } {
  let onReady!: NonNullable<ClientOptions['onReady']>;
  const told = new Promise<Uint8Array>((resolve, reject) => {
    onReady = (on) => {
      on('evidence', ({ evidence }) => resolve(evidence));
      on('suspicion', ({ error }) => reject(error));
    };
  });
  told.catch(() => {});
  return { told, onReady };
}

/** Takes everything, and is done with it. */
async function takeAll(client: Client): Promise<void> {
  try {
    for await (const message of client.mailbox()) message.ack();
  } catch (error) {
    assert.instance(error, VerificationError);
  }
}

interface Actors {
  readonly server: Server;
  readonly alice: Client;
  readonly bob: Client;
  readonly told: Promise<Uint8Array>;
  /** The next message of Alice to this one is lost for all: by the outbox, unless another way is told. */
  readonly lose: (to: Client, way?: Cheat['way']) => void;
  readonly close: () => Promise<void>;
}

/** Of Cora and Dave there are mailboxes alone: what is theirs nobody reads. */
async function actors(
  options: Partial<ClientOptions> = {},
  vectors: VectorsOptions = {},
  flags: Record<string, string> = {},
): Promise<Actors> {
  const { server, cheat } = await started(flags);
  const listener = listening();
  const alice = await clientOf(server, 'alice', {
    vectors: new Vectors(vectors),
    onReady: listener.onReady,
    ...options,
  });
  const [bob, cora, dave] = await Promise.all(
    ['bob', 'cora', 'dave'].map((name) => clientOf(server, name, { vectors: new Vectors() })),
  );
  await Promise.all([cora!.close(), dave!.close()]);
  const [instead, beside] = [toHex(cora!.id), toHex(dave!.id)];
  void takeAll(alice);
  return {
    ...{ server, alice, told: listener.told, bob: bob! },
    lose: (to, way = 'lose') => {
      const [from, recipient] = [alice, to].map(({ id }) => toHex(id)) as [string, string];
      cheat({ way, from, to: recipient, instead, beside });
    },
    close: () => end(server, bob!),
  };
}

/** Alice sends one that is lost, and waits until the server says that it has a place. */
async function sendLost({ alice, bob, lose }: Actors) {
  lose(bob);
  const placed = new Promise<{ counter: number; epoch: number; inbox: number; index: number }>((resolve) => {
    alice.on('placed', ({ epoch, inbox, messages }) => resolve({ epoch, inbox, ...messages.at(-1)! }));
  });
  alice.send({ to: bob.id, body: 'the one that is lost' }).catch(() => {});
  return placed;
}

function mustProve({ identity }: Server, evidence: Uint8Array, after: number, counter: number): void {
  const judged = bothSay(evidence, identity.serverId, identity.manifest.rootKey);
  assert.is(judged.outcome, 'server', judged.text);
  assert.match(judged.text, new RegExp(`let counter ${counter} of one sender follow ${after} `));
  assert.is(decodeEvidence(evidence).rule, RULE.ownCounters);
}

const failsWith = (promise: Promise<unknown>) =>
  promise.then(
    () => assert.unreachable('a receipt'),
    (error: unknown) => assert.instance(error, VerificationError),
  );

test('its own chain skips a counter: the sender has evidence, and `countersign verify` proves it', async () => {
  const all = await actors();
  const { alice, bob, server, told } = all;
  await chat(alice, bob, 3);
  await alice.send({ to: alice.id, body: 'a note to herself' });
  const { counter: lost, ...place } = await sendLost(all);
  // The inbox has taken it in, and has signed that: to its sender it shows it.
  assert.ok((await alice.open({ stage: 'inbox', ...place })).isThere);
  // What comes between is acknowledged by then; one link has three parts.
  await bob.send({ to: alice.id, body: 'between' });
  await Promise.all(Array.from({ length: 150 }, (_, i) => bob.send({ to: alice.id, body: `between ${i}` })));
  await failsWith(alice.send({ to: bob.id, body: 'the one behind it' }));
  const evidence = await told;
  mustProve(server, evidence, lost - 1, lost + 1);
  assert.equal((alice.problem as VerificationError).evidence, evidence);
  const file = join(directory, 'skipped.evidence');
  writeFileSync(file, evidence);
  const { serverId, manifest } = server.identity;
  const args = ['verify', file, '--server', toHex(serverId), '--root', toHex(manifest.rootKey)];
  const { status, stdout } = await commandHere(args);
  assert.is(status, 0);
  assert.match(stdout, /By rule ownCounters/);
  await all.close();
});

test('within one epoch, and again in the next life with the same store', async () => {
  const store = join(directory, 'alice');
  const all = await actors({ store: new FileStore(store) });
  const { alice, bob, server, told, lose } = all;
  await chat(alice, bob, 2);
  lose(bob);
  const eve = await clientOf(server, 'eve');
  const messages = [eve, alice, bob, alice, eve].map((to, i) =>
    alice.send({ to: to.id, body: `in one epoch ${i}` }),
  );
  const ended = await Promise.allSettled(messages);
  assert.ok(ended.every(({ status }) => status === 'rejected'));
  const lost = 5;
  mustProve(server, await told, lost - 1, lost + 1);
  await alice.close().catch(() => {});
  const again = listening();
  const options = { store: new FileStore(store), vectors: new Vectors(), onReady: again.onReady };
  const next = await clientOf(server, 'alice', options).catch((error: unknown) => error);
  mustProve(server, await again.told, lost - 1, lost + 1);
  await (next as Partial<Client>).close?.().catch(() => {});
  await eve.close();
  await all.close();
});

async function untilCheated(): Promise<void> {
  while (existsSync(process.env['CHEAT_FILE']!)) await wait(5);
}

for (const [way, role] of [
  ['omit', 'inbox'],
  ['skip', 'router'],
] as const)
  test(`the client has the ${role} named by itself, by what is opened to it over a socket of its own`, async () => {
    const all = await actors();
    const { alice, bob, server, told, lose } = all;
    await chat(alice, bob, 3);
    lose(bob, way);
    alice.send({ to: bob.id, body: 'the one that is lost' }).catch(() => {});
    await untilCheated();
    await bob.send({ to: alice.id, body: 'between' });
    await failsWith(alice.send({ to: bob.id, body: 'the one behind it' }));
    const evidence = await told;
    const judged = bothSay(evidence, server.identity.serverId, server.identity.manifest.rootKey);
    assert.is(judged.outcome === 'actor' && judged.role, ROLE[role], judged.text);
    assert.equal((alice.problem as VerificationError).evidence, evidence);
    await all.close();
  });

/** Alice sends one that is altered, or another one is put in behind it, which she never sent. */
async function failed({ alice, told }: Actors, to: Client) {
  await failsWith(alice.send({ to: to.id, body: 'pay one' }));
  const found = await told.catch((error: unknown) => error as ComparisonError);
  const { evidence, step } = alice.problem as VerificationError;
  assert.is(step, 'own-message');
  assert.equal(evidence, found instanceof Uint8Array ? found : undefined);
  return found;
}

for (const way of ['forge', 'inject'] as const) {
  const options: readonly [string, VectorsOptions][] = [
    ['', {}],
    [', of which only hashes are kept', { letGo: { headsOnly: 10 } }],
  ];
  for (const [what, vectors] of options)
    test(`its own chain shows another message, which the inbox took in: ${way}${what}; it is named by what it has no submission of`, async () => {
      const all = await actors({}, vectors, { submissions: 'required' });
      const { alice, bob, server, lose } = all;
      await chat(alice, bob, 2);
      lose(bob, way);
      const evidence = await failed(all, bob);
      assert.instance(evidence, Uint8Array, String(evidence));
      const { serverId, manifest } = server.identity;
      const judged = bothSay(evidence as Uint8Array, serverId, manifest.rootKey);
      assert.is(judged.outcome, 'actor', judged.text);
      if (judged.outcome === 'actor') assert.equal([judged.role, judged.index], [ROLE.inbox, 0]);
      assert.is(decodeEvidence(evidence as Uint8Array).rule, RULE.inboxRow);
      await all.close();
    });

  test(`where senders do not sign, that is said to be so, and proves nothing: ${way}`, async () => {
    const all = await actors({}, {}, { submissions: 'off' });
    const { alice, bob, lose } = all;
    const sockets = socketsOf(alice);
    await chat(alice, bob, 2);
    lose(bob, way);
    const error = await failed(all, bob);
    assert.is((error as ComparisonError).code, 'nothing-proven');
    await wait(100);
    assert.is(sockets.size, 0, 'nothing is left to be asked for');
    await all.close();
  });
}

test('its own chain shows another message than the inbox took in: that is evidence against the server', async () => {
  const all = await actors({}, {}, { submissions: 'off' });
  const { alice, bob, server, lose } = all;
  await chat(alice, bob, 2);
  lose(alice, 'alter');
  const evidence = await failed(all, alice);
  assert.instance(evidence, Uint8Array, String(evidence));
  const judged = bothSay(evidence as Uint8Array, server.identity.serverId, server.identity.manifest.rootKey);
  assert.is(judged.outcome, 'server', judged.text);
  assert.match(judged.text, /two messages at one place/);
  await all.close();
});

for (const kind of ['client', 'sender'] as const)
  test(`what the application opens of the key when it is told of the failure stays connected: ${kind}`, async () => {
    const all = await actors();
    const { alice, bob, server, told } = all;
    const options = { url: server.url, key: keyOf('alice') };
    const next = new Promise<Client | SenderClient>((resolve, reject) =>
      alice.on('state', ({ state }) => {
        if (state !== 'failed') return;
        const connecting = kind === 'client' ? connect(options) : connectSender(options);
        connecting.then(resolve, reject);
      }),
    );
    // Evidence takes as long as that.
    judging.get = async () => {
      await next;
      return Later.prototype.get.call(judging) as ReturnType<typeof judging.get>;
    };
    await chat(alice, bob, 3);
    await sendLost(all);
    await failsWith(alice.send({ to: bob.id, body: 'the one behind it' }));
    const client = await next.finally(() => Reflect.deleteProperty(judging, 'get'));
    const states: string[] = [];
    client.on('state', ({ state }) => states.push(state));
    await told;
    await alice.close();
    await (kind === 'client'
      ? (client as Client).still()
      : client.send({ to: bob.id, body: 'of the next life' }));
    assert.equal([client.state, states], ['connected', []]);
    await client.close();
    await all.close();
  });

class NotClosing extends MemoryStore {
  override close(): void {
    throw new Error('not closed');
  }
}

for (const [what, store, thrown] of [
  ['a store that does not close', new NotClosing(), 'not closed'],
  ['a listener that throws', new MemoryStore(), 'thrown'],
] as const)
  test(`${what} ends no process: whoever closes the client is told`, async () => {
    const all = await actors({ store });
    const { alice, bob, told } = all;
    const unhandled: unknown[] = [];
    const listener = (error: unknown) => unhandled.push(error);
    process.on('unhandledRejection', listener);
    alice.on('evidence', () => {
      if (thrown === 'thrown') throw new Error(thrown);
    });
    await chat(alice, bob, 2);
    await sendLost(all);
    await failsWith(alice.send({ to: bob.id, body: 'the one behind it' }));
    await told;
    await wait(50);
    process.off('unhandledRejection', listener);
    assert.equal(unhandled, []);
    const refusal = await alice.close().catch((error: unknown) => error);
    assert.is((refusal as Error).message, thrown);
    await all.close();
  });

for (const ending of ['close', 'signal', 'stop'] as const)
  test(`while a server does not open, evidence against it is there, and told at the latest when it ends: ${ending}`, async () => {
    const abort = new AbortController();
    const all = await actors({ signal: abort.signal }, {}, { 'limits-openings-per-minute': '1' });
    const { alice, bob, server, told } = all;
    await chat(alice, bob, 1);
    const { counter: lost } = await sendLost(all);
    await failsWith(alice.send({ to: bob.id, body: 'the one behind it' }));
    const problem = alice.problem as VerificationError;
    while (!problem.evidence) await wait(5);
    let isTold = false;
    void told.then(() => (isTold = true));
    await wait(200);
    assert.not(isTold, 'it waits for an opening');
    mustProve(server, problem.evidence, lost - 1, lost + 1);
    const endedAt = performance.now();
    if (ending === 'signal') abort.abort();
    else await (ending === 'close' ? alice.close() : server.stop());
    mustProve(server, await told, lost - 1, lost + 1);
    assert.ok(performance.now() - endedAt < 15_000, 'not when it would have ended by itself');
    await alice.close();
    await all.close();
  });

/** Sockets that a client opens from now on, for as long as they are open. */
function socketsOf(client: Client): Set<Socket> {
  const { settings } = (client as unknown as { gateway: Gateway }).gateway;
  const open = new Set<Socket>();
  const dial: Dial = (...parameters) => {
    const socket = settings.dial(...parameters);
    const closed: Socket = Object.create(socket, {
      close: { value: (...why: Parameters<Socket['close']>) => open.delete(closed) && socket.close(...why) },
    });
    open.add(closed);
    return closed;
  };
  (client as unknown as { gateway: { settings: Settings } }).gateway.settings = { ...settings, dial };
  return open;
}

test('what is not kept any more is said to be so, and proves nothing', async () => {
  for (const [letGo, between] of [
    [{ headsOnly: 10 }, 0],
    [{ keepEpochs: 2 }, 3],
  ] as const) {
    const all = await actors({}, { letGo });
    const { alice, bob, told } = all;
    const sockets = socketsOf(alice);
    await chat(alice, bob, 1);
    await sendLost(all);
    for (let i = 0; i < between; i++) await bob.send({ to: alice.id, body: 'between' });
    await failsWith(alice.send({ to: bob.id, body: 'the one behind it' }));
    const error = await told.catch((error: unknown) => error);
    assert.is((error as ComparisonError).code, 'let-go');
    await wait(100);
    assert.is(sockets.size, 0, 'nothing is left to be asked for');
    assert.is((alice.problem as VerificationError).evidence, undefined);
    await all.close();
  }
});

test.run();
