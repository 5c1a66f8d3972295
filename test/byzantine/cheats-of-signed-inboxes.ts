/** What an inbox can do to messages whose senders have signed what they submitted. */
import type { MessageBatch } from '../../src/actors/messages.js';
import * as twin from '../twin/index.js';
import { named } from '../worlds.js';
import type { Cheat, Cheater, Said } from './cheat.js';
import { renumber } from './rows.js';
import type { SentMessage, Theatre } from './theatre.js';

const SUBMISSION_AT = 32;

/** Alice's first message of the second epoch, at index 0. */
const first = ({ sent }: Theatre): SentMessage => sent[2]!;

type InboxCheat = Cheat & { readonly role: 'inbox' };

function signed(what: string, change: (rows: Buffer[], self: Cheater) => void, more = false): InboxCheat {
  const name = `submissions required: ${what}`;
  return {
    ...{ name, role: 'inbox', isSigned: true },
    give: (said: readonly Said[], self: Cheater) =>
      renumber(
        said,
        self,
        (rows) => {
          const out = rows.map((row) => Buffer.from(row));
          change(out, self);
          return out;
        },
        more ? withFirstAgain : undefined,
      ),
  };
}

/** One message more at the end, for whoever the first one is for. */
export function withFirstAgain(batch: MessageBatch): MessageBatch {
  const { where, runs, count } = batch;
  const runCount = runs.length / 44;
  const run = Buffer.from(runs.slice(where[3]! * 44, where[3]! * 44 + 44));
  run.writeUInt32BE(count - 1, 40);
  const again = [where[0]!, where[1]!, where[2]!, runCount, where[4]!];
  return {
    ...batch,
    where: Uint32Array.from([...where.subarray(0, (count - 1) * 5), ...again]),
    runs: twin.join(Buffer.from(runs), run),
  };
}

/** A message of Alice that she has not sent, behind her last one. The row names the submission, or 32 other bytes. */
function inject(name: string, submissionOf: (made: SentMessage, theatre: Theatre) => Uint8Array): InboxCheat {
  return signed(
    name,
    (rows, { theatre }) => {
      const { alice, bob } = theatre.cast;
      const made = theatre.message(alice, first(theatre).counter + 3, [bob], 'made up');
      theatre.others.push(made);
      const last = rows[2]!;
      const row = Buffer.concat([made.hash, submissionOf(made, theatre), last.subarray(64)]);
      row.writeBigUInt64BE(BigInt(theatre.pipeline.log().lastEpoch + 1), 64);
      row.writeUInt32BE(2, 74);
      rows.push(row);
    },
    true,
  );
}

/** Its row names the submission that it came with. */
const alter = signed('alter the committed hash', ([row]) => {
  named('other').copy(row!);
});

/** As above, and it takes the signature away. */
const alterUnsigned = signed('alter the committed hash, without submission', ([row]) => {
  named('other').copy(row!);
  row!.fill(0, SUBMISSION_AT, 64);
});

/** It tells Alice that her message is refused, and gets another one with the counter. Then it takes both in. */
const takeBoth = signed(
  'take in what it refused, too',
  (rows, { theatre }) => {
    const { alice, bob } = theatre.cast;
    const before = theatre.message(alice, first(theatre).counter, [bob], 'refused');
    theatre.others.push(before);
    const { signed, signature } = theatre.signSubmission(before);
    const [row] = rows;
    rows.push(Buffer.concat([before.hash, twin.submissionHash(signed, signature), row!.subarray(64)]));
  },
  true,
);

const hashOf = ({ signed, signature }: { readonly signed: Uint8Array; readonly signature: Uint8Array }) =>
  twin.submissionHash(signed, signature);

export const signedInboxes: readonly InboxCheat[] = [
  alter,
  alterUnsigned,
  inject('inject, without submission', () => twin.UNSIGNED),
  inject("inject, with another message's submission", (_, theatre) =>
    hashOf(theatre.signSubmission(first(theatre))),
  ),
  inject('inject, with a submission that another client signs', (made, theatre) =>
    hashOf(theatre.signSubmission(made, theatre.client(theatre.cast.dave))),
  ),
  inject('inject, with a hash that is of no submission', () => named('no submission')),
  takeBoth,
];
