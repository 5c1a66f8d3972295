/** Openings rebuilt from the store against what the twin says that every stage has signed. */
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Archive, open } from '../src/actors/openings.js';
import type { Steps } from '../src/actors/stage-leaves.js';
import {
  type Claim,
  CountersignError,
  decodeClaim,
  type ErrorCode,
  type OpenedItem,
  ROLE,
  verifyClaim,
} from '../src/protocol/index.js';
import { same } from './checks.js';
import { plans } from './support/plans.js';
import { type Done, SideBySide } from './support/side-by-side.js';
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

  constructor(readonly side: SideBySide) {
    const { store, cluster } = side.pipeline;
    this.archive = { reader: store, manifest: cluster.manifest, placementOf: cluster.placement };
  }

  open(asked: OpenedItem, key: Uint8Array | null = null): Claim[] {
    const { pipeline } = this.side;
    const { serverId, manifest } = pipeline.cluster;
    const claims = run(open(this.archive, asked, key, pipeline.checkpoint())).map(decodeClaim);
    for (const claim of claims) {
      const { attestation } = verifyClaim(claim, serverId, manifest, serverId);
      assert.equal([attestation.epoch, attestation.role], [asked.epoch, asked.stage]);
    }
    return claims;
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
  if (leaves.length === 0) return assert.is(claims.length, 1);
  const key = twin.join(Buffer.from(asked.mailbox), twin.u16(asked.inbox), twin.u32(asked.index));
  const indices = claims.map(({ leafIndex }) => leafIndex);
  const shown = indices.map((i) => leaves[i]!);
  if (leaves.some(({ keys }) => keys.some((each) => each.equals(key)))) {
    assert.is(claims.length, 1);
    return assert.ok(shown[0]!.keys.some((each) => each.equals(key)));
  }
  // Absent: it lies within what is shown, between two that are neighbours, or at an end.
  const isOwn = (leaf: Buffer) =>
    asked.stage === ROLE.outbox && leaf.subarray(9, 41).equals(Buffer.from(asked.mailbox));
  const [first, last] = [shown[0]!, shown.at(-1)!];
  if (claims.length === 2) assert.is(indices[1], indices[0]! + 1);
  const fromBelow =
    Buffer.compare(first.keys[0]!, key) < 0 ||
    indices[0] === 0 ||
    (isOwn(first.leaf) && first.leaf.readUInt16BE(49) === 0);
  const toAbove =
    Buffer.compare(last.keys.at(-1)!, key) > 0 ||
    indices.at(-1) === leaves.length - 1 ||
    (isOwn(last.leaf) &&
      (last.leaf[7] === 's'.charCodeAt(0) || last.leaf.readUInt16BE(49) + 1 === last.leaf.readUInt16BE(51)));
  assert.ok(fromBelow && toAbove, `absence at stage ${asked.stage}: ${indices} of ${leaves.length}`);
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

/** Who is in the message may see it; who is not may see nothing but absence from its own mailbox. */
function checkParties(opener: Opener, { input, result }: Done, mailboxes: readonly Buffer[]): void {
  const items = result.receiverItems.flat();
  const epoch = Number(input.epoch);
  for (const key of mailboxes.slice(0, 4)) {
    for (const { inbox, index, mailbox } of items.slice(0, 40)) {
      const isIn = items.some(
        (item) => item.mailbox.equals(key) && item.inbox === inbox && item.index === index,
      );
      const expected = isIn || mailbox.equals(key) ? null : 'not-a-party';
      assert.is(opener.refusal({ stage: ROLE.receiver, epoch, inbox, index, mailbox }, key), expected);
      assert.is(
        opener.refusal({ stage: ROLE.inbox, epoch, inbox, index, mailbox: ZERO }, key),
        isIn ? null : 'not-a-party',
      );
      for (const other of mailboxes.slice(0, 4)) {
        const both =
          isIn &&
          items.some((item) => item.mailbox.equals(other) && item.inbox === inbox && item.index === index);
        const allowed = both || other.equals(key);
        assert.is(
          opener.refusal({ stage: ROLE.outbox, epoch, inbox, index, mailbox: other }, key),
          allowed ? null : 'not-a-party',
        );
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
        const stride = Math.ceil(items.length / 60);
        for (let i = 0; i < items.length; i += stride) checkOpened(opener, done, items[i]!);
        checkParties(opener, done, mailboxes);
      }
    }),
    runOptions(12),
  );
});

test.run();
