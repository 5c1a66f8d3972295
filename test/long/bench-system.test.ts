/** The check of the bench's adapters itself: a system that keeps everything passes, and each way not to is found. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Clients, Receiver, ReceiverEvents, SenderEvents, System } from '../../bench/system.js';
import { checkSystem } from '../support/bench-system.js';

interface Message {
  readonly number: number;
  readonly to: readonly number[];
  readonly body: Uint8Array;
  readonly events: SenderEvents;
}

interface Entry {
  readonly place: number;
  readonly body: Uint8Array;
}

/** A message server in this process, whose disk is a map: stopping it is killing it. */
class MemoryServer {
  private readonly queues = new Map<number, Entry[]>();
  private readonly open = new Map<number, ReceiverEvents>();
  private waiting: Message[] = [];
  private sequence = 0;
  private life = 0;

  start(): void {
    this.life++;
    this.open.clear();
    this.waiting = [];
  }

  clients(): Clients {
    return {
      register: async (mailboxes) => this.make(mailboxes),
      openSender: async (_, events) => ({
        send: (number, to, body) => this.take({ number, to, body, events }),
        close: async () => {},
      }),
      openReceiver: async (mailboxes, events) => this.receive(mailboxes, events),
      close: async () => {},
    };
  }

  private make(mailboxes: readonly number[]): void {
    for (const mailbox of mailboxes) if (!this.queues.has(mailbox)) this.queues.set(mailbox, []);
  }

  private receive(mailboxes: readonly number[], events: ReceiverEvents): Receiver {
    this.make(mailboxes);
    for (const mailbox of mailboxes) {
      this.open.set(mailbox, events);
      this.deliver(mailbox);
    }
    return {
      close: async () => {
        for (const mailbox of mailboxes) this.open.delete(mailbox);
      },
    };
  }

  private take(message: Message): void {
    const { life } = this;
    if (this.waiting.push(message) > 1) return;
    setTimeout(() => {
      if (life === this.life) for (const each of this.waiting.splice(0)) this.store(each);
    }, 10);
  }

  private store({ number, to, body, events }: Message): void {
    const place = ++this.sequence;
    for (const mailbox of to) {
      this.queues.get(mailbox)!.push({ place, body });
      this.deliver(mailbox);
    }
    events.acknowledged(number, place);
  }

  private deliver(mailbox: number): void {
    const events = this.open.get(mailbox);
    if (!events) return;
    for (const { place, body } of this.queues.get(mailbox)!.splice(0)) events.delivered(mailbox, body, place);
  }
}

/** What clients make of what an honest server tells them. */
type Fault = (clients: Clients) => Clients;

type Delivered = ReceiverEvents['delivered'];
type Acknowledged = SenderEvents['acknowledged'];

const onDelivery =
  (faulty: (right: Delivered) => Delivered): Fault =>
  (clients) => ({
    ...clients,
    openReceiver: (mailboxes, events) =>
      clients.openReceiver(mailboxes, { ...events, delivered: faulty(events.delivered) }),
  });

const onAcknowledgment =
  (faulty: (right: Acknowledged) => Acknowledged): Fault =>
  (clients) => ({
    ...clients,
    openSender: (sender, events) =>
      clients.openSender(sender, { ...events, acknowledged: faulty(events.acknowledged) }),
  });

/** Every delivery of one mailbox behind the one that follows it. */
function swapped(right: Delivered): Delivered {
  let held: Parameters<Delivered> | null = null;
  return (...delivery) => {
    if (delivery[0] !== 7) return right(...delivery);
    if (!held) held = delivery;
    else {
      right(...delivery);
      right(...held);
      held = null;
    }
  };
}

/** Acknowledged at once, and sent later, unless the server has gone meanwhile. */
function early(clients: Clients): Clients {
  let open = true;
  return {
    ...clients,
    async openSender(sender, events) {
      const right = await clients.openSender(sender, { ...events, acknowledged() {} });
      return {
        ...right,
        send(number, to, body) {
          setTimeout(() => open && right.send(number, to, body), 30);
          events.acknowledged(number, 0);
        },
      };
    },
    async close() {
      open = false;
    },
  };
}

/** What a mailbox got last comes once more when it is opened again. */
function forgetful(): Fault {
  const newest = new Map<number, Parameters<Delivered>>();
  return (clients) => ({
    ...clients,
    openReceiver(mailboxes, events) {
      for (const mailbox of mailboxes) {
        const again = newest.get(mailbox);
        if (again) events.delivered(...again);
      }
      const delivered: Delivered = (...delivery) => {
        newest.set(delivery[0], delivery);
        events.delivered(...delivery);
      };
      return clients.openReceiver(mailboxes, { ...events, delivered });
    },
  });
}

const FAULTS: Readonly<Record<string, readonly [RegExp, Fault]>> = {
  'loses a delivery': [
    /missing/,
    onDelivery(
      (right) =>
        (...each) =>
          each[2] % 100 !== 50 && right(...each),
    ),
  ],
  'delivers twice': [
    /delivered twice/,
    onDelivery((right) => (...each) => {
      right(...each);
      if (each[2] % 100 === 50) right(...each);
    }),
  ],
  'swaps two deliveries': [/: at \d+, after \d+/, onDelivery(swapped)],
  'alters a body': [
    /altered/,
    onDelivery((right) => (mailbox, body, place) => right(mailbox, body.with(20, body[20]! ^ 1), place)),
  ],
  'shows a mailbox other places': [
    /others at/,
    onDelivery((right) => (mailbox, body, place) => right(mailbox, body, place + (mailbox === 7 ? 0.5 : 0))),
  ],
  'tells senders other places': [
    /others at/,
    onAcknowledgment((right) => (number, place) => right(number, place + 0.5)),
  ],
  'acknowledges twice': [
    /acknowledged twice/,
    onAcknowledgment((right) => (...each) => {
      right(...each);
      right(...each);
    }),
  ],
  'acknowledges what was not sent': [
    /never sent/,
    onAcknowledgment((right) => (number, place) => {
      right(number, place);
      right(number + 1_000_000, place);
    }),
  ],
  'acknowledges before it is safe': [/missing/, early],
  'delivers again what was acknowledged': [/delivered twice/, forgetful()],
};

function memorySystem(fault: Fault): System {
  const server = new MemoryServer();
  return {
    name: 'memory',
    promises: () => ({ totalOrder: true, durable: 'in a map', verified: 'nothing' }),
    missing: async () => null,
    async start() {
      server.start();
      return {
        address: {},
        version: '',
        pids: [],
        stages: async () => null,
        stop: async () => server.start(),
      };
    },
    connect: async () => fault(server.clients()),
  };
}

const check = (fault: Fault) => checkSystem(memorySystem(fault), '', { patienceMs: 2000 });

test('a system that keeps everything passes', () => check((clients) => clients));

for (const [name, [complaint, fault]] of Object.entries(FAULTS)) {
  test(`found: a system that ${name}`, async () => {
    const message = await check(fault).then(
      () => 'nothing',
      (error: Error) => error.message,
    );
    assert.match(message, complaint);
  });
}

test.run();
