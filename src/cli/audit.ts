/**
 * `countersign audit`: recomputes everything that a server has signed and still keeps, and reports every deviation, with
 * evidence where there is any: from the data directory of a server that is stopped, or over the network by the operator's
 * token.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { addresses } from '../client/directory.js';
import { type AuditReport, audit, type EpochSource, type Finding } from '../protocol/audit/index.js';
import { readCheckpointNote } from '../protocol/audit/note.js';
import {
  actorKey,
  type Checkpoint,
  CountersignError,
  equalBytes,
  FormatError,
  manifestHash,
  openManifests,
  ROLE,
  ROLE_NAMES,
  toHex,
} from '../protocol/index.js';
import { MAX_NOTE_BYTES } from '../protocol/notes/index.js';
import { openKeptDirectory } from '../server/kept-directory.js';
import { readKeyFile } from '../server/key-file.js';
import { OperatorError } from '../server/operator-error.js';
import { adviceFor } from './advice.js';
import { NetworkSource } from './audit/network.js';
import { idFrom, urlFrom, urlOption } from './client-options.js';
import { type Call, type Command, Failure, type OptionValues, UsageError } from './command.js';
import { readAtMost } from './files.js';
import { type Progress, progressOn, shownBy } from './progress.js';

export const command: Command = {
  name: 'audit',
  summary:
    'Recompute what a server has signed: exit status 0 = nothing found, 1 = deviations, 2 = could not audit',
  options: {
    data: { type: 'string', value: 'DIR', about: 'data directory of a server that is stopped' },
    token: { type: 'string', value: 'FILE', about: "the operator's, to audit a server that runs" },
    ...urlOption,
    internal: {
      type: 'string',
      value: 'URL',
      default: 'http://127.0.0.1:7701',
      about: "the server's internal port, with a token",
    },
    from: {
      type: 'string',
      value: 'EPOCH',
      about: 'first epoch to recompute (default: the oldest that is kept)',
    },
    to: { type: 'string', value: 'EPOCH', about: 'last epoch to recompute (default: the newest)' },
    server: { type: 'string', value: 'ID', about: 'id that the server must have' },
    checkpoint: {
      type: 'string',
      value: 'FILE',
      multiple: true,
      about: 'a signed checkpoint that somebody holds, from GET /v1/checkpoint; may be given again',
    },
    evidence: { type: 'string', value: 'DIR', about: 'where to write evidence, one file for each deviation' },
  },
  async run(call) {
    const { from, to } = range(call.values);
    const opened = await orCannot(() => openSource(call.values));
    const progress = progressOn(process.stderr, !call.json, () => {});
    try {
      return await orCannot(() => run(call, opened.source, progress, { from, to }));
    } finally {
      progress.stop();
      await opened.close();
    }
  },
};

async function run(
  { values, say }: Call,
  source: EpochSource,
  progress: Progress,
  window: { from: number; to: number },
): Promise<object> {
  const checkpoints = await checkpointsFrom(values, source);
  const into = values['evidence'] as string | undefined;
  if (into !== undefined) await mkdir(into, { recursive: true });
  const show = shownBy(progress);
  const began = performance.now();
  const report = await audit(source, {
    ...window,
    checkpoints,
    progress: (what, done, total) =>
      show(what === 'log' ? 'reading the log' : 'recomputing epochs', done, total),
  });
  const seconds = (performance.now() - began) / 1000;
  progress.stop();
  const found = await Promise.all(report.findings.map((finding, i) => written(finding, i, into)));
  const result = resultOf(report, seconds, found);
  for (const each of found) say(inWords(each));
  say(summary(result));
  if (found.length === 0) return result;
  const rest = report.isCut ? `more than ${found.length}` : `${found.length}`;
  throw new Failure(
    'deviations',
    `${rest} found in what the server keeps`,
    advice(found, report, into),
    result,
  );
}

// ---- what is audited

async function openSource(values: OptionValues): Promise<{ source: EpochSource; close(): Promise<void> }> {
  const [data, token] = [values['data'] as string | undefined, values['token'] as string | undefined];
  if ((data === undefined) === (token === undefined))
    throw new UsageError(
      'expected --data DIR of a server that is stopped, or --token FILE for one that runs',
    );
  const opened = data !== undefined ? await openKeptDirectory(data) : await openNetwork(values, token!);
  try {
    mustBe(values, opened.source);
    return opened;
  } catch (error) {
    await opened.close();
    throw error;
  }
}

async function openNetwork(values: OptionValues, token: string) {
  const { http } = addresses(urlFrom(values));
  const at = { http, internal: values['internal'] as string, token: toHex(await readKeyFile(token)) };
  return { source: await NetworkSource.open(at), close: async () => {} };
}

function mustBe(values: OptionValues, { manifests }: EpochSource): void {
  const asked = values['server'] as string | undefined;
  const serverId = manifestHash(manifests[0]!.bytes);
  if (asked === undefined || equalBytes(idFrom('server', asked), serverId)) return;
  throw new CountersignError('wrong-server', `it is server ${toHex(serverId)}, ${asked} is expected`);
}

async function checkpointsFrom(values: OptionValues, { manifests }: EpochSource): Promise<Checkpoint[]> {
  const versions = openManifests(manifests);
  const keys = versions.map(({ manifest }) => actorKey(manifest, ROLE.sequencer, 0));
  const files = (values['checkpoint'] ?? []) as string[];
  return Promise.all(
    files.map(async (file) => {
      const note = new TextDecoder().decode(await readAtMost(file, MAX_NOTE_BYTES));
      try {
        return readCheckpointNote(note, versions[0]!.hash, keys);
      } catch (error) {
        if (!(error instanceof FormatError)) throw error;
        throw new UsageError(`--checkpoint ${file}: ${error.message}`);
      }
    }),
  );
}

function range(values: OptionValues): { from: number; to: number } {
  const epoch = (name: string, fallback: number) => {
    const text = values[name] as string | undefined;
    if (text === undefined) return fallback;
    if (/^[1-9]\d{0,14}$/.test(text)) return Number(text);
    throw new UsageError(`--${name}: expected an epoch, got ${text}`);
  };
  const asked = { from: epoch('from', 1), to: epoch('to', Number.MAX_SAFE_INTEGER - 1) };
  if (asked.from > asked.to) throw new UsageError('--from: expected an epoch that is not above --to');
  return asked;
}

/** What hinders an audit is no deviation: exit status 2. */
async function orCannot<T>(run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    if (error instanceof UsageError || error instanceof Failure) throw error;
    if (error instanceof OperatorError) {
      const isInUse = error.code === 'data-locked';
      const next = isInUse ? 'Stop that server, or audit it while it runs, with --token FILE.' : error.next;
      throw new Failure(error.code, error.message, next, {}, 2);
    }
    if (error instanceof CountersignError)
      throw new Failure(error.code, error.message, adviceFor(error), {}, 2);
    throw new Failure(
      'audit-failed',
      (error as Error).message,
      'Check that the path exists, that you may read it, and that it is whole.',
      {},
      2,
    );
  }
}

