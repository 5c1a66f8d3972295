/** A message on its way to its receipt. */
import { type BundleCursor, sameBytes } from '../protocol/index.js';
import type { Receipt } from './message.js';

const NO_HASH = new Uint8Array(0);

export class Outgoing {
  counter = 0;
  refused = false;
  /** It names a full mailbox. */
  hopeless = false;
  hash: Uint8Array = NO_HASH;

  constructor(
    readonly bundle: Uint8Array,
    readonly resolve: ((receipt: Receipt) => void) | null,
    readonly reject: ((error: unknown) => void) | null,
  ) {}

  /** Whether the mailbox is among its recipients. Moves the cursor. */
  names(mailbox: Uint8Array, cursor: BundleCursor): boolean {
    cursor.parse(this.bundle, 0, this.bundle.length);
    for (let i = 0; i < cursor.recipients; i++)
      if (sameBytes(this.bundle, cursor.mailboxAt(i), mailbox, 0, 32)) return true;
    return false;
  }
}
