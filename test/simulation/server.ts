/**
 * The server in the simulator: real actors with their real lifecycles, the real request handler and the real
 * recovery, on a simulated disk and network. Listeners, worker threads and HTTP are what is missing.
 */

import { importSecretKey } from '#crypto';
import { type ActorMessage, type Address, address } from '../../src/actors/messages.js';
import { hostActors, type PipelineOptions, threadOf } from '../../src/actors/pipeline.js';
import { Placements, placementFor } from '../../src/actors/placements.js';
import { RequestHandler } from '../../src/actors/request-handler.js';
import { signCheckpoint } from '../../src/actors/sequencer.js';
import { type Checkpoint, countsIn, SESSION_KIND, type SessionKind } from '../../src/protocol/index.js';
import { type Config, loadConfig } from '../../src/server/config.js';
import { checkKeys, found, type Identity, readIdentity } from '../../src/server/founding.js';
import type { ServerKeys } from '../../src/server/keys.js';
import { type LogState, readFrontier, recoverLog } from '../../src/server/recovery.js';
import { shutDown } from '../../src/server/shutdown.js';
import { signedLog } from '../../src/server/signed-log.js';
import { checkTakenOver } from '../../src/server/taking-over.js';
import { verifyAtOnce } from '../support/pipeline.js';
import { Board } from './board.js';
import type { Disk } from './disk.js';
import { checkLeftovers } from './leftovers.js';
import type { Liar } from './liar.js';
import type { Loop, Process } from './loop.js';
import { type Receiver, serverSocket, Wire } from './network.js';
import type { Change, Operator } from './operator.js';
import type { Profile } from './profile.js';
import type { Random } from './random.js';
import { type EndedKey, Secrets } from './secrets.js';

/** One life of the server. */
interface Life {
  readonly process: Process;
  readonly board: Board;
  readonly handler: RequestHandler;
  nextConnection: number;
  isStopping: boolean;
}

/** What listens is the network's, and refuses by `isStopping`. */
const NO_LISTENER = { refuse: () => {}, terminate: () => {}, applyLimits: () => {} };

export class SimulatedServer {
  identity: Identity | null = null;
  private keys: ServerKeys;
  private readonly secrets: Secrets;
  /** With as many actors as the manifest in force has. */
  config: Config;
  crashes = 0;
  private life: Life | null = null;
  private lives = 0;
  private readonly wires = new Set<Wire>();

  constructor(
    private readonly loop: Loop,
    private readonly profile: Profile,
    readonly disk: Disk,
    /** Told of every message between actors before it is taken. */
    private readonly observe: (to: Address, message: ActorMessage) => void,
    private readonly lying: {
      readonly liar: Liar;
      readonly mailboxes: () => readonly Uint8Array[];
    } | null,
    private readonly operator: Operator,
  ) {
    this.keys = keysFrom(loop.random, profile);
    this.secrets = new Secrets(this.keys);
    const flags = {
      inboxes: String(profile.inboxes),
      outboxes: String(profile.outboxes),
      submissions: profile.submissions,
      'limits-messages-per-epoch': String(profile.messagesPerEpoch),
      'limits-unacknowledged-epochs': String(profile.unacknowledgedEpochs),
      'shutdown-drain-ms': '500',
      'shutdown-close-ms': '20',
      'shutdown-return-ms': '50',
    };
    const config = loadConfig({ flags, env: {}, cores: 2 });
    // Less than a server can be told: so that epochs are swept within a run.
    this.config = { ...config, limits: { ...config.limits, retentionEpochs: profile.retentionEpochs } };
  }

  get isUp(): boolean {
    return this.life !== null;
  }

  get process(): Process | null {
    return this.life?.process ?? null;
  }

  // ---- coming and going

  /** A first start makes the manifest; it takes the time of a write. */
  start(): void {
    if (this.life || this.starting) return;
    const { loop, disk } = this;
    const process: Process = { name: `server ${++this.lives}`, alive: true, promises: true };
    this.starting = process;
    loop.in(loop.random.between(5, 100), process, 'starts', () => {
      const identity = readIdentity(disk);
      if (identity) return this.change(process, this.operator.changes(disk, this.secrets));
      found({ write: disk.writer(process) }, this.config, this.keys).then((made) => this.run(process, made));
    });
  }

  /** Before it starts, actors may get new keys, or there may be more or fewer of them. */
  private change(process: Process, changes: Iterator<Change, void>): void {
    const { loop, disk } = this;
    const { value: change } = changes.next();
    if (!change) return this.run(process, readIdentity(disk)!);
    loop.note('server', change.what);
    if (change.dies !== undefined)
      loop.in(change.dies * this.profile.diskMs, process, 'is cut short', () => this.crash());
    disk.writer(process)(change.records, () => {
      this.checkLeft(change);
      this.change(process, changes);
    });
  }

