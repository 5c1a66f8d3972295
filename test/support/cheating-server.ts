/** A server, with an outbox that cheats when it is told to (cheating-worker.ts). */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadConfig, type Server, startServer } from '../../src/server/index.js';
import { directory } from '../client-helpers.js';
import type { Cheat } from './cheating-worker.js';

const WORKER = fileURLToPath(new URL('cheating-worker.js', import.meta.url));

export class CheatingServer {
  private constructor(
    readonly server: Server,
    private readonly file: string,
  ) {}

  static async start(more: Record<string, string>): Promise<CheatingServer> {
    const data = directory('comparing');
    const file = join(data, 'cheat.json');
    process.env['CHEAT_FILE'] = file;
    const flags = { data, port: '0', 'internal-port': '0', ...more };
    const config = loadConfig({ flags, env: {}, cores: 2 });
    return new CheatingServer(await startServer(config, { workerModule: WORKER }), file);
  }

  cheat(cheat: Cheat): void {
    writeFileSync(this.file, JSON.stringify(cheat));
  }
}
