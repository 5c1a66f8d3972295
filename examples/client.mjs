// Two clients of a running server: node examples/client.mjs [URL]
import { randomBytes } from 'node:crypto';
import { connect } from 'countersign/client';

const url = process.argv[2] ?? 'http://127.0.0.1:7700';
// A key is a client and its mailbox. Keep it, and a store beside it: new FileStore(path).
const alice = await connect({ url, key: randomBytes(32) });
const bob = await connect({ url, key: randomBytes(32) });

const receipt = await alice.send({ to: bob.id, body: 'hello' });
console.log('in the order at', receipt.place, 'proven in a log of', receipt.checkpointSize, 'epochs');

for await (const message of bob.mailbox()) {
  console.log(`${Buffer.from(message.body)} from ${message.senderHex} at`, message.place);
  break; // A message is acknowledged when the next one is asked for, or the loop is left.
}

await alice.close();
await bob.close();
