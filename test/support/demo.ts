/** What the fast and the long test of the demo have in common. */
import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import * as assert from 'uvu/assert';

/** Processes whose command line names this directory. */
export function processesIn(path: string): number[] {
  return execFileSync('ps', ['-Ao', 'pid=,args='], { encoding: 'utf8' })
    .split('\n')
    .filter((line) => line.includes(path))
    .map((line) => Number.parseInt(line, 10));
}

export const clean = (path: string) => assert.equal([readdirSync(path), processesIn(path)], [[], []]);
