/** What readers wait for: messages one at a time, in order; signals that come at any moment. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { abortable } from '../src/client/abortable.js';
import type { Message } from '../src/client/message.js';
import { MessageQueue } from '../src/client/message-queue.js';

/** As much of a message as a queue asks for. */
function message(name: string, acknowledged: string[]): Message {
  return { name, weight: 1, ack: () => acknowledged.push(name) } as unknown as Message;
}

const test = suite('the queue of messages');

test('a second message is not asked for while one is being waited for, also when that has just come', async () => {
  const acknowledged: string[] = [];
  const queue = new MessageQueue();
  const reader = queue.read();
  const first = reader.next();
  const second = reader.next().then(String, (error: unknown) => error);
  assert.instance(await second, TypeError);
  queue.push([message('a', acknowledged), message('b', acknowledged)], () => {});
  assert.instance(await reader.next().then(String, (error: unknown) => error), TypeError);
  const names = [await first, await reader.next()].map(
    ({ value }) => (value as unknown as { name: string }).name,
  );
  assert.equal(names, ['a', 'b']);
  assert.equal(acknowledged, ['a']);
  await reader.return!();
  assert.equal(acknowledged, ['a', 'b']);
});

test('a signal that comes while the work begins ends it, too', async () => {
  const controller = new AbortController();
  const begun = abortable(controller.signal, () => {
    controller.abort();
    return () => {};
  });
  assert.is(await begun.catch(({ code }) => code), 'aborted');
});

test.run();
