/** Who uses a client: one key or several, the devices that hold them, and the lives of clients on these. */
import { importSecretKey } from '#crypto';
import { toHex } from '../../src/protocol/index.js';
import { type Around, Life } from './client.js';
import { Device } from './client-store.js';
import type { Random } from './random.js';

/**
 * `client`: one key; `gateway`: many over few sockets; `sender`: one, without its mailbox, answered with the server's word;
 * `liar`: one whose frames are changed before they are sent.
 */
export type Kind = 'client' | 'gateway' | 'sender' | 'liar';

export class Mailbox {
  readonly key: Uint8Array;
  readonly id: Uint8Array;
  readonly hex: string;
  /** Others can send to it, and somebody reads it. */
  known = false;
  /** Names of messages that its application was given. */
  readonly got = new Set<string>();
  /** As the last still said. */
  total: number | null = null;
  private reader: unknown = null;
  private turns = 0;

  /** What is shown next does not follow what was shown last. */
  breakOff(): void {
    this.reader = null;
  }

  /** Two lives may take turns: what one is shown after the other counts as a life of its own in the history. */
  turnOf(reader: unknown): number {
    if (this.reader !== reader) this.turns++;
    this.reader = reader;
    return this.turns;
  }

  constructor(
    readonly name: string,
    random: Random,
  ) {
    this.key = random.bytes(32);
    this.id = importSecretKey(this.key).publicKey;
    this.hex = toHex(this.id);
  }
}

export class Person {
  readonly mailboxes: readonly Mailbox[];
  /** Another store than the first was ever used with the key. */
  hasRivals = false;
  /** Cut off from the server. */
  isCutOff = false;
  main: Life | null = null;
  rival: Life | null = null;
  private readonly device = new Device();
  private lives = 0;
  private messages = 0;

  constructor(
    readonly name: string,
    readonly kind: Kind,
    mailboxes: number,
    private readonly around: Around,
    /** A life has ended; its sockets are to be. */
    private readonly gone: (life: Life) => void,
  ) {
    const { random } = around.loop;
    this.mailboxes = Array.from({ length: mailboxes }, (_, i) => new Mailbox(`${name}${i || ''}`, random));
  }

  get isLiar(): boolean {
    return this.kind === 'liar';
  }

  /** It reads, and others may send to it. */
  get isParty(): boolean {
    return this.kind === 'client' || this.kind === 'gateway';
  }

  start(): void {
    this.main ??= new Life(this.around, this, this.device, ++this.lives);
  }

  /** The same key with a store that knows nothing. */
  startRival(): void {
    this.hasRivals = true;
    this.rival ??= new Life(this.around, this, new Device(), ++this.lives);
  }

  ended(life: Life): void {
    if (life === this.main) this.main = null;
    if (life === this.rival) this.rival = null;
    this.gone(life);
  }

  nextMessage(): string {
    return `${this.name}.${++this.messages}`;
  }

  /** What is still to come before it is at rest; null when it is. */
  get unrest(): string | null {
    const { main, rival, device } = this;
    if (rival) return `${this.name} has a rival`;
    if (!main?.isOpen) return `${this.name} is not connected`;
    if (main.pending > 0) return `${this.name} waits for ${main.pending} receipts`;
    return device.pending > 0 ? `${this.name} keeps ${device.pending} bundles without receipt` : null;
  }
}
