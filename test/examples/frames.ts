/** One example at least of every frame. */
import { sha256 } from '#crypto';
import * as p from '../../src/protocol/index.js';
import { leavesOf } from '../support/leaves.js';
import type { Example, JsonObject } from './format.js';
import { leafFor, OBJECTS, sessionSigned, submissionSignature } from './objects.js';
import * as w from './world.js';

const none: p.Checkpoint = { size: 0, root: p.ZERO_HASH, signature: new Uint8Array(64) };
const outbox = p.SESSION_KIND.outbox;

const request = (signer: (typeof w.KEYS)['bob'], acknowledged: number): p.SessionRequest => ({
  key: signer.publicKey,
  acknowledged,
  signature: signer.sign(sessionSigned(outbox, signer.publicKey)),
});

const opened = (head: Uint8Array): p.OpenedMailbox => ({
  error: 0,
  lastCounter: 0,
  lastEpoch: 0,
  total: 0,
  head,
});

/** A mailbox of an epoch in a deliver frame: its slot on this socket, and whose it is. */
interface Shown {
  readonly slot: number;
  readonly mailbox: Uint8Array;
}

function putEntries(out: p.FrameWriter, epoch: w.EpochExample, mailbox: Uint8Array): void {
  const mine = epoch.messages.flatMap((message, index) => {
    const cursor = w.cursorOn(message.bundle);
    const isMine = (i: number) => p.sameBytes(cursor.bytes, cursor.mailboxAt(i), mailbox, 0, 32);
    const position = Array.from({ length: cursor.recipients }, (_, i) => i).find(isMine);
    const sent = p.equalBytes(message.sender, mailbox);
    return position === undefined && !sent ? [] : [{ message, index, cursor, position }];
  });
  out.u8(p.MAILBOX_KIND.link).u32(mine.length);
  for (const { message, index, cursor, position } of mine) {
    if (position === undefined)
      p.putSentEntry(out, 0, index, message.counter, p.viewOf(w.hashOf(message)), 0);
    else {
      const leaves = leavesOf(cursor);
      p.putReceivedEntry(
        out,
        0,
        index,
        p.viewOf(message.sender),
        0,
        message.counter,
        cursor,
        leaves,
        position,
      );
    }
  }
}

function deliver(epoch: w.EpochExample, proof: p.LogProof, shown: readonly Shown[]) {
  const own = p.decodeAttestation(epoch.attestations[3]!.bytes);
  const out = new p.FrameWriter();
  p.putDeliverHead(out, proof, {
    ...epoch.context,
    previousEpoch: p.decodeEpochLeaf(epoch.epochLeaf).previousEpoch,
    inputs: own.inputs,
    entries: own.outputs[0]!.entries,
    leaves: own.outputs[0]!.leaves,
    signature: epoch.attestations[3]!.signature,
    actorPath: p.multiproof(p.buildTree(w.actorLeaves(epoch.attestations)), [3]),
  });
  const placed = shown.map(({ slot, mailbox }) => {
    const leaf = leafFor(epoch, mailbox);
    return { slot, leaf, position: epoch.leaves.indexOf(leaf) };
  });
  placed.sort((a, b) => a.position - b.position);
  out.u16(placed.length);
  for (const { slot, position, leaf } of placed) {
    out.u16(slot).u32(position);
    if (leaf.preimage[7] === 's'.charCodeAt(0)) out.u8(p.MAILBOX_KIND.still).u64(0);
    else putEntries(out, epoch, leaf.mailbox);
  }
  const leaves = p.concat(...epoch.leaves.map(({ preimage }) => sha256(preimage)));
  const proofHashes = p.multiproof(
    p.buildTree(leaves),
    placed.map(({ position }) => position),
  );
  return out
    .u32(proofHashes.length / 32)
    .bytes(proofHashes)
    .done();
}

/** The next leaf behind the client's checkpoint. */
const extend = (from: number, { signature }: p.Checkpoint, gap: Uint8Array): p.LogProof => ({
  mode: p.LOG_MODE.extend,
  logIndex: from,
  from,
  signature,
  gap,
});
const nothing = new Uint8Array(0);

