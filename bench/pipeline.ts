/**
 * The pure pipeline on one thread, with arrays as neighbours: what a message costs in each stage, in
 * microseconds and in hash calls. Nothing is written to a disk and nothing goes through a socket.
 *
 *     npm run bench:pipeline -- [--json] [--messages 2000] [--recipients 10] [--checks everywhere]
 *
 * One inbox and one outbox, 1,000 mailboxes on 100 sockets, 16 senders, frames of up to 32 bundles with
 * bodies of 128 bytes. Medians over epochs, after as many to warm up. The clients' side, on the same
 * thread, is shown beside it.
 */

import crypto from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';
import { importSecretKey, sha256 } from '#crypto';
import { MailboxDirectory } from '../src/actors/mailbox-directory.js';
import { type ActorMessage, type Address, address, type StoreRecord } from '../src/actors/messages.js';
import { TABLE } from '../src/actors/store-keys.js';
import { Submissions } from '../src/actors/submissions.js';
import { EMPTY_LOG } from '../src/client/log-state.js';
import { makeBundle } from '../src/client/outgoing-bundle.js';
import { type MailboxState, type Obligation, verifyDeliver } from '../src/client/verifier.js';
import { World } from '../src/client/world.js';
import {
  ascii,
  decodeSubmitHeader,
  encodeManifest,
  encodeSubmit,
  evenBuckets,
  FRAME,
  type Manifest,
  manifestHash,
  placementRoot,
  ROLE,
  SESSION_KIND,
} from '../src/protocol/index.js';
import { type Cluster, Pipeline } from '../test/support/pipeline.js';
import { MemoryStore } from '../test/support/store.js';
import { readArguments, refuse } from './arguments.js';

const MAILBOXES = 1000;
const SOCKETS = 100;
const SENDERS = 16;
const BODY_BYTES = 128;
const BUNDLES_PER_FRAME = 32;
/** Messages to spend on each row, over all measured epochs. */
const budgetOf = (recipients: number) => (recipients === 1 ? 160_000 : 600_000 / recipients);
const EPOCHS = { least: 9, most: 4000 };

const SERVER = [
  'handler',
  'submit',
  'close',
  'router',
  'receiver',
  'outbox',
  'deliver',
  'sequencer',
] as const;
/** Making a bundle; verifying all its deliveries (recipients' and the sender's own), apart from signatures, and these. */
const CLIENT = ['bundle', 'verify', 'ed25519'] as const;
const STAGES = [...SERVER, ...CLIENT];
type StageName = (typeof STAGES)[number];

function stageOf({ kind }: Address, { type }: ActorMessage): StageName | undefined {
  if (kind === 'sequencer') return 'sequencer';
  if (kind === 'inbox') return type === 'submit' ? 'submit' : 'close';
  if (kind === 'outbox')
    return type === 'receiver-items' ? 'outbox' : type === 'committed' ? 'deliver' : undefined;
  return kind === 'gateway' ? undefined : kind;
}

const named = (name: string) => sha256(ascii(name));

// ---- counting

let hashCalls = 0;
const { hash } = crypto;

/** Counts real calls: every module's import of `hash` is the wrapper until it is put back. */
function countHashes(on: boolean): void {
  const counting = (...args: Parameters<typeof hash>) => {
    hashCalls++;
    return hash(...args);
  };
  Object.assign(crypto, { hash: on ? counting : hash });
  syncBuiltinESMExports();
}

// ---- the server

/** Keeps what stages read back, and not what only a restart needs. */
class ShortStore extends MemoryStore {
  override write(records: readonly StoreRecord[]): void {
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

// ---- load

const mailboxes = Array.from({ length: MAILBOXES }, (_, i) => named(`mailbox ${i}`));
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

/** A socket's client: what it knows of the log and of its mailboxes. */
class Client {
  private log = EMPTY_LOG;
  private readonly states = new Map<number, MailboxState>();

  constructor(private readonly world: World) {}

  open(slot: number, mailbox: Uint8Array, head: Uint8Array): void {
    const chain = { lastEpoch: 0, total: 0, head };
    const own = { matches: () => true };
    this.states.set(slot, { mailbox, chain, asOf: 0, ownCounter: 0, acknowledged: 0, own });
  }

  /** Verifies a delivery as far as hashes go; gives the signatures that are left. */
  take(frame: Uint8Array): readonly Obligation[] {
    if (frame[0] !== FRAME.deliver) return [];
    const verified = verifyDeliver(this.world, 0, this.log, (slot) => this.states.get(slot), frame);
    this.log = verified.log;
    for (const { slot, next } of verified.mailboxes) this.states.set(slot, next);
    return verified.obligations;
  }
}

interface Row {
  readonly messages: number;
  readonly recipients: number;
  readonly checks: 'process-boundaries' | 'everywhere';
  readonly epochs: number;
  /** Per message. */
  readonly micros: Record<StageName, number>;
  readonly hashes: Record<StageName, number>;
}

class Measurement {
  private readonly micros: Record<StageName, number>[] = [];
  private readonly hashes: Record<StageName, number>;
  private readonly counters = new Array<number>(SENDERS).fill(0);
  private readonly load: Uint8Array[][];
  private readonly pipeline: Pipeline;
  private readonly submissions: Submissions;
  private readonly clients = new Map<number, Client>();
  private current = zeros();

  constructor(
    private readonly messages: number,
    private readonly recipients: number,
    private readonly everywhere: boolean,
  ) {
    this.hashes = zeros();
    this.load = Array.from({ length: messages }, () => choose(recipients));
    const cluster = clusterOf();
    const store = new ShortStore();
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
      checkInputs: everywhere,
      store,
      around: (to, message, step) => this.measure(stageOf(to, message), step),
    });
    // Nothing is judged here, so nobody has signed the manifest.
    const none = new Uint8Array(0);
    const { serverId: hash, manifest } = cluster;
    const world = new World([{ bytes: none, signature: none, hash, manifest }]);
    mailboxes.forEach((mailbox, i) => {
      const seed = named('seed');
      const session = { kind: SESSION_KIND.outbox, acknowledged: 0, logSize: 0, seed };
      const connection = 1 + (i % SOCKETS);
      const client = this.clients.get(connection) ?? new Client(world);
      this.clients.set(connection, client);
      client.open(i, mailbox, seed);
      this.pipeline.tell(address('outbox'), {
        type: 'open-mailbox',
        connection,
        slot: i,
        mailbox,
        ...session,
      });
    });
  }

