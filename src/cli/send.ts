/**
 * `countersign send`: sends one message, or one per line of stdin, and waits for the verified receipts.
 * They are shown in the order of sending. The first failure ends it; what was sent before stays sent.
 */
import { createInterface, type Interface } from 'node:readline';
import type { Client, Receipt } from '../client/index.js';
import { formatPlace, toHex } from '../protocol/index.js';
import { clientFrom, clientOptions, idFrom } from './client-options.js';
import { type Call, type Command, UsageError } from './command.js';

/** Messages without a receipt; then no more lines are read. As many as the client has under way. */
const MOST_WAITING = 1024;

export const command: Command = {
  name: 'send',
  summary: 'Send a message, or one per line of stdin, and wait for the proof that it stands in the order',
  options: {
    ...clientOptions,
    to: { type: 'string', value: 'ID', multiple: true, about: 'recipient; may be given several times' },
  },
  positionals: 'BODY | -',
  async run(call) {
    const to = recipientsFrom(call);
    const bodies = bodiesFrom(call);
    const client = await clientFrom(call.values, (on) =>
      on('receipt', ({ receipt }) => tellReceipt(call, receipt, true)),
    );
    try {
      const reading = leaveUnread(client);
      const sent = await Promise.race([sendAll(client, to, bodies, call), reading]);
      return {
        serverId: toHex(client.serverId),
        sender: toHex(client.id),
        sent,
        checkpoint: client.checkpoint.size,
      };
    } finally {
      bodies.close();
      await client.close();
    }
  },
};

function recipientsFrom({ values }: Call): Uint8Array[] {
  const to = (values['to'] ?? []) as string[];
  if (to.length === 0) throw new UsageError('--to: expected the id of a recipient');
  const twice = to.find((id, i) => to.indexOf(id) < i);
  if (twice !== undefined) throw new UsageError(`--to: ${twice} is given twice`);
  return to.map((id) => idFrom('to', id));
}

/** Bodies one after another; `close` ends waiting for the next. */
interface Bodies extends AsyncIterable<string> {
  close(): void;
}

function bodiesFrom({ positionals }: Call): Bodies {
  const [body, ...more] = positionals;
  if (body === undefined || more.length > 0)
    throw new UsageError('BODY: expected one text (in quotes), or - to send the lines of stdin');
  if (body === '-') return linesOf(process.stdin);
  const one = async function* () {
    yield body;
  };
  return { [Symbol.asyncIterator]: one, close() {} };
}

function linesOf(input: NodeJS.ReadableStream): Bodies {
  let lines: Interface | null = null;
  return {
    // Only now: what readline reads before somebody iterates is lost.
    [Symbol.asyncIterator]() {
      lines = createInterface({ input });
      return lines[Symbol.asyncIterator]();
    },
    close: () => lines?.close(),
  };
}

/** Resolves with how many were sent, all with their receipts. */
async function sendAll(
  client: Client,
  to: readonly Uint8Array[],
  bodies: Bodies,
  call: Call,
): Promise<number> {
  let sent = 0;
  let shown: Promise<void> = Promise.resolve();
  const waiting: Promise<Receipt>[] = [];
  for await (const body of bodies) {
    const receipt = client.send({ to, body });
    sent++;
    waiting.push(receipt);
    shown = shown.then(async () => tellReceipt(call, await receipt, false));
    // Told at the end; until then a failure only ends the reading.
    for (const each of [receipt, shown]) each.catch(() => bodies.close());
    if (waiting.length >= MOST_WAITING) await waiting.shift();
  }
  await shown;
  return sent;
}

/**
 * Takes what comes to the sender's own mailbox, so that it never stands in the way of a receipt, and
 * acknowledges nothing: it comes again for whoever reads it. Rejects when the client fails.
 */
async function leaveUnread(client: Client): Promise<never> {
  for await (const _ of client.mailbox({ acknowledge: 'manual' }));
  return new Promise(() => {});
}

function tellReceipt(call: Call, receipt: Receipt, late: boolean): void {
  const place = formatPlace(receipt.place);
  const { counter, checkpointSize: checkpoint } = receipt;
  call.tell(
    { place, counter, checkpoint, messageHash: toHex(receipt.messageHash), ...(late && { late }) },
    `place ${place}   counter ${counter}   checkpoint ${checkpoint}${late ? '   (sent by an earlier run)' : ''}`,
  );
}
