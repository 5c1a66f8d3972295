/** Audits of stores in memory, and what they find. */
import { StoreSource } from '../../src/actors/kept-source.js';
import { type AuditOptions, type AuditReport, audit } from '../../src/protocol/audit/index.js';
import { ascii, type Checkpoint, concat } from '../../src/protocol/index.js';
import { ACTORS } from '../byzantine/acts.js';
import type { Theatre } from '../byzantine/theatre.js';
import * as twin from '../twin/index.js';
import type { SideBySide } from './side-by-side.js';

/** What the theatre's server has stored; the checkpoint is the newest that clients were told. */
export function auditTheatre(theatre: Theatre, options: AuditOptions = {}): Promise<AuditReport> {
  const { manifests, world, pipeline, checkpoints } = theatre;
  const source = new StoreSource({ reader: pipeline.store, serverId: world.serverId, ...ACTORS }, manifests);
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
  const { inboxes, outboxes } = cluster.seeds;
  const counts = { inboxes: inboxes.length, outboxes: outboxes.length };
  return new StoreSource({ reader, serverId: cluster.serverId, ...counts }, [{ bytes, signature }]);
}
