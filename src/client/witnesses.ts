/**
 * countersign/witnesses, for Node and browsers: a client that relies on witnesses. It asks the server, without a session and
 * without saying who asks, for anchors that witnesses have cosigned, and holds them against the log that the client has
 * verified. A server that keeps two groups of clients in two worlds has only one of them cosigned.
 */
import { isGoodKey } from '#crypto';
import {
  actorKey,
  type Checkpoint,
  CountersignError,
  FormatError,
  isOneLog,
  type Manifest,
  ROLE,
  toHex,
} from '../protocol/index.js';
import {
  anchorBelow,
  checkpointNote,
  decodeProof,
  decodeVerifierKey,
  fromBase64,
  NOTE_KEY,
  type VerifierKey,
} from '../protocol/notes/index.js';
import { type Anchor, openAnchor } from './anchor-check.js';
import { askFor } from './asking.js';
import { addresses } from './directory.js';
import { Emitter } from './events.js';
import { withTimeLimit } from './time-limit.js';

export * from '../protocol/notes/index.js';

/** What a client or a gateway gives. */
export interface Witnessed {
  readonly serverId: Uint8Array;
  readonly manifest: Manifest;
  readonly checkpoint: Checkpoint;
  close(): Promise<void>;
}

export interface WitnessPolicy {
  /** Verifier keys, as `countersign witness` prints them. */
  readonly keys: readonly string[];
  /** So many of them must have cosigned an anchor. */
  readonly threshold: number;
  /**
   * What happens when they have not. `fail-closed`: the client is closed, so that it takes nothing more of this server;
   * `fail-open`: it is told and goes on.
   */
  readonly mode: 'fail-open' | 'fail-closed';
  /** The cosigned anchor may be so many leaves behind the log. Default 4,096: this anchor or one of the three before. */
  readonly maxBehind?: number;
}

export interface WitnessOptions {
  /** Base address of the server, or of somebody who asks it for you: http, https, ws or wss. */
  readonly url: string;
  readonly witnesses: WitnessPolicy;
  /** From one check to the next. Default 60,000. */
  readonly intervalMs?: number;
  /** Of each request. Default 10,000. */
  readonly timeoutMs?: number;
  /** With `fail-closed`, how long a check may fail for want of an answer, after one that did not. Default 300,000. */
  readonly patienceMs?: number;
  /** What asks, for example through a relay that hides the address. Default the platform's. */
  readonly fetch?: typeof fetch;
}

/** An anchor that enough witnesses have cosigned, and that is of the client's own log. */
export interface WitnessedAnchor {
  /** Log size; 0 = the log is so young that nothing has to be cosigned. */
  readonly size: number;
  /** Names. */
  readonly witnesses: readonly string[];
}

/** Two heads, both signed by the sequencer, of which the server does not show that they are of one log. */
export interface Contradiction {
  readonly text: string;
  /** The client's own checkpoint, and the anchor: notes. */
  readonly own: string;
  readonly anchor: string;
  /** Proof for third parties, `countersign verify` reads it; null where sizes differ: then keep both notes. */
  readonly evidence: Uint8Array | null;
}

export interface WitnessEvents {
  witnessed: WitnessedAnchor;
  /** Not enough witnesses, nothing new enough, or no answer. `closed`: so the client was closed. */
  unwitnessed: { readonly error: CountersignError; readonly closed: boolean };
  /** The server keeps two logs, or hides that it does not. */
  contradiction: Contradiction & { readonly closed: boolean };
}

const DEFAULTS = { intervalMs: 60_000, timeoutMs: 10_000, patienceMs: 300_000 };
const MAX_BEHIND = 4096;
const MOST_ANCHORS = 64;

/**
 * Checks now, and then again and again until the client is closed. Resolves after the first check; with `fail-closed`
 * rejects when that fails, with `VerificationError` or another `CountersignError`. Throws `TypeError` on a bad policy.
 */
export async function watchWitnesses(client: Witnessed, options: WitnessOptions): Promise<WitnessWatch> {
  const { keys, mode, threshold, maxBehind = MAX_BEHIND } = options.witnesses;
  const known = await keysFrom(keys);
  for (const [name, value, most] of [
    ['threshold', threshold, known.length],
    ['maxBehind', maxBehind, Number.MAX_SAFE_INTEGER],
    ...Object.keys(DEFAULTS).map(
      (each) => [each, options[each as keyof typeof DEFAULTS] ?? 1, 2 ** 31 - 1] as const,
    ),
  ] as const)
    if (!Number.isSafeInteger(value) || value < 1 || value > most)
      throw new TypeError(`${name}: expected an integer from 1 to ${most}, got ${value}`);
  if (mode !== 'fail-open' && mode !== 'fail-closed')
    throw new TypeError(`mode: expected fail-open or fail-closed, got ${mode}`);
  const watch = new WitnessWatch(client, { ...DEFAULTS, ...options }, known, { threshold, mode, maxBehind });
  const error = await watch.first();
  if (error && mode === 'fail-closed') throw error;
  return watch;
}

