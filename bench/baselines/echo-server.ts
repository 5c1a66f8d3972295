/**
 * What the transport alone can carry: countersign's sockets, the single-lock server's frames, and nothing behind them. Whatever
 * comes in one turn of the event loop is numbered, answered and passed on at its end; nothing is checked, kept or written.
 *
 *     node dist/bench/baselines/echo-server.js [flags of countersign serve: its limits]
 */
import { parseArgs } from 'node:util';
import type { ClientSocket } from '../../src/actors/client-connection.js';
import { idAt } from '../../src/actors/ids.js';
import * as p from '../../src/protocol/index.js';
import { flagOptions, loadConfig } from '../../src/server/config.js';
import { listenForClients, type SocketEvents } from '../../src/server/listeners.js';
import { listen } from '../../src/server/ports.js';
import * as wire from './central-wire.js';

/** A frame is sent when it is so large. */
const FRAME_BYTES = 1 << 18;

const { values } = parseArgs({ options: flagOptions() });
const { limits } = loadConfig({ flags: values, env: {} });

/** A socket: what is to be told it when the turn ends, and what it has not taken. */
interface Peer {
  readonly socket: ClientSocket;
  taken: wire.TakenRun[];
  entries: wire.Entry[];
  /** Of these entries. */
  bytes: number;
  inFlight: number;
}

class EchoServer implements SocketEvents {
  private readonly peers = new Map<number, Peer>();
  private readonly readers = new Map<string, { readonly peer: Peer; readonly slot: number }>();
  private readonly view = new p.BundleView();
  /** Until the turn ends. */
  private readonly waiting = new Set<Peer>();
  /** Senders, until no reader has more than it may have on its way. */
  private readonly paused = new Set<ClientSocket>();
  private place = 0;

  connected(connection: number, socket: ClientSocket): void {
    this.peers.set(connection, { socket, taken: [], entries: [], bytes: 0, inFlight: 0 });
  }

  closed(connection: number): void {
    const gone = this.peers.get(connection)!;
    this.peers.delete(connection);
    for (const [id, { peer }] of this.readers) if (peer === gone) this.readers.delete(id);
    this.paused.delete(gone.socket);
    this.resume();
  }

  drained(connection: number, bytes: number): void {
    const peer = this.peers.get(connection);
    if (peer) peer.inFlight -= bytes;
    this.resume();
  }

  handshakeTimeout(): void {}

  malformed(connection: number): void {
    this.peers.get(connection)?.socket.close(p.ERRORS['malformed-frame'].close, 'malformed-frame');
  }

  frame(connection: number, frame: Uint8Array): void {
    const peer = this.peers.get(connection)!;
    if (frame[0] === p.FRAME.submit) this.submit(peer, frame as Buffer);
    else if (frame[0] === wire.FRAME.open) this.open(peer, wire.decodeOpen(frame));
    else if (frame[0] === wire.FRAME.register) peer.socket.send(wire.READY, false);
  }

  private open(peer: Peer, opened: readonly wire.Opened[]): void {
    for (const [slot, { mailbox }] of opened.entries()) this.readers.set(idAt(mailbox, 0), { peer, slot });
    peer.socket.send(wire.READY, false);
  }

  private submit(sender: Peer, frame: Buffer): void {
    const { firstCounter, count, bundlesAt } = p.decodeSubmitHeader(frame);
    this.told(sender).taken.push({ firstCounter, firstPlace: this.place + 1, count });
    for (let i = 0, at = bundlesAt; i < count; i++) at = this.pass(frame, at, ++this.place);
    if (!this.full()) return;
    sender.socket.pause();
    this.paused.add(sender.socket);
  }

  /** A message to all of its recipients who read; where it ends. */
  private pass(frame: Buffer, at: number, place: number): number {
    const { view } = this;
    view.jump(frame, at, frame.length);
    const end = view.bodyAt + p.getU32(frame, view.bodyAt - 4);
    const bundle = frame.subarray(at, end);
    for (let i = 0, envelopeAt = view.envelopeAt(0); i < view.recipients; i++) {
      const reader = this.readers.get(idAt(frame, view.mailboxAt(i)));
      if (reader) {
        const parts = { envelopeAt: envelopeAt - at, bodyAt: view.bodyAt - 4 - at };
        put(this.told(reader.peer), { slot: reader.slot, place, bundle, ...parts });
      }
      envelopeAt += 4 + p.getU32(frame, envelopeAt);
    }
    return end;
  }

  private told(peer: Peer): Peer {
    if (this.waiting.size === 0) setImmediate(() => this.tell());
    this.waiting.add(peer);
    return peer;
  }

  private tell(): void {
    for (const peer of this.waiting) {
      if (peer.taken.length > 0) peer.socket.send(wire.encodeTaken(peer.taken), false);
      peer.taken = [];
      deliver(peer);
    }
    this.waiting.clear();
  }

  private full(): boolean {
    for (const { inFlight } of this.peers.values()) if (inFlight > limits.bytesInFlight) return true;
    return false;
  }

  private resume(): void {
    if (this.full()) return;
    for (const socket of this.paused) socket.resume();
    this.paused.clear();
  }
}

function put(peer: Peer, entry: wire.Entry): void {
  peer.entries.push(entry);
  peer.bytes += wire.entryBytes(entry);
  if (peer.bytes >= FRAME_BYTES) deliver(peer);
}

function deliver(peer: Peer): void {
  if (peer.entries.length === 0) return;
  const frame = wire.encodeDeliver(peer.entries, peer.bytes);
  peer.entries = [];
  peer.bytes = 0;
  peer.inFlight += frame.length;
  peer.socket.send(frame, true);
}

const port = await listen((_, response) => response.writeHead(404).end(), '127.0.0.1', 0, limits.handshakeMs);
const listener = listenForClients(
  port.server,
  1,
  () => limits,
  () => '',
  new EchoServer(),
);
process.once('SIGTERM', () => {
  listener.terminate();
  process.exit();
});
process.stdout.write(`${JSON.stringify({ url: port.url })}\n`);
