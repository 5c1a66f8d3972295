/**
 * Complaint: evidence that the server is faulty goes to whoever holds what its stages have signed of the place. What they
 * open narrows it, mostly to one actor; what stays closed is suspected, and proves nothing.
 */
import type { DisputedPlace } from '../protocol/evidence/index.js';
import {
  CountersignError,
  countActors,
  type ErrorCode,
  equalBytes,
  inForceAt,
  inOrder,
  ROLE,
} from '../protocol/index.js';
import { type Accusation, judging } from './accusing.js';
import { ComparisonError } from './comparison-error.js';
import type { Gateway } from './gateway.js';
import { bridgeOver, type Range } from './log-range.js';
import type { OpenOptions } from './openings.js';
import { VerificationError } from './verification-error.js';

/** A stage that did not open what it has signed of the place. */
export interface ClosedStage {
  readonly stage: OpenOptions['stage'];
  /** Of an inbox or router: its number. */
  readonly inbox: number;
  /** Whose item; of an inbox nobody's. */
  readonly mailbox: Uint8Array | null;
  readonly code: ErrorCode;
}

/** The evidence after all, and what it proves to anybody: the actor, or still only the server. */
export interface Complaint extends Accusation {
  readonly closed: readonly ClosedStage[];
}

const STAGES = ['router', 'receiver', 'outbox'] as const;
/** A receiver's statement names all routers, so theirs are asked for too: of so many inboxes at the most. */
const MOST_INBOXES = 64;

/** Rejects with `ComparisonError` on what is no evidence against this server, and as the signal says. */
export async function complain(
  gateway: Gateway,
  /** Whose openings are asked for, by the position of its key. */
  mailbox: number,
  ranges: readonly Range[],
  evidence: Uint8Array,
  signal: AbortSignal | undefined,
): Promise<Complaint> {
  const { accuseAgain, disputedPlace, verdict } = await judging.get(signal);
  const { serverId, manifest } = gateway.ground.world;
  const judged = verdict(evidence, serverId, manifest.rootKey);
  if (judged.outcome === 'unreadable' || judged.outcome === 'nothing')
    throw new ComparisonError('nothing-proven', `no evidence against this server: ${judged.text}`);
  const place = judged.outcome === 'server' ? disputedPlace(evidence) : null;
  if (!place) return { evidence, verdict: judged, closed: [] };
  const { claims, closed } = await opened(gateway, mailbox, place, signal);
  const bridge = (from: number, to: number) => bridgeOver(ranges, from, to);
  const again = accuseAgain(evidence, claims, serverId, bridge);
  const better = again?.verdict.outcome === 'actor' ? again : { evidence, verdict: judged };
  return { ...better, closed };
}

/** What all stages open of the place for both mailboxes, one after the other: the server bounds how many. */
async function opened(
  gateway: Gateway,
  asking: number,
  { epoch, inbox, index, lacking, having }: DisputedPlace,
  signal: AbortSignal | undefined,
): Promise<{ claims: readonly Uint8Array[]; closed: readonly ClosedStage[] }> {
  const mailboxes = equalBytes(lacking, having) ? [lacking] : [lacking, having];
  const { manifest } = inForceAt(inOrder(gateway.ground.world.manifests), epoch);
  const inboxes = Math.min(MOST_INBOXES, countActors(manifest, ROLE.inbox));
  const others = [...Array(inboxes).keys()].filter((each) => each !== inbox);
  const wanted: (Omit<ClosedStage, 'code'> & { readonly index: number })[] = [
    { stage: 'inbox', inbox, index, mailbox: null },
    ...mailboxes.flatMap((mailbox) => [
      ...STAGES.map((stage) => ({ stage, inbox, index, mailbox })),
      ...others.map((inbox) => ({ stage: 'router' as const, inbox, index: 0, mailbox })),
    ]),
  ];
  const claims: Uint8Array[] = [];
  const closed: ClosedStage[] = [];
  for (const { mailbox, index, ...at } of wanted) {
    const asked = { ...at, index, epoch, ...(mailbox && { mailbox }), ...(signal && { signal }) };
    try {
      claims.push(...(await gateway.open(asking, asked)).claims);
    } catch (error) {
      signal?.throwIfAborted();
      const isAnswer = error instanceof CountersignError || error instanceof VerificationError;
      if (!isAnswer) throw error;
      closed.push({ ...at, mailbox, code: error.code });
    }
  }
  return { claims, closed };
}
