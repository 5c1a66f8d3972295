/** The demo as people meet it: its table, and what it leaves behind when it is interrupted or its server dies. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { directory } from '../client-helpers.js';
import { clean, processesIn } from '../support/demo.js';
import { countersign, start } from '../support/program.js';

const test = suite('demo');

test('the demo for people ends with a table', async () => {
  const TMPDIR = directory('demo-people');
  const args = ['demo', '--messages', '60', '--clients', '3'];
  const { status, stdout } = await countersign(args, { env: { TMPDIR } });
  assert.is(status, 0, stdout);
  assert.match(stdout, /^server killed \(SIGKILL\)/m);
  assert.match(stdout, /^ {2}messages +60 {3}from 3 clients/m);
  assert.match(stdout, /^ {2}misordered +0 {3}in one total order/m);
});

test('interrupted, the demo leaves neither files nor processes behind', async () => {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    const TMPDIR = directory('demo-interrupted');
    const demo = start(['demo', '--messages', '1200'], { env: { TMPDIR } });
    await demo.said(/clients connected/);
    assert.is(processesIn(TMPDIR).length, 1);
    // Later the demo kills its server and starts it again: then there may be none for a moment.
    await demo.said(/goes offline/);
    demo.child.kill(signal);
    const { status, stderr } = await demo.ended;
    assert.equal([status, stderr], [1, 'interrupted: the demo was interrupted\n']);
    clean(TMPDIR);
  }
});

test('when its server ends by itself the demo says so, and leaves nothing behind', async () => {
  const TMPDIR = directory('demo-died');
  const demo = start(['demo', '--messages', '1200'], { env: { TMPDIR } });
  await demo.said(/clients connected/);
  for (const pid of processesIn(TMPDIR)) process.kill(pid, 'SIGKILL');
  const { status, stderr } = await demo.ended;
  assert.equal([status, stderr], [1, 'demo-server-ended: the server ended by itself: SIGKILL\n']);
  clean(TMPDIR);
});

test.run();
