/** Command-line options of the benchmarks that are scripts of their own. */
import { type ParseArgsConfig, parseArgs } from 'node:util';

/** `usage` is shown for --help, and with what is wrong; then the process ends. */
export function readArguments<Config extends ParseArgsConfig & { options: object }>(
  usage: string,
  config: Config,
): ReturnType<typeof parseArgs<Config>> {
  if (process.argv.includes('--help')) {
    console.log(usage);
    process.exit(0);
  }
  try {
    return parseArgs(config);
  } catch (error) {
    return refuse(usage, (error as Error).message);
  }
}

/** Ends the process with what is wrong. */
export function refuse(usage: string, why: string): never {
  console.error(`${why}\n\n${usage}`);
  process.exit(2);
}

/** A whole number above 0; anything else ends the process. */
export function whole(usage: string, text: string): number {
  if (!/^[1-9]\d{0,5}$/.test(text)) refuse(usage, `${text}: expected a whole number above 0`);
  return Number(text);
}
