/** What happens to the world of a run: work, and faults. Everything by chance, at the rates of its profile. */
import type { Loop, LoopEvent, Process } from './loop.js';
import type { Mailbox, Person } from './person.js';
import type { Profile } from './profile.js';
import type { SimulatedServer } from './server.js';
import type { Reach } from './sockets.js';

export interface World {
  readonly loop: Loop;
  readonly profile: Profile;
  readonly server: SimulatedServer;
  readonly reach: Reach;
  readonly persons: readonly Person[];
}

export interface Counts {
  messages: number;
  clientCrashes: number;
}

/** What leads to a write, or stands between a write and its being told. */
const DELICATE: ReadonlySet<string> = new Set(['write', 'save durable', 'acknowledges']);
/** In a run: more takes long and finds nothing new. */
const MOST_MESSAGES = 400;
const LARGE_BODY = 20_000;

export class Weather {
  isCalm = false;
  readonly counts: Counts = { messages: 0, clientCrashes: 0 };
  private readonly sky: Process = { name: 'weather', alive: true, promises: false };

  constructor(private readonly world: World) {
    const { loop, profile, persons } = world;
    loop.after = (event) => this.lightning(event);
    for (const person of persons) {
      this.every(profile.sendMs, () => this.send(person));
      this.every(
        profile.stillMs,
        () => person.main?.isOpen && person.main.still(loop.random.int(person.mailboxes.length)),
      );
      this.every(profile.cutMs, () => person.main && world.reach.cutOne(person.main));
      this.every(profile.partitionMs, () => this.cutOff(person));
      this.every(profile.clientCrashMs, () => this.crash(person));
      this.every(profile.clientCloseMs, () => person.main?.close());
    }
    const [first] = persons;
    this.every(profile.rivalMs, () => (first!.rival ? first!.rival.crash() : first!.startRival()));
    this.every(profile.serverCrashMs, () => world.server.crash());
    this.every(profile.serverStopMs, () => world.server.stop());
    this.every(40, () => this.revive());
  }

  /** As long as it is not calm. */
  private every(mean: number, run: () => void): void {
    if (mean === 0) return;
    const { loop } = this.world;
    loop.in(loop.random.around(mean), this.sky, 'weather', () => {
      if (this.isCalm) return;
      run();
      this.every(mean, run);
    });
  }

  private send(person: Person): void {
    const { loop, persons, profile } = this.world;
    const { random } = loop;
    const known = persons.flatMap(({ mailboxes }) => mailboxes.filter((mailbox) => mailbox.known));
    const isFull = (person.main?.pending ?? 0) > 4 * profile.window || this.counts.messages > MOST_MESSAGES;
    if (!person.main?.isOpen || known.length === 0 || isFull) return;
    for (let burst = random.chance(0.2) ? 1 + random.int(8) : 1; burst > 0; burst--) {
      const many = random.chance(0.1) ? known.length : 3;
      const to = new Set<Mailbox>();
      for (let i = 1 + random.int(many); i > 0; i--) to.add(random.pick(known));
      const length = random.chance(0.03) ? LARGE_BODY : random.int(60);
      person.main.send(random.int(person.mailboxes.length), [...to], person.nextMessage(), length);
      this.counts.messages++;
    }
  }

  private cutOff(person: Person): void {
    const { loop, reach } = this.world;
    if (person.isCutOff) return;
    person.isCutOff = true;
    for (const life of [person.main, person.rival]) if (life) reach.cut(life);
    loop.in(loop.random.between(50, 2000), this.sky, 'partition ends', () => {
      person.isCutOff = false;
    });
  }

  private crash(person: Person): void {
    this.counts.clientCrashes++;
    person.main?.crash();
  }

  /** Whoever is gone comes back some time. */
  private revive(): void {
    const { server, persons, loop } = this.world;
    if (!server.isUp && loop.random.chance(0.5)) server.start();
    for (const person of persons) if (!person.main && loop.random.chance(0.2)) person.start();
  }

  /** Strikes between any two events, and likes those that lead to a write or stand between it and its being told. */
  private lightning({ what, process }: LoopEvent): void {
    if (this.isCalm) return;
    const { loop, profile, server, persons } = this.world;
    // An actor has stopped it, because of what another one said.
    if (server.process?.alive === false) server.crash();
    const isDelicate = DELICATE.has(what);
    if (!loop.random.chance(isDelicate ? profile.crashAtWrite : profile.crashAtEvent)) return;
    const struck = persons.find(({ main }) => main?.process === process);
    if (!struck) server.crash();
    else if (isDelicate)
      loop.in(loop.random.around(profile.diskMs), this.sky, 'weather', () => this.crash(struck));
    else this.crash(struck);
  }

  /** No more faults, nothing new; whoever is gone comes back. */
  calm(): void {
    const { persons } = this.world;
    this.isCalm = true;
    for (const person of persons) {
      person.isCutOff = false;
      person.rival?.crash();
      if (person.isLiar) person.main?.crash();
      else person.start();
    }
    this.keepAlive();
  }

  private keepAlive(): void {
    const { loop, persons, server } = this.world;
    loop.in(100, this.sky, 'calm', () => {
      server.start();
      for (const person of persons) {
        if (person.isLiar) continue;
        person.start();
        person.main?.tidy();
      }
      this.keepAlive();
    });
  }
}
