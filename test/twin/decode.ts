/** Strict decoders of what is signed and hashed: the layouts that the twin's encoders write, read back. */
import type { Attestation } from './attestation.js';
import { ascii, join, u8 } from './bytes.js';
import type { Link, Still } from './chain.js';
import type { Manifest } from './manifest.js';
import type { InboxEntry, MailboxItem } from './pages.js';
import { type Reader, readAll, Unreadable } from './reader.js';
import { isGoodKey } from './rfc8032.js';

function refuseUnless(good: boolean, why: string): void {
  if (!good) throw new Unreadable(why);
}

export function decodeAttestation(bytes: Buffer): Attestation {
  return readAll(bytes, (r) => {
    r.literal(ascii('countersign/v1 attestation'));
    return {
      serverId: r.hash(),
      role: r.u8(),
      actor: r.u16(),
      epoch: r.u64(),
      base: { size: r.u64(), root: r.hash() },
      manifestHash: r.hash(),
      placementRoot: r.hash(),
      inputs: r.hash(),
      outputs: r.times(r.u16(), () => ({ entries: r.u32(), leaves: r.u32(), root: r.hash() })),
    };
  });
}

export type EpochLeafFields = ReturnType<typeof decodeEpochLeaf>;

export function decodeEpochLeaf(bytes: Buffer) {
  return readAll(bytes, (r) => {
    r.literal(leafTag('csign1ep'));
    return {
      epoch: r.u64(),
      previousEpoch: r.u64(),
      base: { size: r.u64(), root: r.hash() },
      manifestHash: r.hash(),
      placementRoot: r.hash(),
      actors: r.u16(),
      actorsRoot: r.hash(),
    };
  });
}

function leafTag(tag: string): Buffer {
  return join(u8(0x00), ascii(tag));
}

/** A page has 1 to 64 rows and nothing else behind its tag. */
function pageOf<T>(bytes: Buffer, tag: string, rowBytes: number, row: (r: Reader) => T): T[] {
  return readAll(bytes, (r) => {
    r.literal(leafTag(tag));
    const rows = r.left() / rowBytes;
    refuseUnless(Number.isInteger(rows) && rows >= 1 && rows <= 64, 'no page of 1 to 64 rows');
    return r.times(rows, () => row(r));
  });
}

export function decodeInboxPage(bytes: Buffer): InboxEntry[] {
  return pageOf(bytes, 'csign1in', 78, (r) => ({
    messageHash: r.hash(),
    submissionHash: r.hash(),
    previousPlace: { epoch: r.u64(), inbox: r.u16(), index: r.u32() },
  }));
}

export function decodeItemPage(bytes: Buffer, tag: 'csign1ro' | 'csign1re'): MailboxItem[] {
  return pageOf(bytes, tag, 70, (r) => ({
    mailbox: r.take(32),
    inbox: r.u16(),
    index: r.u32(),
    messageHash: r.hash(),
  }));
}

export type ChainLeaf = ({ kind: 'link' } & Link) | ({ kind: 'still' } & Still);

/** A link's part or a still, by its tag. */
export function decodeChainLeaf(bytes: Buffer): ChainLeaf {
  const isLink = bytes.subarray(0, 9).equals(leafTag('csign1li'));
  return isLink ? { kind: 'link', ...decodeLink(bytes) } : { kind: 'still', ...decodeStill(bytes) };
}

function decodeLink(bytes: Buffer): Link {
  return readAll(bytes, (r) => {
    r.literal(leafTag('csign1li'));
    return {
      mailbox: r.take(32),
      epoch: r.u64(),
      part: r.u16(),
      parts: r.u16(),
      previousEpoch: r.u64(),
      total: r.u64(),
      previousHead: r.hash(),
      entries: r.times(r.u16(), () => ({ inbox: r.u16(), index: r.u32(), messageHash: r.hash() })),
    };
  });
}

function decodeStill(bytes: Buffer): Still {
  return readAll(bytes, (r) => {
    r.literal(leafTag('csign1st'));
    return {
      mailbox: r.take(32),
      epoch: r.u64(),
      lastEpoch: r.u64(),
      total: r.u64(),
      head: r.hash(),
      trimmedThrough: r.u64(),
    };
  });
}

export interface MessageFields {
  sender: Buffer;
  counter: bigint;
  recipients: number;
  R: Buffer;
  serverId: Buffer;
}

/** R has 80 bytes for one recipient, 32 for each of 0 to 16 others, and 32 beyond. */
export function decodeMessage(bytes: Buffer): MessageFields {
  return readAll(bytes, (r) => {
    r.literal(ascii('csign1ms'));
    const fields = { serverId: r.hash(), sender: r.take(32), counter: r.u64(), recipients: r.u16() };
    const { recipients } = fields;
    const length = recipients === 1 ? 80 : recipients <= 16 ? 32 * recipients : 32;
    const R = r.take(length);
    r.hash(); // the body's
    return { ...fields, R };
  });
}

