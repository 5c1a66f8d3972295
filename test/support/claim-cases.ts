/** Claims by themselves: what holds, and what is refused although all in it is signed. */
import * as twin from '../twin/index.js';
import { named } from '../worlds.js';
import { itemOf, linkOf, looseItems, oneOf, rowOf, stillOf } from './evidence-leaves.js';
import { EvidenceWorld, Log, type Made, openedOf, type Said, saidBy, statementOf } from './evidence-world.js';

const { join, u8, u16, u32 } = twin;

export interface ClaimCase {
  name: string;
  holds: boolean;
  bytes: Buffer;
  serverId: Buffer;
  manifest: Buffer;
}

/** Of epoch 1792, as an epoch whose last byte is cut off must not be read as it. */
const EPOCH = 0x700n;

export function claimCases(): ClaimCase[] {
  const world = new EvidenceWorld();
  const of = (
    name: string,
    holds: boolean,
    role: number,
    made: Made,
    opened: (said: Said) => Buffer = (said) => openedOf(said, 0, 0),
    fields: Partial<twin.Attestation> = {},
    leafFields: Partial<twin.EpochLeaf> = {},
  ): ClaimCase => {
    const stages = new Map(world.stages(EPOCH, [])).set(`${role}.0`, made);
    const log = new Log(world, [world.epoch(EPOCH, stages, fields, leafFields)]);
    const said = saidBy(log.epochs[0]!, role, 0);
    const bytes = join(twin.ascii('csign1cl'), opened(said), log.committed(said));
    return { name, holds, bytes, serverId: world.serverId, manifest: world.manifests[0]!.bytes };
  };
  const mailbox = world.client(0, 0).id;
  const link = linkOf({ mailbox, epoch: EPOCH });
  const still = stillOf({ mailbox, epoch: EPOCH });
  const page = (tag: string) => oneOf(1, [looseItems(tag, [itemOf(mailbox)])]);
  const inbox = oneOf(1, twin.inboxPages([rowOf(named('a'))]));
  const router = { outputs: [...page('csign1ro').outputs, ...oneOf(0, []).outputs] };
  const outbox = (name: string, holds: boolean, leaf: Buffer) => of(name, holds, 4, oneOf(1, [leaf]));
  const base = { base: { size: 1n, root: named('base') } };
  /** Without a leaf. */
  const empty = (output: number, index: number, path: Buffer[]) => (said: Said) =>
    join(u32(0), u16(output), u32(index), u8(path.length), ...path, statementOf(said));
  const outputs = (name: string, holds: boolean, output: number, index = 0, path: Buffer[] = []) =>
    of(name, holds, 2, router, empty(output, index, path));
  return [
    of('a page of an inbox', true, 1, inbox),
    of('a page of a router', true, 2, router),
    of('a page of a receiver', true, 3, page('csign1re')),
    outbox('a part of a link', true, link),
    outbox('a still', true, still),
    outbox('a leaf that ends behind its epoch', true, link.subarray(0, 49)),
    outbox('a leaf that ends in its epoch', false, link.subarray(0, 48)),
    outbox('a leaf that ends before its epoch', false, link.subarray(0, 41)),
    outbox('a link of another epoch', false, linkOf({ mailbox, epoch: EPOCH + 1n })),
    of('a page of a receiver that a router signed', false, 2, page('csign1re')),
    of('a previous epoch that is not below', false, 1, inbox, undefined, {}, { previousEpoch: EPOCH }),
    of('a base that is larger', false, 1, inbox, undefined, base),
    of('another base in the log', false, 1, inbox, undefined, {}, base),
    outputs('no leaf of an empty output', true, 1),
    outputs('no leaf at another index', false, 1, 1),
    outputs('no leaf with a path', false, 1, 0, [named('p')]),
    outputs('no leaf at an index as large as its path', false, 1, 32, [named('p')]),
    outputs('no leaf of an output that has one', false, 0),
    outputs('no leaf of no output', false, 2),
  ];
}
