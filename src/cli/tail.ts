/**
 * `countersign tail`: prints the messages of a mailbox in the one order, each once it is verified, and
 * acknowledges each when it is printed. Ends after `--count` messages, or at SIGINT or SIGTERM.
 */
import type { Client, Message } from '../client/index.js';
import { formatPlace, toHex } from '../protocol/index.js';
import { clientFrom, clientOptions } from './client-options.js';
import { type Call, type Command, harmless, type OptionValues, UsageError } from './command.js';

export const command: Command = {
  name: 'tail',
  summary: 'Print and acknowledge the messages of a mailbox as they are verified',
  options: {
    ...clientOptions,
    count: { type: 'string', value: 'N', about: 'end after so many messages (default: go on until SIGINT)' },
  },
  async run(call) {
    const most = countFrom(call.values);
    const client = await clientFrom(call.values, (on) =>
      on('gap', ({ from, to }) => {
        // Who remembers nothing misses nothing.
        if (from > 0) process.stderr.write(`mail of epochs ${from + 1} to ${to} does not come any more\n`);
      }),
    );
    // Only now: while it connects they end the process.
    const ending = new AbortController();
    const end = () => ending.abort();
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, end);
    call.say(`mailbox ${toHex(client.id)} at server ${toHex(client.serverId)}`);
    try {
      const messages = await printAll(client, most, ending.signal, call);
      return {
        serverId: toHex(client.serverId),
        mailbox: toHex(client.id),
        messages,
        checkpoint: client.checkpoint.size,
      };
    } finally {
      await client.close();
    }
  },
};

function countFrom(values: OptionValues): number {
  const text = values['count'] as string | undefined;
  if (text === undefined) return Number.POSITIVE_INFINITY;
  if (/^[1-9]\d{0,14}$/.test(text)) return Number(text);
  throw new UsageError(`--count: expected an integer from 1, got ${text}`);
}

async function printAll(client: Client, most: number, signal: AbortSignal, call: Call): Promise<number> {
  let printed = 0;
  for await (const message of client.mailbox({ signal })) {
    call.tell(asObject(message), asLine(message));
    printed++;
    if (printed === most) break;
  }
  return printed;
}

function asObject(message: Message): object {
  return {
    place: formatPlace(message.place),
    sender: message.senderHex,
    counter: message.counter,
    recipients: message.recipients,
    messageHash: toHex(message.messageHash),
    text: textOf(message.body),
    body: Buffer.from(message.body).toString('base64'),
    envelope: Buffer.from(message.envelope).toString('base64'),
  };
}

function asLine(message: Message): string {
  const text = textOf(message.body);
  const body = text === null ? `(${message.body.length} bytes, no text)` : harmless(text);
  return `${formatPlace(message.place)}  ${message.senderHex}  ${body}`;
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Null when the bytes are no UTF-8. */
function textOf(bytes: Uint8Array): string | null {
  try {
    return utf8.decode(bytes);
  } catch {
    return null;
  }
}