// ---- what is told

interface Told extends Omit<Finding, 'evidence'> {
  readonly file: string | null;
}

async function written(
  { evidence, ...finding }: Finding,
  i: number,
  into: string | undefined,
): Promise<Told> {
  if (!evidence || into === undefined) return { ...finding, file: null };
  const file = join(into, `${String(i + 1).padStart(4, '0')}-${finding.kind}-epoch-${finding.epoch}`);
  await writeFile(file, evidence);
  return { ...finding, file };
}

function inWords({ kind, text, more, verdict, file }: Told): string {
  const others = more > 0 ? ` (and ${more} more of this kind in the epoch)` : '';
  const proven = verdict?.text ?? 'Nothing that was signed proves who did that.';
  return [`${kind}: ${text}${others}`, `  ${proven}`, ...(file ? [`  ${file}`] : [])].join('\n');
}

function resultOf(report: AuditReport, seconds: number, found: readonly Told[]) {
  const { serverId, leaves, signedLeaves, epochs, messages, recipientsUnknown, first, last, isCut } = report;
  const perSecond = (count: number) => Math.round(count / Math.max(seconds, 0.001));
  return {
    serverId: toHex(serverId),
    leaves,
    signedLeaves,
    epochs,
    first,
    last,
    messages,
    recipientsUnknown,
    seconds: Math.round(seconds * 1000) / 1000,
    epochsPerSecond: perSecond(epochs),
    messagesPerSecond: perSecond(messages),
    deviations: found.map(({ kind, epoch, text, more, file, verdict }) => ({
      kind,
      epoch,
      text,
      more,
      file,
      verdict: verdict && { ...verdict, ...namesOf(verdict) },
    })),
    isCut,
  };
}

/** Roles by name, keys in hexadecimal. */
function namesOf(verdict: NonNullable<Finding['verdict']>): object {
  const key = 'key' in verdict ? { key: toHex(verdict.key) } : {};
  const role = 'role' in verdict ? { role: ROLE_NAMES[verdict.role] } : {};
  return { ...key, ...role };
}

function summary(result: ReturnType<typeof resultOf>): string {
  const { leaves, signedLeaves, epochs, first, last, messages, seconds } = result;
  const what = epochs > 0 ? `${epochs} epochs (${first} to ${last}) with ${messages} messages` : 'no epoch';
  const unsigned = leaves - signedLeaves;
  const left = unsigned > 0 ? `, ${unsigned} of them under no signed checkpoint` : '';
  return [
    `Read the log of ${leaves} leaves from its first${left}, and recomputed ${what}`,
    `in ${seconds} s: ${result.epochsPerSecond} epochs and ${result.messagesPerSecond} messages a second.`,
    ...(result.deviations.length === 0 ? ['Nothing found.'] : []),
    ...notHeld(result),
  ].join(' ');
}

function notHeld({ recipientsUnknown: count }: ReturnType<typeof resultOf>): string[] {
  if (count === 0) return [];
  const [what, were] = count === 1 ? ['message', 'was'] : ['messages', 'were'];
  return [`${count} ${what} whose recipients are no longer known ${were} not held against routers.`];
}

function advice(
  found: readonly Told[],
  { serverId, rootKey }: AuditReport,
  into: string | undefined,
): string {
  const proven = found.filter(({ verdict }) => verdict).length;
  if (proven === 0)
    return 'No actor is proven guilty: what is kept was changed after it was signed, or is lost.';
  if (into === undefined) return `With --evidence DIR the evidence of ${proven} of them is written.`;
  const file = found.find((each) => each.file)!.file;
  return `Anybody can judge them: countersign verify ${file} --server ${toHex(serverId)} --root ${toHex(rootKey)}`;
}
