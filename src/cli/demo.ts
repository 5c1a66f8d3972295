/**
 * `countersign demo`: shows what the server promises, on this machine and in a few seconds. Clients in this
 * process, a server in another; at the end everything that anybody saw is checked, and every proof.
 */
import { rmSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { type Command, columns, Failure, type OptionValues, UsageError } from './command.js';
import { showCheat } from './demo/cheat.js';
import { check, type Findings, isClean } from './demo/checks.js';
import { latencyOf } from './demo/latency.js';
import { makePlan, type Plan } from './demo/plan.js';
import { Rehearsal, type Rehearsed } from './demo/rehearsal.js';
import type { ServerProcess } from './demo/server-process.js';
import { type Progress, progressOn } from './progress.js';

/** Proofs that are checked before the progress is shown again. */
const PROOFS_AT_ONCE = 50;
/** Of each kind of finding, in the message. */
const MOST_SHOWN = 5;

export const command: Command = {
  name: 'demo',
  summary: 'Run a server and clients, kill the server in the middle, and check that every promise held',
  options: {
    messages: { type: 'string', value: 'N', default: '2000', about: 'messages to send, 10 to 100000' },
    clients: { type: 'string', value: 'N', default: '20', about: 'clients, 2 to 200' },
    seed: {
      type: 'string',
      value: 'N',
      default: '1',
      about: 'decides who sends what to whom, and when what fails',
    },
    cheat: {
      type: 'string',
      value: 'ROLE:CHEAT',
      about: 'show instead how an actor that cheats is found out',
    },
  },
  async run({ values, json, say }) {
    if (typeof values['cheat'] === 'string') {
      refuseBesideCheat(values);
      return showCheat(values['cheat'], { say });
    }
    const messages = integer(values, 'messages', 10, 100_000);
    const clients = integer(values, 'clients', 2, 200);
    const seed = integer(values, 'seed', 0, 2 ** 31 - 1);
    const plan = makePlan({ messages, clients, seed });
    const progress = progressOn(process.stdout, !json, say);
    const began = performance.now();
    const { findings, ...rest } = await demonstrate(plan, seed, progress);
    const result = { seed, clients, ...rest, seconds: Math.round((performance.now() - began) / 10) / 100 };
    say(table(result));
    if (isClean(findings) && result.unproven === 0) return result;
    throw new Failure('demo-failed', inWords(findings, result.unproven), DEFECT, result);
  },
};

const DEFECT = 'This is a defect: please report it with the lines above.';

/** A cheat is played as it is. */
function refuseBesideCheat(values: OptionValues): void {
  for (const name of ['messages', 'clients', 'seed'])
    if (values[name] !== command.options[name]!.default) throw new UsageError(`--${name}: not with --cheat`);
}

function integer(values: OptionValues, name: string, least: number, most: number): number {
  const text = values[name] as string;
  const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= least && value <= most) return value;
  throw new UsageError(`--${name}: expected an integer from ${least} to ${most}, got ${text}`);
}

/** Runs the plan in a directory and with processes that are gone afterwards, however it ends. */
async function demonstrate(plan: Plan, seed: number, progress: Progress) {
  const directory = await mkdtemp(join(tmpdir(), 'countersign-demo-'));
  const ending = new AbortController();
  const servers: ServerProcess[] = [];
  const rehearsal = new Rehearsal(plan, {
    directory,
    seed,
    signal: ending.signal,
    started: (server) => servers.push(server),
    note: progress.note,
    progress: progress.at,
  });
  const undo = onSignals(
    () => ending.abort(interrupted()),
    () => {
      for (const server of servers) server.killNow();
      rmSync(directory, { recursive: true, force: true });
    },
  );
  try {
    progress.start(
      'messages delivered and receipted',
      plan.messages.reduce((n, { to }) => n + 1 + to.length, 0),
    );
    const work = rehearsal.run().then((rehearsed) => evaluate(plan, rehearsed, progress, ending.signal));
    return await work;
  } finally {
    progress.stop();
    await rehearsal.end();
    for (const server of servers) await server.kill('SIGKILL');
    await rm(directory, { recursive: true, force: true });
    undo();
  }
}

