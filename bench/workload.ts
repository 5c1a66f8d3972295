/**
 * A workload: everything that decides what a run does, from one JSON file in bench/workloads/ (or any other file), over the
 * defaults below; `--set load.window=64` changes a knob on the command line. Unknown knobs and values out of range are errors.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import * as v from 'valibot';

const FOLDER = fileURLToPath(new URL('../../bench/workloads/', import.meta.url));
/** A body starts with sender 4 ‖ number 4 ‖ intended time of sending 8 (float, ms of the machine's monotonic clock). */
export const HEADER_BYTES = 16;

const count = (most: number, least = 1) =>
  v.pipe(v.number(), v.safeInteger(), v.minValue(least), v.maxValue(most));
const positive = v.pipe(v.number(), v.finite(), v.gtValue(0));

const Load = v.variant('mode', [
  /** Every sender has always so many messages under way: latency is what the load makes it. */
  v.strictObject({ mode: v.literal('closed'), window: count(4096) }),
  /** Messages a second of all senders together, sent when they are due, whatever the answers do. */
  v.strictObject({ mode: v.literal('open'), rate: positive, arrivals: v.picklist(['constant', 'poisson']) }),
]);

const Choice = v.variant('kind', [
  v.strictObject({ kind: v.literal('uniform') }),
  /** Mailbox i (from 1) is chosen with weight i^−s. */
  v.strictObject({ kind: v.literal('zipf'), s: v.pipe(v.number(), v.minValue(0), v.maxValue(4)) }),
  /** Mailboxes i·size … i·size + size − 1 are a group; a message goes to all of one. */
  v.strictObject({ kind: v.literal('groups'), size: count(1024) }),
  /** One line per sender (modulo lines): the mailboxes it writes to, separated by blanks. */
  v.strictObject({ kind: v.literal('friends'), file: v.string() }),
]);

const Schema = v.strictObject({
  name: v.string(),
  about: v.string(),
  server: v.strictObject({
    inboxes: count(64),
    outboxes: count(64),
    threads: count(64),
    checks: v.picklist(['process-boundaries', 'everywhere']),
    /** Accepted where nothing is said. Clients that verify nothing sign only where they must. */
    submissions: v.optional(v.picklist(['off', 'accepted', 'required'])),
    epochIntervalMs: count(60_000, 0),
    /** `none`: the data directory is in memory, where an fsync costs nothing. */
    durability: v.picklist(['fsync', 'none']),
  }),
  load: Load,
  senders: count(10_000),
  mailboxes: count(10_000_000),
  /** Mailboxes that are read while the load lasts: the first so many. The others are read afterwards, for the audit. */
  online: count(1_000_000, 0),
  /** Sockets that these share evenly. */
  receivers: count(10_000),
  recipients: count(1024),
  choice: Choice,
  bodyBytes: count(1 << 24, HEADER_BYTES),
  envelopeBytes: count(1 << 16, 0),
  verification: v.picklist(['all', 'none']),
  encoding: v.picklist(['binary', 'json']),
  /** Client processes that senders and receivers are spread over. */
  senderProcesses: count(64),
  receiverProcesses: count(64),
  /** Nobody reads until so many messages are in the order; then the time until all have come is measured, too. 0 = all read. */
  waiting: count(10_000_000, 0),
  warmupSeconds: v.pipe(v.number(), v.minValue(0), v.maxValue(3600)),
  seconds: v.pipe(positive, v.maxValue(86_400)),
  seed: count(2 ** 32 - 1, 0),
});

export type Workload = v.InferOutput<typeof Schema>;

const DEFAULTS = {
  server: {
    inboxes: 1,
    outboxes: 1,
    threads: 1,
    checks: 'process-boundaries',
    epochIntervalMs: 1,
    durability: 'fsync',
  },
  load: { mode: 'closed', window: 256 },
  senders: 16,
  mailboxes: 1000,
  receivers: 16,
  recipients: 1,
  choice: { kind: 'uniform' },
  bodyBytes: 128,
  envelopeBytes: 0,
  verification: 'all',
  encoding: 'binary',
  senderProcesses: 1,
  receiverProcesses: 1,
  waiting: 0,
  warmupSeconds: 2,
  seconds: 10,
  seed: 1,
};

/** Names of the workloads that come with the bench. */
export function builtIn(): string[] {
  return readdirSync(FOLDER)
    .filter((file) => file.endsWith('.json'))
    .map((file) => file.slice(0, -'.json'.length));
}

/**
 * `source`: a built-in name or the path of a JSON file. `settings`: `path.to.knob=value`, applied in order, the value as JSON or
 * else as text. Throws `TypeError`, with the knob's name, on whatever is unknown or out of range.
 */
export function loadWorkload(source: string, settings: readonly string[] = []): Workload {
  const file = source.endsWith('.json') ? source : `${FOLDER}${source}.json`;
  const known = source.endsWith('.json') || builtIn().includes(source);
  if (!known)
    throw new TypeError(`workload ${source}: expected a JSON file or one of ${builtIn().join(', ')}`);
  const given = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
  const server = { ...DEFAULTS.server, ...(given['server'] as object | undefined) };
  const all: Record<string, unknown> = { ...DEFAULTS, ...given, server };
  for (const setting of settings) set(all, setting);
  all['online'] ??= all['mailboxes'];
  const result = v.safeParse(Schema, all);
  if (result.success) return checked(result.output);
  const [issue] = result.issues;
  throw new TypeError(`workload ${source}: ${v.getDotPath(issue) ?? ''}: ${issue.message}`);
}

function set(into: Record<string, unknown>, setting: string): void {
  const [, path, text] = /^([\w.]+)=(.*)$/.exec(setting) ?? [];
  if (path === undefined || text === undefined)
    throw new TypeError(`--set ${setting}: expected path.to.knob=value`);
  const names = path.split('.');
  let at = into;
  for (const name of names.slice(0, -1)) {
    at[name] = { ...(at[name] as object | undefined) };
    at = at[name] as Record<string, unknown>;
  }
  at[names.at(-1)!] = parsed(text);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function checked(workload: Workload): Workload {
  const fail = (text: string) => new TypeError(`workload ${workload.name}: ${text}`);
  const { mailboxes, online, recipients, choice } = workload;
  if (online > mailboxes) throw fail('online: more than mailboxes');
  if (workload.senderProcesses > workload.senders) throw fail('senderProcesses: more than senders');
  if (workload.receiverProcesses > workload.receivers) throw fail('receiverProcesses: more than receivers');
  if (recipients > mailboxes) throw fail('recipients: more than mailboxes');
  if (choice.kind === 'groups' && (choice.size !== recipients || mailboxes % choice.size !== 0))
    throw fail(
      'choice.size: groups have as many members as a message has recipients, and fill all mailboxes',
    );
  return workload;
}
