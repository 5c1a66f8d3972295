import type { ActorKind, ActorMessage, MessageBatch } from '../../src/actors/messages.js';
import {
  decodeAttestation,
  encodeAttestation,
  INBOX_PREFIX,
  RECEIVER_PREFIX,
  ROUTER_PREFIX,
} from '../../src/protocol/index.js';
import { named } from '../worlds.js';
import { type Cheat, type Cheater, PLAN, type Said } from './cheat.js';
import { outboxes } from './cheats-of-outboxes.js';
import { crashAndSend, sequencers } from './cheats-of-sequencers.js';
import { signedInboxes, withFirstAgain } from './cheats-of-signed-inboxes.js';
import {
  byOrder,
  changed,
  hashOf,
  inboxOf,
  mailboxOf,
  merge,
  mistake,
  type Row,
  renumber,
  reroute,
} from './rows.js';

const target = ({ theatre, who }: Cheater) => theatre.target(who);

type Change = (rows: readonly Row[], self: Cheater) => readonly Row[];

/** One change of rows, as a router, receiver and outbox make it. */
function inLists(name: string, change: Change): Cheat[] {
  const router: Cheat = {
    ...{ name, role: 'router' },
    give: (said, self) => reroute(said, self, (shares) => shares.map((rows) => change(rows, self))),
  };
  const receiver: Cheat = {
    ...{ name, role: 'receiver' },
    give: (said, self) => merge(said, self, (rows) => change(rows, self)),
  };
  const outbox: Cheat = {
    ...{ name, role: 'outbox' },
    take: (message, self) =>
      message.type === 'receiver-items' ? mistake(message, (rows) => change(rows, self)) : message,
  };
  return [router, receiver, outbox];
}

const isAbout = (row: Row, self: Cheater) => hashOf(row).equals(target(self).hash);
const isFor = (row: Row, self: Cheater) => mailboxOf(row).equals(target(self).mailbox);

const withoutRow: Change = (rows, self) => rows.filter((row) => !(isAbout(row, self) && isFor(row, self)));

const dropForOne = inLists('drop for one recipient', withoutRow);

const dropForAll = inLists('drop for all', (rows, self) => rows.filter((row) => !isAbout(row, self)));

const alter = inLists('alter the committed hash', (rows, self) =>
  rows.map((row) =>
    isAbout(row, self) && isFor(row, self) ? changed(row, (bytes) => named('other').copy(bytes, 38)) : row,
  ),
);

/** Two messages of one sender to one recipient, each in the other's place. */
const swap = inLists('swap two messages', (rows, self) => {
  const mine = rows.filter((row) => isFor(row, self) && inboxOf(row) === target(self).inbox);
  const [a, b] = mine;
  if (!a || !b) return rows;
  const put = (row: Row, other: Row) => changed(row, (bytes) => hashOf(other).copy(bytes, 38));
  return rows.map((row) => (row === a ? put(a, b) : row === b ? put(b, a) : row));
});

/** A made-up message for somebody that it is not for, at a place that there is. */
const inject = inLists('inject', (rows, self) => {
  const own = rows.find((row) => isFor(row, self) && isAbout(row, self));
  const { bystander } = target(self);
  if (!own) return rows;
  const made = changed(own, (bytes) => {
    bystander.copy(bytes, 0);
    named('made up').copy(bytes, 38);
  });
  return [...rows, made].sort(byOrder);
});

/** Its message once more, at the place of another one that is not for it. */
const duplicate = inLists('duplicate', (rows, self) => {
  const own = rows.find((row) => isFor(row, self) && isAbout(row, self));
  if (!own) return rows;
  const again = changed(own, (bytes) => bytes.writeUInt32BE(target(self).notForIt, 34));
  return [...rows, again].sort(byOrder);
});

const unsorted = inLists('unsorted', (rows) => [...rows].reverse());

/** A message goes to a bystander, too. */
const misaddress = inLists('hand to a mailbox that it is not for', (rows, self) => {
  const theirs = rows.find((row) => isAbout(row, self));
  const { bystander } = target(self);
  if (!theirs || !rows.some((row) => isFor(row, self))) return rows;
  return [...rows, changed(theirs, (bytes) => bystander.copy(bytes, 0))].sort(byOrder);
});

