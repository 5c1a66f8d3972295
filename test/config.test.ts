import assert from 'node:assert/strict';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { suite } from 'uvu';
import {
  type ConfigSources,
  defaultPlacement,
  describeConfig,
  flagOptions,
  loadConfig,
  reloadConfig,
} from '../src/server/config.js';
import * as twin from './twin/index.js';
import { keyPair } from './worlds.js';

const test = suite('config');
const directory = mkdtempSync(join(tmpdir(), 'countersign-config-'));
let files = 0;

function jsonFile(content: unknown): string {
  const file = join(directory, `${files++}.json`);
  writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content));
  return file;
}

const load = (sources: Partial<ConfigSources>) => loadConfig({ flags: {}, env: {}, cores: 2, ...sources });

/** The problems of a configuration that must be refused, one per line. */
function problems(sources: Partial<ConfigSources>, code = 'config-invalid'): string[] {
  try {
    load(sources);
  } catch (error) {
    assert.equal((error as { code?: string }).code, code);
    return (error as Error).message.split('\n');
  }
  return assert.fail('this configuration was accepted');
}

test('with no source at all the defaults hold', () => {
  assert.deepEqual(load({}), {
    data: './data',
    host: '127.0.0.1',
    port: 7700,
    internalPort: 7701,
    publicUrl: '',
    operatorToken: '',
    origins: '',
    tls: { certificate: '', key: '' },
    inboxes: 1,
    outboxes: 1,
    threads: 1,
    checks: 'process-boundaries',
    submissions: 'required',
    epoch: { minIntervalMs: 1, heartbeatMs: 1000 },
    mailboxes: 'open',
    witnesses: { services: '', timeoutMs: 10000, retryMs: 1000 },
    shutdown: { drainMs: 30000, socketsPerSecond: 1000, closeMs: 5000, returnMs: 30000 },
    limits: {
      messagesPerEpoch: 65536,
      bytesPerEpoch: 33554432,
      entriesPerEpoch: 262144,
      recipients: 1024,
      bodyBytes: 262144,
      envelopeBytes: 4096,
      bundlesPerFrame: 1024,
      frameBytes: 4194304,
      countersKept: 4096,
      retentionEpochs: 100000,
      unacknowledgedEpochs: 100000,
      unacknowledgedBytes: 1073741824,
      sockets: 20000,
      mailboxesPerSocket: 4096,
      handshakeMs: 10000,
      bytesInFlight: 4194304,
      bytesInFlightInAll: 268435456,
      silenceMs: 60000,
      openingsPerMinute: 60,
      busyAfterMs: 2000,
      busyRetryMs: 1000,
    },
  });
});

test('flags go above the environment, the environment above the file, the file above defaults', () => {
  const file = jsonFile({ port: 1, host: 'file', mailboxes: 'registered', epoch: { heartbeatMs: 11 } });
  const env = { COUNTERSIGN_PORT: '2', COUNTERSIGN_HOST: 'env', PORT: '9' };
  const config = load({ file, env, flags: { port: '3' } });
  assert.deepEqual(
    [config.port, config.host, config.mailboxes, config.epoch.heartbeatMs],
    [3, 'env', 'registered', 11],
  );
  assert.equal(config.epoch.minIntervalMs, 1);
  const from = new Map(describeConfig(config).map((row) => [row.key, row.from]));
  assert.equal(from.get('port'), 'flag --port');
  assert.equal(from.get('host'), 'env COUNTERSIGN_HOST');
  assert.equal(from.get('mailboxes'), `file ${file}`);
  assert.equal(from.get('epoch.minIntervalMs'), 'default');
});

test('a nested setting has a flag and a variable', () => {
  const config = load({
    flags: { 'epoch-min-interval-ms': '5' },
    env: { COUNTERSIGN_EPOCH_HEARTBEAT_MS: '50', COUNTERSIGN_LIMITS_BODY_BYTES: '0' },
  });
  assert.deepEqual(
    [config.epoch.minIntervalMs, config.epoch.heartbeatMs, config.limits.bodyBytes],
    [5, 50, 0],
  );
});

test('an unknown name is refused in every source, with the nearest known one', () => {
  const file = jsonFile({ prot: 1, epoch: { minIntervalMS: 1 }, limit: { recipients: 1 } });
  assert.deepEqual(problems({ file, env: { COUNTERSIGN_HOTS: 'x' }, flags: { mailboxs: 'open' } }), [
    `file ${file}: prot is no setting, the nearest is port`,
    `file ${file}: epoch.minIntervalMS is no setting, the nearest is epoch.minIntervalMs`,
    `file ${file}: limit is no setting, the nearest is host`,
    'env: COUNTERSIGN_HOTS is no setting, the nearest is COUNTERSIGN_HOST',
    'flag: mailboxs is no setting, the nearest is mailboxes',
  ]);
});

test('every value that does not fit is named with its source and what was expected', () => {
  const file = jsonFile({ port: '7700', epoch: 5, threads: 1.5 });
  assert.deepEqual(
    problems({ file, env: { COUNTERSIGN_CHECKS: 'never' }, flags: { inboxes: '-1', outboxes: 'two' } }),
    [
      `file ${file}: epoch: expected an object, got 5`,
      `file ${file}: port: expected an integer from 0 to 65535, got "7700"`,
      'flag --inboxes: inboxes: expected an integer from 1 to 4096, got -1',
      'flag --outboxes: outboxes: expected an integer from 1 to 4096, got "two"',
      `file ${file}: threads: expected an integer from 1 to 256, got 1.5`,
      'env COUNTERSIGN_CHECKS: checks: expected one of process-boundaries, everywhere, got "never"',
    ],
  );
});

