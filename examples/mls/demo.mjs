// Three members of a group, with a running server: node examples/mls/demo.mjs [URL]
import { randomBytes } from 'node:crypto';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, FileStore } from 'countersign/client';
import { KnownLog } from './known-log.mjs';
import { Member } from './member.mjs';
import { suite } from './mls.mjs';

const url = process.argv[2] ?? 'http://127.0.0.1:7700';
const folder = await mkdtemp(join(tmpdir(), 'countersign-mls-'));
const names = new Map();
let texts = 0;
const nameOf = (id) => names.get(id) ?? id;

/** Comes, or comes back: everything that a member must not forget is in two files and its key. */
async function member(name, key) {
  const log = new KnownLog({
    url,
    verify: suite.signature.verify,
    onFork: ({ size }, { from }) =>
      console.log(`${name}: FORK of the log at ${size}, by what ${nameOf(from)} has`),
    onSuspicion: (own, { size, from }) =>
      console.log(`${name}: FORK suspected: ${own.size} epochs of my log, ${size} of ${nameOf(from)}'s`),
  });
  const store = log.watch(new FileStore(join(folder, `${name}.store`)));
  const client = await connect({ url, key, store });
  const found = await Member.open({ client, key, log, file: join(folder, `${name}.mls`), onEvent: tell });
  names.set(found.id, name);
  return found;

  async function tell(event) {
    if (event.type === 'text') texts++;
    if (event.type === 'text') console.log(`${name}: ${nameOf(event.from)} says ${event.text}`);
    if (event.type === 'epoch') console.log(`${name}: epoch ${event.epoch}, by ${nameOf(event.by)}`);
    if (event.type === 'lost')
      console.log(`${name}: my commit of epoch ${event.epoch} was second, once more`);
    if (event.type === 'joined') console.log(`${name}: joined in epoch ${event.epoch}`);
    if (event.type === 'refused')
      console.log(`${name}: refused, of ${nameOf(event.from)}: ${event.error.message}`);
    // Whom to let in is the application's to say. Here: whoever asks.
    if (event.type === 'asks') await members.alice.invite(event.keyPackage);
  }
}

async function until(isSo) {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 10));
}

/** Until all of them are in one epoch, with the same secrets. */
async function agreed(epoch, ...all) {
  await until(() => all.every((each) => each.epoch === epoch));
  if (new Set(all.map(({ authenticator }) => authenticator)).size !== 1) throw new Error('they differ');
  console.log(`--- all of ${all.map(({ id }) => nameOf(id)).join(', ')} agree on epoch ${epoch}`);
}

const keys = { alice: randomBytes(32), bob: randomBytes(32), carol: randomBytes(32) };
const members = {};
for (const name of Object.keys(keys)) members[name] = await member(name, keys[name]);
const { alice, bob, carol } = members;

await alice.create('friends');
await bob.ask(alice.id);
await carol.ask(alice.id);
await agreed(2, alice, bob, carol);
await alice.say('hello');

// Two commits in one epoch: the second one in the server's order is made anew.
await Promise.all([alice.rotate(), bob.rotate()]);
await agreed(4, alice, bob, carol);

// Carol is away for two epochs, and reads what was written meanwhile.
await carol.close();
await bob.rotate();
await bob.say('Carol is away');
await alice.rotate();
members.carol = await member('carol', keys.carol);
await agreed(6, alice, bob, members.carol);
await members.carol.say('I am back');
// Three texts, to each of three.
await until(() => texts === 9);

await Promise.all(Object.values(members).map((each) => each.close()));
