/** `countersign keys rotate`: gives actors of a server that is stopped new keys, by a next version of its manifest. */
import { rotateKeys } from '../server/rotation.js';
import { type Command, columns, UsageError } from './command.js';
import { DATA, dataOf, sayVersion, showing } from './manifest-change.js';

export const command: Command = {
  name: 'keys',
  summary: 'Give actors of a server that is stopped new keys: a next version of its manifest',
  positionals: 'rotate',
  options: {
    data: DATA,
    actor: {
      type: 'string',
      value: 'NAME',
      multiple: true,
      about: 'such as inbox-0, or all; may be given again (default: all)',
    },
  },
  async run({ values, positionals, say, json }) {
    if (positionals.length !== 1 || positionals[0] !== 'rotate')
      throw new UsageError('expected: countersign keys rotate');
    const data = dataOf(values);
    const names = (values['actor'] ?? ['all']) as string[];
    const chosen = names.includes('all') ? null : names;
    const rotated = await showing(json, (watching) => rotateKeys(data, chosen, watching));
    const { actors } = rotated;
    sayVersion(say, rotated);
    say(`\nNew keys (${actors.length}); the secrets of those before are gone:`);
    say(columns(actors.map(({ actor, key }) => [actor, key])));
    if (actors.some(({ actor }) => actor === 'sequencer-0'))
      say(
        '\nWitnesses know the log by its key: give them the new one, as countersign manifest shows it, as well.',
      );
    return rotated;
  },
};
