/** A process of clients: does what the bench's main process asks, and tells it every second how it goes. */
import type { Calls, FromClient, OpenOptions, ToClient } from './client-protocol.js';
import { now } from './clock.js';
import { Latencies } from './latencies.js';
import { Profiler } from './profile.js';
import { Receiving } from './receiving.js';
import { Sending } from './sending.js';
import type { Clients } from './system.js';
import { systemOf } from './systems/index.js';

type Handlers = { [Name in keyof Calls]: (...args: Parameters<Calls[Name]>) => unknown };

const nothing = new Latencies();
const profiler = new Profiler();
let clients: Clients;
let sending: Sending;
let receiving: Receiving;
let ticking: NodeJS.Timeout | undefined;

const tell = (message: FromClient) => void process.send!(message);

function failed({ name, message }: Error): void {
  tell({ type: 'failed', name, message });
}

async function open({ system, address, workload }: OpenOptions): Promise<void> {
  clients = await systemOf(system).connect(address, workload);
  sending = new Sending(workload, failed);
  receiving = new Receiving(workload, clients, failed);
}

/** Seconds begin with the load, at the same moment in all processes. */
function startTicking(moment: number): void {
  let [second, last] = [1, { sent: 0, acknowledged: 0, delivered: 0 }];
  const tick = () => {
    const counts = { sent: sending.sent, acknowledged: sending.acknowledged, delivered: receiving.count };
    const { latencies } = receiving;
    tell({
      type: 'tick',
      second,
      tick: {
        sent: counts.sent - last.sent,
        acknowledged: counts.acknowledged - last.acknowledged,
        delivered: counts.delivered - last.delivered,
        latencies: counts.delivered > last.delivered ? latencies.counts : nothing.counts,
      },
    });
    latencies.clear();
    last = counts;
    second++;
    ticking = setTimeout(tick, moment + second * 1000 - now());
  };
  ticking = setTimeout(tick, moment + 1000 - now());
}

const handlers: Handlers = {
  open,
  register: (mailboxes) => clients.register(mailboxes),
  openSenders: (senders) => sending.open(clients, senders),
  fill: (count, window) => sending.fill(count, window),
  start(moment) {
    startTicking(moment);
    if (sending.isOpen) sending.start(moment);
  },
  stop() {
    clearTimeout(ticking);
    return sending.stop();
  },
  read: (lists) => receiving.read(lists),
  expect: (count) => receiving.expect(count),
  readRest: (mailboxes, expected) => receiving.readRest(mailboxes, expected),
  sent: () => sending.results(),
  received: () => receiving.results(),
  startProfile: () => profiler.start(),
  stopProfile: () => profiler.stop(),
  async close() {
    await sending.close();
    await receiving.closeReceivers();
    await clients.close();
  },
};

async function answer({ id, name, args }: ToClient): Promise<void> {
  try {
    const value = await (handlers[name] as (...args: readonly unknown[]) => unknown)(...args);
    tell({ type: 'answer', id, value });
  } catch (error) {
    tell({ type: 'answer', id, value: null, error: (error as Error).stack ?? String(error) });
  }
}

process.on('message', (message: ToClient) => void answer(message));
process.on('disconnect', () => process.exit());
// The main process is told, too, and ends everything in order.
process.on('SIGINT', () => {});
