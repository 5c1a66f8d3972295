/** A collection of evidence for every rule, guilty and innocent, with what the verdict must be. */
import {
  chainEdges,
  leafEdges,
  logEdges,
  orderEdges,
  rowEdges,
  senderEdges,
  signerEdges,
} from './evidence-edges.js';
import {
  columnEdges,
  counterEdges,
  inboxPageEdges,
  leafEdgesOfStages,
  partyEdges,
  swappedKeys,
  wayEdges,
} from './evidence-edges-stages.js';
import { handOverCases } from './evidence-hand-overs.js';
import { type EvidenceCase, leafCases, orderCases, rowCases, statementCases } from './evidence-leaves.js';
import {
  chainCases,
  commitCases,
  entryCases,
  keyCases,
  logCases,
  senderCases,
  signerCases,
} from './evidence-log.js';
import { moveCases } from './evidence-moves.js';
import { placeCases } from './evidence-places.js';
import { columnCases, counterCases, exceptionCases, neighbourCases, stageWorld } from './evidence-stages.js';
import { strayCases } from './evidence-strays.js';
import { EvidenceWorld } from './evidence-world.js';

export type { EvidenceCase } from './evidence-leaves.js';

export function evidenceCases(): EvidenceCase[] {
  const world = new EvidenceWorld();
  const required = new EvidenceWorld({ submissions: 2 });
  const scene = stageWorld(new EvidenceWorld());
  return [
    ...statementCases(world),
    ...leafCases(world),
    ...orderCases(world),
    ...rowCases(world, required),
    ...senderCases(world),
    ...chainCases(world),
    ...commitCases(world),
    ...keyCases(world),
    ...logCases(world),
    ...entryCases(world),
    ...signerCases(world),
    ...neighbourCases(scene),
    ...columnCases(scene),
    ...counterCases(world),
    ...strayCases(scene),
    ...exceptionCases(strayCases),
    ...leafEdges(world),
    ...orderEdges(world),
    ...rowEdges(world, required),
    ...senderEdges(world),
    ...chainEdges(world),
    ...logEdges(world),
    ...signerEdges(world),
    ...partyEdges(scene),
    ...inboxPageEdges(scene),
    ...wayEdges(scene),
    ...leafEdgesOfStages(scene),
    ...columnEdges(scene),
    swappedKeys(scene),
    ...counterEdges(world),
    ...placeCases(world),
    ...moveCases(world),
    ...handOverCases(world),
  ];
}
