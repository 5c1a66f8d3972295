/**
 * The small world of the examples in docs/PROTOCOL.md: a server with one actor of each role, three
 * clients, two epochs. Every input is fixed: seeds and random values are one byte, 32 times.
 */
import { importSecretKey, sha256 } from '#crypto';
import * as p from '../../src/protocol/index.js';

/** 32 times the same byte. */
export const same = (byte: number) => new Uint8Array(32).fill(byte);
export const key = (byte: number) => importSecretKey(same(byte));

export const KEYS = {
  root: key(0x01),
  inbox: key(0x02),
  router: key(0x03),
  receiver: key(0x04),
  outbox: key(0x05),
  sequencer: key(0x06),
  alice: key(0x0a),
  bob: key(0x0b),
  carol: key(0x0c),
};
export const [ALICE, BOB, CAROL] = [KEYS.alice.publicKey, KEYS.bob.publicKey, KEYS.carol.publicKey];
export const MANIFEST_NONCE = same(0x07);
export const CHALLENGE = same(0x08);
export const CLIENT_NONCE = same(0x09);
export const ROSTER_KEY = same(0x0d);
const CHAIN_SEEDS: readonly [Uint8Array, Uint8Array][] = [
  [ALICE, same(0x1a)],
  [BOB, same(0x1b)],
  [CAROL, same(0x1c)],
];

const actor = (role: p.Role, signer: { publicKey: Uint8Array }): p.ManifestActor => ({
  role,
  index: 0,
  key: signer.publicKey,
  firstEpoch: 1,
  lastEpoch: 0,
});

export const MANIFEST = p.encodeManifest({
  version: 1,
  previousHash: p.ZERO_HASH,
  nonce: MANIFEST_NONCE,
  rootKey: KEYS.root.publicKey,
  actors: [
    actor(p.ROLE.inbox, KEYS.inbox),
    actor(p.ROLE.router, KEYS.router),
    actor(p.ROLE.receiver, KEYS.receiver),
    actor(p.ROLE.outbox, KEYS.outbox),
    actor(p.ROLE.sequencer, KEYS.sequencer),
  ],
  buckets: [{ firstBucket: 0, inbox: 0, outbox: 0 }],
  policy: {
    submissions: p.SUBMISSIONS.off,
    retentionEpochs: 100_000,
    messagesPerEpoch: 65_536,
    bytesPerEpoch: 33_554_432,
    recipients: 1024,
    bodyBytes: 262_144,
    envelopeBytes: 4096,
    bundlesPerFrame: 1024,
    countersKept: 4096,
  },
});
export const SERVER_ID = p.manifestHash(MANIFEST);
/** Of the newest manifest: here the first, so it is the server id. */
export const MANIFEST_HASH = SERVER_ID;

export interface Message {
  readonly sender: Uint8Array;
  readonly counter: number;
  readonly bundle: Uint8Array;
  readonly previous: p.Place;
}

const LIMITS = p.decodeManifest(MANIFEST).policy;

export function cursorOn(bundle: Uint8Array): p.BundleCursor {
  const cursor = new p.BundleCursor(LIMITS);
  cursor.parse(bundle, 0, bundle.length);
  cursor.checkEnvelopes();
  return cursor;
}

export function hashOf({ sender, counter, bundle }: Omit<Message, 'previous'>): Uint8Array {
  const hasher = new p.BundleHasher(SERVER_ID);
  const out = new Uint8Array(32);
  hasher.sender(sender, 0);
  hasher.bundle(counter, cursorOn(bundle), out, 0);
  return out;
}

export function bundle(to: readonly Uint8Array[], body: string, envelopes: readonly string[] = []) {
  const recipients = to.map((mailbox, i) => ({ mailbox, envelope: p.ascii(envelopes[i] ?? '') }));
  return p.encodeBundle(recipients, p.ascii(body), ROSTER_KEY);
}

