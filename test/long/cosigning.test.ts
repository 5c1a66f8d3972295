/** A server with witnesses as processes, one that is down, a fork, and witnesses that answer anything. */
import { cpSync, readdirSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type WitnessEvents, watchWitnesses } from '../../src/client/witnesses.js';
import { encodeVerifierKey, NOTE_KEY, noteKeyId } from '../../src/protocol/notes/index.js';
import type { WitnessStatus } from '../../src/server/cosigning.js';
import { loadConfig, type Server, startServer } from '../../src/server/index.js';
import { clientOf, directory } from '../client-helpers.js';
import { anchorsOf, ends, founded, running, STEADY, thrownBy, until } from '../support/cosigning.js';
import { lengthenLog } from '../support/long-log.js';
import { countersign, type Running, start } from '../support/program.js';
import * as twin from '../twin/index.js';
import { keyPair } from '../worlds.js';

const test = suite('cosigning');

interface WitnessRun {
  running: Running;
  readonly cwd: string;
  readonly url: string;
  readonly key: string;
  /** Starts it again on the same port. */
  again(): Promise<void>;
}

/** `countersign witness` with a key of its own. */
async function witnessFor(logs: readonly string[], name: string): Promise<WitnessRun> {
  const cwd = directory(`cosigning-${name}`);
  const made = await countersign(
    ['keygen', '--witness', '--name', `${name}.example`, '--out', 'w.key', '--json'],
    { cwd },
  );
  const { verifierKey } = JSON.parse(made.stdout) as { verifierKey: string };
  const args = ['--key', 'w.key', '--name', `${name}.example`, ...logs.flatMap((log) => ['--log', log])];
  const run = async (port: string) => {
    const running = start(['witness', ...args, '--port', port], { cwd });
    await running.said(/^vkey/m);
    assert.ok(running.output().includes(`vkey  ${verifierKey}\n`));
    return { running, url: /listens on (\S+),/.exec(running.output())![1]! };
  };
  const first = await run('0');
  const witness: WitnessRun = {
    ...first,
    key: verifierKey,
    cwd,
    again: async () => {
      witness.running = (await run(new URL(first.url).port)).running;
    },
  };
  return witness;
}
const sizeOf = (note: string | undefined) => Number(note?.split('\n')[1] ?? 0);
const signersOf = (note: string | undefined) => note?.match(/^\u2014 \w+\.example/gm)?.length ?? 0;
const statusOf = async ({ internalUrl }: Server): Promise<WitnessStatus[]> =>
  (await (await fetch(`${internalUrl}/v1/witnesses`)).json()).witnesses;
test.after(async () => {
  for (const end of ends.reverse()) await end();
});

const policyOf = (
  url: string,
  keys: readonly string[],
  threshold: number,
  mode: 'fail-open' | 'fail-closed',
  maxBehind = 1024,
) => ({ url, witnesses: { keys, threshold, mode, maxBehind } });

/** The sizes of anchors with so many cosignatures. */
const cosigned = async ({ url }: Server, signers: number) =>
  (await anchorsOf(url)).filter((note) => signersOf(note) === signers).map(sizeOf);

