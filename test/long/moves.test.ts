/** A server whose inboxes and outboxes are made more and fewer, while mail is unacknowledged, and clients that are away or are not. */
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { connectMany, MemoryStore } from '../../src/client/index.js';
import { openGateway } from '../../src/client/open-gateway.js';
import type { Dial } from '../../src/client/socket.js';
import { Vectors } from '../../src/client/vectors-entry.js';
import { dial } from '../../src/client/websocket.js';
import { audit } from '../../src/protocol/audit/index.js';
import {
  decodeClaim,
  decodeHello,
  FRAME,
  openManifests,
  placementOf,
  verifyClaimAmong,
} from '../../src/protocol/index.js';
import { openKeptDirectory } from '../../src/server/kept-directory.js';
import { changeActors } from '../../src/server/resizing.js';
import { clientOf, directory, keyOf, serverAt } from '../client-helpers.js';
import { countersign } from '../support/program.js';
import { failure, house, texts } from '../support/rotation-client.js';

const test = suite('moves');

const NAMES = ['ann', 'ben', 'cat', 'dan', 'eve', 'fay', 'gus', 'hal'];

test('nothing is lost over moves, of clients that are away meanwhile and of some that are not', async () => {
  const home = await house({ outboxes: '1', inboxes: '1' });
  const stores = NAMES.map(() => new MemoryStore());
  const open = (i: number) => clientOf(home.server, NAMES[i]!, { store: stores[i]! });
  // Known to the server, and away from now on.
  const ids: Uint8Array[] = [];
  for (const i of NAMES.keys()) {
    const client = await open(i);
    ids.push(client.id);
    await client.close();
  }
  const sender = await clientOf(home.server, 'sender');
  const other = await clientOf(home.server, 'other');
  const everyone = (body: string) =>
    Promise.all([sender.send({ to: ids, body }), other.send({ to: ids, body: `${body}'` })]);
  const said: string[] = [];
  const say = async (body: string) => {
    await everyone(body);
    said.push(body, `${body}'`);
  };
  await say('one');
  await say('two');
  // One has taken the first and not the second.
  const first = await open(0);
  const taken = await texts(first, 2);
  await first.close();
  await home.again(() => changeActors(home.data, { inboxes: 3, outboxes: 2 }), home.data);
  assert.is(home.server.config.inboxes, 3);
  assert.is(home.server.config.outboxes, 2);
  await say('three');
  assert.is(sender.manifest.version, 2);
  // Another one reads all in between.
  const second = await open(1);
  assert.equal((await texts(second, 6)).map(({ text }) => text).sort(), [...said].sort());
  await second.close();
  await home.again(() => changeActors(home.data, { inboxes: 2, outboxes: 1 }));
  await say('four');
  for (const i of NAMES.keys()) {
    const client = await open(i);
    const had = i === 0 ? taken.map(({ text }) => text) : i === 1 ? said.slice(0, 6) : [];
    const found = await texts(client, said.length - had.length);
    assert.equal([...had, ...found.map(({ text }) => text)].sort(), [...said].sort(), NAMES[i]!);
    const manifests = openManifests(home.server.identity.manifests);
    for (const { claim } of found) {
      const { attestation } = verifyClaimAmong(decodeClaim(claim), manifests);
      const version = manifests.findLast(({ from }) => from <= attestation.epoch)!;
      assert.is(attestation.actor, placementOf(version.manifest, manifests[0]!.hash, client.id).outbox);
    }
    await client.close();
  }
  for (const client of [sender, other]) await client.close();
  await home.server.stop();
  const kept = await openKeptDirectory(home.data);
  const { findings, epochs } = await audit(kept.source);
  await kept.close();
  assert.equal(findings, []);
  assert.ok(epochs >= 4);
});

