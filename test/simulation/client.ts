/** One life of a client: the real client library, and an application that sends, reads and acknowledges. */
import { Client } from '../../src/client/client.js';
import type { GatewayEvents } from '../../src/client/gateway-events.js';
import type { Message, Receipt } from '../../src/client/message.js';
import type { Dial } from '../../src/client/socket.js';
import { NOTHING_ACKNOWLEDGED, type SavedChain } from '../../src/client/store.js';
import { VerificationError } from '../../src/client/verification-error.js';
import type { CountersignError, ErrorCode } from '../../src/protocol/index.js';
import type { Place } from '../../src/protocol/place.js';
import type { Chronicle } from './chronicle.js';
import type { Device } from './client-store.js';
import type { Loop, Process } from './loop.js';
import type { Person } from './person.js';
import type { Profile } from './profile.js';

/** What a life needs of the world around it. */
export interface Around {
  readonly loop: Loop;
  readonly profile: Profile;
  readonly chronicle: Chronicle;
  readonly dialFor: (life: Life) => Dial;
  /** Faults are over: applications do what is left to do, and nothing new. */
  readonly isCalm: () => boolean;
}

/** The message was not taken in, the client says. */
const NOT_TAKEN: ReadonlySet<ErrorCode> = new Set(['busy', 'mailbox-full']);
/** What became of the message is not known here. */
const UNKNOWN: ReadonlySet<ErrorCode> = new Set(['closed', 'displaced', 'receipt-delayed']);
/** Also, of a key that is used with two stores. */
const OF_RIVALS: ReadonlySet<ErrorCode> = new Set(['counter-conflict', 'receipt-lost']);
/** What ends an attempt to connect in the ordinary course of events. */
const COMES_BACK: ReadonlySet<ErrorCode> = new Set([
  'connection-lost',
  'restarting',
  'displaced',
  'handshake-timeout',
]);

export class Life {
  readonly process: Process;
  client: Client | null = null;
  /** Messages whose outcome this application waits for. */
  pending = 0;
  private unacknowledged: Message[] = [];
  private closing = false;
  /** What the store knew of the chain when this life began. */
  private readonly before: SavedChain | null;
  private readonly manual: boolean;

  constructor(
    private readonly around: Around,
    readonly person: Person,
    readonly device: Device,
    readonly number: number,
  ) {
    this.process = { name: `${person.name}/${number}`, alive: true, promises: true };
    this.manual = around.loop.random.chance(0.5);
    this.before = device.chainOf(person.hex);
    this.step(around.loop.random.between(0, 50), 'starts', () => this.connect());
  }

  private step(delay: number, what: string, run: () => void): void {
    this.around.loop.in(delay, this.process, what, run);
  }

  private connect(): void {
    const { loop, profile, dialFor } = this.around;
    const options = {
      url: 'http://server',
      key: this.person.key,
      store: this.device.storeFor(this.process, loop, profile),
      window: profile.window,
      bufferBytes: profile.bufferBytes,
      unreadMs: 1000,
      silenceMs: profile.silenceMs,
      connectTimeoutMs: 4000,
      backoffMostMs: 2000,
      onReady: (on: Client['on']) => this.listen(on),
    };
    Client.connect(options, dialFor(this)).then(
      (client) => this.connected(client),
      (error: CountersignError) => this.over(error),
    );
  }

  private listen(on: Client['on']): void {
    const { chronicle } = this.around;
    on('state', (change) => this.changed(change));
    on('receipt', ({ receipt }) => this.receipted(receipt, null));
    on('gap', ({ from, to }) => this.onlyOfRivals(`a gap behind ${from} through ${to}`));
    on('counter-conflict', ({ counter }) => this.onlyOfRivals(`a conflict over counter ${counter}`));
    if (this.number % 2 === 0) return;
    on('placed', ({ epoch, inbox, messages }) => {
      for (const { counter, index } of messages)
        chronicle.hints.push({ sender: this.person.hex, counter, place: { epoch, inbox, index } });
    });
  }

  private onlyOfRivals(what: string): void {
    if (!this.person.hasRivals) this.around.loop.complain(`${this.process.name}: ${what}`);
  }

  private changed({ state, reason }: GatewayEvents['state']): void {
    this.around.loop.note(this.process.name, `is ${state} ${reason?.code ?? ''}`);
    // An attempt to connect tells by its promise.
    if (state === 'displaced' && this.client) this.over(reason!);
    if ((state === 'failed' || state === 'refused') && !this.isOrdinary(reason!))
      this.around.loop.complain(`${this.process.name} ${state}: ${reason!.stack}`);
  }

  /** An end in the ordinary course of events. A store that knows nothing cannot tell what another one sends. */
  private isOrdinary(error: CountersignError): boolean {
    const isUnknownOwn = error instanceof VerificationError && error.step === 'own-message';
    return COMES_BACK.has(error.code) || (isUnknownOwn && this === this.person.rival);
  }

  private connected(client: Client): void {
    this.client = client;
    this.person.known = true;
    const iterator = client.mailbox({ acknowledge: this.manual ? 'manual' : 'auto' });
    this.read(iterator);
  }

  /** It has ended by itself. */
  private over(error: CountersignError): void {
    if (!this.process.alive) return;
    const { loop } = this.around;
    loop.note(this.process.name, `is over: ${error.code}`);
    if (!this.isOrdinary(error)) loop.complain(`${this.process.name} is over: ${error.stack}`);
    this.process.alive = false;
    this.person.ended(this);
  }

  // ---- reading