const wrongReceiver: Cheat = {
  ...{ name: 'hand a share to the wrong receiver', role: 'router' },
  give: (said, self) =>
    reroute(said, self, (shares) => {
      const [first, second, ...others] = shares;
      const moved = first!.filter((row) => isFor(row, self));
      return [first!.filter((row) => !moved.includes(row)), [...second!, ...moved].sort(byOrder), ...others];
    }),
};

// ---- the inbox

const copyRow = (rows: readonly Buffer[]) => rows.map((row) => Buffer.from(row));

/** The first message once more at the end: a row, where it lies, and a run with its counter. */
const numberTwice: Cheat = {
  ...{ name: 'number twice', role: 'inbox' },
  give: (said, self) => renumber(said, self, (rows) => [...rows, rows[0]!], withFirstAgain),
};

const wrongPrevious: Cheat = {
  ...{ name: 'wrong previous place', role: 'inbox' },
  give: (said, self) =>
    renumber(said, self, (rows) => {
      const out = copyRow(rows);
      // Alice's second message of this epoch names her first of the one before.
      out[0]!.copy(out[1]!, 64, 64, 78);
      return out;
    }),
};

const emptyPrevious: Cheat = {
  ...{ name: 'a previous place where nothing is', role: 'inbox' },
  give: (said, self) =>
    renumber(said, self, (rows) => {
      const out = copyRow(rows);
      out[0]!.writeUInt32BE(50, 74);
      return out;
    }),
};

const noPrevious: Cheat = {
  ...{ name: 'no previous place', role: 'inbox' },
  give: (said, self) =>
    renumber(said, self, (rows) => {
      const out = copyRow(rows);
      out[0]!.fill(0, 64);
      return out;
    }),
};

/** Alice's two messages in the other order. */
const disorder: Cheat = {
  ...{ name: 'swap two messages', role: 'inbox' },
  give: (said, self) => renumber(said, self, ([a, b, ...rest]) => [b!, a!, ...rest], swapped),
};

function swapped(batch: MessageBatch): MessageBatch {
  const where = Uint32Array.from(batch.where);
  where.set(batch.where.subarray(5, 10), 0);
  where.set(batch.where.subarray(0, 5), 5);
  const runs = Buffer.from(batch.runs);
  return { ...batch, where, runs };
}

/** The message stays in the batch that it hands on; its row says what it likes. */
const atInbox: Cheat[] = [
  {
    ...{ name: 'alter the committed hash', role: 'inbox' },
    give: (said, self) =>
      renumber(said, self, (rows) => {
        const out = copyRow(rows);
        named('other').copy(out[0]!);
        return out;
      }),
  },
  {
    ...{ name: 'inject', role: 'inbox' },
    give: (said, self) => renumber(said, self, (rows) => [...rows, madeUp(rows)], withFirstAgain),
  },
  // As if it had never come: the next one is behind the one before it, or where nothing ever was.
  dropFirst('drop for all', (dropped, next) => dropped.copy(next, 64, 64, 78)),
  dropFirst('drop for all, and name a place where nothing is', (dropped, next) => {
    dropped.copy(next, 64, 64, 78);
    next.writeUInt32BE(50, 74);
  }),
];

/** The first message is not there; the sender's next one goes on at another place. */
function dropFirst(name: string, goesOn: (dropped: Buffer, next: Buffer) => void): Cheat {
  const change = (rows: readonly Buffer[]) => {
    const [dropped, next, ...rest] = copyRow(rows);
    goesOn(dropped!, next!);
    rest[0]?.writeUInt32BE(0, 74);
    return [next!, ...rest];
  };
  return {
    ...{ name, role: 'inbox' },
    give: (said, self) => renumber(said, self, change, withoutFirst),
  };
}

function madeUp([first]: readonly Buffer[]): Buffer {
  const row = Buffer.from(first!);
  named('made up').copy(row);
  return row.fill(0, 64);
}

function withoutFirst(batch: MessageBatch): MessageBatch {
  return { ...batch, where: batch.where.slice(5) };
}

