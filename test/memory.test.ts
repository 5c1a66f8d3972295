/** Recycled shared memory: blocks come back, and garbage is collected for those that nobody needs only when nothing else did it. */
import { constants, PerformanceObserver } from 'node:perf_hooks';
import { setImmediate } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { collectGarbage } from '../src/actors/collect-garbage.js';
import { Memory } from '../src/actors/memory.js';

const test = suite('memory');

const MIB = 1 << 20;

interface Collection {
  readonly detail: { readonly kind: number; readonly flags: number };
}

/** Full collections that were asked for while `run` ran. */
async function forced(run: () => Promise<void>): Promise<number> {
  let count = 0;
  const observer = new PerformanceObserver((list) => {
    for (const { detail } of list.getEntries() as unknown as Collection[]) {
      const { kind, flags } = detail;
      const { NODE_PERFORMANCE_GC_MAJOR: major, NODE_PERFORMANCE_GC_FLAGS_FORCED: asked } = constants;
      if (kind === major && flags & asked) count++;
    }
  });
  observer.observe({ entryTypes: ['gc'] });
  await run();
  // Entries come in a later turn.
  for (let i = 0; i < 5; i++) await setImmediate();
  observer.disconnect();
  return count;
}

/** Leaves so many MiB to the garbage collector: what is given back beyond what is kept. */
function letGo(memory: Memory, mebibytes: number): void {
  const blocks = Array.from({ length: 64 + mebibytes }, () => memory.take(MIB));
  for (const block of blocks) memory.give(block);
  // The others stay, and are taken next time.
}

test('a block that was given back is taken again', () => {
  const memory = new Memory();
  const { buffer } = memory.take(5000);
  memory.give(new Uint8Array(buffer));
  assert.is(memory.take(4097).buffer, buffer);
  assert.is.not(memory.take(5000).buffer, buffer);
});

test('garbage is collected for what is let go', async () => {
  const memory = new Memory();
  assert.is(await forced(async () => letGo(memory, 63)), 0);
  assert.is(await forced(async () => letGo(memory, 70)), 2);
});

test('not for what another collection has found', async () => {
  const memory = new Memory();
  const asked = await forced(async () => {
    for (let round = 0; round < 6; round++) {
      letGo(memory, 40);
      collectGarbage();
      // What was found is told in a later turn.
      for (let i = 0; i < 5; i++) await setImmediate();
    }
  });
  assert.is(asked, 6, 'those of the test alone');
});

test.run();
