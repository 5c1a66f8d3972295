/** What to do next after an error of the client library: the sentence that the command line adds to it. */
import type { CountersignError, ErrorCode } from '../protocol/index.js';

const ADVICE: Partial<Record<ErrorCode, string>> = {
  'connection-lost': 'Is a server running at that address? Start one with: countersign serve',
  'not-found': 'Something answers at that address, but it is no Countersign server.',
  'wrong-server':
    'Check the address. A server that was set up anew is another server: give its id, and another --store.',
  'verification-failed':
    'The server does not prove what it says. Nothing of it was shown or acknowledged: keep this output, and do not rely on that server.',
  displaced: 'Another program uses this key: one key is for one program at a time.',
  'no-such-mailbox':
    'Its owner has to connect once before it can be sent to, for example with: countersign tail',
  'mailbox-not-registered': 'Ask the operator of the server to add the id of your key.',
  'counter-conflict':
    'This key is used elsewhere, or its --store is older than what was sent: nothing more is sent under it.',
  'store-corrupt': 'Do not repair it. Start with a new --store: what is not acknowledged comes again.',
};

export function adviceFor({ code, temporary }: CountersignError): string {
  return ADVICE[code] ?? (temporary ? 'Try again.' : `See ${code} in docs/PROTOCOL.md.`);
}
