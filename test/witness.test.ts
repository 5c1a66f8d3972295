/** The witness: against its twin on random histories, with requests at once, killed in between, and over HTTP. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { importSecretKey } from '#crypto';
import { decodeVerifierKey, MAX_NOTE_BYTES, NOTE_KEY } from '../src/protocol/notes/index.js';
import { writeKeyFile } from '../src/server/key-file.js';
import { Witness, type WitnessPhase } from '../src/server/witness.js';
import { WitnessHeads } from '../src/server/witness-heads.js';
import { startWitness, witnessKey } from '../src/server/witness-server.js';
import { directory } from './client-helpers.js';
import { NotedLog } from './support/noted-log.js';
import * as twin from './twin/index.js';
import { keyPair, runOptions } from './worlds.js';

const test = suite('witness');
const NAME = 'witness.example/w1';
const SIZE = 40;
const TIME = 1_700_000_000;
const own = keyPair('witness');
const one = new NotedLog('log.example/one', SIZE);
const forks = [one, new NotedLog('log.example/one', SIZE, { from: 9, name: 'forked' })] as const;
const other = new NotedLog('log.example/other', SIZE);
const unknown = new NotedLog('log.example/unknown', SIZE);

async function witnessIn(data: string, more: Partial<ConstructorParameters<typeof Witness>[0]> = {}) {
  const heads = more.heads ?? (await WitnessHeads.open(data));
  const warnings: string[] = [];
  const witness = new Witness({
    key: witnessKey(own.id, NAME),
    sign: importSecretKey(Uint8Array.from(own.secret)).sign,
    logs: [one, other].map(({ verifierKey }) => decodeVerifierKey(verifierKey, NOTE_KEY.ed25519)),
    heads,
    now: () => TIME,
    observe: () => {},
    warn: (text) => warnings.push(text),
    failed: (error) => {
      throw error;
    },
    ...more,
  });
  return { witness, warnings };
}

const newTwin = (): twin.WitnessTwin => ({
  keys: new Map([one, other].map(({ origin, key }) => [origin, [key.id]])),
  known: new Map(),
});

/** A request as somebody might make it, honest or not. */
interface Ask {
  readonly log: NotedLog;
  readonly size: number;
  /** What the old size is meant to be: the witness's own, or some other. */
  readonly old: number | 'known';
  readonly spoil: 'nothing' | 'proof' | 'no proof' | 'signer' | 'signature' | 'form';
}

const log = fc.constantFrom(forks[0], forks[0], forks[0], forks[1], other, unknown);
const ask: fc.Arbitrary<Ask> = fc.record({
  log,
  size: fc.nat({ max: SIZE }),
  old: fc.oneof({ weight: 5, arbitrary: fc.constant('known' as const) }, fc.nat({ max: SIZE })),
  spoil: fc.constantFrom('nothing', 'nothing', 'nothing', 'proof', 'no proof', 'signer', 'signature', 'form'),
});

function bodyOf({ log, size, old, spoil }: Ask, known: number): Buffer {
  const from = old === 'known' ? known : old;
  const proof = from <= size ? log.proof(from, size) : [];
  if (spoil === 'proof') proof.push(Buffer.alloc(32, 1));
  if (spoil === 'no proof') proof.length = 0;
  let note = spoil === 'signer' ? log.note(size, keyPair('stranger')) : log.note(size);
  if (spoil === 'signature') note = note.replace(/.{8}=\n$/, 'AAAAAAAA=\n');
  const body = twin.request(BigInt(from), proof, note);
  return spoil === 'form' ? body.subarray(0, -1) : body;
}

test('random histories are answered as by the twin, one request after the other and all at once', async () => {
  const seen = new Set<number>();
  const histories = fc.array(ask, { minLength: 1, maxLength: 25 });
  await fc.assert(
    fc.asyncProperty(histories, fc.boolean(), async (asks, atOnce) => {
      const { witness } = await witnessIn(directory('witness'));
      const model = newTwin();
      const answers = [];
      const expected = [];
      for (const each of asks) {
        const known = Number(model.known.get(each.log.origin)?.size ?? 0n);
        const body = bodyOf(each, known);
        expected.push(twin.answer(model, body));
        const answer = witness.addCheckpoint(body);
        answers.push(answer);
        if (!atOnce) await answer;
      }
      const given = await Promise.all(answers);
      assert.equal(
        given.map(({ status, type, text }) => (type ? { status, size: BigInt(text) } : { status })),
        expected,
      );
      for (const [i, { status, text }] of given.entries()) {
        seen.add(status);
        if (status === 200) checkCosignature(asks[i]!, text);
      }
      neverTwoRoots(asks, given);
    }),
    runOptions(60),
  );
  assert.equal([...seen].sort(), [200, 400, 403, 404, 409, 422]);
});

