/**
 * Whether the store's file is whole, by the two heads that it begins with. The database maps the file: what reads behind
 * its end kills the process, so a copy that was cut must not be opened. Pages at the end that were taken and given back before
 * they were written are not in the file, and nobody reads them.
 *
 *   head of LMDB's meta page, in the machine's byte order (as lmdb-js builds it): magic 4 at 24, page size 4 at 48,
 *   root of the free pages (free-pages.ts) 8 at 88, number of the last page 8 at 144, transaction 8 at 152
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { freePages, IS_LITTLE } from './free-pages.js';
import { OperatorError, systemCode } from './operator-error.js';

const MAGIC = 0xbeef_c0de;
const AT = { magic: 24, pageSize: 48, freeRoot: 88, lastPage: 144, transaction: 152 } as const;
const HEAD_BYTES = 160;

/** Throws `OperatorError` `data-not-found` where there is no such file, `data-damaged` where it is cut or another's. */
export function checkStoreFile(file: string): void {
  let descriptor: number;
  try {
    descriptor = openSync(file, 'r');
  } catch (cause) {
    if (systemCode(cause) !== 'ENOENT' && systemCode(cause) !== 'ENOTDIR') throw cause;
    const next = 'Name the directory that the server was started with (--data).';
    throw new OperatorError('data-not-found', `there is no store ${file}`, next, { cause });
  }
  try {
    const { size } = fstatSync(descriptor);
    const first = headAt(descriptor, 0);
    const second = first && headAt(descriptor, first.pageSize);
    if (!first || !second) throw damaged(`${file} is no store, or only the beginning of one`);
    const head = first.transaction > second.transaction ? first : second;
    const expected = (head.lastPage + 1) * first.pageSize;
    if (size < expected && !isFreeFrom(descriptor, head, Math.floor(size / first.pageSize)))
      throw damaged(`${file} has ${size} bytes of ${expected}: it is cut`);
  } finally {
    closeSync(descriptor);
  }
}

function headAt(descriptor: number, at: number) {
  const head = Buffer.alloc(HEAD_BYTES);
  if (readSync(descriptor, head, 0, HEAD_BYTES, at) < HEAD_BYTES) return null;
  const view = new DataView(head.buffer, head.byteOffset, HEAD_BYTES);
  const number = (offset: number) => Number(view.getBigUint64(offset, IS_LITTLE));
  if (view.getUint32(AT.magic, IS_LITTLE) !== MAGIC) return null;
  return {
    pageSize: view.getUint32(AT.pageSize, IS_LITTLE),
    freeRoot: number(AT.freeRoot),
    lastPage: number(AT.lastPage),
    transaction: number(AT.transaction),
  };
}

type Head = NonNullable<ReturnType<typeof headAt>>;

/** Whether this page and all behind it are free. */
function isFreeFrom(descriptor: number, { pageSize, freeRoot, lastPage }: Head, first: number): boolean {
  const { size } = fstatSync(descriptor);
  let reads = 0;
  const read = (page: number, bytes: number) => {
    // Each page once, if it is a tree.
    if (reads++ > lastPage) throw new RangeError('no tree');
    if ((page + 1) * pageSize > size || page * pageSize + bytes > size)
      throw new RangeError('behind the end');
    const buffer = Buffer.alloc(bytes);
    readSync(descriptor, buffer, 0, bytes, page * pageSize);
    return new DataView(buffer.buffer, buffer.byteOffset, bytes);
  };
  let free = 0;
  try {
    for (const run of freePages(read, freeRoot, pageSize)) {
      const end = Math.min(lastPage + 1, run.first + run.count);
      free += Math.max(0, end - Math.max(first, run.first));
    }
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
  return free === lastPage - first + 1;
}

function damaged(what: string): OperatorError {
  const next = 'Restore the data directory from a whole copy, made while no server ran on it.';
  return new OperatorError('data-damaged', what, next);
}
