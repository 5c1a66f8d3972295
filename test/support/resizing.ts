/** Changes numbers of actors in a process of its own that is killed before a step: data directory, inboxes, outboxes, step from 0. */
import { changeActors } from '../../src/server/resizing.js';

const [data, inboxes, outboxes, at] = process.argv.slice(2);
let step = 0;
await changeActors(
  data!,
  { inboxes: Number(inboxes), outboxes: Number(outboxes) },
  {
    observe() {
      if (step++ === Number(at)) process.kill(process.pid, 'SIGKILL');
    },
  },
);
