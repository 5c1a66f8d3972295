/** How outboxes cheat about the chain of a mailbox: by what they remember, by what they sign, by what they hand on. */
import type { KeptChain } from '../../src/actors/mailbox-state.js';
import type { MailboxTable } from '../../src/actors/mailbox-table.js';
import { type LinkPart, readMailboxLeaf } from '../../src/protocol/evidence/leaves.js';
import { type ChainState, concat, RECEIVER_PREFIX, ROLE, stillPreimage } from '../../src/protocol/index.js';
import { rewriteChain } from '../support/rewrite-chain.js';
import { named } from '../worlds.js';
import { type Cheat, type Cheater, PLAN, type Plan } from './cheat.js';
import { relink } from './rows.js';
import type { Theatre } from './theatre.js';

const bobOf = (theatre: Theatre) => theatre.client(theatre.cast.bob);

/** Bob is told that the second epoch is the newest. */
export function staleFor(mailbox: Buffer, theatre: Theatre): { size?: number } {
  return mailbox.equals(bobOf(theatre)) ? { size: 2 } : {};
}

interface Remembered {
  readonly mailboxes: MailboxTable;
}

type Memory = (chain: KeptChain, self: Cheater) => Partial<KeptChain>;

/** It remembers Bob's chain in another way than it signed it. */
function misremember(self: Cheater, change: Memory): void {
  const { mailboxes } = self.stage as unknown as Remembered;
  const id = bobOf(self.theatre).toString('latin1');
  rewriteChain(mailboxes, id, change(mailboxes.lendTo(id)!.chain.copy(), self));
}

function forgetful(name: string, change: Memory): Cheat {
  return {
    ...{ name, role: 'outbox' },
    take: (message, self) => {
      if (message.type === 'receiver-items') misremember(self, change);
      return message;
    },
  };
}

const isBobs = (leaf: Uint8Array, theatre: Theatre) =>
  Buffer.compare(readMailboxLeaf(leaf).mailbox, bobOf(theatre)) === 0;

/** Where Bob's chain stood before a link of his. */
function before({ lastEpoch, total, entries, head }: LinkPart): ChainState {
  return { lastEpoch, total: total - entries.length, head: Uint8Array.from(head) };
}

/** A still of Bob's mailbox that says that nothing came in his link's epoch. */
function denial(link: Uint8Array): Uint8Array {
  const read = readMailboxLeaf(link) as LinkPart;
  return Uint8Array.from(stillPreimage(read.mailbox, read.epoch, before(read), 0));
}

/** Nothing for Bob in the third epoch: what it says of the second one then is a still. Somebody else at his outbox has mail. */
const QUIET: Plan = (cast) => {
  const [first, second] = PLAN(cast);
  const { dave, carol, bystander } = cast;
  return [first!, [...second!, [dave, [bystander]]], [[dave, [carol]]]];
};

/** A still of the third epoch, as if there were no link in the second. */
const denying: Cheat = {
  ...{ name: 'deny with a later still', role: 'outbox', round: 3 },
  plan: QUIET,
  before: (theatre) => theatre.ask(theatre.cast.bob),
  take: (message, self) => {
    const { theatre } = self;
    if (message.type !== 'receiver-items') return message;
    const link = theatre.act(2, ROLE.outbox, 0).outputs[0]!.find((leaf) => isBobs(leaf, theatre))!;
    misremember(self, () => before(readMailboxLeaf(link) as LinkPart));
    return message;
  },
};

/** Bob's leaf begins as a receiver's page does. */
const malformed: Cheat = {
  ...{ name: 'malformed pages', role: 'outbox' },
  give: (said, self) =>
    relink(said, self, (leaves) =>
      leaves.map((leaf) =>
        isBobs(leaf, self.theatre) ? concat(RECEIVER_PREFIX, leaf.subarray(RECEIVER_PREFIX.length)) : leaf,
      ),
    ),
};

export const outboxes: readonly Cheat[] = [
  malformed,
  {
    // All that it tells Bob is of the log up to there.
    ...{ name: 'serve a stale checkpoint', role: 'outbox', round: 3 },
    serves: staleFor,
  },
  forgetful('break a chain: head', () => ({ head: named('other head') })),
  forgetful('break a chain: total', ({ total }) => ({ total: total + 5 })),
  forgetful('break a chain: skip an epoch', () => ({ lastEpoch: 0, total: 0 })),
  {
    // It goes on from there, as if it had been so, and counts what it does not show.
    ...{ name: 'deny with a still', role: 'outbox' },
    give: (said, self) =>
      relink(said, self, (leaves) =>
        leaves.map((leaf) => {
          if (!isBobs(leaf, self.theatre)) return leaf;
          misremember(self, () => before(readMailboxLeaf(leaf) as LinkPart));
          return denial(leaf);
        }),
      ),
  },
  {
    ...{ name: 'a still beside a link', role: 'outbox' },
    give: (said, self) =>
      relink(said, self, (leaves) =>
        leaves.flatMap((leaf) => (isBobs(leaf, self.theatre) ? [leaf, denial(leaf)] : [leaf])),
      ),
  },
  denying,
  {
    // Alice has her receipt of the second epoch by then; Bob gets nothing of it.
    ...denying,
    name: 'drop after receipt',
    serves: (mailbox, theatre) => {
      const second = theatre.epochs[1];
      return second && mailbox.equals(bobOf(theatre)) ? { without: second.epoch } : {};
    },
  },
];