// Epoch 1: Alice's first to Bob, her second to Bob and Carol. Epoch 1001 (the server was restarted
// between them): Bob's first to Alice, and a still that Carol asked for.
export const FIRST: Message = {
  sender: ALICE,
  counter: 1,
  bundle: bundle([BOB], 'one'),
  previous: p.NO_PLACE,
};
export const SECOND: Message = {
  sender: ALICE,
  counter: 2,
  bundle: bundle([BOB, CAROL], 'two', ['for Bob']),
  previous: { epoch: 1, inbox: 0, index: 0 },
};
export const THIRD: Message = {
  sender: BOB,
  counter: 1,
  bundle: bundle([ALICE], 'three', ['for Alice']),
  previous: p.NO_PLACE,
};

/** A page of rows with its prefix: all examples fit one. */
function page(
  prefix: Uint8Array,
  rowBytes: number,
  rows: readonly ((out: Uint8Array, at: number) => void)[],
) {
  const out = new Uint8Array(p.pagesBytes(rows.length, rowBytes));
  p.putPrefixes(out, rows.length, rowBytes, prefix);
  for (const [x, put] of rows.entries()) put(out, p.rowAt(x, rowBytes));
  return out;
}

interface Item {
  readonly mailbox: Uint8Array;
  readonly index: number;
  readonly hash: Uint8Array;
}

/** One item per mailbox and place: the recipients and the sender. */
function itemsOf(messages: readonly Message[]): Item[] {
  const items = messages.flatMap((message, index) => {
    const cursor = cursorOn(message.bundle);
    const mailboxes = Array.from({ length: cursor.recipients }, (_, i) =>
      cursor.bytes.slice(cursor.mailboxAt(i), cursor.mailboxAt(i) + 32),
    );
    const own = mailboxes.some((mailbox) => p.equalBytes(mailbox, message.sender)) ? [] : [message.sender];
    return [...mailboxes, ...own].map((mailbox) => ({ mailbox, index, hash: hashOf(message) }));
  });
  return items.sort((a, b) => p.compareBytes(a.mailbox, 0, b.mailbox, 0, 32) || a.index - b.index);
}

export interface Leaf {
  readonly mailbox: Uint8Array;
  readonly preimage: Uint8Array;
  /** The chain before it. */
  readonly before: p.ChainState;
}

export interface EpochExample {
  readonly context: p.EpochContext;
  readonly messages: readonly Message[];
  readonly inboxPage: Uint8Array;
  readonly routerPage: Uint8Array;
  readonly receiverPage: Uint8Array;
  /** Links and stills, in order. */
  readonly leaves: readonly Leaf[];
  /** Inbox, router, receiver, outbox. */
  readonly attestations: readonly p.SignedAttestation[];
  readonly epochLeaf: Uint8Array;
}

type Chains = Map<string, p.ChainState>;

function leavesOf(epoch: number, items: readonly Item[], stills: readonly Uint8Array[], chains: Chains) {
  const leaves = stills.map((mailbox): Leaf => {
    const before = chains.get(p.toHex(mailbox))!;
    return { mailbox, before, preimage: p.stillPreimage(mailbox, epoch, before, 0) };
  });
  for (const mailbox of new Set(items.map((item) => p.toHex(item.mailbox)))) {
    const own = items.filter((item) => p.toHex(item.mailbox) === mailbox);
    const entries = new p.Writer();
    for (const { index, hash } of own) entries.u16(0).u32(index).bytes(hash);
    const before = chains.get(mailbox)!;
    const id = p.fromHex(mailbox, 32);
    const preimage = p.linkPreimage(id, epoch, 0, 1, before, entries.done());
    leaves.push({ mailbox: id, before, preimage });
    chains.set(mailbox, { lastEpoch: epoch, total: before.total + own.length, head: sha256(preimage) });
  }
  return leaves.sort((a, b) => p.compareBytes(a.mailbox, 0, b.mailbox, 0, 32));
}

