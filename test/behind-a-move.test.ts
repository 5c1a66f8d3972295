/** What an outbox does with epochs of before a move, where it was others' or there were more or fewer of them. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Acknowledgments } from '../src/actors/acknowledgments.js';
import { CommittedEpochs } from '../src/actors/committed-epochs.js';
import { Links } from '../src/actors/epoch-file.js';
import { idAt } from '../src/actors/ids.js';
import { MailboxTable } from '../src/actors/mailbox-table.js';
import { Memory } from '../src/actors/memory.js';
import { address } from '../src/actors/messages.js';
import { Placements } from '../src/actors/placements.js';
import { Quotas } from '../src/actors/quotas.js';
import { epochKey, TABLE } from '../src/actors/store-keys.js';
import { Unacknowledged } from '../src/actors/unacknowledged.js';
import { SESSION_KIND } from '../src/protocol/index.js';
import { Pipeline } from './support/pipeline.js';
import { clusterOf } from './support/side-by-side.js';
import { MemoryStore } from './support/store.js';
import * as twin from './twin/index.js';
import { named, type Shape, worldOf } from './worlds.js';

const behindAMove = suite('behind a move');

/** Epochs through 9 with so many outboxes, from 10 on with others. */
function moved(before: number, after: number): Placements {
  const [first, second] = [before, after].map((outboxes) => clusterOf(worldOf(shapeOf(outboxes, 1))));
  return new Placements(first!.serverId, [
    { from: 1, manifest: first!.manifest },
    { from: 10, manifest: second!.manifest },
  ]);
}

function shapeOf(outboxes: number, mailboxes: number): Shape {
  return { inboxes: 1, outboxes, mailboxes, bundles: [], asked: [], moved: [] };
}

behindAMove('old epochs are looked for at the outboxes of then, newer ones at its own', () => {
  for (const [before, after] of [
    [3, 1],
    [1, 3],
    [2, 3],
  ] as const) {
    const own = after - 1;
    const epochs = new CommittedEpochs(new MemoryStore(), new Memory(), own, moved(before, after));
    assert.equal(epochs.outboxesIn(9), [...Array(before).keys()], `${before} outboxes, now ${after}`);
    assert.equal(epochs.outboxesIn(10), [own]);
  }
});

/** The store of a server with one outbox, whose one epoch has a message of the first two mailboxes to the third. */
function storeWithOwnMessages(): { store: MemoryStore; senders: string[] } {
  const world = worldOf(shapeOf(1, 3));
  const pipeline = new Pipeline(clusterOf(world), { checkInputs: false, flushEpochs: 1 });
  const [one, other, reader] = world.clients.map(({ id }) => id);
  for (const [slot, { id }] of world.clients.entries()) pipeline.open(id, SESSION_KIND.front, 1, slot);
  for (const sender of [one!, other!]) {
    const blinder = named('blinder').subarray(0, 16);
    const recipients = [{ mailbox: reader!, blinder, envelope: Buffer.alloc(0) }];
    const bundle = twin.bundleBytes({ sender, counter: 1n, recipients, body: Buffer.alloc(9) });
    const frame = pipeline.frame(sender, 1, [bundle], 1, 7);
    pipeline.tell(address('inbox'), { type: 'submit', frames: [frame] });
  }
  pipeline.close();
  pipeline.commit();
  return { store: pipeline.store, senders: [idAt(one!, 0), idAt(other!, 0)] };
}

behindAMove(
  'own messages are let go of the mailboxes that are still at this outbox, and of no others',
  () => {
    const { store, senders } = storeWithOwnMessages();
    const [mine, others] = senders as [string, string];
    const mailboxes = new MailboxTable(store);
    const links = Links.read(store.get(epochKey(TABLE.links, 1, 0))!);
    const unacknowledged = new Unacknowledged(store, 0, 10);
    unacknowledged.add(1, 1, 1, 0);
    store.write(unacknowledged.flush());
    const acknowledgments = new Acknowledgments({
      ...{ index: 0, reader: store, lastEpoch: 0, retentionEpochs: 5, mailboxes, unacknowledged },
      quotas: new Quotas({ unacknowledgedEpochs: 100, unacknowledgedBytes: 1e6 }, 5, 0),
      linksOf: () => links,
      linksIn: () => [links],
      placements: moved(1, 2),
      receiverOf: (id) => (idAt(id, 0) === mine ? 0 : 1),
      committedEpoch: () => 20,
      isRead: () => false,
      reached: () => {},
    });
    assert.ok(links.find(others) >= 0);
    for (let newest = 1; newest <= 20; newest++) acknowledgments.letGo(newest);
    assert.is(mailboxes.lendTo(mine)!.acknowledged.lastEpoch, 1);
    assert.is(mailboxes.lendTo(others)!.acknowledged.lastEpoch, 0);
  },
);

behindAMove.run();
