/**
 * One run: a server, clients, weather; then calm, until everything is at rest; then the checks. A run is a
 * function of its seed and of the code alone: `simulate` runs every seed twice and compares.
 */
import { claiming } from '../../src/client/claiming.js';
import { sending } from '../../src/client/sending.js';
import { placesAlike } from '../../src/protocol/index.js';
import { formatPlace } from '../../src/protocol/place.js';
import type { Identity } from '../../src/server/founding.js';
import { checkRun } from './checks.js';
import { Chronicle } from './chronicle.js';
import type { Around } from './client.js';
import { Comparing } from './comparing.js';
import { Disk } from './disk.js';
import type { Case } from './framed.js';
import { within } from './globals.js';
import { checkKept } from './kept.js';
import type { Liar } from './liar.js';
import { Loop } from './loop.js';
import { LyingActor } from './lying-actor.js';
import { lyingHolder } from './lying-holder.js';
import { Operator } from './operator.js';
import { type Kind, Person } from './person.js';
import { profileOf } from './profile.js';
import { Random } from './random.js';
import { seal } from './seal.js';
import { SimulatedServer } from './server.js';
import { Reach } from './sockets.js';
import { Trace } from './trace.js';
import { Weather, type World } from './weather.js';

export interface RunOptions {
  /** Epochs that are committed before it becomes calm. */
  readonly epochs: number;
  /** Only its digest is wanted. */
  readonly isRepeat?: boolean;
  /** Clients compare, and nobody lies. */
  readonly vectors?: boolean;
}

export interface RunCounts {
  readonly epochs: number;
  /** Epochs with messages. */
  readonly filled: number;
  readonly messages: number;
  readonly crashes: number;
  readonly events: number;
  /** Actors that lied, how often, and how many of them evidence names; clients that lied, and how often. */
  readonly lyingActors: number;
  readonly actorLies: number;
  readonly named: number;
  readonly lyingClients: number;
  readonly clientLies: number;
  /** New versions of the manifest, with new keys; with other numbers of actors. */
  readonly rotations: number;
  readonly moves: number;
}

export interface RunResult {
  readonly seed: number;
  readonly digest: string;
  readonly problems: readonly string[];
  readonly counts: RunCounts;
  /** How often a block showed what. */
  readonly compared: Readonly<Record<string, number>>;
  readonly lastLines: readonly string[];
}

/** How many runs have a client that lies, from another stream of chance than the run's own. */
const LYING_CLIENTS = 0.25;
const LYING = 2 ** 33;

/** Mean time in ms between stops, at most, of a server whose actors change in number. */
const STOPS_MS = 400;

/** Simulated times in ms: of bad weather at most, until everything must be at rest, and to see what comes after. */
const WEATHER_MS = 20_000;
const REST_MS = 60_000;
const AFTER_MS = 1500;

export async function simulate(seed: number, options: RunOptions): Promise<RunResult> {
  // Parts that the client loads when it needs them are there from the start: loading takes real time.
  await Promise.all([sending.get(), claiming.get()]);
  const trace = new Trace();
  const loop = new Loop(new Random(seed), trace);
  const chronicle = new Chronicle();
  const comparing = options.vectors ? new Comparing(seed, (problem) => loop.complain(problem)) : null;
  const world = makeWorld(seed, loop, chronicle, comparing);
  const surroundings = {
    loop,
    fetch: world.reach.fetch,
    signed: (bytes: Uint8Array, signature: Uint8Array) => chronicle.sign(bytes, signature),
  };
  return within(surroundings, async () => {
    const weather = new Weather(world);
    world.calm.is = () => weather.isCalm;
    const unplant = world.liar?.plant();
    await live(world, weather, chronicle, options).finally(unplant);
    const isFailed = () => loop.problems.length > 0;
    if (!isFailed())
      await comparing?.atRest(world.persons, (isDone) => loop.run(() => isFailed() || isDone()));
    const { events } = trace;
    const digest = seal(world, chronicle);
    const of = caseOf(world, chronicle, world.liar);
    const isChecked = !isFailed() && !options.isRepeat;
    const { problems, named } = isChecked ? checkRun(of, world.persons) : { problems: [], named: 0 };
    const audited = isChecked && !of.guilty ? await checkKept(of.identity, of.disk) : [];
    const { messages, clientCrashes } = weather.counts;
    const { epochs, filled } = chronicle;
    const clientLies = world.reach.lyingClient.lies;
    return {
      seed,
      digest,
      problems: [...loop.problems, ...problems, ...audited],
      counts: {
        ...{ epochs, filled, messages, crashes: world.server.crashes + clientCrashes, events },
        ...{ lyingActors: of.guilty ? 1 : 0, actorLies: world.liar?.lies ?? 0, named: named > 0 ? 1 : 0 },
        ...{ lyingClients: clientLies > 0 ? 1 : 0, clientLies },
        ...versionsOf(of.identity),
      },
      compared: comparing?.outcomes ?? {},
      lastLines: trace.last(60),
    };
  });
}

function versionsOf({ manifests }: Identity): Pick<RunCounts, 'rotations' | 'moves'> {
  const later = manifests.slice(1);
  const moves = later.filter(({ manifest }, i) => !placesAlike(manifest, manifests[i]!.manifest)).length;
  return { rotations: later.length - moves, moves };
}

function caseOf({ loop, server }: World, chronicle: Chronicle, liar: Liar | null): Case {
  const { disk, identity, endedKeys, config } = server;
  const guilty = liar && liar.lies > 0 ? liar : null;
  return {
    chronicle,
    identity: identity!,
    disk,
    random: loop.random,
    limits: config.limits,
    guilty,
    endedKeys,
  };
}

