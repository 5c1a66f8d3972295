/**
 * `countersign keygen`: makes a key: a client's, whose public half is the client's id and its mailbox, or a witness's,
 * which logs and clients know by its verifier key.
 */
import { importSecretKey, randomBytes } from '#crypto';
import { encodeVerifierKey } from '../protocol/notes/index.js';
import { writeKeyFile } from '../server/key-file.js';
import { witnessKey } from '../server/witness-server.js';
import { type Command, UsageError } from './command.js';
import { nameFrom, nameOption } from './witness-options.js';

export const command: Command = {
  name: 'keygen',
  summary: 'Make a client key and print its public id, or a key for a witness',
  options: {
    out: {
      type: 'string',
      value: 'FILE',
      default: 'client.key',
      about: 'where to write it; an existing file is never overwritten',
    },
    witness: { type: 'boolean', about: 'for a witness: prints its verifier key' },
    ...nameOption,
  },
  async run({ values, say }) {
    const file = values['out'] as string;
    const isWitness = values['witness'] === true;
    const name = nameFrom(values);
    if (name !== '' && !isWitness) throw new UsageError('--name: only the key of a witness has one');
    const seed = randomBytes(32);
    await writeKeyFile(file, seed);
    const { publicKey } = importSecretKey(seed);
    const shown = isWitness
      ? { verifierKey: encodeVerifierKey(witnessKey(publicKey, name)) }
      : { id: Buffer.from(publicKey).toString('hex') };
    say(`key   ${file}   (secret: keep it, and keep it to yourself)`);
    say(shown.verifierKey === undefined ? `id    ${shown.id}` : `vkey  ${shown.verifierKey}`);
    return { file, ...shown };
  },
};