async function keysFrom(texts: readonly string[]): Promise<VerifierKey[]> {
  const keys: VerifierKey[] = [];
  for (const text of texts) {
    try {
      const key = decodeVerifierKey(text, NOTE_KEY.cosignature);
      if (!(await isGoodKey(key.publicKey))) throw new FormatError('no good key');
      keys.push(key);
    } catch (error) {
      throw new TypeError(`witnesses.keys: ${text}: ${(error as Error).message}`);
    }
  }
  // One key under two names would count twice.
  if (new Set(keys.map(({ publicKey }) => toHex(publicKey))).size < keys.length)
    throw new TypeError('witnesses.keys: a key twice');
  return keys;
}

/** A check, and what it led to. */
export class WitnessWatch {
  private readonly events = new Emitter<WitnessEvents>();
  private readonly ending = new AbortController();
  private readonly http: string;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private checking: Promise<WitnessedAnchor> | null = null;
  private lastGood = Number.NEGATIVE_INFINITY;
  /** The newest anchor that counted; null before. */
  newest: WitnessedAnchor | null = null;

  /** @internal */
  constructor(
    private readonly client: Witnessed,
    private readonly options: WitnessOptions & typeof DEFAULTS,
    private readonly keys: readonly VerifierKey[],
    private readonly policy: Required<Pick<WitnessPolicy, 'threshold' | 'mode' | 'maxBehind'>>,
  ) {
    this.http = addresses(options.url).http;
  }

  on<Name extends keyof WitnessEvents>(
    name: Name,
    listener: (value: WitnessEvents[Name]) => void,
  ): () => void {
    return this.events.on(name, listener);
  }

  /** @internal The error, or null. */
  async first(): Promise<CountersignError | null> {
    const error = await this.check().then(
      () => null,
      (failed: CountersignError) => failed,
    );
    this.next();
    return error;
  }

  /** Checks now. Rejects when the policy is not kept; what follows from that has happened then. */
  check(): Promise<WitnessedAnchor> {
    if (this.ending.signal.aborted)
      return Promise.reject(new CountersignError('closed', 'the watch is closed'));
    this.checking ??= this.run().finally(() => (this.checking = null));
    return this.checking;
  }

  /** Ends checking; the client stays as it is. */
  close(): void {
    clearTimeout(this.timer);
    this.ending.abort(new CountersignError('closed', 'the watch is closed'));
  }

  private next(): void {
    if (this.ending.signal.aborted) return;
    this.timer = setTimeout(() => {
      this.check().then(
        () => this.next(),
        () => this.next(),
      );
    }, this.options.intervalMs);
    // On Node a timer alone keeps no process alive.
    if (typeof this.timer === 'object') (this.timer as { unref?(): void }).unref?.();
  }

  private async run(): Promise<WitnessedAnchor> {
    try {
      const found = await this.look();
      this.lastGood = Date.now();
      this.newest = found;
      this.events.emit('witnessed', found);
      return found;
    } catch (error) {
      throw await this.judge(error);
    }
  }

  /** What a failed check leads to. */
  private async judge(cause: unknown): Promise<CountersignError> {
    if (this.ending.signal.aborted) return this.ending.signal.reason as CountersignError;
    const error =
      cause instanceof CountersignError ? cause : new CountersignError('connection-lost', String(cause));
    const isPatient = error.temporary && Date.now() - this.lastGood < this.options.patienceMs;
    const closed = this.policy.mode === 'fail-closed' && !isPatient;
    if (closed) {
      this.close();
      await this.client.close();
    }
    if (error instanceof Contradicted) this.events.emit('contradiction', { ...error.contradiction, closed });
    else this.events.emit('unwitnessed', { error, closed });
    return error;
  }

  private async look(): Promise<WitnessedAnchor> {
    // As it stands before anything is asked: what the server answers must go with it.
    const { client, policy } = this;
    const own = client.checkpoint;
    const anchors = await this.anchors();
    const good = anchors.find(({ witnesses }) => witnesses.length >= policy.threshold);
    for (const each of new Set([good, anchors[0]])) if (each) await this.compare(own, each);
    const size = Math.max(own.size, anchors[0]?.size ?? 0);
    if (size - (good?.size ?? 0) >= policy.maxBehind) {
      const best = anchors[0]
        ? `the newest anchor of ${anchors[0].size} has ${anchors[0].witnesses.length}`
        : 'none is there';
      throw new CountersignError(
        'verification-failed',
        `no anchor of the last ${policy.maxBehind} leaves before ${size} has ${policy.threshold} cosignatures: ${best}`,
      );
    }
    return { size: good?.size ?? 0, witnesses: good?.witnesses ?? [] };
  }

