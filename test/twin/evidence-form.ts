/** What evidence is made of: the tables of "The form of evidence", row by row, in their order. */
import { ascii } from './bytes.js';
import { type Reader, readAll, Unreadable } from './reader.js';

const MOST_BYTES = 1_048_576;
const MOST_MANIFEST = 524_288;
const MOST_ATTESTATION = 262_144;
const MOST_LEAF = 8_192;

export type Parts<T extends (r: Reader) => unknown> = ReturnType<T>;

/** manifest: length 4 ‖ bytes ‖ root signature 64 */
export const signedManifest = (r: Reader) => ({
  bytes: r.bytesUpTo(MOST_MANIFEST),
  signature: r.take(64),
});

/** statement: attestation: length 4 ‖ signed bytes · signature 64 */
export const statement = (r: Reader) => ({
  signed: r.bytesUpTo(MOST_ATTESTATION),
  signature: r.take(64),
});

/** leaf: preimage: length 4 ‖ bytes · leaf index 4 · path in the output */
export const leaf = (r: Reader) => ({
  preimage: r.bytesUpTo(MOST_LEAF),
  index: r.u32(),
  path: r.path(),
});

/** opened: preimage: length 4 ‖ bytes · output 2 · leaf index 4 · path in the output · statement */
export const opened = (r: Reader) => ({
  preimage: r.bytesUpTo(MOST_LEAF),
  output: r.u16(),
  index: r.u32(),
  path: r.path(),
  statement: statement(r),
});

/** checkpoint: size 8 · root 32 · signature 64 */
export const checkpoint = (r: Reader) => ({ size: r.u64(), root: r.hash(), signature: r.take(64) });

/** logged: epoch leaf 163 · log index 8 · log path · checkpoint */
export const logged = (r: Reader) => ({
  epochLeaf: r.take(163),
  logIndex: r.u64(),
  logPath: r.path(),
  checkpoint: checkpoint(r),
});

/** committed: actor path · logged */
export const committed = (r: Reader) => ({ actorPath: r.path(), logged: logged(r) });

/** claim: opened · committed */
export const claim = (r: Reader) => ({ opened: opened(r), committed: committed(r) });

/** message: length 4 (at most 626) ‖ preimage of a message hash */
export const message = (r: Reader) => r.bytesUpTo(626);

/** recipient: position 2 · the 80 leaf bytes · siblings: hashes 1 ‖ hashes × 32 */
export const recipient = (r: Reader) => ({ position: r.u16(), leaf: r.take(80), siblings: r.path() });

/** submission: signed bytes: length 4 (at most 256) ‖ bytes · signature 64 · page: length 4 (at most 4,096) ‖ … · path of the page */
export const submission = (r: Reader) => ({
  signed: r.bytesUpTo(256),
  signature: r.take(64),
  page: r.bytesUpTo(4_096),
  path: r.path(),
});

/** row: claim · row 1 · message */
export const row = (r: Reader) => ({ claim: claim(r), row: r.u8(), message: message(r) });

/** witness: statement · list 1 of at most 2 leaves */
export const witness = (r: Reader) => ({
  statement: statement(r),
  leaves: r.listUpTo(2, () => leaf(r)),
});

/** subject: mailbox 32 · epoch 8 · inbox 2 · index 4 · list 1 of at most 1 message · list 1 of at most 2 recipients */
export const subject = (r: Reader) => ({
  mailbox: r.take(32),
  place: { epoch: r.u64(), inbox: r.u16(), index: r.u32() },
  messages: r.listUpTo(1, () => message(r)),
  recipients: r.listUpTo(2, () => recipient(r)),
});

/** hand-over: signed bytes: length 4 (at most 256) ‖ bytes · signature 64 */
export const handOver = (r: Reader) => ({ signed: r.bytesUpTo(256), signature: r.take(64) });

/** shown hand-over: hand-over · list 1 of at most 2 leaves */
export const shownHandOver = (r: Reader) => ({
  ...handOver(r),
  leaves: r.listUpTo(2, () => leaf(r)),
});

const hashes = (r: Reader) => r.times(r.u16(), () => r.hash());

