/** Collections that a server asks for: the young alone, and for each 8 MiB that sockets have read. */
import { PerformanceObserver } from 'node:perf_hooks';
import { setImmediate as turn } from 'node:timers/promises';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { collectGarbage, collectYoung } from '../src/actors/collect-garbage.js';
import { directory, serverAt } from './client-helpers.js';
import { Raw } from './support/raw.js';

/** V8's kinds of collections, and what it says of one that was asked for. */
const YOUNG = 1;
const ALL = 4;
const ASKED = 4;

/** Of this thread, those that were asked for, in order. */
async function askedFor(run: () => Promise<void> | void): Promise<number[]> {
  const kinds: number[] = [];
  const observer = new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      const { kind, flags } = (entry as unknown as { detail: { kind: number; flags: number } }).detail;
      if (flags & ASKED) kinds.push(kind);
    }
  });
  observer.observe({ entryTypes: ['gc'] });
  await run();
  // What was collected is told in a later turn.
  for (let i = 0; i < 10; i++) await turn();
  observer.disconnect();
  return kinds;
}

test('the young alone, or all', async () => {
  assert.equal(await askedFor(collectYoung), [YOUNG]);
  assert.equal(await askedFor(collectGarbage), [ALL]);
});

test('what sockets have read is collected young, each 8 MiB of it', async () => {
  const server = await serverAt(directory('collect'));
  const send = async (count: number, bytes: number) => {
    for (let i = 0; i < count; i++) {
      const raw = await Raw.connect(server.url, '/v1/front');
      raw.send(new Uint8Array(bytes)); // no frame: each socket is sent away
      await raw.closed;
    }
  };
  try {
    assert.equal(await askedFor(() => send(7, 1 << 20)), [], '7 MiB');
    assert.equal(await askedFor(() => send(2, 1 << 20)), [YOUNG], '9 MiB');
    assert.equal(
      await askedFor(() => send(5, 3 << 20)),
      [YOUNG],
      '15 MiB more, the first 9 of which with the one that was left',
    );
  } finally {
    await server.stop();
  }
});

test.run();
