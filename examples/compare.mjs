// Two clients that compare what a server has shown them: node examples/compare.mjs [URL]
import { randomBytes } from 'node:crypto';
import { connect } from 'countersign/client';
import { Vectors } from 'countersign/vectors';

const url = process.argv[2] ?? 'http://127.0.0.1:7700';
const join = () => connect({ url, key: randomBytes(32), vectors: new Vectors() });
const [alice, bob] = [await join(), await join()];

for (const client of [alice, bob]) {
  client.on('divergence', ({ verdict }) => console.log('the server is convicted:', verdict.text));
  client.on('suspicion', ({ error }) => console.log('the server is suspected:', error.message));
}

// A framed body has a block in it now and then. Encrypt it, or the server reads what they compare.
for (const text of ['hello', 'how are you?']) {
  const framed = alice.vectors.frame({ to: bob.id, body: text });
  await alice.send({ to: bob.id, ...framed });
}
let count = 0;
for await (const message of bob.mailbox()) {
  const { body, comparison } = bob.vectors.unframe(message, message.body);
  console.log(Buffer.from(body).toString(), comparison ?? 'without a block');
  if (++count === 2) break;
}

// A block by itself, wherever the application has a place for it: 97 bytes.
const block = alice.vectors.block(bob.id);
await bob.still();
console.log('what the block shows:', bob.vectors.check(alice.id, block));

// When two differ: over whatever carries bytes both ways between them, here two streams of one program.
const [toAlice, toBob] = [new TransformStream(), new TransformStream()];
const end = ({ readable: incoming }, { writable }) => {
  const writer = writable.getWriter();
  return { incoming, send: (bytes) => void writer.write(bytes).catch(() => {}) };
};
const found = await Promise.all([
  alice.vectors.compare(bob.id, end(toAlice, toBob)),
  bob.vectors.compare(alice.id, end(toBob, toAlice)),
]);
for (const [i, { outcome, evidence }] of found.entries()) {
  console.log('compared:', outcome);
  if (!evidence) continue;
  // For `countersign verify`. A complaint asks the server's stages for what names the actor.
  const complaint = await [alice, bob][i].complain(evidence);
  console.log(complaint.verdict.text, ...complaint.closed.map(({ stage, code }) => `${stage}: ${code}`));
}

await alice.close();
await bob.close();
