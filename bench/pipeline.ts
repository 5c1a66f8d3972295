/**
 * The pure pipeline on one thread, with arrays as neighbours: what a message costs in each stage, in
 * microseconds and in hashes. Nothing is written to a disk and nothing goes through a socket.
 *
 *     npm run bench:pipeline -- [--json] [--messages 2000] [--recipients 10] [--checks everywhere]
 *
 * Which epochs, and which load: bench/epochs.ts. Medians over epochs, after as many to warm up. The clients' side, on
 * the same thread, is shown beside it.
 */

import crypto from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';
import type { ActorMessage, Address } from '../src/actors/messages.js';
import { EMPTY_LOG } from '../src/client/log-state.js';
import { type MailboxState, type Obligation, verifyDeliver } from '../src/client/verifier.js';
import { World } from '../src/client/world.js';
import { HashLanes } from '../src/crypto/hash-lanes.js';
import { FRAME } from '../src/protocol/index.js';
import { readArguments, refuse, whole } from './arguments.js';
import { CHAIN_SEED, Epochs, mailboxes, socketOf, type Watcher } from './epochs.js';

/** Messages to spend on each row, over all measured epochs. */
const budgetOf = (recipients: number) => (recipients === 1 ? 160_000 : 600_000 / recipients);
const EPOCHS = { least: 9, most: 4000 };

const SERVER = [
  'handler',
  'submit',
  'close',
  'router',
  'receiver',
  'outbox',
  'ready',
  'deliver',
  'sequencer',
] as const;
/** Making a bundle; verifying all its deliveries (recipients' and the sender's own), apart from signatures, and these. */
const CLIENT = ['bundle', 'verify', 'ed25519'] as const;
const STAGES = [...SERVER, ...CLIENT];
type StageName = (typeof STAGES)[number];

function stageOf({ kind }: Address, { type }: ActorMessage): StageName | undefined {
  if (kind === 'sequencer') return 'sequencer';
  if (kind === 'inbox') return type === 'submit' ? 'submit' : 'close';
  if (kind === 'outbox')
    return type === 'receiver-items' ? 'outbox' : type === 'committed' ? 'deliver' : undefined;
  return kind === 'gateway' ? undefined : kind;
}

// ---- counting

let hashed = 0;
const { hash } = crypto;
const lanes = HashLanes.prototype as unknown as { hash(waiting: { readonly count: number }): void };
const { hash: hashTogether } = lanes;

/** Counts real hashes: every module's import of `hash` is the wrapper until it is put back, and so is what hashes several at a time. */
function countHashes(on: boolean): void {
  const counting = (...args: Parameters<typeof hash>) => {
    hashed++;
    return hash(...args);
  };
  lanes.hash = on
    ? function (this: unknown, waiting) {
        const { count } = waiting;
        const before = hashed;
        hashTogether.call(this, waiting);
        // Unless they went to `hash` one by one.
        if (hashed === before) hashed += count;
      }
    : hashTogether;
  Object.assign(crypto, { hash: on ? counting : hash });
  syncBuiltinESMExports();
}

// ---- the clients

/** A socket's client: what it knows of the log and of its mailboxes. */
class Client {
  private log = EMPTY_LOG;
  private readonly states = new Map<number, MailboxState>();

  constructor(private readonly world: World) {}

  open(slot: number, mailbox: Uint8Array, head: Uint8Array): void {
    const chain = { lastEpoch: 0, total: 0, head };
    const own = { matches: () => true };
    this.states.set(slot, { mailbox, chain, asOf: 0, ownCounter: 0, acknowledged: 0, own });
  }

  /** Verifies a delivery as far as hashes go; gives the signatures that are left. */
  take(frame: Uint8Array): readonly Obligation[] {
    if (frame[0] !== FRAME.deliver) return [];
    const verified = verifyDeliver(this.world, 0, this.log, (slot) => this.states.get(slot), frame);
    this.log = verified.log;
    for (const { slot, next } of verified.mailboxes) this.states.set(slot, next);
    return verified.obligations;
  }
}

interface Row {
  readonly messages: number;
  readonly recipients: number;
  readonly checks: 'process-boundaries' | 'everywhere';
  readonly epochs: number;
  /** Per message. */
  readonly micros: Record<StageName, number>;
  readonly hashes: Record<StageName, number>;
}

class Measurement implements Watcher {
  private readonly micros: Record<StageName, number>[] = [];
  private readonly hashes: Record<StageName, number> = zeros();
  private readonly epochs: Epochs;
  private readonly clients = new Map<number, Client>();
  private current = zeros();

