/** Two verifiers side by side, and evidence taken apart into its fields. */
import * as assert from 'uvu/assert';
import { RULE } from '../../src/protocol/evidence/evidence.js';
import { type Verdict, verdict } from '../../src/protocol/evidence/verdict.js';
import { PARTS, type RuleNumber, signedManifest } from '../twin/evidence-form.js';
import { Reader } from '../twin/reader.js';
import { secondVerdict } from '../twin/verdict.js';
import type { EvidenceCase } from './evidence-cases.js';

export type Judged = Pick<EvidenceCase, 'bytes' | 'serverId' | 'rootKey'>;

interface Found {
  outcome: string;
  rule?: number | undefined;
  role?: number;
  index?: number;
  key?: Uint8Array;
  suspects?: readonly { role: number; index: number }[];
}

/** Everything that a verdict says but its words. */
interface Told {
  /** As `expected` of a case. */
  whom: string;
  rule: number | undefined;
  key: string;
}

function told({ outcome, rule, role, index, key, suspects }: Found): Told {
  const names = (suspects ?? []).map((one) => `${one.role}.${one.index}`).sort();
  const who = outcome === 'actor' ? [`${role}.${index}`] : names;
  return { whom: [outcome, ...who].join(' '), rule, key: key ? Buffer.from(key).toString('hex') : '' };
}

const toldOfFirst = (first: Verdict) =>
  told({ ...first, rule: 'rule' in first ? RULE[first.rule] : undefined });

/** The first one's verdict; throws where the second does not say the same. */
export function bothSay(
  evidence: Uint8Array,
  serverId: Uint8Array,
  rootKey: Uint8Array,
  name = 'evidence',
): Verdict {
  const bytes = Buffer.from(evidence);
  const first = verdict(evidence, serverId, rootKey);
  const second = secondVerdict(bytes, Buffer.from(serverId), Buffer.from(rootKey));
  assert.not.match(second.why, 'a fault of this verifier');
  assert.ok(bytes.equals(evidence), `${name}: a verifier has changed the evidence`);
  assert.equal(toldOfFirst(first), told(second as Found), `${name}: ${first.text}; ${second.why}`);
  return first;
}

/** What both say; throws where they do not say the same. */
export function agreed({ bytes, serverId, rootKey }: Judged, name: string): Told {
  return toldOfFirst(bothSay(bytes, serverId, rootKey, name));
}

/** A field: what it is, and where it stands. */
export interface Span {
  kind: string;
  start: number;
  end: number;
}

/** Notes what is read: numbers, hashes, signatures, lists of hashes and bytes with their length. */
class Tracing extends Reader {
  readonly spans: Span[] = [];
  private depth = 0;

  constructor(private readonly all: Buffer) {
    super(all);
  }

  private note<T>(kind: string, read: () => T): T {
    const start = this.all.length - this.left();
    this.depth++;
    const value = read();
    this.depth--;
    if (this.depth === 0) this.spans.push({ kind, start, end: this.all.length - this.left() });
    return value;
  }

  override take(length: number): Buffer {
    return this.note(String(length), () => super.take(length));
  }

  override bytesUpTo(most: number): Buffer {
    return this.note('bytes', () => super.bytesUpTo(most));
  }

  override path(): Buffer[] {
    return this.note('path', () => super.path());
  }
}

/** The fields of readable evidence, from the first byte to the last. */
export function fieldsOf(evidence: Buffer): Span[] {
  const reader = new Tracing(evidence);
  reader.take(8);
  reader.listUpTo(16, () => signedManifest(reader));
  PARTS[reader.u8() as RuleNumber](reader);
  reader.end();
  return reader.spans;
}
