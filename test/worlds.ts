/** Random servers, mailboxes and epochs for the tests that hold two implementations side by side. */
import fc from 'fast-check';
import * as twin from './twin/index.js';

/** 32 bytes that depend on nothing but the name. */
export function named(name: string): Buffer {
  return twin.H(twin.ascii(name));
}

/** The key pair of that name: real keys, because fast decoders refuse anything else as an id. */
export function keyPair(name: string): { secret: Buffer; id: Buffer } {
  const secret = named(`secret of ${name}`);
  return { secret, id: twin.publicKeyOf(secret) };
}

/** The seed of this run: SEED in the environment, else the clock's. */
export const SEED = Number(process.env['SEED'] ?? Date.now() % 0x7fffffff);
if (process.argv[1]?.endsWith('.test.js')) console.log(`SEED=${SEED}`);

/** How many times as much as `npm test` does: continuous integration says 4. */
export const RUNS = Number(process.env['RUNS'] ?? 1);

/** Of so many bytes or cases one is tried where each should be, from one that the seed says; with RUNS=4 it is each. */
export const STRIDE = RUNS >= 4 ? 1 : 8;
export const FIRST = SEED % STRIDE;

/** Options for fast-check. Where runs are dear, `inPassing` of them have to do in `npm test`. */
export function runOptions(
  numRuns: number,
  inPassing = numRuns,
): { seed: number; numRuns: number; includeErrorInReport: true } {
  // The test runner prints an error's message, not its cause.
  return { seed: SEED, numRuns: RUNS === 1 ? inPassing : numRuns * RUNS, includeErrorInReport: true };
}

/** What a random epoch is made from: small numbers, so that it shrinks well. */
export interface Shape {
  inboxes: number;
  outboxes: number;
  mailboxes: number;
  /** Bundles in the order sent: sender, recipients (mailbox numbers), body and envelope lengths. */
  bundles: { sender: number; recipients: number[]; body: number; envelope: number; signed: boolean }[];
  asked: number[];
  /** Mailboxes moved by an exception. */
  moved: number[];
  /** 100,000 if not given. */
  retentionEpochs?: number;
}

const bundleShape = fc.record({
  sender: fc.nat(39),
  recipients: fc.oneof(
    { weight: 6, arbitrary: fc.uniqueArray(fc.nat(39), { minLength: 1, maxLength: 3 }) },
    { weight: 1, arbitrary: fc.uniqueArray(fc.nat(39), { minLength: 1, maxLength: 40 }) },
  ),
  body: fc.oneof(fc.constant(0), fc.nat(300)),
  envelope: fc.oneof(fc.constant(0), fc.nat(80)),
  signed: fc.boolean(),
});

export const shapes: fc.Arbitrary<Shape> = fc.record({
  inboxes: fc.integer({ min: 1, max: 3 }),
  outboxes: fc.integer({ min: 1, max: 3 }),
  mailboxes: fc.oneof(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 40 })),
  bundles: fc.oneof(
    { weight: 4, arbitrary: fc.array(bundleShape, { maxLength: 8 }) },
    { weight: 1, arbitrary: fc.array(bundleShape, { minLength: 60, maxLength: 200 }) },
  ),
  asked: fc.array(fc.nat(39), { maxLength: 6 }),
  moved: fc.array(fc.nat(39), { maxLength: 3 }),
});

export interface World {
  serverId: Buffer;
  manifest: twin.Manifest;
  rootSecret: Buffer;
  sequencerSecret: Buffer;
  secrets: twin.Secrets;
  exceptions: twin.Exception[];
  clients: { secret: Buffer; id: Buffer }[];
  placement: (id: Buffer) => twin.Assigned;
  chains: Map<string, twin.Chain>;
  lastPlaces: Map<string, twin.Place>;
  counters: Map<string, bigint>;
}

/** A server with no message yet, and the clients whose mailboxes it has. */
export function worldOf(shape: Shape): World {
  const secretsOf = (stage: string, n: number) =>
    Array.from({ length: n }, (_, i) => keyPair(`${stage} ${i}`).secret);
  const secrets: twin.Secrets = {
    inboxes: secretsOf('inbox', shape.inboxes),
    routers: secretsOf('router', shape.inboxes),
    receivers: secretsOf('receiver', shape.outboxes),
    outboxes: secretsOf('outbox', shape.outboxes),
  };
  const sequencerSecret = keyPair('sequencer').secret;
  const manifest = manifestOf(shape, secrets, sequencerSecret);
  const serverId = twin.manifestHash(twin.manifestBytes(manifest));
  const clients = Array.from({ length: shape.mailboxes }, (_, i) => keyPair(`client ${i}`));
  const moved = new Set(shape.moved.map((i) => i % shape.mailboxes));
  const exceptions = [...moved]
    .map((i) => ({ id: clients[i]!.id, inbox: i % shape.inboxes, outbox: i % shape.outboxes }))
    .sort((a, b) => Buffer.compare(a.id, b.id));
  return {
    serverId,
    manifest,
    rootSecret: keyPair('root').secret,
    sequencerSecret,
    secrets,
    exceptions,
    clients,
    placement: (id) => twin.placementOf(serverId, manifest.runs, exceptions, id),
    chains: new Map(clients.map(({ id }, i) => [twin.hex(id), twin.newChain(named(`chain seed ${i}`))])),
    lastPlaces: new Map(),
    counters: new Map(),
  };
}

