/**
 * countersign/vectors: clients that notice by themselves what a server keeps from one of them. Each says to the others,
 * inside messages that the server cannot read, what it has of those that both must have: a block of 97 bytes.
 *
 *     const vectors = new Vectors({ letGo: { keepEpochs: 1000 } });
 *     const client = await connect({ url, key, store, vectors });
 *     send(encrypt(vectors.block(bob), …));      // every now and then
 *     vectors.check(alice, block);               // what came with a message of hers
 *
 * Or the library finds the place for them, and for rosters, in front of every body:
 *
 *     const { body, ...rest } = vectors.frame({ to, body: text });
 *     await client.send({ to, body: encrypt(body), ...rest });
 *     const { body, roster, comparison } = vectors.unframe(message, decrypt(message.body));
 *
 * Where that shows a difference the two find out in what, and who is at fault:
 *
 *     const found = await vectors.compare(alice, duplex);          // the other end does the same
 *     if (found.outcome !== 'same') await client.complain(found.evidence);
 *
 * With many mailboxes: `connectMany({ …, vectors: new ManyVectors() })`, and `vectors.of(mailbox)` is what `Vectors` is to one.
 *
 * Loaded by who compares, and not with the client.
 */

export type { Accusation } from './accusing.js';
export { ComparisonError, type ComparisonErrorCode } from './comparison-error.js';
export type { Duplex } from './comparison-line.js';
export { ManyVectors } from './many-vectors.js';
export type { Framed, ToFrame } from './vector-frame.js';
export {
  type CompareOptions,
  type Comparison,
  type Finding,
  type Roster,
  type RosterMember,
  type RosterOutcome,
  type Unframed,
  Vectors,
  type VectorsOptions,
} from './vectors.js';
