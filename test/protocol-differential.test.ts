/**
 * The fast protocol code against the slow twin, on random values from a printed seed: every encoder
 * and hasher gives the twin's bytes, every decoder takes those bytes and no others.
 */
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { placementFor } from '../src/actors/placements.js';
import * as attestation from '../src/protocol/attestation.js';
import * as bundle from '../src/protocol/bundle.js';
import { blinderFor, encodeBundle } from '../src/protocol/bundle-encode.js';
import { BundleHasher } from '../src/protocol/bundle-hash.js';
import { FormatError, viewOf } from '../src/protocol/bytes.js';
import * as chain from '../src/protocol/chain.js';
import { linkPreimage } from '../src/protocol/link-preimage.js';
import * as log from '../src/protocol/log.js';
import * as manifest from '../src/protocol/manifest.js';
import { checkpointNote } from '../src/protocol/notes/checkpoint-note.js';
import * as pages from '../src/protocol/pages.js';
import * as placement from '../src/protocol/placement.js';
import * as session from '../src/protocol/session.js';
import {
  base,
  bytes,
  bytesUpTo,
  change,
  checkCodec,
  fastBase,
  fastPlace,
  hash,
  key,
  place,
  refused,
  same,
  u8,
  u16,
  u32,
  u64,
} from './checks.js';
import * as twin from './twin/index.js';
import { epochInput, keyPair, named, queuesOf, runOptions, shapes, worldOf } from './worlds.js';

const LIMITS = { recipients: 1_000, bodyBytes: 100_000, envelopeBytes: 10_000 };

const attestations = suite('differential: attestations');

const output = fc.record({ entries: u32, leaves: u32, root: hash });
const anyAttestation: fc.Arbitrary<twin.Attestation> = fc.record({
  serverId: hash,
  role: fc.integer({ min: 1, max: 4 }),
  actor: u16,
  epoch: u64,
  base,
  manifestHash: hash,
  placementRoot: hash,
  inputs: hash,
  outputs: fc.array(output, { maxLength: 5 }),
});

function checkAttestation(value: twin.Attestation, changes: { at: number; xor: number }[]): void {
  const fast = { ...value, role: value.role as attestation.Role };
  const signed = attestation.encodeAttestation({
    ...fast,
    epoch: Number(value.epoch),
    base: fastBase(value.base),
  });
  same(signed, twin.attestationSigned(value));
  same(attestation.attestationHash(signed), twin.attestationHash(signed));
  checkCodec(signed, attestation.decodeAttestation, attestation.encodeAttestation, changes);
}

attestations('random attestations', () => {
  fc.assert(
    fc.property(anyAttestation, fc.array(change, { maxLength: 5 }), checkAttestation),
    runOptions(200),
  );
});

attestations('the minimal and the full attestation', () => {
  const zero = twin.ZERO_32;
  const common = { serverId: zero, base: { size: 0n, root: zero }, manifestHash: zero, placementRoot: zero };
  const minimal = { ...common, role: 1, actor: 0, epoch: 1n, inputs: zero, outputs: [] };
  checkAttestation(minimal, []);
  const most = 2n ** 53n - 1n;
  const full = { entries: 0xffffffff, leaves: 0xffffffff, root: Buffer.alloc(32, 0xff) };
  const outputs = Array.from({ length: 0xffff }, () => full);
  checkAttestation(
    { ...minimal, role: 4, actor: 0xffff, epoch: most, base: { size: most, root: zero }, outputs },
    [],
  );
});

attestations('an epoch that no number holds is refused, never rounded', () => {
  const value = fc.sample(anyAttestation, { numRuns: 1, seed: 1 })[0]!;
  const tooHigh = twin.attestationSigned({ ...value, epoch: 2n ** 53n });
  refused(() => attestation.decodeAttestation(tooHigh), 'epoch 2^53');
});

