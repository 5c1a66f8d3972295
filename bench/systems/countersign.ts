/**
 * Countersign itself, as `countersign serve` runs it. `countersign` verifies as the workload says; `countersign-unverified`
 * never does, so that both stand in one run beside systems that have nothing to verify.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CpuProfile } from '../profile.js';
import { startServer } from '../server-process.js';
import type { Address, Promises, RunningSystem, StageTimes, System } from '../system.js';
import type { Workload } from '../workload.js';
import { signerOf } from './countersign-keys.js';
import { LibraryClients } from './countersign-library.js';
import { LightClients } from './countersign-light.js';

function promises({ server, verification }: Workload): Promises {
  const kept = server.durability === 'fsync' ? 'fsynced per epoch' : 'in memory per epoch';
  return {
    totalOrder: true,
    durable: kept,
    verified: verification === 'all' ? 'every receipt and delivery' : 'nothing',
  };
}

async function missing({ encoding, verification, server }: Workload): Promise<string | null> {
  if (encoding === 'json' && server.submissions === 'required')
    return 'clients that speak JSON sign nothing here: set server.submissions=accepted';
  if (encoding === 'json' && verification === 'all')
    return 'the client library speaks binary alone: set verification=none with encoding=json';
  return null;
}

const { version } = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'));

/** What the workload asks of the server beyond its defaults. */
function flagsFor(workload: Workload): string[] {
  const { server } = workload;
  return [
    ...['--inboxes', String(server.inboxes), '--outboxes', String(server.outboxes)],
    ...['--threads', String(server.threads), '--checks', server.checks],
    ...['--epoch-min-interval-ms', String(server.epochIntervalMs)],
    ...['--submissions', server.submissions ?? 'accepted'],
    ...limitFlags(workload),
  ];
}

/** The limits that stand in the workload's way by default. */
export function limitFlags({ bodyBytes, envelopeBytes, receivers, online }: Workload): string[] {
  const perSocket = Math.ceil(online / receivers);
  const raised = (flag: string, fallback: number, value: number) =>
    value > fallback ? [flag, String(value)] : [];
  return [
    ...raised('--limits-body-bytes', 262_144, bodyBytes),
    ...raised('--limits-envelope-bytes', 4096, envelopeBytes),
    ...raised('--limits-mailboxes-per-socket', 4096, perSocket),
  ];
}

async function start(workload: Workload, directory: string, unattested: boolean): Promise<RunningSystem> {
  const ids = join(directory, 'bench-ids');
  writeIds(ids, workload.mailboxes);
  const server = await startServer(flagsFor(workload), {
    preload: 'stages',
    unattested,
    data: join(directory, 'data'),
  });
  return {
    address: { url: server.url, internalUrl: server.internalUrl, ids },
    version,
    pids: [server.pid],
    stages: async () => merged((await server.ask('stages')) as StageTimes[]),
    async profile() {
      await server.ask('startProfile');
      return async () =>
        ((await server.ask('stopProfile')) as CpuProfile[]).map((profile, thread) => {
          const name = thread === 0 ? 'main thread (sockets)' : `worker thread ${thread}`;
          return { name: `server, ${name}`, profile };
        });
    },
    stop: () => server.stop(),
  };
}

function merged(threads: readonly StageTimes[]): StageTimes {
  const all: Record<string, number[]> = {};
  for (const times of threads)
    for (const [stage, ms] of Object.entries(times)) all[stage] = [...(all[stage] ?? []), ...ms];
  return all;
}

/** So many keys are made within some ten seconds, which is when a person wants to know. */
const KEYS_PER_LINE = 100_000;

/** Every process needs every mailbox's id; making one costs as much as sending ten messages. */
function writeIds(file: string, count: number): void {
  const ids = new Uint8Array(32 * count);
  for (let i = 0; i < count; i++) {
    if (i > 0 && i % KEYS_PER_LINE === 0) console.error(`made the keys of ${i} of ${count} mailboxes`);
    ids.set(signerOf(`mailbox ${i}`).publicKey, 32 * i);
  }
  writeFileSync(file, ids);
}

function system(name: string, effective: (workload: Workload) => Workload, unattested = false): System {
  return {
    name,
    promises: (workload) => promises(effective(workload)),
    missing: (workload) => missing(effective(workload)),
    start: (workload, directory) => start(workload, directory, unattested),
    async connect(address: Address, given: Workload) {
      const workload = effective(given);
      const ids = readFileSync(String(address['ids']));
      const kind = workload.verification === 'all' ? LibraryClients : LightClients;
      return kind.connect(
        { url: String(address['url']), internalUrl: String(address['internalUrl']), ids },
        workload,
      );
    },
  };
}

export const countersign = system('countersign', (workload) => workload);
const unverified = (workload: Workload): Workload => ({ ...workload, verification: 'none' });
export const countersignUnverified = system('countersign-unverified', unverified);
/** What the same server does with hashing, trees and signing switched off, as bench/unattested/register.ts says. */
export const unattested: System = {
  ...system('unattested', unverified, true),
  promises: (workload) => ({
    ...promises(unverified(workload)),
    verified: 'nothing: there is nothing to verify',
  }),
};
