/**
 * Small faults to be planted into the compiled product, one at a time, each where a text stands exactly once.
 * The simulator must find every one of them: `mutate.ts` plants and runs.
 */
export interface Mutant {
  readonly name: string;
  /** Below dist/src. */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
  /** The first seed to try: of what is found seldom, one that finds it. 1 where none is given. */
  readonly seed?: number;
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
      'this.mailboxes.put(id, mailboxCodec.decode(mailboxRecord(message.mailbox, message.seed).value)); this.runWaiting(id);',
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
    find: 'connection.behind.add(subscription);\n        this.pump(connection);',
    replace: 'subscription.live = true;',
  },
  {
    name: 'an older session of the key goes on reading',
    file: 'actors/deliverer.js',
    find: 'this.forget(older);',
    replace: '',
    seed: 30,
  },
  {
    name: 'an acknowledgment goes out before it is durable',
    file: 'client/persister.js',
    find: 'this.marked = [];\n        const changes = [];',
    replace:
      'this.marked = []; for (const each of participants) if (each.acknowledged) { each.host.acknowledge(each.acknowledged.chain.lastEpoch); } for (const run of this.after.splice(0)) run();\n const changes = [];',
    seed: 44,
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
    name: 'a new store takes what the server has taken in for proven',
    file: 'client/counters.js',
    find: 'if (this.unproven < this.receipted)',
    replace: 'if (0 < this.receipted)',
    seed: 10_096,
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
    seed: 3,
  },
  {
    name: 'a client holds old epochs against new keys',
    file: 'client/manifests.js',
    find: 'const version = versions[at];',
    replace: 'const version = versions.at(-1);',
    seed: 3,
  },
  {
    name: 'new keys begin where old ones have signed what was not committed',
    file: 'server/manifest-change.js',
    find: 'recoverLog(store).reserved',
    replace: 'recoverLog(store).lastEpoch',
    seed: 5,
  },
];
