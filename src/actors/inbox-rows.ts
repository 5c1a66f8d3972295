/**
 * An inbox's rows of one epoch as they are stored: what many rows share stands once, and pages are laid out when they are opened.
 *
 *   submissions 4 ‖ submissions × (rows 4 ‖ submission hash 32) ‖ rows × (message hash 32 ‖ previous place 14)
 */
import {
  copy32,
  copyShort,
  FormatError,
  getPlace,
  getU32,
  HASH_BYTES,
  INBOX_PREFIX,
  INBOX_ROW_BYTES,
  type Place,
  pagesBytes,
  putPrefixes,
  rowAt,
  viewOf,
} from '../protocol/index.js';

const SUBMISSION_BYTES = 4 + HASH_BYTES;
const PLACE_BYTES = 14;
const ROW_BYTES = HASH_BYTES + PLACE_BYTES;
/** In a row of a page. */
const SUBMISSION_AT = HASH_BYTES;
const PREVIOUS_AT = 2 * HASH_BYTES;

/** No submissions, no rows. */
const NOTHING = new Uint8Array(4);

/** From rows in page layout. */
export function packInboxRows(pages: Uint8Array, count: number): Uint8Array {
  const from = viewOf(pages);
  const starts: number[] = [];
  for (let x = 0; x < count; x++) {
    if (x === 0 || !haveOneSubmission(from, rowAt(x - 1, INBOX_ROW_BYTES), rowAt(x, INBOX_ROW_BYTES)))
      starts.push(x);
  }
  const rowsAt = 4 + starts.length * SUBMISSION_BYTES;
  const out = new Uint8Array(rowsAt + count * ROW_BYTES);
  const to = viewOf(out);
  to.setUint32(0, starts.length);
  starts.forEach((x, i) => {
    const at = 4 + i * SUBMISSION_BYTES;
    to.setUint32(at, (starts[i + 1] ?? count) - x);
    copy32(from, rowAt(x, INBOX_ROW_BYTES) + SUBMISSION_AT, to, at + 4);
  });
  for (let x = 0, at = rowsAt; x < count; x++, at += ROW_BYTES) {
    const row = rowAt(x, INBOX_ROW_BYTES);
    copy32(from, row, to, at);
    copyShort(from, row + PREVIOUS_AT, to, at + HASH_BYTES, PLACE_BYTES);
  }
  return out;
}

function haveOneSubmission(rows: DataView, a: number, b: number): boolean {
  for (let i = SUBMISSION_AT; i < PREVIOUS_AT; i += 4)
    if (rows.getInt32(a + i) !== rows.getInt32(b + i)) return false;
  return true;
}

export class InboxRows {
  readonly count: number;
  private readonly rowsAt: number;

  /** `undefined`: the inbox took nothing, or it is not kept any more. */
  constructor(private readonly bytes: Uint8Array = NOTHING) {
    this.rowsAt = 4 + getU32(bytes, 0) * SUBMISSION_BYTES;
    this.count = (bytes.length - this.rowsAt) / ROW_BYTES;
  }

  /** Throws `FormatError` on bytes that are no such rows: of a store that is damaged. */
  check(): void {
    const { bytes, count, rowsAt } = this;
    let rows = 0;
    const fits = Number.isInteger(count) && count >= 0;
    for (let at = 4; fits && at < rowsAt; at += SUBMISSION_BYTES) rows += getU32(bytes, at);
    if (!fits || rows !== count) throw new FormatError(`${bytes.length} bytes of rows`);
  }

  /** A copy. */
  messageHash(x: number): Uint8Array {
    const at = this.rowsAt + x * ROW_BYTES;
    return Uint8Array.from(this.bytes.subarray(at, at + HASH_BYTES));
  }

  /** Of the sender's message before that one. */
  previous(x: number): Place {
    return getPlace(this.bytes, this.rowsAt + x * ROW_BYTES + HASH_BYTES);
  }

  /** Rows `from` to below `to` in page layout. `from` is the first of a page. */
  pages(from: number, to: number): Uint8Array {
    const count = Math.max(0, Math.min(to, this.count) - from);
    const out = new Uint8Array(pagesBytes(count, INBOX_ROW_BYTES));
    putPrefixes(out, count, INBOX_ROW_BYTES, INBOX_PREFIX);
    const [read, write] = [viewOf(this.bytes), viewOf(out)];
    let [submission, end] = [4 - SUBMISSION_BYTES, 0];
    for (let i = 0; i < count; i++) {
      while (from + i >= end) {
        submission += SUBMISSION_BYTES;
        end += read.getUint32(submission);
      }
      const [row, at] = [rowAt(i, INBOX_ROW_BYTES), this.rowsAt + (from + i) * ROW_BYTES];
      copy32(read, at, write, row);
      copy32(read, submission + 4, write, row + SUBMISSION_AT);
      copyShort(read, at + HASH_BYTES, write, row + PREVIOUS_AT, PLACE_BYTES);
    }
    return out;
  }
}
