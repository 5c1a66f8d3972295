/** A server, and the commands that talk to it as processes. */
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { toHex } from '../../src/protocol/index.js';
import { writeKeyFile } from '../../src/server/keys.js';
import { clientOf, directory, keyOf, serverAt } from '../client-helpers.js';
import { countersign, type Ended, jsonLines, type ProgramOptions } from './program.js';

export const cwd = directory('cli-client');
const token = join(cwd, 'operator.token');
await writeKeyFile(token, keyOf('operator'));
export const server = await serverAt(directory('cli-client-data'), {
  inboxes: '2',
  outboxes: '2',
  'operator-token': token,
});

export const run = (args: string[], options: ProgramOptions = {}) => countersign(args, { cwd, ...options });
export const here = () => ['--url', server.url];
/** The last line of a run that went well. */
export function summary({ status, stdout, stderr }: Ended) {
  assert.equal([status, stderr], [0, ''], stdout);
  return jsonLines(stdout).at(-1);
}

/** Makes a key file and the key's mailbox. Returns the id. */
export async function member(name: string): Promise<string> {
  await writeKeyFile(join(cwd, `${name}.key`), keyOf(name));
  const client = await clientOf(server, name);
  await client.close();
  return toHex(client.id);
}
