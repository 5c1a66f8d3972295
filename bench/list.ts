/** `bench list`: what can be run here. */
import { parseArgs } from 'node:util';
import { SYSTEMS } from './systems/index.js';
import { builtIn, loadWorkload } from './workload.js';

const HELP = `bench list

Lists the workloads that come with the bench, and what each system promises or why it is not available here.
`;

export async function main(args: string[]): Promise<void> {
  const { values } = parseArgs({ args, options: { help: { type: 'boolean', short: 'h', default: false } } });
  if (values.help) return void process.stdout.write(HELP);
  const workloads = builtIn().map((name) => `  ${name.padEnd(24)}${loadWorkload(name).about}\n`);
  const plain = loadWorkload('throughput');
  const systems = await Promise.all(
    SYSTEMS.map(async (system) => {
      const missing = await system.missing(plain);
      const { durable, verified, totalOrder } = system.promises(plain);
      const promises = `${durable}; verified: ${verified}; ${totalOrder ? 'one' : 'no'} order over mailboxes`;
      return `  ${system.name.padEnd(24)}${missing === null ? promises : `n/a: ${missing}`}\n`;
    }),
  );
  process.stdout.write(`workloads\n${workloads.join('')}\nsystems\n${systems.join('')}`);
}
