/** One cheat, shown to a person: what the actor did, who noticed and when, the evidence, the verdict. */

import type { Accusation } from '../../src/protocol/evidence/accuse.js';
import { toHex } from '../../src/protocol/index.js';
import { CHEATS } from './cheats.js';
import type { Ending } from './play.js';
import { outcomeOf } from './table.js';

export interface Shown {
  readonly lines: readonly string[];
  /** Null when it was stopped before anything left the server. */
  readonly evidence: Uint8Array | null;
  /** What it proves, in words. */
  readonly verdict: string | null;
  readonly serverId: string;
  readonly rootKey: string;
}

/** `role:cheat`, as they are called. */
export const NAMES: readonly string[] = CHEATS.map(({ role, name }) => `${role}:${name}`);

/** Null when there is no such cheat. */
export function show(name: string): Shown | null {
  const cheat = CHEATS[NAMES.indexOf(name)];
  if (!cheat) return null;
  const { checked, unchecked } = outcomeOf(cheat);
  const { theatre, opened } = unchecked;
  const lines = [
    `Three epochs, two inboxes, three outboxes. In the second epoch ${cheat.role} 0 cheats: ${cheat.name}.`,
    'It is about a message from Alice to Bob and Carol. Afterwards it refuses to open anything.',
    '',
    'With checks everywhere:',
    ...(checked.theatre.stopped
      ? [
          `  ${checked.theatre.stopped.who} noticed before anything left the server, signed nothing, and the server stopped:`,
          `  "${checked.theatre.stopped.what}"`,
        ]
      : said(checked)),
    '',
    'Where no honest actor checks, and the sequencer logs what it is told:',
    ...(theatre.stopped ? [`  ${theatre.stopped.who} stopped: "${theatre.stopped.what}"`] : said(unchecked)),
  ];
  const evidence = opened?.evidence ?? null;
  const verdict = opened?.verdict.text ?? null;
  const { world, rootKey } = theatre;
  return { lines, evidence, verdict, serverId: toHex(world.serverId), rootKey: toHex(rootKey) };
}

function said({ clients, opened, openings }: Ending): string[] {
  const first = clients
    ? ['  After one exchange two clients hold evidence:', ...proof(clients)]
    : ['  What clients hold themselves proves nothing yet.'];
  if (!opened) return [...first, '  Why it stays so: docs/ACCOUNTABILITY.md, "What cannot be proven".'];
  if (opened === clients) return first;
  return [
    ...first,
    `  With ${openings} leaves that holders other than the cheat have opened:`,
    ...proof(opened),
  ];
}

function proof({ evidence, verdict }: Accusation): string[] {
  return [`    ${verdict.text}`, `    ${evidence.length} bytes of evidence.`];
}
