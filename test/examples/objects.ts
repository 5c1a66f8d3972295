/** The examples of everything that is hashed or signed. */
import { sha256 } from '#crypto';
import * as p from '../../src/protocol/index.js';
import { checkpointNote } from '../../src/protocol/notes/index.js';
import type { Example, JsonObject } from './format.js';
import * as w from './world.js';

const { concat, ascii } = p;
export const u16 = (value: number) => new p.Writer(2).u16(value).done();
export const u32 = (value: number) => new p.Writer(4).u32(value).done();
export const u64 = (value: number) => new p.Writer(8).u64(value).done();

const hashed = (preimage: Uint8Array): Example => ({ preimage, hash: sha256(preimage) });

const keys: Example = Object.fromEntries(
  Object.entries(w.KEYS).map(([name, { publicKey }]) => [`${name} key`, publicKey]),
);

// ---- messages

const body = ascii('one');
const bodyHash: Example = { body, ...hashed(concat(ascii('csign1bo'), body)) };
const envelope = ascii('for Bob');
const envelopeHash: Example = { envelope, ...hashed(concat(ascii('csign1en'), envelope)) };

const blinderPreimage = concat(ascii('csign1bl'), w.ROSTER_KEY, w.BOB);
const blinder: Example = {
  'roster key': w.ROSTER_KEY,
  mailbox: w.BOB,
  ...hashed(blinderPreimage),
  blinder: p.blinderFor(w.ROSTER_KEY, w.BOB),
};

/** The 89 bytes of recipient `i`. */
function leafOf(bundle: Uint8Array, i: number): Uint8Array {
  const at = w.cursorOn(bundle).leafAt(i);
  return bundle.slice(at, at + p.LEAF_PART_BYTES);
}

const recipientLeaf: Example = hashed(leafOf(w.SECOND.bundle, 0));

/** The preimage of a message hash from its parts, written out here a second time. */
function messagePreimage({ sender, counter }: w.Message, count: number, R: Uint8Array, text: string) {
  const bodyPart = concat(ascii('csign1bo'), ascii(text));
  const numbers = concat(u64(counter), u16(count));
  return concat(ascii('csign1ms'), w.SERVER_ID, sender, numbers, R, sha256(bodyPart));
}

const message1: Example = {
  bundle: w.FIRST.bundle,
  ...hashed(messagePreimage(w.FIRST, 1, leafOf(w.FIRST.bundle, 0).subarray(9), 'one')),
};
const secondLeaves = concat(...[0, 1].map((i) => sha256(leafOf(w.SECOND.bundle, i))));
const message2: Example = {
  bundle: w.SECOND.bundle,
  'leaf hashes': secondLeaves,
  ...hashed(messagePreimage(w.SECOND, 2, secondLeaves, 'two')),
};

/** A message to 17, so that the recipients take two pages; the mailboxes are keys of seeds 21 … 31. */
export const MANY: w.Message = {
  sender: w.ALICE,
  counter: 3,
  bundle: w.bundle(
    Array.from({ length: 17 }, (_, i) => w.key(0x21 + i).publicKey),
    'many',
  ),
  previous: p.NO_PLACE,
};
const manyLeaves = Array.from({ length: 17 }, (_, i) => sha256(leafOf(MANY.bundle, i)));
const manyPages = [manyLeaves.slice(0, 16), manyLeaves.slice(16)].map((leaves) =>
  concat(ascii('\0csign1rp'), ...leaves),
);
const manyRoot = p.merkleRoot(concat(...manyPages.map((page) => sha256(page))));
const message17: Example = {
  'first mailbox': MANY.bundle.slice(27, 59),
  'page 0 preimage': manyPages[0]!,
  'page 0 hash': sha256(manyPages[0]!),
  'page 1 preimage': manyPages[1]!,
  'page 1 hash': sha256(manyPages[1]!),
  'recipients root': manyRoot,
  ...hashed(messagePreimage(MANY, 17, manyRoot, 'many')),
};

