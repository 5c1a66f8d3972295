/** What request handlers hand on, and in which order. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { importSecretKey } from '#crypto';
import type { ClientSocket } from '../src/actors/client-connection.js';
import type { ActorMessage } from '../src/actors/messages.js';
import { Placements } from '../src/actors/placements.js';
import { RequestHandler } from '../src/actors/request-handler.js';
import {
  decodeChallenge,
  encodeBundle,
  encodeHello,
  encodeSession,
  encodeSubmit,
  SESSION_KIND,
  sessionBytes,
  ZERO_HASH,
} from '../src/protocol/index.js';
import { clusterOf } from './support/side-by-side.js';
import { named, worldOf } from './worlds.js';

const test = suite('request handlers');
const world = worldOf({ inboxes: 1, outboxes: 1, mailboxes: 1, bundles: [], asked: [], moved: [] });
const { manifest, serverId } = clusterOf(world);
const ann = importSecretKey(Uint8Array.from(named('ann')));
const checkpoint = { size: 0, root: ZERO_HASH, signature: new Uint8Array(64) };

/** A handler of which every mailbox exists; `steps`: what it has put off. */
function made() {
  const sent: ActorMessage[] = [];
  const steps: (() => void)[] = [];
  const get = () => new Uint8Array(1);
  const handler = new RequestHandler(
    {
      ...{ serverId, manifestHash: ZERO_HASH, hasSigned: () => true, checkpoint, inboxes: 1, now: () => 0 },
      reader: { get, view: get, range: () => [], keys: () => [] },
      placements: new Placements(serverId, [{ from: 1, manifest }]),
      placementOf: () => ({ inbox: 0, outbox: 0 }),
      limits: {
        ...{ recipients: 4, bodyBytes: 100, envelopeBytes: 10, bundlesPerFrame: 8 },
        ...{ messagesPerEpoch: 20, bytesPerEpoch: 4000, entriesPerEpoch: 80 },
      },
      live: () => ({
        ...{ mailboxesPerSocket: 8, openMailboxes: true, busyAfterMs: 0, busyRetryMs: 0 },
        openingsPerMinute: 0,
      }),
      rolledBack: (size) => assert.unreachable(`rolled back to ${size}`),
      defer: (run) => steps.push(run),
    },
    (_, message) => sent.push(message),
  );
  return { handler, sent, steps };
}

/** Connects Ann's front socket, up to where her mailbox's outbox has been asked. */
function greet({ handler, steps }: ReturnType<typeof made>, number: number): void {
  let challenge = new Uint8Array(0);
  const socket: ClientSocket = {
    send: (frame) => {
      if (challenge.length === 0) challenge = Uint8Array.from(decodeChallenge(frame).challenge);
    },
    close: () => {},
    pause: () => {},
    resume: () => {},
  };
  const nonce = new Uint8Array(32).fill(number);
  handler.connected(number, socket, SESSION_KIND.front, 0);
  handler.frame(number, encodeHello({ kind: SESSION_KIND.front, nonce, checkpoint }));
  const signature = ann.sign(sessionBytes(serverId, SESSION_KIND.front, challenge, nonce, ann.publicKey));
  handler.frame(number, encodeSession([{ key: ann.publicKey, acknowledged: 0, signature }]));
  for (const step of steps.splice(0)) step();
}

function mailboxOpened({ handler }: ReturnType<typeof made>, connection: number): void {
  const chain = { lastEpoch: 0, total: 0, head: ZERO_HASH };
  const about = { connection, slot: 0, kind: SESSION_KIND.front, outbox: 0, error: null };
  handler.handle({ type: 'mailbox-opened', ...about, ...chain } as ActorMessage);
}

test('what a session has brought is handed on before its sender\u2019s next session asks for the last counter', () => {
  const one = made();
  greet(one, 1);
  mailboxOpened(one, 1);
  one.handler.handle({ type: 'sender-opened', connection: 1, slot: 0, lastCounter: 0 });
  const recipients = [{ mailbox: named('bob'), envelope: new Uint8Array(0) }];
  const bundle = encodeBundle(recipients, new Uint8Array(5), named('roster'));
  greet(one, 2);
  one.sent.length = 0;
  // Of one turn of the event loop, at whose end frames are handed on.
  one.handler.frame(1, encodeSubmit(0, 1, [bundle]));
  mailboxOpened(one, 2);
  const types = one.sent.map(({ type }) => type);
  assert.equal(types, ['submit', 'open-sender']);
  for (const step of one.steps.splice(0)) step();
  assert.is(one.sent.length, 2);
});

test.run();
