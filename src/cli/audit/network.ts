/** A running server as an audit reads it, with the operator's token, by its internal port. What it sends is bounded. */
import { setTimeout as pass } from 'node:timers/promises';
import {
  type EpochSource,
  type KeptChainState,
  type KeptEpoch,
  type KeptHandOver,
  type LogRecord,
  MOST_FINDINGS,
} from '../../protocol/audit/index.js';
import { HandOverBuilder } from '../../protocol/audit/kept-handed.js';
import {
  EpochBuilder,
  LEAVES_PER_ANSWER,
  OBJECTS_PER_ANSWER,
  PART,
  type Part,
  PartReader,
  readLogRecord,
} from '../../protocol/audit/kept-parts.js';
import { isSigned, readCheckpointNote } from '../../protocol/audit/note.js';
import { partBounds } from '../../protocol/audit/part-bounds.js';
import { handings } from '../../protocol/handings.js';
import {
  actorKey,
  type Checkpoint,
  CountersignError,
  countsIn,
  equalBytes,
  FormatError,
  HASH_BYTES,
  type Handing,
  inForceAt,
  MOST_MANIFESTS_BYTES,
  type OpenedManifest,
  openManifests,
  Reader,
  ROLE,
} from '../../protocol/index.js';
import { MAX_NOTE_BYTES } from '../../protocol/notes/index.js';
import { EPOCH_LEAF_BYTES } from '../../protocol/statement.js';
import { Answer, checked, refused } from '../answer.js';

/** An answer has to begin within this, and each chunk of it to follow the one before. */
const PATIENCE_MS = 30_000;
const BUSY_MS = 500;
const BUSY_TRIES = 20;
/** A leaf completes as many nodes as its index + 1 has zeros at its end, and its own hash. */
const MAX_LOG_BYTES = LEAVES_PER_ANSWER * (EPOCH_LEAF_BYTES + 1 + 54 * HASH_BYTES);

export interface Addresses {
  /** The front port. */
  readonly http: string;
  readonly internal: string;
  /** In hexadecimal. */
  readonly token: string;
  /** For how long nothing may come. */
  readonly patienceMs?: number;
}

export class NetworkSource implements EpochSource {
  private readonly mostOf: ReadonlyMap<number, number>;

  private constructor(
    private readonly at: Addresses,
    readonly manifests: readonly OpenedManifest[],
    readonly checkpoint: Checkpoint,
  ) {
    this.mostOf = partBounds(manifests.map(({ manifest }) => manifest));
  }

  /** Rejects with `CountersignError`, as all that reads does: `verification-failed` where the server sends what it cannot. */
  static async open(at: Addresses): Promise<NetworkSource> {
    return checked(async () => {
      const { manifests, checkpoint } = await told(at);
      return new NetworkSource(at, manifests, checkpoint);
    });
  }

  async *records(from: number, size = this.checkpoint.size): AsyncGenerator<LogRecord> {
    for (let index = from; index < size; ) {
      const records = await checked(() => this.recordsAt(index));
      if (records.length === 0) return;
      for (const record of records.slice(0, size - index)) yield record;
      index += records.length;
    }
  }

  /** Those of one answer. */
  private async recordsAt(index: number): Promise<LogRecord[]> {
    const bytes = new Reader(await (await this.ask(`/v1/log?from=${index}`)).bytes(MAX_LOG_BYTES));
    const records: LogRecord[] = [];
    while (bytes.at < bytes.limit) {
      if (records.length === LEAVES_PER_ANSWER)
        throw new FormatError(`an answer of more than ${LEAVES_PER_ANSWER} leaves`);
      records.push(readLogRecord(bytes));
    }
    return records;
  }

  epochs(from: number, to: number): AsyncGenerator<KeptEpoch> {
    return checkedAll(this.keptEpochs(from, to));
  }

  private async *keptEpochs(from: number, to: number): AsyncGenerator<KeptEpoch> {
    const countsAt = (epoch: number) => countsIn(inForceAt(this.manifests, epoch).manifest);
    let builder = new EpochBuilder();
    let before = from - 1;
    for await (const part of this.parts((next) => `/v1/epochs?from=${next}&to=${to}`, from, to))
      if (part.kind !== PART.end) builder.add(part);
      else {
        if (part.bytes[0] === 1) {
          const kept = builder.done(countsAt);
          if (kept.epoch <= before || kept.epoch > to)
            throw new FormatError(`epoch ${kept.epoch} behind epoch ${before}, of those up to ${to}`);
          before = kept.epoch;
          yield kept;
        }
        builder = new EpochBuilder();
      }
  }

  handOvers(): AsyncGenerator<KeptHandOver> {
    return checkedAll(this.keptHandOvers());
  }