function checkCosignature({ log, size }: Ask, text: string): void {
  const [line, ...rest] = twin.signatureLines(text)!;
  assert.is(rest.length, 0);
  const signed = `${log.origin}\n${size}\n${log.root(size).toString('base64')}\n`;
  assert.is(twin.cosignedAt(line!, NAME, own.id, signed), BigInt(TIME));
}

/** What was cosigned of a log rises, and has one root for each size. */
function neverTwoRoots(asks: readonly Ask[], given: readonly { status: number }[]): void {
  for (const { origin } of [one, other]) {
    const signed = asks.filter(({ log }, i) => log.origin === origin && given[i]!.status === 200);
    const sizes = signed.map(({ size }) => size);
    assert.equal(
      sizes,
      [...sizes].sort((a, b) => a - b),
    );
    const roots = new Set(signed.map(({ log, size }) => `${size} ${log.root(size).toString('hex')}`));
    assert.is(roots.size, new Set(sizes).size);
  }
}

test('what is being made durable holds back the next request of its log, and no other log', async () => {
  const data = directory('witness-slow');
  const heads = await WitnessHeads.open(data);
  let release = () => {};
  const slow: Pick<WitnessHeads, 'of' | 'advance' | 'keep'> = {
    of: (origin) => heads.of(origin),
    keep: (...args) => heads.keep(...args),
    advance: async (origin, head) => {
      if (origin === one.origin) await new Promise<void>((resolve) => (release = resolve));
      await heads.advance(origin, head);
    },
  };
  const { witness } = await witnessIn(data, { heads: slow as WitnessHeads });
  const first = witness.addCheckpoint(one.request(0, 12));
  const second = witness.addCheckpoint(one.request(0, 7));
  const elsewhere = await witness.addCheckpoint(other.request(0, 5));
  assert.is(elsewhere.status, 200);
  assert.is(heads.of(one.origin).size, 0);
  const more = Array.from({ length: 70 }, () => witness.addCheckpoint(one.request(0, 7)));
  const busy = await Promise.all(more.slice(62));
  assert.equal([...new Set(busy.map(({ status }) => status))], [503]);
  release();
  assert.is((await first).status, 200);
  const { status, text } = await second;
  assert.equal([status, text], [409, '12\n']);
});

test('what it cosigned is known after a restart; two roots of one size are kept as proof', async () => {
  const data = directory('witness-restart');
  const before = await witnessIn(data);
  assert.is((await before.witness.addCheckpoint(one.request(0, 20))).status, 200);
  // A crash while a file is replaced leaves the new one beside it.
  writeFileSync(join(data, 'heads', `${readdirSync(join(data, 'heads'))[0]}.tmp`), 'half of a no');
  const { witness, warnings } = await witnessIn(data);
  const forked = forks[1];
  const answers = [];
  for (const body of [
    forked.request(20, 20, []),
    forked.request(20, 30),
    one.request(0, 20),
    one.request(20, 20),
  ])
    answers.push((await witness.addCheckpoint(body)).status);
  assert.equal(answers, [409, 422, 409, 200]);
  const [file] = readdirSync(join(data, 'contradictions'));
  assert.equal(
    readFileSync(join(data, 'contradictions', file!), 'utf8'),
    `${one.note(20)}\n${forked.note(20)}`,
  );
  assert.match(warnings.join(), /two roots of size 20: the proof is in /);
  assert.is((await witness.addCheckpoint(forked.request(20, 20, []))).status, 409);
  assert.is(warnings.length, 1);
});

test('a file that does not say what was cosigned stops the start', async () => {
  const data = directory('witness-damaged');
  const { witness } = await witnessIn(data);
  await witness.addCheckpoint(one.request(0, 20));
  await witness.addCheckpoint(other.request(0, 20));
  const files = readdirSync(join(data, 'heads')).map((name) => join(data, 'heads', name));
  const [first, second] = files.map((file) => readFileSync(file, 'utf8'));
  for (const bad of ['', first!.slice(0, -1), second!]) {
    writeFileSync(files[0]!, bad);
    await WitnessHeads.open(data).then(
      () => assert.unreachable(),
      (error) => assert.is(error.code, 'witness-data-damaged'),
    );
  }
});

