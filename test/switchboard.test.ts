/** In which order messages are carried. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { address } from '../src/actors/messages.js';
import { Switchboard } from '../src/actors/switchboard.js';

const test = suite('switchboard');

test('what an actor sends to another thread is on its way before the next actor of this thread works', () => {
  const events: string[] = [];
  const switchboard = new Switchboard(
    1,
    ({ kind }) => (kind === 'gateway' ? 0 : 1),
    (thread, envelopes) => events.push(`${envelopes.length} to thread ${thread}`),
  );
  for (const kind of ['inbox', 'outbox'] as const) {
    switchboard.add(address(kind), () => {
      events.push(kind);
      for (let i = 0; i < 2; i++) switchboard.send(address('gateway'), { type: 'finished' });
    });
  }
  switchboard.receive([
    { to: address('inbox'), message: { type: 'finish' } },
    { to: address('outbox'), message: { type: 'finish' } },
  ]);
  assert.equal(events, ['inbox', '2 to thread 0', 'outbox', '2 to thread 0']);
});

test.run();
