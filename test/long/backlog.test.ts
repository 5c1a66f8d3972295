/** A backlog of 100,000 messages, in few large epochs and in many small ones, within bounded memory. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { backlog } from '../support/backlog.js';

const test = suite('long backlogs');

for (const [bursts, messages, bodyBytes] of [
  [50, 2000, 1000],
  [20_000, 5, 1000],
  [50, 2000, 4000],
] as const) {
  test(`${bursts} bursts of ${messages} messages of ${bodyBytes} bytes`, async () => {
    const { serverMiB, clientMiB } = await backlog({ bursts, messages, bodyBytes });
    // Less than the backlog, of 100 MB or 400 MB, that goes through.
    assert.ok(serverMiB < 80, `the server took ${serverMiB} MiB more`);
    assert.ok(clientMiB < 80, `the clients took ${clientMiB} MiB more`);
  });
}

test.run();
