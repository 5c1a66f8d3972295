/** Rotates keys in a process of its own that is killed before a step: data directory, number of the step from 0. */
import { rotateKeys } from '../../src/server/rotation.js';

const [data, at] = process.argv.slice(2);
let step = 0;
await rotateKeys(data!, null, {
  observe() {
    if (step++ === Number(at)) process.kill(process.pid, 'SIGKILL');
  },
});
