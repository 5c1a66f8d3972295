/** A sequencer that forks its log, and what clients of both branches find. */
import { accuse } from '../../src/protocol/evidence/accuse.js';
import { type Claim, ROLE } from '../../src/protocol/index.js';
import { bothSay } from '../support/verdicts.js';
import type { SequencerCheat } from './lenient-sequencer.js';
import { Theatre } from './theatre.js';

/** Epoch numbers of the other branch: no honest actor signs a number twice. */
const BEYOND = 1000;

function branch(other: boolean): Theatre {
  const elsewhere: SequencerCheat[] = [2, 3].map((round) => ({
    ...{ name: 'fork the log', role: 'sequencer', round },
    context: (context) => ({ ...context, epoch: context.epoch + BEYOND }),
  }));
  const theatre = new Theatre({ checks: false, cheats: other ? elsewhere : [] });
  const { alice, bob, carol, dave } = theatre.cast;
  theatre.send(alice, [bob, carol]);
  theatre.epoch();
  theatre.send(other ? dave : alice, [bob]);
  theatre.epoch();
  theatre.send(alice, [bob, carol]);
  theatre.epoch();
  return theatre;
}

export function claimsOf(theatre: Theatre, size: number): Claim[] {
  const log = { epochs: theatre.epochs.slice(0, size), checkpoint: theatre.checkpoints[size - 1]! };
  return theatre.acts
    .filter(({ role, epoch }) => role === ROLE.outbox && log.epochs.some((each) => each.epoch === epoch))
    .flatMap((act) => theatre.claims(act, 0, log));
}

/** The two branches: equal through the first epoch. */
export function forkedTheatres(): [Theatre, Theatre] {
  return [branch(false), branch(true)];
}

/** What is found with checkpoints of one size, of two, and in everything else that both branches signed. */
export function forked(): { sameSize: string; otherSize: string; others: string } {
  const [one, other] = forkedTheatres();
  const { serverId } = one.world;
  const found = (claims: readonly Claim[], checkpoints: Theatre['checkpoints']) => {
    const file = { manifests: one.manifests, claims, checkpoints };
    const accusation = accuse(file, serverId, one.rootKey);
    return accusation && bothSay(accusation.evidence, serverId, one.rootKey);
  };
  const said = (verdict: ReturnType<typeof found>) =>
    verdict?.outcome === 'actor' && verdict.role === ROLE.sequencer
      ? 'the **sequencer** is named'
      : String(verdict?.outcome);
  const named = [...othersNamed(one, other)];
  return {
    sameSize: said(found([], [one.checkpoints[1]!, other.checkpoints[1]!])),
    otherSize: said(found([...claimsOf(one, 2), ...claimsOf(other, 3)], [])),
    others: named.length === 0 ? 'none was' : named.join(', '),
  };
}

/** Actors other than the sequencer that claims of both branches name, if any: pair by pair, each under its own log. */
function* othersNamed(one: Theatre, other: Theatre): Generator<string> {
  const [left, right] = [claimsOf(one, 3), claimsOf(other, 3)];
  for (const a of left)
    for (const b of right) {
      const claims = [a, b].filter((claim) => claim.leaf.length > 0);
      const found = accuse({ manifests: one.manifests, claims }, one.world.serverId, one.rootKey);
      if (found && !(found.verdict.outcome === 'actor' && found.verdict.role === ROLE.sequencer))
        yield found.verdict.text;
    }
}
