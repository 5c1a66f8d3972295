/** Openings rebuilt from the store against what the twin says that every stage has signed. */

import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Archive, open } from '../src/actors/openings.js';
import { Placements } from '../src/actors/placements.js';
import type { Steps } from '../src/actors/stage-leaves.js';
import {
  type Claim,
  CountersignError,
  decodeClaim,
  type ErrorCode,
  encodeClaim,
  isOpened,
  type OpenedItem,
  ROLE,
  verifyClaim,
} from '../src/protocol/index.js';
import { same } from './checks.js';
import { epochOf, kept, OPENED } from './support/kept-for-openings.js';
import { plans } from './support/plans.js';
import { type Done, type EpochPlan, SideBySide } from './support/side-by-side.js';
import * as twin from './twin/index.js';
import { named, runOptions } from './worlds.js';

const test = suite('openings');

function run<T>(steps: Steps<T>): T {
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
  }
}

/** Opens as a server does, and verifies every claim as anybody can. */
class Opener {
  readonly archive: Archive;

  constructor(
    readonly side: SideBySide,
    retentionEpochs = 100_000,
  ) {
    const { store, cluster } = side.pipeline;
    const { policy, ...rest } = cluster.manifest;
    const manifest = { ...rest, policy: { ...policy, retentionEpochs } };
    // With the exceptions of the plan, of which no manifest can tell.
    const placements = Object.assign(new Placements(cluster.serverId, [{ from: 1, manifest }]), {
      placed: (_: number, id: Uint8Array) => cluster.placement(id),
    });
    this.archive = { reader: store, placements };
  }

  open(asked: OpenedItem, key: Uint8Array | null = null): Claim[] {
    const { pipeline } = this.side;
    const { serverId, manifest } = pipeline.cluster;
    const claims = run(open(this.archive, asked, key, pipeline.checkpoint())).claims.map(decodeClaim);
    for (const claim of claims) {
      const { attestation } = verifyClaim(claim, serverId, manifest, serverId);
      assert.equal([attestation.epoch, attestation.role], [asked.epoch, asked.stage]);
    }
    return claims;
  }

  isThere(asked: OpenedItem, claims: readonly Claim[]): boolean {
    const { serverId, manifest, placement } = this.side.pipeline.cluster;
    const statements = claims.map((claim) => verifyClaim(claim, serverId, manifest, serverId));
    return isOpened(asked, placement(asked.mailbox).outbox, statements);
  }

  refusal(asked: OpenedItem, key: Uint8Array | null): ErrorCode | null {
    try {
      this.open(asked, key);
      return null;
    } catch (error) {
      if (error instanceof CountersignError) return error.code;
      throw error;
    }
  }
}

const ZERO = new Uint8Array(32);

/** Every item of the epoch, and places around it: of each mailbox, at each inbox, one before the first and behind the last. */
function* itemsOf({ input, result }: Done, mailboxes: readonly Buffer[]): Generator<OpenedItem> {
  const epoch = Number(input.epoch);
  for (const mailbox of mailboxes) {
    for (const [inbox, messages] of result.messageHashes.entries())
      for (let index = 0; index <= messages.length; index++)
        for (const stage of [ROLE.router, ROLE.receiver, ROLE.outbox])
          yield { stage, epoch, inbox, index, mailbox };
  }
}

/** What the twin signed there: leaves, and for each the keys (mailbox ‖ inbox ‖ index) of its first and last item. */
function expectedAt({ input, result }: Done, { stage, inbox, mailbox }: OpenedItem) {
  const { outbox } = input.placement(Buffer.from(mailbox));
  const keyOf = (item: { mailbox: Buffer; inbox: number; index: number }) =>
    twin.join(item.mailbox, twin.u16(item.inbox), twin.u32(item.index));
  const paged = (pages: Buffer[], items: twin.MailboxItem[]) =>
    pages.map((leaf, i) => ({ leaf, keys: items.slice(i * 64, i * 64 + 64).map(keyOf) }));
  if (stage === ROLE.router)
    return {
      output: outbox,
      actor: inbox,
      leaves: paged(result.routerPages[inbox]![outbox]!, result.routerItems[inbox]![outbox]!),
    };
  if (stage === ROLE.receiver)
    return {
      output: 0,
      actor: outbox,
      leaves: paged(result.receiverPages[outbox]!, result.receiverItems[outbox]!),
    };
  const leaves = result.outboxLeaves[outbox]!.map((leaf) => {
    const link = result.links[outbox]!.find((each) => twin.linkLeaf(each).equals(leaf));
    const owner = leaf.subarray(9, 41);
    return { leaf, keys: link ? link.entries.map((entry) => keyOf({ mailbox: owner, ...entry })) : [owner] };
  });
  return { output: 0, actor: outbox, leaves };
}

