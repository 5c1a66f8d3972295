/** What commands about witnesses share: the name of its key. */
import { isKeyName } from '../protocol/notes/index.js';
import { type Option, type OptionValues, UsageError } from './command.js';

export const nameOption: Readonly<Record<string, Option>> = {
  name: {
    type: 'string',
    value: 'NAME',
    about: 'name of the witness, such as witness.example/w1; without it one made of its public key',
  },
};

/** Empty if none is given. */
export function nameFrom(values: OptionValues): string {
  const name = values['name'] as string | undefined;
  if (name === undefined || isKeyName(name)) return name ?? '';
  throw new UsageError(`--name: expected a name without spaces and plus signs, got ${JSON.stringify(name)}`);
}
