/** What the world of one run is like, drawn from its seed: every run has weather of its own. */
import type { Random } from './random.js';

export interface Profile {
  readonly inboxes: number;
  readonly outboxes: number;
  readonly clients: number;
  /** Mailboxes of a gateway; 0 = there is none. */
  readonly crowd: number;
  /** Whether there is one who only sends. */
  readonly hasSender: boolean;
  /** Mean delays in ms: between actors, on a socket, of a write. */
  readonly actorMs: number;
  readonly socketMs: number;
  readonly diskMs: number;
  /** Of the delays, how many are ten to a hundred times as long. */
  readonly stalls: number;
  readonly minIntervalMs: number;
  readonly heartbeatMs: number;
  readonly submissions: 'off' | 'accepted' | 'required';
  readonly flushEpochs: number;
  readonly messagesPerEpoch: number;
  readonly unacknowledgedEpochs: number;
  readonly retentionEpochs: number;
  readonly bytesInFlight: number;
  readonly window: number;
  readonly bufferBytes: number;
  readonly silenceMs: number;
  /** Mean times in ms from one to the next, for each client where there are several; 0 = never. */
  readonly sendMs: number;
  readonly stillMs: number;
  readonly cutMs: number;
  readonly partitionMs: number;
  readonly clientCrashMs: number;
  readonly clientCloseMs: number;
  readonly rivalMs: number;
  readonly serverCrashMs: number;
  readonly serverStopMs: number;
  /** Chance that the server dies between a write and its being told, and at any other event. */
  readonly crashAtWrite: number;
  readonly crashAtEvent: number;
}

/** Once in two runs never, else so often. */
function sometimes(random: Random, low: number, high: number): number {
  return random.chance(0.4) ? 0 : random.between(low, high);
}

export function profileOf(random: Random): Profile {
  const [inboxes, outboxes, clients] = [1 + random.int(3), 1 + random.int(3), 2 + random.int(4)];
  return {
    inboxes,
    outboxes,
    clients,
    submissions: (['off', 'accepted', 'required'] as const)[clients % 3]!,
    crowd: random.chance(0.25) ? 4 + random.int(18) : 0,
    hasSender: random.chance(0.3),
    actorMs: random.pick([0.05, 0.5, 3]),
    socketMs: random.pick([0.2, 2, 20]),
    diskMs: random.pick([0.2, 2, 15]),
    stalls: random.pick([0, 0.01, 0.05]),
    minIntervalMs: random.pick([0, 1, 10]),
    heartbeatMs: random.pick([50, 200, 1000]),
    flushEpochs: 1 + random.int(8),
    messagesPerEpoch: random.pick([4, 65_536]),
    unacknowledgedEpochs: random.pick([3, 100_000, 100_000]),
    retentionEpochs: random.pick([20, 100_000, 100_000]),
    bytesInFlight: random.pick([2048, 1 << 22]),
    window: random.pick([1, 4, 1024]),
    bufferBytes: random.pick([2000, 1 << 23]),
    silenceMs: random.pick([500, 3000]),
    sendMs: random.between(4, 60),
    stillMs: sometimes(random, 50, 500),
    cutMs: sometimes(random, 100, 1000),
    partitionMs: sometimes(random, 500, 3000),
    clientCrashMs: sometimes(random, 200, 2000),
    clientCloseMs: sometimes(random, 300, 2000),
    rivalMs: sometimes(random, 300, 2000),
    serverCrashMs: sometimes(random, 200, 2000),
    serverStopMs: sometimes(random, 500, 3000),
    crashAtWrite: random.pick([0, 0.01, 0.05]),
    crashAtEvent: random.pick([0, 0.0005]),
  };
}

/** A delay of that mean; now and then a long one. */
export function delayOf(random: Random, mean: number, stalls: number): number {
  const delay = random.around(mean);
  return random.chance(stalls) ? delay * random.between(10, 100) : delay;
}