export function decodeSubmission(bytes: Buffer) {
  return readAll(bytes, (r) => {
    r.literal(ascii('countersign/v1 submission'));
    return {
      serverId: r.hash(),
      sender: r.take(32),
      firstCounter: r.u64(),
      count: r.u16(),
      root: r.hash(),
    };
  });
}

/** A page of message hashes: 0x00 ‖ `csign1sl` ‖ 1 to 64 hashes. */
export function decodeSubmissionPage(bytes: Buffer): Buffer[] {
  return pageOf(bytes, 'csign1sl', 32, (r) => r.hash());
}

/** With everything that "a manifest is refused unless" says. */
export function decodeManifest(bytes: Buffer): Manifest {
  const manifest = readAll(bytes, (r) => ({
    version: r.u32(),
    previousHash: r.hash(),
    nonce: r.hash(),
    rootKey: r.take(32),
    actors: r.times(r.u16(), () => ({
      role: r.u8(),
      index: r.u16(),
      key: r.take(32),
      firstEpoch: r.u64(),
      lastEpoch: r.u64(),
    })),
    runs: r.times(r.u16(), () => ({ firstBucket: r.u16(), inbox: r.u16(), outbox: r.u16() })),
    submissions: r.u8(),
    retentionEpochs: r.u64(),
    messagesPerEpoch: r.u32(),
    bytesPerEpoch: r.u32(),
    recipientsPerBundle: r.u32(),
    bodyBytes: r.u32(),
    envelopeBytes: r.u32(),
    bundlesPerFrame: r.u32(),
    countersKept: r.u32(),
  }));
  refuseUnless(manifest.version >= 1, 'versions start at 1');
  if (manifest.version === 1) {
    refuseUnless(manifest.previousHash.equals(Buffer.alloc(32)), 'version 1 has none before it');
  }
  refuseUnless(manifest.submissions <= 2, 'submissions are 0, 1 or 2');
  checkActors(manifest);
  checkRuns(manifest);
  return manifest;
}

function checkActors({ actors, rootKey }: Manifest): void {
  refuseUnless(isGoodKey(rootKey), 'the root key breaks the key rule');
  const owners = new Map<string, string>();
  let before: Manifest['actors'][number] | undefined;
  for (const actor of actors) {
    const { role, index, key, firstEpoch, lastEpoch } = actor;
    refuseUnless(role >= 1 && role <= 5, 'roles are 1 to 5');
    refuseUnless(isGoodKey(key), 'a key breaks the key rule'); // every key keeps the key rule
    const owner = `${role}.${index}`; // no key stands for two actors
    refuseUnless((owners.get(key.toString('hex')) ?? owner) === owner, 'one key for two actors');
    owners.set(key.toString('hex'), owner);
    refuseUnless(lastEpoch === 0n || lastEpoch >= firstEpoch, 'a key ends before it starts');
    if (before !== undefined) {
      const same = before.role === role && before.index === index;
      const rises = before.role < role || (before.role === role && before.index < index);
      // each begins after the one before has ended; so only the last of an actor's is in use
      refuseUnless(same ? before.lastEpoch !== 0n && firstEpoch > before.lastEpoch : rises, 'order of keys');
    }
    before = actor;
  }
  const inUse = (role: number) =>
    actors.filter((a) => a.role === role && a.lastEpoch === 0n).map((a) => a.index);
  const counts = [1, 2, 3, 4, 5].map((role) => inUse(role).length);
  for (const role of [1, 2, 3, 4, 5]) {
    refuseUnless(
      inUse(role).every((index, i) => index === i),
      'a gap in the numbers of actors',
    );
  }
  refuseUnless(counts[0]! >= 1 && counts[1] === counts[0], 'inboxes and routers');
  refuseUnless(counts[3]! >= 1 && counts[2] === counts[3], 'outboxes and receivers');
  refuseUnless(counts[4] === 1, 'one sequencer');
}

function checkRuns({ runs, actors }: Manifest): void {
  const inUse = (role: number, index: number) =>
    actors.some((a) => a.role === role && a.index === index && a.lastEpoch === 0n);
  refuseUnless(runs.length >= 1 && runs[0]!.firstBucket === 0, 'the first run is bucket 0');
  refuseUnless(runs.at(-1)!.firstBucket < 4096, 'buckets are below 4096');
  for (const [i, run] of runs.entries()) {
    refuseUnless(i === 0 || run.firstBucket > runs[i - 1]!.firstBucket, 'runs rise');
    refuseUnless(inUse(1, run.inbox) && inUse(4, run.outbox), 'a run names an actor that is not in use');
  }
}