attestations('inputs', () => {
  fc.assert(
    fc.property(fc.array(hash, { maxLength: 6 }), (hashes) => {
      same(attestation.inputsHash(hashes), twin.inputsHash(hashes));
    }),
    runOptions(50),
  );
});

attestations.run();

const logs = suite('differential: epoch leaves and checkpoints');

logs('random epoch leaves', () => {
  const actor = fc.record({ attestationHash: hash, signature: bytes(64) });
  const anyLeaf = fc.record({
    epoch: u64,
    previousEpoch: u64,
    base,
    manifestHash: hash,
    placementRoot: hash,
    actors: fc.array(actor, { maxLength: 9 }),
  });
  fc.assert(
    fc.property(anyLeaf, fc.array(change, { maxLength: 5 }), (value, changes) => {
      for (const { attestationHash, signature } of value.actors) {
        const leaf = twin.actorLeaf(attestationHash, signature);
        same(log.actorLeafHash(attestationHash, signature), twin.H(leaf));
      }
      const actors = value.actors.map((entry, index) => ({ ...entry, role: 1, index }));
      const expected = twin.epochLeaf({ ...value, actors });
      const fast: log.EpochLeaf = {
        epoch: Number(value.epoch),
        previousEpoch: Number(value.previousEpoch),
        base: fastBase(value.base),
        manifestHash: value.manifestHash,
        placementRoot: value.placementRoot,
        actors: actors.length,
        actorsRoot: twin.actorsRoot(actors),
      };
      same(log.encodeEpochLeaf(fast), expected);
      same(log.epochLeafHash(fast), twin.H(expected));
      checkCodec(expected, log.decodeEpochLeaf, log.encodeEpochLeaf, changes);
    }),
    runOptions(100),
  );
});

logs('checkpoint texts and notes', () => {
  fc.assert(
    fc.property(hash, u64, hash, hash, bytes(64), (serverId, size, root, sequencerKey, signature) => {
      const text = log.checkpointText(serverId, Number(size), root);
      same(text, twin.ascii(twin.checkpointText(serverId, size, root)));
      assert.is(
        checkpointNote(serverId, { size: Number(size), root, signature }, sequencerKey),
        twin.checkpointNote(serverId, size, root, sequencerKey, signature),
      );
    }),
    runOptions(100),
  );
});

logs.run();

const bundles = suite('differential: bundles and message hashes');

const anyBundle = fc.record({
  sender: hash,
  counter: u64,
  rosterKey: hash,
  body: fc.oneof(fc.constant(Buffer.alloc(0)), bytes(1), bytesUpTo(300)),
  recipients: fc.uniqueArray(fc.record({ mailbox: hash, envelope: bytesUpTo(40) }), {
    minLength: 1,
    maxLength: 70,
    size: 'max',
    selector: (recipient) => twin.hex(recipient.mailbox),
  }),
});
type AnyBundle = typeof anyBundle extends fc.Arbitrary<infer T> ? T : never;

function twinMessage(value: AnyBundle): twin.Message {
  const recipients = value.recipients
    .map((recipient) => ({ ...recipient, blinder: twin.blinder(value.rosterKey, recipient.mailbox) }))
    .sort((a, b) => Buffer.compare(a.mailbox, b.mailbox));
  return { sender: value.sender, counter: value.counter, recipients, body: value.body };
}

function fastHash(serverId: Uint8Array, value: AnyBundle, encoded: Uint8Array): Uint8Array {
  // In the middle of a larger buffer, as in a frame.
  const frame = twin.join(Buffer.alloc(7, 0xee), encoded, Buffer.alloc(5, 0xee));
  const cursor = new bundle.BundleCursor(LIMITS);
  assert.is(cursor.parse(frame, 7, frame.length - 5), 7 + encoded.length);
  cursor.checkEnvelopes();
  const hasher = new BundleHasher(serverId);
  hasher.sender(value.sender, 0);
  const out = new Uint8Array(40);
  hasher.bundle(Number(value.counter), cursor, out, 4);
  return out.subarray(4, 36);
}