const frame = (bytes: Uint8Array): Example => ({
  frame: bytes,
  json: JSON.parse(p.frameToJson(bytes)) as JsonObject,
});

export const FRAMES: Readonly<Record<string, Example>> = {
  'hello-frame': frame(p.encodeHello({ kind: outbox, nonce: w.CLIENT_NONCE, checkpoint: none })),
  'hello-frame-again': frame(
    p.encodeHello({ kind: outbox, nonce: w.CLIENT_NONCE, checkpoint: w.CHECKPOINT_1 }),
  ),
  'challenge-frame': frame(
    p.encodeChallenge({
      serverId: w.SERVER_ID,
      challenge: w.CHALLENGE,
      manifestHash: w.MANIFEST_HASH,
    }),
  ),
  'session-frame': frame(p.encodeSession([request(w.KEYS.alice, 0), request(w.KEYS.carol, 0)])),
  'opened-frame': frame(p.encodeOpened([opened(w.same(0x1a)), opened(w.same(0x1c))])),
  'opened-frame-refused': frame(
    p.encodeOpened([{ ...opened(p.ZERO_HASH), error: p.ERRORS['session-refused'].number }]),
  ),
  'submit-frame': frame(p.encodeSubmit(0, 1, [w.FIRST.bundle, w.SECOND.bundle])),
  'submit-frame-signed': frame(p.encodeSubmit(0, 1, [w.FIRST.bundle, w.SECOND.bundle], submissionSignature)),
  'placed-frame': frame(
    p.encodePlaced({
      slot: 0,
      epoch: 1,
      inbox: 0,
      messages: [
        { counter: 1, index: 0 },
        { counter: 2, index: 1 },
      ],
    }),
  ),
  'ack-frame': frame(
    p.encodeAck([
      { slot: 0, epoch: 1001 },
      { slot: 1, epoch: 1 },
    ]),
  ),
  'ask-still-frame': frame(p.encodeAskStill([1])),
  'ping-frame': frame(p.PING),
  'pong-frame': frame(p.PONG),
  'open-frame': frame(
    p.encodeOpen({
      ...{ slot: 0, request: 1, stage: p.ROLE.outbox },
      ...{ epoch: 1, inbox: 0, index: 0, mailbox: w.BOB },
    }),
  ),
  'opening-frame': frame(
    p.encodeOpening({
      ...{ request: 1, error: 0, retryAfterMs: 0 },
      claims: [OBJECTS['claim-on-a-link']!['claim'] as Uint8Array],
      submissions: [],
    }),
  ),
  'opening-frame-refused': frame(
    p.encodeOpening({
      ...{ request: 2, error: p.ERRORS.busy.number, retryAfterMs: 30_000 },
      claims: [],
      submissions: [],
    }),
  ),
  'checkpoint-frame': frame(
    p.encodeCheckpoint({
      from: 0,
      to: 2,
      signature: w.CHECKPOINT_2.signature,
      gap: p.merkleRoot(p.concat(...w.LOG.map((leaf) => sha256(leaf)))),
    }),
  ),
  'end-of-backlog-frame': frame(p.encodeEndOfBacklog({ slot: 0, epoch: 1001 })),
  'error-frame': frame(
    p.encodeError({
      number: p.ERRORS['counter-gap'].number,
      slot: 0,
      firstCounter: 5,
      count: 1,
      expected: 3,
      retryAfterMs: 0,
      text: 'counter 5 came, 3 is expected',
    }),
  ),
  'deliver-frame-live': frame(
    deliver(w.EPOCH_1, extend(0, w.CHECKPOINT_1, nothing), [{ slot: 0, mailbox: w.BOB }]),
  ),
  'deliver-frame-backlog': frame(
    deliver(w.EPOCH_1, { mode: p.LOG_MODE.under, logIndex: 0, size: 2, path: sha256(w.EPOCH_2.epochLeaf) }, [
      { slot: 0, mailbox: w.ALICE },
    ]),
  ),
  'deliver-frame-still': frame(
    deliver(w.EPOCH_2, extend(1, w.CHECKPOINT_2, nothing), [
      { slot: 0, mailbox: w.ALICE },
      { slot: 1, mailbox: w.CAROL },
    ]),
  ),
};
