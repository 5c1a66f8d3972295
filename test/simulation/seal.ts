/**
 * The digest of a run: over its trace, and over everything that the checks read. Two runs with one digest would be judged
 * alike, so the second run of a seed need not be checked again.
 */
import type { Chronicle } from './chronicle.js';
import { nameOf } from './trace.js';
import type { World } from './weather.js';

export function seal({ loop: { trace }, persons, server }: World, chronicle: Chronicle): string {
  const { sent, receipted, aborted, delivered, hints, closed, claims, signed } = chronicle;
  trace.note(JSON.stringify({ sent, receipted, aborted, delivered, hints, closed: [...closed] }));
  for (const { bytes, mailbox, says } of claims)
    trace.note(`claim ${nameOf(bytes)} of ${nameOf(mailbox)} ${JSON.stringify(says)}`);
  for (const { bytes, signature } of signed.values())
    trace.note(`signed ${nameOf(bytes)} ${nameOf(signature)}`);
  for (const { key, value } of server.disk.range(new Uint8Array(0), Uint8Array.of(0xff)))
    trace.note(`kept ${nameOf(key)} ${nameOf(value)}`);
  for (const { name, total } of persons.flatMap(({ mailboxes }) => mailboxes))
    trace.note(`${name} at ${total}`);
  return trace.digest();
}
