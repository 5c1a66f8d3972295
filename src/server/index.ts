/**
 * The server put together: lock, keys, store, manifest, worker threads, request handler, sockets.
 * `startServer` is the whole of it; the command line only prints.
 */
import { mkdir } from 'node:fs/promises';
import { address } from '../actors/messages.js';
import type { Answer } from '../actors/openings-desk.js';
import { allActors, type Plan, threadOf } from '../actors/pipeline.js';
import { Placements, placementFor } from '../actors/placements.js';
import { RequestHandler } from '../actors/request-handler.js';
import { Switchboard } from '../actors/switchboard.js';
import { type Checkpoint, type OpenedItem, type PlacedAt, toHex } from '../protocol/index.js';
import { Anchors } from './anchors.js';
import { type Config, type Reloaded, reloadConfig } from './config.js';
import { Cosigning } from './cosigning.js';
import { lockDataDirectory } from './data-lock.js';
import { deferred } from './deferred.js';
import { boundByManifest, checkKeys, found, type Identity, readIdentity } from './founding.js';
import { type FrontOptions, frontRequests, internalRequests } from './http.js';
import { readKeyFile } from './key-file.js';
import { loadOrCreateKeys, type ServerKeys } from './keys.js';
import { type Listener, listenForClients } from './listeners.js';
import { settleKeys } from './manifest-change.js';
import type { TellProgress } from './moved-ids.js';
import { OperatorError } from './operator-error.js';
import { listen, type Port } from './ports.js';
import { type LogState, recoverLog } from './recovery.js';
import { shutDown } from './shutdown.js';
import { type SignedLog, signedLog } from './signed-log.js';
import { Store } from './store.js';
import { checkTakenOver } from './taking-over.js';
import { type Certificate, readCertificate } from './tls.js';
import { startWorkers, WORKER_MODULE, type Workers } from './workers.js';

export { type Config, loadConfig } from './config.js';
export { OperatorError } from './operator-error.js';

export interface StartOptions {
  /** Another module than the product's to run on worker threads: for tests that crash it. */
  readonly workerModule?: string;
  /** Told what the operator should know, while it runs. */
  readonly warn?: (text: string) => void;
  /** Told how far it is with what may make a start long. */
  readonly progress?: TellProgress;
}

export interface Server {
  /** 64 hexadecimal digits. */
  readonly serverId: string;
  /** `http://host:port`: what clients connect to. */
  readonly url: string;
  readonly internalUrl: string;
  /** As bound by the data directory's manifest. */
  readonly config: Config;
  readonly identity: Identity;
  /** About the configuration, for the operator. */
  readonly warnings: readonly string[];
  /**
   * Takes over what may change while it runs; what may not stays and is named. TLS files are read again.
   * Throws `OperatorError`, and then nothing has changed.
   */
  reload(asked: Config): Reloaded & { readonly warnings: readonly string[] };
  /** Newest checkpoint committed. */
  checkpoint(): Checkpoint;
  /** Never resolves; rejects when the server had to stop because something failed. */
  readonly failed: Promise<never>;
  /** Drains and stops: no new work, finishes what it has, closes sockets with 1012, releases the directory. */
  stop(): Promise<void>;
  /** While it stops: closes what is still open at once. */
  hurry(): void;
}

/** Throws `OperatorError` when the server cannot start; nothing is left running or locked then. */
export async function startServer(
  asked: Config,
  { workerModule = WORKER_MODULE, warn = () => {}, progress = () => {} }: StartOptions = {},
): Promise<Server> {
  await mkdir(asked.data, { recursive: true, mode: 0o700 });
  const lock = await lockDataDirectory(asked.data);
  const undo: (() => Promise<unknown>)[] = [() => lock.release()];
  try {
    return await start(asked, workerModule, warn, progress, undo);
  } catch (error) {
    for (const step of undo.reverse()) await step().catch(() => {});
    throw error;
  }
}

