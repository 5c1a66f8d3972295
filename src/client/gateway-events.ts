/** What a client and a gateway tell, by name. `mailbox` is the position of its key; 0 for a client. */
import type { Verdict } from '../protocol/evidence/index.js';
import type { CountersignError, Placed } from '../protocol/index.js';
import type { ComparisonError } from './comparison-error.js';
import type { Receipt } from './message.js';

/**
 * A mailbox is `connecting` until its sockets are open, then `connected`, and `connecting` again whenever one
 * is lost. The others are for good: `displaced` (a newer session of the key), `refused` (by the server),
 * `failed` (the server does not prove what it says, or the store does not work), `closed` (by the application).
 */
export type State = 'connecting' | 'connected' | 'displaced' | 'refused' | 'failed' | 'closed';

export interface StateChange {
  readonly mailbox: number;
  readonly state: State;
  /** Why a socket was lost or could not be opened, or why it is over. A `VerificationError` holds the bytes. */
  readonly reason?: CountersignError;
  /** With `connecting`: the how many-th attempt in a row comes next, and in how many ms. */
  readonly attempt?: number;
  readonly retryInMs?: number;
}

export interface GatewayEvents {
  state: StateChange;
  /** Messages were committed, the server says. No proof: that is the receipt. */
  placed: Omit<Placed, 'slot'> & { readonly mailbox: number };
  /** Everything through this epoch has been sent. Once per connection. */
  'end-of-backlog': { readonly mailbox: number; readonly epoch: number };
  /** Mail of the epochs behind `from` through `to` does not come: see `Resumed`. */
  gap: { readonly mailbox: number; readonly from: number; readonly to: number };
  /** The key's counters were used by somebody else, or by a state that was lost. */
  'counter-conflict': {
    readonly mailbox: number;
    readonly counter: number;
    readonly error: CountersignError;
  };
  /** The server has contradicted itself: bytes that convict it or one of its actors before anybody (`verdict`). */
  evidence: { readonly mailbox: number; readonly evidence: Uint8Array };
  /**
   * The server is suspected, and nothing proves it. Without `peer`: the chain of one's own messages skips a counter, so the client has failed, and
   * what it keeps does not show that to others. `let-go`: it is not kept any more; `nothing-proven`: it was never known here; `malformed`: more
   * is wrong with the frame; `connection-lost`: what judges does not load. With `peer`: its block shows that it has other messages (`differs`) or
   * another log (`forked`), or `compare` with it has ended in an error that may be the server's fault. Of who has `countersign/vectors`.
   */
  suspicion: {
    readonly mailbox: number;
    readonly peer?: Uint8Array;
    readonly error: ComparisonError | CountersignError;
  };
  /** Two clients have found that the server has kept something from one of them, or two logs: evidence of it. See `countersign/vectors`. */
  divergence: {
    readonly mailbox: number;
    /** Whom it was found out with. */
    readonly peer: Uint8Array;
    readonly evidence: Uint8Array;
    readonly verdict: Verdict;
  };
  /** Of a message that nobody waits for: sent before the last restart, or given up. */
  receipt: { readonly mailbox: number; readonly receipt: Receipt };
}