test('names that every object has are no settings', () => {
  const file = jsonFile('{"__proto__": {"port": 1}, "constructor": 1, "epoch": {"toString": 1}}');
  assert.equal(problems({ file }).length, 3);
});

test('a file that is missing, no JSON or no object is refused by name', () => {
  assert.match(problems({ file: '/nowhere/at.all' }, 'config-unreadable')[0]!, /\/nowhere\/at\.all/);
  assert.match(problems({ file: jsonFile('{"port":') }, 'config-unreadable')[0]!, /expected readable JSON/);
  assert.match(problems({ file: jsonFile([1]) })[0]!, /expected a JSON object, got \[1\]/);
});

test('values that contradict each other are refused', () => {
  assert.match(problems({ flags: { port: '7701' } })[0]!, /expected two ports/);
  assert.match(problems({ flags: { 'epoch-min-interval-ms': '2000' } })[0]!, /epoch\.heartbeatMs/);
  assert.match(problems({ flags: { 'limits-frame-bytes': '262144' } })[0]!, /limits\.bodyBytes/);
  assert.match(problems({ flags: { 'limits-bytes-per-epoch': '262144' } })[0]!, /limits\.bytesPerEpoch/);
  assert.equal(load({ flags: { port: '0', 'internal-port': '0' } }).port, 0);
});

test('witnesses are pairs of a verifier key and an address, each witness once', () => {
  const key = (name: string, of = name) => twin.verifierKey(name, 4, keyPair(of).id);
  const pair = (name: string, of?: string) => `${key(name, of)} https://${name}.example/prefix`;
  const services = (text: string) => ({ flags: { 'witnesses-services': text } });
  const two = `${pair('a')} ${pair('b')}`;
  assert.equal(load(services(two)).witnesses.services, two);
  const many = Array.from({ length: 17 }, (_, i) => pair(`w${i}`)).join(' ');
  for (const bad of [
    key('a'),
    `${pair('a')}  ${pair('b')}`,
    `https://a.example ${key('a')}`,
    `${key('a')} ws://a.example`,
    `${key('a')} https://a.example?x`,
    `${twin.verifierKey('a', 1, keyPair('a').id)} https://a.example`,
    `${twin.verifierKey('a', 4, Buffer.alloc(32))} https://a.example`,
    `${pair('a')} ${pair('a')}`,
    `${pair('a')} ${pair('b', 'a')}`,
    many,
  ])
    assert.match(problems(services(bad))[0]!, /witnesses\.services: expected KEY URL KEY URL/);
});

test('the public URL is a plain WebSocket URL', () => {
  assert.equal(load({ flags: { 'public-url': 'wss://mail.example/in' } }).publicUrl, 'wss://mail.example/in');
  for (const url of ['http://x', 'wss://me@x', 'wss://x?token=1', 'wss://x#y', 'x']) {
    assert.match(problems({ flags: { 'public-url': url } })[0]!, /expected a ws:\/\/ or wss:\/\/ URL/);
  }
});

test('origins are written as browsers write them', () => {
  const list = 'https://chat.example http://localhost:8080 capacitor://localhost';
  assert.equal(load({ flags: { origins: list } }).origins, list);
  for (const bad of [
    'https://x/',
    'https://X',
    'https://x:443',
    'x',
    '*',
    'https://a,https://b',
    'https://a  b',
  ])
    assert.match(problems({ flags: { origins: bad } })[0]!, /expected origins such as/);
});

test('placement follows the cores', () => {
  assert.deepEqual(defaultPlacement(1), { threads: 1, inboxes: 1, outboxes: 1 });
  assert.deepEqual(defaultPlacement(2), { threads: 1, inboxes: 1, outboxes: 1 });
  assert.deepEqual(defaultPlacement(3), { threads: 2, inboxes: 1, outboxes: 1 });
  assert.deepEqual(defaultPlacement(8), { threads: 7, inboxes: 3, outboxes: 3 });
  assert.deepEqual(defaultPlacement(64), { threads: 8, inboxes: 4, outboxes: 4 });
  assert.equal(load({ cores: 8, flags: { inboxes: '2' } }).outboxes, 3);
});

test('every setting has its own flag, which parseArgs takes and the config knows', () => {
  const options = flagOptions();
  const rows = describeConfig(load({}));
  assert.equal(Object.keys(options).length, rows.length);
  const args = Object.keys(options).map((name, i) => `--${name}=${rows[i]!.value}`);
  const { values } = parseArgs({ args, options });
  const given = describeConfig(load({ flags: values as Record<string, string> }));
  assert.deepEqual(
    given.map(({ key, value }) => [key, value]),
    rows.map(({ key, value }) => [key, value]),
  );
  assert.ok(given.every((row) => row.source === 'flag' && row.unit !== '' && row.about !== ''));
});

test('what is read again must fit what only a restart changes', () => {
  const started = load({});
  const limits = { bodyBytes: 1000, frameBytes: 2000 };
  const asked = load({ file: jsonFile({ limits }) });
  assert.throws(() => reloadConfig(started, started, asked), {
    code: 'config-invalid',
    message: 'limits.bodyBytes: expected less than limits.frameBytes',
  });
  const { changed, fixed } = reloadConfig(
    started,
    started,
    load({ file: jsonFile({ limits: { sockets: 7 } }) }),
  );
  assert.deepEqual([changed, fixed], [['limits.sockets'], []]);
});

test('a configuration cannot be changed afterwards', () => {
  const config = load({}) as { port: number; epoch: { heartbeatMs: number } };
  assert.throws(() => {
    config.port = 1;
  }, TypeError);
  assert.throws(() => {
    config.epoch.heartbeatMs = 1;
  }, TypeError);
});

test.run();
