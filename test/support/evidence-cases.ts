/** A collection of evidence for every rule, guilty and innocent, with what the verdict must be. */
import { type EvidenceCase, leafCases, orderCases, rowCases, statementCases } from './evidence-leaves.js';
import { chainCases, commitCases, entryCases, logCases, senderCases, signerCases } from './evidence-log.js';
import { columnCases, counterCases, exceptionCases, neighbourCases, stageWorld } from './evidence-stages.js';
import { EvidenceWorld } from './evidence-world.js';

export type { EvidenceCase } from './evidence-leaves.js';

export function evidenceCases(): EvidenceCase[] {
  const world = new EvidenceWorld();
  const scene = stageWorld(new EvidenceWorld());
  return [
    ...statementCases(world),
    ...leafCases(world),
    ...orderCases(world),
    ...rowCases(world, new EvidenceWorld({ submissions: 2 })),
    ...senderCases(world),
    ...chainCases(world),
    ...commitCases(world),
    ...logCases(world),
    ...entryCases(world),
    ...signerCases(world),
    ...neighbourCases(scene),
    ...columnCases(scene),
    ...counterCases(world),
    ...exceptionCases(),
  ];
}
