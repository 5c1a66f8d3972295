/** Audits of stores in memory, and what they find. */

import { StoreSource } from '../../src/actors/kept-source.js';
import { Placements } from '../../src/actors/placements.js';
import { type AuditOptions, type AuditReport, audit } from '../../src/protocol/audit/index.js';
import { ascii, type Checkpoint, concat, openManifests } from '../../src/protocol/index.js';
import type { Theatre } from '../byzantine/theatre.js';
import * as twin from '../twin/index.js';
import type { SideBySide } from './side-by-side.js';

/** What the theatre's server has stored; the checkpoint is the newest that clients were told. */
export function auditTheatre(theatre: Theatre, options: AuditOptions = {}): Promise<AuditReport> {
  const { manifests, world, pipeline, checkpoints } = theatre;
  const placements = new Placements(world.serverId, openManifests(manifests));
  const source = new StoreSource({ reader: pipeline.store, placements }, manifests);
  const told: Checkpoint[] = checkpoints.slice(-1);
  return audit(source, { checkpoints: told, ...options });
}

/** A finding in a line. */
export function lines({ findings }: AuditReport): string[] {
  return findings.map(({ kind, text, more, verdict }) => {
    const others = more > 0 ? ` (+${more})` : '';
    return `${kind}: ${text}${others}${verdict ? ` => ${verdict.text}` : ''}`;
  });
}

/** The server of a run through stages and twin, as its store has it. */
export function sourceOf({ world, pipeline }: SideBySide): StoreSource {
  const { cluster, store: reader } = pipeline;
  const bytes = twin.manifestBytes(world.manifest);
  const signature = twin.sign(world.rootSecret, concat(ascii('countersign/v1 manifest'), bytes));
  const placements = new Placements(cluster.serverId, [{ from: 1, manifest: cluster.manifest }]);
  return new StoreSource({ reader, placements }, [{ bytes, signature }]);
}