  /** A liar may have written what it likes. */
  private checkLeft({ what }: Change): void {
    const { loop, disk, config } = this;
    if (loop.isExcused) return;
    const kept = { identity: readIdentity(disk)!, disk, limits: config.limits, isAtRest: false };
    checkLeftovers(kept, (problem) => loop.complain(`${what}: ${problem}`));
  }

  /** Keys that are not in use any more, as a thief may have them. */
  get endedKeys(): readonly EndedKey[] {
    return this.secrets.ended(this.identity!);
  }

  private starting: Process | null = null;

  private run(process: Process, identity: Identity): void {
    const { loop, disk } = this;
    this.identity = identity;
    this.keys = this.secrets.keysOf(identity.manifest);
    this.config = { ...this.config, ...countsIn(identity.manifest) };
    checkKeys(identity, this.keys);
    const log = recoverLog(disk);
    checkTakenOver(disk, identity);
    const signer = { serverId: identity.serverId, sign: importSecretKey(this.keys.sequencer).sign };
    const checkpoint = signCheckpoint(signer, { size: log.size, root: readFrontier(disk, log.size).root() });
    const board = new Board(loop, this.profile, process, this.observe, this.lyingIn(identity));
    const handler = this.makeHandler(identity, checkpoint, board, process);
    board.add(address('gateway'), (message) => handler.handle(message));
    this.hostActors(this.pipelineOptions(identity, log, checkpoint, board, process), board);
    this.life = { process, board, handler, nextConnection: 1, isStopping: false };
    this.starting = null;
  }

  /** All in one thread, unless one lies that would not take its own lies: that one has a thread that checks nothing. */
  private hostActors(options: PipelineOptions, board: Board): void {
    const liar = this.lying?.liar;
    if (!liar?.isAlone) return void hostActors(options, 1, board);
    const { inboxes, outboxes } = options.plan;
    const plan = { inboxes, outboxes, threads: inboxes + outboxes };
    const alone = threadOf(plan, address(liar.role, 0));
    for (let thread = 1; thread <= plan.threads; thread++)
      hostActors({ ...options, plan, checkInputs: thread !== alone }, thread, board);
  }

  private lyingIn({ serverId }: Identity) {
    if (!this.lying) return null;
    const { liar, mailboxes } = this.lying;
    liar.forget();
    const seed = seedOf(this.keys, address(liar.role, 0));
    return { liar, cast: () => ({ serverId, seed, mailboxes: mailboxes() }) };
  }

  private makeHandler(
    identity: Identity,
    checkpoint: Checkpoint,
    board: Board,
    process: Process,
  ): RequestHandler {
    const { loop, config, disk } = this;
    return new RequestHandler(
      {
        serverId: identity.serverId,
        placements: new Placements(identity.serverId, identity.manifests),
        manifestHash: identity.manifestHash,
        hasSigned: signedLog(disk, identity, this.keys.sequencer).hasSigned,
        inboxes: config.inboxes,
        reader: disk,
        placementOf: placementFor(identity.manifest, identity.serverId),
        limits: config.limits,
        live: () => ({ ...config.limits, openMailboxes: true }),
        checkpoint,
        now: () => loop.now,
        defer: (run) => loop.in(0, process, 'gateway defers', () => board.as('gateway 0', run)),
        rolledBack: (size) =>
          loop.complain(`a client holds a checkpoint of size ${size} that the log does not bear out`),
      },
      board.send,
    );
  }

  private pipelineOptions(
    identity: Identity,
    log: LogState,
    checkpoint: Checkpoint,
    board: Board,
    process: Process,
  ): PipelineOptions {
    const { loop, disk, profile, config } = this;
    const write = disk.writer(process);
    const asSequencer = (run: () => void) => () => board.as('sequencer 0', run);
    return {
      plan: { inboxes: config.inboxes, outboxes: config.outboxes, threads: 1 },
      serverId: identity.serverId,
      manifests: identity.manifests,
      manifestHash: identity.manifestHash,
      seedOf: (actor) => seedOf(this.keys, actor),
      checkInputs: true,
      verifySubmission: verifyAtOnce,
      bytesInFlight: profile.bytesInFlight,
      bytesInFlightInAll: 4 * profile.bytesInFlight,
      quota: config.limits,
      later: board.later,
      flushEpochs: profile.flushEpochs,
      reader: disk,
      lastEpoch: log.lastEpoch,
      checkpoint,
      frontier: () => readFrontier(disk, log.size),
      sequencer: {
        write: (records, durable) => write(this.lying?.liar.writes(records) ?? records, asSequencer(durable)),
        reserved: log.reserved,
        minIntervalMs: profile.minIntervalMs,
        heartbeatMs: profile.heartbeatMs,
        now: () => loop.now,
        clock: {
          setTimeout: (run, ms) => loop.in(ms, process, 'sequencer timer', asSequencer(run)),
          clearTimeout: (event) => {
            if (event) event.cancelled = true;
          },
        },
        observe: () => {},
        failed: (error) => loop.complain(`the sequencer failed: ${error.stack}`),
      },
    };
  }

