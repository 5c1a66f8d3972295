/**
 * A witness (C2SP tlog-witness): cosigns checkpoints of logs, each only if it goes on from the one before.
 *
 * 1. Per log it knows the newest size and root that it cosigned. To check a request against them and to make the new ones
 *    durable is one step: the requests of one log are taken one after the other.
 * 2. It signs after that, and answers after it has signed.
 * Never: signs two roots of one size, or a size below one that it has signed.
 */
import { importPublicKey, type PublicKey } from '#crypto';
import { equalBytes, FormatError, isConsistent } from '../protocol/index.js';
import {
  type AddCheckpoint,
  cosignatureLine,
  cosignedBytes,
  decodeAddCheckpoint,
  noteSignatureLine,
  SIZE_TYPE,
  signaturesBy,
  type VerifierKey,
} from '../protocol/notes/index.js';
import type { Head, WitnessHeads } from './witness-heads.js';

/** What has been done of a request that is cosigned: for tests that crash in between. */
export type WitnessPhase = 'checked' | 'persisted' | 'signed';

export interface WitnessOptions {
  readonly key: VerifierKey;
  readonly sign: (bytes: Uint8Array) => Uint8Array;
  /** Keys of the logs that it cosigns; the name of each is the log's origin. A log may have several. */
  readonly logs: readonly VerifierKey[];
  readonly heads: WitnessHeads;
  /** Seconds since 1970. */
  readonly now: () => number;
  readonly observe: (phase: WitnessPhase) => void;
  /** A head could not be made durable, or a log contradicts itself: for the operator. */
  readonly warn: (text: string) => void;
  /** What it knows may not be what the disk has: it must stop. */
  readonly failed: (error: Error) => void;
}

export interface WitnessAnswer {
  readonly status: 200 | 400 | 403 | 404 | 409 | 422 | 500 | 503;
  /** Signature lines, the size that it knows, or what is wrong, for people. */
  readonly text: string;
  readonly type?: typeof SIZE_TYPE;
}

/** Requests of one log that may wait; more are told to come again. */
const MOST_WAITING = 64;

interface Log {
  readonly keys: readonly { readonly key: VerifierKey; readonly verifier: PublicKey }[];
  waiting: number;
  turn: Promise<unknown>;
}

export class Witness {
  private readonly logs = new Map<string, Log>();
  private isBroken = false;

  /** Throws `TypeError` on a log's key that breaks the rule for keys. */
  constructor(private readonly options: WitnessOptions) {
    for (const key of options.logs) {
      const { keys = [] } = this.logs.get(key.name) ?? {};
      const more = [...keys, { key, verifier: importPublicKey(key.publicKey) }];
      this.logs.set(key.name, { keys: more, waiting: 0, turn: Promise.resolve() });
    }
  }

  /** The body of an add-checkpoint request. Never rejects. */
  async addCheckpoint(body: Uint8Array): Promise<WitnessAnswer> {
    let request: AddCheckpoint;
    try {
      request = decodeAddCheckpoint(body);
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      return { status: 400, text: error.message };
    }
    const { origin, size } = request.checkpoint;
    const log = this.logs.get(origin);
    if (!log) return { status: 404, text: 'this witness does not know a log of this origin' };
    const head = signedHead(log, request);
    if (!head) return { status: 403, text: 'not signed by a key of the log' };
    if (request.oldSize > size) return { status: 400, text: 'the old size is above the checkpoint' };
    if (log.waiting >= MOST_WAITING) return { status: 503, text: 'too many requests wait for this log' };
    log.waiting++;
    const answer = log.turn.then(() => this.take(request, head));
    log.turn = answer;
    return answer.finally(() => log.waiting--);
  }

  /** Alone of its log: check, make durable, sign. */
  private async take(request: AddCheckpoint, head: Head): Promise<WitnessAnswer> {
    const { heads, observe, failed } = this.options;
    const { origin, text } = request.checkpoint;
    if (this.isBroken) return { status: 500, text: 'the witness has failed' };
    const known = heads.of(origin);
    const refusal = refusalOf(known, request);
    if (refusal) {
      if (isContradiction(known, head)) await this.keep(origin, known, head);
      return refusal;
    }
    observe('checked');
    try {
      // What is equal is durable already.
      if (head.size > known.size) await heads.advance(origin, head);
    } catch (error) {
      this.isBroken = true;
      failed(error as Error);
      return { status: 500, text: 'the checkpoint could not be made durable' };
    }
    observe('persisted');
    const timestamp = this.options.now();
    const signature = this.options.sign(cosignedBytes(timestamp, text));
    observe('signed');
    return { status: 200, text: cosignatureLine(this.options.key, { timestamp, signature }) };
  }

  private async keep(origin: string, one: Head, other: Head): Promise<void> {
    const { heads, warn } = this.options;
    const file = await heads.keep(origin, one, other).catch((error: Error) => error.message);
    if (file) warn(`${origin} has signed two roots of size ${one.size}: the proof is in ${file}`);
  }
}

/** What a log's key has signed, with that signature alone; null if none has. */
function signedHead({ keys }: Log, { checkpoint }: AddCheckpoint): Head | null {
  const { text, signatures, size, root } = checkpoint;
  for (const { key, verifier } of keys)
    for (const { signature } of signaturesBy(key, signatures))
      if (verifier.verify(text, signature))
        return { size, root, note: `${Buffer.from(text)}\n${noteSignatureLine(key, signature)}` };
  return null;
}

/** Why a request is not cosigned, in the order of the specification; null if it is. */
export function refusalOf(known: Omit<Head, 'note'>, request: AddCheckpoint): WitnessAnswer | null {
  const { oldSize, proof, checkpoint } = request;
  const conflict = { status: 409, text: `${known.size}\n`, type: SIZE_TYPE } as const;
  if (oldSize !== known.size) return conflict;
  const isProven =
    oldSize === 0 || oldSize === checkpoint.size
      ? proof.length === 0
      : isConsistent(oldSize, known.root, checkpoint.size, checkpoint.root, proof);
  if (!isProven) return { status: 422, text: 'the proof does not lead from the old size to the checkpoint' };
  return oldSize < checkpoint.size || equalBytes(known.root, checkpoint.root) ? null : conflict;
}

function isContradiction(known: Head, head: Head): boolean {
  return known.size > 0 && known.size === head.size && !equalBytes(known.root, head.root);
}
