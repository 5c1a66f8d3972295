/**
 * A witness as a process of its own, which kills itself at a named point of its first request: one argument, JSON of
 * `{ key, data, log, phase }`. Says `{"url"}` when it listens.
 */
import { decodeVerifierKey, NOTE_KEY } from '../../src/protocol/notes/index.js';
import { startWitness } from '../../src/server/witness-server.js';

const { key, data, log, phase } = JSON.parse(process.argv[2]!) as Record<string, string>;
const witness = await startWitness({
  ...{ key: key!, name: 'w', data: data!, host: '127.0.0.1', port: 0 },
  logs: [decodeVerifierKey(log!, NOTE_KEY.ed25519)],
  warn: () => {},
  observe: (now) => {
    if (now !== phase) return;
    process.kill(process.pid, 'SIGKILL');
    // The signal takes effect on this thread before anything more is done.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10_000);
  },
});
process.stdout.write(`${JSON.stringify({ url: witness.url, verifierKey: witness.verifierKey })}\n`);
