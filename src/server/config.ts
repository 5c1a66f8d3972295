/**
 * Configuration: defaults < file < environment < flags, merged and then validated. An unknown name
 * is an error wherever it stands, because a misspelt limit that is silently ignored is no limit.
 * All problems are reported at once, each with its source and what was expected there.
 */
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import * as v from 'valibot';
import { nearest } from './nearest.js';
import { OperatorError } from './operator-error.js';
import { type Config, Setting, settingsFor } from './settings.js';

export { type Config, defaultPlacement } from './settings.js';

export type Source = 'default' | 'file' | 'env' | 'flag';

/** One setting as it came out. `key` is dotted (`epoch.minIntervalMs`). */
export interface Described {
  readonly key: string;
  readonly value: string | number;
  readonly default: string | number;
  readonly unit: string;
  readonly about: string;
  /** Whether SIGHUP applies it to a server that is running. */
  readonly live: boolean;
  readonly source: Source;
  /** Where exactly, for people: `flag --port`, `env COUNTERSIGN_PORT`, `file FILE`, `default`. */
  readonly from: string;
}

export interface ConfigSources {
  /** By kebab-case name, no dashes in front: what parseArgs gives for `flagOptions()`. */
  readonly flags: Readonly<Record<string, string | undefined>>;
  /** Only names that begin with `COUNTERSIGN_` are looked at. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Path of a JSON file, nested as `Config` is. */
  readonly file?: string | undefined;
  /** Of this machine, unless a test says otherwise. */
  readonly cores?: number;
}

/** A value as some source gives it, not yet validated. */
interface Given {
  readonly key: string;
  readonly value: unknown;
  readonly source: Source;
  readonly from: string;
}

type Leaves = ReadonlyMap<string, Setting<string | number>>;

const PREFIX = 'COUNTERSIGN_';
const descriptions = new WeakMap<Config, readonly Described[]>();

/**
 * The effective configuration, deeply frozen.
 * Throws `OperatorError` `config-unreadable` (the file) or `config-invalid` (one line per problem).
 */
export function loadConfig({ flags, env, file, cores = availableParallelism() }: ConfigSources): Config {
  const table = settingsFor(cores);
  const leaves = leavesOf(table);
  const problems: string[] = [];
  const given = [
    ...(file === undefined ? [] : fromFile(file, leaves, problems)),
    ...fromEnvironment(env, leaves, problems),
    ...fromFlags(flags, leaves, problems),
  ];
  // Later sources stand later, so the last value of a key is the one that counts.
  const last = new Map(given.map((each) => [each.key, each]));
  const rows = [...leaves].map(([key, setting]) => effective(key, setting, last.get(key), problems));
  const config = nest(table, new Map(rows.map((row) => [row.key, row.value]))) as Config;
  if (problems.length === 0) checkTogether(config, problems);
  if (problems.length > 0) throw invalid(problems);
  descriptions.set(config, rows);
  return config;
}

/** Every setting of a config that `loadConfig` made, in the order of the table. */
export function describeConfig(config: Config): readonly Described[] {
  const rows = descriptions.get(config);
  if (rows === undefined)
    throw new TypeError('config: expected what loadConfig returned, got something else');
  return rows;
}

/** What a running server takes over of a configuration that was read again, and what it cannot. */
export interface Reloaded {
  readonly config: Config;
  /** Dotted keys of what differs. */
  readonly changed: readonly string[];
  readonly fixed: readonly string[];
}

/** `started` and `asked` as `loadConfig` made them; `running` as it is in force now. */
export function reloadConfig(running: Config, started: Config, asked: Config): Reloaded {
  const table = settingsFor(1);
  const now = valuesOf(running, table);
  const before = new Map(describeConfig(started).map(({ key, value }) => [key, value]));
  // A port speaks TLS or does not: from one to the other takes another port.
  const turned = (asked.tls.certificate === '') !== (running.tls.certificate === '');
  const stays = ({ key, live }: Described) => !live || (turned && key.startsWith('tls.'));
  const rows = describeConfig(asked);
  const changed = rows.filter((row) => !stays(row) && row.value !== now.get(row.key));
  const fixed = rows.filter((row) => stays(row) && row.value !== before.get(row.key));
  for (const { key, value } of changed) now.set(key, value);
  const keysOf = (some: readonly Described[]) => some.map(({ key }) => key);
  const config = nest(table, now) as Config;
  // What was asked for fits together; half of it may not fit what stays.
  const problems: string[] = [];
  checkTogether(config, problems);
  if (problems.length > 0) throw invalid(problems);
  return { config, changed: keysOf(changed), fixed: keysOf(fixed) };
}

function valuesOf(values: object, table: object, prefix = ''): Map<string, unknown> {
  const pairs = Object.entries(table).flatMap(([name, node]): [string, unknown][] => {
    const value = (values as Record<string, unknown>)[name];
    return node instanceof Setting
      ? [[prefix + name, value]]
      : [...valuesOf(value as object, node, `${prefix}${name}.`)];
  });
  return new Map(pairs);
}

/** One string option per setting, as node:util parseArgs takes them, with what a help text needs. */
export function flagOptions(): Record<string, { type: 'string'; value: string; about: string }> {
  const options = [...leavesOf(settingsFor(availableParallelism()))].map(([key, setting]) => {
    const about = `${setting.about} (${setting.expected}; default ${JSON.stringify(setting.fallback)})`;
    return [flagName(key), { type: 'string', value: setting.unit.toUpperCase(), about }] as const;
  });
  return Object.fromEntries(options);
}