async function start(
  asked: Config,
  workerModule: string,
  warn: (text: string) => void,
  progress: TellProgress,
  undo: (() => Promise<unknown>)[],
): Promise<Server> {
  const failure = deferred<never>();
  failure.promise.catch(() => {});
  const store = Store.openToServe(asked.data, failure.reject);
  undo.push(() => store.close());
  const known = readIdentity(store);
  const config = known ? boundByManifest(asked, known) : asked;
  if (known) await settleKeys(asked.data, known.manifest);
  const inForce: InForce = { config, certificate: readCertificate(config.tls) };
  if (config.operatorToken !== '') await readKeyFile(config.operatorToken);
  const keys = await loadOrCreateKeys(config.data, config);
  const identity = known ?? (await found(store, config, keys));
  checkKeys(identity, keys);
  const log = recoverLog(store);
  checkTakenOver(store, identity, progress);
  const signed = signedLog(store, identity, keys.sequencer);
  const anchors = await Anchors.open(config.data, { ...signed, size: log.size });
  const placementOf = cached(placementFor(identity.manifest, identity.serverId));
  const inside = runActors(
    inForce,
    identity,
    keys,
    log,
    signed,
    store,
    placementOf,
    workerModule,
    failure.reject,
  );
  undo.push(() => inside.workers.stop());
  await Promise.race([inside.workers.ready, failure.promise]);
  const cosigning = new Cosigning({
    ...signed,
    anchors,
    warn,
    size: () => inside.handler.checkpoint.size,
    settings: () => inForce.config.witnesses,
  });
  undo.push(() => cosigning.stop());
  const told = { ...inside, cosigning, proof: signed.proof };
  const edge = await openPorts(inForce, told, identity, placementOf, store, undo);
  const hurried = deferred<void>();
  const stop = once(async () => {
    edge.ready = false;
    const { connections, sendAway, drain } = inside;
    const settings = inForce.config.shutdown;
    const [failed, hurry] = [failure.promise, hurried.promise];
    await shutDown({ listener: edge.listener, settings, drain, connections, sendAway, failed, hurry });
    for (const step of undo.reverse()) await step();
  });
  return {
    serverId: toHex(identity.serverId),
    url: edge.front.url,
    internalUrl: edge.internal.url,
    config,
    identity,
    warnings: inForce.certificate?.warnings ?? [],
    reload: (anew) => {
      const reloaded = reload(inForce, asked, anew, edge);
      cosigning.apply();
      return reloaded;
    },
    checkpoint: () => inside.handler.checkpoint,
    failed: failure.promise,
    stop,
    hurry: () => hurried.resolve(),
  };
}

/** What a reload replaces. */
interface InForce {
  config: Config;
  certificate: Certificate | null;
}

/** Where the outside comes in. */
interface Edge {
  readonly front: Port;
  readonly internal: Port;
  readonly listener: Listener;
  ready: boolean;
}

async function openPorts(
  inForce: InForce,
  { handler, events, register, open, cosigning, proof }: Inside & Pick<FrontOptions, 'proof'> & Cosigned,
  identity: Identity,
  placementOf: (id: Uint8Array) => PlacedAt,
  reader: Store,
  undo: (() => Promise<unknown>)[],
): Promise<Edge> {
  const { config, certificate } = inForce;
  const { handshakeMs } = config.limits;
  const requests = frontRequests({
    identity,
    placementOf,
    checkpoint: () => handler.checkpoint,
    anchors: () => cosigning.notes,
    proof,
    secure: certificate !== null,
    publicUrl: () => inForce.config.publicUrl,
    origins: () => inForce.config.origins,
  });
  const front = await listen(requests, config.host, config.port, handshakeMs, certificate);
  undo.push(() => front.close());
  const inner = internalRequests({
    ready: () => edge.ready,
    register,
    open,
    witnesses: () => cosigning.status,
    kept: {
      reader,
      placements: new Placements(identity.serverId, identity.manifests),
      checkpoint: () => handler.checkpoint,
    },
    operatorToken: () => inForce.config.operatorToken,
  });
  const internal = await listen(inner, '127.0.0.1', config.internalPort, handshakeMs);
  undo.push(() => internal.close());
  const limits = () => inForce.config.limits;
  const origins = () => inForce.config.origins;
  const listener = listenForClients(front.server, config.outboxes, limits, origins, events);
  const edge: Edge = { front, internal, listener, ready: true };
  return edge;
}

function reload(inForce: InForce, started: Config, asked: Config, { front, listener }: Edge) {
  const taken = reloadConfig(inForce.config, started, asked);
  const certificate = readCertificate(taken.config.tls);
  const renewed = certificate?.fingerprint !== inForce.certificate?.fingerprint;
  const changed = renewed ? [...taken.changed, 'the certificate itself'] : taken.changed;
  if (certificate && 'setSecureContext' in front.server) front.server.setSecureContext(certificate.context);
  inForce.config = taken.config;
  inForce.certificate = certificate;
  listener.applyLimits();
  return { ...taken, changed, warnings: certificate?.warnings ?? [] };
}

interface Cosigned {
  readonly cosigning: Cosigning;
}

interface Inside {
  readonly workers: Workers;
  readonly handler: RequestHandler;
  readonly events: Parameters<typeof listenForClients>[4];
  readonly drain: () => Promise<void>;
  readonly connections: () => readonly number[];
  readonly sendAway: (connection: number, retryAfterMs: number) => void;
  readonly register: (ids: readonly Uint8Array[]) => Promise<void>;
  readonly open: (asked: OpenedItem) => Promise<Answer>;
}

