/** How far it is: a bar on a terminal, also where nothing else runs meanwhile; lines now and then in a log. */
import { PassThrough } from 'node:stream';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { progressOn, saidNowAndThen, shownBy } from '../src/cli/progress.js';

const test = suite('progress');

function streamThat(isTTY: boolean): { stream: NodeJS.WriteStream; shown: () => string } {
  const through = new PassThrough();
  const stream = Object.assign(through, { isTTY, columns: 80 }) as unknown as NodeJS.WriteStream;
  return { stream, shown: () => through.read()?.toString() ?? '' };
}

function busyFor(ms: number): void {
  for (const until = performance.now() + ms; performance.now() < until; );
}

test('a bar is drawn while no timer can run', () => {
  const { stream, shown } = streamThat(true);
  const progress = progressOn(stream, true, () => {});
  const show = shownBy(progress);
  show('moving', 0, 8);
  assert.match(shown(), / 0% \| moving/);
  busyFor(150);
  show('moving', 2, 8);
  assert.match(shown(), / 25% \| moving/);
  busyFor(150);
  show('checking', 1, 2);
  assert.match(shown(), / 0% \| checking/);
  progress.stop();
});

test('nothing is drawn where there is no terminal, or where it is not wanted', () => {
  for (const [isTTY, isShown] of [
    [false, true],
    [true, false],
  ] as const) {
    const { stream, shown } = streamThat(isTTY);
    const progress = progressOn(stream, isShown, () => {});
    shownBy(progress)('moving', 1, 2);
    busyFor(150);
    shownBy(progress)('moving', 2, 2);
    progress.stop();
    assert.is(shown(), '');
  }
});

test('a log is told what takes long, and not at every step', () => {
  const said: string[] = [];
  let now = 5;
  const tell = saidNowAndThen(
    (line) => void said.push(line),
    () => now,
  );
  for (let done = 0; done < 100; done++, now += 100) tell('checking', done, 100);
  assert.equal(said, ['checking: 20 %', 'checking: 40 %', 'checking: 60 %', 'checking: 80 %']);
});

test.run();
