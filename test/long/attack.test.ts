/** Ten thousand clients at once, and a disk that is really full (where the test may mount one). */
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { directory } from '../client-helpers.js';
import { clientAt, crowd, serving } from '../support/attacked.js';
import { ServerProcess } from '../support/server-process.js';

const test = suite('attacks, large');

test('ten thousand clients at once', () => crowd(10_000));

function mount(path: string): boolean {
  mkdirSync(path);
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=6m', 'none', path], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

test('a disk of six megabytes', async () => {
  const disk = join(directory('full'), 'disk');
  if (!mount(disk)) return console.log('no mount allowed here: nothing tried');
  try {
    const server = await ServerProcess.at(join(disk, 'data'));
    await serving(server, async () => {
      const anna = await clientAt(server.url, 'anna');
      const receipts: number[] = [];
      const body = new Uint8Array(50_000);
      const sending = Array.from({ length: 150 }, () =>
        anna.send({ to: anna.id, body }).then(({ counter }) => receipts.push(counter)),
      );
      const { failed, text } = await server.ended();
      assert.is(failed, 'store-failed', text);
      execFileSync('mount', ['-o', 'remount,size=60m', disk]);
      assert.is(await server.start(), null);
      const seen: number[] = [];
      for await (const { counter } of anna.mailbox()) if (seen.push(counter) === sending.length) break;
      await Promise.all(sending);
      assert.equal(receipts, seen);
      await anna.close();
    });
  } finally {
    execFileSync('umount', ['-l', disk]);
  }
});

test.run();
