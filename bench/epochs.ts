/**
 * Epochs made by the pure stages on one thread, with arrays as neighbours: one inbox and one outbox, 1,000 mailboxes on
 * 100 sockets, 16 senders, frames of up to 32 bundles with bodies of 128 bytes. Nobody acknowledges.
 */
import { importSecretKey, sha256 } from '#crypto';
import { MailboxDirectory } from '../src/actors/mailbox-directory.js';
import { type ActorMessage, type Address, address, type StoreRecord } from '../src/actors/messages.js';
import { TABLE } from '../src/actors/store-keys.js';
import { Submissions } from '../src/actors/submissions.js';
import { makeBundle } from '../src/client/outgoing-bundle.js';
import {
  ascii,
  decodeSubmitHeader,
  encodeManifest,
  encodeSubmit,
  evenBuckets,
  type Manifest,
  manifestHash,
  placementRoot,
  ROLE,
  SESSION_KIND,
} from '../src/protocol/index.js';
import { type Cluster, Pipeline } from '../test/support/pipeline.js';
import { MemoryStore } from '../test/support/store.js';

const MAILBOXES = 1000;
const SOCKETS = 100;
const SENDERS = 16;
const BODY_BYTES = 128;
const BUNDLES_PER_FRAME = 32;

/** Who watches epochs being made; each has to run the steps that it is given. */
export interface Watcher {
  /** What request handlers do with a frame, and clients to make its bundles. */
  around<T>(stage: 'handler' | 'bundle', step: () => T): T;
  /** What an actor does with a message. */
  aroundActor(to: Address, message: ActorMessage, step: () => void): void;
  /** What an outbox has put off: it makes its deliveries ready. */
  aroundLater(step: () => void): void;
  /** What an epoch must have on disk. Its values hold until this returns. */
  written(records: readonly StoreRecord[]): void;
  received(connection: number, frames: readonly Uint8Array[]): void;
}

const named = (name: string) => sha256(ascii(name));

/** Of every mailbox's chain. */
export const CHAIN_SEED = named('seed');
export const mailboxes = Array.from({ length: MAILBOXES }, (_, i) => named(`mailbox ${i}`));
/** The socket that reads mailbox `i`, as its slot `i`. */
export const socketOf = (i: number) => 1 + (i % SOCKETS);

/** Keeps what stages read back, and not what only a restart needs. */
class ShortStore extends MemoryStore {
  constructor(private readonly watcher: Watcher) {
    super();
  }

  override write(records: readonly StoreRecord[]): void {
    this.watcher.written(records);
    super.write(records.filter(({ key }) => KEPT.includes(key[0]!)));
  }
}
const KEPT: number[] = [TABLE.log, TABLE.mailbox, TABLE.meta];

function clusterOf(): Cluster {
  const seeds = {
    inboxes: [named('inbox')],
    routers: [named('router')],
    receivers: [named('receiver')],
    outboxes: [named('outbox')],
    sequencer: named('sequencer'),
  };
  const all = [seeds.inboxes, seeds.routers, seeds.receivers, seeds.outboxes, [seeds.sequencer]].flat();
  const manifest: Manifest = {
    version: 1,
    previousHash: new Uint8Array(32),
    nonce: named('nonce'),
    rootKey: importSecretKey(named('root')).publicKey,
    actors: all.map((seed, i) => ({
      role: (ROLE.inbox + i) as Manifest['actors'][number]['role'],
      index: 0,
      key: importSecretKey(seed).publicKey,
      firstEpoch: 1,
      lastEpoch: 0,
    })),
    buckets: evenBuckets(1, 1),
    policy: {
      submissions: 0,
      retentionEpochs: 1_000_000,
      messagesPerEpoch: 65_536,
      bytesPerEpoch: 32 << 20,
      recipients: 1000,
      bodyBytes: 1 << 20,
      envelopeBytes: 4096,
      bundlesPerFrame: 512,
      countersKept: 4096,
    },
  };
  const serverId = manifestHash(encodeManifest(manifest));
  const placement = () => ({ inbox: 0, outbox: 0 });
  return { serverId, manifest, placementRoot: placementRoot([]), seeds, placement };
}

