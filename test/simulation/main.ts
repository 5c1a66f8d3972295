/**
 * npm run simulate -- [--seconds N] [--seed N] [--seeds N] [--epochs N] [--vectors]: seeds one after the other, each run
 * twice, for some seconds or so many. One seed alone where nothing says how many.
 */
import { parseArgs } from 'node:util';
import { type Report, simulateTwice } from './report.js';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string' },
    seed: { type: 'string' },
    seeds: { type: 'string' },
    epochs: { type: 'string', default: '30' },
    vectors: { type: 'boolean', default: false },
  },
});
const isOne = values.seed !== undefined && values.seconds === undefined && values.seeds === undefined;
const seeds = isOne ? 1 : Number(values.seeds ?? Number.POSITIVE_INFINITY);
const seconds = Number(values.seconds ?? (seeds < Number.POSITIVE_INFINITY ? Number.POSITIVE_INFINITY : 10));
const epochs = Number(values.epochs);
const first = values.seed === undefined ? Date.now() % 2 ** 32 : Number(values.seed);
const began = performance.now();
const total = { seeds: 0, epochs: 0, crashes: 0, messages: 0, events: 0 };

function add({ result }: Report): void {
  total.seeds++;
  for (const key of ['epochs', 'crashes', 'messages', 'events'] as const) total[key] += result[key];
}

function progress(): string {
  const elapsed = (performance.now() - began) / 1000;
  const { seeds, crashes, messages, events } = total;
  const rate = ((2 * total.epochs) / elapsed).toFixed(0);
  return `${seeds} seeds, each twice: ${total.epochs} epochs (${rate} a second), ${crashes} crashes, ${messages} messages, ${events} events`;
}

let told = began;
for (let seed = first; ; seed++) {
  const report = await simulateTwice(seed, { epochs, vectors: values.vectors });
  add(report);
  if (report.failure) {
    console.log(`${report.failure}\n${progress()}`);
    process.exitCode = 1;
    break;
  }
  const now = performance.now();
  const isLast = now - began > seconds * 1000 || total.seeds >= seeds;
  if (isLast || now - told > 5000) console.log(progress());
  if (isLast) break;
  told = now - told > 5000 ? now : told;
}
