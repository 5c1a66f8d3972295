/**
 * What every command shares: the shape of a command, strict parsing of its arguments, its help text
 * made from its options, and how results and failures are shown.
 *
 * Exit status: 0 done, 1 it failed (`code: message` and what to do next, on stderr), 2 the command
 * line is wrong, or what it names cannot be read as what it should be (`verify`), 74 stdout cannot be written. With `--json` the last line on stdout is one JSON object, also for a failure:
 * `{"error": {"code", "message", "next"}}`.
 */
import { parseArgs } from 'node:util';
import { CountersignError } from '../protocol/index.js';
import { nearest } from '../server/nearest.js';
import { OperatorError, systemCode } from '../server/operator-error.js';
import { adviceFor } from './advice.js';

export interface Option {
  readonly type: 'string' | 'boolean';
  /** For the help text, as is `value`: what stands for the argument, such as FILE. */
  readonly about: string;
  readonly value?: string;
  readonly short?: string;
  readonly multiple?: boolean;
  readonly default?: string;
}

export type OptionValues = Readonly<Record<string, string | boolean | (string | boolean)[] | undefined>>;

export interface Call {
  readonly values: OptionValues;
  readonly positionals: readonly string[];
  readonly json: boolean;
  /** One line on stdout for people; silent with `--json`. */
  say(line: string): void;
  /** One result of several: `line` for people, `result` as a line of JSON with `--json`. */
  tell(result: object, line: string): void;
}

export interface Command {
  readonly name: string;
  /** One line. */
  readonly summary: string;
  /** Without `--json` and `--help`, which every command has. */
  readonly options: Readonly<Record<string, Option>>;
  /** For the usage line, such as `BODY | -`; without it positional arguments are refused. */
  readonly positionals?: string;
  /** Resolves with what `--json` prints. */
  run(call: Call): Promise<object>;
}

/** The command line itself is wrong: exit status 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** A failure that has a result all the same: with `--json` it stands beside the error. */
export class Failure extends OperatorError {
  constructor(
    code: string,
    message: string,
    next: string,
    readonly result: object,
    readonly status = 1,
  ) {
    super(code, message, next);
  }
}

const EVERYWHERE: Readonly<Record<string, Option>> = {
  json: { type: 'boolean', about: 'print one JSON object as the last line' },
  help: { type: 'boolean', short: 'h', about: 'show this text' },
};

/** Parses, runs, prints. Returns the exit status and never rejects. */
export async function runCommand(command: Command, args: readonly string[]): Promise<number> {
  // Before parsing: a mistake in the arguments must be told as JSON too.
  const json = args.includes('--json');
  try {
    const { values, positionals } = parse(command, args);
    if (values['help'] === true) return printed(helpOf(command));
    const say = (line: string) => void (json || printed(line));
    const tell = (result: object, line: string) => void printed(json ? JSON.stringify(result) : line);
    const result = await command.run({ values, positionals, json, say, tell });
    return json ? printed(JSON.stringify(result)) : 0;
  } catch (error) {
    return fail(error, json, `countersign ${command.name} --help`);
  }
}

/** Shows a failure and returns its exit status. `help` is the command that would have helped. */
export function fail(error: unknown, json: boolean, help: string): number {
  const { code, message, next } = explain(error, help);
  process.stderr.write(`${printable(`${code}: ${message}`)}\n${next === '' ? '' : `${next}\n`}`);
  const result = error instanceof Failure ? error.result : {};
  if (json) printed(JSON.stringify({ ...result, error: { code, message, next } }));
  if (error instanceof UsageError) return 2;
  return error instanceof Failure ? error.status : 1;
}

/** "…, did you mean X?" for a name that is not among `known`. */
export function unknownName(kind: string, typed: string, known: Iterable<string>): UsageError {
  return new UsageError(`unknown ${kind} ${typed}, did you mean ${nearest(typed, known)}?`);
}

/** The usage line, the summary, and one line per option. */
export function helpOf(command: Command): string {
  const positionals = command.positionals === undefined ? '' : ` ${command.positionals}`;
  const rows = Object.entries(allOptions(command)).map(([name, option]) => [
    synopsis(name, option),
    meaning(option),
  ]);
  const usage = `Usage: countersign ${command.name} [options]${positionals}`;
  return [usage, '', `${command.summary}.`, '', 'Options:', columns(rows)].join('\n');
}

/** Rows of left and right cells, the right ones aligned. */
export function columns(rows: readonly (readonly string[])[]): string {
  const width = Math.max(...rows.map(([left]) => left!.length));
  return rows.map(([left, right]) => `  ${left!.padEnd(width)}  ${right}`).join('\n');
}

/** Writes one or more lines to stdout; the exit status of success, so that it can end a function. */
export function printed(text: string): 0 {
  process.stdout.write(`${printable(text)}\n`);
  return 0;
}

/** One line that cannot command a terminal, as JSON escapes it: what others wrote is not to be trusted. */
export function harmless(text: string): string {
  // Control characters, and those that reverse the direction of writing.
  return text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, (each) =>
    each
      .split('')
      .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
      .join(''),
  );
}

const printable = (text: string) => text.split('\n').map(harmless).join('\n');

function parse(command: Command, args: readonly string[]): { values: OptionValues; positionals: string[] } {
  const options = allOptions(command);
  const allowPositionals = command.positionals !== undefined;
  refuseUnknown(options, args);
  try {
    return parseArgs({ args: [...args], options, allowPositionals, strict: true });
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

/** parseArgs refuses unknown options too, but does not say what was probably meant. */
function refuseUnknown(options: Readonly<Record<string, Option>>, args: readonly string[]): void {
  const { tokens } = parseArgs({ args: [...args], options, strict: false, tokens: true });
  for (const token of tokens) {
    if (token.kind !== 'option' || Object.hasOwn(options, token.name)) continue;
    throw unknownName(
      'option',
      token.rawName,
      Object.keys(options).map((name) => `--${name}`),
    );
  }
}

function allOptions(command: Command): Readonly<Record<string, Option>> {
  return { ...command.options, ...EVERYWHERE };
}

function synopsis(name: string, { short, type, value = 'VALUE' }: Option): string {
  return `${short === undefined ? '' : `-${short}, `}--${name}${type === 'string' ? ` ${value}` : ''}`;
}

function meaning({ about, default: fallback }: Option): string {
  return fallback === undefined ? about : `${about} (default ${fallback})`;
}

function explain(error: unknown, help: string): { code: string; message: string; next: string } {
  if (error instanceof OperatorError) return error;
  if (error instanceof UsageError) return { code: 'usage', message: error.message, next: `See: ${help}` };
  if (error instanceof CountersignError)
    return { code: error.code, message: error.message, next: adviceFor(error) };
  const code = systemCode(error);
  const message = error instanceof Error ? error.message : String(error);
  // Node's own messages begin with the code: "ENOENT: no such file or directory, open 'x'".
  if (code !== undefined) {
    const next = 'Check that the path exists and that you may use it.';
    return { code, message: message.replace(`${code}: `, ''), next };
  }
  const stack = error instanceof Error ? (error.stack ?? message) : message;
  return {
    code: 'internal',
    message: stack,
    next: 'This is a defect: please report it with the lines above.',
  };
}