const submittedHashes = concat(w.hashOf(w.FIRST), w.hashOf(w.SECOND));
const submissionPage = concat(ascii('\0csign1sl'), submittedHashes);
const submissionSigned = p.submissionBytes(w.SERVER_ID, w.ALICE, 1, submittedHashes);
export const submissionSignature = w.KEYS.alice.sign(submissionSigned);
const submission: Example = {
  'page preimage': submissionPage,
  'page hash': sha256(submissionPage),
  key: w.ALICE,
  'signed bytes': submissionSigned,
  signature: submissionSignature,
  ...hashed(concat(ascii('csign1su'), submissionSigned, submissionSignature)),
  shown: p.encodeSubmission(
    {
      ...{ serverId: w.SERVER_ID, sender: w.ALICE, firstCounter: 1 },
      ...{ messageHashes: submittedHashes, signature: submissionSignature },
    },
    1,
  ),
};

// ---- chains

/** 65 entries, so that a link takes two parts; message hash i is the byte i, 32 times. */
const sixtyFive = concat(...Array.from({ length: 65 }, (_, i) => concat(u16(0), u32(i), w.same(i))));
const seed: p.ChainState = { lastEpoch: 0, total: 0, head: w.same(0x1b) };
const part0 = p.linkPreimage(w.BOB, 1, 0, 2, seed, sixtyFive.subarray(0, 64 * 38));
const after0 = { lastEpoch: 0, total: 64, head: sha256(part0) };
const part1 = p.linkPreimage(w.BOB, 1, 1, 2, after0, sixtyFive.subarray(64 * 38));
const linkParts: Example = {
  'part 0 hash': sha256(part0),
  'part 1 preimage': part1,
  'part 1 hash': sha256(part1),
};

export const leafFor = (epoch: w.EpochExample, mailbox: Uint8Array) =>
  epoch.leaves.find((leaf) => p.equalBytes(leaf.mailbox, mailbox))!;

// ---- attestations, log, manifest

const outboxInputs = concat(ascii('csign1ip'), u16(1), p.attestationHash(w.EPOCH_1.attestations[2]!.bytes));
const noInputs = concat(ascii('csign1ip'), u16(0));

function attestation(stage: number, key: Uint8Array): Example {
  const { bytes, signature } = w.EPOCH_1.attestations[stage]!;
  return { key, 'signed bytes': bytes, signature, ...hashed(concat(ascii('csign1at'), bytes)) };
}

const actorLeaf: Example = hashed(
  concat(
    ascii('\0csign1ac'),
    p.attestationHash(w.EPOCH_1.attestations[3]!.bytes),
    w.EPOCH_1.attestations[3]!.signature,
  ),
);

const checkpointName = p.checkpointOrigin(w.SERVER_ID);
const checkpointText = p.checkpointText(w.SERVER_ID, w.CHECKPOINT_2.size, w.CHECKPOINT_2.root);
const keyIdPreimage = concat(ascii(`${checkpointName}\n`), Uint8Array.of(0x01), w.KEYS.sequencer.publicKey);
const checkpoint: Example = {
  root: w.CHECKPOINT_2.root,
  key: w.KEYS.sequencer.publicKey,
  'signed bytes': checkpointText,
  signature: w.CHECKPOINT_2.signature,
  'key id preimage': keyIdPreimage,
  'key id hash': sha256(keyIdPreimage),
  note: checkpointNote(w.SERVER_ID, w.CHECKPOINT_2, w.KEYS.sequencer.publicKey),
};

const manifest: Example = {
  manifest: w.MANIFEST,
  ...hashed(concat(ascii('csign1mf'), w.MANIFEST)),
  'server id': w.SERVER_ID,
  key: w.KEYS.root.publicKey,
  'signed bytes': p.manifestSigned(w.MANIFEST),
  signature: w.KEYS.root.sign(p.manifestSigned(w.MANIFEST)),
  content: p.manifestToJson(p.decodeManifest(w.MANIFEST)) as JsonObject,
};

