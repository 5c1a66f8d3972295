/**
 * Whether the store's file is whole, by the two heads that it begins with. The database maps the file: what reads behind
 * its end kills the process, so a copy that was cut must not be opened.
 *
 *   head of LMDB's meta page, in the machine's byte order (as lmdb-js builds it): magic 4 at 24, page size 4 at 48,
 *   number of the last page 8 at 144, transaction 8 at 152
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { OperatorError, systemCode } from './operator-error.js';

const MAGIC = 0xbeef_c0de;
const AT = { magic: 24, pageSize: 48, lastPage: 144, transaction: 152 } as const;
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
    const { lastPage } = first.transaction > second.transaction ? first : second;
    const expected = (lastPage + 1) * first.pageSize;
    if (size < expected) throw damaged(`${file} has ${size} bytes of ${expected}: it is cut`);
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
    lastPage: number(AT.lastPage),
    transaction: number(AT.transaction),
  };
}

const IS_LITTLE = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

function damaged(what: string): OperatorError {
  const next = 'Restore the data directory from a whole copy, made while no server ran on it.';
  return new OperatorError('data-damaged', what, next);
}