test('when it cannot make a checkpoint durable it signs nothing, then and after, and says so', async () => {
  const data = directory('witness-full');
  const heads = await WitnessHeads.open(data);
  const failing = {
    of: (origin: string) => heads.of(origin),
    advance: () => Promise.reject(new Error('full')),
  };
  const phases: WitnessPhase[] = [];
  const failures: Error[] = [];
  const { witness } = await witnessIn(data, {
    heads: failing as unknown as WitnessHeads,
    observe: (phase) => phases.push(phase),
    failed: (error) => failures.push(error),
  });
  for (const body of [one.request(0, 3), one.request(0, 3), other.request(0, 3)])
    assert.is((await witness.addCheckpoint(body)).status, 500);
  assert.equal(phases, ['checked']);
  assert.is(failures[0]!.message, 'full');
});

const PROCESS = fileURLToPath(new URL('./support/witness-process.js', import.meta.url));

/** Its URL, and when it has ended. */
async function spawned(options: Record<string, string>) {
  const child = spawn(process.execPath, [PROCESS, JSON.stringify(options)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(child, 'close');
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  return { child, ended, url: (JSON.parse(line.toString()) as { url: string }).url };
}

const post = (url: string, body: Uint8Array) =>
  fetch(`${url}/add-checkpoint`, { method: 'POST', body: Uint8Array.from(body) });

test('killed between check, persist, signature and answer, it never signs two histories', async () => {
  const directoryOfKey = directory('witness-key');
  const key = join(directoryOfKey, 'w.key');
  await writeKeyFile(key, own.secret);
  const forked = forks[1];
  for (const phase of ['checked', 'persisted', 'signed']) {
    const data = directory(`witness-${phase}`);
    const options = { key, data, log: one.verifierKey };
    const dying = await spawned({ ...options, phase });
    const unanswered = await post(dying.url, one.request(0, 20)).catch(() => null);
    assert.is(unanswered, null, phase);
    const [, signal] = await dying.ended;
    assert.is(signal, 'SIGKILL');
    const { url, child, ended } = await spawned({ ...options, phase: '' });
    const known = Number(await (await post(url, one.request(1, 1, []))).text());
    assert.is(known, phase === 'checked' ? 0 : 20, phase);
    // Of what may have been signed no other root is signed, nor anything below.
    const statuses = [];
    for (const body of known === 0
      ? []
      : [forked.request(20, 20, []), forked.request(20, 25), one.request(0, 19)])
      statuses.push((await post(url, body)).status);
    assert.equal(statuses, known === 0 ? [] : [409, 422, 409], phase);
    assert.is((await post(url, one.request(known, 20))).status, 200);
    child.kill();
    await ended;
  }
});

test('over HTTP: types, methods, paths, bounds, and connections that stay', async () => {
  const key = join(directory('witness-http-key'), 'w.key');
  await writeKeyFile(key, own.secret);
  const logs = [decodeVerifierKey(one.verifierKey, NOTE_KEY.ed25519)];
  const settings = {
    key,
    name: '',
    data: directory('witness-http'),
    logs,
    host: '127.0.0.1',
    port: 0,
    warn() {},
  };
  const { url, verifierKey, stop } = await startWitness(settings);
  await startWitness(settings).then(
    () => assert.unreachable(),
    (error) => assert.is(error.code, 'data-locked'),
  );
  const good = await post(url, one.request(0, 8));
  assert.equal([good.status, good.headers.get('connection')], [200, 'keep-alive']);
  const { name } = decodeVerifierKey(verifierKey, NOTE_KEY.cosignature);
  assert.is(name, `countersign/witness/${own.id.toString('hex')}`);
  assert.match(await good.text(), new RegExp(`^\u2014 ${name} [A-Za-z0-9+/=]+\n$`));
  const conflict = await post(url, one.request(0, 9));
  assert.equal([conflict.status, conflict.headers.get('content-type')], [409, 'text/x.tlog.size']);
  assert.is(await conflict.text(), '8\n');
  const code = async (answer: Response) => [answer.status, (await answer.json()).error.code];
  assert.equal(await code(await post(url, Buffer.from('old'))), [400, 'bad-request']);
  assert.equal(await code(await post(url, unknown.request(0, 8))), [404, 'not-found']);
  assert.equal(await code(await post(url, Buffer.alloc(MAX_NOTE_BYTES + 1))), [413, 'bad-request']);
  assert.equal(await code(await fetch(`${url}/add-checkpoint`)), [405, 'bad-request']);
  assert.equal(await code(await fetch(`${url}/`)), [404, 'not-found']);
  // A body that never ends is not waited for.
  const endless = httpRequest(`${url}/add-checkpoint`, { method: 'POST' });
  endless.on('error', () => {});
  const refused = once(endless, 'response');
  for (let i = 0; i < 40; i++) endless.write(Buffer.alloc(4096));
  const [response] = await refused;
  assert.is(response.statusCode, 413);
  endless.destroy();
  await stop();
});

test.run();
