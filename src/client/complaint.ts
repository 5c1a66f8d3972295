/**
 * Complaint: evidence that the server is faulty goes to whoever holds what its stages have signed of the place. What they
 * open narrows it, mostly to one actor; what stays closed is suspected, and proves nothing.
 */
import type { DisputedPlace } from '../protocol/evidence/index.js';
import {
  CountersignError,
  countActors,
  decodeClaim,
  decodeHandOver,
  decodeOpenedHandOver,
  type ErrorCode,
  equalBytes,
  inForceAt,
  inOrder,
  placementOf,
  ROLE,
} from '../protocol/index.js';
import { decodeProof } from '../protocol/notes/index.js';
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
/** Moves since then whose hand-overs are asked for. */
const MOST_MOVES = 8;
const MOST_PROOFS = 16;

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
  const moves = await moved(gateway, mailbox, place, signal);
  closed.push(...moves.closed);
  const proofs = await proofsBetween(gateway.ground.http, moves.handOvers, claims, signal);
  const bridge = (from: number, to: number) => proofs.get(`${from} ${to}`) ?? bridgeOver(ranges, from, to);
  const again = accuseAgain(evidence, claims, moves.handOvers, serverId, bridge);
  const better = again?.verdict.outcome === 'actor' ? again : { evidence, verdict: judged };
  return { ...better, closed };
}

/** What all stages open of the place for both mailboxes, one after the other: the server bounds how many. */
async function opened(
  gateway: Gateway,
  asking: number,
  { epoch, inbox, index, lacking, having }: DisputedPlace,
  signal: AbortSignal | undefined,
): Promise<{ claims: readonly Uint8Array[]; closed: ClosedStage[] }> {
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
  for (const { index, ...at } of wanted) {
    const found = await openedOr(gateway, asking, { ...at, index, epoch }, signal);
    if (Array.isArray(found)) claims.push(...found);
    else closed.push({ ...at, code: found as ErrorCode });
  }
  return { claims, closed };
}

/** What one stage opens, or why it does not. */
async function openedOr(
  gateway: Gateway,
  asking: number,
  { mailbox, ...at }: Omit<OpenOptions, 'mailbox'> & Pick<ClosedStage, 'mailbox'>,
  signal: AbortSignal | undefined,
): Promise<readonly Uint8Array[] | ErrorCode> {
  const asked = { ...at, ...(mailbox && { mailbox }), ...(signal && { signal }) };
  try {
    return (await gateway.open(asking, asked)).claims;
  } catch (error) {
    signal?.throwIfAborted();
    const isAnswer = error instanceof CountersignError || error instanceof VerificationError;
    if (!isAnswer) throw error;
    return error.code;
  }
}

/** What was handed over of the mailbox that misses the message, whenever it was moved since. */
async function moved(
  gateway: Gateway,
  asking: number,
  { epoch, lacking }: DisputedPlace,
  signal: AbortSignal | undefined,
): Promise<{ handOvers: readonly Uint8Array[]; closed: readonly ClosedStage[] }> {
  const { manifests, serverId } = gateway.ground.world;
  const outboxes = inOrder(manifests).map(({ manifest, from }) => {
    return { from, outbox: placementOf(manifest, serverId, lacking).outbox };
  });
  const moves = outboxes.filter(({ from, outbox }, i) => {
    return from > epoch && i > 0 && outboxes[i - 1]!.outbox !== outbox;
  });
  const handOvers: Uint8Array[] = [];
  const closed: ClosedStage[] = [];
  for (const { from } of moves.slice(0, MOST_MOVES)) {
    const at = { stage: 'mailbox-hand-over', inbox: 0, mailbox: lacking } as const;
    const found = await openedOr(gateway, asking, { ...at, index: 0, epoch: from }, signal);
    if (Array.isArray(found)) handOvers.push(...found);
    else closed.push({ ...at, code: found as ErrorCode });
  }
  return { handOvers, closed };
}

/** The consistency proofs between the logs of hand-overs and of claims, by their sizes, as far as the server tells. */
async function proofsBetween(
  http: string,
  handOvers: readonly Uint8Array[],
  claims: readonly Uint8Array[],
  signal: AbortSignal | undefined,
): Promise<ReadonlyMap<string, Uint8Array>> {
  const sizes = (all: readonly number[]) => [...new Set(all)];
  const logs = sizes(handOvers.map((each) => decodeHandOver(decodeOpenedHandOver(each).signed).log.size));
  const others = sizes(claims.map((claim) => decodeClaim(claim).checkpoint.size));
  const pairs = logs.flatMap((a) => others.map((b) => `${Math.min(a, b)} ${Math.max(a, b)}`));
  const proofs = new Map<string, Uint8Array>();
  for (const pair of pairs.slice(0, MOST_PROOFS)) {
    const url = `${http}/v1/consistency/${pair.replace(' ', '/')}`;
    const proof = await fetch(url, signal ? { signal } : {})
      .then(async (answer) => (answer.ok ? decodeProof(new Uint8Array(await answer.arrayBuffer())) : null))
      .catch(() => null);
    signal?.throwIfAborted();
    // Whatever it is: only what leads from the one to the other proves anything.
    if (proof) proofs.set(pair, proof);
  }
  return proofs;
}