function withoutLast(batch: MessageBatch): MessageBatch {
  return { ...batch, where: batch.where.slice(0, -5) };
}

/** Pages that begin as those of another role do. */
const malformed: Cheat[] = [
  {
    ...{ name: 'malformed pages', role: 'inbox' },
    give: (said, self) => renumber(said, self, (rows) => rows, undefined, ROUTER_PREFIX),
  },
  {
    ...{ name: 'malformed pages', role: 'router' },
    give: (said, self) => reroute(said, self, (shares) => shares, RECEIVER_PREFIX),
  },
  {
    ...{ name: 'malformed pages', role: 'receiver' },
    give: (said, self) => merge(said, self, (rows) => rows, INBOX_PREFIX),
  },
];

const miscount: Cheat[] = (['inbox', 'router', 'receiver', 'outbox'] as const).map((role) => ({
  ...{ name: 'sign a false count', role },
  give: (said, self) =>
    resigned(said, self, (a) => ({
      ...a,
      outputs: a.outputs.map((each) => ({ ...each, entries: each.entries + 64 })),
    })),
}));

// ---- every signer

type Decoded = ReturnType<typeof decodeAttestation>;

/** The actor's statement, changed, in everything that carries it. */
function resigned(
  said: readonly Said[],
  self: Cheater,
  change: (attestation: Decoded) => Decoded,
): readonly Said[] {
  const own = said.find(({ message }) => message.type === 'attested')?.message;
  if (own?.type !== 'attested') return said;
  const bytes = encodeAttestation(change(decodeAttestation(own.attestation.bytes)));
  const attestation = { bytes, signature: self.sign(bytes) };
  return said.map(({ to, message }) => {
    const carries = 'attestation' in message && message.attestation === own.attestation;
    return { to, message: (carries ? { ...message, attestation } : message) as ActorMessage };
  });
}

/** What else it makes for one of them: without the last message, or without the row that it is about. */
const SECOND = {
  inbox: (said, self) => renumber(said, self, (rows) => rows.slice(0, -1), withoutLast),
  router: (said, self) => reroute(said, self, (shares) => shares.map((rows) => withoutRow(rows, self))),
  receiver: (said, self) => merge(said, self, (rows) => withoutRow(rows, self)),
} satisfies Partial<Record<ActorKind, Cheat['give']>>;

/**
 * The neighbour of its number is given a second statement, with what that is about; the sequencer, and a router's other
 * receivers, are given the first.
 */
const neighbours = (['inbox', 'router', 'receiver'] as const).map(
  (role): Cheat => ({
    ...{ name: 'equivocate to two neighbours', role },
    give: (said, self) => {
      const second = SECOND[role](said, self);
      return said.map((each, i) =>
        each.to.kind !== 'sequencer' && each.to.index === self.index ? second[i]! : each,
      );
    },
  }),
);

/** A bystander has the row, too. */
const withMore: Change = (rows, self) => {
  const own = rows.find((row) => isAbout(row, self) && isFor(row, self));
  if (!own) return rows;
  return [...rows, changed(own, (bytes) => target(self).bystander.copy(bytes, 0))].sort(byOrder);
};

/** The first message is for a bystander, and not for whom its hash says. */
function readdressed(batch: MessageBatch, self: Cheater): MessageBatch {
  const [chunk, from] = batch.where;
  const { mailbox, bystander } = target(self);
  const chunks = batch.chunks.map((bytes) => Uint8Array.from(bytes));
  bystander.copy(chunks[chunk!]!, Buffer.from(chunks[chunk!]!).indexOf(mailbox, from));
  return { ...batch, chunks };
}

/** The neighbour of its number is given this, under the statement that it has made of something else. */
function handOn(
  what: string,
  role: ActorKind,
  change: (said: readonly Said[], self: Cheater) => readonly Said[],
): Cheat {
  return {
    ...{ name: `hand on ${what} signed`, role },
    give: (said, self) => {
      const other = change(said, self);
      return said.map((each, i) => {
        const { to, message } = each;
        const isIt = to.kind !== 'sequencer' && to.index === self.index && 'attestation' in message;
        if (!isIt) return each;
        return { to, message: { ...other[i]!.message, attestation: message.attestation } as ActorMessage };
      });
    },
  };
}