const exception = { id: w.ALICE, inbox: 0, outbox: 0 };
const placementLeaf = concat(ascii('\0csign1pl'), w.ALICE, u16(0), u16(0));
const bucketPreimage = concat(ascii('csign1bk'), w.SERVER_ID, w.ALICE);
const placement: Example = {
  'leaf preimage': placementLeaf,
  'leaf hash': sha256(placementLeaf),
  'root of this leaf alone': p.placementRoot([exception]),
  'root without exceptions': p.placementRoot([]),
  'bucket preimage': bucketPreimage,
  'bucket hash': sha256(bucketPreimage),
  bucket: u16(p.bucketOf(w.SERVER_ID, w.ALICE)),
};

export const sessionSigned = (kind: p.SessionKind, id: Uint8Array) =>
  p.sessionBytes(w.SERVER_ID, kind, w.CHALLENGE, w.CLIENT_NONCE, id);
const session: Example = {
  key: w.BOB,
  'signed bytes': sessionSigned(p.SESSION_KIND.outbox, w.BOB),
  signature: w.KEYS.bob.sign(sessionSigned(p.SESSION_KIND.outbox, w.BOB)),
};

// ---- trees

const treeLeaves = Array.from({ length: 7 }, (_, i) => sha256(Uint8Array.of(0, i)));
const treeOf = (size: number) => p.buildTree(concat(...treeLeaves.slice(0, size)));
const nodes: p.LogNodes = (level, index) =>
  p.merkleRoot(concat(...treeLeaves.slice(index * 2 ** level, (index + 1) * 2 ** level)));
const tree: Example = {
  'root of 0 leaves': p.merkleRoot(concat(...treeLeaves.slice(0, 0))),
  'root of 1 leaf': p.merkleRoot(concat(...treeLeaves.slice(0, 1))),
  'root of 3 leaves': p.merkleRoot(concat(...treeLeaves.slice(0, 3))),
  'root of 7 leaves': p.merkleRoot(concat(...treeLeaves.slice(0, 7))),
  'path of leaf 4 of 7': p.multiproof(treeOf(7), [4]),
  'multiproof of leaves 1 and 2 and 6 of 7': p.multiproof(treeOf(7), [1, 2, 6]),
  'frontier of 3 leaves': p.gapHashes(nodes, 0, 3),
  'gap from 3 to 7': p.gapHashes(nodes, 3, 7),
  'frontier of 7 leaves': p.gapHashes(nodes, 0, 7),
  'consistency proof from 3 to 7': p.consistencyProof(nodes, 3, 7),
};

// ---- claims

/** A claim on a leaf of stage `stage` (0 inbox … 3 outbox) of epoch 1, under the newest checkpoint. */
export function claimOn(stage: number, leaf: Uint8Array, leafIndex: number, leaves: readonly Uint8Array[]) {
  const { bytes, signature } = w.EPOCH_1.attestations[stage]!;
  return p.encodeClaim({
    leaf,
    output: 0,
    leafIndex,
    outputPath: p.multiproof(p.buildTree(concat(...leaves.map((each) => sha256(each)))), [leafIndex]),
    attestation: bytes,
    signature,
    actorPath: p.multiproof(p.buildTree(w.actorLeaves(w.EPOCH_1.attestations)), [stage]),
    epochLeaf: w.EPOCH_1.epochLeaf,
    logIndex: 0,
    logPath: sha256(w.EPOCH_2.epochLeaf),
    checkpoint: w.CHECKPOINT_2,
  });
}

const links = w.EPOCH_1.leaves.map(({ preimage }) => preimage);
const bobsLink = leafFor(w.EPOCH_1, w.BOB);

/** As if a second version with this hash placed Bob at outbox 1, behind epoch 1. */
const bobsState = { lastEpoch: 1, total: 2, head: sha256(bobsLink.preimage) };
const mailboxLeaf = p.handedLeaf(p.ROLE.outbox, p.keptMailbox(w.BOB, bobsState));
const alicesState = { counter: 2, place: { epoch: 1, inbox: 0, index: 1 } };
const senderLeaf = p.handedLeaf(p.ROLE.inbox, p.keptSender(w.ALICE, alicesState));
const handedOver = p.encodeHandOver({
  ...{ serverId: w.SERVER_ID, manifestHash: w.same(0x0e), placementRoot: p.EMPTY_ROOT },
  ...{ role: p.ROLE.outbox, from: 0, to: 1, log: w.CHECKPOINT_1, lastEpoch: 1 },
  ...{ leaves: 1, root: sha256(mailboxLeaf) },
});
const handOver: Example = {
  'mailbox preimage': mailboxLeaf,
  'mailbox hash': sha256(mailboxLeaf),
  'sender preimage': senderLeaf,
  'sender hash': sha256(senderLeaf),
  'signed bytes': handedOver,
  key: w.KEYS.outbox.publicKey,
  signature: w.KEYS.outbox.sign(handedOver),
};

