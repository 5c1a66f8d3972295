/** `countersign serve`: runs a server until it is told to stop. */
import { type Server, startServer } from '../server/index.js';
import { type Call, type Command, fail } from './command.js';
import { configFrom, configOptions } from './config-flags.js';
import { saidNowAndThen } from './progress.js';

export const command: Command = {
  name: 'serve',
  summary: 'Run a server until SIGTERM or SIGINT',
  options: configOptions,
  async run(call: Call): Promise<object> {
    const { values, say, json } = call;
    const server = await startServer(configFrom(values), {
      warn: (text) => process.stderr.write(`warning: ${text}\n`),
      progress: saidNowAndThen((line) => say(`Starting: ${line}`)),
    });
    const { serverId, url, internalUrl, config } = server;
    say(`Countersign listens on ${url} (health on ${internalUrl}), data in ${config.data}`);
    say(`Server id ${serverId}`);
    say(
      `${config.inboxes} inbox(es), ${config.outboxes} outbox(es) on ${config.threads} worker thread(s), checks: ${config.checks}`,
    );
    say('Try it: npx countersign demo, or countersign keygen --out me.key and countersign tail --key me.key');
    for (const warning of server.warnings) say(`Warning: ${warning}`);
    process.on('SIGHUP', () => reload(server, call));
    if (json) process.stdout.write(`${JSON.stringify({ serverId, url, internalUrl })}\n`);
    try {
      await Promise.race([toldToStop(server), server.failed]);
      say('Draining …');
    } finally {
      await server.stop();
    }
    return { stopped: true, serverId };
  },
};

/** Reads the configuration again, from where it came, and says what became of it. */
function reload(server: Server, { values, tell, json }: Call): void {
  try {
    const { changed, fixed, warnings } = server.reload(configFrom(values));
    const parts = [
      `Reloaded: ${changed.length > 0 ? changed.join(', ') : 'nothing has changed'}`,
      ...(fixed.length > 0 ? [`only a restart changes ${fixed.join(', ')}`] : []),
      ...warnings.map((warning) => `warning: ${warning}`),
    ];
    tell({ reloaded: { changed, fixed, warnings } }, parts.join('; '));
  } catch (error) {
    fail(error, json, 'countersign config');
  }
}

/** Told once more it hurries. */
function toldToStop(server: Server): Promise<void> {
  return new Promise((resolve) => {
    let told = false;
    const tell = () => {
      if (told) server.hurry();
      told = true;
      resolve();
    };
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, tell);
  });
}