const handedOn: Cheat[] = [
  handOn('other recipients than', 'inbox', (said, self) =>
    renumber(
      said,
      self,
      (rows) => rows,
      (batch) => readdressed(batch, self),
    ),
  ),
  handOn('less than', 'router', SECOND.router),
  handOn('less than', 'receiver', SECOND.receiver),
  handOn('more than', 'router', (said, self) =>
    reroute(said, self, (shares) => shares.map((rows) => withMore(rows, self))),
  ),
  handOn('more than', 'receiver', (said, self) => merge(said, self, (rows) => withMore(rows, self))),
];

/** A client is told another statement than the log has. */
const clients: Cheat = {
  ...{ name: 'equivocate to two clients', role: 'outbox' },
  give: (said, self) => {
    const changed = resigned(said, self, (a) => ({
      ...a,
      outputs: a.outputs.map((each) => ({ ...each, root: named('other root') })),
    }));
    const own = changed.find(({ message }) => message.type === 'attested')?.message;
    if (own?.type === 'attested') self.theatre.leaked.push(own.attestation);
    return said;
  },
};

const wrongContext: Cheat[] = (['inbox', 'router', 'receiver', 'outbox'] as const).flatMap((role) => [
  {
    ...{ name: 'sign another base', role },
    give: (said: readonly Said[], self: Cheater) =>
      resigned(said, self, (a) => ({ ...a, base: { size: a.base.size, root: named('base') } })),
  },
  {
    ...{ name: 'sign another placement', role },
    give: (said: readonly Said[], self: Cheater) =>
      resigned(said, self, (a) => ({ ...a, placementRoot: named('placement') })),
  },
  {
    ...{ name: 'sign another manifest', role },
    give: (said: readonly Said[], self: Cheater) =>
      resigned(said, self, (a) => ({ ...a, manifestHash: named('manifest') })),
  },
]);

/** It names other statements than it was given as what it was made of; an inbox is given none. */
const otherInputs: Cheat[] = (['inbox', 'router', 'receiver', 'outbox'] as const).map((role) => ({
  ...{ name: 'name other inputs', role },
  give: (said, self) => resigned(said, self, (a) => ({ ...a, inputs: named('other inputs') })),
}));

/** Then it signs that epoch again, over what it has now; the others go on above it. */
const twice: Cheat[] = (['inbox', 'router', 'receiver', 'outbox'] as const).map((role) => ({
  ...{ name: 'sign twice after a restart', role },
  before: crashAndSend,
  give: (said, self) => {
    const own = said.find(({ message }) => message.type === 'attested')?.message;
    if (own?.type !== 'attested') return said;
    const { epoch } = decodeAttestation(self.theatre.leaked[0]!.bytes);
    const bytes = encodeAttestation({ ...decodeAttestation(own.attestation.bytes), epoch });
    self.theatre.leaked.push({ bytes, signature: self.sign(bytes) });
    return said;
  },
}));

/** In an epoch in which there is nothing for anybody. Bob and Carol ask for stills. */
const skip: Cheat[] = (['inbox', 'router', 'receiver', 'outbox'] as const).map((role) => ({
  ...{ name: 'skip an empty attestation', role, round: 4, silent: true },
  plan: (cast) => [...PLAN(cast), []],
  before: (theatre) => {
    theatre.ask(theatre.cast.bob);
    theatre.ask(theatre.cast.carol);
  },
}));

export const CHEATS: readonly (Cheat & { readonly role: ActorKind })[] = [
  ...dropForOne,
  ...dropForAll,
  ...alter,
  ...swap,
  ...inject,
  ...duplicate,
  ...unsorted,
  ...misaddress,
  wrongReceiver,
  numberTwice,
  wrongPrevious,
  emptyPrevious,
  noPrevious,
  disorder,
  ...atInbox,
  ...signedInboxes,
  ...malformed,
  ...miscount,
  ...neighbours,
  clients,
  ...handedOn,
  ...wrongContext,
  ...otherInputs,
  ...twice,
  ...skip,
  ...outboxes,
  ...sequencers,
];
