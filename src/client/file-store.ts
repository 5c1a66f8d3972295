/**
 * A store in one file, for Node: an append-only journal of batches, rewritten when most of it is past.
 *
 *   file   := csign1fs ‖ batch …
 *   batch  := length 4 ‖ first 8 bytes of H(payload) ‖ payload;  payload := record …
 *
 * A batch is one `save`, on disk (fdatasync) before the save is done. A crash can only tear the last batch:
 * it is dropped when the file is opened, and nobody had been told of it. Anything else is `store-corrupt`.
 * One client at a time has it: the directory `<path>.lock` beside it is its lock.
 */
import { type FileHandle, open, readFile, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { sha256 } from '#crypto';
import {
  ascii,
  CountersignError,
  FormatError,
  getU32,
  putU32,
  sameBytes,
  Writer,
} from '../protocol/index.js';
import { type DirectoryLock, LockError, lockDirectory } from './directory-lock.js';
import { applyChange, type Change, nothingSaved, type Saved, type Store } from './store.js';
import { changesOf, decodeChanges, encodeChange } from './store-format.js';

const MAGIC = ascii('csign1fs');
const HEADER = 12;
/** The journal is rewritten when it is this long and four times as long as what it amounts to. */
const COMPACT_BYTES = 4 << 20;

export class FileStore implements Store {
  private readonly saved = nothingSaved();
  private handle: FileHandle | null = null;
  private lock: DirectoryLock | null = null;
  private length = 0;
  private compactAt = COMPACT_BYTES;

  constructor(
    readonly path: string,
    private readonly compactBytes = COMPACT_BYTES,
  ) {}

  /**
   * Throws `CountersignError`: `store-locked` when another client has it open, `store-corrupt` when the file is
   * not what this store wrote.
   */
  async load(): Promise<Saved> {
    this.lock = await lockDirectory(`${this.path}.lock`).catch((error: unknown) => {
      if (!(error instanceof LockError)) throw error;
      const code = error.reason === 'taken' ? 'store-locked' : 'store-unusable';
      throw new CountersignError(code, `${this.path}: ${error.message}`, { cause: error });
    });
    try {
      return await this.read();
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  private async read(): Promise<Saved> {
    const bytes = await readIfThere(this.path);
    if (bytes && bytes.length >= MAGIC.length) {
      this.length = this.replay(bytes);
      this.handle = await open(this.path, 'r+');
      await this.handle.truncate(this.length);
      this.compactAt = Math.max(this.compactBytes, this.length * 2);
    } else {
      await this.rewrite();
    }
    const copy = nothingSaved();
    for (const change of changesOf(this.saved)) applyChange(copy, change);
    return copy;
  }

  /** Applies all whole batches. Returns where the last of them ends. */
  private replay(bytes: Uint8Array): number {
    if (!sameBytes(bytes, 0, MAGIC, 0, MAGIC.length)) throw this.corrupt('not a store file');
    let at = MAGIC.length;
    while (bytes.length - at >= HEADER) {
      const end = at + HEADER + getU32(bytes, at);
      if (end > bytes.length) break;
      const payload = bytes.subarray(at + HEADER, end);
      if (!sameBytes(sha256(payload), 0, bytes, at + 4, 8)) {
        if (end === bytes.length) break;
        throw this.corrupt(`bad checksum at byte ${at}`);
      }
      this.apply(payload, at);
      at = end;
    }
    return at;
  }

  private apply(payload: Uint8Array, at: number): void {
    try {
      for (const change of decodeChanges(payload)) applyChange(this.saved, change);
    } catch (error) {
      if (error instanceof FormatError) throw this.corrupt(`batch at byte ${at}: ${error.message}`);
      throw error;
    }
  }

  private corrupt(what: string): CountersignError {
    return new CountersignError('store-corrupt', `${this.path}: ${what}`);
  }

  async save(changes: readonly Change[]): Promise<void> {
    const batch = encodeBatch(changes);
    for (const change of changes) applyChange(this.saved, change);
    await writeAll(this.handle!, batch, this.length);
    await this.handle!.datasync();
    this.length += batch.length;
    if (this.length >= this.compactAt) await this.rewrite();
  }

  /** Writes what everything amounts to into a new file and puts it in the place of the old one. */
  private async rewrite(): Promise<void> {
    const batch = encodeBatch(changesOf(this.saved));
    const next = `${this.path}.new`;
    const handle = await open(next, 'w');
    await writeAll(handle, MAGIC, 0);
    await writeAll(handle, batch, MAGIC.length);
    await handle.sync();
    await rename(next, this.path);
    await syncDirectory(dirname(this.path));
    await this.handle?.close();
    this.handle = handle;
    this.length = MAGIC.length + batch.length;
    this.compactAt = Math.max(this.compactBytes, this.length * 4);
  }

  async close(): Promise<void> {
    const { handle, lock } = this;
    this.handle = null;
    this.lock = null;
    await handle?.close();
    await lock?.release();
  }
}

function encodeBatch(changes: Iterable<Change>): Uint8Array {
  const out = new Writer(1024).u32(0).u64(0);
  for (const change of changes) encodeChange(out, change);
  const batch = out.done();
  const payload = batch.subarray(HEADER);
  putU32(batch, 0, payload.length);
  batch.set(sha256(payload).subarray(0, 8), 4);
  return batch;
}

/** A disk that becomes full takes a part first, and says so only by its length. */
async function writeAll(handle: FileHandle, bytes: Uint8Array, at: number): Promise<void> {
  for (let done = 0; done < bytes.length; )
    done += (await handle.write(bytes, done, bytes.length - done, at + done)).bytesWritten;
}

async function readIfThere(path: string): Promise<Uint8Array | null> {
  try {
    // Not as a Buffer: its `slice` would be a view that keeps the whole file in memory.
    const { buffer, byteOffset, length } = await readFile(path);
    return new Uint8Array(buffer, byteOffset, length);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

/** A rename is durable once its directory is. */
async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