async function evaluate(plan: Plan, rehearsed: Rehearsed, progress: Progress, signal: AbortSignal) {
  const { record, outages, restartMs } = rehearsed;
  const findings = check(plan, record.seen);
  const { proofs, unproven } = await checkProofs(rehearsed, progress, signal);
  return {
    messages: plan.messages.length,
    deliveries: record.mailboxes.reduce((sum, mailbox) => sum + mailbox.length, 0),
    epochs: new Set(record.receipts.map((receipt) => receipt?.place.epoch)).size,
    ...latencyOf(record.flights, outages),
    restartMs,
    absenceMs: Math.round(outages[1]!.until - outages[1]!.from),
    lost: findings.lost.length,
    duplicated: findings.duplicated.length,
    misordered: findings.misordered.length,
    altered: findings.altered.length,
    proofs,
    unproven,
    findings,
  };
}

async function checkProofs({ record, witness }: Rehearsed, progress: Progress, signal: AbortSignal) {
  let unproven = 0;
  progress.start('proofs checked', record.proofs.length);
  for (const [i, proof] of record.proofs.entries()) {
    try {
      await proof(witness);
    } catch {
      unproven++;
    }
    if (i % PROOFS_AT_ONCE !== 0) continue;
    progress.at(i);
    await turn(undefined, { signal });
  }
  return { proofs: record.proofs.length - unproven, unproven };
}

type Result = Omit<Awaited<ReturnType<typeof demonstrate>>, 'findings'> & {
  readonly clients: number;
  readonly seconds: number;
};

function table(result: Result): string {
  const count = (n: number) => n.toLocaleString('en');
  const rows: [string, string, string][] = [
    ['messages', count(result.messages), `from ${result.clients} clients, each to 1 to 5 of them`],
    ['deliveries', count(result.deliveries), 'one client was away meanwhile, the server was killed once'],
    ['epochs', count(result.epochs), 'that held messages'],
    ['latency p50', `${result.p50Ms} ms`, 'from send() to the verified delivery in the application'],
    [
      'latency p99',
      `${result.p99Ms} ms`,
      `${count(result.flights)} deliveries: without the restart and the absence`,
    ],
    [
      'slowest',
      `${count(result.slowestMs)} ms`,
      `with them: ${count(result.restartMs)} ms of restart, ${count(result.absenceMs)} ms of absence`,
    ],
    ['lost', count(result.lost), 'deliveries and receipts'],
    ['duplicated', count(result.duplicated), ''],
    ['misordered', count(result.misordered), 'in one total order, and in the order of each sender'],
    ['altered', count(result.altered), 'or invented'],
    [
      'proofs',
      count(result.proofs),
      `checked: every delivery, receipt and stand (${count(result.unproven)} failed)`,
    ],
  ];
  const width = Math.max(...rows.map(([, value]) => value.length));
  return `\n${columns(rows.map(([name, value, about]) => [name, `${value.padStart(width)}   ${about}`.trimEnd()]))}\n`;
}

function inWords(findings: Findings, unproven: number): string {
  const lines = Object.entries(findings).flatMap(([kind, list]) => [
    ...(list as readonly string[]).slice(0, MOST_SHOWN).map((text) => `${kind}: ${text}`),
    ...(list.length > MOST_SHOWN ? [`${kind}: ${list.length - MOST_SHOWN} more`] : []),
  ]);
  if (unproven > 0) lines.push(`${unproven} proofs do not hold`);
  return ['a promise did not hold', ...lines].join('\n');
}

/** `stop` at the first wish to end; `last` when the process ends without having come to its own end. */
function onSignals(stop: () => void, last: () => void): () => void {
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const signal of signals) process.on(signal, stop);
  process.once('exit', last);
  return () => {
    for (const signal of signals) process.off(signal, stop);
    process.off('exit', last);
  };
}

function interrupted(): Failure {
  return new Failure('interrupted', 'the demo was interrupted', '', {});
}
