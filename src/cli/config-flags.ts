/** The flags of every command that runs by the server's configuration: `serve` and `config`. */
import { type Config, flagOptions, loadConfig } from '../server/config.js';
import type { Option, OptionValues } from './command.js';

const settings = flagOptions();

export const configOptions: Readonly<Record<string, Option>> = {
  config: {
    type: 'string',
    value: 'FILE',
    about: 'JSON file with settings; environment and flags go above it',
  },
  ...settings,
};

/** The configuration by parsed arguments, environment and file. Throws as `loadConfig` does. */
export function configFrom(values: OptionValues, env: NodeJS.ProcessEnv = process.env): Config {
  const text = (name: string) => values[name] as string | undefined;
  const flags = Object.fromEntries(Object.keys(settings).map((name) => [name, text(name)]));
  return loadConfig({ flags, env, file: text('config') });
}
