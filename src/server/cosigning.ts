/**
 * Has anchors cosigned: asks each witness (C2SP tlog-witness) for the newest anchor that it has not cosigned, whenever there
 * is one. It looks at the committed log from outside, so no epoch waits for it. Of each witness one request at a time, with
 * a timeout; after a failure the next one comes later and later.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { importPublicKey } from '#crypto';
import { Backoff } from '../client/backoff.js';
import { bounded } from '../client/bounded.js';
import { withTimeLimit } from '../client/time-limit.js';
import { type Checkpoint, FormatError } from '../protocol/index.js';
import {
  anchorBelow,
  checkpointNote,
  cosignatureLine,
  cosignedBytes,
  decodeConflict,
  decodeCosignature,
  decodeSignatureLines,
  encodeAddCheckpoint,
  encodeVerifierKey,
  MAX_NOTE_BYTES,
  SIZE_TYPE,
  signaturesBy,
} from '../protocol/notes/index.js';
import type { Anchors } from './anchors.js';
import type { Config } from './config.js';
import { type WitnessService, witnessesIn } from './witness-list.js';

export interface CosigningOptions {
  readonly serverId: Uint8Array;
  readonly sequencerKey: Uint8Array;
  /** Of the log now. */
  readonly size: () => number;
  /** The signed checkpoint at a size of the log: the same bytes each time. */
  readonly checkpointAt: (size: number) => Checkpoint;
  /** Packed. */
  readonly proof: (from: number, to: number) => Uint8Array;
  readonly anchors: Anchors;
  readonly settings: () => Config['witnesses'];
  /** For the operator: a witness refuses the log. */
  readonly warn: (text: string) => void;
}

/** How one witness fares. */
export interface WitnessStatus {
  readonly verifierKey: string;
  readonly url: string;
  /** Size of the newest anchor that it cosigned; 0 = none. */
  readonly cosigned: number;
  /** Since the last cosignature. */
  readonly failures: number;
  /** Of the last one; empty after a cosignature. */
  readonly error: string;
  /** The witness answers that what it knows of this log is another history. */
  readonly refused: boolean;
  readonly cosignatures: number;
}

/** How often the log is looked at for a new anchor: on a busy server it is this that spares witnesses. */
const LOOK_MS = 1000;
/** The longest pause after failures, as a multiple of `witnesses.retryMs`. */
const LONGEST = 64;

class Refused extends Error {}

interface Asked {
  readonly service: WitnessService;
  readonly ending: AbortController;
  status: WitnessStatus;
  /** From the first failure in a row. */
  backoff: Backoff | null;
}

export class Cosigning {
  private asked = new Map<string, Asked>();
  /** Also of witnesses that were left, until they have ended. */
  private readonly loops = new Set<Promise<void>>();
  private newest = { size: 0, note: '' };

  /** Begins at once. */
  constructor(private readonly options: CosigningOptions) {
    this.apply();
  }

  /** Goes by the settings as they are now: asks those that are new, leaves those that are gone. */
  apply(): void {
    const before = this.asked;
    this.asked = new Map();
    for (const service of witnessesIn(this.options.settings().services)) {
      const id = `${encodeVerifierKey(service.key)} ${service.url}`;
      this.asked.set(id, before.get(id) ?? this.begin(service));
      before.delete(id);
    }
    for (const { ending } of before.values()) ending.abort();
  }

  get status(): readonly WitnessStatus[] {
    return [...this.asked.values()].map(({ status }) => status);
  }

  /** Notes of anchors, newest first: those with cosignatures, and before them the newest one if nobody has cosigned it yet. */
  get notes(): readonly string[] {
    const all = this.options.anchors.all;
    const size = anchorBelow(this.options.size());
    const kept = all.map(({ note }) => note);
    return size === 0 || all[0]?.size === size ? kept : [this.noteAt(size), ...kept];
  }

  async stop(): Promise<void> {
    for (const { ending } of this.asked.values()) ending.abort();
    await Promise.all(this.loops);
  }

  private begin(service: WitnessService): Asked {
    const ending = new AbortController();
    const { key, url } = service;
    const cosigned = this.options.anchors.newestBy(key);
    const began = { cosigned, failures: 0, error: '', refused: false, cosignatures: 0 };
    const status: WitnessStatus = { verifierKey: encodeVerifierKey(key), url, ...began };
    const asked: Asked = { service, ending, status, backoff: null };
    const loop = this.goOn(asked).finally(() => this.loops.delete(loop));
    this.loops.add(loop);
    return asked;
  }