function checkOpened(opener: Opener, done: Done, asked: OpenedItem): void {
  const claims = opener.open(asked);
  const { output, actor, leaves } = expectedAt(done, asked);
  const own = done.result.attestations.find(({ role, index }) => role === asked.stage && index === actor)!;
  for (const claim of claims) {
    same(claim.attestation, own.signed, 'attestation');
    assert.is(claim.output, output);
    if (leaves.length === 0) assert.is(claim.leaf.length, 0);
    else same(claim.leaf, leaves[claim.leafIndex]!.leaf, 'leaf');
  }
  const key = twin.join(Buffer.from(asked.mailbox), twin.u16(asked.inbox), twin.u32(asked.index));
  const isThere = leaves.some(({ keys }) => keys.some((each) => each.equals(key)));
  if (isThere || leaves.length === 0) assert.is(claims.length, 1);
  // That they show it, or that it is not there, is what a client finds, too; and with less it finds neither.
  assert.is(opener.isThere(asked, claims), isThere);
  for (const fewer of [claims.slice(1), claims.slice(0, -1)])
    if (claims.length === 2 || fewer.length === 0)
      assert.throws(() => opener.isThere(asked, fewer), /opening/);
  const other = { ...asked, epoch: asked.epoch + 1 };
  assert.throws(() => opener.isThere(other, claims), /another stage or epoch/);
}

function checkInboxes(opener: Opener, { input, result }: Done): void {
  const epoch = Number(input.epoch);
  for (const [inbox, pages] of result.inboxPages.entries()) {
    const count = result.messageHashes[inbox]!.length;
    const at = (index: number) => ({ stage: ROLE.inbox, epoch, inbox, index, mailbox: ZERO });
    for (let index = 0; index < count; index++) {
      const [claim, ...others] = opener.open(at(index));
      assert.equal([claim!.leafIndex, others.length], [Math.floor(index / 64), 0]);
      same(claim!.leaf, pages[claim!.leafIndex]!, 'inbox page');
    }
    if (count > 0) assert.is(opener.refusal(at(count), null), 'opening-unknown');
    else assert.is(opener.open(at(0))[0]!.leaf.length, 0);
  }
  assert.is(
    opener.refusal(
      { stage: ROLE.inbox, epoch, inbox: result.inboxPages.length, index: 0, mailbox: ZERO },
      null,
    ),
    'opening-unknown',
  );
}

/** Its own mailbox to anybody; who is in the message sees its inbox page; sender and recipients each other's item. */
function checkParties(opener: Opener, { input, result }: Done, mailboxes: readonly Buffer[]): void {
  const items = result.receiverItems.flat();
  const epoch = Number(input.epoch);
  for (const { inbox, index } of items.slice(0, 40)) {
    const isIn = (id: Buffer) =>
      items.some((item) => item.mailbox.equals(id) && item.inbox === inbox && item.index === index);
    const { sender } = input.inboxes[inbox]![index]!;
    const place = { epoch, inbox, index };
    for (const key of mailboxes.slice(0, 4)) {
      const refusal = (stage: OpenedItem['stage'], mailbox: Uint8Array) =>
        opener.refusal({ stage, ...place, mailbox }, key);
      assert.is(refusal(ROLE.inbox, ZERO), isIn(key) ? null : 'not-a-party');
      for (const mailbox of [...mailboxes.slice(0, 4), sender]) {
        const isBetween = isIn(key) && isIn(mailbox) && (sender.equals(key) || sender.equals(mailbox));
        const expected = isBetween || mailbox.equals(key) ? null : 'not-a-party';
        for (const stage of [ROLE.receiver, ROLE.outbox]) assert.is(refusal(stage, mailbox), expected);
      }
    }
  }
}

test('every stage of random epochs opens as what the twin says that it signed', () => {
  fc.assert(
    fc.property(plans, (plan) => {
      const side = new SideBySide(plan, { checkInputs: false });
      side.run(plan, { kind: 'nothing', reuse: false, forget: false });
      const opener = new Opener(side);
      const mailboxes = side.world.clients.map(({ id }) => id);
      for (const done of side.done.values()) {
        checkInboxes(opener, done);
        // All that there is takes too long where there is much.
        const items = [...itemsOf(done, [...mailboxes, named('stranger')])];
        const stride = Math.ceil(items.length / 40);
        for (let i = 0; i < items.length; i += stride) checkOpened(opener, done, items[i]!);
        checkParties(opener, done, mailboxes);
      }
    }),
    { ...runOptions(4, 1), endOnFailure: true },
  );
});

const FULL: EpochPlan = {
  frames: Array.from({ length: 40 }, (_, i) => ({
    sender: i % 7,
    bundles: Array.from({ length: 5 }, (_, k) => ({ recipients: [(i + k) % 20], body: 50, envelope: 0 })),
  })),
  early: 0,
  asked: [],
  acks: Array.from({ length: 20 }, (_, i) => i),
};
const EMPTY: EpochPlan = { frames: [], early: 0, asked: [0, 1], acks: [] };
const BETWEEN = { kind: 'nothing', reuse: false, forget: false } as const;

