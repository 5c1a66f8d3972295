/** The bench's own systems keep what they promise. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import { central, centralGroup } from '../../bench/baselines/central.js';
import type { System } from '../../bench/system.js';
import { countersignUnverified, unattested } from '../../bench/systems/countersign.js';
import { type CheckOptions, checkSystem } from '../support/bench-system.js';

/** Of each sender in each turn: some batches; RUNS makes it more. */
const MESSAGES = 150 * Number(process.env['RUNS'] ?? 1);

async function check(system: System, options: CheckOptions = { messages: MESSAGES }): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'bench-system-'));
  await checkSystem(system, directory, options);
  rmSync(directory, { recursive: true });
}

test('countersign-unverified', () => check(countersignUnverified));
test('unattested', () => check(unattested));
test('central-group', () => check(centralGroup));
// One fsync for each message.
test('central', () => check(central, { messages: 100 }));

test.run();
