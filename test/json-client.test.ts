/** The JSON subprotocol over real sockets: a client without a codec, beside one with. */
import { once } from 'node:events';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { WebSocket } from 'ws';
import type { ClientSocket } from '../src/actors/client-connection.js';
import { encodeCheckpoint, encodeEndOfBacklog } from '../src/protocol/index.js';
import { type ListenerLimits, listenForClients } from '../src/server/listeners.js';
import { listen } from '../src/server/ports.js';
import { clientOf, directory, keyOf, read, unsignedAt } from './client-helpers.js';
import { b64, type Frame, JsonClient, unb64 } from './support/json-client.js';
import * as twin from './twin/index.js';

const test = suite('JSON client');
const FRONT = '/v1/front';
const OUTBOX = '/v1/outboxes/0';

const INES = keyOf('ines');
const ines = twin.publicKeyOf(INES);

/** What the client keeps of a message and what it sends of it. */
function messageOf(counter: bigint, to: readonly Uint8Array[], body: string): twin.Message {
  const recipients = to
    .map((mailbox, i) => ({
      mailbox: Buffer.from(mailbox),
      blinder: Buffer.alloc(16, i + 1),
      envelope: Buffer.from(i === 0 ? `envelope of ${body}` : ''),
    }))
    .sort((a, b) => Buffer.compare(a.mailbox, b.mailbox));
  return { sender: ines, counter, recipients, body: Buffer.from(body) };
}

function submit(...messages: twin.Message[]): Frame {
  const bundles = messages.map(({ recipients, body }) => ({
    recipients: recipients.map(({ mailbox, blinder, envelope }) => {
      return { mailbox: b64(mailbox), blinder: b64(blinder), envelope: b64(envelope) };
    }),
    body: b64(body),
  }));
  return { type: 'submit', slot: 0, flags: 0, firstCounter: `${messages[0]!.counter}`, bundles };
}

/** The next delivery of one link that holds, as far as the outbox vouches for it; the chain goes on. */
async function delivered(client: JsonClient, chain: twin.Chain, manifest: Frame) {
  const { epoch, mailboxes, multiproof } = await client.next('deliver');
  assert.is(mailboxes.length, 1);
  const { slot, position, kind, entries } = mailboxes[0];
  assert.equal([slot, kind], [0, 1]);
  const hashes = entries.map((entry: Frame) => ({
    inbox: entry['inbox'],
    index: entry['index'],
    messageHash: entry['kind'] === 1 ? unb64(entry['messageHash']) : receivedHash(client.serverId, entry),
  }));
  const links = twin.linksOf(ines, BigInt(epoch.epoch), chain, hashes);
  const leaf = twin.H(twin.linkLeaf(links[0]!));
  const root = twin.rootFromPath(BigInt(position), BigInt(epoch.leaves), leaf, multiproof.map(unb64));
  const signed = twin.attestationSigned({
    ...{ serverId: client.serverId, role: twin.OUTBOX, actor: 0, epoch: BigInt(epoch.epoch) },
    base: { size: BigInt(epoch.base.size), root: unb64(epoch.base.root) },
    ...{ manifestHash: unb64(epoch.manifestHash), placementRoot: unb64(epoch.placementRoot) },
    inputs: unb64(epoch.inputs),
    outputs: [{ entries: epoch.entries, leaves: epoch.leaves, root: root! }],
  });
  const { key } = manifest['actors'].find(({ role }: { role: number }) => role === twin.OUTBOX);
  assert.ok(twin.verify(unb64(key), signed, unb64(epoch.signature)), 'signature of the outbox');
  return { entries: entries as Frame[], epoch: epoch.epoch as string, chain: twin.chainAfter(chain, links) };
}