  /** Newest first; each signed by the sequencer. */
  private async anchors(): Promise<Anchor[]> {
    const { client, keys } = this;
    const answer = parsed(await this.get('/v1/anchors'));
    const notes = answer?.['anchors'];
    if (
      !Array.isArray(notes) ||
      notes.length > MOST_ANCHORS ||
      !notes.every((each) => typeof each === 'string')
    )
      throw new CountersignError('verification-failed', 'the server answers with no list of anchors');
    const anchors: Anchor[] = [];
    for (const note of notes as string[]) {
      const anchor = await openAnchor(note, client.serverId, client.manifest, keys).catch(
        async (error: unknown) => {
          throw (await this.isBehind()) ? behind(client.manifest) : error;
        },
      );
      if (
        anchor.size !== anchorBelow(anchor.size) ||
        anchor.size >= (anchors.at(-1)?.size ?? Number.POSITIVE_INFINITY)
      )
        throw new CountersignError('verification-failed', 'anchors of odd sizes, or out of order');
      anchors.push(anchor);
    }
    return anchors;
  }

  /** Whether the server names a newer manifest than the client has: the client is about to follow it. */
  private async isBehind(): Promise<boolean> {
    const version = parsed(await this.get('/v1/manifest'))?.['version'];
    return Number(version) > this.client.manifest.version;
  }

  /** Throws `Contradicted` unless the anchor is of the client's own log. */
  private async compare(own: Checkpoint, anchor: Anchor): Promise<void> {
    const [from, to] = [own.size, anchor.size].sort((a, b) => a - b) as [number, number];
    if (from === 0) return;
    const proof = from === to ? new Uint8Array(0) : await this.proof(from, to);
    if (proof && isOneLog(own, anchor, proof)) return;
    const { serverId, manifest } = this.client;
    const text =
      from === to
        ? `the sequencer has signed two roots of size ${to}`
        : `the server does not show that its log of size ${to} goes on from that of size ${from}, both signed by its sequencer`;
    throw new Contradicted({
      text,
      own: checkpointNote(serverId, own, actorKey(manifest, ROLE.sequencer, 0)),
      anchor: anchor.note,
      evidence: proof && (await this.evidence(own, anchor, proof)),
    });
  }

  /** Null when the server answers with something else than a proof. */
  private async proof(from: number, to: number): Promise<Uint8Array | null> {
    try {
      return decodeProof(await this.get(`/v1/consistency/${from}/${to}`));
    } catch (error) {
      if (error instanceof FormatError || (error as CountersignError).code === 'not-found') return null;
      throw error;
    }
  }

  /** For third parties. Null when the server does not give its manifests any more: the notes are left. */
  private async evidence(own: Checkpoint, anchor: Anchor, proof: Uint8Array): Promise<Uint8Array | null> {
    try {
      const { accuse } = await import('../protocol/evidence/index.js');
      const { manifests: told } = parsed(await this.get('/v1/manifests/1')) as {
        manifests: Record<string, string>[];
      };
      const manifests = told.map((each) => ({
        bytes: fromBase64(each['manifest']!),
        signature: fromBase64(each['signature']!),
      }));
      const file = { manifests, claims: [], checkpoints: [own, anchor], bridge: () => proof };
      return accuse(file, this.client.serverId, this.client.manifest.rootKey)?.evidence ?? null;
    } catch {
      return null;
    }
  }

  /** Nothing in a request says who asks. Rejects with a coded error, temporary where asking again may help. */
  private get(path: string): Promise<Uint8Array> {
    const { fetch: ask, timeoutMs } = this.options;
    return askFor(`${this.http}${path}`, withTimeLimit(timeoutMs, this.ending.signal), ask);
  }
}

const behind = ({ version }: Manifest) =>
  new CountersignError('connection-lost', `the server has a newer manifest than version ${version}`);

class Contradicted extends CountersignError {
  constructor(readonly contradiction: Contradiction) {
    super('verification-failed', contradiction.text);
  }
}

function parsed(bytes: Uint8Array): Record<string, unknown> | null {
  try {
    return JSON.parse(new TextDecoder().decode(bytes)) as Record<string, unknown> | null;
  } catch {
    return null;
  }
}
