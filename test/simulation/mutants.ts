/**
 * Small faults to be planted into the compiled product, one at a time, each where a text stands exactly once.
 * The simulator must find every one of them: `mutate.ts` plants and runs. What shows too seldom for that has a test of its own.
 */
import type { Trait } from './traits.js';

export interface Mutant {
  readonly name: string;
  /** Below dist/src. */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
  /** Where not every run can show it: what those have that can. */
  readonly only?: readonly Trait[];
}

export const MUTANTS: readonly Mutant[] = [
  {
    name: 'epoch numbers are used again after a crash',
    file: 'actors/sequencer.js',
    find: 'this.nextEpoch = options.reserved + 1;',
    replace: 'this.nextEpoch = options.lastEpoch + 1;',
  },
  {
    name: 'an epoch is told before it is durable',
    file: 'actors/sequencer.js',
    find: "() => this.phase({ type: 'durable' }));",
    replace: "() => { }); this.phase({ type: 'durable' });",
  },
  {
    name: 'epoch numbers are used before their reservation is durable',
    file: 'actors/sequencer.js',
    find: 'this.options.write([{ key: RESERVED_KEY, value: numberValue(reserved) }], () => {',
    replace: '((_, run) => run())([], () => {',
  },
  {
    name: 'a known counter is taken in again',
    file: 'actors/inbox.js',
    find: 'Math.max(0, state.last - firstCounter + 1)',
    replace: 'Math.max(0, state.last - firstCounter)',
  },
  {
    name: 'what senders sent since the last flush is not recovered',
    file: 'actors/sender-state.js',
    find: 'if (getU16At(key) !== inbox)',
    replace: 'if (getU16At(key) >= 0)',
  },
  {
    name: 'the previous place is not recovered',
    file: 'actors/sender-state.js',
    find: 'const place = { epoch, inbox, index: firstIndex + count - 1 };',
    replace: 'const place = { epoch: 0, inbox: 0, index: 0 };',
  },
  {
    name: 'a mailbox is told before its chain seed is durable',
    file: 'actors/outbox.js',
    find: 'this.persist([id], [mailboxRecord(message.mailbox, message.seed)]);',
    replace:
      'this.mailboxes.learn(message.mailbox, 0, mailboxRecord(message.mailbox, message.seed).value); this.mailboxes.lendTo(id); this.mailboxes.keep(); this.runWaiting(id);',
  },
  {
    name: 'links since the last flush are not recovered',
    file: 'actors/outbox-recovery.js',
    find: 'links.moveChain(i, state.chain);',
    replace: '',
  },
  {
    name: 'bodies are deleted when all but one have acknowledged',
    file: 'actors/unacknowledged.js',
    find: 'if (references.mailboxes > 0)',
    replace: 'if (references.mailboxes > 1)',
  },
  {
    name: 'messages of two inboxes stand in the wrong order',
    file: 'actors/receiver.js',
    find: 'sort((a, b) => a.router - b.router)',
    replace: 'sort((a, b) => b.router - a.router)',
  },
  {
    name: 'who is behind is taken for up to date',
    file: 'actors/deliverer.js',
    find: 'connection.backlog.add(subscription);\n        this.pump(connection);',
    replace: 'subscription.live = true;',
  },
  {
    name: 'who is behind is sent the newest epoch first',
    file: 'actors/backlog.js',
    find: 'new Groups((a, b) => b - a)',
    replace: 'new Groups((a, b) => a - b)',
  },
  {
    name: 'an older session of the key goes on reading',
    file: 'actors/deliverer.js',
    find: 'this.forget(older);',
    replace: '',
    only: ['rivals'],
  },
  {
    name: 'an acknowledgment goes out before it is durable',
    file: 'client/persister.js',
    find: 'this.marked = [];\n        const changes = [];',
    replace:
      'this.marked = []; for (const each of participants) if (each.acknowledged) { each.host.acknowledge(each.acknowledged.chain.lastEpoch); } for (const run of this.after.splice(0)) run();\n const changes = [];',
    only: ['client-deaths'],
  },
  {
    name: 'acknowledgments pass over what is not acknowledged',
    file: 'client/mailbox.js',
    find: 'if (first.open > 0)',
    replace: 'if (first.open > 1)',
  },
  {
    name: 'a message is shown before it is saved',
    file: 'client/mailbox.js',
    find: 'this.unsaved.push(record);',
    replace: 'this.host.show(record.messages);',
  },
  {
    name: 'a bundle is sent before it is saved',
    file: 'client/sender.js',
    find: 'this.storing = next - 1;',
    replace: 'this.storing = next - 1; this.stored = next - 1; this.transmit();',
  },
  {
    name: 'nothing is sent again after a reconnect',
    file: 'client/sender.js',
    find: 'Number.MAX_SAFE_INTEGER;\n        this.renumber();',
    replace: 'Number.MAX_SAFE_INTEGER; this.sent = this.stored;',
  },
  {
    name: 'a redelivery is shown again in the same life',
    file: 'client/mailbox.js',
    find: 'if (chain.lastEpoch <= this.given)',
    replace: 'if (chain.lastEpoch < 0)',
  },
  {
    name: 'deliveries come before the session is answered',
    file: 'actors/client-connection.js',
    find: 'if (connection.opening.length > 0)',
    replace: 'if (connection.opening.length < 0)',
  },
  {
    name: 'an outbox takes the next epoch before the last one is committed for a fault',
    file: 'actors/outbox.js',
    find: 'this.early = message;',
    replace: "throw new Error('came while another is committing');",
  },
  {
    name: 'a verdict hears statements that nobody signed',
    file: 'protocol/evidence/court.js',
    find: 'key.verify(bytes, signature)',
    replace: 'true',
  },
  {
    name: 'a verdict hears statements that a key has signed behind its end',
    file: 'protocol/evidence/court.js',
    find: '(lastEpoch !== 0 && epoch > lastEpoch)',
    replace: 'epoch < 0',
    only: ['rotations'],
  },
  {
    name: 'a client holds old epochs against new keys',
    file: 'client/manifests.js',
    find: 'const version = versions[at];',
    replace: 'const version = versions.at(-1);',
    only: ['rotations'],
  },
  {
    name: 'new keys begin where old ones have signed what was not committed',
    file: 'server/manifest-change.js',
    find: 'recoverLog(store).reserved',
    replace: 'recoverLog(store).lastEpoch',
    only: ['rotations'],
  },
  {
    name: 'a move leaves counts of who has not acknowledged with the outboxes of before',
    file: 'server/moving.js',
    find: 'countAgain(move, placed);',
    replace: '',
    only: ['moves'],
  },
  {
    name: 'a move counts also who has acknowledged',
    file: 'server/moving.js',
    find: 'mailbox))) >= epoch',
    replace: 'mailbox))) > epoch',
    only: ['moves'],
  },
  {
    name: 'a move does not count who has only sent apart',
    file: 'server/moving.js',
    find: 'if (links.isOwn(i))',
    replace: 'if (epoch < 0)',
    only: ['moves'],
  },
  {
    name: 'a move counts by the placement of before',
    file: 'server/moving.js',
    find: 'placementFor(next, placements.serverId)',
    replace: 'placementFor(placements.newest, placements.serverId)',
    only: ['moves'],
  },
  {
    name: 'a move counts old epochs at as many outboxes as there are today',
    file: 'server/moving.js',
    find: 'placements.countsAt(epoch).outboxes',
    replace: 'countsIn(placements.newest).outboxes',
    only: ['moves'],
  },
  {
    name: 'a move writes no flush marks',
    file: 'server/moving.js',
    find: 'writeMarks(move, before);',
    replace: '',
    only: ['moves'],
  },
  {
    name: 'a move leaves the flush marks of actors that are gone',
    file: 'server/moving.js',
    find: 'value: i < count ? numberValue(lastEpoch) : null',
    replace: 'value: numberValue(lastEpoch)',
    only: ['moves'],
  },
  {
    name: 'a move forgets what senders sent since the last flush',
    file: 'server/moving.js',
    find: 'writeSenders(move, before);',
    replace: '',
    only: ['moves'],
  },
  {
    name: 'a move forgets what mailboxes got since the last flush',
    file: 'server/moving.js',
    find: 'recoverMailboxes({ reader, lastEpoch, index }, mailboxes, counts, quotas, mark);',
    replace: '',
    only: ['moves'],
  },
  {
    name: 'a move leaves the mark of a full mailbox at its old outbox',
    file: 'server/moving.js',
    find: 'write({ key, value: null });',
    replace: ';',
    only: ['moves'],
  },
  {
    name: 'a move takes full mailboxes for such as take more',
    file: 'server/moving.js',
    find: 'new Set([...keys.map((key) => idAt(key, 3)), ...changed])',
    replace: 'changed',
    only: ['moves'],
  },
  {
    name: 'a move forgets who has become full since the last flush',
    file: 'server/moving.js',
    find: 'changed.push(id);',
    replace: ';',
    only: ['moves'],
  },
  {
    name: 'two versions without an epoch between are in force from the same one',
    file: 'server/manifest-change.js',
    find: 'identity.manifests.at(-1).from',
    replace: 'Math.max(...identity.manifest.actors.map(({ firstEpoch }) => firstEpoch))',
    only: ['moves'],
  },
  {
    name: 'what came before a move is looked for at the outbox of today',
    file: 'actors/committed-epochs.js',
    find: 'return epoch >= since ?',
    replace: 'return epoch >= 0 ?',
    only: ['moves'],
  },
  {
    name: 'what came before a move is delivered as signed by an actor of today',
    file: 'actors/committed-epochs.js',
    find: 'actorPosition(this.placements.manifestAt(epoch), ROLE.outbox, outbox)',
    replace: 'actorPosition(this.placements.newest, ROLE.outbox, outbox)',
    only: ['moves'],
  },
  {
    name: 'an outbox deletes bodies of before a move under its own number',
    file: 'actors/unacknowledged.js',
    find: 'if (epoch >= this.since)',
    replace: 'if (epoch >= 0)',
    only: ['moves'],
  },
  {
    name: 'the first of the outboxes that need bodies of before a move deletes them',
    file: 'actors/unacknowledged.js',
    find: 'if (!hasAny(this.reader, TABLE.references, epoch))',
    replace: '',
    only: ['moves'],
  },
  {
    name: 'nobody deletes bodies of before a move',
    file: 'actors/unacknowledged.js',
    find: 'this.unneeded.push(epoch);',
    replace: ';',
    only: ['moves'],
  },
  {
    name: 'old epochs are opened by the placement of today',
    file: 'actors/openings.js',
    find: 'const { outbox } = placements.placed(epoch, mailbox);',
    replace: 'const { outbox } = placements.placed(Number.MAX_SAFE_INTEGER, mailbox);',
    only: ['moves'],
  },
  {
    name: 'old epochs are opened as signed by actors of today',
    file: 'actors/openings.js',
    find: 'const manifest = placements.manifestAt(epoch);',
    replace: 'const manifest = placements.newest;',
    only: ['moves'],
  },
  {
    name: 'old epochs are audited at as many actors as there are today',
    file: 'actors/kept-epochs.js',
    find: 'kept.placements.countsAt(epoch)',
    replace: 'kept.placements.countsAt(Number.MAX_SAFE_INTEGER)',
    only: ['moves'],
  },
  {
    name: 'a client that is connected stays with the outboxes of before',
    file: 'client/manifests.js',
    find: 'regroup(gateway);',
    replace: ';\n',
    only: ['moves'],
  },
  {
    name: 'a client takes the outbox of today for who signed before a move',
    file: 'client/manifests.js',
    find: 'at < all.length - 1 ?',
    replace: 'at < 0 ?',
    only: ['moves'],
  },
];