test('two witnesses cosign what clients rely on; one is down; a fork is refused by both, and found', async () => {
  const { data, log, manifest } = await founded('cosigning');
  const [one, other] = [await witnessFor([log], 'one'), await witnessFor([manifest], 'other')];
  ends.push(
    () => one.running.child.kill(),
    () => other.running.child.kill(),
  );
  const services = `${one.key} ${one.url} ${other.key} ${other.url}/`;
  const keys = [one.key, other.key];

  // Both: asked as soon as the settings say so.
  await lengthenLog(data, 1022, 'common');
  const first = await running(data, '');
  assert.equal(first.reload(services).changed, ['witnesses.services']);
  await until('two cosignatures', async () => (await cosigned(first.server, 2))[0] === 1024);
  const alice = await clientOf(first.server, 'alice');
  await alice.send({ to: alice.id, body: 'of one world' });
  const both = await watchWitnesses(alice, policyOf(first.server.url, keys, 2, 'fail-closed'));
  assert.equal(both.newest, { size: 1024, witnesses: ['one.example', 'other.example'] });
  both.close();
  await alice.close();
  await first.server.stop();

  // One is down: the other one's cosignature comes, and epochs go on.
  other.running.child.kill('SIGKILL');
  await other.running.ended;
  const copy = join(directory('cosigning-fork'), 'data');
  cpSync(data, copy, { recursive: true, filter: (path) => !path.endsWith('lock') });
  await lengthenLog(data, 2046, 'honest');
  const { server } = await running(data, services);
  assert.equal(await cosigned(server, 2), [1024]);
  await until('one cosignature', async () => (await cosigned(server, 1))[0] === 2048);
  const bob = await clientOf(server, 'bob');
  await bob.send({ to: bob.id, body: 'of one world' });
  const [up, down] = await statusOf(server);
  assert.equal([up.cosigned, up.cosignatures, up.failures], [2048, 1, 0]);
  assert.ok(
    down.cosigned === 1024 && down.failures > 0 && /ECONNREFUSED/.test(down.error),
    JSON.stringify(down),
  );
  const alone = await watchWitnesses(bob, policyOf(server.url, keys, 1, 'fail-closed'));
  assert.equal(alone.newest, { size: 2048, witnesses: ['one.example'] });
  alone.close();
  const open = await watchWitnesses(bob, policyOf(server.url, keys, 2, 'fail-open'));
  assert.equal([open.newest, bob.state], [null, 'connected']);
  open.close();
  const lenient = await watchWitnesses(bob, policyOf(server.url, keys, 2, 'fail-closed', 2048));
  assert.is(lenient.newest!.size, 1024);
  lenient.close();
  const error = await thrownBy(watchWitnesses(bob, policyOf(server.url, keys, 2, 'fail-closed')));
  assert.match(error.message, /^no anchor of the last 1024 leaves before \d+ has 2 cosignatures/);
  assert.is(bob.state, 'closed');
  await other.again();
  await until('two cosignatures again', async () => (await cosigned(server, 2))[0] === 2048);

  // A fork: an older copy of the data, with another history from there on.
  for (const [size, refusal] of [
    [2046, /^it has cosigned another root of this size$/],
    [3070, /^it finds size 3072 not to go on from size 2048$/],
  ] as const) {
    await lengthenLog(copy, size, 'forked');
    const fork = await running(copy, services);
    const isRefused = (each: WitnessStatus) => each.refused && refusal.test(each.error);
    await until('both refuse', async () => (await statusOf(fork.server)).every(isRefused));
    for (const { cosigned } of await statusOf(fork.server)) assert.is(cosigned, 1024);
    assert.is(fork.warnings.length, 2);
    assert.match(fork.warnings[0]!, /^witness \w+\.example does not cosign this log: it /);
    await inTheFork(fork.server, server, keys);
    await fork.server.stop();
  }
  // Each witness has kept the two notes of one size.
  for (const { cwd } of [one, other])
    assert.is(readdirSync(join(cwd, 'witness', 'contradictions')).length, 1);
});

/** Whoever is in it finds nothing cosigned there, and another log elsewhere. */
async function inTheFork(fork: Server, honest: Server, keys: readonly string[]): Promise<void> {
  const carol = await clientOf(fork, 'carol');
  await carol.send({ to: carol.id, body: 'of another world' });
  const told: WitnessEvents['contradiction'][] = [];
  const across = await watchWitnesses(carol, policyOf(honest.url, keys, 1, 'fail-open', 4096));
  across.on('contradiction', (each) => told.push(each));
  await thrownBy(across.check());
  across.close();
  assert.match(told[0]!.text, /does not show that its log of size \d+ goes on from/);
  assert.match(told[0]!.own, new RegExp(`\n${carol.checkpoint.size}\n`));
  assert.equal([sizeOf(told[0]!.anchor), signersOf(told[0]!.anchor), told[0]!.closed], [2048, 2, false]);
  assert.is(carol.state, 'connected');
  const error = await thrownBy(watchWitnesses(carol, policyOf(fork.url, keys, 1, 'fail-closed')));
  assert.match(error.message, /^no anchor of the last 1024 leaves before \d+ has 1 cosignatures/);
  assert.is(carol.state, 'closed');
}

