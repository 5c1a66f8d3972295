/** Makes a member: its sender and its mailbox, told of each other and of what was saved. */
import type { Identity } from '#crypto';
import { type CountersignError, toHex } from '../protocol/index.js';
import type { Ground } from './gateway.js';
import { Mailbox, type MailboxHost } from './mailbox.js';
import type { Member } from './member.js';
import type { Receipt } from './message.js';
import type { Settings } from './options.js';
import type { Persister } from './persister.js';
import { Sender } from './sender.js';
import { Stands } from './stands.js';

export interface MemberHost extends Omit<MailboxHost, 'receipt'> {
  submit(frames: readonly Uint8Array[]): void;
  /** Nobody waits for it. */
  receipt(receipt: Receipt): void;
  conflict(counter: number, error: CountersignError): void;
}

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
    { submit: host.submit, lateReceipt: host.receipt, conflict: host.conflict },
  );
  const mailbox = new Mailbox(id, hex, known, sender.own, persister, {
    ...host,
    receipt: (counter, receipt) => sender.receipt(counter, receipt),
    gap: (from, to) => {
      sender.lose(to);
      host.gap(from, to);
    },
  });
  const outbox = world.outboxOf(id);
  return {
    index,
    identity,
    sender,
    mailbox,
    stands: new Stands(),
    outbox,
    state: 'connecting',
    problem: null,
  };
}
