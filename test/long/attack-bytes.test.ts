/** What anybody can send to an open port: bytes at random, and thousands of sessions. */
import { randomBytes } from 'node:crypto';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { encodeAck, encodeAskStill, encodeSession, FRAME } from '../../src/protocol/index.js';
import { attacked, FRONT, hello, OUTBOX, session, submit } from '../support/attack.js';
import { idOf } from '../support/names.js';
import { Raw } from '../support/raw.js';

const test = suite('attacks');

test('random bytes, and good frames with bytes changed: the server lives', async () => {
  await attacked({}, async (_, url) => {
    for (let i = 0; i < 300; i++) {
      const path = i % 2 === 0 ? FRONT : OUTBOX;
      const raw = await Raw.connect(url, path);
      if (i % 3 > 0) await raw.greet();
      if (i % 3 > 1) await raw.open(`fuzz ${i % 7}`);
      const good = [
        hello(raw),
        session(raw),
        submit(),
        encodeAck([{ slot: 0, epoch: 1 }]),
        encodeAskStill([0]),
      ];
      const frame = Uint8Array.from(good[i % good.length]!);
      if (i % 4 === 0) frame.set(randomBytes(frame.length - 1), 1);
      else
        for (let n = 0; n <= i % 5; n++)
          frame[Math.floor(Math.random() * frame.length)] = Math.random() * 256;
      raw.send(frame);
      raw.send(randomBytes(1 + Math.floor(Math.random() * 200)));
      if (i % 2 === 0) await Promise.race([raw.closed, new Promise((resolve) => setTimeout(resolve, 20))]);
      raw.close();
    }
  });
});

test('who asks for thousands of sessions is not in the way of who asks for one', async () => {
  await attacked({}, async (_, url) => {
    const raws = await Promise.all(Array.from({ length: 5 }, () => Raw.connect(url, FRONT)));
    await Promise.all(raws.map((raw) => raw.greet()));
    const [honest, ...greedy] = raws;
    const many = Array.from({ length: 256 }, () => ({
      key: idOf('mallory'),
      acknowledged: 0,
      signature: randomBytes(64),
    }));
    const times = 12;
    for (const raw of greedy) for (let i = 0; i < times; i++) raw.send(encodeSession(many));
    const through = greedy.map(async (raw) => {
      for (let i = 0; i < times; i++) await raw.next(FRAME.opened);
      return 'greedy';
    });
    assert.is(await Promise.race([honest!.open('mallory').then(() => 'honest'), ...through]), 'honest');
    await Promise.all(through);
    for (const raw of raws) raw.close();
  });
});

test.run();