/** A witness that answers as told; what it was asked. */
async function scripted(answer: (body: string, response: ServerResponse) => void) {
  const bodies: string[] = [];
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    bodies.push(body);
    answer(body, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  ends.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, bodies };
}

test('witnesses that answer anything, late or never harm nobody, and are asked again later and later', async () => {
  const key = keyPair('scripted');
  const own = { name: 'w.example', type: NOTE_KEY.cosignature, publicKey: Uint8Array.from(key.id) } as const;
  const cosign = (body: string, secret: Buffer): string => {
    const text = body.slice(body.indexOf('\n\n') + 2, body.lastIndexOf('\n\n') + 1);
    return twin.cosignature('w.example', key.id, 7n, twin.sign(secret, twin.cosignedMessage(7n, text)));
  };
  const wrong: [RegExp, (body: string, response: ServerResponse) => void][] = [
    [/^status 500: broken$/, (_, response) => response.writeHead(500).end('broken')],
    [/^status 403: /, (_, response) => response.writeHead(403).end('')],
    [/^status 409: 1024$/, (_, response) => response.writeHead(409).end('1024\n')],
    [/expected signature lines/, (_, response) => response.end('')],
    [/no cosignature by the key/, (_, response) => response.end('\u2014 w.example AAAAAAA=\n')],
    [/no cosignature by the key/, (body, response) => response.end(cosign(body, keyPair('stranger').secret))],
    [/more than 131072 bytes/, (_, response) => response.end('x'.repeat(200_000))],
    [/redirect/, (_, response) => response.writeHead(307, { location: 'http://127.0.0.1:1/' }).end()],
    [/log size in decimal/, (_, r) => r.writeHead(409, { 'content-type': 'text/x.tlog.size' }).end('many\n')],
    [
      /^it knows a log of size 5000, this one has/,
      (_, r) => r.writeHead(409, { 'content-type': 'text/x.tlog.size' }).end('5000\n'),
    ],
    [/timeout|aborted/, () => {}],
  ];
  let next = 0;
  const errors: string[] = [];
  const { url, bodies } = await scripted((body, response) => {
    const step = wrong[next];
    if (step) step[1](body, response);
    else response.end(cosign(body, key.secret));
    next++;
  });
  const { data } = await founded('scripted');
  await lengthenLog(data, 1022, 'scripted');
  const config = loadConfig({
    flags: {
      ...{ ...STEADY, data, port: '0', 'internal-port': '0', 'witnesses-retry-ms': '2' },
      ...{ 'witnesses-timeout-ms': '300', 'witnesses-services': `${encodeVerifierKey(own)} ${url}` },
    },
    env: {},
    cores: 2,
  });
  const server = await startServer(config);
  ends.push(() => server.stop());
  await until('a cosignature after all', async () => {
    const [status] = await statusOf(server);
    if (status.error !== '' && errors[status.failures - 1] !== status.error)
      errors[status.failures - 1] = status.error;
    return status.cosigned > 0 && status.failures === 0;
  });
  // Only some are seen on the way: what is seen is the right one.
  for (const [i, error] of errors.entries()) if (error !== undefined) assert.match(error, wrong[i]![0]);
  assert.ok(Object.keys(errors).length > 2, `${errors}`);
  assert.is(bodies.length, wrong.length + 1);
  assert.match(bodies[0]!, /^old 0\n\ncountersign\/v1\//);
  const note = (await anchorsOf(server.url)).find((each) => signersOf(each) > 0)!;
  const checkpoint = twin.readCheckpoint(note)!;
  const line = checkpoint.lines.find(({ id }) => id.equals(Buffer.from(noteKeyId(own))))!;
  assert.is(twin.cosignedAt(line, 'w.example', key.id, checkpoint.text), 7n);
  assert.is(Number(checkpoint.size) % 1024, 0);
  // Clients are served all the while.
  const alice = await clientOf(server, 'alice');
  await alice.send({ to: alice.id, body: 'hello' });
  await alice.close();
});

test.run();
