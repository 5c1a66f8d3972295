/** A backlog of 100,000 messages, in few large epochs and in many small ones, within bounded memory. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { backlog } from '../support/backlog.js';

const test = suite('long backlogs');

for (const [bursts, messages] of [
  [50, 2000],
  [20_000, 5],
] as const) {
  test(`${bursts} bursts of ${messages} messages`, async () => {
    const { serverMiB, clientMiB } = await backlog({ bursts, messages, bodyBytes: 1000 });
    // The backlog alone is more than 100 MiB; on the server it is partly mapped from the store's file.
    assert.ok(serverMiB < 256, `the server took ${serverMiB} MiB more`);
    assert.ok(clientMiB < 128, `the clients took ${clientMiB} MiB more`);
  });
}

test.run();