test('a stage opens after its mail is acknowledged and deleted, until the retention is over', () => {
  const plan = { inboxes: 2, outboxes: 2, mailboxes: 20, moved: [], epochs: [FULL, EMPTY, EMPTY] };
  const side = new SideBySide(plan, { checkInputs: false, flushEpochs: 1, retentionEpochs: 8 });
  side.run(plan, BETWEEN);
  const opener = new Opener(side, 8);
  const [first, second] = [...side.done.values()];
  const epoch = Number(first!.input.epoch);
  assert.is(kept(side, epoch, 'BR'), 0, 'bodies are deleted');
  assert.ok(kept(side, epoch + 1, 'T') > 0, 'stills are kept');
  const mailboxes = side.world.clients.map(({ id }) => id);
  const items = [...itemsOf(first!, mailboxes)].filter((_, i) => i % 97 === 0);
  for (const asked of items) checkOpened(opener, first!, asked);
  for (const asked of itemsOf(second!, mailboxes)) checkOpened(opener, second!, asked);
  const key = mailboxes[0]!;
  const asked = { stage: ROLE.outbox, epoch, inbox: 0, index: 0, mailbox: key };
  assert.is(opener.refusal(asked, key), null);
  side.run({ ...plan, epochs: Array.from({ length: 12 }, () => EMPTY) }, BETWEEN);
  assert.is(opener.refusal(asked, key), 'opening-expired');
  assert.is(opener.refusal({ ...asked, epoch: epoch + 1_000_000 }, key), 'opening-unknown');
  for (const old of [epoch, epoch + 1]) assert.is(kept(side, old, OPENED), 0, 'nothing is left');
});

for (const [recipients, messagesPerFrame, signed] of [
  [1, 1, true],
  [1, 16, true],
  [10, 4, true],
  [1, 16, false],
  [10, 4, false],
] as const)
  test(`what is kept of a message to ${recipients}, ${messagesPerFrame} in a ${signed ? 'signed' : 'unsigned'} frame, is within the budget`, () => {
    const mailboxes = 20;
    const { side, epoch } = epochOf({ mailboxes, messagesPerFrame, recipients, signed });
    assert.is(kept(side, epoch, 'BR'), 0);
    const { input, result } = side.done.get(epoch)!;
    const [messages, items] = [input.inboxes[0]!.length, result.receiverItems[0]!.length];
    assert.equal([messages, items], [mailboxes * messagesPerFrame, messages * (recipients + 1)]);
    // docs/ARCHITECTURE.md, "Openings": per message, per recipient and sender, per frame, per mailbox, per actor.
    const budget = 46 * messages + 49 * items + (signed ? 152 : 44) * mailboxes + 140 * mailboxes + 400 * 4;
    const bytes = kept(side, epoch, OPENED);
    assert.ok(bytes <= budget, `${bytes} bytes, at most ${budget}`);
    // And it is the budget of this, not of twice as much.
    assert.ok(bytes > budget * 0.9, `${bytes} bytes of ${budget}`);
  });

test('links of several parts open part by part', () => {
  const plan = { inboxes: 2, outboxes: 1, mailboxes: 3, moved: [], epochs: [FULL] };
  const side = new SideBySide(plan, { checkInputs: false });
  side.run(plan, BETWEEN);
  const [done] = [...side.done.values()] as [Done];
  assert.ok(done.result.links[0]!.some(({ part }) => part > 0));
  const mailboxes = side.world.clients.map(({ id }) => id);
  const items = [...itemsOf(done, mailboxes)].filter(
    ({ stage, index }) => stage === ROLE.outbox && index % 3 === 0,
  );
  const opener = new Opener(side);
  for (const asked of items) checkOpened(opener, done, asked);
});

test('a claim without a leaf is one of an output without leaves, and no other', () => {
  const plan = {
    inboxes: 1,
    outboxes: 1,
    mailboxes: 2,
    moved: [],
    epochs: [
      { ...FULL, acks: [] },
      { ...EMPTY, asked: [] },
    ],
  };
  const side = new SideBySide(plan, { checkInputs: false });
  side.run(plan, BETWEEN);
  const opener = new Opener(side);
  const { serverId, manifest } = side.pipeline.cluster;
  const verified = (claim: Claim) =>
    verifyClaim(decodeClaim(encodeClaim(claim)), serverId, manifest, serverId);
  const [full, empty] = [...side.done.values()].map(({ input }) => Number(input.epoch)) as [number, number];
  const mailbox = side.world.clients[0]!.id;
  for (const stage of [ROLE.inbox, ROLE.router, ROLE.receiver, ROLE.outbox]) {
    const at = { stage, inbox: 0, index: 0, mailbox: stage === ROLE.inbox ? ZERO : mailbox };
    const [none] = opener.open({ ...at, epoch: empty }) as [Claim];
    const [some] = opener.open({ ...at, epoch: full }) as [Claim];
    assert.is(verified(none).leaf.length, 0);
    const wrong = [
      { ...none, leafIndex: 1 },
      { ...none, outputPath: ZERO },
      { ...none, leaf: some.leaf },
      { ...some, leaf: none.leaf },
      { ...some, leaf: none.leaf, leafIndex: 0, outputPath: none.outputPath },
    ];
    for (const claim of wrong) assert.throws(() => verified(claim), /leaf|range/);
  }
});

test.run();
