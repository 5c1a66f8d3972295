/** Numbers of actors, keys and restarts at random, while clients come, read a part and go: every message once, in its sender's order. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Client, MemoryStore } from '../../src/client/index.js';
import { audit } from '../../src/protocol/audit/index.js';
import { openKeptDirectory } from '../../src/server/kept-directory.js';
import { changeActors } from '../../src/server/resizing.js';
import { rotateKeys } from '../../src/server/rotation.js';
import { clientOf, read } from '../client-helpers.js';
import { Random } from '../simulation/random.js';
import { house } from '../support/rotation-client.js';
import { RUNS, SEED } from '../worlds.js';

const test = suite('random moves');
const ROUNDS = 4 * RUNS;

const random = new Random(SEED);

/** A mailbox that is away but for now and then. */
interface Owner {
  readonly name: string;
  readonly store: MemoryStore;
  readonly expected: string[];
  readonly got: string[];
  id: Uint8Array;
}

async function readSome(owner: Owner, client: Client, count: number): Promise<void> {
  if (count > 0) owner.got.push(...(await read(client, count)));
}

test('nothing is lost, comes twice or out of order', async () => {
  const home = await house({ inboxes: '2', outboxes: '2' });
  const owners: Owner[] = Array.from({ length: 12 }, (_, i) => ({
    ...{ name: `owner ${i}`, store: new MemoryStore() },
    ...{ expected: [], got: [], id: new Uint8Array() },
  }));
  const open = ({ name, store }: Owner) => clientOf(home.server, name, { store });
  for (const owner of owners) {
    const client = await open(owner);
    owner.id = client.id;
    await client.close();
  }
  const senders = await Promise.all(['sam', 'sue', 'sid'].map((name) => clientOf(home.server, name)));
  let number = 0;
  const sending: Promise<unknown>[] = [];
  const send = (count: number) => {
    for (let i = 0; i < count; i++) {
      const to = owners.filter(() => random.int(2) === 0);
      if (to.length === 0) continue;
      const sender = random.int(senders.length);
      const body = `${sender} ${number++}`;
      for (const { expected } of to) expected.push(body);
      sending.push(senders[sender]!.send({ to: to.map(({ id }) => id), body }));
    }
  };
  for (let round = 0; round < ROUNDS; round++) {
    send(random.int(60));
    await Promise.all(sending);
    for (const owner of owners.filter(() => random.int(3) === 0)) {
      const client = await open(owner);
      await readSome(owner, client, random.int(owner.expected.length - owner.got.length + 1));
      await client.close();
    }
    await home.again(async () => {
      send(random.int(10));
      const way = random.int(4);
      const counts = { inboxes: 1 + random.int(4), outboxes: 1 + random.int(4) };
      const { config } = home.server;
      const isSame = config.inboxes === counts.inboxes && config.outboxes === counts.outboxes;
      if (way === 0) await rotateKeys(home.data, null);
      else if (way < 3 && !isSame) await changeActors(home.data, counts);
    });
  }
  await Promise.all(sending);
  for (const owner of owners) {
    const client = await open(owner);
    await readSome(owner, client, owner.expected.length - owner.got.length);
    await client.close();
    const bySender = (texts: readonly string[]) =>
      senders.map((_, i) => texts.filter((text) => text.startsWith(`${i} `)));
    assert.equal(bySender(owner.got), bySender(owner.expected), `SEED=${SEED}: ${owner.name}`);
  }
  for (const sender of senders) await sender.close();
  await home.server.stop();
  const kept = await openKeptDirectory(home.data);
  const { findings } = await audit(kept.source);
  await kept.close();
  assert.equal(findings, [], `SEED=${SEED}`);
});

test.run();
