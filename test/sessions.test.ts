/** What a socket is told while its sessions are being opened. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { importSecretKey } from '#crypto';
import { type ClientSocket, newConnection, tell } from '../src/actors/client-connection.js';
import { MailboxDirectory } from '../src/actors/mailbox-directory.js';
import type { ActorMessage } from '../src/actors/messages.js';
import { Sessions } from '../src/actors/sessions.js';
import { FRAME, SESSION_KIND, sessionBytes, ZERO_HASH } from '../src/protocol/index.js';
import { named } from './worlds.js';

const test = suite('sessions');
const keys = ['ann', 'bob'].map((name) => importSecretKey(Uint8Array.from(named(name))));
const nonce = new Uint8Array(32);

test('nothing about a sender is told before its session is answered', () => {
  const sent: ActorMessage[] = [];
  const told: number[] = [];
  const steps: (() => void)[] = [];
  const get = () => new Uint8Array(1);
  const reader = { get, view: get, range: () => [], keys: () => [] };
  const sessions = new Sessions(
    {
      ...{ serverId: ZERO_HASH, manifestHash: ZERO_HASH, hasSigned: () => true, reader },
      placementOf: () => ({ inbox: 0, outbox: 0 }),
      live: () => ({
        ...{ mailboxesPerSocket: 8, openMailboxes: true, busyAfterMs: 0, busyRetryMs: 0 },
        openingsPerMinute: 0,
      }),
      rolledBack: (size) => assert.unreachable(`rolled back to ${size}`),
      defer: (run) => steps.push(run),
    },
    new MailboxDirectory(reader),
    (_, message) => sent.push(message),
  );
  const socket: ClientSocket = {
    send: (frame) => told.push(frame[0]!),
    close: (_, reason) => assert.unreachable(reason),
    pause: () => {},
    resume: () => {},
  };
  const connection = newConnection(1, socket, SESSION_KIND.front, 0);
  const checkpoint = { size: 0, root: ZERO_HASH, signature: new Uint8Array(64) };
  sessions.hello(connection, { kind: SESSION_KIND.front, nonce, checkpoint });
  const signed = sessionBytes.bind(null, ZERO_HASH, SESSION_KIND.front, connection.challenge!, nonce);
  sessions.session(
    connection,
    keys.map(({ publicKey, sign }) => ({
      key: publicKey,
      acknowledged: 0,
      signature: sign(signed(publicKey)),
    })),
  );
  for (const step of steps) step();
  const chain = { lastEpoch: 0, total: 0, head: ZERO_HASH };
  for (const slot of [0, 1])
    sessions.mailboxOpened(connection, {
      ...{ type: 'mailbox-opened', connection: 1, slot, kind: SESSION_KIND.front, error: null, ...chain },
    } as Parameters<Sessions['mailboxOpened']>[1]);
  assert.equal(
    sent.map(({ type }) => type),
    ['open-mailbox', 'open-mailbox', 'open-sender', 'open-sender'],
  );
  sessions.senderOpened(connection, { type: 'sender-opened', connection: 1, slot: 0, lastCounter: 7 });
  // Their inboxes need not be equally quick: one tells of a place, and of a newer session, before the other has answered.
  tell(connection, Uint8Array.of(FRAME.placed), false);
  sessions.displaced(connection, 0);
  assert.equal(told.splice(0), [FRAME.challenge]);
  sessions.senderOpened(connection, { type: 'sender-opened', connection: 1, slot: 1, lastCounter: 7 });
  assert.equal(told.splice(0), [FRAME.opened, FRAME.placed, FRAME.error]);
  tell(connection, Uint8Array.of(FRAME.placed), false);
  assert.equal(told, [FRAME.placed]);
});

test.run();
