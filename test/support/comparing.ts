/** Clients of a server that may cheat, and what carries bytes between them. */
import { cpSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as assert from 'uvu/assert';
import { importSecretKey } from '#crypto';
import type { Frame } from '../../src/client/comparison-frames.js';
import { ComparisonLine, type Speaker } from '../../src/client/comparison-line.js';
import type { Client } from '../../src/client/index.js';
import { ComparisonError, type Duplex, type Finding, Vectors } from '../../src/client/vectors-entry.js';
import { equalBytes } from '../../src/protocol/index.js';
import { loadConfig, type Server, startServer } from '../../src/server/index.js';
import { clientOf, directory, keyOf, serverAt } from '../client-helpers.js';
import { named } from '../worlds.js';
import type { Cheat } from './cheating-worker.js';
import { bothSay } from './verdicts.js';

export const id = (name: string) => Uint8Array.from(named(name));

// ---- what carries bytes

export class Pipe implements AsyncIterable<Uint8Array> {
  readonly sent: Uint8Array[] = [];
  private waiting: (() => void) | null = null;
  private ended = false;

  push(bytes: Uint8Array): void {
    this.sent.push(bytes);
    this.waiting?.();
  }

  end(): void {
    this.ended = true;
    this.waiting?.();
  }

  async *[Symbol.asyncIterator]() {
    for (let i = 0; ; i++) {
      while (i >= this.sent.length && !this.ended)
        await new Promise<void>((resolve) => {
          this.waiting = resolve;
        });
      if (i >= this.sent.length) return;
      yield this.sent[i]!;
    }
  }
}

export function duplexes(): { one: Duplex; other: Duplex; toOther: Pipe; toOne: Pipe } {
  const [toOne, toOther] = [new Pipe(), new Pipe()];
  const one = { incoming: toOne, send: (bytes: Uint8Array) => toOther.push(bytes) };
  return { one, other: { incoming: toOther, send: (bytes) => toOne.push(bytes) }, toOther, toOne };
}

export async function compare(one: Client, other: Client): Promise<[Finding, Finding, number]> {
  const line = duplexes();
  const found = await Promise.all([
    one.vectors!.compare(other.id, line.one),
    other.vectors!.compare(one.id, line.other),
  ]);
  return [...found, line.toOther.sent.length];
}

// ---- servers

const WORKER = fileURLToPath(new URL('cheating-worker.js', import.meta.url));

class CheatingServer {
  private constructor(
    readonly server: Server,
    private readonly file: string,
  ) {}

  static async start(more: Record<string, string>): Promise<CheatingServer> {
    const data = directory('comparing');
    const file = join(data, 'cheat.json');
    process.env['CHEAT_FILE'] = file;
    const flags = { data, port: '0', 'internal-port': '0', ...more };
    const config = loadConfig({ flags, env: {}, cores: 2 });
    return new CheatingServer(await startServer(config, { workerModule: WORKER }), file);
  }

  cheat(cheat: Cheat): void {
    writeFileSync(this.file, JSON.stringify(cheat));
  }
}

const talk = (server: Server, name: string) => clientOf(server, name, { vectors: new Vectors() });

/** Some epochs of the ordinary day. */
export async function chat(alice: Client, bob: Client, times: number): Promise<void> {
  for (let i = 0; i < times; i++) {
    await alice.send({ to: bob.id, body: `to Bob ${i}` });
    await bob.send({ to: alice.id, body: `to Alice ${i}` });
  }
}

export function mustProveThat(found: Finding, server: Server, text: RegExp): void {
  assert.is(found.outcome, 'diverged');
  if (found.outcome !== 'diverged') return;
  const { serverId, manifest } = server.identity;
  const judged = bothSay(found.evidence, serverId, manifest.rootKey);
  assert.equal(judged, found.verdict);
  assert.is(judged.outcome, 'server');
  assert.match(judged.text, text);
}

// ---- counterparts that lie

export async function refused(
  client: Client,
  peer: Uint8Array,
  duplex: Duplex,
  timeoutMs = 20_000,
): Promise<string> {
  const found = await client.vectors!.compare(peer, duplex, { timeoutMs }).catch((error: unknown) => error);
  assert.instance(found, ComparisonError, JSON.stringify(found));
  return (found as ComparisonError).code;
}

/**
 * Says these frames in the name of a client of `clientOf`, by its key, one for each that comes. Ends the line behind them, unless it is to stay open.
 */
export async function liar(
  name: string,
  peer: Uint8Array,
  line: ReturnType<typeof duplexes>,
  frames: readonly Frame[],
  isOpen = false,
): Promise<void> {
  const { publicKey, sign } = importSecretKey(keyOf(name));
  const ending = AbortSignal.timeout(20_000);
  const spoken = new ComparisonLine({ id: publicKey, peer, sign }, line.other, ending);
  await spoken.open().catch(() => {});
  for (const frame of frames) await spoken.swap(frame.says, frame as never).catch(() => {});
  if (!isOpen) line.toOne.end();
}

/** Whoever has this id says other bytes in its turns, and signs them. Returns the way back. */
export function lying(id: Uint8Array, change: (frame: Uint8Array) => Uint8Array): () => void {
  const prototype = ComparisonLine.prototype as unknown as {
    turn(this: { speaker: Speaker }, kind: number, own: Uint8Array): Promise<Uint8Array>;
  };
  const { turn } = prototype;
  prototype.turn = function (kind, own) {
    return turn.call(this, kind, equalBytes(this.speaker.id, id) ? change(own) : own);
  };
  return () => {
    prototype.turn = turn;
  };
}

// ---- helpers of these tests

export async function started(flags: Record<string, string> = {}) {
  const cheating = await CheatingServer.start(flags);
  return { server: cheating.server, cheat: (cheat: Cheat) => cheating.cheat(cheat) };
}

export async function three(
  server: Server,
  names: readonly string[] = ['alice', 'bob', 'cora'],
): Promise<[Client, Client, Client]> {
  return (await Promise.all(names.map((name) => talk(server, name)))) as [Client, Client, Client];
}

/** Two servers on copies of one data directory, with a client of each. */
export async function twoWorlds(make: (server: Server, name: string) => Promise<Client> = talk) {
  const [one, other] = [directory('world'), directory('world')];
  const founded = await serverAt(one);
  for (const name of ['alice', 'bob']) await (await clientOf(founded, name)).close();
  await founded.stop();
  for (const part of ['store', 'keys']) cpSync(join(one, part), join(other, part), { recursive: true });
  const servers = [await serverAt(one), await serverAt(other)] as const;
  const clients = [await make(servers[0], 'alice'), await make(servers[1], 'bob')] as const;
  for (const client of clients) await client.still();
  const stop = async () => {
    for (const each of clients) await each.close();
    for (const each of servers) await each.stop();
  };
  return { servers, clients, stop };
}

export async function end(server: Server, ...clients: Client[]): Promise<void> {
  await Promise.all(clients.map((client) => client.close()));
  await server.stop();
}

/** A message from Alice to Bob is lost, with some of the ordinary day before it and behind it. Cora is gone by then. */
export async function loseOne(
  cheat: (cheat: Cheat) => void,
  [alice, bob, cora]: readonly [Client, Client, Client],
  before: number,
  behind = 0,
): Promise<void> {
  await chat(alice, bob, before);
  await cora.close();
  const [from, to, instead] = [alice, bob, cora].map((client) => Buffer.from(client.id).toString('hex'));
  cheat({ way: 'drop', from: from!, to: to!, instead: instead! });
  await alice.send({ to: bob.id, body: 'the one that is lost' });
  await chat(alice, bob, behind);
}

/** Consistency proofs are answered half-way, by a server of its own: the rest does not come, or the connection is reset. */
export async function halfAnswers(
  way: 'hang' | 'reset',
): Promise<{ readonly count: () => number; readonly restore: () => void }> {
  let count = 0;
  const half = createServer((_, response) => {
    count++;
    response.writeHead(200, { 'content-length': '1000' });
    response.write('half');
    if (way === 'reset') setTimeout(() => response.destroy(), 10);
  });
  await new Promise<void>((resolve) => half.listen(0, '127.0.0.1', resolve));
  const { port } = half.address() as AddressInfo;
  const { fetch } = globalThis;
  globalThis.fetch = (url, options) =>
    fetch(String(url).includes('/v1/consistency/') ? `http://127.0.0.1:${port}/` : url, options);
  const restore = () => {
    globalThis.fetch = fetch;
    half.closeAllConnections();
    half.close();
  };
  return { count: () => count, restore };
}

/** No server gives a consistency proof any more, the next so many times. Returns the way back. */
export function withoutProofs(times = Number.POSITIVE_INFINITY): () => void {
  const { fetch } = globalThis;
  let left = times;
  globalThis.fetch = async (url, options) =>
    String(url).includes('/v1/consistency/') && left-- > 0
      ? new Response('', { status: 404 })
      : fetch(url, options);
  return () => {
    globalThis.fetch = fetch;
  };
}
