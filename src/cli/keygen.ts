/** `countersign keygen`: makes a client's key. Its public half is the client's id and its mailbox. */
import { importSecretKey, randomBytes } from '#crypto';
import { writeKeyFile } from '../server/key-file.js';
import type { Command } from './command.js';

export const command: Command = {
  name: 'keygen',
  summary: 'Make a client key and print its public id',
  options: {
    out: {
      type: 'string',
      value: 'FILE',
      default: 'client.key',
      about: 'where to write it; an existing file is never overwritten',
    },
  },
  async run({ values, say }) {
    const file = values['out'] as string;
    const seed = randomBytes(32);
    await writeKeyFile(file, seed);
    const id = Buffer.from(importSecretKey(seed).publicKey).toString('hex');
    say(`key   ${file}   (secret: keep it, and keep it to yourself)`);
    say(`id    ${id}`);
    return { file, id };
  },
};
