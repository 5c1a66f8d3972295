/** Makes a member: its sender and its mailbox, told of each other and of what was saved. */
import type { Identity } from '#crypto';
import { toHex } from '../protocol/index.js';
import type { Ground } from './gateway.js';
import { Mailbox, type MailboxHost } from './mailbox.js';
import type { Member } from './member.js';
import type { Settings } from './options.js';
import type { Persister } from './persister.js';
import { Sender } from './sender.js';
import type { SenderHost } from './sender-options.js';
import { Stands } from './stands.js';

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
  const { policy } = world.manifest;
  const { windowBytes, maxQueued } = settings;
  const window = Math.min(settings.window, policy.countersKept);
  const sender = new Sender(
    id,
    hex,
    known,
    { window, windowBytes, maxQueued, policy, proven },
    world.hasher,
    persister,
    host,
  );
  return {
    index,
    identity,
    sender,
    mailbox: new Mailbox(id, hex, known, sender, persister, host),
    stands: new Stands(),
    outbox: world.outboxOf(id),
    state: 'connecting',
    problem: null,
  };
}
