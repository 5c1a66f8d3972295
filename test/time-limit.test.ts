/** What has a limit ends by it, also when garbage is collected meanwhile: Node 20 forgets limits that nobody else holds. */
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { askFor } from '../src/client/asking.js';
import { getJson } from '../src/client/directory.js';
import { withTimeLimit } from '../src/client/time-limit.js';
import { CountersignError } from '../src/protocol/index.js';

const test = suite('time limits');

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

const MS = 200;
/** Beyond any limit here. */
const LONG_MS = 5000;

/** How it ends, while garbage is collected again and again; 'waits' when it does not. */
async function endOf(waiting: Promise<unknown>): Promise<unknown> {
  const collecting = setInterval(collect, 10);
  const over = new AbortController();
  const late = pause(LONG_MS, 'waits', { signal: over.signal }).catch(() => 'over');
  try {
    return await Promise.race([waiting.catch((error: unknown) => error), late]);
  } finally {
    clearInterval(collecting);
    over.abort();
  }
}

const ended = (signal: AbortSignal) =>
  new Promise((resolve) => signal.addEventListener('abort', () => resolve(signal.reason), { once: true }));

test('a limit comes though nobody holds its signal', async () => {
  const reason = (await endOf(ended(withTimeLimit(MS, new AbortController().signal, undefined)))) as Error;
  assert.is(reason.name, 'TimeoutError');
});

test('another signal ends it before, as that says', async () => {
  const other = new AbortController();
  const limited = withTimeLimit(LONG_MS, undefined, other.signal);
  setTimeout(() => other.abort('enough'), MS);
  assert.is(await endOf(ended(limited)), 'enough');
  assert.is(withTimeLimit(LONG_MS, AbortSignal.abort('at once')).reason, 'at once');
});

const unanswering: Record<string, (response: ServerResponse) => void> = {
  'does not answer': () => {},
  'stops after the head': (response) => response.writeHead(200).flushHeaders(),
  'stops inside of the answer': (response) => void response.writeHead(200).write('{"manifests":['),
};
const questions: Record<string, (url: string, signal: AbortSignal) => Promise<unknown>> = {
  'a question': askFor,
  'a manifest': getJson,
};
for (const [how, answer] of Object.entries(unanswering))
  for (const [what, ask] of Object.entries(questions))
    test(`${what}, to a server that ${how}, ends by its limit`, async () => {
      const server = createServer((_, response) => answer(response));
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      try {
        const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
        const error = await endOf(ask(url, withTimeLimit(MS)));
        assert.instance(error, CountersignError, String(error));
        assert.is((error as CountersignError).code, 'connection-lost');
      } finally {
        server.closeAllConnections();
        server.close();
      }
    });

test.run();