const body = new Uint8Array(BODY_BYTES).fill(7);
let random = 1;

/** xorshift32: the same load in every run. */
function pick(below: number): number {
  random ^= random << 13;
  random ^= random >>> 17;
  random ^= random << 5;
  return (random >>> 0) % below;
}

function choose(recipients: number): Uint8Array[] {
  const chosen = new Set<number>();
  while (chosen.size < recipients) chosen.add(pick(MAILBOXES));
  return [...chosen].map((i) => mailboxes[i]!);
}

export class Epochs {
  private readonly counters = new Array<number>(SENDERS).fill(0);
  private readonly load: Uint8Array[][];
  private readonly pipeline: Pipeline;
  private readonly submissions: Submissions;

  /** All epochs have so many messages, each to so many of the mailboxes. */
  constructor(
    messages: number,
    recipients: number,
    checkInputs: boolean,
    private readonly watcher: Watcher,
  ) {
    this.load = Array.from({ length: messages }, () => choose(recipients));
    const cluster = clusterOf();
    const store = new ShortStore(watcher);
    const { policy } = cluster.manifest;
    this.submissions = new Submissions(
      cluster.serverId,
      1,
      { ...policy, entriesPerEpoch: 1 << 20 },
      new MailboxDirectory(store),
      policy.submissions,
      (to, message) => this.pipeline.tell(to, message),
    );
    this.pipeline = new Pipeline(cluster, {
      checkInputs,
      store,
      around: (to, message, step) => watcher.aroundActor(to, message, step),
      aroundLater: (step) => watcher.aroundLater(step),
    });
    mailboxes.forEach((mailbox, slot) => {
      const session = { kind: SESSION_KIND.outbox, acknowledged: 0, logSize: 0, seed: CHAIN_SEED };
      const connection = socketOf(slot);
      this.pipeline.tell(address('outbox'), { type: 'open-mailbox', connection, slot, mailbox, ...session });
    });
  }

  get manifest(): Manifest {
    return this.pipeline.cluster.manifest;
  }

  get serverId(): Uint8Array {
    return this.pipeline.cluster.serverId;
  }

  /** One more. */
  make(): void {
    const { pipeline, load, watcher } = this;
    for (let at = 0, turn = 0; at < load.length; at += BUNDLES_PER_FRAME, turn++) {
      const sender = turn % SENDERS;
      const some = load.slice(at, at + BUNDLES_PER_FRAME);
      const { policy } = this.manifest;
      const bundles = watcher.around('bundle', () => some.map((to) => makeBundle({ to, body }, policy)));
      this.submit(sender, encodeSubmit(sender, this.counters[sender]! + 1, bundles));
      this.counters[sender]! += bundles.length;
    }
    pipeline.close();
    pipeline.commit();
    for (const { inbox, load } of pipeline.takeGateway('queue-taken')) this.submissions.taken(inbox, load);
    for (const released of pipeline.takeGateway('released')) this.submissions.released(released);
    for (const { connection, frames } of pipeline.takeGateway('frames')) this.receive(connection, frames);
    if (pipeline.takeGateway('refused').length > 0) throw new Error('a bundle was refused');
    pipeline.gateway.length = 0;
  }

  private submit(slot: number, frame: Uint8Array): void {
    const origin = { connection: 1, slot, sender: mailboxes[slot]!, inbox: 0, lastCounter: 0 };
    const refusals = this.watcher.around('handler', () =>
      this.submissions.take(origin, decodeSubmitHeader(frame), frame),
    );
    if (refusals.length > 0) throw new Error('a bundle was refused');
    this.submissions.flush();
  }

  private receive(connection: number, frames: readonly Uint8Array[]): void {
    this.watcher.received(connection, frames);
    const bytes = frames.reduce((sum, frame) => sum + frame.length, 0);
    this.pipeline.tell(address('outbox'), { type: 'drained', connection, bytes });
  }
}