bundles('random bundles with 1 to 70 recipients', () => {
  fc.assert(
    fc.property(hash, anyBundle, (serverId, value) => {
      const message = twinMessage(value);
      const encoded = encodeBundle(value.recipients, value.body, value.rosterKey);
      same(encoded, twin.bundleBytes(message));
      same(fastHash(serverId, value, encoded), twin.messageHash(serverId, message));
      for (const recipient of message.recipients) {
        same(blinderFor(value.rosterKey, recipient.mailbox), recipient.blinder);
      }
    }),
    runOptions(200),
  );
});

bundles('the sizes at which the recipients part changes: 1, 2, 15 to 17, 31 to 33, 256, 257, 1000', () => {
  for (const count of [1, 2, 15, 16, 17, 31, 32, 33, 256, 257, 1000]) {
    const value: AnyBundle = {
      sender: named('sender'),
      counter: BigInt(count),
      rosterKey: named('roster'),
      body: Buffer.from('body'),
      recipients: Array.from({ length: count }, (_, i) => ({
        mailbox: named(`mailbox ${i}`),
        envelope: Buffer.alloc(i % 3, i),
      })),
    };
    const encoded = encodeBundle(value.recipients, value.body, value.rosterKey);
    const expected = twin.messageHash(named('server'), twinMessage(value));
    same(fastHash(named('server'), value, encoded), expected, `${count} recipients`);
  }
});

bundles('one hasher gives the same hashes whatever it hashed before', () => {
  const hasher = new BundleHasher(named('server'));
  const cursor = new bundle.BundleCursor(LIMITS);
  fc.assert(
    fc.property(anyBundle, (value) => {
      const encoded = encodeBundle(value.recipients, value.body, value.rosterKey);
      cursor.parse(encoded, 0, encoded.length);
      hasher.sender(value.sender, 0);
      const out = new Uint8Array(32);
      hasher.bundle(Number(value.counter), cursor, out, 0);
      same(out, twin.messageHash(named('server'), twinMessage(value)));
    }),
    runOptions(50),
  );
});

bundles('a changed byte is refused or gives another message', () => {
  fc.assert(
    fc.property(anyBundle, fc.array(change, { minLength: 1, maxLength: 20 }), (value, changes) => {
      const encoded = encodeBundle(value.recipients, value.body, value.rosterKey);
      const before = twin.hex(fastHash(named('server'), value, encoded));
      for (const { at, xor } of changes) {
        const changed = Uint8Array.from(encoded);
        changed[at % changed.length]! ^= xor;
        try {
          const cursor = new bundle.BundleCursor(LIMITS);
          const end = cursor.parse(changed, 0, changed.length);
          if (end !== changed.length) continue; // Trailing bytes are for the frame around it to refuse.
          assert.is.not(twin.hex(fastHash(named('server'), value, changed)), before);
        } catch (error) {
          if (!(error instanceof FormatError)) throw error;
        }
      }
    }),
    runOptions(100),
  );
});

