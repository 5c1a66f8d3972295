/** Memory that is left to the garbage collector, much of it. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Memory } from '../../src/actors/memory.js';

const outbox = suite('outbox');

outbox('memory that is left to the garbage collector does not add up', () => {
  const memory = new Memory();
  const before = process.memoryUsage().rss;
  let most = 0;
  // 6 GiB in all, each page of it touched; nobody keeps any of it.
  for (let i = 0; i < 24; i++) {
    const blocks = Array.from({ length: 8 }, () => memory.take(32 << 20));
    for (const block of blocks) for (let at = 0; at < block.length; at += 4096) block[at] = i;
    most = Math.max(most, process.memoryUsage().rss - before);
    for (const block of blocks) memory.give(block);
  }
  const grown = Math.round(most / (1 << 20));
  assert.ok(grown < 600, `${grown} MiB`);
});

outbox.run();
