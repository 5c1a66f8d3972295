/**
 * `countersign <command>`: finds the command and runs it. Commands are imported when they are
 * called, so that the start of one does not pay for what another needs.
 */
import { readFileSync } from 'node:fs';
import { type Command, columns, fail, printed, runCommand, unknownName } from './command.js';

const COMMANDS: ReadonlyMap<string, () => Promise<{ command: Command }>> = new Map([
  ['demo', () => import('./demo.js')],
  ['serve', () => import('./serve.js')],
  ['keygen', () => import('./keygen.js')],
  ['keys', () => import('./keys.js')],
  ['actors', () => import('./actors.js')],
  ['send', () => import('./send.js')],
  ['tail', () => import('./tail.js')],
  ['open', () => import('./open.js')],
  ['manifest', () => import('./manifest.js')],
  ['witness', () => import('./witness.js')],
  ['audit', () => import('./audit.js')],
  ['verify', () => import('./verify.js')],
  ['config', () => import('./config.js')],
]);

const HELP = 'countersign --help';
/** No status of any command's own (EX_IOERR of sysexits.h). */
const OUTPUT_FAILED = 74;

async function main([name, ...args]: readonly string[]): Promise<number> {
  if (name === undefined || name === '--help' || name === '-h' || name === 'help')
    return printed(await overview());
  if (name === '--version') return printed(version());
  const load = COMMANDS.get(name);
  if (load !== undefined) return runCommand((await load()).command, args);
  const known = [...COMMANDS.keys(), '--help', '--version'];
  return fail(unknownName('command', name, known), args.includes('--json'), HELP);
}

async function overview(): Promise<string> {
  const loaded = await Promise.all([...COMMANDS.values()].map((load) => load()));
  const rows = loaded.map(({ command }) => [command.name, command.summary]);
  const usage = 'Usage: countersign COMMAND [options]   (countersign COMMAND --help, countersign --version)';
  return [usage, '', 'Commands:', columns(rows)].join('\n');
}

/** Three directories up from dist/src/cli. */
function version(): string {
  const file = new URL('../../../package.json', import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}

// `countersign config | head`: whoever reads may stop reading, which is no failure of ours, and changes no status.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  // What the command ends with is known once it has returned; one that goes on ends here.
  if (error.code === 'EPIPE') setImmediate(() => process.exit(process.exitCode ?? 0));
  else {
    process.stderr.write(`output-failed: what was to be shown could not be written: ${error.message}\n`);
    process.exit(OUTPUT_FAILED);
  }
});

// Not process.exit: that would cut off what is still being written to a pipe.
process.exitCode = await main(process.argv.slice(2)).catch((error) => fail(error, false, HELP));