  /** Drains and goes, as a server that is told to stop. */
  stop(): void {
    const { life, loop } = this;
    if (!life || life.isStopping) return;
    life.isStopping = true;
    const { handler, board, process } = life;
    const never = new Promise<never>(() => {});
    const gateway = (run: () => void) => board.as('gateway 0', run);
    const actors = this.config.inboxes + this.config.outboxes;
    loop.in(0, process, 'stops', () => {
      shutDown({
        listener: { ...NO_LISTENER, sockets: 0 },
        settings: this.config.shutdown,
        drain: () => new Promise((resolve) => gateway(() => handler.drain(actors, resolve))),
        connections: () => handler.open,
        sendAway: (...args) => gateway(() => handler.sendAway(...args)),
        failed: never,
        hurry: never,
      }).then(() => loop.in(loop.random.around(20), process, 'ends', () => this.end('stops')));
    });
  }

  /** Everything in memory is gone. It is started again by whoever wants to. */
  crash(): void {
    if (!this.life && !this.starting) return;
    this.crashes++;
    this.end('crashes');
  }

  private end(how: string): void {
    const { loop } = this;
    for (const process of [this.life?.process, this.starting]) if (process) process.alive = false;
    loop.note('server', how);
    this.life = null;
    this.starting = null;
    for (const wire of this.wires) wire.cut();
    this.wires.clear();
  }

  // ---- sockets

  /** What is asked by HTTP; null when nobody answers. */
  answer(path: string): unknown {
    if (!this.life || !this.identity) return null;
    const { manifests, manifest, serverId } = this.identity;
    const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64');
    const all = manifests.map(({ bytes, signature }) => {
      return { manifest: base64(bytes), signature: base64(signature) };
    });
    if (path === '/v1/manifest') return { version: manifest.version, ...all.at(-1) };
    const [, from] = /^\/v1\/manifests\/(\d+)$/.exec(path) ?? [];
    if (from) return { manifests: all.slice(Number(from) - 1) };
    const [, id] = /^\/v1\/mailboxes\/([0-9a-f]{64})$/.exec(path) ?? [];
    if (!id) throw new Error(`nothing at ${path}`);
    const { outbox } = placementFor(manifest, serverId)(Buffer.from(id, 'hex'));
    return { outbox, url: `ws://server/v1/outboxes/${outbox}` };
  }

  /** A client's socket arrives. Null: nobody listens. */
  accept(path: string, name: string, client: Receiver): Wire | null {
    const { life, loop, profile } = this;
    const [kind, outbox] = target(path);
    if (!life || life.isStopping || outbox >= this.config.outboxes) return null;
    const { handler, board, process } = life;
    const number = life.nextConnection++;
    const gateway = (run: () => void) => board.as('gateway 0', run);
    const receiver: Receiver = {
      process,
      frame: (bytes) => gateway(() => handler.frame(number, bytes)),
      closed: () => gateway(() => handler.closed(number)),
    };
    const wire = new Wire(name, loop, profile, client, receiver, () => this.wires.delete(wire));
    this.wires.add(wire);
    const socket = serverSocket(wire, loop, process, (bytes) =>
      gateway(() => handler.drained(number, bytes)),
    );
    loop.in(0, process, `${name} connected`, () =>
      gateway(() => handler.connected(number, socket, kind, outbox)),
    );
    loop.in(this.config.limits.handshakeMs, process, `${name} handshake timeout`, () =>
      gateway(() => handler.handshakeTimeout(number)),
    );
    return wire;
  }
}

function target(path: string): [SessionKind, number] {
  const [, outbox] = /^\/v1\/outboxes\/(\d+)$/.exec(path) ?? [];
  return outbox === undefined ? [SESSION_KIND.front, 0] : [SESSION_KIND.outbox, Number(outbox)];
}

function keysFrom(random: Random, { inboxes, outboxes }: Profile): ServerKeys {
  const seeds = (count: number) => Array.from({ length: count }, () => random.bytes(32));
  return {
    root: random.bytes(32),
    inboxes: seeds(inboxes),
    routers: seeds(inboxes),
    receivers: seeds(outboxes),
    outboxes: seeds(outboxes),
    sequencer: random.bytes(32),
  };
}

function seedOf(keys: ServerKeys, { kind, index }: Address): Uint8Array {
  switch (kind) {
    case 'inbox':
      return keys.inboxes[index]!;
    case 'router':
      return keys.routers[index]!;
    case 'receiver':
      return keys.receivers[index]!;
    case 'outbox':
      return keys.outboxes[index]!;
    case 'sequencer':
      return keys.sequencer;
    case 'gateway':
      throw new Error('request handlers have no key');
  }
}