  constructor(
    private readonly messages: number,
    private readonly recipients: number,
    private readonly everywhere: boolean,
  ) {
    this.epochs = new Epochs(messages, recipients, everywhere, this);
    // Nothing is judged here, so nobody has signed the manifest.
    const none = new Uint8Array(0);
    const { serverId: hash, manifest } = this.epochs;
    const world = new World([{ bytes: none, signature: none, hash, manifest }]);
    mailboxes.forEach((mailbox, slot) => {
      const client = this.clients.get(socketOf(slot)) ?? new Client(world);
      this.clients.set(socketOf(slot), client);
      client.open(slot, mailbox, CHAIN_SEED);
    });
  }

  around<T>(stage: StageName | undefined, step: () => T): T {
    const hashesBefore = hashed;
    const start = performance.now();
    const result = step();
    if (stage) {
      this.current[stage] += ((performance.now() - start) * 1000) / this.messages;
      this.hashes[stage] += (hashed - hashesBefore) / this.messages;
    }
    return result;
  }

  aroundActor(to: Address, message: ActorMessage, step: () => void): void {
    this.around(stageOf(to, message), step);
  }

  aroundLater(step: () => void): void {
    this.around('ready', step);
  }

  written(): void {}

  received(connection: number, frames: readonly Uint8Array[]): void {
    const client = this.clients.get(connection)!;
    const obligations = this.around('verify', () => frames.flatMap((frame) => client.take(frame)));
    const right = this.around('ed25519', () =>
      obligations.every(({ key, bytes, signature }) => key.verify(bytes, signature)),
    );
    if (!right) throw new Error('a signature does not verify');
  }

  private epoch(): void {
    this.current = zeros();
    this.epochs.make();
  }

  run(): Row {
    const affordable = Math.round(budgetOf(this.recipients) / this.messages);
    const epochs = Math.min(EPOCHS.most, Math.max(EPOCHS.least, affordable));
    for (let i = 0; i < epochs; i++) this.epoch();
    for (let i = 0; i < epochs; i++) {
      this.epoch();
      this.micros.push(this.current);
    }
    Object.assign(this.hashes, zeros());
    countHashes(true);
    this.epoch();
    countHashes(false);
    const { messages, recipients } = this;
    const micros = zeros();
    for (const stage of STAGES) micros[stage] = median(this.micros.map((each) => each[stage]));
    const checks = this.everywhere ? 'everywhere' : 'process-boundaries';
    return { messages, recipients, checks, epochs, micros, hashes: this.hashes };
  }
}

function zeros(): Record<StageName, number> {
  return Object.fromEntries(STAGES.map((stage) => [stage, 0])) as Record<StageName, number>;
}

function median(values: number[]): number {
  return values.sort((a, b) => a - b)[Math.floor(values.length / 2)]!;
}

// ---- output

const WIDTH = 10;
const sum = (values: Record<StageName, number>) => SERVER.reduce((total, stage) => total + values[stage], 0);

function line(name: string, unit: string, cells: readonly string[]): void {
  console.log(name.padEnd(30) + unit.padEnd(6) + cells.map((cell) => cell.padStart(WIDTH)).join(''));
}

function print({ messages, recipients, checks, micros, hashes }: Row): void {
  const cells = (values: Record<StageName, number>) =>
    [...SERVER.map((stage) => values[stage]), sum(values), ...CLIENT.map((stage) => values[stage])].map((v) =>
      v.toFixed(2),
    );
  line(`${messages} × ${recipients}`.padEnd(11) + checks, 'µs', cells(micros));
  line('', 'hashes', cells(hashes));
}

const USAGE = `npm run -s bench:pipeline -- [--messages 2000] [--recipients 10] [--checks everywhere|process-boundaries] [--json]

What a message costs in each stage, in microseconds and in hashes.`;

const { values } = readArguments(USAGE, {
  options: {
    json: { type: 'boolean', default: false },
    messages: { type: 'string' },
    recipients: { type: 'string' },
    checks: { type: 'string' },
  },
});

if (!values.json) line('messages × recipients', '', [...SERVER, 'server', ...CLIENT]);
const wanted = (option: string | undefined, all: readonly number[]) =>
  option ? [whole(USAGE, option)] : all;
const checks = (['process-boundaries', 'everywhere'] as const).filter(
  (each) => each === (values.checks ?? each),
);
if (checks.length === 0) refuse(USAGE, `--checks: ${values.checks} is none`);
for (const recipients of wanted(values.recipients, [1, 10])) {
  for (const messages of wanted(values.messages, [1, 100, 2000, 10_000, 20_000])) {
    for (const check of checks) {
      const row = new Measurement(messages, recipients, check === 'everywhere').run();
      if (values.json) console.log(JSON.stringify({ ...row, server: sum(row.micros) }));
      else print(row);
    }
  }
}
