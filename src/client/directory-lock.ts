/**
 * A directory that one holder at a time has: a client's store file, a server's data directory. The holder
 * listens on a Unix socket in the directory: the kernel closes it however the holder ends, so a lock is never stale and nobody waits for a timeout.
 *
 * A dead socket's name stays, and removing it is where such locks go wrong: of two starters that
 * both saw the dead one, the slower removes the name that the faster has just taken. So no starter
 * removes or replaces a name. Names carry a rising generation, `1.sock`, `2.sock` …, and
 *  1. a socket is listening before it gets its generation (bound elsewhere, then hard-linked), so
 *     "connection refused" means dead for ever, never "about to listen";
 *  2. `link` fails if the generation is taken, so each has one maker;
 *  3. a starter makes generation g + 1 only after it saw the newest, g, dead;
 *  4. it holds the lock only if, after that, no newer generation exists;
 *  5. only a holder removes generations, and never the two newest: not even when it lets go.
 * By 5 the newest never falls; with 3 and 4, two live holders would each need the other dead.
 *
 * All processes must share one kernel: a directory on a network file system is not protected
 * against another machine.
 */
import { constants } from 'node:fs';
import { link, mkdir, open, readdir, unlink } from 'node:fs/promises';
import { createConnection, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { randomBytes } from '#crypto';

export interface DirectoryLock {
  /** Lets go at once. May be called again. */
  release(): Promise<void>;
}

/** Why it cannot be had: somebody has it, somebody else's it is, or its path does not fit a socket. */
export class LockError extends Error {
  override name = 'LockError';

  constructor(
    readonly reason: 'taken' | 'denied' | 'path-too-long',
    message: string,
  ) {
    super(message);
  }
}

/** A path that is short enough for a socket, and the directory that people know. */
interface Place {
  readonly path: string;
  readonly sockets: string;
  close(): Promise<void>;
}

/** sun_path is 104 bytes on BSD and macOS, 108 on Linux, the final zero included. */
const LONGEST_PATH = 103;
/** `1234567.0123456789abcdef.new`: the longest name that stands in the lock directory. */
const LONGEST_NAME = 32;
/** How long a holder that is busy or stopped is given to tell its pid. It is refused either way. */
const ANSWER_MS = 1000;

/** Takes a directory, which is made when it is not there. Throws `LockError`. Does not keep the process alive. */
export async function lockDirectory(path: string): Promise<DirectoryLock> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  const place = await reach(path);
  try {
    return await contend(place);
  } finally {
    await place.close();
  }
}

async function contend(place: Place): Promise<DirectoryLock> {
  for (;;) {
    const newest = await newestGeneration(place);
    if (newest > 0 && !(await isDead(place, newest))) continue;
    const server = await claim(place, newest + 1);
    if (server !== undefined) return { release: () => close(server) };
  }
}

/** Listens as the given generation; undefined if another process was faster. */
async function claim(place: Place, generation: number): Promise<Server | undefined> {
  const unnamed = join(place.sockets, `${process.pid}.${Buffer.from(randomBytes(8)).toString('hex')}.new`);
  const server = await listen(unnamed);
  if ((await publish(unnamed, name(place, generation))) && (await newestGeneration(place)) === generation) {
    await sweep(place, generation);
    return server;
  }
  await close(server);
  return undefined;
}

/** False if the generation is taken, or a holder has swept the unnamed socket away. */
async function publish(unnamed: string, named: string): Promise<boolean> {
  try {
    await link(unnamed, named);
    await unlink(unnamed);
    return true;
  } catch (error) {
    if (systemCode(error) === 'EEXIST' || systemCode(error) === 'ENOENT') return false;
    throw error;
  }
}

/**
 * Removes what earlier processes left. The generation before this one stays: a starter that reads
 * the directory at this moment may miss the new name, and must not miss the old one with it.
 */
async function sweep(place: Place, generation: number): Promise<void> {
  for (const entry of await readdir(place.sockets)) {
    const old = (generationOf(entry) ?? generation) < generation - 1;
    if (old || entry.endsWith('.new')) await removeIfThere(join(place.sockets, entry));
  }
}

async function removeIfThere(file: string): Promise<void> {
  try {
    await unlink(file);
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error;
  }
}

async function newestGeneration(place: Place): Promise<number> {
  const entries = await readdir(place.sockets);
  return Math.max(0, ...entries.map((entry) => generationOf(entry) ?? 0));
}

function generationOf(entry: string): number | undefined {
  const digits = /^([1-9][0-9]{0,14})\.sock$/.exec(entry)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

function name(place: Place, generation: number): string {
  return join(place.sockets, `${generation}.sock`);
}

/** True if dead, false if its name has gone meanwhile; throws if it lives. */
async function isDead(place: Place, generation: number): Promise<boolean> {
  const { pid, failure } = await ask(name(place, generation));
  if (failure === 'ECONNREFUSED') return true;
  if (failure === 'ENOENT') return false;
  if (failure === 'EACCES') throw denied(name(place, generation));
  // Any other failure comes from somebody who listens, EAGAIN for one from a full queue.
  throw alive(pid);
}

/** What the holder answers, '' if it says nothing in time, and the code of what went wrong. */
function ask(path: string): Promise<{ pid: string; failure?: string | undefined }> {
  return new Promise((resolve) => {
    let answer = '';
    const socket = createConnection(path).setEncoding('latin1');
    socket.on('connect', () => socket.setTimeout(ANSWER_MS, () => socket.destroy()));
    socket.on('data', (text) => {
      answer = (answer + text).slice(0, 20);
    });
    socket.on('error', (error) => resolve({ pid: '', failure: systemCode(error) }));
    socket.on('close', () => resolve({ pid: /^\d+\n$/.test(answer) ? answer.trim() : '' }));
  });
}

function listen(path: string): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer(answerPid);
    server.on('error', reject);
    server.listen(path, () => resolve(server.unref()));
  });
}

function answerPid(socket: Socket): void {
  socket.unref();
  socket.on('error', () => socket.destroy());
  socket.end(`${process.pid}\n`, () => socket.destroy());
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()));
}

/** A long path is reached through the open directory, which on Linux has a short name. */
async function reach(path: string): Promise<Place> {
  const length = Buffer.byteLength(path) + 1 + LONGEST_NAME;
  if (length <= LONGEST_PATH) return { path, sockets: path, close: async () => {} };
  if (process.platform !== 'linux') throw tooLong(path);
  const handle = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  return { path, sockets: `/proc/self/fd/${handle.fd}`, close: () => handle.close() };
}

function alive(pid: string): LockError {
  return new LockError('taken', pid === '' ? 'in use by another process' : `in use by process ${pid}`);
}

function denied(socket: string): LockError {
  return new LockError('denied', `may not ask ${socket} whether it is in use`);
}

function tooLong(path: string): LockError {
  const most = LONGEST_PATH - LONGEST_NAME - 1;
  return new LockError('path-too-long', `${path}: expected a path of at most ${most} bytes on this system`);
}

function systemCode(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException | undefined)?.code;
}
