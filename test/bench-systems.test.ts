/** The bench's own systems keep what they promise. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import { central, centralGroup } from '../bench/baselines/central.js';
import { checkSystem } from './support/bench-system.js';

for (const system of [centralGroup, central]) {
  test(system.name, async () => {
    const directory = mkdtempSync(join(tmpdir(), 'bench-system-'));
    await checkSystem(system, directory);
    rmSync(directory, { recursive: true });
  });
}

test.run();
