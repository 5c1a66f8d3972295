/** TLS over real sockets, by programs that trust the certificate. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { directory, serverAt } from '../client-helpers.js';
import { get, pem, TLS } from '../support/edge.js';
import { countersign, start } from '../support/program.js';

const test = suite('edge');

test('programs that trust the certificate send and receive over wss', async () => {
  const server = await serverAt(directory('tls'), TLS);
  assert.match(server.url, /^https:/);
  assert.equal(server.warnings, []);
  const cwd = directory('tls-clients');
  const env = { NODE_EXTRA_CA_CERTS: pem('localhost.crt') };
  const url = ['--url', server.url.replace('127.0.0.1', 'localhost')];
  const made = await countersign(['keygen', '--json', '--out', 'me.key'], { cwd });
  const { id } = JSON.parse(made.stdout);
  const distrusting = await countersign(['tail', ...url, '--key', 'me.key'], { cwd });
  assert.equal([distrusting.status, distrusting.stderr.split(':')[0]], [1, 'connection-lost']);
  const tail = start(['tail', ...url, '--key', 'me.key', '--count', '1'], { cwd, env });
  await tail.said(/^mailbox /m);
  // The tail's key is the mailbox; the sender is another client.
  await countersign(['keygen', '--out', 'other.key'], { cwd });
  const sent = await countersign(['send', ...url, '--key', 'other.key', '--to', id, 'over TLS'], {
    cwd,
    env,
  });
  assert.equal([sent.status, sent.stderr], [0, '']);
  await tail.said(/ {2}over TLS$/m);
  assert.is((await tail.ended).status, 0);
  assert.match((await get(`${server.url}/v1/mailboxes/${id}`)).body, /"url":"wss:/);
  await server.stop();
});

test.run();
