/** A process of `many.ts`: runs the seeds that it is sent, one at a time, until nobody is there to send another. */
import { keep } from './report.js';
import type { RunOptions } from './simulation.js';

process.on('message', ({ seed, options }: { seed: number; options: RunOptions }) => {
  void keep(seed, options).then((kept) => process.send!(kept));
});
