/** One cheat, shown to a person: what the actor did, who noticed and when, the evidence, the verdict. */

import type { Accusation } from '../../src/protocol/evidence/accuse.js';
import { toHex } from '../../src/protocol/index.js';
import { type Cheat, PLAN } from './cheat.js';
import { CHEATS } from './cheats.js';
import type { Ending } from './play.js';
import { outcomeOf } from './table.js';
import type { Cast } from './theatre.js';

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

const COUNTS = ['No', 'One', 'Two', 'Three', 'Four'];
const ORDINALS = ['', 'first', 'second', 'third', 'fourth'];

/** What happens in the play of a cheat, in two sentences or three. */
export function scene({ role, name, round = 2, plan = PLAN }: Cheat, cast: Cast): string[] {
  const epochs = plan(cast);
  const isEmpty = epochs[round - 1]!.length === 0;
  const about = isEmpty
    ? 'In that epoch nobody sends anything.'
    : 'It is about a message from Alice to Bob and Carol.';
  return [
    `${COUNTS[epochs.length]} epochs, two inboxes, three outboxes. In the ${ORDINALS[round]} epoch ${role} 0 cheats: ${name}.`,
    `${about} Afterwards it refuses to open anything.`,
  ];
}

/** Null when there is no such cheat. */
export function show(name: string): Shown | null {
  const cheat = CHEATS[NAMES.indexOf(name)];
  if (!cheat) return null;
  const { checked, unchecked } = outcomeOf(cheat);
  const { theatre, opened } = unchecked;
  const lines = [
    ...scene(cheat, theatre.cast),
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
    ? ['  Alice, Bob and Carol compare, and hold evidence:', ...proof(clients)]
    : ['  What Alice, Bob and Carol hold themselves proves nothing yet.'];
  if (!opened) return [...first, '  Why it stays so: docs/ACCOUNTABILITY.md, "What cannot be proven".'];
  if (opened === clients) return first;
  return [
    ...first,
    `  With ${openings.count} leaves that holders other than the cheat have opened, ${openings.needed} of them needed:`,
    ...proof(opened),
  ];
}

function proof({ evidence, verdict }: Accusation): string[] {
  return [`    ${verdict.text}`, `    ${evidence.length} bytes of evidence.`];
}
