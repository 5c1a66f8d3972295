/**
 * A client that talks all the time, and writes down everything that a history checker needs. Used in
 * the test's own process, and alone in a process that is killed (chatter-process.ts).
 */
import {
  type Client,
  type ClientOptions,
  connect,
  type Message,
  type Receipt,
  type Store,
} from '../../src/client/index.js';
import { CountersignError, comparePlaces, type Place } from '../../src/protocol/index.js';
import { idOf, keyOf } from './names.js';

/** What a chatter writes down. Places in the form of the checker; claims in base64. */
export type ChatEvent =
  | { type: 'life'; mailbox: string; life: number }
  | { type: 'sent'; message: string; sender: string; to: string[]; seen: Place | null }
  | {
      type: 'receipted';
      sender: string;
      counter: number;
      place: Place;
      message: string | null;
      claim: string | null;
    }
  | { type: 'aborted'; message: string; code: string }
  | {
      type: 'delivered';
      mailbox: string;
      message: string;
      sender: string;
      counter: number;
      place: Place;
      life: number;
      claim: string | null;
    }
  | { type: 'closed'; mailbox: string; life: number }
  | { type: 'failed'; mailbox: string; text: string };

export interface ChatterOptions {
  readonly name: string;
  readonly url: string;
  /** Everybody, this one too. */
  readonly names: readonly string[];
  readonly life: number;
  /** Number of the first message of this life. */
  readonly first: number;
  /** Every how many-th message and receipt is written down with its claim. */
  readonly claimEvery: number;
  readonly store?: () => Store;
  readonly random: () => number;
  readonly emit: (event: ChatEvent) => void;
}

/** The first connection is the application's own business: here it is tried until there is a server. */
async function insist(options: ClientOptions, store: (() => Store) | undefined): Promise<Client> {
  for (;;) {
    try {
      return await connect(store ? { ...options, store: store() } : options);
    } catch (error) {
      if (!(error instanceof CountersignError && error.temporary)) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

const OUTSTANDING = 40;
const PAUSE_MS = 10;

export class Chatter {
  private talking = false;
  private outstanding = 0;
  private next: number;
  private seen: Place | null = null;
  private counted = 0;
  /** `mark sender` of the marks that have come. */
  private readonly marks = new Set<string>();
  private waiting: (() => void)[] = [];
  private client: Client | null = null;

  constructor(private readonly options: ChatterOptions) {
    this.next = options.first;
  }

  async open(): Promise<void> {
    const { name, url, store, life, emit } = this.options;
    emit({ type: 'life', mailbox: name, life });
    const client = await insist(
      {
        url,
        key: keyOf(name),
        backoffFirstMs: 10,
        backoffMostMs: 100,
        connectTimeoutMs: 20_000,
        onReady: (on) => {
          on('receipt', ({ receipt }) => void this.receipted(receipt, null));
          on('counter-conflict', ({ error }) => this.failed(`counter-conflict: ${error.message}`));
          on('gap', ({ from, to }) => this.failed(`gap from ${from} to ${to}`));
          on('state', ({ state, reason }) => {
            if (reason && state !== 'connecting' && state !== 'closed')
              this.failed(`${state}: ${reason.message}`);
          });
        },
      },
      store,
    );
    this.client = client;
    void this.listen(client).catch((error) => this.failed(String(error)));
  }

  private failed(text: string): void {
    this.options.emit({ type: 'failed', mailbox: this.options.name, text });
  }

  get state(): string {
    return `${this.options.name}: ${this.client?.state}, ${this.outstanding} unanswered, marks ${[...this.marks].slice(-12)}`;
  }

  get world(): Client {
    return this.client!;
  }

  // ---- hearing

  private async listen(client: Client): Promise<void> {
    const { name, life, emit } = this.options;
    for await (const message of client.mailbox()) {
      const [label, , mark] = Buffer.from(message.body).toString('latin1').split('|', 3) as [
        string,
        string,
        string,
      ];
      const sender = label.split('/', 1)[0]!;
      const { counter, place } = message;
      const told =
        message.senderHex === Buffer.from(idOf(sender)).toString('hex') ? sender : message.senderHex;
      const claim = await this.sampled(message);
      emit({ type: 'delivered', mailbox: name, message: label, sender: told, counter, place, life, claim });
      this.saw(place);
      if (mark) this.marked(`${mark} ${sender}`);
    }
  }

  private async sampled(proven: Message | Receipt): Promise<string | null> {
    if (this.counted++ % this.options.claimEvery > 0) return null;
    return Buffer.from(await proven.claim()).toString('base64');
  }

  private saw(place: Place): void {
    if (!this.seen || comparePlaces(this.seen, place) < 0) this.seen = place;
  }

  private marked(mark: string): void {
    this.marks.add(mark);
    for (const wake of this.waiting.splice(0)) wake();
  }

  // ---- talking

  start(): void {
    this.talking = true;
    void this.talk();
  }

  private async talk(): Promise<void> {
    const { random } = this.options;
    while (this.talking) {
      const burst = 1 + Math.floor(random() * 6);
      for (let i = 0; i < burst && this.outstanding < OUTSTANDING; i++) void this.say(this.someone(), '');
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS + random() * PAUSE_MS));
    }
  }

  private someone(): string[] {
    const { names, random } = this.options;
    const count = 1 + Math.floor(random() * Math.min(5, names.length));
    return [...names].sort(() => random() - 0.5).slice(0, count);
  }

  private async say(to: string[], mark: string): Promise<void> {
    const { name, random, emit } = this.options;
    const message = `${name}/${this.next++}`;
    const filler = 'x'.repeat(random() < 0.02 ? 20_000 : random() * 300);
    emit({ type: 'sent', message, sender: name, to, seen: this.seen });
    this.outstanding++;
    try {
      const body = `${message}|${mark ? '' : filler}|${mark}`;
      await this.receipted(await this.client!.send({ to: to.map(idOf), body }), message);
    } catch (error) {
      const code = error instanceof CountersignError ? error.code : String(error);
      // Closing says nothing about what was under way.
      if (code !== 'closed') emit({ type: 'aborted', message, code });
      if (code === 'mailbox-full' && mark) {
        await new Promise((resolve) => setTimeout(resolve, 10));
        await this.say(to, mark);
      }
    }
    this.outstanding--;
  }

  private async receipted(receipt: Receipt, message: string | null): Promise<void> {
    const { name, emit } = this.options;
    const { counter, place } = receipt;
    const claim = await this.sampled(receipt);
    emit({ type: 'receipted', sender: name, counter, place, message, claim });
    this.saw(place);
  }

  /** Falls silent. When it resolves, everything that it ever sent is in the order. */
  async stop(mark: string): Promise<void> {
    this.talking = false;
    while (this.outstanding > 0) await new Promise((resolve) => setTimeout(resolve, 2));
    const { name, names } = this.options;
    await this.say([...new Set([...names, name])], mark);
  }

  /** Resolves when everybody's mark has come, and with it everything sent before. */
  async heard(mark: string): Promise<void> {
    const { name: own, names } = this.options;
    // Who came late is nobody's recipient but its own.
    const others = names.includes(own) ? names : [own];
    while (!others.every((name) => this.marks.has(`${mark} ${name}`)))
      await new Promise<void>((resolve) => this.waiting.push(resolve));
  }

  async close(): Promise<void> {
    const { name, life, emit } = this.options;
    this.talking = false;
    await this.client!.close();
    emit({ type: 'closed', mailbox: name, life });
  }
}
