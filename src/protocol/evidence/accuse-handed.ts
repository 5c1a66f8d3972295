/** What hand-overs may prove, beside all else that is known of a case: candidates for rules 22 to 25 and 27 (accuse.ts). */
import { ROLE } from '../attestation.js';
import { compareWhole, equalBytes, FormatError, toHex } from '../bytes.js';
import type { Claim } from '../claim.js';
import { decodeHandOver, type HandOver } from '../hand-over.js';
import type { Checkpoint } from '../log.js';
import { SENDER_AT } from '../message-hash.js';
import type { OpenedHandOver } from '../opened-hand-over.js';
import type { OpenedLeaf } from '../statement.js';
import { RULE } from './evidence.js';
import { readHanded, SIDE } from './handed.js';
import { neighboursIn, pairs, type Testimony } from './testimony.js';

/** As evidence has it, with the signature of one side and some of its leaves. */
interface Shown {
  readonly signed: Uint8Array;
  readonly signature: Uint8Array;
  readonly leaves: readonly OpenedLeaf[];
  /** Of the leaves, as far as they can be read. */
  readonly ids: readonly Uint8Array[];
}

/** Those that may show something of an id: it, what is beside it, or that there are no leaves. */
function about(shown: readonly Shown[], id: Uint8Array): readonly Shown[] {
  const isOf = ({ ids: [first, second] }: Shown) =>
    second ? compareWhole(first!, id) < 0 && compareWhole(id, second) < 0 : !first || equalBytes(first, id);
  const found = shown.filter(isOf);
  const hasOwn = found.some(({ ids }) => ids.length === 1);
  // Else also what may be the first leaf or the last.
  return hasOwn ? found : [...found, ...shown.filter(({ ids }) => ids.length === 1)];
}

export interface KnownHandOver {
  readonly said: HandOver;
  readonly ids: readonly Uint8Array[];
  /** No leaf, each one, and each two that follow each other; by the side that has signed. */
  readonly from: readonly Shown[];
  readonly to: readonly Shown[];
}

/** Those that can be read. */
export function knownHandOvers(all: readonly OpenedHandOver[]): KnownHandOver[] {
  return all.flatMap(({ signed, leaves: opened, ...signatures }) => {
    const said = orNull(() => decodeHandOver(signed));
    if (!said) return [];
    const leaves = [...opened].sort((a, b) => a.leafIndex - b.leafIndex);
    const shown = [[], ...leaves.map((leaf) => [leaf]), ...neighboursIn(leaves)];
    const idsOf = (some: readonly OpenedLeaf[]) =>
      some.flatMap(({ leaf }) => orNull(() => readHanded(said, leaf).id) ?? []);
    const by = (signature: Uint8Array) =>
      shown.map((some) => ({ signed, signature, leaves: some, ids: idsOf(some) }));
    return [{ said, ids: idsOf(leaves), from: by(signatures.from), to: by(signatures.to) }];
  });
}

function orNull<T>(read: () => T): T | null {
  try {
    return read();
  } catch (error) {
    if (error instanceof FormatError) return null;
    throw error;
  }
}

export interface Beside {
  readonly handOvers: readonly KnownHandOver[];
  /** Leaves of outboxes, and rows of inboxes with their messages. */
  readonly leaves: readonly (Claim & Pick<Testimony, 'decoded'>)[];
  readonly rows: readonly {
    readonly claim: Claim & Pick<Testimony, 'decoded'>;
    readonly row: number;
    readonly message: Uint8Array;
  }[];
  readonly bridge: (a: Pick<Checkpoint, 'size'>, b: Pick<Checkpoint, 'size'>) => Uint8Array;
}

type Parts = { readonly rule: number } & Readonly<Record<string, unknown>>;

export function* ofHandOvers(beside: Beside): Generator<Parts> {
  const { handOvers } = beside;
  for (const { from, to } of handOvers)
    for (const [side, shown] of [
      [SIDE.from, from],
      [SIDE.to, to],
    ] as const)
      for (const handOver of shown) yield { rule: RULE.malformedHandOver, side, handOver };
  for (const [a, b] of pairs(handOvers)) yield* ofTwo(a, b);
  for (const known of handOvers) yield* ofStatements(known, beside);
}

function* ofTwo(a: KnownHandOver, b: KnownHandOver): Generator<Parts> {
  for (const name of ['from', 'to'] as const) {
    const [first, second] = [a[name][0]!, b[name][0]!].sort((x, y) => compareWhole(x.signed, y.signed));
    yield { rule: RULE.twoHandOvers, side: SIDE[name], first, second };
  }
  const ids = new Map([...a.ids, ...b.ids].map((id) => [toHex(id), id]));
  for (const [was, is] of [
    [a, b],
    [b, a],
  ] as const) {
    if (was.said.role !== is.said.role || was.said.to !== is.said.from) continue;
    for (const id of ids.values())
      for (const earlier of about(was.to, id))
        for (const later of about(is.from, id)) yield { rule: RULE.falseHandOn, id, earlier, later };
  }
}

function* ofStatements({ said, ids, from, to }: KnownHandOver, beside: Beside): Generator<Parts> {
  const { leaves, rows, bridge } = beside;
  const found =
    said.role === ROLE.outbox
      ? leaves.map((claim) => ({ claim, row: 0, message: [], ids: [claim.leaf.subarray(9, 41)] }))
      : rows.map(({ claim, row, message }) => {
          return {
            claim,
            row,
            message: [message],
            ids: [message.subarray(SENDER_AT, SENDER_AT + 32), ...ids],
          };
        });
  for (const { claim, row, message, ids } of found) {
    const { actor } = claim.decoded;
    for (const handOver of actor === said.to ? about(to, ids[0]!) : [])
      yield { rule: RULE.falseTakeOver, handOver, later: claim, row, message };
    if (actor !== said.from) continue;
    const rest = { earlier: claim, row, message, bridge: bridge(claim.checkpoint, said.log) };
    for (const id of ids)
      for (const handOver of about(from, id)) yield { rule: RULE.falseHandOver, id, handOver, ...rest };
  }
}
