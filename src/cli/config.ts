/** `countersign config`: shows or checks the settings that `serve` would run with, and their sources. */
import { describeConfig } from '../server/config.js';
import { type Command, columns } from './command.js';
import { configFrom, configOptions } from './config-flags.js';

export const command: Command = {
  name: 'config',
  summary: 'Show every setting in effect and where it comes from',
  options: { ...configOptions, check: { type: 'boolean', about: 'only say whether the settings are valid' } },
  async run({ values, say }) {
    const config = configFrom(values);
    if (values['check'] === true) {
      say('the configuration is valid');
      return { valid: true };
    }
    const settings = describeConfig(config);
    say(
      columns(
        settings.map((row) => [
          `${row.key} = ${JSON.stringify(row.value)}`,
          `${row.unit}, ${row.from}${row.live ? ', SIGHUP applies it' : ''}`,
        ]),
      ),
    );
    return { config, settings };
  },
};