/** Many mailboxes on a socket, and what they have got. */
async function crowdAt(url: string) {
  const names = Array.from({ length: 12 }, (_, i) => `crowd ${i}`);
  const got = new Map<number, string[]>(names.map((_, i) => [i, []]));
  const gateway = await connectMany({
    url,
    keys: names.map(keyOf),
    backoffFirstMs: 20,
    // Less than what waits for those who do not read.
    bufferBytes: 64,
    onMessages: (mailbox, messages) => {
      for (const { body } of messages) got.get(mailbox)!.push(Buffer.from(body).toString());
    },
  });
  return { names, got, gateway };
}

test('clients that are connected over moves, one by one and many on a socket, find their outboxes by themselves', async () => {
  const home = await house({ outboxes: '1', inboxes: '2' });
  const { names, got, gateway } = await crowdAt(home.server.url);
  const clients = await Promise.all(['ida', 'jon', 'kit', 'lea'].map((name) => clientOf(home.server, name)));
  const to = [...names.map((_, i) => gateway.id(i)), ...clients.map(({ id }) => id)];
  const said: string[][] = clients.map(() => []);
  const sent: Promise<unknown>[] = [];
  const say = (round: number) => {
    for (const [i, client] of clients.entries())
      for (const part of [1, 2]) {
        const body = `${i}: ${round}.${part}`;
        said[i]!.push(body);
        sent.push(client.send({ to, body }));
      }
  };
  say(0);
  await Promise.all(sent);
  const placedAt = () =>
    clients.map(({ id }) => placementOf(home.server.identity.manifest, clients[0]!.serverId, id));
  const places = [placedAt()];
  for (const [round, counts] of [
    { inboxes: 3, outboxes: 3 },
    { inboxes: 1, outboxes: 2 },
    { inboxes: 2, outboxes: 4 },
  ].entries()) {
    await home.again(async () => {
      // Kept by the clients until the server is back.
      say(round + 1);
      await changeActors(home.data, counts);
      say(round + 1.5);
    });
    await Promise.all(sent);
    places.push(placedAt());
  }
  // Some of the four have moved each time, or the keys are very unlucky.
  assert.ok(new Set(places.map((each) => JSON.stringify(each))).size > 2);
  const count = said.flat().length;
  const inOrder = (texts: readonly string[], who: string) => {
    for (const [i, own] of said.entries())
      assert.equal(
        texts.filter((text) => text.startsWith(`${i}: `)),
        own,
        who,
      );
    assert.is(texts.length, count, who);
  };
  for (const [i, client] of clients.entries()) {
    const found = await texts(client, count);
    inOrder(
      found.map(({ text }) => text),
      `client ${i}`,
    );
    assert.is(client.manifest.version, 4);
    assert.ok((await client.still()).asOf > 0);
  }
  for (let waited = 0; [...got.values()].some(({ length }) => length < count); waited += 20) {
    assert.ok(waited < 30_000, 'not all has come');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  for (const [i, each] of got) inOrder(each, `mailbox ${i}`);
  assert.ok((await gateway.still(5)).asOf > 0);
  await gateway.close();
  for (const client of clients) await client.close();
  await home.server.stop();
});

test('what stages signed before moves is opened afterwards, and audits find nothing, from the directory and over the network', async () => {
  const token = join(directory('token'), 'token');
  writeFileSync(token, `${'5a'.repeat(32)}\n`, { mode: 0o600 });
  const home = await house({ outboxes: '3', inboxes: '2', 'operator-token': token });
  const vectors = [new Vectors(), new Vectors()] as const;
  const [ann, ben] = await Promise.all(
    ['ann', 'ben'].map((name, i) => clientOf(home.server, name, { vectors: vectors[i]! })),
  );
  const receipts = [await ann!.send({ to: ben!.id, body: 'first' })];
  await home.again(() => changeActors(home.data, { inboxes: 4, outboxes: 1 }));
  receipts.push(await ann!.send({ to: ben!.id, body: 'second' }));
  await home.again(() => changeActors(home.data, { inboxes: 1, outboxes: 2 }));
  receipts.push(await ann!.send({ to: ben!.id, body: 'third' }));
  for (const { place } of receipts)
    for (const stage of ['inbox', 'router', 'receiver', 'outbox'] as const) {
      const opened = await ben!.open({ stage, ...place });
      assert.ok(opened.isThere, `${stage} of epoch ${place.epoch}`);
      // At the inbox only who has something there may ask.
      if (stage === 'inbox') continue;
      const other = await ben!.open({ stage, ...place, index: place.index + 1 });
      assert.not.ok(other.isThere, `${stage} of epoch ${place.epoch}`);
    }
  // What both have verified is the same, whichever outbox had it.
  await texts(ben!, 3);
  const { asOf } = await ann!.still();
  while (vectors[1].asOf < asOf) await ben!.still();
  assert.equal(vectors[1].check(ann!.id, vectors[0].block(ben!.id)).outcome, 'same');
  const network = [
    ...['--internal', home.server.internalUrl, '--url', home.server.url, '--token', token, '--json'],
  ];
  const online = await countersign(['audit', ...network]);
  assert.is(online.status, 0, online.stdout + online.stderr);
  for (const client of [ann!, ben!]) await client.close();
  await home.server.stop();
  const offline = await countersign(['audit', '--data', home.data, '--json']);
  assert.is(offline.status, 0, offline.stdout + offline.stderr);
  assert.is((JSON.parse(offline.stdout) as { messages: number }).messages, 3);
});

test('a client that was away goes on, at a new outbox, from the newest log that it knows', async () => {
  const home = await house({ outboxes: '1' });
  const store = new MemoryStore();
  const known = await clientOf(home.server, 'ann', { store });
  await known.send({ to: known.id, body: 'one' });
  await texts(known, 1);
  const { size } = known.checkpoint;
  assert.ok(size > 0);
  await known.close();
  await home.again(() => changeActors(home.data, { outboxes: 8 }));
  const hellos: number[] = [];
  const spying: Dial = (url, events) => {
    const socket = dial(url, events);
    const send = (frames: readonly Uint8Array[]) => {
      if (frames[0]![0] === FRAME.hello) hellos.push(decodeHello(frames[0]!).checkpoint.size);
      socket.send(frames);
    };
    return Object.assign(Object.create(socket), { send });
  };
  const options = { url: home.server.url, keys: [keyOf('ann')], store };
  const gateway = await openGateway(options, spying, () => {});
  assert.is(hellos.length, 2);
  for (const each of hellos) assert.ok(each >= size, `${hellos} of ${size}`);
  await gateway.close();
  await home.server.stop();
});

test('a server that has a mailbox at another outbox than its newest manifest says is left', async () => {
  const server = await serverAt(directory('moves'), { outboxes: '2' });
  const other = createServer(async (request, response) => {
    const answer = await fetch(`${server.url}${request.url}`);
    const text = await answer.text();
    response.setHeader('content-type', answer.headers.get('content-type') ?? 'text/plain');
    response.end(text.replace(/"outbox":(\d)/, (_, outbox) => `"outbox":${1 - Number(outbox)}`));
  });
  // Frames go to the server itself.
  other.on('upgrade', (request, socket) => {
    const to = connect(Number(new URL(server.url).port), '127.0.0.1');
    const headers = Object.entries(request.headers).map(([name, value]) => `${name}: ${value}`);
    to.write(`${request.method} ${request.url} HTTP/1.1\r\n${headers.join('\r\n')}\r\n\r\n`);
    socket.pipe(to).pipe(socket);
    for (const each of [socket, to]) each.on('error', () => {});
  });
  await new Promise<void>((done) => other.listen(0, '127.0.0.1', done));
  const { port } = other.address() as AddressInfo;
  const error = await failure(clientOf(server, 'ann', { url: `http://127.0.0.1:${port}` }));
  assert.is(error.code, 'verification-failed');
  assert.match(error.message, /not at outbox \d, where it is placed/);
  other.closeAllConnections();
  other.close();
  await server.stop();
});

test.run();
