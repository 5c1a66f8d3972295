/** Bundles and frames that go to the edge of a limit. */
import { setTimeout as pass } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import {
  decodeError,
  decodePlaced,
  ERRORS,
  type ErrorCode,
  encodeBundle,
  encodeSubmit,
  FRAME,
} from '../../src/protocol/index.js';
import type { Server } from '../../src/server/index.js';
import { idOf } from './names.js';
import { Raw } from './raw.js';

export const FRONT = '/v1/front';

export const bundle = (to: readonly string[], body = 1, envelope = 0) =>
  encodeBundle(
    to.map((name) => ({ mailbox: idOf(name), envelope: new Uint8Array(envelope) })),
    new Uint8Array(body),
    new Uint8Array(32),
  );
export const submit = (first: number, ...bundles: Uint8Array[]) => encodeSubmit(0, first, bundles);

export async function refused(raw: Raw, frame: Uint8Array, code: ErrorCode) {
  raw.send(frame);
  const error = await raw.error();
  assert.is(error.number, ERRORS[code].number, `${code} expected, got ${error.number} ${error.text}`);
  return error;
}

/** Sends again what is refused as busy until all of it is placed, in order. Returns what the answer says about when. */
export async function busy({ url }: Server): Promise<number> {
  const raw = await Raw.session(url, FRONT, 'mallory');
  const one = bundle(['mallory']);
  for (let i = 1; i <= 4; i++) raw.send(submit(i, one));
  const { number, retryAfterMs, firstCounter, count } = await raw.error();
  assert.equal([number, count], [ERRORS.busy.number, 1]);
  assert.ok(firstCounter > 1);
  raw.close();
  // What is asked for one by one is taken: nothing is left of the crowd.
  const again = await Raw.connect(url, FRONT);
  await again.greet();
  const { lastCounter } = await again.open('mallory');
  assert.ok(lastCounter < 4, 'nothing was refused');
  await placed(again, lastCounter + 1, one);
  again.close();
  return retryAfterMs;
}

/** Sends a bundle until it is placed, and each time waits for as long as the server says. */
export async function placed(raw: Raw, counter: number, one: Uint8Array): Promise<void> {
  for (let last = 0; last < counter; ) {
    raw.send(submit(counter, one));
    while (!raw.frames.some(([type]) => type === FRAME.placed || type === FRAME.error)) await pass(5);
    for (const frame of raw.frames.splice(0)) {
      if (frame[0] === FRAME.placed) last = decodePlaced(frame).messages.at(-1)!.counter;
      else if (frame[0] === FRAME.error) await pass(decodeError(frame).retryAfterMs);
    }
  }
}