// ---- vectors

const [lowerId, higherId] = p.compareWhole(w.ALICE, w.BOB) < 0 ? [w.ALICE, w.BOB] : [w.BOB, w.ALICE];
const seedPreimage = concat(ascii('csign1vs'), w.SERVER_ID, lowerId, higherId, Uint8Array.of(0), u64(0));
const pairItem = (index: number, message: w.Message) => concat(u16(0), u32(index), w.hashOf(message));
const epoch1Preimage = concat(
  ...[ascii('csign1vi'), u64(1), u32(2), pairItem(0, w.FIRST), pairItem(1, w.SECOND)],
);
const epoch1001Preimage = concat(ascii('csign1vi'), u64(1001), u32(1), pairItem(0, w.THIRD));
const afterEpoch1 = concat(ascii('csign1vd'), sha256(seedPreimage), sha256(epoch1Preimage));
const afterEpoch1001 = concat(ascii('csign1vd'), sha256(afterEpoch1), sha256(epoch1001Preimage));
/** Of Alice and Bob. */
const pairDigest: Example = {
  'seed preimage': seedPreimage,
  'seed hash': sha256(seedPreimage),
  'epoch 1 preimage': epoch1Preimage,
  'epoch 1 hash': sha256(epoch1Preimage),
  'after epoch 1 preimage': afterEpoch1,
  'after epoch 1 hash': sha256(afterEpoch1),
  'epoch 1001 preimage': epoch1001Preimage,
  'epoch 1001 hash': sha256(epoch1001Preimage),
  'after epoch 1001 preimage': afterEpoch1001,
  'after epoch 1001 hash': sha256(afterEpoch1001),
};
const block: Example = {
  block: p.encodeBlock({
    ...{ scope: p.SCOPE.direct, from: 0, asOf: 1001, digest: sha256(afterEpoch1001) },
    anchor: p.anchorOf(new p.Frontier()),
  }),
};

export const OBJECTS: Readonly<Record<string, Example>> = {
  keys,
  'body-hash': bodyHash,
  'envelope-hash': envelopeHash,
  blinder,
  'recipient-leaf': recipientLeaf,
  'message-hash-1': message1,
  'message-hash-2': message2,
  'message-hash-17': message17,
  submission,
  'inbox-page': hashed(w.EPOCH_1.inboxPage),
  'router-page': hashed(w.EPOCH_1.routerPage),
  'receiver-page': hashed(w.EPOCH_1.receiverPage),
  link: hashed(bobsLink.preimage),
  'link-parts': linkParts,
  still: hashed(leafFor(w.EPOCH_2, w.CAROL).preimage),
  'inputs-of-an-inbox': hashed(noInputs),
  'inputs-of-an-outbox': hashed(outboxInputs),
  'attestation-of-an-inbox': attestation(0, w.KEYS.inbox.publicKey),
  'attestation-of-an-outbox': attestation(3, w.KEYS.outbox.publicKey),
  'actor-leaf': actorLeaf,
  'epoch-leaf-1': hashed(w.EPOCH_1.epochLeaf),
  'epoch-leaf-1001': hashed(w.EPOCH_2.epochLeaf),
  checkpoint,
  manifest,
  placement,
  'hand-over': handOver,
  session,
  tree,
  'claim-on-a-link': { claim: claimOn(3, bobsLink.preimage, links.indexOf(bobsLink.preimage), links) },
  'pair-digest': pairDigest,
  block,
  'claim-on-an-inbox-page': { claim: claimOn(0, w.EPOCH_1.inboxPage, 0, [w.EPOCH_1.inboxPage]) },
};
