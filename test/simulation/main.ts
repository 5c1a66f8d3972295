/** `npm run simulate`: seeds in several processes, each run twice, until there are enough. */
import { availableParallelism } from 'node:os';
import { readArguments, refuse } from '../../bench/arguments.js';
import { add, appendRecord, noTotal, readRecord, simulateMany, type Total } from './many.js';
import { isTrait, TRAIT_NAMES } from './traits.js';

const USAGE = `Usage: npm run simulate -- [options]

Runs server and clients on a simulated clock, network and disk, each seed twice, and checks every run.
It ends with what is reached first of --seconds, --seeds and --total: 10 seconds where nothing says it,
one seed where only --seed is given. Exit code 1: something was found, or --total was not reached.

  --seed N         the first seed; the clock's where it is left out
  --seeds N        so many seeds
  --total N        so many epochs in all
  --seconds N      for so long
  --epochs N       of each seed: 30
  --processes N    one for each core
  --record FILE    keeps a line for each seed, and goes on with the first that has none
  --only TRAITS    seeds whose runs have all of these, in a list with commas: ${TRAIT_NAMES}
  --vectors        clients compare, and nobody lies`;

const { values } = readArguments(USAGE, {
  options: {
    seconds: { type: 'string' },
    seed: { type: 'string' },
    seeds: { type: 'string' },
    total: { type: 'string' },
    epochs: { type: 'string', default: '30' },
    processes: { type: 'string', default: String(availableParallelism()) },
    record: { type: 'string' },
    only: { type: 'string', default: '' },
    vectors: { type: 'boolean', default: false },
  },
});

function numberOf(name: Exclude<keyof typeof values, 'vectors'>): number | null {
  const text = values[name];
  if (text === undefined) return null;
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(Number(text))) {
    return refuse(USAGE, `--${name}: expected a whole number, got ${text}`);
  }
  return Number(text);
}

const [seconds, seeds, wanted, seed] = [
  numberOf('seconds'),
  numberOf('seeds'),
  numberOf('total'),
  numberOf('seed'),
];
const isBounded = seconds !== null || seeds !== null || wanted !== null;
const most = {
  seconds: seconds ?? (isBounded || seed !== null ? Number.POSITIVE_INFINITY : 10),
  seeds: seeds ?? (isBounded || seed === null ? Number.POSITIVE_INFINITY : 1),
  epochs: wanted ?? Number.POSITIVE_INFINITY,
};
const epochs = numberOf('epochs')!;
const only = values.only.split(',').filter((text) => text !== '');
if (!only.every(isTrait)) refuse(USAGE, `--only: expected some of ${TRAIT_NAMES}, got ${values.only}`);
const { record } = values;
const before = record ? readRecord(record) : [];
if (before.length > 0 && (seed !== null || before.some(({ asked }) => asked !== epochs))) {
  refuse(USAGE, `${record} goes on with its own seeds, with --epochs ${before[0]!.asked}`);
}
const total = noTotal();
for (const kept of before) add(total, kept);
const known = new Set(before.map((kept) => kept.seed));
const first = before.length > 0 ? Math.min(...known) : (seed ?? Date.now() % 2 ** 32);
const processes = Math.max(1, Math.min(numberOf('processes')!, most.seeds));
const already = total.epochs;
const began = performance.now();
const elapsed = () => (performance.now() - began) / 1000;

function progress(total: Total): string {
  const rate = ((total.epochs - already) / elapsed()).toFixed(1);
  return [
    `${total.seeds} seeds, each twice: ${total.epochs} epochs (${rate} a second)`,
    `${total.filled} of them with messages, ${total.messages} messages, ${total.crashes} crashes, ${total.events} events`,
    `${total.lyingClients} clients lied ${total.clientLies} times, ${total.lyingActors} actors ${total.actorLies} times, ${total.named} of them named, keys were changed ${total.rotations} times, actors moved ${total.moves} times`,
  ].join('; ');
}

console.log(
  `seeds from ${first}${known.size > 0 ? `, but for the ${known.size} in ${record}` : ''}, --epochs ${epochs}, in ${processes} ${processes === 1 ? 'process' : 'processes'}`,
);
let told = 0;
const failure = await simulateMany(
  {
    first,
    known,
    seeds: most.seeds,
    only,
    processes,
    epochs,
    vectors: values.vectors,
    isEnough: () => elapsed() > most.seconds || total.epochs >= most.epochs,
    done: (kept) => {
      if (record) appendRecord(record, kept);
      if (elapsed() < told + 5) return;
      told = elapsed();
      console.log(progress(total));
    },
  },
  total,
);
console.log(`${failure === null ? '' : `${failure}\n`}${progress(total)}`);
if (failure !== null) process.exitCode = 1;
else if (wanted !== null && total.epochs < wanted) {
  console.log(`CUT SHORT: ${total.epochs} of ${wanted} epochs after ${elapsed().toFixed(0)} s`);
  process.exitCode = 1;
}
