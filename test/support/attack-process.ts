/** Messages that a test takes from a mailbox. */
import type { Client, Message } from '../../src/client/index.js';

export async function take(client: Client, count: number): Promise<Message[]> {
  const messages: Message[] = [];
  if (count === 0) return messages;
  for await (const message of client.mailbox()) if (messages.push(message) === count) break;
  return messages;
}
