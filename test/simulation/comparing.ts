/**
 * Clients that compare while everything else goes on: blocks are made whenever somebody is shown something, and come
 * when chance wants, or never. The server is honest, so no block may ever say that two differ; and when all is at rest, all
 * must come to the same. What chance wants here has no part in the rest of the run.
 */
import type { Message } from '../../src/client/message.js';
import { type Comparison, type Roster, Vectors, type VectorsOptions } from '../../src/client/vectors.js';
import type { Life } from './client.js';
import type { Person } from './person.js';
import { Random } from './random.js';

interface Mail {
  readonly from: Person;
  readonly to: Person;
  readonly block: Uint8Array;
}

const ENOUGH = 100_000;
const MOST_MAIL = 200;
const ROUNDS = 4;

export class Comparing {
  readonly rosters = new Map<string, Roster>();
  /** How often a block showed what. */
  readonly outcomes: Record<string, number> = {};
  private readonly random: Random;
  private readonly hasRosters: boolean;
  private readonly ways = new Map<Person, NonNullable<VectorsOptions['letGo']>>();
  private readonly vectors = new Map<Life, Vectors>();
  private mail: Mail[] = [];

  constructor(
    seed: number,
    private readonly complain: (problem: string) => void,
  ) {
    this.random = new Random(seed + 1);
    this.hasRosters = this.random.chance(0.5);
  }

  /** What a life of a client keeps: as the one before it did, most times. */
  vectorsFor(life: Life): Vectors {
    const { random, ways } = this;
    const keep = random.pick([1, 3, ENOUGH]);
    const way = random.pick([{ keepEpochs: keep }, { untilVerified: keep }, { headsOnly: keep }]);
    if (!ways.has(life.person) || random.chance(0.1)) ways.set(life.person, way);
    const vectors = new Vectors({ letGo: ways.get(life.person)!, rosters: this.hasRosters });
    this.vectors.set(life, vectors);
    return vectors;
  }

  /** A life was shown a message: it checks who else has it, as its body says. */
  read(life: Life, text: string, message: Message): void {
    const roster = this.rosters.get(text);
    if (!roster) return;
    if (this.vectors.get(life)?.roster(message, roster) === 'wrong')
      this.complain(`the roster of ${text} is wrong`);
  }

  /** Something has happened: blocks are made, and some of those on their way arrive. */
  goOn(life: Life, persons: readonly Person[]): void {
    const vectors = this.vectors.get(life);
    if (!vectors || !life.isOpen) return;
    const others = persons.filter((each) => each.kind === 'client' && each !== life.person);
    for (const to of others)
      this.mail.push({ from: life.person, to, block: vectors.block(to.mailboxes[0]!.id) });
    for (let count = this.random.int(4); count > 0 && this.mail.length > 0; count--)
      this.arrive(this.mail.splice(this.random.int(this.mail.length), 1)[0]!);
    if (this.mail.length > MOST_MAIL) this.mail = this.mail.slice(-MOST_MAIL / 2);
  }

  private arrive({ from, to, block }: Mail, then: (shown: Comparison) => void = () => {}): void {
    const life = to.main;
    if (life?.isOpen) life.step(0, 'compares', () => then(this.check(from, to, life, block)));
  }

  private check(from: Person, to: Person, life: Life, block: Uint8Array): Comparison {
    const shown = this.vectors.get(life)!.check(from.mailboxes[0]!.id, block);
    const name = 'reason' in shown ? shown.reason : shown.outcome;
    this.outcomes[name] = (this.outcomes[name] ?? 0) + 1;
    if (shown.outcome === 'differs' || shown.outcome === 'forked')
      this.complain(`${to.name} is told by ${from.name} that they ${JSON.stringify(shown)}`);
    return shown;
  }

  /** All is at rest: a few blocks in both directions, and all have the same. */
  async atRest(persons: readonly Person[], run: (isDone: () => boolean) => Promise<void>): Promise<void> {
    const clients = persons.filter(({ kind }) => kind === 'client');
    const pairs = clients.flatMap((to) =>
      clients.filter((from) => from !== to).map((from) => ({ from, to })),
    );
    let all: { from: Person; to: Person; shown: Comparison }[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      all = [];
      for (const pair of pairs)
        this.arrive({ ...pair, block: this.blockOf(pair.from, pair.to) }, (shown) =>
          all.push({ ...pair, shown }),
        );
      await run(() => all.length === pairs.length);
    }
    // One of the two may have a later leaf: then the other cannot tell.
    for (const { from, to, shown } of all) {
      const other = all.find((each) => each.from === to && each.to === from)!.shown;
      const isSame = shown.outcome === 'same' || other.outcome === 'same';
      // Who keeps a little cannot tell what was let go at once.
      const isShort = [from, to].some((person) => Object.values(this.ways.get(person)!)[0] !== ENOUGH);
      if (!isSame && !isShort)
        this.complain(`${to.name} and ${from.name} at rest: ${JSON.stringify([shown, other])}`);
    }
  }

  private blockOf(from: Person, to: Person): Uint8Array {
    return this.vectors.get(from.main!)!.block(to.mailboxes[0]!.id);
  }
}