/** Of a message to at most two. */
function receivedHash(serverId: Buffer, entry: Frame): Buffer {
  const { sender, counter, recipients, position, blinder, siblings, envelope, body } = entry;
  const own = twin.recipientLeaf({ mailbox: ines, blinder: unb64(blinder), envelope: unb64(envelope) });
  const hashes = siblings.map(unb64);
  hashes.splice(position, 0, twin.recipientLeafHash(own));
  return twin.H(
    ...[twin.ascii('csign1ms'), serverId, unb64(sender), twin.u64(BigInt(counter)), twin.u16(recipients)],
    recipients === 1 ? own : twin.join(...hashes),
    twin.bodyHash(unb64(body)),
  );
}

test('it sends to a binary client, gets its answers, verifies, acknowledges and comes back', async () => {
  const server = await unsignedAt(directory('json'));
  const bob = await clientOf(server, 'bob');
  const manifest = (await (await fetch(`${server.url}/v1/manifest`)).json()) as Frame;
  const { client: outbox, state } = await JsonClient.session(server.url, OUTBOX, INES);
  assert.is(b64(Buffer.from(manifest['serverId'], 'hex')), b64(outbox.serverId));
  const { client: front } = await JsonClient.session(server.url, FRONT, INES);
  await outbox.next('endOfBacklog');

  const toBob = messageOf(1n, [bob.id], 'from JSON');
  const toBoth = messageOf(2n, [bob.id, ines], 'to both');
  front.send(submit(toBob, toBoth));
  assert.equal(await read(bob, 2), ['from JSON', 'to both']);
  const placed = await front.next('placed');
  assert.equal(placed['messages'], [
    { counter: '1', index: 0 },
    { counter: '2', index: 1 },
  ]);
  const seed = { lastEpoch: 0n, total: 0n, head: unb64(state['head']), trimmedThrough: 0n };
  const first = await delivered(outbox, seed, manifest['content']);
  assert.is(first.epoch, placed['epoch']);
  assert.is(first.entries[0]!['messageHash'], b64(twin.messageHash(outbox.serverId, toBob)));
  const { sender, counter, body, envelope } = first.entries[1]!;
  assert.equal([sender, counter, body, envelope], [b64(ines), '2', b64(Buffer.from('to both')), '']);
  assert.equal(
    receivedHash(outbox.serverId, first.entries[1]!),
    twin.messageHash(outbox.serverId, toBoth),
    'what came is what was sent',
  );

  await bob.send({ to: [ines], envelopes: [Buffer.from('for Ines')], body: 'from binary' });
  const second = await delivered(outbox, first.chain, manifest['content']);
  assert.is(unb64(second.entries[0]!['body']).toString(), 'from binary');
  assert.is(unb64(second.entries[0]!['envelope']).toString(), 'for Ines');
  outbox.send({ type: 'ack', acks: [{ slot: 0, epoch: second.epoch }] });
  outbox.send({ type: 'askStill', slots: [0] });
  const still = (await outbox.next('deliver'))['mailboxes'][0];
  assert.equal([still.slot, still.kind, typeof still.trimmedThrough], [0, 2, 'string']);
  outbox.close();

  const again = await JsonClient.session(server.url, OUTBOX, INES, second.epoch);
  const { error, lastEpoch, total, head } = again.state;
  assert.equal([error, lastEpoch, total], [0, second.epoch, '3']);
  assert.is(head, b64(second.chain.head));
  assert.is.not((await again.client.next('checkpoint'))['to'], '0');
  again.client.close();
  front.close();
  await bob.close();
  await server.stop();
});

