/**
 * The single-lock server: a WebSocket server over one store, both as countersign has them, and no attestation: nothing is
 * signed, hashed or proved.
 *
 *     node dist/bench/baselines/central-server.js DIRECTORY message|group [flags of countersign serve: its limits]
 *
 * One lock over the store. Who has it numbers, writes one transaction, fsyncs, and only then answers the sender and passes on
 * to readers. `message`: the lock is taken for each message, and everything waits for its transaction. `group`: for all that
 * wait, and the event loop goes on meanwhile: frames are taken in, the store writes and syncs on a thread of its own.
 */
import { parseArgs } from 'node:util';
import type { ClientSocket } from '../../src/actors/client-connection.js';
import { errorFrame } from '../../src/actors/sessions.js';
import * as p from '../../src/protocol/index.js';
import { flagOptions, loadConfig } from '../../src/server/config.js';
import { listenForClients, type SocketEvents } from '../../src/server/listeners.js';
import { listen } from '../../src/server/ports.js';
import { Store } from '../../src/server/store.js';
import { Deliveries } from './central-deliveries.js';
import { CentralLock, runsOf } from './central-lock.js';
import { CentralQueues, type Message } from './central-queues.js';
import * as wire from './central-wire.js';
import { SyncStore } from './sync-store.js';

/** Acknowledgments are written with every so many transactions, and after so long without any. */
const FLUSH_TRANSACTIONS = 64;
const FLUSH_MS = 1000;

const { values, positionals } = parseArgs({ allowPositionals: true, options: flagOptions() });
const { limits } = loadConfig({ flags: values, env: {} });

class CentralServer implements SocketEvents {
  private readonly queues: CentralQueues;
  private readonly deliveries: Deliveries;
  private readonly sockets = new Map<number, ClientSocket>();
  private readonly cursor = new p.BundleCursor(limits);
  private readonly lock: CentralLock;
  /** Until the lock has been given to who waits. */
  private readonly paused = new Set<ClientSocket>();
  private transactions = 0;

  constructor(
    private readonly store: Store | SyncStore,
    perTransaction: number,
  ) {
    this.queues = new CentralQueues(store);
    this.deliveries = new Deliveries(this.queues, limits.bytesInFlight);
    const transact = (messages: readonly Message[], release: () => void) => this.transact(messages, release);
    this.lock = new CentralLock(perTransaction, transact, setImmediate);
    setInterval(() => this.queues.unsaved && this.save(() => {}), FLUSH_MS).unref();
  }

  /** Resolves when acknowledgments are on disk. */
  finish(): Promise<void> {
    return new Promise((resolve) => this.save(resolve));
  }

  // ---- sockets

  connected(connection: number, socket: ClientSocket): void {
    this.sockets.set(connection, socket);
  }

  closed(connection: number): void {
    this.paused.delete(this.sockets.get(connection)!);
    this.sockets.delete(connection);
    this.deliveries.close(connection);
  }

  drained(connection: number, bytes: number): void {
    this.deliveries.drained(connection, bytes);
  }

  handshakeTimeout(): void {}

  malformed(connection: number, text: string): void {
    this.refuse(connection, 'malformed-frame', text);
  }

  private refuse(connection: number, code: p.ErrorCode, text: string): void {
    const socket = this.sockets.get(connection);
    socket?.send(errorFrame(code, text, p.NO_SLOT), false);
    socket?.close(p.ERRORS['malformed-frame'].close, code);
  }

  frame(connection: number, frame: Uint8Array): void {
    try {
      this.handle(connection, frame as Buffer);
    } catch (error) {
      if (!(error instanceof p.FormatError)) throw error;
      this.malformed(connection, error.message);
    }
  }

  private handle(connection: number, frame: Buffer): void {
    if (frame[0] === p.FRAME.submit) this.submit(connection, frame);
    else if (frame[0] === p.FRAME.ack)
      for (const { slot, epoch } of p.decodeAck(frame)) this.deliveries.acknowledge(connection, slot, epoch);
    else if (frame[0] === wire.FRAME.register) this.register(connection, wire.decodeRegister(frame));
    else if (frame[0] === wire.FRAME.open) this.open(connection, wire.decodeOpen(frame));
    else throw new p.FormatError(`frame type ${frame[0]}`);
  }

  private register(connection: number, ids: readonly Uint8Array[]): void {
    this.store.write(this.queues.register(ids), () => this.sockets.get(connection)?.send(wire.READY, false));
  }

  private open(connection: number, opened: readonly wire.Opened[]): void {
    this.register(
      connection,
      opened.map(({ mailbox }) => mailbox),
    );
    this.deliveries.open(connection, opened, (frame) => this.sockets.get(connection)?.send(frame, true));
  }

  private submit(connection: number, frame: Buffer): void {
    const { firstCounter, count, bundlesAt } = p.decodeSubmitHeader(frame);
    const bundles: Buffer[] = [];
    let at = bundlesAt;
    for (let i = 0; i < count; i++) {
      const end = this.cursor.parse(frame, at, frame.length);
      for (let k = 0; k < this.cursor.recipients; k++) {
        if (!this.queues.find(frame, this.cursor.mailboxAt(k)))
          return this.refuse(connection, 'no-such-mailbox', `recipient ${k} of message ${firstCounter + i}`);
      }
      bundles.push(frame.subarray(at, end));
      at = end;
    }
    if (at !== frame.length) throw new p.FormatError(`submit: ${frame.length - at} trailing bytes`);
    this.lock.enter(
      bundles.map((bundle, i) => ({ connection, counter: firstCounter + i, bundle, sequence: 0 })),
    );
    this.holdBack(this.sockets.get(connection)!);
  }

  /** As much may wait as countersign takes into an epoch. */
  private holdBack(socket: ClientSocket): void {
    if (this.lock.messages < limits.messagesPerEpoch && this.lock.bytes < limits.bytesPerEpoch) return;
    socket.pause();
    this.paused.add(socket);
  }

  // ---- who has the lock

  private transact(messages: readonly Message[], release: () => void): void {
    for (const socket of this.paused) socket.resume();
    this.paused.clear();
    const flush = ++this.transactions % FLUSH_TRANSACTIONS === 0 ? this.queues.flush() : [];
    this.store.write([...flush, ...this.queues.take(messages)], () => {
      this.answer(messages);
      this.deliveries.deliver(messages);
      release();
    });
  }

  private answer(messages: readonly Message[]): void {
    for (const [connection, runs] of runsOf(messages))
      this.sockets.get(connection)?.send(wire.encodeTaken(runs), false);
  }

  private save(durable: () => void): void {
    this.store.write([...this.queues.flush(), ...this.queues.take([])], durable);
  }
}

async function main(directory: string, commit: string): Promise<void> {
  const failed = (error: Error) => {
    throw error;
  };
  const store = commit === 'message' ? new SyncStore(directory) : Store.open(directory, failed);
  const server = new CentralServer(store, commit === 'message' ? 1 : limits.messagesPerEpoch);
  const port = await listen(
    (_, response) => response.writeHead(404).end(),
    '127.0.0.1',
    0,
    limits.handshakeMs,
  );
  const listener = listenForClients(
    port.server,
    1,
    () => limits,
    () => '',
    server,
  );
  process.once('SIGTERM', async () => {
    listener.refuse();
    listener.terminate();
    await server.finish();
    await store.close();
    process.exit();
  });
  process.stdout.write(`${JSON.stringify({ url: port.url })}\n`);
}

await main(positionals[0]!, positionals[1]!);
