/** The thread of an alarm: sleeps until it is set, then until it is time. */
import { parentPort, workerData } from 'node:worker_threads';
import type { AlarmShared } from './alarm.js';
import { now } from './clock.js';

const { turn, moment } = workerData as AlarmShared;

for (let last = 0; ; ) {
  Atomics.wait(turn, 0, last);
  last = Atomics.load(turn, 0);
  const rest = moment[0]! - now();
  // Nobody ever touches the second one: this is a sleep.
  if (rest > 0) Atomics.wait(turn, 1, 0, rest);
  parentPort!.postMessage(null);
}
