/**
 * The submit frame: its header, as servers read it, and all of it with its bundles, as JSON shows it. In binary these
 * are laid out and read where they lie.
 */
import { layOut } from './bundle-encode.js';
import {
  BLINDER_BYTES,
  BODY_TAG,
  ENVELOPE_TAG,
  LEAF_PREFIX,
  SUBMIT_HEADER_BYTES,
  TAG_BYTES,
} from './bundle-layout.js';
import { expectBytes, FormatError, type Reader } from './bytes.js';
import {
  bytes,
  checked,
  type Field,
  fixed,
  hash,
  list,
  struct,
  u8,
  u16,
  u64,
  type ValueOf,
} from './fields.js';
import { decodeFrame, FRAME } from './frames.js';

const shown = struct({
  recipients: list(u16, struct({ mailbox: hash, blinder: fixed(BLINDER_BYTES), envelope: bytes })),
  body: bytes,
});

/** A bundle as JSON shows it: without tags, lengths and envelope hashes, which follow from the rest. */
const bundle: Field<ValueOf<typeof shown>> = {
  ...shown,
  read: readBundle,
  write(to, { recipients, body }) {
    to.bytes(layOut(recipients, body, (i, out, at) => out.set(recipients[i]!.blinder, at)));
  },
};

/** Leaves order, sizes and envelope hashes to bundle.ts. */
function readBundle(from: Reader): ValueOf<typeof shown> {
  const leaves = Array.from({ length: from.u16() }, () => {
    expectBytes(from, LEAF_PREFIX, 'leaf tag');
    const leaf = { blinder: from.bytes(BLINDER_BYTES), mailbox: from.hash() };
    from.hash();
    return leaf;
  });
  const content = (tag: Uint8Array) => {
    const length = from.u32();
    if (length === 0 && tag === ENVELOPE_TAG) return new Uint8Array(0);
    if (length < TAG_BYTES) throw new FormatError('part without a tag');
    expectBytes(from, tag, 'tag of a part');
    return from.bytes(length - TAG_BYTES);
  };
  const recipients = leaves.map(({ mailbox, blinder }) => ({
    mailbox,
    blinder,
    envelope: content(ENVELOPE_TAG),
  }));
  return { recipients, body: content(BODY_TAG) };
}

/** Flags 0 = unsigned; 1 is kept for a submission signature and refused until the manifest's policy allows it. */
const flags = checked(u8, (value) => {
  if (value !== 0) throw new FormatError('submit flags: signed submissions are not accepted');
});
/** Count and bundles follow. */
const SUBMIT_TO = { slot: u16, flags, firstCounter: u64 };
const submitHeader = checked(struct({ ...SUBMIT_TO, count: u16 }), ({ firstCounter, count }) => {
  if (firstCounter > Number.MAX_SAFE_INTEGER - count)
    throw new FormatError('submit: counters above 2^53 - 1');
  if (firstCounter === 0 || count === 0)
    throw new FormatError('submit: counters start at 1 and a frame has a bundle');
});
export type SubmitHeader = ValueOf<typeof submitHeader>;

/** Reads the header; bundles start at `SUBMIT_HEADER_BYTES`. */
export const decodeSubmitHeader = (frame: Uint8Array) =>
  decodeFrame(FRAME.submit, submitHeader, frame.subarray(0, SUBMIT_HEADER_BYTES));

/** Bundles (bundle.ts) have consecutive counters from the first. */
export const submit = struct({ ...SUBMIT_TO, bundles: list(u16, bundle) });