/** Buckets are dealt out in turn; the k-th run goes to inbox k mod I and outbox k mod O. */
function manifestOf(shape: Shape, secrets: twin.Secrets, sequencerSecret: Buffer): twin.Manifest {
  const stages = [secrets.inboxes, secrets.routers, secrets.receivers, secrets.outboxes, [sequencerSecret]];
  const actors = stages.flatMap((stage, i) =>
    stage.map((secret, index) => ({
      role: i + 1,
      index,
      key: twin.publicKeyOf(secret),
      firstEpoch: 1n,
      lastEpoch: 0n,
    })),
  );
  const runs = Array.from({ length: 7 }, (_, k) => ({
    firstBucket: k * 600,
    inbox: k % shape.inboxes,
    outbox: k % shape.outboxes,
  }));
  return {
    version: 1,
    previousHash: twin.ZERO_32,
    nonce: named('nonce'),
    rootKey: keyPair('root').id,
    actors,
    runs,
    submissions: 1,
    retentionEpochs: BigInt(shape.retentionEpochs ?? 100_000),
    messagesPerEpoch: 65_536,
    bytesPerEpoch: 32 * 1024 * 1024,
    recipientsPerBundle: 1_000,
    bodyBytes: 1024 * 1024,
    envelopeBytes: 4_096,
    bundlesPerFrame: 1_024,
    countersKept: 4_096,
  };
}

/** The queues of an epoch of that shape, with the senders' next counters (which it takes). */
export function queuesOf(world: World, shape: Shape): twin.Bundle[][] {
  const queues: twin.Bundle[][] = Array.from({ length: shape.inboxes }, () => []);
  for (const [n, planned] of shape.bundles.entries()) {
    const sender = world.clients[planned.sender % world.clients.length]!;
    const counter = (world.counters.get(twin.hex(sender.id)) ?? 0n) + 1n;
    world.counters.set(twin.hex(sender.id), counter);
    const message: twin.Message = {
      sender: sender.id,
      counter,
      recipients: recipientsOf(world, planned.recipients, planned.envelope, n),
      body: Buffer.alloc(planned.body, n),
    };
    const submissionHash = planned.signed ? submit(world, sender.secret, message) : twin.UNSIGNED;
    queues[world.placement(sender.id).inbox]!.push({ ...message, submissionHash });
  }
  return queues;
}

function recipientsOf(world: World, numbers: number[], envelope: number, n: number): twin.Recipient[] {
  const unique = [...new Set(numbers.map((number) => number % world.clients.length))];
  return unique
    .map((number) => world.clients[number]!.id)
    .sort(Buffer.compare)
    .map((mailbox, i) => ({
      mailbox,
      blinder: twin.blinder(named(`roster ${n}`), mailbox),
      envelope: Buffer.alloc(i % 2 === 0 ? envelope : 0, i),
    }));
}

function submit(world: World, secret: Buffer, message: twin.Message): Buffer {
  const signed = twin.submissionSigned({
    serverId: world.serverId,
    sender: message.sender,
    firstCounter: message.counter,
    messageHashes: [twin.messageHash(world.serverId, message)],
  });
  return twin.submissionHash(signed, twin.sign(secret, signed));
}

/** The whole input of the twin's epoch number `epoch` in that world. */
export function epochInput(
  world: World,
  shape: Shape,
  inboxes: twin.Bundle[][],
  epoch: bigint,
  log: Buffer[],
): twin.EpochInput {
  return {
    serverId: world.serverId,
    manifestHash: world.serverId,
    placementRoot: twin.placementRoot(world.exceptions),
    base: { size: BigInt(log.length), root: twin.root(log) },
    epoch,
    previousEpoch: epoch - 1n,
    inboxes,
    outboxes: shape.outboxes,
    placement: world.placement,
    lastPlaces: world.lastPlaces,
    chains: world.chains,
    asked: shape.asked.map((i) => world.clients[i % world.clients.length]!.id),
    secrets: world.secrets,
  };
}
