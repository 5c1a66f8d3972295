/** The ids that an operator gives mailboxes: read from a request, each checked by the key rule. */
import type { IncomingMessage } from 'node:http';
import { setImmediate } from 'node:timers/promises';
import { checkKey } from '#crypto';
import { FormatError, fromHex } from '../protocol/index.js';

const MAX_IDS = 10_000;
/** 64 hexadecimal digits and the end of the line. */
const LINE = 65;
/** Keys checked in one turn of the event loop: some milliseconds. */
const IDS_PER_TURN = 32;

/** One id as text, or a body of one id per line. Throws `FormatError` or `TypeError`, naming the line. */
export async function readIds(source: string | IncomingMessage): Promise<Uint8Array[]> {
  const lines = typeof source === 'string' ? [source] : (await readBody(source)).split('\n');
  if (lines.length > 1 && lines.at(-1) === '') lines.pop();
  const ids: Uint8Array[] = [];
  for (const [i, line] of lines.entries()) {
    if (i % IDS_PER_TURN === IDS_PER_TURN - 1) await setImmediate();
    try {
      ids.push(checkKey(fromHex(line, 32)));
    } catch (error) {
      throw new FormatError(`mailbox ${i + 1}: ${(error as Error).message}`);
    }
  }
  return ids;
}

async function readBody(request: IncomingMessage): Promise<string> {
  const length = Number(request.headers['content-length'] ?? Number.NaN);
  if (!(length <= MAX_IDS * LINE))
    throw new FormatError(`expected a Content-Length, and at most ${MAX_IDS} mailboxes, one per line`);
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('latin1');
}
