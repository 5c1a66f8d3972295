/**
 * Holds what stages open against the log as the client knows it. The newest own leaf stands at the end of that log: the
 * epoch behind it, opened, leads from there to the checkpoint that it is opened under. Loaded with openings.ts.
 */
import { CountersignError, isHandOver, type OpenedItem, ROLE } from '../protocol/index.js';
import type { Gateway } from './gateway.js';
import { judging } from './judging.js';
import type { LogState } from './log-state.js';
import type { Member } from './member.js';
import type { Opened, OpenedStage } from './openings.js';
import { VerificationError } from './verification-error.js';

/** Openings beside the one that is asked for: the server's log goes on meanwhile. */
const MOST_MORE = 4;

/** `ask` opens an item, and verifies the claims. Rejects with `VerificationError` where they are of another log. */
export async function heldAgainstLog(
  gateway: Gateway,
  member: Member,
  asked: OpenedItem,
  ask: (asked: OpenedItem) => Promise<Opened>,
): Promise<OpenedStage> {
  let opened = await ask(asked);
  let behind: Opened | null = null;
  for (let more = 0; ; more++) {
    const log = member.session?.log;
    // A hand-over names a log, and is under no checkpoint.
    if (!log?.checkpoint.size || isHandOver(asked.stage)) break;
    if (await goesOnFrom(gateway, member, opened, behind, log))
      return { ...opened, continues: log.checkpoint.size };
    if (more === MOST_MORE || log.lastEpoch === 0) break;
    // In turns, until both are under one checkpoint.
    if (more % 2 === 0) behind = await answered(ask(nextEpoch(log, member)));
    else opened = (await answered(ask(asked))) ?? opened;
  }
  return { ...opened, continues: 0 };
}

/** What is asked for beside the item; an error about that is none of the item's. */
function answered(opening: Promise<Opened>): Promise<Opened | null> {
  return opening.catch((error: unknown) => {
    if (error instanceof CountersignError && ABOUT_ASKING.includes(error.code)) return null;
    throw error;
  });
}

const ABOUT_ASKING: readonly string[] = ['busy', 'opening-unknown', 'opening-expired'];

/** The owner's own mailbox in the epoch behind the newest one that is known. */
function nextEpoch({ lastEpoch }: LogState, { identity }: Member): OpenedItem {
  return { stage: ROLE.outbox, epoch: lastEpoch + 1, inbox: 0, index: 0, mailbox: identity.publicKey };
}

async function goesOnFrom(
  { ground, events }: Gateway,
  { index }: Member,
  { claims }: Opened,
  behind: Opened | null,
  { checkpoint }: LogState,
): Promise<boolean> {
  const { goesOn } = await judging.get();
  const { serverId, manifest, manifests } = ground.world;
  const { size, root, signature } = checkpoint;
  const [frame] = claims;
  const other = behind && behind.claims[0]!;
  const key = manifest.rootKey;
  let found: boolean | Uint8Array;
  try {
    found = goesOn(frame!, other, size, root, signature, serverId, key, manifests);
  } catch (cause) {
    throw new VerificationError('log', String(cause), frame, { cause });
  }
  if (typeof found === 'boolean') return found;
  events.emit('evidence', { mailbox: index, evidence: found });
  throw new VerificationError('log', `an opening of another log than is known to ${size} epochs`, frame);
}
