/** The bench's server without attesting attests nothing, in none of its threads; and with attesting, everything. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { bundleFor, LightSender, open } from '../../bench/light-client.js';
import { newDirectory, startServer } from '../../bench/server-process.js';
import { signerOf } from '../../bench/systems/countersign-keys.js';
import { type Deliver, decodeDeliver, FRAME, SESSION_KIND } from '../../src/protocol/index.js';

/** The epoch of a message with 20 recipients, as one of them gets it. */
async function delivered(unattested: boolean): Promise<Deliver> {
  const server = await startServer([], { unattested, data: newDirectory() });
  const base = server.url.replace('http', 'ws');
  const signers = Array.from({ length: 20 }, (_, i) => signerOf(`mailbox ${i}`));
  try {
    for (const signer of signers.slice(1))
      await open(`${base}/v1/outboxes/0`, SESSION_KIND.outbox, [signer], () => {});
    const frame = new Promise<Uint8Array>((resolve, reject) => {
      const onFrame = (each: Uint8Array) => each[0] === FRAME.deliver && resolve(each);
      open(`${base}/v1/outboxes/0`, SESSION_KIND.outbox, signers.slice(0, 1), onFrame).catch(reject);
    });
    const sender = await LightSender.open(base, 'sender');
    const bundle = bundleFor(signers.map(({ publicKey }) => publicKey));
    await sender.run(
      1,
      1,
      1,
      () => bundle,
      () => {},
    );
    return decodeDeliver(await frame);
  } finally {
    await server.stop('SIGKILL');
    server.remove();
  }
}

/** What only hashing, signing and trees can have made. */
function proofs({ proof, epoch, mailboxes, multiproof }: Deliver): Record<string, Uint8Array> {
  const [mailbox] = mailboxes;
  const [entry] = mailbox && 'entries' in mailbox ? mailbox.entries : [];
  return {
    checkpoint: 'signature' in proof ? proof.signature : new Uint8Array(0),
    attestation: epoch.signature,
    inputs: epoch.inputs,
    manifest: epoch.manifestHash,
    path: epoch.actorPath,
    siblings: entry && 'siblings' in entry ? entry.siblings : new Uint8Array(0),
    multiproof,
  };
}

const empty = (bytes: Uint8Array) => bytes.every((byte) => byte === 0);

test('with attesting', async () => {
  for (const [name, bytes] of Object.entries(proofs(await delivered(false)))) assert.not(empty(bytes), name);
});

test('without', async () => {
  for (const [name, bytes] of Object.entries(proofs(await delivered(true)))) assert.ok(empty(bytes), name);
});

test.run();
