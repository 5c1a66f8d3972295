/** A client that relies on witnesses, against servers that answer anything: which anchors count, what contradicts, what follows. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { importSecretKey } from '#crypto';
import type { WitnessEvents } from '../../src/client/witnesses.js';
import { type CountersignError, toHex } from '../../src/protocol/index.js';
import { NotedLog } from '../support/noted-log.js';
import { bothSay } from '../support/verdicts.js';
import {
  anchor,
  checkpointOf,
  fork,
  keys,
  manifest,
  one,
  origin,
  SIZE,
  sequencer,
  serverId,
  signed,
  watched,
  witnesses,
} from '../support/witness-policy.js';
import * as twin from '../twin/index.js';
import { keyPair, named } from '../worlds.js';

const test = suite('witness policy');

test('anchors by the key of a newer manifest than the client has are waited for', async () => {
  const secret = named('sequencer of version 2');
  const id = Buffer.from(importSecretKey(Uint8Array.from(secret)).publicKey);
  const lists = (version: number) => {
    const later = [anchor(new NotedLog(origin, SIZE, undefined, { secret, id }), 5120, 3)];
    let first = [anchor(one, 5120, 3)];
    return {
      '/v1/anchors': () => {
        const anchors = first.length > 0 ? first : later;
        first = [];
        return Response.json({ anchors });
      },
      '/v1/manifest': () => Response.json({ ...signed, version }),
    };
  };
  const policy = { mode: 'fail-closed' } as const;
  const same = await watched({ answers: lists(1), policy });
  assert.is((same.error as CountersignError).temporary, false);
  assert.is(same.closed, 1);
  const newer = await watched({ answers: lists(2), policy });
  assert.match(newer.error!.message, /newer manifest than version 1/);
  assert.is((newer.error as CountersignError).temporary, true);
  assert.is(newer.closed, 0);
});

test('the newest anchor with enough cosignatures counts; nothing in a request says who asks', async () => {
  const anchors = [anchor(one, 5120, 1), anchor(one, 4096, 3), anchor(one, 3072, 2)];
  const { watch, newest, told, asked, closed } = await watched({ anchors });
  const names = ['w1.example', 'w2.example', 'w3.example'];
  assert.equal(newest, { size: 4096, witnesses: names });
  assert.equal(told, [['witnessed', { size: 4096, witnesses: names }]]);
  assert.is(closed, 0);
  // The newest one is compared as well, whoever has cosigned it.
  assert.equal(
    asked.slice(0, 3).map(({ url }) => url.replace('https://server.example/base/v1/', '')),
    ['anchors', 'consistency/4096/5000', 'consistency/5000/5120'],
  );
  for (const { init } of asked) {
    assert.equal([init.credentials, init.referrerPolicy, init.redirect], ['omit', 'no-referrer', 'error']);
    assert.equal([init.headers, init.body, init.method], [undefined, undefined, undefined]);
  }
  watch!.close();
  const error = await watch!.check().catch((failed) => failed);
  assert.is(error.code, 'closed');
});

test('what does not count: strangers, other names, the same witness twice, signatures of another size', async () => {
  const [w1, , w3] = witnesses;
  const note = one.note(4096);
  const { text } = twin.readCheckpoint(note)!;
  const line = (name: string, { secret, id }: { secret: Buffer; id: Buffer }, of = text) =>
    twin.cosignature(name, id, 1n, twin.sign(secret, twin.cosignedMessage(1n, of)));
  const good = line('w1.example', w1!);
  const other = twin.readCheckpoint(one.note(3072))!.text;
  const short = `\u2014 w3.example ${twin.join(twin.keyId('w3.example', 4, w3!.id), Buffer.alloc(64)).toString('base64')}\n`;
  for (const bad of [
    good,
    line('w4.example', keyPair('w4')),
    line('w2.example', w3!),
    line('w3.example', w3!, other),
    short,
  ]) {
    const { newest, error } = await watched({ anchors: [note + good + bad] });
    assert.equal([newest, (error as { code?: string }).code], [null, 'verification-failed'], bad);
  }
  const { newest } = await watched({ anchors: [note + good + line('w3.example', w3!)] });
  assert.equal(newest, { size: 4096, witnesses: ['w1.example', 'w3.example'] });
});

test('too few, too old, none, or a young log: by the policy the client is closed or told', async () => {
  const few = [anchor(one, 4096, 1)];
  const old = [anchor(one, 4096, 1), anchor(one, 2048, 3)];
  for (const anchors of [few, old, []])
    for (const mode of ['fail-open', 'fail-closed'] as const) {
      const { newest, error, closed } = await watched({ anchors, policy: { mode } });
      assert.match(error!.message, /^no anchor of the last 2048 leaves before 5000 has 2 cosignatures: /);
      assert.equal([newest ?? null, closed], [null, mode === 'fail-closed' ? 1 : 0]);
    }
  const young = await watched({
    own: checkpointOf(one, 1500),
    anchors: [one.note(1024)],
    policy: { mode: 'fail-closed' },
  });
  assert.equal(young.newest, { size: 0, witnesses: [] });
  // Whoever has seen nothing yet goes by what the server says, which it has signed.
  const nothing = { size: 0, root: new Uint8Array(32), signature: new Uint8Array(64) };
  assert.equal((await watched({ own: nothing, anchors: [anchor(one, 4096, 2)] })).newest!.size, 4096);
  assert.match((await watched({ own: nothing, anchors: few })).error!.message, /before 4096 has 2/);
});

test('two roots of one size are evidence that convicts the sequencer', async () => {
  const { told, error, closed } = await watched({
    anchors: [anchor(fork, 4096, 3)],
    own: checkpointOf(one, 4096),
  });
  const [name, found] = told[0] as ['contradiction', WitnessEvents['contradiction']];
  assert.equal([name, found.closed, closed], ['contradiction', false, 0]);
  assert.is(error!.message, 'the sequencer has signed two roots of size 4096');
  assert.equal([found.own, found.anchor], [one.note(4096), anchor(fork, 4096, 3)]);
  const judged = bothSay(found.evidence!, serverId, manifest.rootKey);
  assert.is(judged.outcome, 'actor');
  assert.match(judged.text, /sequencer/);
  // Without the manifest both notes are left.
  const gone = await watched({
    anchors: [anchor(fork, 4096, 3)],
    own: checkpointOf(one, 4096),
    answers: { '/v1/manifest': () => new Response('gone', { status: 404 }) },
  });
  assert.is((gone.told[0]![1] as WitnessEvents['contradiction']).evidence, null);
});

test('logs of two sizes, and what the larger one was at the smaller size, are evidence that convicts the sequencer', async () => {
  for (const [size, at, log] of [
    [3500, 4096, fork],
    [5000, 3072, one],
    [3073, 5120, fork],
  ] as const) {
    const { told } = await watched({ anchors: [anchor(fork, at, 3)], own: checkpointOf(one, size), log });
    const [name, found] = told[0] as ['contradiction', WitnessEvents['contradiction']];
    assert.equal([name, found.own, found.anchor], ['contradiction', one.note(size), anchor(fork, at, 3)]);
    const judged = bothSay(found.evidence!, serverId, manifest.rootKey);
    assert.is(judged.outcome, 'actor');
    assert.match(judged.text, /that does not go on from it/);
  }
});

test('logs of two sizes that do not go on from each other are told with both notes', async () => {
  // At a power of two a proof does not have the root; and that of the other log shows nothing.
  for (const [size, logs] of [
    [5000, [one, fork]],
    [3500, [one]],
  ] as const)
    for (const log of logs) {
      const own = checkpointOf(one, size);
      const { told, error } = await watched({
        anchors: [anchor(fork, 4096, 3)],
        own,
        log,
        policy: { mode: 'fail-open' },
      });
      const [name, found] = told[0] as ['contradiction', WitnessEvents['contradiction']];
      assert.equal([name, found.evidence, found.own], ['contradiction', null, one.note(own.size)]);
      assert.match(error!.message, /does not show that its log of size/);
    }
  // Before they part they are one.
  const { newest } = await watched({ anchors: [anchor(fork, 2048, 3)], own: checkpointOf(one, 2900) });
  assert.is(newest!.size, 2048);
  const closing = await watched({ anchors: [anchor(fork, 4096, 3)], policy: { mode: 'fail-closed' } });
  assert.is(closing.closed, 1);
  assert.match(closing.error!.message, /both signed by its sequencer$/);
  // That it has no such log any more is no answer either, after it has signed it.
  for (const given of [() => new Response('', { status: 404 }), () => new Response('not base64\n')])
    assert.is(
      (await watched({ anchors: [anchor(one, 4096, 3)], answers: { '/v1/consistency': given } })).told[0]![0],
      'contradiction',
    );
});

test('answers that are no anchors of this server are refused', async () => {
  const stranger = new NotedLog(origin, 1024, undefined, keyPair('stranger'));
  const elsewhere = new NotedLog('countersign/v1/other', 1024, undefined, sequencer);
  const forged = anchor(one, 4096, 3).replace('\n4096\n', '\n5120\n');
  const otherText = twin.readCheckpoint(elsewhere.note(1024))!.text;
  const lists: unknown[] = [
    { anchors: [stranger.note(1024)] },
    { anchors: [elsewhere.note(1024)] },
    {
      anchors: [
        twin.signedNote(otherText, origin, sequencer.id, twin.sign(sequencer.secret, Buffer.from(otherText))),
      ],
    },
    { anchors: [forged] },
    { anchors: [one.note(4095)] },
    { anchors: [one.note(3072), one.note(4096)] },
    { anchors: [one.note(4096), one.note(4096)] },
    { anchors: [one.note(4096).slice(0, -1)] },
    { anchors: [7] },
    { anchors: Array.from({ length: 65 }, () => one.note(1024)) },
    { anchors: 'x' },
    { anchors: [anchor(one, 4096, 3)], more: 'x'.repeat(2_000_000) },
    {},
    null,
  ];
  for (const list of lists) {
    const { error, told } = await watched({ answers: { '/v1/anchors': () => Response.json(list) } });
    assert.equal([(error as { code?: string }).code, told[0]![0]], ['verification-failed', 'unwitnessed']);
    assert.not.match(error!.message, /^no anchor of the last/);
  }
});

test('want of an answer is waited for, once there was one; at the start it is not', async () => {
  let broken: (() => Promise<Response>) | null = null;
  const anchors = [anchor(one, 4096, 2)];
  const answers = { '/v1/anchors': async () => (broken ? broken() : Response.json({ anchors })) };
  const good = await watched({ answers, policy: { mode: 'fail-closed' }, more: { timeoutMs: 50 } });
  assert.is(good.error, null);
  const ways = [
    async () => new Response('', { status: 503 }),
    async () => Promise.reject(new TypeError('fetch failed')),
    async () => Response.error(),
  ];
  for (const way of ways) {
    broken = way;
    const error = await good.watch!.check().catch((failed) => failed);
    assert.equal([error.code, error.temporary], ['connection-lost', true]);
  }
  assert.equal(
    good.told.slice(1).map(([name, value]) => [name, (value as WitnessEvents['unwitnessed']).closed]),
    ways.map(() => ['unwitnessed', false]),
  );
  // What is no answer of such a server is not waited for.
  broken = async () => Response.json({});
  await good.watch!.check().catch(() => {});
  const [last, value] = good.told.at(-1)!;
  assert.equal([last, (value as WitnessEvents['unwitnessed']).closed], ['unwitnessed', true]);
  broken = ways[0]!;
  const impatient = await watched({ answers, policy: { mode: 'fail-closed' } });
  assert.equal([(impatient.error as { code?: string }).code, impatient.closed], ['connection-lost', 1]);
});

test('it checks again by itself until it is closed, and keeps no process alive', async () => {
  const { watch, told, asked } = await watched({ anchors: [anchor(one, 4096, 2)], more: { intervalMs: 5 } });
  while (told.length < 4) await new Promise((resolve) => setTimeout(resolve, 5));
  watch!.close();
  const before = asked.length;
  await new Promise((resolve) => setTimeout(resolve, 30));
  assert.ok(asked.length <= before + 2);
});

test('a policy that makes no sense is refused', async () => {
  for (const policy of [
    { threshold: 0 },
    { threshold: 4 },
    { threshold: 1.5 },
    { mode: 'open' as never },
    { maxBehind: 0 },
    { keys: [] },
    { keys: [keys[0]!, keys[0]!] },
    { keys: ['w1.example', keys[1]!] },
    { keys: [twin.verifierKey('w', 4, Buffer.alloc(32, 1)), keys[1]!] },
    { keys: [twin.verifierKey('w1.example', 1, witnesses[0]!.id), keys[1]!] },
    { keys: [twin.verifierKey('again', 4, witnesses[1]!.id), keys[1]!] },
  ]) {
    const { error, asked } = await watched({ policy });
    assert.instance(error, TypeError, JSON.stringify(policy));
    assert.is(asked.length, 0);
  }
  for (const more of [{ intervalMs: 0 }, { timeoutMs: -1 }, { patienceMs: 2 ** 40 }, { url: 'ftp://x' }])
    assert.instance((await watched({ more })).error, TypeError, JSON.stringify(more));
  assert.is(toHex(serverId).length, 64);
});

test.run();