/** `epoch.minIntervalMs` becomes `epoch-min-interval-ms`. */
function flagName(key: string): string {
  return key.replaceAll('.', '-').replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** `epoch.minIntervalMs` becomes `COUNTERSIGN_EPOCH_MIN_INTERVAL_MS`. */
function variableName(key: string): string {
  return PREFIX + flagName(key).replaceAll('-', '_').toUpperCase();
}

function leavesOf(table: object, prefix = ''): Leaves {
  const pairs = Object.entries(table).flatMap(([name, node]): [string, Setting<string | number>][] =>
    node instanceof Setting ? [[prefix + name, node]] : [...leavesOf(node, `${prefix}${name}.`)],
  );
  return new Map(pairs);
}

function nest(table: object, values: ReadonlyMap<string, unknown>, prefix = ''): object {
  const pairs = Object.entries(table).map(([name, node]) => {
    const key = prefix + name;
    return [name, node instanceof Setting ? values.get(key) : nest(node, values, `${key}.`)];
  });
  return Object.freeze(Object.fromEntries(pairs));
}

function fromFile(file: string, leaves: Leaves, problems: string[]): Given[] {
  const from = `file ${file}`;
  const root = readJson(file);
  if (!isGroup(root)) {
    problems.push(`${from}: expected a JSON object, got ${JSON.stringify(root)}`);
    return [];
  }
  const groups = new Set(
    [...leaves.keys()].filter((key) => key.includes('.')).map((key) => key.split('.')[0]!),
  );
  const walk = (node: object, prefix: string): Given[] =>
    Object.entries(node).flatMap(([name, value]) => {
      const key = prefix + name;
      if (leaves.has(key)) return [{ key, value, source: 'file', from }];
      if (!groups.has(key)) problems.push(unknown(from, key, leaves.keys()));
      else if (isGroup(value)) return walk(value, `${key}.`);
      else problems.push(`${from}: ${key}: expected an object, got ${JSON.stringify(value)}`);
      return [];
    });
  return walk(root, '');
}

function readJson(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch (cause) {
    const message = `file ${file}: expected readable JSON: ${(cause as Error).message}`;
    throw new OperatorError('config-unreadable', message, 'Correct the file or name another one.', { cause });
  }
}

function isGroup(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function fromEnvironment(env: ConfigSources['env'], leaves: Leaves, problems: string[]): Given[] {
  const ours = Object.entries(env).filter(([name]) => name.startsWith(PREFIX));
  return fromNames(ours, variableName, (name) => `env ${name}`, 'env', leaves, problems);
}

function fromFlags(flags: ConfigSources['flags'], leaves: Leaves, problems: string[]): Given[] {
  return fromNames(Object.entries(flags), flagName, (name) => `flag --${name}`, 'flag', leaves, problems);
}

/** Texts under derived names: environment and flags differ in nothing but the names. */
function fromNames(
  entries: [string, string | undefined][],
  nameOf: (key: string) => string,
  show: (name: string) => string,
  source: Source,
  leaves: Leaves,
  problems: string[],
): Given[] {
  const keys = new Map([...leaves.keys()].map((key) => [nameOf(key), key]));
  return entries.flatMap(([name, text]) => {
    if (text === undefined) return [];
    const key = keys.get(name);
    if (key !== undefined) return [{ key, value: leaves.get(key)!.fromText(text), source, from: show(name) }];
    problems.push(unknown(source, name, keys.keys()));
    return [];
  });
}

function unknown(where: string, name: string, known: Iterable<string>): string {
  return `${where}: ${name} is no setting, the nearest is ${nearest(name, known)}`;
}

/** The value that counts for one key; a value that does not fit becomes a problem. */
function effective(
  key: string,
  setting: Setting<string | number>,
  given: Given | undefined,
  problems: string[],
): Described {
  const { fallback, unit, about, live, schema, expected } = setting;
  const row = { key, default: fallback, unit, about, live };
  if (given === undefined) return { ...row, value: fallback, source: 'default', from: 'default' };
  const result = v.safeParse(schema, given.value);
  if (!result.success) {
    problems.push(`${given.from}: ${key}: expected ${expected}, got ${JSON.stringify(given.value)}`);
  }
  return { ...row, value: result.success ? result.output : fallback, source: given.source, from: given.from };
}

/** What no value can break alone. */
function checkTogether({ port, internalPort, tls, epoch, limits }: Config, problems: string[]): void {
  const demand = (holds: boolean, text: string) => holds || problems.push(text);
  demand(port === 0 || port !== internalPort, `port and internalPort: expected two ports, got ${port} twice`);
  demand(
    (tls.certificate === '') === (tls.key === ''),
    'tls.certificate and tls.key: expected both or neither',
  );
  demand(
    epoch.heartbeatMs >= epoch.minIntervalMs,
    'epoch.heartbeatMs: expected at least epoch.minIntervalMs',
  );
  demand(limits.bodyBytes < limits.frameBytes, 'limits.bodyBytes: expected less than limits.frameBytes');
  demand(
    limits.bodyBytes < limits.bytesPerEpoch,
    'limits.bodyBytes: expected less than limits.bytesPerEpoch',
  );
}

function invalid(problems: readonly string[]): OperatorError {
  const next = 'Correct it; `countersign config` shows every setting and where it comes from.';
  return new OperatorError('config-invalid', problems.join('\n'), next);
}
