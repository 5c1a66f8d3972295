/** `countersign serve`: runs a server until it is told to stop. */
import { startServer } from '../server/index.js';
import type { Call, Command } from './command.js';
import { configFrom, configOptions } from './config-flags.js';

export const command: Command = {
  name: 'serve',
  summary: 'Run a server until SIGTERM or SIGINT',
  options: configOptions,
  async run({ values, say, json }: Call): Promise<object> {
    const server = await startServer(configFrom(values));
    const { serverId, url, internalUrl, config } = server;
    say(`Countersign listens on ${url} (health on ${internalUrl}), data in ${config.data}`);
    say(`Server id ${serverId}`);
    say(
      `${config.inboxes} inbox(es), ${config.outboxes} outbox(es) on ${config.threads} worker thread(s), checks: ${config.checks}`,
    );
    say('Try it: npx countersign demo, or countersign keygen --out me.key and countersign tail --key me.key');
    if (json) process.stdout.write(`${JSON.stringify({ serverId, url, internalUrl })}\n`);
    try {
      await Promise.race([toldToStop(), server.failed]);
      say('Draining …');
    } finally {
      await server.stop();
    }
    return { stopped: true, serverId };
  },
};

function toldToStop(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve());
  });
}
