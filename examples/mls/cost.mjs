// What the group costs on top of plain Countersign, with a running server: node examples/mls/cost.mjs [URL] [messages a round]
// One process is all three clients, and nothing else; the server's CPU is not in it.
import { randomBytes } from 'node:crypto';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, FileStore } from 'countersign/client';
import {
  createApplicationMessage,
  createCommit,
  createGroup,
  emptyPskIndex,
  processPrivateMessage,
} from 'ts-mls';
import { KnownLog } from './known-log.mjs';
import { Member } from './member.mjs';
import { config, encode, joinBy, makeKeyPackage, suite } from './mls.mjs';
import { saveState } from './state-file.mjs';

const [url = 'http://127.0.0.1:7700', count = '300'] = process.argv.slice(2);
const COUNT = Number(count);
const ROUNDS = 5;
const SIZES = [32, 256, 1024];
const folder = await mkdtemp(join(tmpdir(), 'countersign-mls-'));
let received = 0;
let bodyBytes = 0;

const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];
const micros = (value) => `${Math.round(value)} µs`;

/** CPU of this process a message, in µs. */
async function cpuOf(work) {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / COUNT;
}

const until = async (isSo) => {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 5));
};

async function client(name, watch = (store) => store) {
  const key = randomBytes(32);
  const store = watch(new FileStore(join(folder, `${name}.store`)));
  return { key, client: await connect({ url, key, store }) };
}

async function plainClient(name) {
  const { client: made } = await client(name);
  void (async () => {
    for await (const message of made.mailbox()) received += message.body.length > 0;
  })();
  return made;
}

async function member(name) {
  const fail = () => process.exit(1);
  const log = new KnownLog({ url, verify: suite.signature.verify, onFork: fail, onSuspicion: fail });
  const { key, client: made } = await client(name, (store) => log.watch(store));
  const send = (options) => {
    bodyBytes = options.body.length;
    return made.send(options);
  };
  const counted = Object.create(made, { send: { value: send } });
  const onEvent = async (event) => {
    if (event.type === 'text') received++;
    if (event.type === 'asks') await members[0].invite(event.keyPackage);
  };
  return Member.open({ client: counted, key, log, file: join(folder, `${name}.mls`), onEvent });
}

const plain = [];
for (const name of ['anne', 'ben', 'cleo']) plain.push(await plainClient(name));
const members = [];
for (const name of ['alice', 'bob', 'carol']) members.push(await member(name));
await members[0].create('group');
for (const asking of members.slice(1)) {
  await asking.ask(members[0].id);
  await until(() => asking.epoch !== null);
}
await until(() => members.every(({ epoch }) => epoch === 2));

/** All are sent at once, each to all three; until everybody has all. */
const round = (send) => async () => {
  received = 0;
  await Promise.all(Array.from({ length: COUNT }, send));
  await until(() => received === 3 * COUNT);
};

console.log(
  `bytes of a message and CPU of all three clients for it, each to three, ${ROUNDS} rounds of ${COUNT} in turns, medians`,
);
for (const size of SIZES) {
  const text = 'x'.repeat(size);
  const to = plain.map(({ id }) => id);
  const [without, within] = [[], []];
  for (let i = 0; i < ROUNDS; i++) {
    without.push(await cpuOf(round(() => plain[0].send({ to, body: text }))));
    within.push(await cpuOf(round(() => members[0].say(text))));
  }
  const [a, b] = [median(without), median(within)];
  console.log(
    `text of ${size} bytes: body ${bodyBytes}, ${bodyBytes - size} more; CPU ${micros(a)} plain, ${micros(b)} in the group, ${micros(b - a)} more`,
  );
}

/** Where it goes: a group of two, without a server. */
async function steps() {
  const [one, two] = await Promise.all(plain.map(({ id }) => id).map(newcomer));
  const create = () =>
    createGroup(new Uint8Array(1), one.publicPackage, one.privatePackage, [], suite, config);
  const proposal = { proposalType: 'add', add: { keyPackage: two.publicPackage } };
  const options = { extraProposals: [proposal], ratchetTreeExtension: true };
  const { newState, welcome } = await createCommit({ state: await create(), cipherSuite: suite }, options);
  let sender = newState;
  const { publicPackage, privatePackage } = two;
  let receiver = await joinBy(welcome, publicPackage, privatePackage);
  const [text, anchor, made] = [new Uint8Array(256), randomBytes(104), []];
  const making = await cpuOf(async () => {
    for (let i = 0; i < COUNT; i++) {
      const result = await createApplicationMessage(sender, text, suite, anchor);
      sender = result.newState;
      made.push(result.privateMessage);
    }
  });
  const reading = await cpuOf(async () => {
    for (const each of made)
      receiver = (await processPrivateMessage(receiver, each, emptyPskIndex, suite)).newState;
  });
  const saving = await cpuOf(async () => {
    for (let i = 0; i < COUNT; i++) await saveState(join(folder, 'state'), { group: receiver });
  });
  const first = encode('mls_private_message', made[0]).length;
  const bare = encode('mls_private_message', { ...made[0], authenticatedData: new Uint8Array(0) }).length;
  return { making, reading, saving, anchor: first - bare };
}

/** An Ed25519 key of its own: these never meet the server. */
async function newcomer() {
  const { publicKey, signKey } = await suite.signature.keygen();
  return makeKeyPackage(publicKey, signKey);
}

const all = [];
for (let i = 0; i < ROUNDS; i++) all.push(await steps());
const of = (name) => micros(median(all.map((each) => each[name])));
console.log(
  `CPU of a step: encrypt and sign ${of('making')}, decrypt and verify ${of('reading')}, save the state ${of('saving')}`,
);
console.log(`bytes of the anchor in a body: ${all[0].anchor}`);

await Promise.all([...plain, ...members].map((each) => each.close()));
