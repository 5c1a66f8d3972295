/** The hints that tell senders where their messages stand. */
import { encodePlacedRuns } from '../protocol/index.js';
import type { PlacedRun } from './messages.js';

/** Messages in one placed frame: its count has 16 bits. */
const MAX_PLACED = 0xffff;

/** One frame per sender, epoch and 65,535 messages, and the connection that it is for. */
export function* placedFrames(
  runs: readonly PlacedRun[],
): Iterable<{ connection: number; frame: Uint8Array }> {
  const groups = new Map<string, PlacedRun[]>();
  for (const run of runs) {
    const key = `${run.connection} ${run.slot} ${run.epoch}`;
    const group = groups.get(key);
    if (group) group.push(run);
    else groups.set(key, [run]);
  }
  for (const group of groups.values()) {
    const { connection, slot, epoch, inbox } = group[0]!;
    let from = 0;
    for (let i = 0, count = 0; i < group.length; i++) {
      count += group[i]!.count;
      const next = group[i + 1]?.count ?? MAX_PLACED;
      if (count + next <= MAX_PLACED) continue;
      yield { connection, frame: encodePlacedRuns(slot, epoch, inbox, group.slice(from, i + 1)) };
      from = i + 1;
      count = 0;
    }
  }
}