  private read(iterator: AsyncIterator<Message, undefined>): void {
    const { loop } = this.around;
    iterator.next().then(
      ({ done, value }) => {
        if (done) return;
        this.took(value!);
        const isLong = !this.around.isCalm() && loop.random.chance(0.01);
        this.step(isLong ? loop.random.between(500, 4000) : loop.random.around(3), 'reads on', () =>
          this.read(iterator),
        );
      },
      (error: CountersignError) => this.over(error),
    );
  }

  private took(message: Message): void {
    const { chronicle, loop } = this.around;
    const { sender, senderHex, counter, place, body, messageHash } = message;
    const [text] = Buffer.from(body).toString('latin1').split(' ', 1) as [string];
    const { hex: mailbox, id } = this.person;
    loop.note(this.process.name, `has ${text} at ${place.epoch}.${place.inbox}.${place.index}`);
    chronicle.delivered.push({
      mailbox,
      message: text,
      sender: senderHex,
      counter,
      place,
      life: this.number,
    });
    chronicle.saw(place);
    this.person.took(text);
    this.mustBeNew(place, text);
    this.mustBeSaved(place, text);
    if (sender.length !== 32) loop.complain('a sender of another length');
    message
      .claim()
      .then((bytes) => chronicle.claims.push({ bytes, mailbox: id, says: { place, messageHash } }));
    if (!this.manual) return;
    this.unacknowledged.push(message);
    if (loop.random.chance(0.5)) this.step(loop.random.around(20), 'acknowledges', () => this.acknowledge());
  }

  private acknowledge(): void {
    const { random } = this.around.loop;
    const all = this.around.isCalm() || random.chance(0.5);
    const chosen = all
      ? this.unacknowledged.splice(0)
      : this.unacknowledged.splice(random.int(this.unacknowledged.length), 1);
    for (const message of chosen) message.ack();
  }

  /** What the store had durably acknowledged when this life began never comes again. */
  private mustBeNew(place: Place, text: string): void {
    const { acknowledged, place: last } = this.before ?? NOTHING_ACKNOWLEDGED;
    const again =
      place.epoch <= acknowledged.lastEpoch || (place.epoch === last.epoch && isBefore(place, last));
    if (again)
      this.around.loop.complain(`${this.process.name}: ${text} came again, and was acknowledged before`);
  }

  /** Nothing is shown before what it rests on would survive a crash. */
  private mustBeSaved(place: Place, what: string): void {
    const saved = this.device.chainOf(this.person.hex)?.verified.lastEpoch ?? 0;
    if (saved < place.epoch)
      this.around.loop.complain(`${this.process.name}: ${what} was shown before it was saved`);
  }

  /** What was put off is done. */
  tidy(): void {
    if (this.unacknowledged.length > 0) this.step(0, 'acknowledges', () => this.acknowledge());
  }

  // ---- sending

  send(to: readonly Person[], message: string, length: number): void {
    const { loop, chronicle } = this.around;
    const body = Buffer.concat([Buffer.from(`${message} `), Buffer.alloc(length, message)]);
    const rosterKey = loop.random.bytes(32);
    const { hex: sender } = this.person;
    this.step(0, `sends ${message}`, () => {
      chronicle.sent.push({ message, sender, to: to.map(({ hex }) => hex), seen: chronicle.newest });
      this.pending++;
      this.client!.send({ to: to.map(({ id }) => id), body, rosterKey }).then(
        (receipt) => this.settled(() => this.receipted(receipt, message)),
        (error: CountersignError) => this.settled(() => this.unsent(message, error)),
      );
    });
  }

  private settled(note: () => void): void {
    this.pending--;
    note();
  }

  private receipted(receipt: Receipt, message: string | null): void {
    const { chronicle, loop } = this.around;
    const { place, counter, messageHash } = receipt;
    const { hex: sender, id: mailbox } = this.person;
    loop.note(this.process.name, `receipt of ${counter} at ${place.epoch}.${place.inbox}.${place.index}`);
    chronicle.receipted.push({ sender, counter, place, message });
    this.mustBeSaved(place, `the receipt of ${counter}`);
    chronicle.saw(place);
    receipt.claim().then((bytes) => chronicle.claims.push({ bytes, mailbox, says: { place, messageHash } }));
  }

  private unsent(message: string, error: CountersignError): void {
    const { code } = error;
    this.around.loop.note(this.process.name, `${message}: ${code}`);
    if (NOT_TAKEN.has(code)) this.around.chronicle.aborted.push({ message });
    else if (OF_RIVALS.has(code)) this.onlyOfRivals(`${message}: ${error.stack}`);
    else if (!UNKNOWN.has(code))
      this.around.loop.complain(`${this.process.name}: ${message}: ${error.stack}`);
  }

  still(): void {
    const { chronicle, loop } = this.around;
    this.step(0, 'asks for a still', () => {
      this.client!.still().then(
        (stand) => {
          const { asOf, lastEpoch, total } = stand;
          loop.note(this.process.name, `stands at ${total} as of ${asOf}`);
          this.person.stood(total);
          stand
            .claim()
            ?.then((bytes) =>
              chronicle.claims.push({ bytes, mailbox: this.person.id, says: { asOf, lastEpoch, total } }),
            );
        },
        (error: CountersignError) => {
          if (!UNKNOWN.has(error.code)) loop.complain(`${this.process.name}: still: ${error.stack}`);
        },
      );
    });
  }

  // ---- the end

  /** Closes in order, having acknowledged everything it was shown or not. */
  close(): void {
    if (this.closing || !this.client) return;
    this.closing = true;
    const { loop } = this.around;
    this.step(0, 'closes', () => {
      if (this.manual && loop.random.chance(0.5))
        for (const message of this.unacknowledged.splice(0)) message.ack();
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

/** In one epoch, or at the same place. */
function isBefore(a: Place, b: Place): boolean {
  return a.inbox < b.inbox || (a.inbox === b.inbox && a.index <= b.index);
}
