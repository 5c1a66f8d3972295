/** `countersign audit` as a program: on the data directory of a real server. More of it, and servers that run: test/long/audit-server.test.ts. */
import { writeFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { numberKey, TABLE } from '../../src/actors/store-keys.js';
import { actorKey, ROLE } from '../../src/protocol/index.js';
import { checkpointNote } from '../../src/protocol/notes/index.js';
import { audit, changed, first, newest, original, result, token } from '../support/audit-server.js';
import { countersign } from '../support/program.js';

const test = suite('audit of a server');

test('0: a directory in which nothing is wrong, and what was done is said', async () => {
  const found = result(await audit('--data', original, '--server', first.serverId), 0);
  assert.is(found.serverId, first.serverId);
  assert.equal([found.leaves, found.signedLeaves, found.messages], [newest.size, newest.size, 4]);
  assert.is(found.epochs, newest.size);
  assert.equal(found.deviations, []);
  assert.ok(found.messagesPerSecond > 0 && found.epochsPerSecond > 0);
  const { stdout, stderr, status } = await countersign([
    'audit',
    '--data',
    original,
    '--from',
    '2',
    '--to',
    '3',
  ]);
  assert.is(status, 0);
  assert.match(stdout, /recomputed 2 epochs \(2 to 3\) with 2 messages.*epochs and \d+ messages a second/);
  assert.is(stderr, '', 'no bar where there is no terminal');
});

test('1: a checkpoint that somebody holds and the log does not bear out', async () => {
  const { identity } = first;
  const key = actorKey(identity.manifest, ROLE.sequencer, 0);
  const file = `${token}.checkpoint`;
  writeFileSync(file, checkpointNote(identity.serverId, newest, key));
  result(await audit('--data', original, '--checkpoint', file), 0);
  const rolledBack = await changed(async (store, put) => {
    const last = store.last(numberKey(TABLE.log, 0), numberKey(TABLE.log, Number.MAX_SAFE_INTEGER))!;
    await put(Uint8Array.from(last.key), null);
  });
  const { deviations } = result(await audit('--data', rolledBack, '--checkpoint', file), 1);
  assert.match(deviations[0].text, /goes beyond the log/);
  writeFileSync(file, 'no checkpoint');
  assert.is((await audit('--data', original, '--checkpoint', file)).status, 2);
});

test.run();
