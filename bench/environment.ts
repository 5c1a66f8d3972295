/** Of the machine and the code, for every result. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  closeSync,
  fdatasyncSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { availableParallelism, cpus, loadavg, release, totalmem, type } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Environment } from './result.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const WRITES = 100;

/** `directory`: where a system will keep its data. */
export function environmentOf(directory: string): Omit<Environment, 'systemVersion'> {
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    kernel: `${type()} ${release()}`,
    memoryMiB: Math.round(totalmem() / 2 ** 20),
    disk: fileSystemOf(directory),
    fdatasyncMs: fdatasyncTimes(directory)[WRITES / 2]!,
    node: process.version,
    lockfile: createHash('sha256')
      .update(readFileSync(join(ROOT, 'package-lock.json')))
      .digest('hex'),
    commit: commit(),
    load: loadavg()[0]!,
  };
}

/** Type and device of the file system, by the longest mount point (Linux). */
export function fileSystemOf(directory: string): string {
  const path = `${resolve(directory)}/`;
  const mounts = read('/proc/mounts')
    .split('\n')
    .map((line) => line.split(' '))
    .filter(([, point]) => point && path.startsWith(point === '/' ? point : `${point}/`))
    .sort((a, b) => b[1]!.length - a[1]!.length);
  const [device, , kind] = mounts[0] ?? [];
  return kind ? `${kind} on ${device}` : 'unknown';
}

/** Of 100 writes of 4 KiB, each with fdatasync, one behind the other: milliseconds, rising. */
export function fdatasyncTimes(directory: string): number[] {
  const path = join(directory, 'fdatasync');
  const file = openSync(path, 'w');
  const block = Buffer.alloc(4096, 1);
  const times = Array.from({ length: WRITES }, () => {
    const start = performance.now();
    writeSync(file, block);
    fdatasyncSync(file);
    return performance.now() - start;
  });
  closeSync(file);
  rmSync(path);
  return times.sort((a, b) => a - b);
}

function commit(): string {
  const git = (...args: string[]) =>
    execFileSync('git', args, { cwd: ROOT, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  try {
    return git('rev-parse', 'HEAD') + (git('status', '--porcelain') === '' ? '' : '-dirty');
  } catch {
    return 'unknown';
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

/** Bytes that the files below a folder occupy: files that were made larger than what is in them count by that. */
export function bytesBelow(folder: string): number {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).blocks * 512, 0);
}
