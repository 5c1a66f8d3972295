/** Ten thousand reconnects of real sockets leave nothing behind. */
import { suite } from 'uvu';
import { cuts } from '../support/cuts.js';

const test = suite('reconnects of real sockets');

test('10,000 cuts: listeners, timers and memory stay as they are', () => cuts(10_000));

test.run();
