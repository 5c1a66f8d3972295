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
  SIGNED_FLAG,
  SUBMIT_HEADER_BYTES,
  TAG_BYTES,
} from './bundle-layout.js';
import { FormatError, type Reader, SIGNATURE_BYTES } from './bytes.js';
import { expectBytes } from './expect-bytes.js';
import {
  bytes,
  checked,
  type Field,
  type Fields,
  fixed,
  hash,
  list,
  signature,
  struct,
  tagged,
  u16,
  u64,
  type ValueOf,
} from './fields.js';
import { decodeFrame, FRAME } from './frames.js';

/** Of a submit frame: type 1 and slot 2 before them. */
const FLAGS_AT = 3;

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

/** Flags: 0 = unsigned, `SIGNED_FLAG` = with the sender's signature over the submission (pages.ts). */
const submitTo = <Rest extends Fields>(rest: Rest) =>
  tagged({ slot: u16 }, 'flags', {
    0: { firstCounter: u64, ...rest },
    [SIGNED_FLAG]: { firstCounter: u64, signature, ...rest },
  });
/** Count and bundles follow. */
const submitHeader = checked(submitTo({ count: u16 }), ({ firstCounter, count }) => {
  if (firstCounter > Number.MAX_SAFE_INTEGER - count)
    throw new FormatError('submit: counters above 2^53 - 1');
  if (firstCounter === 0 || count === 0)
    throw new FormatError('submit: counters start at 1 and a frame has a bundle');
});

export interface SubmitHeader {
  readonly slot: number;
  readonly firstCounter: number;
  readonly count: number;
  /** 64 bytes, over all messages of the frame; null = unsigned. */
  readonly signature: Uint8Array | null;
  /** Where the bundles start in the frame. */
  readonly bundlesAt: number;
}

/** Reads the header of a frame. */
export function decodeSubmitHeader(frame: Uint8Array): SubmitHeader {
  const isSigned = frame[FLAGS_AT] === SIGNED_FLAG;
  const bundlesAt = SUBMIT_HEADER_BYTES + (isSigned ? SIGNATURE_BYTES : 0);
  const header = decodeFrame(FRAME.submit, submitHeader, frame.subarray(0, bundlesAt));
  const { slot, firstCounter, count } = header;
  return {
    slot,
    firstCounter,
    count,
    signature: header.flags === SIGNED_FLAG ? header.signature : null,
    bundlesAt,
  };
}

/** Bundles (bundle.ts) have consecutive counters from the first. */
export const submit = submitTo({ bundles: list(u16, bundle) });
