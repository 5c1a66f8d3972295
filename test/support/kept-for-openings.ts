/** What a server keeps of an epoch so that its stages can be opened, once its mail is acknowledged. */
import { numberKey, type Table } from '../../src/actors/store-keys.js';
import { SideBySide } from './side-by-side.js';

/** Tables whose records go when the retention is over. */
export const OPENED = 'AESPKT';

/** Bytes of keys and values. */
export function kept({ pipeline }: SideBySide, epoch: number, tables: string): number {
  let bytes = 0;
  for (const table of tables) {
    const letter = table.charCodeAt(0) as Table;
    const [from, to] = [numberKey(letter, epoch), numberKey(letter, epoch + 1)];
    for (const { key, value } of pipeline.store.range(from, to)) bytes += key.length + value.length;
  }
  return bytes;
}

export interface Traffic {
  readonly mailboxes: number;
  /** They send one frame each: all mailboxes, if not given. */
  readonly senders?: number;
  readonly messagesPerFrame: number;
  /** Of a message: those behind its sender. */
  readonly recipients: number;
  readonly signed: boolean;
}

/** After an epoch of that, with everything acknowledged, at one inbox and one outbox. */
export function epochOf({ mailboxes, senders = mailboxes, messagesPerFrame, recipients, signed }: Traffic): {
  side: SideBySide;
  epoch: number;
} {
  const all = Array.from({ length: mailboxes }, (_, i) => i);
  const frames = all.slice(0, senders).map((sender) => ({
    sender,
    signed,
    bundles: Array.from({ length: messagesPerFrame }, (_, k) => ({
      recipients: Array.from(
        { length: recipients },
        (_, r) => (sender + 1 + ((k + r) % (mailboxes - 1))) % mailboxes,
      ),
      ...{ body: 50, envelope: 0 },
    })),
  }));
  const empty = { frames: [], early: 0, asked: [0, 1], acks: [] };
  const plan = {
    ...{ inboxes: 1, outboxes: 1, mailboxes, moved: [] },
    epochs: [{ ...empty, frames, asked: [], acks: all }, empty],
  };
  const side = new SideBySide(plan, { checkInputs: false, flushEpochs: 1 });
  side.run(plan, { kind: 'nothing', reuse: false, forget: false });
  return { side, epoch: [...side.done.keys()][0]! };
}
