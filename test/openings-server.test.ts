/** Openings from a running server over real sockets: who may have them, how many, and for how long. */
import { writeFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  decodeOpening,
  ERRORS,
  encodeOpen,
  FRAME,
  type OpenedItem,
  type Opening,
  ROLE,
} from '../src/protocol/index.js';
import { directory, serverAt } from './client-helpers.js';
import { b64, JsonClient, unb64 } from './support/json-client.js';
import { idOf, keyOf } from './support/names.js';
import { codeOf, FRONT, verified, world, ZERO } from './support/openings-server.js';
import { Raw } from './support/raw.js';

const test = suite('openings of a server');

let requests = 0;
async function ask(raw: Raw, asked: OpenedItem): Promise<Opening> {
  const request = ++requests;
  raw.send(encodeOpen({ slot: 0, request, ...asked }));
  const opening = decodeOpening(await raw.next(FRAME.opening));
  assert.is(opening.request, request);
  return opening;
}

const at = (item: OpenedItem, stage: OpenedItem['stage'], name: string): OpenedItem => {
  return { ...item, stage, mailbox: stage === ROLE.inbox ? ZERO : idOf(name) };
};
const STAGES = [ROLE.inbox, ROLE.router, ROLE.receiver, ROLE.outbox] as const;

test('sender and recipient open every stage of their message, strangers none', async () => {
  const { server, alice, item } = await world();
  const bob = await Raw.session(server.url, FRONT, 'bob');
  const mallory = await Raw.session(server.url, FRONT, 'mallory');
  for (const stage of STAGES) {
    for (const [raw, mailbox] of [
      [alice, 'bob'],
      [alice, 'alice'],
      [bob, 'bob'],
      [bob, 'alice'],
    ] as const) {
      const { error, claims } = await ask(raw, at(item, stage, mailbox));
      assert.equal([error, claims.length], [0, 1]);
      const [statement] = verified(server, claims);
      assert.equal([statement!.attestation.role, statement!.attestation.epoch], [stage, item.epoch]);
      if (stage !== ROLE.inbox) assert.ok(Buffer.from(statement!.leaf).includes(Buffer.from(idOf(mailbox))));
    }
    assert.is(codeOf(await ask(mallory, at(item, stage, 'bob'))), 'not-a-party');
    // That nobody else has it is nobody's business.
    if (stage !== ROLE.inbox) assert.is(codeOf(await ask(alice, at(item, stage, 'mallory'))), 'not-a-party');
  }
  // Of its own mailbox anybody may see that nothing is there.
  const { claims } = await ask(mallory, at(item, ROLE.outbox, 'mallory'));
  assert.is(verified(server, claims).length, claims.length);
  await server.stop();
});

test('in JSON the same', async () => {
  const { server, item } = await world();
  const { client } = await JsonClient.session(server.url, FRONT, keyOf('bob'));
  const { epoch, inbox, index } = item;
  const asked = { stage: ROLE.outbox, epoch: `${epoch}`, inbox, index, mailbox: b64(idOf('bob')) };
  client.send({ type: 'open', slot: 0, request: 7, ...asked });
  const { request, error, claims } = await client.next('opening');
  assert.equal([request, error], [7, 0]);
  assert.is(verified(server, claims.map(unb64)).length, 1);
  await server.stop();
});

test('the operator opens anything with the token, and nobody else', async () => {
  const data = directory('openings');
  const file = `${data}/operator.token`;
  const token = '5a'.repeat(32);
  writeFileSync(file, `${token}\n`, { mode: 0o600 });
  const { server, alice, item } = await world({ 'operator-token': file });
  const get = async (query: string, header = `Bearer ${token}`) => {
    const response = await fetch(`${server.internalUrl}/v1/openings?${query}`, {
      headers: { authorization: header },
    });
    const body = (await response.json()) as { claims?: string[]; error?: { code: string } };
    return { status: response.status, claims: body.claims ?? [], code: body.error?.code };
  };
  const { epoch, inbox, index } = item;
  const place = `epoch=${epoch}&inbox=${inbox}&index=${index}`;
  const mailbox = `mailbox=${Buffer.from(idOf('mallory')).toString('hex')}`;
  for (const stage of ['inbox', 'router', 'receiver', 'outbox']) {
    const { status, claims } = await get(`stage=${stage}&${place}${stage === 'inbox' ? '' : `&${mailbox}`}`);
    assert.is(status, 200);
    const [statement] = verified(
      server,
      claims.map((claim) => Uint8Array.from(Buffer.from(claim, 'base64'))),
    );
    assert.is(statement!.attestation.epoch, epoch);
  }
  for (const wrong of ['', `Bearer ${'5b'.repeat(32)}`, `Basic ${token}`, `Bearer ${token}0`])
    assert.equal(await get(`stage=inbox&${place}`, wrong), { status: 401, claims: [], code: 'not-a-party' });
  for (const wrong of [
    '',
    place,
    `stage=inbox&${place}&${mailbox}`,
    `stage=outbox&${place}`,
    `stage=inbox&${place}&x=1`,
  ])
    assert.is((await get(wrong)).code, 'bad-request');
  assert.equal(await get(`stage=inbox&epoch=${epoch + 1_000_000}&inbox=0&index=0`), {
    status: 404,
    claims: [],
    code: 'opening-unknown',
  });
  alice.close();
  await server.stop();
  const without = await serverAt(directory('openings'));
  const response = await fetch(`${without.internalUrl}/v1/openings?stage=inbox&${place}`, {
    headers: { authorization: `Bearer ${'00'.repeat(32)}` },
  });
  assert.is(response.status, 401);
  await without.stop();
});

test('a key that asks too often is told when to come back, on whatever socket', async () => {
  const { server, alice, item } = await world({ 'limits-openings-per-minute': '3' });
  for (let i = 0; i < 3; i++) assert.is((await ask(alice, item)).error, 0);
  const again = await Raw.session(server.url, FRONT, 'alice');
  const { error, retryAfterMs, claims } = await ask(again, item);
  assert.equal([error, claims.length], [ERRORS.busy.number, 0]);
  assert.ok(retryAfterMs > 0 && retryAfterMs <= 60_000, `${retryAfterMs}`);
  // Nobody else is held up by it.
  const bob = await Raw.session(server.url, FRONT, 'bob');
  assert.is((await ask(bob, item)).error, 0);
  await server.stop();
});

test.run();