/** The actors: request handler on this thread, the rest on workers. */
function runActors(
  inForce: InForce,
  identity: Identity,
  keys: ServerKeys,
  log: LogState,
  signed: SignedLog,
  store: Store,
  placementOf: (id: Uint8Array) => PlacedAt,
  workerModule: string,
  failed: (error: Error) => void,
): Inside {
  const { config } = inForce;
  const checkpoint = signed.checkpointAt(log.size);
  const plan: Plan = { inboxes: config.inboxes, outboxes: config.outboxes, threads: config.threads };
  const taskOf = taskMaker(config, plan, identity, keys, log, checkpoint);
  const post = gathering((thread, envelopes) => workers.post(thread, envelopes));
  const switchboard = new Switchboard(0, (to) => threadOf(plan, to), post);
  const step = (run: () => void) => {
    try {
      switchboard.step(run);
    } catch (error) {
      failed(error as Error);
    }
  };
  const handler = new RequestHandler(
    {
      serverId: identity.serverId,
      manifestHash: identity.manifestHash,
      hasSigned: signed.hasSigned,
      inboxes: config.inboxes,
      reader: store,
      placements: new Placements(identity.serverId, identity.manifests),
      placementOf,
      limits: config.limits,
      live: () => ({ ...inForce.config.limits, openMailboxes: inForce.config.mailboxes === 'open' }),
      checkpoint,
      now: () => performance.now(),
      defer: (run) => setImmediate(() => step(run)),
      rolledBack: (size) => failed(rolledBack(size)),
    },
    switchboard.send,
  );
  switchboard.add(address('gateway'), (message) => handler.handle(message));
  const receive = (envelopes: Parameters<typeof switchboard.receive>[0]) => {
    store.refresh();
    step(() => switchboard.receive(envelopes));
  };
  const workers = startWorkers(workerModule, plan.threads, taskOf, receive, failed);
  return {
    workers,
    handler,
    events: {
      connected: (...args) => step(() => handler.connected(...args)),
      frame: (...args) => step(() => handler.frame(...args)),
      drained: (...args) => step(() => handler.drained(...args)),
      handshakeTimeout: (...args) => step(() => handler.handshakeTimeout(...args)),
      malformed: (...args) => step(() => handler.malformed(...args)),
      closed: (...args) => step(() => handler.closed(...args)),
    },
    register: (ids) => new Promise((resolve) => step(() => handler.register(ids, resolve))),
    open: (asked) =>
      new Promise((answer) => step(() => handler.openFor({ asked, isWanted: () => true, answer }))),
    drain: () =>
      new Promise((resolve) => step(() => handler.drain(config.inboxes + config.outboxes, resolve))),
    connections: () => handler.open,
    sendAway: (...args) => step(() => handler.sendAway(...args)),
  };
}

function taskMaker(
  config: Config,
  plan: Plan,
  identity: Identity,
  keys: ServerKeys,
  log: LogState,
  checkpoint: Checkpoint,
) {
  const seeds = new Map<string, Uint8Array>([['sequencer 0', keys.sequencer]]);
  const add = (kind: string, list: readonly Uint8Array[]) => {
    for (const [i, seed] of list.entries()) seeds.set(`${kind} ${i}`, seed);
  };
  add('inbox', keys.inboxes);
  add('router', keys.routers);
  add('receiver', keys.receivers);
  add('outbox', keys.outboxes);
  return (thread: number, ports: Parameters<Parameters<typeof startWorkers>[2]>[1]) => {
    const mine = allActors(plan).filter((actor) => threadOf(plan, actor) === thread);
    return {
      thread,
      plan,
      data: config.data,
      serverId: identity.serverId,
      manifests: identity.manifests.map(({ bytes, signature }) => ({ bytes, signature })),
      seeds: new Map(mine.map(({ kind, index }) => [`${kind} ${index}`, seeds.get(`${kind} ${index}`)!])),
      checkInputs: config.checks === 'everywhere',
      bytesInFlight: config.limits.bytesInFlight,
      quota: config.limits,
      bytesInFlightInAll: Math.ceil(config.limits.bytesInFlightInAll / plan.outboxes),
      ...config.epoch,
      log,
      checkpoint,
      ports,
    };
  };
}

/** Posts what a turn of the event loop has for a thread in one message. */
function gathering(
  post: (thread: number, envelopes: Parameters<Workers['post']>[1]) => void,
): Workers['post'] {
  let waiting: Parameters<Workers['post']>[1][] = [];
  return (thread, envelopes) => {
    if (waiting.length === 0) {
      setImmediate(() => {
        const all = waiting;
        waiting = [];
        all.forEach((list, to) => void post(to, list));
      });
    }
    const list = waiting[thread];
    if (list) for (const envelope of envelopes) list.push(envelope);
    else waiting[thread] = envelopes;
  };
}

/** Remembers the placement of recently used ids. */
function cached(placementOf: (id: Uint8Array) => PlacedAt): (id: Uint8Array) => PlacedAt {
  let recent = new Map<string, PlacedAt>();
  return (id) => {
    const key = Buffer.from(id.buffer, id.byteOffset, id.length).latin1Slice(0, 32);
    let placed = recent.get(key);
    if (!placed) {
      if (recent.size >= 50_000) recent = new Map();
      placed = placementOf(id);
      recent.set(key, placed);
    }
    return placed;
  };
}

function rolledBack(size: number): OperatorError {
  return new OperatorError(
    'log-rolled-back',
    `a client holds a signed checkpoint of size ${size} that this log does not bear out: the data directory is older than what was told to clients`,
    'Restore the newest copy of the data directory. If it is lost, start with a new one: that is a new server with a new id.',
  );
}

function once<T>(run: () => Promise<T>): () => Promise<T> {
  let running: Promise<T> | null = null;
  return () => (running ??= run());
}
