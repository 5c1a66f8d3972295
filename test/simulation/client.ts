/** One life of a client: the real client library, and an application that sends, reads and acknowledges. */
import { Client } from '../../src/client/client.js';
import type { Gateway } from '../../src/client/gateway.js';
import type { GatewayEvents } from '../../src/client/gateway-events.js';
import { openMany } from '../../src/client/many.js';
import type { Message, Receipt, UnprovenPlace } from '../../src/client/message.js';
import { openGateway } from '../../src/client/open-gateway.js';
import type { GatewayOptions } from '../../src/client/options.js';
import type { SendOptions } from '../../src/client/outgoing-bundle.js';
import { SenderClient } from '../../src/client/sender-client.js';
import type { Dial } from '../../src/client/socket.js';
import type { Stand } from '../../src/client/stands.js';
import { VerificationError } from '../../src/client/verification-error.js';
import type { CountersignError, ErrorCode } from '../../src/protocol/index.js';
import type { Chronicle } from './chronicle.js';
import type { Device } from './client-store.js';
import type { Comparing } from './comparing.js';
import type { Loop, Process } from './loop.js';
import type { Mailbox, Person } from './person.js';
import type { Profile } from './profile.js';
import { Reader } from './reader.js';

/** What a life needs of the world around it. */
export interface Around {
  readonly loop: Loop;
  readonly profile: Profile;
  readonly chronicle: Chronicle;
  readonly dialFor: (life: Life) => Dial;
  /** Mailboxes of clients that lie, in hexadecimal. */
  readonly liars: ReadonlySet<string>;
  /** Faults are over: applications do what is left to do, and nothing new. */
  readonly isCalm: () => boolean;
  /** Null where nobody compares. */
  readonly comparing: Comparing | null;
  readonly persons: () => readonly Person[];
}

/** The message was not taken in, the client says. */
const NOT_TAKEN: ReadonlySet<ErrorCode> = new Set(['busy', 'mailbox-full']);
/** What became of the message is not known here. */
const UNKNOWN: ReadonlySet<ErrorCode> = new Set(['closed', 'displaced', 'receipt-delayed']);
/** Also, of a key that is used with two stores, and of who was away when its own messages were let go or not kept any more. */
const OF_RIVALS: ReadonlySet<ErrorCode> = new Set(['counter-conflict', 'counter-expired', 'receipt-lost']);
/** Within a run, messages of one's own are let go. */
const SHORT_RETENTION = 1000;
/** What ends an attempt to connect in the ordinary course of events. */
const COMES_BACK: ReadonlySet<ErrorCode> = new Set([
  'connection-lost',
  'restarting',
  'displaced',
  'handshake-timeout',
]);

/** The client library as an application holds it. */
interface Connected {
  send(mailbox: number, options: SendOptions): Promise<Receipt | UnprovenPlace>;
  /** Null of who has no mailbox open. */
  still(mailbox: number): Promise<Stand> | null;
  close(): Promise<void>;
}

export class Life {
  readonly process: Process;
  /** Messages whose outcome this application waits for. */
  pending = 0;
  /** How often it has asked where it stands, and was not answered. */
  asked = 0;
  private client: Connected | null = null;
  private closing = false;
  private readonly readers: readonly Reader[];

  constructor(
    private readonly around: Around,
    readonly person: Person,
    readonly device: Device,
    readonly number: number,
  ) {
    const { loop } = around;
    this.process = { name: `${person.name}/${number}`, alive: true, promises: true };
    const isManual = person.kind === 'client' && loop.random.chance(0.5);
    this.readers = person.mailboxes.map((mailbox) => new Reader(around, this, mailbox, isManual));
    this.step(loop.random.between(0, 50), 'starts', () => this.connect());
  }

  /** What happens to a client that lies is its own affair. */
  complain(problem: string): void {
    const { loop } = this.around;
    if (this.person.isLiar) loop.note(this.process.name, problem.split('\n', 1)[0]!);
    else loop.complain(problem);
  }

  step(delay: number, what: string, run: () => void): void {
    this.around.loop.in(delay, this.process, what, run);
  }

  // ---- coming

  private connect(): void {
    const { loop, profile } = this.around;
    this.open({
      url: 'http://server',
      store: this.device.storeFor(this.process, loop, profile),
      window: profile.window,
      silenceMs: profile.silenceMs,
      connectTimeoutMs: 4000,
      backoffMostMs: 2000,
      onReady: (on: Gateway['on']) => this.listen(on),
    }).then(
      (client) => {
        this.client = client;
        for (const mailbox of this.person.mailboxes) mailbox.known = this.person.isParty;
      },
      (error: CountersignError) => this.over(error),
    );
  }

  private async open(options: Omit<GatewayOptions, 'keys'>): Promise<Connected> {
    const { kind, mailboxes } = this.person;
    const dial = this.around.dialFor(this);
    const [{ key }] = mailboxes as [Mailbox];
    const reading = { bufferBytes: this.around.profile.bufferBytes, unreadMs: 1000 };
    if (kind === 'sender') {
      const sender = await SenderClient.connect({ ...options, key }, dial, openGateway);
      return { send: (_, message) => sender.send(message), still: () => null, close: () => sender.close() };
    }
    if (kind === 'gateway') {
      const keys = mailboxes.map((mailbox) => mailbox.key);
      const onMessages = (at: number, messages: readonly Message[]) => this.readers[at]!.takeAll(messages);
      return openMany({ ...options, ...reading, keys, onMessages }, dial);
    }
    const vectors = this.around.comparing?.vectorsFor(this);
    const client = await Client.connect({ ...options, ...reading, key, ...(vectors && { vectors }) }, dial);
    this.readers[0]!.read(client);
    return {
      send: (_, message) => client.send(message),
      still: () => client.still(),
      close: () => client.close(),
    };
  }

