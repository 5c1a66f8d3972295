/** Makes a member: its counters, its mailbox and, where it has something to send, its sender. */
import type { Identity } from '#crypto';
import { toHex } from '../protocol/index.js';
import { Counters } from './counters.js';
import type { Ground } from './gateway.js';
import { Mailbox, type MailboxHost } from './mailbox.js';
import type { Member } from './member.js';
import type { Settings } from './options.js';
import type { Persister } from './persister.js';
import type { SenderHost } from './sender-options.js';
import { sending } from './sending.js';

export type MemberHost = SenderHost & MailboxHost;

export function makeMember(
  identity: Identity,
  index: number,
  { world, saved }: Pick<Ground, 'world' | 'saved'>,
  settings: Settings,
  proven: boolean,
  persister: Persister,
  host: MemberHost,
): Member {
  const id = identity.publicKey;
  const hex = toHex(id);
  const known = saved.mailboxes.get(hex);
  const counters = new Counters(identity, hex, known, persister, host);
  if (known?.bundles.length)
    counters.sender = sending.loaded!.makeSender(counters, world, settings, proven, known.bundles);
  return {
    index,
    identity,
    counters,
    mailbox: new Mailbox(id, hex, known, counters, persister, host),
    outbox: world.outboxOf(id),
    weight: 0,
    state: 'connecting',
    problem: null,
  };
}