bundles('bundles in no canonical form are refused', () => {
  const recipients = ['a', 'b'].map((name) => ({
    mailbox: named(name),
    blinder: twin.blinder(named('roster'), named(name)),
    envelope: Buffer.from('x'),
  }));
  recipients.sort((a, b) => Buffer.compare(a.mailbox, b.mailbox));
  const message: twin.Message = { sender: named('s'), counter: 1n, recipients, body: Buffer.from('body') };
  const parse = (encoded: Buffer) => () => {
    const cursor = new bundle.BundleCursor(LIMITS);
    cursor.parse(encoded, 0, encoded.length);
    cursor.checkEnvelopes();
  };
  parse(twin.bundleBytes(message))();
  refused(parse(twin.bundleBytes({ ...message, recipients: recipients.toReversed() })), 'falling mailboxes');
  refused(
    parse(twin.bundleBytes({ ...message, recipients: [recipients[0]!, recipients[0]!] })),
    'one mailbox twice',
  );
  refused(parse(twin.bundleBytes({ ...message, recipients: [] })), 'no recipient');
  const one = { ...message, recipients: [{ ...recipients[0]!, envelope: Buffer.alloc(0) }] };
  const layout = twin.bundleBytes(one);
  const envelopeAt = 2 + 89;
  const tagged = twin.join(twin.u32(8), twin.ascii('csign1en'));
  const empty = twin.join(layout.subarray(0, envelopeAt), tagged, layout.subarray(envelopeAt + 4));
  refused(parse(empty), 'an empty envelope that is written out');
  const lost = Buffer.from(twin.bundleBytes({ ...message, recipients: [recipients[0]!] }));
  refused(
    parse(twin.join(lost.subarray(0, envelopeAt), twin.u32(0), layout.subarray(envelopeAt + 4))),
    'a hash without its envelope',
  );
  refused(parse(layout.subarray(0, -1)), 'a byte cut off');
});

bundles.run();

const submissions = suite('differential: submissions and sessions');

submissions('random submissions', () => {
  fc.assert(
    fc.property(
      hash,
      hash,
      u64,
      fc.nat(200),
      bytes(64),
      (serverId, sender, firstCounter, count, signature) => {
        const messageHashes = Array.from({ length: count }, (_, i) => named(`message ${i}`));
        const expected = twin.submissionSigned({ serverId, sender, firstCounter, messageHashes });
        const packed = twin.join(...messageHashes);
        same(pages.submissionBytes(serverId, sender, Number(firstCounter), packed), expected);
        same(pages.submissionHash(expected, signature), twin.submissionHash(expected, signature));
      },
    ),
    runOptions(100),
  );
  same(pages.UNSIGNED, twin.UNSIGNED);
});

submissions('sessions of both kinds', () => {
  fc.assert(
    fc.property(hash, fc.constantFrom(1, 2), hash, hash, hash, (serverId, kind, challenge, nonce, id) => {
      same(
        session.sessionBytes(serverId, kind as session.SessionKind, challenge, nonce, id),
        twin.sessionSigned({ serverId, kind, serverChallenge: challenge, clientNonce: nonce, key: id }),
      );
    }),
    runOptions(30),
  );
  assert.equal(session.SESSION_KIND, { front: twin.FRONT, outbox: twin.OUTBOX_SESSION });
});

submissions.run();

const outputs = suite('differential: pages and chains');

outputs('inbox pages', () => {
  const entry = fc.record({ messageHash: hash, submissionHash: hash, previousPlace: place });
  const entries = fc.oneof(
    fc.array(entry, { maxLength: 3 }),
    fc.array(entry, { minLength: 60, maxLength: 140 }),
  );
  fc.assert(
    fc.property(entries, (rows) => {
      const written = new Uint8Array(pages.pagesBytes(rows.length, pages.INBOX_ROW_BYTES));
      pages.putPrefixes(written, rows.length, pages.INBOX_ROW_BYTES, pages.INBOX_PREFIX);
      for (const [x, row] of rows.entries()) {
        const at = pages.rowAt(x, pages.INBOX_ROW_BYTES);
        written.set(row.messageHash, at);
        pages.putInboxRow(viewOf(written), at, viewOf(row.submissionHash), fastPlace(row.previousPlace));
        assert.equal(pages.getPlace(written, at + 64), fastPlace(row.previousPlace));
      }
      const expected = twin.inboxPages(rows);
      same(written, twin.join(...expected));
      const hashes = pages.hashPages(written, rows.length, pages.INBOX_ROW_BYTES);
      same(hashes, twin.join(...expected.map((page) => twin.H(page))));
      assert.ok(pages.hasPrefixes(written, rows.length, pages.INBOX_ROW_BYTES, pages.INBOX_PREFIX));
    }),
    runOptions(60),
  );
});