  /** With as many others, which nobody should have, as an audit tells deviations. */
  private async *keptHandOvers(): AsyncGenerator<KeptHandOver> {
    const { manifests } = this;
    const given = manifests.slice(1).reduce((sum, next, i) => {
      return sum + handings(manifests[i]!.manifest, next.manifest).length;
    }, 0);
    const most = given + MOST_FINDINGS;
    const builder = new HandOverBuilder();
    let [count, before] = [0, -1];
    for await (const part of this.parts((next) => `/v1/hand-overs?from=${next}`, 0, most)) {
      const kept = builder.add(part);
      if (!kept) continue;
      if (++count > most) throw new FormatError(`more than ${most} hand-overs, of ${given} that there are`);
      if (orderOf(kept) <= before) throw new FormatError('hand-overs out of order');
      before = orderOf(kept);
      yield kept;
    }
  }

  /** Of one answer behind the other, until there are no more; none is asked for from beyond `to`. */
  private async *parts(pathFrom: (next: number) => string, from: number, to: number): AsyncGenerator<Part> {
    for (let asked = from; ; ) {
      const reader = new PartReader((kind) => this.mostOf.get(kind));
      let next: number | null = null;
      let objects = 0;
      for await (const chunk of (await this.ask(pathFrom(asked))).chunks())
        for (const part of reader.push(chunk)) {
          if (next !== null) throw new FormatError(`part ${part.kind} behind the end of an answer`);
          if (part.kind === PART.end && ++objects > OBJECTS_PER_ANSWER)
            throw new FormatError(`more than ${OBJECTS_PER_ANSWER} epochs or hand-overs in an answer`);
          if (part.kind === PART.next) next = new Reader(part.bytes).u64();
          else yield part;
        }
      if (next === null) throw new CountersignError('connection-lost', 'the server ended before its answer');
      if (next === 0) return;
      if (next <= asked || next > to)
        throw new FormatError(`${next} as the next one behind ${asked}, of those up to ${to}`);
      asked = next;
    }
  }

  /** Also under a version of the manifest that has come since. */
  later(): Promise<Checkpoint> {
    return checked(async () => {
      const { manifests, checkpoint } = await told(this.at);
      if (!this.manifests.every(({ hash }, i) => manifests[i] && equalBytes(manifests[i].hash, hash)))
        throw new FormatError('other manifests than before');
      return checkpoint;
    });
  }

  /** A server tells nobody where chains stand but by its leaves. */
  async *chains(): AsyncGenerator<KeptChainState> {}

  /** Throws `CountersignError`. Few audits are served at a time: the end of another's answer is waited for. */
  private async ask(path: string): Promise<Answer> {
    const { internal, token } = this.at;
    for (let tries = 1; ; tries++) {
      try {
        return await get(this.at, `${internal}${path}`, { authorization: `Bearer ${token}` });
      } catch (error) {
        const isBusy = error instanceof CountersignError && error.code === 'busy';
        if (!isBusy || tries === BUSY_TRIES) throw error;
        await pass(BUSY_MS);
      }
    }
  }
}

/** A checkpoint that is signed, and the manifests, among which is the one of its key: it is asked for first. */
async function told(
  at: Addresses,
): Promise<{ readonly manifests: readonly OpenedManifest[]; readonly checkpoint: Checkpoint }> {
  const note = await (await get(at, `${at.http}/v1/checkpoint`)).text(MAX_NOTE_BYTES);
  const answer = (await (await get(at, `${at.http}/v1/manifests/1`)).json(MOST_MANIFESTS_BYTES)) as {
    manifests?: Record<'manifest' | 'signature', string>[];
  } | null;
  const all = answer?.manifests;
  if (!Array.isArray(all)) throw new FormatError('no list of manifests');
  const manifests = openManifests(
    all.map((each) => ({ bytes: fromBase64(each?.manifest), signature: fromBase64(each?.signature) })),
  );
  const versions = manifests.map(({ manifest }) => manifest);
  const serverId = manifests[0]!.hash;
  const keys = versions.map((manifest) => actorKey(manifest, ROLE.sequencer, 0));
  const checkpoint = readCheckpointNote(note, serverId, keys.reverse());
  if (!isSigned(checkpoint, serverId, versions))
    throw new FormatError('a checkpoint that the sequencer has not signed');
  return { manifests, checkpoint };
}

const get = ({ patienceMs = PATIENCE_MS }: Addresses, url: string, headers?: Record<string, string>) =>
  Answer.to(url, patienceMs, headers);

const orderOf = ({ version, role, from, to }: Handing) =>
  ((version * 256 + role) * 65_536 + from) * 65_536 + to;

const fromBase64 = (text: unknown) => Uint8Array.from(Buffer.from(String(text), 'base64'));

async function* checkedAll<T>(all: AsyncGenerator<T>): AsyncGenerator<T> {
  try {
    yield* all;
  } catch (error) {
    refused(error);
  }
}
