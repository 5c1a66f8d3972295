/** Ten thousand reconnects leave nothing behind: no listener, no timer, no memory. */
import { suite } from 'uvu';
import { cuts } from './support/cuts.js';

const test = suite('client reconnects');

test('real sockets, cut a hundred times: no listener too many, and it still works', () => cuts(100));

test.run();
