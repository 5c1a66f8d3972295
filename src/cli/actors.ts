/** `countersign actors`: other numbers of inboxes and outboxes for a server that is stopped. */
import { changeActors } from '../server/resizing.js';
import { type Command, columns, UsageError } from './command.js';
import { DATA, dataOf, sayVersion, showing } from './manifest-change.js';

export const command: Command = {
  name: 'actors',
  summary:
    'Give a server that is stopped other numbers of inboxes and outboxes: a next version of its manifest',
  options: {
    data: DATA,
    inboxes: { type: 'string', value: 'N', about: 'inboxes, each with its router (default: as many as now)' },
    outboxes: {
      type: 'string',
      value: 'N',
      about: 'outboxes, each with its receiver (default: as many as now)',
    },
  },
  async run({ values, say, json }) {
    const data = dataOf(values);
    const asked = Object.fromEntries(
      ['inboxes', 'outboxes'].flatMap((name) => {
        const text = values[name] as string | undefined;
        if (text === undefined) return [];
        if (!/^[1-9]\d{0,4}$/.test(text)) throw new UsageError(`--${name}: expected a number, got ${text}`);
        return [[name, Number(text)]];
      }),
    );
    if (Object.keys(asked).length === 0) throw new UsageError('expected --inboxes, --outboxes or both');
    const changed = await showing(json, (watching) => changeActors(data, asked, watching));
    const { inboxes, outboxes, actors } = changed;
    sayVersion(say, changed);
    say(`actors    ${inboxes} inboxes, ${outboxes} outboxes`);
    if (actors.length > 0) {
      say(`\nNew actors (${actors.length}):`);
      say(columns(actors.map(({ actor, key }) => [actor, key])));
    }
    return changed;
  },
};
