/**
 * A hand-over with both signatures, and what is opened of it.
 *
 *   csign1ho ‖ signed bytes: length 4 ‖ bytes ‖ signature of from 64 ‖ signature of to 64 ‖ n 1 ‖ n × leaf, n ≤ 2
 */

import { blob } from './blob.js';
import { ascii, Reader, Writer } from './bytes.js';
import { expectBytes } from './expect-bytes.js';
import { list, signature, struct, u8, type ValueOf } from './fields.js';
import { leafFields } from './statement.js';

const TAG = /* @__PURE__ */ ascii('csign1ho');
/** Of its signed bytes, wherever they are read: what they are is judged, and not how many. */
export const MAX_HAND_OVER = 256;

const field = /* @__PURE__ */ struct({
  signed: /* @__PURE__ */ blob(MAX_HAND_OVER),
  from: signature,
  to: signature,
  leaves: /* @__PURE__ */ list(u8, /* @__PURE__ */ struct(leafFields), 2),
});
export type OpenedHandOver = ValueOf<typeof field>;

export function encodeOpenedHandOver(value: OpenedHandOver): Uint8Array {
  const out = new Writer(1024).bytes(TAG);
  field.write(out, value);
  return out.done();
}

/** Throws `FormatError` on any bytes that are not exactly one. Whether it shows anything: evidence/handed.ts. */
export function decodeOpenedHandOver(bytes: Uint8Array): OpenedHandOver {
  const reader = new Reader(bytes);
  expectBytes(reader, TAG, 'hand-over tag');
  const value = field.read(reader);
  reader.end();
  return value;
}
