/** A running server as an audit reads it, with the operator's token, by its internal port. */
import { setTimeout as pass } from 'node:timers/promises';
import type {
  EpochSource,
  KeptChainState,
  KeptEpoch,
  KeptHandOver,
  LogRecord,
} from '../../protocol/audit/index.js';
import { HandOverBuilder } from '../../protocol/audit/kept-handed.js';
import { EpochBuilder, PART, type Part, PartReader, readLogRecord } from '../../protocol/audit/kept-parts.js';
import { readCheckpointNote } from '../../protocol/audit/note.js';
import {
  actorKey,
  type Checkpoint,
  CountersignError,
  countsIn,
  decodeEpochLeaf,
  type ErrorCode,
  FormatError,
  inForceAt,
  type OpenedManifest,
  openManifests,
  Reader,
  ROLE,
} from '../../protocol/index.js';

/** An answer has to begin within this, and to go on. */
const PATIENCE_MS = 30_000;
const BUSY_MS = 500;
const BUSY_TRIES = 20;

export interface Addresses {
  /** The front port. */
  readonly http: string;
  readonly internal: string;
  /** In hexadecimal. */
  readonly token: string;
}

export class NetworkSource implements EpochSource {
  private constructor(
    private readonly at: Addresses,
    readonly manifests: readonly OpenedManifest[],
    readonly checkpoint: Checkpoint,
  ) {}

  /** Rejects with `CountersignError`. */
  static async open(at: Addresses): Promise<NetworkSource> {
    const answer = await (await get(`${at.http}/v1/manifests/1`)).json().catch(lost);
    const { manifests: told } = answer as { manifests: Record<'manifest' | 'signature', string>[] };
    try {
      if (!Array.isArray(told)) throw new FormatError('no list of manifests');
      const manifests = openManifests(
        told.map(({ manifest, signature }) => ({
          bytes: fromBase64(manifest),
          signature: fromBase64(signature),
        })),
      );
      return new NetworkSource(at, manifests, await fetchCheckpoint(at, manifests));
    } catch (error) {
      if (error instanceof FormatError) throw new CountersignError('verification-failed', error.message);
      throw error;
    }
  }

  async *records(from: number): AsyncGenerator<LogRecord> {
    const { size } = this.checkpoint;
    for (let index = from; index < size; ) {
      const response = await this.ask(`/v1/log?from=${index}`);
      const before = index;
      const bytes = new Reader(new Uint8Array(await response.arrayBuffer().catch(lost)));
      for (; bytes.at < bytes.limit && index < size; index++) yield readLogRecord(bytes);
      if (index === before) return;
    }
  }

  async *epochs(from: number, to: number): AsyncGenerator<KeptEpoch> {
    const countsAt = (epoch: number) => countsIn(inForceAt(this.manifests, epoch).manifest);
    let builder = new EpochBuilder();
    for await (const part of this.parts((next) => `/v1/epochs?from=${next}&to=${to}`, from))
      if (part.kind !== PART.end) builder.add(part);
      else {
        if (part.bytes[0] === 1) yield builder.done(countsAt);
        builder = new EpochBuilder();
      }
  }

  async *handOvers(): AsyncGenerator<KeptHandOver> {
    const builder = new HandOverBuilder();
    for await (const part of this.parts((next) => `/v1/hand-overs?from=${next}`, 0)) {
      const kept = builder.add(part);
      if (kept) yield kept;
    }
  }

  /** Of one answer behind the other, until there are no more. */
  private async *parts(pathFrom: (next: number) => string, from: number): AsyncGenerator<Part> {
    for (let next: number | null = from; ; ) {
      const reader = new PartReader();
      const response = await this.ask(pathFrom(next));
      next = null;
      for await (const chunk of chunksOf(response))
        for (const part of reader.push(chunk)) {
          if (part.kind === PART.next) next = new Reader(part.bytes).u64();
          else yield part;
        }
      if (next === null) throw new CountersignError('connection-lost', 'the server ended before its answer');
      if (next === 0) return;
    }
  }

  async newest(): Promise<number> {
    const { size } = await fetchCheckpoint(this.at, this.manifests);
    if (size === 0) return 0;
    const response = await this.ask(`/v1/log?from=${size - 1}`);
    const bytes = new Reader(new Uint8Array(await response.arrayBuffer().catch(lost)));
    return decodeEpochLeaf(readLogRecord(bytes).leaf).epoch;
  }

  /** A server tells nobody where chains stand but by its leaves. */
  async *chains(): AsyncGenerator<KeptChainState> {}

  /** Throws `CountersignError`. Few audits are served at a time: the end of another's answer is waited for. */
  private async ask(path: string): Promise<Response> {
    const { internal, token } = this.at;
    for (let tries = 1; ; tries++) {
      try {
        return await get(`${internal}${path}`, { authorization: `Bearer ${token}` });
      } catch (error) {
        const isBusy = error instanceof CountersignError && error.code === 'busy';
        if (!isBusy || tries === BUSY_TRIES) throw error;
        await pass(BUSY_MS);
      }
    }
  }
}

async function fetchCheckpoint(
  { http }: Addresses,
  manifests: readonly OpenedManifest[],
): Promise<Checkpoint> {
  const note = await (await get(`${http}/v1/checkpoint`)).text().catch(lost);
  return readCheckpointNote(note, manifests[0]!.hash, [
    actorKey(manifests.at(-1)!.manifest, ROLE.sequencer, 0),
  ]);
}

/** An answer that has begun in time. Rejects with what the server says, or `connection-lost`. */
async function get(url: string, headers: Record<string, string> = {}): Promise<Response> {
  const ending = new AbortController();
  const timer = setTimeout(() => ending.abort(new Error(`none within ${PATIENCE_MS} ms`)), PATIENCE_MS);
  const response = await fetch(url, { headers, signal: ending.signal })
    .catch(lost)
    .finally(() => clearTimeout(timer));
  if (response.ok) return response;
  const { error } = (await response.json().catch(() => ({}))) as {
    error?: { code: ErrorCode; message: string };
  };
  if (error) throw new CountersignError(error.code, error.message);
  throw new CountersignError('connection-lost', `${url}: ${response.status}`);
}

async function* chunksOf({ body }: Response): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of body!) yield chunk as Uint8Array;
  } catch (error) {
    lost(error);
  }
}

const fromBase64 = (text: string) => Uint8Array.from(Buffer.from(String(text), 'base64'));

function lost(error: unknown): never {
  const { message, cause } = error as Error;
  throw new CountersignError(
    'connection-lost',
    `no answer: ${cause instanceof Error ? cause.message : message}`,
  );
}