function makeEpoch(
  context: p.EpochContext,
  previousEpoch: number,
  messages: readonly Message[],
  stills: readonly Uint8Array[],
  chains: Chains,
): EpochExample {
  const inboxPage = page(
    p.INBOX_PREFIX,
    p.INBOX_ROW_BYTES,
    messages.map((m) => (out, at) => {
      out.set(hashOf(m), at);
      p.putInboxRow(p.viewOf(out), at, p.viewOf(p.UNSIGNED), m.previous);
    }),
  );
  const items = itemsOf(messages);
  const rows = items.map(
    ({ mailbox, index, hash }) =>
      (out: Uint8Array, at: number) =>
        p.putItemRow(p.viewOf(out), at, p.viewOf(mailbox), 0, 0, index, p.viewOf(hash), 0),
  );
  const routerPage = page(p.ROUTER_PREFIX, p.ITEM_ROW_BYTES, rows);
  const receiverPage = page(p.RECEIVER_PREFIX, p.ITEM_ROW_BYTES, rows);
  const leaves = leavesOf(context.epoch, items, stills, chains);
  const roots = leaves.map(({ preimage }) => sha256(preimage));
  const onePage = (entries: number, bytes: Uint8Array) => ({ entries, leaves: 1, root: sha256(bytes) });
  const stages: [p.Role, keyof typeof KEYS, p.Output][] = [
    [p.ROLE.inbox, 'inbox', onePage(messages.length, inboxPage)],
    [p.ROLE.router, 'router', onePage(items.length, routerPage)],
    [p.ROLE.receiver, 'receiver', onePage(items.length, receiverPage)],
    [
      p.ROLE.outbox,
      'outbox',
      { entries: items.length, leaves: leaves.length, root: p.merkleRoot(p.concat(...roots)) },
    ],
  ];
  const attestations: p.SignedAttestation[] = [];
  for (const [role, name, output] of stages) {
    const inputs = p.inputsHash(attestations.slice(-1).map(({ bytes }) => p.attestationHash(bytes)));
    const bytes = p.encodeAttestation({
      ...context,
      serverId: SERVER_ID,
      role,
      actor: 0,
      inputs,
      outputs: [output],
    });
    attestations.push({ bytes, signature: KEYS[name].sign(bytes) });
  }
  const epochLeaf = p.encodeEpochLeaf({
    ...context,
    previousEpoch,
    actors: 4,
    actorsRoot: p.merkleRoot(actorLeaves(attestations)),
  });
  return { context, messages, inboxPage, routerPage, receiverPage, leaves, attestations, epochLeaf };
}

export function actorLeaves(attestations: readonly p.SignedAttestation[]): Uint8Array {
  return p.concat(
    ...attestations.map(({ bytes, signature }) => p.actorLeafHash(p.attestationHash(bytes), signature)),
  );
}

function checkpointOver(leaves: readonly Uint8Array[]): p.Checkpoint {
  const root = p.merkleRoot(p.concat(...leaves.map((leaf) => sha256(leaf))));
  const signature = KEYS.sequencer.sign(p.checkpointText(SERVER_ID, leaves.length, root));
  return { size: leaves.length, root, signature };
}

const chains: Chains = new Map(
  CHAIN_SEEDS.map(([mailbox, head]) => [p.toHex(mailbox), { lastEpoch: 0, total: 0, head }]),
);
const shared = { manifestHash: MANIFEST_HASH, placementRoot: p.placementRoot([]) };

export const EPOCH_1 = makeEpoch(
  { ...shared, epoch: 1, base: { size: 0, root: p.EMPTY_ROOT } },
  0,
  [FIRST, SECOND],
  [],
  chains,
);
export const CHECKPOINT_1 = checkpointOver([EPOCH_1.epochLeaf]);
export const EPOCH_2 = makeEpoch({ ...shared, epoch: 1001, base: CHECKPOINT_1 }, 1, [THIRD], [CAROL], chains);
/** The log's leaves and the newest checkpoint over them. */
export const LOG = [EPOCH_1.epochLeaf, EPOCH_2.epochLeaf];
export const CHECKPOINT_2 = checkpointOver(LOG);