function makeWorld(
  seed: number,
  loop: Loop,
  chronicle: Chronicle,
  comparing: Comparing | null,
): World & { calm: { is: () => boolean }; liar: Liar | null } {
  const operator = new Operator(seed);
  const drawn = profileOf(loop.random);
  const profile = operator.isMoving
    ? { ...drawn, serverStopMs: Math.min(drawn.serverStopMs || STOPS_MS, STOPS_MS) }
    : drawn;
  loop.note('profile', JSON.stringify(profile));
  const lied = (what: string) => {
    loop.note('liar', what);
    loop.isExcused = true;
    chronicle.lied ??= chronicle.epoch;
  };
  const liar = comparing ? null : (LyingActor.of(seed, profile, lied) ?? lyingHolder(seed, lied));
  const mailboxes = () => persons.flatMap((person) => person.mailboxes.map(({ id }) => id));
  const disk = new Disk(loop, profile);
  const server = new SimulatedServer(
    loop,
    profile,
    disk,
    (_, message) => {
      if (message.type === 'committed') chronicle.committed(message.epoch);
    },
    liar && { liar, mailboxes },
    operator,
  );
  const reach = new Reach(loop, profile, server);
  const calm = { is: () => false };
  const liars = new Set<string>();
  const around: Around = {
    ...{ loop, profile, chronicle, dialFor: reach.dialFor, liars, comparing },
    isCalm: () => calm.is(),
    persons: () => persons,
  };
  const make = (name: string, kind: Kind, mailboxes: number) =>
    new Person(name, kind, mailboxes, around, (life) => reach.gone(life));
  const persons: Person[] = ['anna', 'bert', 'cora', 'dora', 'emil']
    .slice(0, profile.clients)
    .map((name) => make(name, 'client', 1));
  if (profile.crowd > 0) persons.push(make('crowd', 'gateway', profile.crowd));
  if (profile.hasSender) persons.push(make('silent', 'sender', 1));
  if (!comparing && new Random(seed + LYING).chance(LYING_CLIENTS)) {
    const mallory = make('mallory', 'liar', 1);
    persons.push(mallory);
    liars.add(mallory.mailboxes[0]!.hex);
  }
  return { loop, profile, server, reach, persons, calm, liar };
}

async function live(
  world: World,
  weather: Weather,
  chronicle: Chronicle,
  { epochs }: RunOptions,
): Promise<void> {
  const { loop, server, persons } = world;
  const failed = () => loop.problems.length > 0;
  server.start();
  for (const person of persons) person.start();
  await loop.run(() => failed() || chronicle.epochs >= epochs || loop.now > WEATHER_MS);
  // Where somebody has lied, clients may have left for good.
  if (loop.isExcused) return;
  weather.calm();
  const late = loop.now + REST_MS;
  const unrest = unrestOf(world, chronicle);
  await loop.run(() => failed() || loop.now > late || unrest().length === 0);
  if (failed()) return;
  const left = unrest();
  if (left.length > 0) return loop.complain(`no rest ${REST_MS} ms after the last fault: ${left.join('; ')}`);
  await stand(world, failed);
}

/** Everybody asks where they stand, and a while passes in which nothing else may happen. */
async function stand({ loop, persons }: World, failed: () => boolean): Promise<void> {
  const read = persons.filter(({ isParty }) => isParty);
  const mailboxes = read.flatMap((person) => person.mailboxes);
  const end = loop.now + AFTER_MS;
  await loop.run(() => failed() || loop.now > end);
  const late = end + REST_MS;
  // A rival that is gone may have displaced somebody since.
  await loop.run(() => failed() || loop.now > late || read.every(({ main }) => main?.isOpen));
  for (const mailbox of mailboxes) mailbox.total = null;
  for (const { main, mailboxes } of read) mailboxes.forEach((_, at) => void main?.still(at));
  await loop.run(() => failed() || loop.now > late || mailboxes.every(({ total }) => total !== null));
  for (const { name, total } of mailboxes)
    if (total === null) loop.complain(`${name} does not learn where it stands`);
  for (const { name, main } of read)
    if (main && main.asked > 0) loop.complain(`${name} has asked ${main.asked} times and was not answered`);
}

/** What is still to come. What is on its way is looked for again when somebody has been shown something. */
function unrestOf(world: World, chronicle: Chronicle): () => readonly string[] {
  const persons = world.persons.filter(({ isLiar }) => !isLiar);
  let shown = -1;
  let left: readonly string[] = [];
  return () => {
    if (persons.some(({ unrest }) => unrest !== null)) return persons.flatMap(({ unrest }) => unrest ?? []);
    const { delivered, receipted } = chronicle;
    if (shown !== delivered.length + receipted.length) left = onTheirWay(persons, chronicle);
    shown = delivered.length + receipted.length;
    return left;
  };
}

/** Messages that are in the order and not with all of their recipients. */
function onTheirWay(
  persons: readonly Person[],
  { sent, delivered, receipted }: Chronicle,
): readonly string[] {
  // Of a former life's message its receipt tells the place alone: who has got it tells which it was.
  const shown = new Set(delivered.map(({ place }) => formatPlace(place)));
  const unseen = receipted.filter(({ message, place }) => !message && !shown.has(formatPlace(place)));
  if (unseen.length > 0) return unseen.map(({ place }) => `nobody has got what is at ${formatPlace(place)}`);
  const inOrder = new Set([...delivered, ...receipted].map(({ message }) => message));
  return sent.flatMap(({ message, to }) =>
    persons
      .flatMap(({ mailboxes }) => mailboxes)
      .filter(({ hex, got }) => inOrder.has(message) && to.includes(hex) && !got.has(message))
      .map(({ name }) => `${name} has not got ${message}`),
  );
}
