/** The client in plain Python: the document's examples. test/long/python.test.ts: all of it against a server. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { isMissing, PYTHON, python } from './support/python.js';

if (isMissing)
  console.log(`SKIPPED: no ${PYTHON} with websockets and cryptography; .ci/install-debian installs them`);
const all = suite('client in Python');
const test = isMissing ? all.skip : all;

test('its primitives agree with every example of the document', async () => {
  const { status, stderr } = await python(['test_vectors.py']);
  assert.is(status, 0, stderr);
  assert.match(stderr, /^Ran \d\d tests in .*\n\nOK\n$/m);
});

all.run();
