/** What one life of an application is shown in one mailbox, what it makes of that, and what must hold of it at once. */
import type { Client } from '../../src/client/client.js';
import type { Message, Receipt, UnprovenPlace } from '../../src/client/message.js';
import type { Stand } from '../../src/client/stands.js';
import { NOTHING_ACKNOWLEDGED, type SavedChain } from '../../src/client/store.js';
import type { CountersignError } from '../../src/protocol/index.js';
import { formatPlace, type Place } from '../../src/protocol/place.js';
import type { Around, Life } from './client.js';
import type { Mailbox } from './person.js';

export class Reader {
  private unacknowledged: Message[] = [];
  /** Epochs behind which there is a gap that is not reached yet. */
  private gaps: number[] = [];
  /** What the store knew of the chain when this life began. */
  private readonly before: SavedChain | null;

  constructor(
    private readonly around: Around,
    private readonly life: Life,
    private readonly mailbox: Mailbox,
    /** Acknowledges when it likes, not message by message. */
    private readonly isManual: boolean,
  ) {
    this.before = life.device.chainOf(mailbox.hex);
  }

  private get name(): string {
    return `${this.life.process.name} ${this.mailbox.name}`;
  }

  // ---- messages

  /** Nothing comes of what lies behind this epoch; messages from before may still be waiting to be read. */
  gap(from: number): void {
    this.gaps.push(from);
  }

  read(client: Client): void {
    this.readOn(client.mailbox({ acknowledge: this.isManual ? 'manual' : 'auto' }));
  }

  private readOn(iterator: AsyncIterator<Message, undefined>): void {
    iterator.next().then(
      ({ done, value }) => {
        if (done) return;
        this.took(value!);
        this.life.step(this.pause(), 'reads on', () => this.readOn(iterator));
      },
      (error: CountersignError) => this.life.over(error),
    );
  }

  /** Acknowledges them when the promise is fulfilled. */
  takeAll(messages: readonly Message[]): Promise<void> {
    for (const message of messages) this.took(message);
    return new Promise((resolve) => this.life.step(this.pause(), 'reads on', resolve));
  }

  private pause(): number {
    const { random } = this.around.loop;
    const isLong = !this.around.isCalm() && random.chance(0.01);
    return isLong ? random.between(500, 4000) : random.around(3);
  }

  private took(message: Message): void {
    const { chronicle, loop } = this.around;
    const { senderHex, counter, place, body, messageHash } = message;
    const [text] = Buffer.from(body).toString('latin1').split(' ', 1) as [string];
    const { hex, id } = this.mailbox;
    loop.note(this.name, `has ${text} at ${place.epoch}.${place.inbox}.${place.index}`);
    const passed = this.gaps.filter((from) => from < place.epoch);
    if (passed.length > 0) this.mailbox.breakOff();
    this.gaps = this.gaps.slice(passed.length);
    const life = this.mailbox.turnOf(this);
    // What a liar's message says, and to whom it went, nobody knows but the server.
    if (this.around.liars.has(senderHex)) chronicle.strange.add(`${hex} ${formatPlace(place)}`);
    else {
      chronicle.delivered.push({ mailbox: hex, message: text, sender: senderHex, counter, place, life });
      this.mailbox.got.add(text);
    }
    chronicle.saw(place);
    this.mustBeNew(place, text);
    this.mustBeSaved(place, text);
    this.around.comparing?.read(this.life, text, message);
    this.life.shown();
    message
      .claim()
      .then((bytes) => chronicle.claims.push({ bytes, mailbox: id, says: { place, messageHash } }));
    if (!this.isManual) return;
    this.unacknowledged.push(message);
    if (loop.random.chance(0.5))
      this.life.step(loop.random.around(20), 'acknowledges', () => this.acknowledge());
  }

  /** What the store had durably acknowledged when this life began never comes again. */
  private mustBeNew(place: Place, text: string): void {
    const { acknowledged, place: last } = this.before ?? NOTHING_ACKNOWLEDGED;
    const isKnown =
      place.epoch <= acknowledged.lastEpoch || (place.epoch === last.epoch && isBefore(place, last));
    if (isKnown) this.life.complain(`${this.name}: ${text} came again, and was acknowledged before`);
  }

  /** Nothing is shown before what it rests on would survive a crash. */
  private mustBeSaved(place: Place, what: string): void {
    const saved = this.life.device.chainOf(this.mailbox.hex)?.verified.lastEpoch ?? 0;
    if (saved < place.epoch) this.life.complain(`${this.name}: ${what} was shown before it was saved`);
  }

  private acknowledge(): void {
    const { random } = this.around.loop;
    if (this.around.isCalm() || random.chance(0.5)) return this.acknowledgeAll();
    for (const message of this.unacknowledged.splice(random.int(this.unacknowledged.length), 1))
      message.ack();
  }

  acknowledgeAll(): void {
    for (const message of this.unacknowledged.splice(0)) message.ack();
  }

  tidy(): void {
    if (this.unacknowledged.length > 0) this.life.step(0, 'acknowledges', () => this.acknowledge());
  }

  // ---- answers

  receipted(answer: Receipt | UnprovenPlace, message: string | null): void {
    const { chronicle, loop } = this.around;
    const { place, counter, messageHash } = answer;
    const { hex: sender, id: mailbox } = this.mailbox;
    loop.note(this.name, `receipt of ${counter} at ${place.epoch}.${place.inbox}.${place.index}`);
    if (!this.life.person.isLiar) {
      chronicle.receipted.push({ sender, counter, place, message });
      chronicle.saw(place);
    }
    if (!answer.proven) return;
    this.mustBeSaved(place, `the receipt of ${counter}`);
    this.life.shown();
    answer.claim().then((bytes) => chronicle.claims.push({ bytes, mailbox, says: { place, messageHash } }));
  }

  stood(stand: Stand): void {
    const { asOf, lastEpoch, total } = stand;
    this.around.loop.note(this.name, `stands at ${total} as of ${asOf}`);
    this.mailbox.total = total;
    this.life.shown();
    const says = { asOf, lastEpoch, total };
    stand
      .claim()
      ?.then((bytes) => this.around.chronicle.claims.push({ bytes, mailbox: this.mailbox.id, says }));
  }
}

/** In one epoch, or at the same place. */
function isBefore(a: Place, b: Place): boolean {
  return a.inbox < b.inbox || (a.inbox === b.inbox && a.index <= b.index);
}