test('what is wrong is answered in JSON, and costs nobody else anything', async () => {
  const server = await unsignedAt(directory('json-wrong'));
  const { client: front } = await JsonClient.session(server.url, FRONT, INES);
  const nobody = Buffer.alloc(32, 7);
  const unsorted = messageOf(2n, [ines, nobody], 'unsorted');
  unsorted.recipients.reverse();
  front.send(submit(messageOf(1n, [ines, nobody], 'to nobody'), messageOf(2n, [ines], 'behind it')));
  const refused = await front.next('error');
  assert.equal([refused['number'], refused['firstCounter'], refused['mailbox']], [43, '1', b64(nobody)]);
  assert.is((await front.next('error'))['number'], 46);
  front.send(submit({ ...unsorted, counter: 1n }));
  assert.is((await front.next('error'))['number'], 40);
  front.send(submit(messageOf(1n, [ines], 'good')));
  assert.is((await front.next('placed'))['messages'][0].counter, '1');
  front.send({ type: 'ack', acks: [] });
  assert.is((await front.next('error'))['number'], 2);
  assert.is((await front.closed).code, 3501);

  const ends: [string | Buffer, RegExp][] = [
    ['{"type":"hello","kind":1}', /nonce: missing/],
    ['{"type":"hello","kind":1,"kind":2}', /kind: stands twice/],
    ['nonsense', /not JSON/],
    [Buffer.from([1]), /binary message/],
  ];
  for (const [message, place] of ends) {
    const client = await JsonClient.connect(server.url, FRONT);
    client.socket.send(message);
    const error = await client.next('error');
    assert.is(error['number'], 1);
    assert.match(error['text'], place);
    assert.is((await client.closed).code, 3500);
  }
  const large = await JsonClient.connect(server.url, FRONT);
  large.socket.send(`"${'x'.repeat(4_194_304)}`);
  assert.is((await large.closed).code, 1009);
  await server.stop();
});

test('the binary subprotocol wins, and no other is taken', async () => {
  const server = await unsignedAt(directory('json-offer'));
  const url = `${server.url.replace('http', 'ws')}${FRONT}`;
  const both = new WebSocket(url, ['countersign.v1.json', 'countersign.v1']);
  await once(both, 'open');
  assert.is(both.protocol, 'countersign.v1');
  both.send('{"type":"hello"}');
  const [frame, isBinary] = await once(both, 'message');
  assert.equal([frame[0], isBinary], [0x87, true]);
  assert.is((await once(both, 'close'))[0], 3500);
  const other = new WebSocket(url, 'countersign.v1.jsonl');
  other.on('error', () => {});
  const [, response] = await once(other, 'unexpected-response');
  assert.is(response.statusCode, 400);
  await server.stop();
});

test('what a socket has taken is counted in bytes of binary frames', async () => {
  const port = await listen((_, response) => response.end(), '127.0.0.1', 0, 10_000);
  const limits: ListenerLimits = {
    frameBytes: 1000,
    sockets: 2,
    handshakeMs: 10_000,
    silenceMs: 60_000,
    bytesInFlight: 1000,
  };
  let drained = 0;
  const connected = new Promise<ClientSocket>((resolve) => {
    const ignore = () => {};
    listenForClients(
      port.server,
      1,
      () => limits,
      () => '*',
      {
        connected: (_, socket) => resolve(socket),
        drained: (_, bytes) => {
          drained += bytes;
        },
        ...{ frame: ignore, malformed: ignore, handshakeTimeout: ignore, closed: ignore },
      },
    );
  });
  const client = await JsonClient.connect(port.url, OUTBOX);
  const socket = await connected;
  const gap = new Uint8Array(32 * 20);
  const counted = encodeCheckpoint({ from: 0, to: 9, signature: new Uint8Array(64), gap });
  const answer = encodeEndOfBacklog({ slot: 0, epoch: 1 });
  // Twice the bound in text, not in frames: the answer between them must not cut the socket off.
  socket.send(counted, true);
  socket.send(counted, true);
  socket.send(answer, false);
  await client.next('endOfBacklog');
  while (drained < 2 * counted.length) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.is(drained, 2 * counted.length);
  // A turn's frames that go beyond it do.
  for (let i = 0; i < 4; i++) socket.send(counted, true);
  socket.send(answer, false);
  assert.is((await client.closed).code, 3002);
  await port.close();
});

test.run();