  private listen(on: Gateway['on']): void {
    const { chronicle } = this.around;
    on('state', (change) => this.changed(change));
    on('receipt', ({ mailbox, receipt }) => this.readers[mailbox]!.receipted(receipt, null));
    on('gap', ({ mailbox, from, to }) => {
      this.mustBeExplained(`a gap behind ${from} through ${to}`);
      this.readers[mailbox]!.gap(from);
    });
    on('counter-conflict', ({ counter }) => this.mustBeExplained(`a conflict over counter ${counter}`));
    if (this.number % 2 === 0 || this.person.isLiar) return;
    on('placed', ({ mailbox, epoch, inbox, messages }) => {
      const sender = this.person.mailboxes[mailbox]!.hex;
      for (const { counter, index } of messages)
        chronicle.hints.push({ sender, counter, place: { epoch, inbox, index } });
    });
  }

  private mustBeExplained(what: string): void {
    const isOrdinary = this.person.hasRivals || this.around.profile.retentionEpochs < SHORT_RETENTION;
    if (!isOrdinary) this.complain(`${this.process.name}: ${what}`);
  }

  private changed({ state, reason }: GatewayEvents['state']): void {
    this.around.loop.note(this.process.name, `is ${state} ${reason?.code ?? ''}`);
    // An attempt to connect tells by its promise.
    if (state === 'displaced' && this.client) this.over(reason!);
    if ((state === 'failed' || state === 'refused') && !this.isOrdinary(reason!))
      this.complain(`${this.process.name} ${state}: ${reason!.stack}`);
  }

  /** An end in the ordinary course of events. A store that knows nothing cannot tell what another one sends. */
  private isOrdinary(error: CountersignError): boolean {
    const isUnknownOwn = error instanceof VerificationError && error.step === 'own-message';
    return COMES_BACK.has(error.code) || (isUnknownOwn && this === this.person.rival);
  }

  /** It has ended by itself. */
  over(error: CountersignError): void {
    if (!this.process.alive) return;
    const { loop } = this.around;
    loop.note(this.process.name, `is over: ${error.code}`);
    if (!this.isOrdinary(error)) this.complain(`${this.process.name} is over: ${error.stack}`);
    this.process.alive = false;
    this.person.ended(this);
  }

  // ---- what the application does

  send(from: number, to: readonly Mailbox[], message: string, length: number): void {
    const { loop, chronicle } = this.around;
    const body = Buffer.concat([Buffer.from(`${message} `), Buffer.alloc(length, message)]);
    const rosterKey = loop.random.bytes(32);
    const { hex: sender } = this.person.mailboxes[from]!;
    this.around.comparing?.rosters.set(message, { rosterKey, members: to.map(({ id }) => id) });
    this.step(0, `sends ${message}`, () => {
      if (!this.person.isLiar)
        chronicle.sent.push({ message, sender, to: to.map(({ hex }) => hex), seen: chronicle.newest });
      this.pending++;
      this.client!.send(from, { to: to.map(({ id }) => id), body, rosterKey }).then(
        (answer) => this.settled(() => this.readers[from]!.receipted(answer, message)),
        (error: CountersignError) => this.settled(() => this.unsent(message, error)),
      );
    });
  }

  /** It was shown something. */
  shown(): void {
    this.around.comparing?.goOn(this, this.around.persons());
  }

  private settled(note: () => void): void {
    this.pending--;
    note();
  }

  private unsent(message: string, error: CountersignError): void {
    const { code } = error;
    this.around.loop.note(this.process.name, `${message}: ${code}`);
    if (this.person.isLiar) return;
    if (NOT_TAKEN.has(code)) this.around.chronicle.aborted.push({ message });
    else if (OF_RIVALS.has(code)) this.mustBeExplained(`${message}: ${error.stack}`);
    else if (!UNKNOWN.has(code)) this.complain(`${this.process.name}: ${message}: ${error.stack}`);
  }

  still(mailbox: number): void {
    this.step(0, 'asks for a still', () => {
      const asked = this.client!.still(mailbox);
      if (!asked) return;
      this.asked++;
      asked.then(
        (stand) => {
          this.asked--;
          this.readers[mailbox]!.stood(stand);
        },
        (error: CountersignError) => {
          this.asked--;
          if (!UNKNOWN.has(error.code)) this.complain(`${this.process.name}: still: ${error.stack}`);
        },
      );
    });
  }

  /** What was put off is done. */
  tidy(): void {
    for (const reader of this.readers) reader.tidy();
  }

  // ---- going

  /** Closes in order, having acknowledged what it was shown or not. */
  close(): void {
    if (this.closing || !this.client) return;
    this.closing = true;
    this.step(0, 'closes', () => {
      if (this.around.loop.random.chance(0.5)) for (const reader of this.readers) reader.acknowledgeAll();
      this.client!.close().then(() => {
        this.process.alive = false;
        this.person.ended(this);
      });
    });
  }

  /** Everything in memory is gone. */
  crash(): void {
    if (!this.process.alive) return;
    this.around.loop.note(this.process.name, 'crashes');
    this.process.alive = false;
    this.person.ended(this);
  }

  get isOpen(): boolean {
    return this.client !== null && this.process.alive && !this.closing;
  }
}