/** The parts of each rule, by its number. */
export const PARTS = {
  1: (r: Reader) => ({ first: statement(r), second: statement(r) }),
  2: (r: Reader) => ({ statement: statement(r) }),
  3: (r: Reader) => ({ opened: opened(r) }),
  4: (r: Reader) => ({ statement: statement(r), output: r.u16(), first: leaf(r), second: leaf(r) }),
  5: (r: Reader) => ({
    opened: opened(r),
    row: r.u8(),
    messages: r.listUpTo(1, () => message(r)),
    recipients: r.listUpTo(2, () => recipient(r)),
    submissions: r.listUpTo(1, () => submission(r)),
  }),
  6: (r: Reader) => ({ earlier: row(r), later: row(r), bridge: r.path() }),
  7: (r: Reader) => ({ earlier: claim(r), later: claim(r), bridge: r.path() }),
  8: (r: Reader) => ({ first: checkpoint(r), second: checkpoint(r) }),
  9: (r: Reader) => ({ logged: logged(r) }),
  10: (r: Reader) => ({ earlier: logged(r), later: logged(r) }),
  11: (r: Reader) => ({ logged: logged(r), checkpoint: checkpoint(r) }),
  12: (r: Reader) => ({ position: r.u16(), statement: statement(r), committed: committed(r) }),
  13: (r: Reader) => ({
    consumer: statement(r),
    committed: committed(r),
    producers: r.times(r.u16(), () => ({
      attestationHash: r.hash(),
      signature: r.take(64),
      actorPath: r.path(),
    })),
  }),
  14: (r: Reader) => ({ other: signedManifest(r) }),
  16: (r: Reader) => ({ subject: subject(r), earlier: witness(r), later: witness(r), inputs: hashes(r) }),
  17: (r: Reader) => ({
    subject: subject(r),
    earlier: witness(r),
    consumer: statement(r),
    committed: committed(r),
    inputs: hashes(r),
    later: claim(r),
    bridge: r.path(),
  }),
  18: (r: Reader) => ({
    subject: subject(r),
    otherMailbox: r.take(32),
    earlier: { witness: witness(r), committed: committed(r) },
    later: { witness: witness(r), committed: committed(r) },
    bridge: r.path(),
  }),
  19: (r: Reader) => ({
    sender: r.take(32),
    claims: r.listUpTo(8, () => claim(r)),
    firstEntry: r.u8(),
    messages: messagesUpTo(r, 512),
  }),
  20: (r: Reader) => ({ opened: opened(r), row: r.u8(), statement: statement(r) }),
  21: (r: Reader) => ({ earlier: checkpoint(r), later: checkpoint(r), root: r.hash(), bridge: r.path() }),
  22: (r: Reader) => ({ side: r.u8(), first: handOver(r), second: handOver(r) }),
  23: (r: Reader) => ({ side: r.u8(), shown: shownHandOver(r) }),
  24: (r: Reader) => ({
    id: r.take(32),
    earlier: claim(r),
    row: r.u8(),
    messages: r.listUpTo(1, () => message(r)),
    shown: shownHandOver(r),
    bridge: r.path(),
  }),
  25: (r: Reader) => ({
    shown: shownHandOver(r),
    later: opened(r),
    row: r.u8(),
    messages: r.listUpTo(1, () => message(r)),
  }),
  26: (r: Reader) => ({
    subject: subject(r),
    earlier: witness(r),
    consumer: statement(r),
    committed: committed(r),
    inputs: hashes(r),
    shown: shownHandOver(r),
    bridge: r.path(),
  }),
  27: (r: Reader) => ({ id: r.take(32), earlier: shownHandOver(r), later: shownHandOver(r) }),
} as const;

function messagesUpTo(r: Reader, most: number): Buffer[] {
  const count = r.u16();
  if (count > most) throw new Unreadable(`${count} messages, at most ${most}`);
  return r.times(count, () => message(r));
}

export type RuleNumber = keyof typeof PARTS;
export type PartsOf<N extends RuleNumber> = ReturnType<(typeof PARTS)[N]>;

export interface Evidence {
  manifests: Parts<typeof signedManifest>[];
  rule: RuleNumber;
  parts: unknown;
}

/** `csign1ev` ‖ manifests: n 1 ‖ n × (length 4 ‖ bytes ‖ root signature 64), at most 255 ‖ rule 1 ‖ parts */
export function decodeEvidence(bytes: Buffer): Evidence {
  if (bytes.length > MOST_BYTES) throw new Unreadable(`more than ${MOST_BYTES} bytes`);
  return readAll(bytes, (r) => {
    r.literal(ascii('csign1ev'));
    const manifests = r.listUpTo(255, () => signedManifest(r));
    const rule = r.u8();
    if (!(rule in PARTS)) throw new Unreadable(`no rule ${rule}`);
    return { manifests, rule: rule as RuleNumber, parts: PARTS[rule as RuleNumber](r) };
  });
}
