/** One message is kept from a client; the two compare, hold evidence, and complain. What all of that takes. */
import { Vectors } from '../../src/client/vectors-entry.js';
import { verdict } from '../../src/protocol/evidence/index.js';
import { toHex } from '../../src/protocol/index.js';
import { clientOf } from '../client-helpers.js';
import { duplexes, started } from '../support/comparing.js';

export interface DisputeCosts {
  /** With a message between the two. */
  readonly epochs: number;
  /** Both directions. */
  readonly frames: number;
  readonly bytes: number;
  readonly ms: number;
  /** Bytes. */
  readonly evidence: number;
  readonly verdictMs: number;
  readonly complaintMs: number;
  readonly closed: number;
}

async function timed<T>(run: () => Promise<T> | T): Promise<[T, number]> {
  const before = performance.now();
  const result = await run();
  return [result, performance.now() - before];
}

/** `rounds`: of a message each way, before and behind it. */
export async function disputed(rounds: number, say: (what: string) => void): Promise<DisputeCosts> {
  const { server, cheat } = await started();
  const [alice, bob, cora] = await Promise.all(
    ['alice', 'bob', 'cora'].map((name) => clientOf(server, name, { vectors: new Vectors() })),
  );
  const chat = async () => {
    for (let i = 0; i < rounds; i++) {
      if (i % 100 === 99) say(`${2 * (i + 1)} messages between two, one by one`);
      await alice!.send({ to: bob!.id, body: 'to Bob' });
      await bob!.send({ to: alice!.id, body: 'to Alice' });
    }
  };
  await chat();
  await cora!.close();
  const [from, to, instead] = [alice!.id, bob!.id, cora!.id].map(toHex) as [string, string, string];
  cheat({ way: 'drop', from, to, instead });
  await alice!.send({ to: bob!.id, body: 'the one that is lost' });
  await chat();
  const line = duplexes();
  const [[found], ms] = await timed(() =>
    Promise.all([bob!.vectors!.compare(alice!.id, line.other), alice!.vectors!.compare(bob!.id, line.one)]),
  );
  if (found.outcome !== 'diverged') throw new Error('the two have found nothing');
  const { serverId, manifest } = server.identity;
  const [judged, verdictMs] = await timed(() => verdict(found.evidence, serverId, manifest.rootKey));
  if (judged.outcome !== 'server') throw new Error(`the evidence proves: ${judged.text}`);
  const [complaint, complaintMs] = await timed(() => bob!.complain(found.evidence));
  const sent = [...line.toOne.sent, ...line.toOther.sent];
  await Promise.all([alice!.close(), bob!.close()]);
  await server.stop();
  return {
    ...{ epochs: 4 * rounds + 1, frames: sent.length, ms, verdictMs, complaintMs },
    bytes: sent.reduce((sum, frame) => sum + frame.length, 0),
    ...{ evidence: found.evidence.length, closed: complaint.closed.length },
  };
}
