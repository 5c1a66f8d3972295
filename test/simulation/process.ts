/** A process of `many.ts`: runs the seeds that it is sent, one at a time, until nobody is there to send another. */
import { keep } from './report.js';

process.on('message', ({ seed, epochs }: { seed: number; epochs: number }) => {
  void keep(seed, { epochs }).then((kept) => process.send!(kept));
});