const item = fc.record({ mailbox: hash, inbox: u16, index: u32, messageHash: hash });
const items = fc
  .oneof(fc.array(item, { maxLength: 3 }), fc.array(item, { minLength: 60, maxLength: 140 }))
  .map((all) =>
    all
      // Few mailboxes, so that inbox and index decide too.
      .map((one, i) => (i % 3 === 0 ? one : { ...one, mailbox: named('mailbox') }))
      .sort(twin.compareItems)
      .filter((one, i, sorted) => i === 0 || twin.compareItems(sorted[i - 1]!, one) < 0),
  );

outputs('router and receiver pages', () => {
  fc.assert(
    fc.property(items, (rows) => {
      const kinds = [
        { prefix: pages.ROUTER_PREFIX, expected: twin.routerPages(rows) },
        { prefix: pages.RECEIVER_PREFIX, expected: twin.receiverPages(rows) },
      ];
      for (const { prefix, expected } of kinds) {
        const written = writeItems(rows, prefix);
        same(written, twin.join(...expected));
        const hashes = pages.hashPages(written, rows.length, pages.ITEM_ROW_BYTES);
        same(hashes, twin.join(...expected.map((page) => twin.H(page))));
        assert.ok(pages.itemsRise(written, rows.length));
      }
    }),
    runOptions(60),
  );
});

outputs('two rows in the wrong order, or twice, do not rise', () => {
  fc.assert(
    fc.property(
      items.filter((rows) => rows.length > 1),
      fc.nat(),
      (rows, n) => {
        const x = n % (rows.length - 1);
        const swapped = rows.with(x, rows[x + 1]!).with(x + 1, rows[x]!);
        const twice = rows.with(x, rows[x + 1]!);
        assert.not.ok(pages.itemsRise(writeItems(swapped, pages.ROUTER_PREFIX), rows.length));
        assert.not.ok(pages.itemsRise(writeItems(twice, pages.ROUTER_PREFIX), rows.length));
      },
    ),
    runOptions(60),
  );
});

function writeItems(rows: twin.MailboxItem[], prefix: Uint8Array): Uint8Array {
  const written = new Uint8Array(pages.pagesBytes(rows.length, pages.ITEM_ROW_BYTES));
  pages.putPrefixes(written, rows.length, pages.ITEM_ROW_BYTES, prefix);
  for (const [x, row] of rows.entries()) {
    const at = pages.rowAt(x, pages.ITEM_ROW_BYTES);
    const [mailbox, hash] = [viewOf(row.mailbox), viewOf(row.messageHash)];
    pages.putItemRow(viewOf(written), at, mailbox, 0, row.inbox, row.index, hash, 0);
  }
  return written;
}

const anyChain = fc.record({
  lastEpoch: u64,
  total: fc.bigInt(0n, 2n ** 52n),
  head: hash,
  trimmedThrough: u64,
});
const fastChain = (value: twin.Chain) => ({
  lastEpoch: Number(value.lastEpoch),
  total: Number(value.total),
  head: value.head,
});

