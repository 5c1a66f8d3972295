/**
 * npm run -s bench -- COMMAND …: measures countersign and other systems with the same clients' interface, load, clock and
 * audit. Every command has a --help.
 */
type Command = {
  readonly about: string;
  readonly load: () => Promise<{ main(args: string[]): Promise<void> }>;
};

const COMMANDS: Readonly<Record<string, Command>> = {
  run: { about: 'runs a workload on one or several systems, in turns', load: () => import('./run.js') },
  'find-max': {
    about: 'searches the highest rate that a system sustains within a latency',
    load: () => import('./find-max.js'),
  },
  sweep: { about: 'runs a matrix of knobs and systems, in turns', load: () => import('./sweep.js') },
  report: { about: 'makes one HTML page with plots from runs', load: () => import('./report.js') },
  compare: { about: 'tells whether runs B are slower than runs A', load: () => import('./compare.js') },
  branch: { about: 'compares the working tree with a commit', load: () => import('./branch.js') },
  list: { about: 'lists workloads and systems', load: () => import('./list.js') },
};

const HELP = `bench COMMAND [options]

${Object.entries(COMMANDS)
  .map(([name, { about }]) => `  ${name.padEnd(12)}${about}\n`)
  .join('')}
bench COMMAND --help says more.
`;

const [name, ...args] = process.argv.slice(2);
const command = COMMANDS[name ?? ''];
if (!command) {
  const asked = name === '--help' || name === '-h';
  (asked ? process.stdout : process.stderr).write(
    asked ? HELP : `bench: no command ${name ?? 'given'}\n\n${HELP}`,
  );
  process.exitCode = asked ? 0 : 2;
} else {
  try {
    const { main } = await command.load();
    await main(args);
  } catch (error) {
    // A TypeError is about what was asked; anything else about what happened.
    process.stderr.write(
      `bench ${name}: ${error instanceof TypeError ? error.message : (error as Error).stack}\n`,
    );
    process.exitCode = error instanceof TypeError ? 2 : 1;
  }
}
