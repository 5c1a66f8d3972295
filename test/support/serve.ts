/**
 * A server as a process of its own, for tests that kill it: one argument, JSON of `ServeOptions`. Says
 * what happens as JSON lines: `{"url"}` when it is ready, `{"failed","text"}` when it has to stop.
 */
import { loadConfig, OperatorError, startServer } from '../../src/server/index.js';

export interface ServeOptions {
  readonly data: string;
  readonly flags: Readonly<Record<string, string>>;
  /** The module to run on worker threads, if not the product's. */
  readonly workerModule?: string;
}

const say = (what: object) => process.stdout.write(`${JSON.stringify(what)}\n`);

function failed(error: unknown): void {
  const code = error instanceof OperatorError ? error.code : 'fault';
  say({ failed: code, text: error instanceof Error ? error.message : String(error) });
  process.exitCode = 3;
}

async function serve({ data, flags, workerModule }: ServeOptions): Promise<void> {
  const config = loadConfig({ flags: { data, ...flags }, env: {}, cores: 2 });
  const server = await startServer(config, workerModule === undefined ? {} : { workerModule });
  say({ url: server.url });
  const told = new Promise<void>((resolve) => process.once('SIGTERM', () => resolve()));
  await Promise.race([told, server.failed]).catch(failed);
  await server.stop();
}

await serve(JSON.parse(process.argv[2]!) as ServeOptions).catch(failed);
