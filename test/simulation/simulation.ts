/**
 * One run: a server, clients, weather; then calm, until everything is at rest; then the checks. A run is a
 * function of its seed and of the code alone: `simulate` runs every seed twice and compares.
 */
import { claiming } from '../../src/client/claiming.js';
import { sending } from '../../src/client/sending.js';
import { formatPlace } from '../../src/protocol/place.js';
import { checkRun } from './checks.js';
import { Chronicle } from './chronicle.js';
import type { Around } from './client.js';
import { Disk } from './disk.js';
import { within } from './globals.js';
import { checkKept } from './kept.js';
import { Loop } from './loop.js';
import { type Kind, Person } from './person.js';
import { profileOf } from './profile.js';
import { Random } from './random.js';
import { SimulatedServer } from './server.js';
import { Reach } from './sockets.js';
import { Trace } from './trace.js';
import { Weather, type World } from './weather.js';

export interface RunOptions {
  /** Epochs that are committed before it becomes calm. */
  readonly epochs: number;
}

export interface RunResult {
  readonly seed: number;
  readonly digest: string;
  readonly problems: readonly string[];
  readonly events: number;
  readonly epochs: number;
  readonly messages: number;
  readonly crashes: number;
  readonly lastLines: readonly string[];
}

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
  const world = makeWorld(loop, chronicle);
  const surroundings = {
    loop,
    fetch: world.reach.fetch,
    signed: (bytes: Uint8Array) => chronicle.sign(bytes),
  };
  return within(surroundings, async () => {
    const weather = new Weather(world);
    world.calm.is = () => weather.isCalm;
    await live(world, weather, chronicle, options);
    if (loop.problems.length === 0) {
      const { identity, disk } = world.server;
      loop.problems.push(...checkRun(chronicle, world.persons, identity!, disk));
      loop.problems.push(...(await checkKept(identity!, disk)));
    }
    return {
      seed,
      digest: trace.digest(),
      problems: loop.problems,
      events: trace.events,
      epochs: chronicle.epochs,
      messages: weather.counts.messages,
      crashes: world.server.crashes + weather.counts.clientCrashes,
      lastLines: trace.last(60),
    };
  });
}

function makeWorld(loop: Loop, chronicle: Chronicle): World & { calm: { is: () => boolean } } {
  const profile = profileOf(loop.random);
  loop.note('profile', JSON.stringify(profile));
  const disk = new Disk(loop, profile);
  const server = new SimulatedServer(loop, profile, disk, (_, message) => {
    if (message.type === 'committed') chronicle.committed(message.epoch);
  });
  const reach = new Reach(loop, profile, server);
  const calm = { is: () => false };
  const around: Around = { loop, profile, chronicle, dialFor: reach.dialFor, isCalm: () => calm.is() };
  const make = (name: string, kind: Kind, mailboxes: number) =>
    new Person(name, kind, mailboxes, around, (life) => reach.gone(life));
  const persons = ['anna', 'bert', 'cora', 'dora', 'emil']
    .slice(0, profile.clients)
    .map((name) => make(name, 'client', 1));
  if (profile.crowd > 0) persons.push(make('crowd', 'gateway', profile.crowd));
  if (profile.hasSender) persons.push(make('silent', 'sender', 1));
  return { loop, profile, server, reach, persons, calm };
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
  weather.calm();
  const late = loop.now + REST_MS;
  await loop.run(() => failed() || loop.now > late || unrest(world, chronicle).length === 0);
  if (failed()) return;
  const left = unrest(world, chronicle);
  if (left.length > 0) return loop.complain(`no rest ${REST_MS} ms after the last fault: ${left.join('; ')}`);
  await stand(world, failed);
}

/** Everybody asks where they stand, and a while passes in which nothing else may happen. */
async function stand({ loop, persons }: World, failed: () => boolean): Promise<void> {
  const read = persons.filter(({ kind }) => kind !== 'sender');
  const mailboxes = read.flatMap((person) => person.mailboxes);
  const end = loop.now + AFTER_MS;
  await loop.run(() => failed() || loop.now > end);
  for (const mailbox of mailboxes) mailbox.total = null;
  for (const { main, mailboxes } of read) mailboxes.forEach((_, at) => void main?.still(at));
  const late = end + REST_MS;
  await loop.run(() => failed() || loop.now > late || mailboxes.every(({ total }) => total !== null));
  for (const { name, total } of mailboxes)
    if (total === null) loop.complain(`${name} does not learn where it stands`);
}

/** What is still to come: receipts, and messages that are in the order and not with all of their recipients. */
function unrest({ persons }: World, { sent, delivered, receipted }: Chronicle): string[] {
  const waiting = persons.flatMap(({ unrest }) => unrest ?? []);
  if (waiting.length > 0) return waiting;
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
