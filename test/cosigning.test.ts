/** Anchors and their cosignatures: a server with witnesses as processes, one that is down, a fork, and witnesses that answer anything. */
import { cpSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { directory } from './client-helpers.js';
import { anchorsOf, ends, founded, running, serve, thrownBy, until } from './support/cosigning.js';
import { lengthenLog } from './support/long-log.js';
import * as twin from './twin/index.js';

const test = suite('cosigning');
test.after(async () => {
  for (const end of ends.reverse()) await end();
});

test('proofs over HTTP verify by the twin; what is no question is refused', async () => {
  const { server } = await serve(directory('proofs'), '');
  ends.push(() => server.stop());
  await until('five epochs', () => server.checkpoint().size >= 5);
  const notes = [];
  for (let i = 0; i < 3; i++) {
    notes.push(twin.readCheckpoint(await (await fetch(`${server.url}/v1/checkpoint`)).text())!);
    const { size } = server.checkpoint();
    await until('another epoch', () => server.checkpoint().size > size + i);
  }
  for (const [one, other] of [
    [notes[0]!, notes[1]!],
    [notes[0]!, notes[2]!],
    [notes[2]!, notes[2]!],
  ] as const) {
    const text = await (await fetch(`${server.url}/v1/consistency/${one.size}/${other.size}`)).text();
    const proof = text
      .split('\n')
      .slice(0, -1)
      .map((hash) => Buffer.from(hash, 'base64'));
    assert.ok(twin.verifyConsistency(one.size, other.size, one.root, other.root, proof));
  }
  for (const [path, status] of [
    ['0/5', 400],
    ['5/4', 400],
    ['05/5', 400],
    ['5', 400],
    ['1/2/3', 400],
    ['1/99999999999999999', 400],
    ['1/999999999999', 404],
  ] as const)
    assert.is((await fetch(`${server.url}/v1/consistency/${path}`)).status, status, path);
});

test('a log that does not bear out what it signed does not start; what is no anchor of it is let go', async () => {
  const { data } = await founded('rolled-back');
  const copy = join(directory('rolled-back-copy'), 'data');
  cpSync(data, copy, { recursive: true, filter: (path) => !path.endsWith('lock') });
  await lengthenLog(data, 1022, 'one');
  const before = await running(data, '');
  const [note] = await until('an anchor', async () => {
    const notes = await anchorsOf(before.server.url);
    return notes.length > 0 ? notes : null;
  });
  await before.server.stop();
  const keep = (directory: string, name: string, text: string) =>
    writeFileSync(join(directory, 'anchors', name), text);
  keep(data, '1024', note!);
  keep(data, '1024.tmp', 'cut short');
  keep(data, '2048', note!);
  keep(data, '3072', note!.replace(/.{8}=\n$/, 'AAAAAAAA=\n'));
  const fine = await running(data, '');
  await fine.server.stop();
  assert.equal(readdirSync(join(data, 'anchors')), ['1024']);
  // The same server with an older store, and with another history.
  for (const size of [0, 1022]) {
    keep(copy, '1024', note!);
    if (size > 0) await lengthenLog(copy, size, 'other');
    // Its own anchor is not told yet, so that it starts.
    if (size > 0) {
      rmSync(join(copy, 'anchors', '1024'));
      const { server } = await running(copy, '');
      await until('an anchor', () => server.checkpoint().size >= 1024);
      await server.stop();
      keep(copy, '1024', note!);
    }
    const error = await thrownBy(serve(copy, ''));
    assert.is(error.code, 'log-rolled-back');
  }
});

test.run();