outputs('links of 1 to 200 entries, and stills', () => {
  const counts = fc.oneof(fc.constantFrom(1, 2, 63, 64, 65, 127, 128, 129), fc.integer({ min: 1, max: 200 }));
  fc.assert(
    fc.property(hash, u64, anyChain, counts, (mailbox, epoch, before, count) => {
      const entries = Array.from({ length: count }, (_, i) => ({
        inbox: i % 7,
        index: i * 1_000_003,
        messageHash: named(`message ${i}`),
      }));
      const expected = twin.linksOf(mailbox, epoch, before, entries);
      const entryBytes = entries.map((e) => twin.join(twin.u16(e.inbox), twin.u32(e.index), e.messageHash));
      // With a gap of 32 bytes before each entry, as the mailbox stands in a receiver's row.
      const spread = twin.join(...entryBytes.map((e) => twin.join(Buffer.alloc(32, 0xee), e)));
      const leaves = new Uint8Array(32 * expected.length + 8);
      const fast = fastChain(before);
      const shifted = twin.join(Buffer.alloc(3), mailbox);
      const at = (i: number) => i * 70 + 32;
      chain.link(viewOf(shifted), 3, Number(epoch), fast, viewOf(spread), at, count, leaves, 8);
      assert.is(chain.linkParts(count), expected.length);
      for (const [part, link] of expected.entries()) {
        const preimage = twin.linkLeaf(link);
        same(leaves.subarray(8 + part * 32, 40 + part * 32), twin.H(preimage), `part ${part}`);
        const state = {
          ...fast,
          total: Number(link.total) - link.entries.length,
          head: link.previousHead,
        };
        const own = twin.join(...entryBytes.slice(part * 64, part * 64 + 64));
        same(linkPreimage(mailbox, Number(epoch), part, expected.length, state, own), preimage);
      }
      const still = twin.stillLeaf(twin.stillOf(mailbox, epoch, before));
      const trimmed = Number(before.trimmedThrough);
      same(chain.stillPreimage(mailbox, Number(epoch), fast, trimmed), still);
      same(chain.stillHash(mailbox, Number(epoch), fast, trimmed), twin.H(still));
    }),
    runOptions(60),
  );
});

outputs.run();

const manifests = suite('differential: manifests and placement');

const anyManifest: fc.Arbitrary<twin.Manifest> = fc
  .record({
    version: fc.integer({ min: 1, max: 0xffffffff }),
    previousHash: hash,
    nonce: hash,
    rootKey: key,
    stages: fc.record({ pairs: fc.integer({ min: 1, max: 4 }), mailboxes: fc.integer({ min: 1, max: 4 }) }),
    /** Epochs at which keys were changed, of the first inbox. */
    changes: fc.uniqueArray(fc.bigInt(2n, 1_000_000n), { maxLength: 3 }),
    firsts: fc.uniqueArray(fc.integer({ min: 1, max: 4095 }), { maxLength: 6 }),
    submissions: fc.nat(2),
    retentionEpochs: u64,
    numbers: fc.array(u32, { minLength: 7, maxLength: 7 }),
  })
  .map(({ stages, changes, firsts, numbers, ...rest }) => {
    const counts = [stages.pairs, stages.pairs, stages.mailboxes, stages.mailboxes, 1];
    const live = counts.flatMap((count, role) =>
      Array.from({ length: count }, (_, index) => ({
        role: role + 1,
        index,
        key: keyPair(`actor ${role} ${index}`).id,
        firstEpoch: 1n,
        lastEpoch: 0n,
      })),
    );
    const starts = [1n, ...changes.toSorted((a, b) => Number(a - b))];
    const firstInbox = starts.map((firstEpoch, i) => ({
      ...live[0]!,
      key: keyPair(`first inbox ${i}`).id,
      firstEpoch,
      lastEpoch: i + 1 < starts.length ? starts[i + 1]! - 1n : 0n,
    }));
    const runs = [0, ...firsts.toSorted((a, b) => a - b)].map((firstBucket, i) => ({
      firstBucket,
      inbox: i % stages.pairs,
      outbox: i % stages.mailboxes,
    }));
    // Version 1 alone has no manifest before it.
    const before = rest.previousHash.every((byte) => byte === 0) ? Buffer.alloc(32, 1) : rest.previousHash;
    return {
      ...rest,
      previousHash: rest.version === 1 ? Buffer.alloc(32) : before,
      actors: [...firstInbox, ...live.slice(1)],
      runs,
      messagesPerEpoch: numbers[0]!,
      bytesPerEpoch: numbers[1]!,
      recipientsPerBundle: numbers[2]!,
      bodyBytes: numbers[3]!,
      envelopeBytes: numbers[4]!,
      bundlesPerFrame: numbers[5]!,
      countersKept: numbers[6]!,
    };
  });

