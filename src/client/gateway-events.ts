/** What a client and a gateway tell, by name. `mailbox` is the position of its key; 0 for a client. */
import type { CountersignError, Placed } from '../protocol/index.js';
import type { Receipt } from './message.js';
import type { VerificationError } from './verification-error.js';

/** `displaced`, `failed` and `closed` are for good. */
export type State = 'connecting' | 'open' | 'reconnecting' | 'displaced' | 'failed' | 'closed';

export interface GatewayEvents {
  state: State;
  /** The server's bytes do not prove what they say. The connection is closed for good. */
  'verification-failed': VerificationError;
  /** A newer session of the same key has taken over. */
  displaced: CountersignError;
  /** Messages were committed, the server says. No proof: that is the receipt. */
  placed: Placed & { readonly mailbox: number };
  /** Everything through this epoch has been sent. */
  'end-of-backlog': { readonly mailbox: number; readonly epoch: number };
  /** Mail of the epochs behind `from` through `to` was acknowledged by another holder of the key. */
  gap: { readonly mailbox: number; readonly from: number; readonly to: number };
  /** The key's counters were used by somebody else, or by a state that was lost. */
  'counter-conflict': {
    readonly mailbox: number;
    readonly counter: number;
    readonly error: CountersignError;
  };
  /** Of a message sent before the last restart. */
  receipt: { readonly mailbox: number; readonly receipt: Receipt };
}