  private measure<T>(stage: StageName | undefined, step: () => T): T {
    const hashesBefore = hashCalls;
    const start = performance.now();
    const result = step();
    if (stage) {
      this.current[stage] += ((performance.now() - start) * 1000) / this.messages;
      this.hashes[stage] += (hashCalls - hashesBefore) / this.messages;
    }
    return result;
  }

  private epoch(): void {
    const { pipeline } = this;
    this.current = zeros();
    const { policy } = pipeline.cluster.manifest;
    for (let at = 0, turn = 0; at < this.messages; at += BUNDLES_PER_FRAME, turn++) {
      const sender = turn % SENDERS;
      const load = this.load.slice(at, at + BUNDLES_PER_FRAME);
      const bundles = this.measure('bundle', () => load.map((to) => makeBundle({ to, body }, policy)));
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
    const refusals = this.measure('handler', () =>
      this.submissions.take(origin, decodeSubmitHeader(frame), frame),
    );
    if (refusals.length > 0) throw new Error('a bundle was refused');
    this.submissions.flush();
  }

  private receive(connection: number, frames: readonly Uint8Array[]): void {
    const client = this.clients.get(connection)!;
    const obligations = this.measure('verify', () => frames.flatMap((frame) => client.take(frame)));
    const right = this.measure('ed25519', () =>
      obligations.every(({ key, bytes, signature }) => key.verify(bytes, signature)),
    );
    if (!right) throw new Error('a signature does not verify');
    const bytes = frames.reduce((sum, frame) => sum + frame.length, 0);
    this.pipeline.tell(address('outbox'), { type: 'drained', connection, bytes });
  }

  run(): Row {
    const affordable = Math.round(budgetOf(this.recipients) / this.messages);
    const epochs = Math.min(EPOCHS.most, Math.max(EPOCHS.least, affordable));
    for (let i = 0; i < epochs; i++) this.epoch();
    for (let i = 0; i < epochs; i++) {
      this.epoch();
      this.micros.push(this.current);
    }
    Object.assign(this.hashes, zeros());
    countHashes(true);
    this.epoch();
    countHashes(false);
    const { messages, recipients } = this;
    const micros = zeros();
    for (const stage of STAGES) micros[stage] = median(this.micros.map((each) => each[stage]));
    const checks = this.everywhere ? 'everywhere' : 'process-boundaries';
    return { messages, recipients, checks, epochs, micros, hashes: this.hashes };
  }
}

function zeros(): Record<StageName, number> {
  return Object.fromEntries(STAGES.map((stage) => [stage, 0])) as Record<StageName, number>;
}

function median(values: number[]): number {
  return values.sort((a, b) => a - b)[Math.floor(values.length / 2)]!;
}

// ---- output

const WIDTH = 10;
const sum = (values: Record<StageName, number>) => SERVER.reduce((total, stage) => total + values[stage], 0);

function line(name: string, unit: string, cells: readonly string[]): void {
  console.log(name.padEnd(30) + unit.padEnd(6) + cells.map((cell) => cell.padStart(WIDTH)).join(''));
}

function print({ messages, recipients, checks, micros, hashes }: Row): void {
  const cells = (values: Record<StageName, number>) =>
    [...SERVER.map((stage) => values[stage]), sum(values), ...CLIENT.map((stage) => values[stage])].map((v) =>
      v.toFixed(2),
    );
  line(`${messages} × ${recipients}`.padEnd(11) + checks, 'µs', cells(micros));
  line('', 'hashes', cells(hashes));
}

function whole(text: string): number {
  if (!/^[1-9]\d{0,5}$/.test(text)) refuse(USAGE, `${text}: expected a whole number above 0`);
  return Number(text);
}

const USAGE = `npm run -s bench:pipeline -- [--messages 2000] [--recipients 10] [--checks everywhere|process-boundaries] [--json]

What a message costs in each stage, in microseconds and in hash calls.`;

const { values } = readArguments(USAGE, {
  options: {
    json: { type: 'boolean', default: false },
    messages: { type: 'string' },
    recipients: { type: 'string' },
    checks: { type: 'string' },
  },
});

if (!values.json) line('messages × recipients', '', [...SERVER, 'server', ...CLIENT]);
const wanted = (option: string | undefined, all: readonly number[]) => (option ? [whole(option)] : all);
const checks = (['process-boundaries', 'everywhere'] as const).filter(
  (each) => each === (values.checks ?? each),
);
if (checks.length === 0) refuse(USAGE, `--checks: ${values.checks} is none`);
for (const recipients of wanted(values.recipients, [1, 10])) {
  for (const messages of wanted(values.messages, [1, 100, 2000, 10_000, 20_000])) {
    for (const check of checks) {
      const row = new Measurement(messages, recipients, check === 'everywhere').run();
      if (values.json) console.log(JSON.stringify({ ...row, server: sum(row.micros) }));
      else print(row);
    }
  }
}