function fastManifest(value: twin.Manifest): manifest.Manifest {
  return {
    version: value.version,
    previousHash: value.previousHash,
    nonce: value.nonce,
    rootKey: value.rootKey,
    actors: value.actors.map((actor) => ({
      role: actor.role as attestation.Role,
      index: actor.index,
      key: actor.key,
      firstEpoch: Number(actor.firstEpoch),
      lastEpoch: Number(actor.lastEpoch),
    })),
    buckets: value.runs,
    policy: {
      submissions: value.submissions,
      retentionEpochs: Number(value.retentionEpochs),
      messagesPerEpoch: value.messagesPerEpoch,
      bytesPerEpoch: value.bytesPerEpoch,
      recipients: value.recipientsPerBundle,
      bodyBytes: value.bodyBytes,
      envelopeBytes: value.envelopeBytes,
      bundlesPerFrame: value.bundlesPerFrame,
      countersKept: value.countersKept,
    },
  };
}

manifests('random manifests, with keys that were replaced', () => {
  fc.assert(
    fc.property(anyManifest, fc.array(change, { maxLength: 3 }), (value, changes) => {
      const expected = twin.manifestBytes(value);
      same(manifest.encodeManifest(fastManifest(value)), expected);
      same(manifest.manifestHash(expected), twin.manifestHash(expected));
      same(manifest.manifestSigned(expected), twin.manifestSigned(expected));
      checkCodec(expected, manifest.decodeManifest, manifest.encodeManifest, changes);
    }),
    runOptions(40),
  );
});

manifests('a manifest opens with its root signature and good keys only', async () => {
  const world = worldOf({ inboxes: 1, outboxes: 1, mailboxes: 1, bundles: [], asked: [], moved: [] });
  const encoded = twin.manifestBytes(world.manifest);
  const signature = twin.sign(world.rootSecret, twin.manifestSigned(encoded));
  same(manifest.encodeManifest(manifest.openManifest(encoded, signature)), encoded);
  same(manifest.encodeManifest(await manifest.openManifestLater(encoded, signature)), encoded);
  const isRefused = async (bytes: Uint8Array, signed: Uint8Array, why: RegExp) => {
    const signature = twin.sign(world.rootSecret, signed);
    assert.throws(() => manifest.openManifest(bytes, signature), why);
    assert.match(await manifest.openManifestLater(bytes, signature).then(String, String), why);
  };
  await isRefused(encoded, encoded, /manifest: bad root signature/);
  const { actors, ...rest } = fastManifest(world.manifest);
  const small = actors.with(0, { ...actors[0]!, key: new Uint8Array(32) });
  const torsion = manifest.encodeManifest({ ...rest, actors: small });
  await isRefused(torsion, twin.manifestSigned(torsion), /manifest: bad key/);
});