  private async goOn(asked: Asked): Promise<void> {
    const { signal } = asked.ending;
    // What the witness is known to have cosigned: where the next proof begins.
    let known = asked.status.cosigned;
    while (!signal.aborted) {
      const anchor = anchorBelow(this.options.size());
      let pause = LOOK_MS;
      if (anchor > known) {
        try {
          known = await this.ask(asked, known, anchor);
        } catch (error) {
          if (signal.aborted) return;
          if (error instanceof Conflict) known = error.size;
          pause = this.failed(asked, error as Error);
        }
      }
      await sleep(pause, undefined, { signal, ref: false }).catch(() => {});
    }
  }

  /** How long to wait. */
  private failed(asked: Asked, error: Error): number {
    const { failures, refused } = asked.status;
    const isRefused = error instanceof Refused;
    // What fetch says is only that it failed.
    const text = error.cause instanceof Error ? error.cause.message : error.message;
    asked.status = { ...asked.status, failures: failures + 1, error: text, refused: isRefused };
    if (isRefused && !refused)
      this.options.warn(`witness ${asked.service.key.name} does not cosign this log: ${error.message}`);
    const { retryMs } = this.options.settings();
    asked.backoff ??= new Backoff(retryMs, retryMs * LONGEST);
    return asked.backoff.next();
  }

  /** Asks for one anchor, and once more if the witness knows another size than thought. Resolves with the size that it knows. */
  private async ask(asked: Asked, known: number, anchor: number): Promise<number> {
    try {
      return await this.askFrom(asked, known, anchor);
    } catch (error) {
      // Told what it knows: from there.
      if (!(error instanceof Conflict) || error.size === known) throw error;
      if (error.size > anchor) return error.size;
      return this.askFrom(asked, error.size, anchor);
    }
  }

  private async askFrom(asked: Asked, from: number, anchor: number): Promise<number> {
    const { service, ending, status } = asked;
    const note = this.noteAt(anchor);
    const body = encodeAddCheckpoint(from, this.options.proof(from, anchor), note);
    const limit = withTimeLimit(this.options.settings().timeoutMs, ending.signal);
    const answer = await post(service.url, body, limit);
    if (answer.status === 409 && answer.type === SIZE_TYPE) {
      const size = decodeConflict(answer.body);
      if (size === from && size === anchor) throw new Refused('it has cosigned another root of this size');
      const own = this.options.size();
      if (size > own) throw new Refused(`it knows a log of size ${size}, this one has ${own}`);
      throw new Conflict(size);
    }
    if (answer.status === 422) throw new Refused(`it finds size ${anchor} not to go on from size ${from}`);
    if (answer.status !== 200) throw new Error(`status ${answer.status}: ${excerpt(answer.body)}`);
    await this.options.anchors.add(
      anchor,
      note,
      service.key,
      this.cosignatureIn(service, anchor, answer.body),
    );
    const cosignatures = status.cosignatures + 1;
    asked.backoff = null;
    asked.status = {
      ...asked.status,
      cosigned: anchor,
      cosignatures,
      failures: 0,
      error: '',
      refused: false,
    };
    return anchor;
  }

  /** The witness's line in what it answered, verified. Throws `FormatError` if there is none. */
  private cosignatureIn({ key }: WitnessService, anchor: number, body: Uint8Array): string {
    const text = textOf(this.noteAt(anchor));
    const verifier = importPublicKey(key.publicKey);
    for (const each of signaturesBy(key, decodeSignatureLines(body))) {
      const cosignature = decodeCosignature(each);
      if (verifier.verify(cosignedBytes(cosignature.timestamp, text), cosignature.signature))
        return cosignatureLine(key, cosignature);
    }
    throw new FormatError('the answer has no cosignature by the key of the witness');
  }

  /** The sequencer's own note; the newest one is remembered. */
  private noteAt(size: number): string {
    const { serverId, sequencerKey, checkpointAt } = this.options;
    if (this.newest.size !== size)
      this.newest = { size, note: checkpointNote(serverId, checkpointAt(size), sequencerKey) };
    return this.newest.note;
  }
}

/** The witness knows another size than the one the proof began at. */
class Conflict extends Error {
  constructor(readonly size: number) {
    super(`it knows size ${size}`);
  }
}

const textOf = (note: string) => Buffer.from(note.slice(0, note.indexOf('\n\n') + 1));
const excerpt = (body: Uint8Array) => Buffer.from(body.subarray(0, 200)).toString().trim();

async function post(url: string, body: string, signal: AbortSignal) {
  const response = await fetch(`${url}/add-checkpoint`, { method: 'POST', body, signal, redirect: 'error' });
  const answer = await bounded(response, MAX_NOTE_BYTES, signal).arrayBuffer();
  if (answer.byteLength > MAX_NOTE_BYTES)
    throw new FormatError(`an answer of more than ${MAX_NOTE_BYTES} bytes`);
  const { status, headers } = response;
  return { status, type: headers.get('content-type'), body: new Uint8Array(answer) };
}
