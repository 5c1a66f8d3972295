/** What was signed before actors got new keys, afterwards: audits over a rotation, old evidence, and keys that are used too late. */
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { importSecretKey } from '#crypto';
import { audit } from '../../src/protocol/audit/index.js';
import { accuse, decodeEvidence } from '../../src/protocol/evidence/index.js';
import {
  type Attestation,
  actorKey,
  encodeAttestation,
  equalBytes,
  fromHex,
  openManifests,
  ROLE,
  toHex,
} from '../../src/protocol/index.js';
import { signManifest } from '../../src/server/founding.js';
import type { Server } from '../../src/server/index.js';
import { openKeptDirectory } from '../../src/server/kept-directory.js';
import { rotateKeys } from '../../src/server/rotation.js';
import { Store } from '../../src/server/store.js';
import { clientOf, directory, read, serverAt } from '../client-helpers.js';
import { countersign } from '../support/program.js';
import { bothSay } from '../support/verdicts.js';

const test = suite('evidence over rotations');
const token = join(directory('token'), 'token');
writeFileSync(token, `${'5a'.repeat(32)}\n`, { mode: 0o600 });
const FLAGS = { outboxes: '2', 'operator-token': token };

async function talk(server: Server, texts: readonly string[]): Promise<void> {
  const [ann, ben] = await Promise.all(['ann', 'ben'].map((name) => clientOf(server, name)));
  for (const body of texts) await ann!.send({ to: ben!.id, body });
  await read(ben!, 1);
  for (const client of [ann!, ben!]) await client.close();
}

const seedIn = (data: string, name: string) =>
  fromHex(readFileSync(join(data, 'keys', `${name}.key`), 'latin1').trim(), 32);

const data = directory('rotation');
let server = await serverAt(data, FLAGS);
await talk(server, ['one', 'two']);
const note = join(directory('note'), 'checkpoint');
writeFileSync(note, await (await fetch(`${server.url}/v1/checkpoint`)).text());
await server.stop();
const old = { data: directory('rotation'), outbox: seedIn(data, 'outbox-0') };
for (const part of ['store', 'keys']) cpSync(join(data, part), join(old.data, part), { recursive: true });
const rotated = await rotateKeys(data, null);

const clean = async (args: readonly string[]) => {
  const { status, stdout, stderr } = await countersign(['audit', ...args, '--json']);
  assert.is(status, 0, stdout + stderr);
  return JSON.parse(stdout) as { epochs: number };
};

test('an audit finds nothing before, after and over a rotation, from the directory and over the network', async () => {
  await clean(['--data', data, '--checkpoint', note]);
  server = await serverAt(data, FLAGS);
  await talk(server, ['three', 'four']);
  const internal = ['--internal', server.internalUrl, '--url', server.url, '--token', token];
  assert.ok((await clean([...internal, '--checkpoint', note])).epochs >= 4);
  await server.stop();
  await rotateKeys(data, ['sequencer-0', 'router-0']);
  server = await serverAt(data, FLAGS);
  await talk(server, ['five']);
  await server.stop();
  await clean(['--data', data, '--checkpoint', note]);
});

test('an audit finds epochs of a version that another one had replaced', async () => {
  const kept = await openKeptDirectory(old.data);
  const { epochs } = await audit(kept.source);
  await kept.close();
  const store = Store.open(old.data, () => {});
  const [first] = openManifests(kept.source.manifests);
  const { manifest, hash: previousHash } = first!;
  // In force from an epoch that is there already.
  const actors = manifest.actors.flatMap((actor) =>
    actor.role === ROLE.outbox && actor.index === 0
      ? [
          { ...actor, lastEpoch: 1 },
          { ...actor, key: importSecretKey(new Uint8Array(32)).publicKey, firstEpoch: 2 },
        ]
      : [actor],
  );
  const { record } = signManifest(
    { ...manifest, version: 2, previousHash, actors },
    seedIn(old.data, 'root'),
  );
  await new Promise<void>((done) => store.write([record], done));
  await store.close();
  const again = await openKeptDirectory(old.data);
  const { findings } = await audit(again.source);
  await again.close();
  const texts = findings.filter(({ text }) =>
    text.includes('version 1 of the manifest, which is not in force'),
  );
  assert.is(texts.length, epochs - 1);
});

/** Two statements of outbox 0 with its first key, naming the first manifest, about one epoch. */
function statements(manifestHash: Uint8Array, serverId: Uint8Array, epoch: number) {
  const { sign } = importSecretKey(old.outbox);
  return [1, 2].map((size) => {
    const attestation: Attestation = {
      serverId,
      role: ROLE.outbox,
      actor: 0,
      epoch,
      base: { size, root: new Uint8Array(32) },
      manifestHash,
      placementRoot: new Uint8Array(32),
      inputs: new Uint8Array(32),
      outputs: [],
    };
    const bytes = encodeAttestation(attestation);
    return { attestation: bytes, signature: sign(bytes) };
  });
}

test('evidence of before a rotation names the actor afterwards; a key that has ended says nothing more', async () => {
  const { manifests } = server.identity;
  const [first] = manifests;
  const { rootKey } = first!.manifest;
  const accused = (epoch: number) =>
    accuse(
      { manifests, claims: [], statements: statements(first!.hash, first!.hash, epoch) },
      first!.hash,
      rootKey,
    );
  const found = accused(rotated.firstEpoch - 1)!;
  assert.is(found.verdict.outcome, 'actor');
  // By itself, as whoever made it before the rotation has it: the later manifests are not in it.
  assert.is(decodeEvidence(found.evidence).manifests.length, 1);
  const judged = bothSay(found.evidence, first!.hash, rootKey);
  assert.equal(judged, found.verdict);
  assert.ok(judged.outcome === 'actor' && equalBytes(judged.key, actorKey(first!.manifest, ROLE.outbox, 0)));
  const file = join(directory('evidence'), 'outbox.evidence');
  writeFileSync(file, found.evidence);
  const { status, stdout } = await countersign([
    ...['verify', file, '--server', toHex(first!.hash), '--root', toHex(rootKey)],
  ]);
  assert.is(status, 0);
  assert.match(stdout, /outbox 0/);

  assert.is(accused(rotated.firstEpoch), null);
});

test.run();