manifests('unsorted actors and runs, and what names nobody, are refused', () => {
  const value = fc.sample(
    anyManifest.filter((m) => m.runs.length > 2 && m.actors.length > 5),
    { numRuns: 1, seed: 7 },
  )[0]!;
  const decode = (changed: Partial<manifest.Manifest>) => () =>
    manifest.decodeManifest(manifest.encodeManifest({ ...fastManifest(value), ...changed }));
  const { actors, buckets, policy } = fastManifest(value);
  decode({})();
  refused(decode({ actors: actors.toReversed() }), 'falling actors');
  refused(decode({ actors: [actors[0]!, ...actors] }), 'an actor twice');
  const last = actors.at(-1)!;
  const other = { ...last, key: keyPair('another').id };
  refused(decode({ actors: actors.slice(0, -1) }), 'no sequencer');
  refused(decode({ actors: [...actors, { ...other, index: 1 }] }), 'two sequencers');
  refused(decode({ actors: [...actors, { ...other, firstEpoch: 5 }] }), 'two keys in use of one actor');
  refused(decode({ actors: [...actors.slice(0, -1), { ...last, index: 1 }] }), 'numbers with a gap');
  refused(decode({ actors: [...actors.slice(0, -1), { ...last, key: actors[0]!.key }] }), 'a shared key');
  const ended = { ...last, firstEpoch: 5, lastEpoch: 4 };
  refused(decode({ actors: [...actors.slice(0, -1), ended, { ...other, firstEpoch: 6 }] }), 'ends too early');
  const until = { ...last, lastEpoch: 8 };
  decode({ actors: [...actors.slice(0, -1), until, { ...other, firstEpoch: 9 }] })();
  refused(
    decode({ actors: [...actors.slice(0, -1), until, { ...other, firstEpoch: 8 }] }),
    'overlapping keys',
  );
  const past = { ...other, firstEpoch: 6, lastEpoch: 9 };
  refused(decode({ actors: [...actors.slice(0, -1), last, past] }), 'an open key before an ended one');
  const routers = actors.filter((actor) => actor.role === 2);
  refused(decode({ actors: actors.filter((actor) => actor !== routers.at(-1)) }), 'an inbox without router');
  refused(decode({ buckets: buckets.toReversed() }), 'falling runs');
  refused(decode({ buckets: buckets.slice(1) }), 'a first run that does not start at 0');
  refused(decode({ buckets: [] }), 'no run');
  refused(decode({ buckets: [{ firstBucket: 0, inbox: 99, outbox: 0 }] }), 'an inbox that is no actor');
  refused(decode({ policy: { ...policy, submissions: 3 } }), 'an unknown policy');
  refused(decode({ version: 0 }), 'version 0');
  refused(decode({ rootKey: new Uint8Array(32) }), 'a key that breaks the rule');
});

manifests('buckets and placement', () => {
  fc.assert(
    fc.property(anyManifest, hash, hash, hash, (value, serverId, ...ids) => {
      const placed = placementFor(fastManifest(value), serverId);
      for (const id of ids) {
        assert.is(placement.bucketOf(serverId, id), twin.bucketOf(serverId, id));
        const expected = twin.placementOf(serverId, value.runs, [], id);
        for (const at of [placement.placementOf(fastManifest(value), serverId, id), placed(id)])
          assert.equal({ inbox: at.inbox, outbox: at.outbox }, expected);
      }
    }),
    runOptions(100),
  );
});

manifests('placement roots, empty and of random exceptions', () => {
  same(placement.placementRoot([]), twin.H());
  const exception = fc.record({ id: hash, inbox: u16, outbox: u16 });
  fc.assert(
    fc.property(fc.uniqueArray(exception, { maxLength: 40, selector: (e) => twin.hex(e.id) }), (all) => {
      const sorted = all.toSorted((a, b) => Buffer.compare(a.id, b.id));
      same(placement.placementRoot(sorted), twin.placementRoot(sorted));
    }),
    runOptions(50),
  );
});

manifests.run();

const epochs = suite('differential: whole epochs');

epochs('what a twin epoch signs, the fast code reads and rebuilds', () => {
  fc.assert(
    fc.property(shapes, u8, (shape, epoch) => {
      const world = worldOf(shape);
      const input = epochInput(world, shape, queuesOf(world, shape), BigInt(epoch + 1), []);
      const result = twin.runEpoch(input);
      for (const signed of result.attestations) {
        same(attestation.encodeAttestation(attestation.decodeAttestation(signed.signed)), signed.signed);
        same(attestation.attestationHash(signed.signed), signed.attestationHash);
      }
      same(log.epochLeafHash(log.decodeEpochLeaf(result.epochLeaf)), twin.H(result.epochLeaf));
      const fast = manifest.decodeManifest(twin.manifestBytes(world.manifest));
      assert.is(manifest.epochActors(fast), result.attestations.length);
      for (const [position, { role, index, publicKey }] of result.attestations.entries()) {
        assert.is(manifest.actorPosition(fast, role as attestation.Role, index), position);
        same(manifest.actorKey(fast, role as attestation.Role, index), publicKey);
      }
    }),
    runOptions(30),
  );
});

epochs.run();
