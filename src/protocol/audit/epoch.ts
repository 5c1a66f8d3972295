/**
 * Recomputes one epoch: from what is kept of it everything that its actors signed, and holds it against that. What stages
 * kept is tried first; where it is not what they signed, what they were given is.
 */

import { ROLE, ROLE_NAMES } from '../attestation.js';
import { compareBytes, equalBytes, getU16, getU32 } from '../bytes.js';
import { PAGE_ENTRIES } from '../limits.js';
import type { EpochLeaf } from '../log.js';
import { ITEM_INBOX_AT, ITEM_INDEX_AT, RECEIVER_PREFIX, ROUTER_PREFIX } from '../pages.js';
import type { Draft } from './draft.js';
import { auditInbox } from './inbox.js';
import {
  differences,
  ITEM_KEY_BYTES,
  type ItemList,
  itemAt,
  itemPages,
  itemsRoot,
  merged,
  ofInbox,
} from './items.js';
import { expectedItems, type KnownMessages, readMessages } from './known-messages.js';
import { auditMessages, lost } from './messages.js';
import { auditOutbox } from './outbox.js';
import type { KeptEpoch } from './source.js';
import type { AuditState } from './state.js';
import { auditStatements } from './statements.js';
import { type EpochView, type Lists, outputOf } from './view.js';
import { Actors, type AuditWorld } from './world.js';

/** Differences between two stages that are told by themselves. */
const MOST_DIFFERENCES = 16;

/** How many messages it has, and of how many it is not kept who they were for. */
export interface EpochCounts {
  readonly messages: number;
  readonly recipientsUnknown: number;
}

/** `leaf`: as the log has it. */
export function auditEpoch(
  world: AuditWorld,
  state: AuditState,
  kept: KeptEpoch,
  leaf: EpochLeaf,
  reportTo: (draft: Draft) => void,
): EpochCounts {
  const { epoch } = kept;
  let isWhole = true;
  let areLeavesGood = true;
  const report: EpochView['report'] = (draft) => {
    isWhole &&= draft.kind !== 'output' && draft.kind !== 'missing';
    areLeavesGood &&= draft.kind !== 'leaf';
    reportTo({ ...draft, epoch });
  };
  const manifest = world.manifest(leaf.manifestHash);
  const actors = manifest && new Actors(manifest);
  const statements = manifest && actors ? auditStatements(world, manifest, actors, kept, leaf, report) : null;
  if (!manifest || !actors || !statements) {
    state.completeFrom = epoch + 1;
    return { messages: 0, recipientsUnknown: 0 };
  }
  const view = { world, manifest, actors, kept, leaf, statements, state, report };
  const inboxes = Array.from({ length: actors.inboxes }, (_, i) => auditInbox(view, i));
  const known = readMessages(view, inboxes);
  const outboxes = Array.from({ length: actors.outboxes }, (_, j) => auditOutbox(view, j));
  const lists = findLists(view, inboxes, outboxes, known);
  // Items that are in good links are good.
  if (!areLeavesGood) auditItemPages(view, lists);
  auditMessages(view, lists, known);
  // What an id had in it is not known.
  if (!isWhole) state.completeFrom = epoch + 1;
  const messages = inboxes.reduce((sum, rows) => sum + (rows?.count ?? 0), 0);
  const recipientsUnknown = messages - known.reduce((sum, { size }) => sum + size, 0);
  return { messages, recipientsUnknown };
}

/** What routers and receivers signed: their items are what is in the links, unless somebody lost or changed some. */
function findLists(
  view: EpochView,
  inboxes: Lists['inboxes'],
  outboxes: Lists['outboxes'],
  known: KnownMessages,
): Lists {
  const { actors } = view;
  const isSigned = (items: ItemList | null, position: number, output: number, prefix: Uint8Array) =>
    items !== null &&
    equalBytes(itemsRoot(items, prefix), outputOf(view, position, output).root) &&
    items.count === outputOf(view, position, output).entries;
  /** Outboxes whose routers and receiver all signed what is in the links. */
  const alike = outboxes.map(() => true);
  const routers = inboxes.map((rows, i) =>
    outboxes.map((links, j) => {
      const isRouters = (items: ItemList | null) => isSigned(items, actors.router(i), j, ROUTER_PREFIX);
      const linked = links && ofInbox(links, i);
      if (isRouters(linked)) return linked;
      alike[j] = false;
      const given = rows && expectedItems(view, i, j, rows.count, known[i]!);
      return isRouters(given) ? given : null;
    }),
  );
  const receivers = outboxes.map((links, j) => {
    const isReceivers = (items: ItemList | null) => isSigned(items, actors.receiver(j), 0, RECEIVER_PREFIX);
    if (isReceivers(links)) return links;
    alike[j] = false;
    const shares = routers.map((all) => all[j]);
    const given = shares.every((share) => share !== null) ? merged(shares as ItemList[]) : null;
    return isReceivers(given) ? given : null;
  });
  const lists = { inboxes, routers, receivers, outboxes };
  for (const [j, links] of outboxes.entries()) if (!alike[j]) compareStages(view, lists, known, j, links);
  return lists;
}

/** Tells where stages of one outbox's column differ, or of which it cannot be known what they signed. */
function compareStages(
  view: EpochView,
  lists: Lists,
  known: KnownMessages,
  outbox: number,
  links: ItemList | null,
): void {
  const { actors } = view;
  const unknown = (position: number, of: string) => {
    const { role, index } = actors.at(position);
    const who = `${ROLE_NAMES[role]} ${index}`;
    // Without the outbox's links nothing can be made again, which has been told of the outbox.
    if (!links) return;
    const text = `what ${who} signed${of} is neither what is in the links of outbox ${outbox} nor what it was given`;
    view.report({
      kind: 'output',
      who,
      text,
      proof: async (p) => ({ claims: await p.statements(view.kept) }),
    });
  };
  for (const [i, shares] of lists.routers.entries())
    if (!shares[outbox]) unknown(actors.router(i), ` for receiver ${outbox}`);
  const receiver = lists.receivers[outbox];
  if (!receiver) unknown(actors.receiver(outbox), '');
  const shares = lists.routers.map((all) => all[outbox]);
  const routed = shares.every((share) => share) ? merged(shares as ItemList[]) : null;
  for (const [before, after] of [
    [routed, receiver],
    [receiver, links],
    [routed, links],
  ]) {
    if (!before || !after || before === after) continue;
    const keys = differences(before, after, MOST_DIFFERENCES);
    for (const key of keys)
      lost(
        view,
        lists,
        known,
        key.subarray(0, 32),
        getU16(key, ITEM_INBOX_AT),
        getU32(key, ITEM_INDEX_AT),
        'has another message, or none, at a later stage',
      );
    if (keys.length > 0) return;
  }
}

/** Pages of routers and receivers that none of them can have made honestly, whatever they were given. */
function auditItemPages(view: EpochView, { routers, receivers }: Lists): void {
  const { actors } = view;
  for (const [j, items] of receivers.entries())
    auditPages(view, items, actors.receiver(j), 0, j, RECEIVER_PREFIX);
  for (const [i, shares] of routers.entries())
    for (const [j, items] of shares.entries()) auditPages(view, items, actors.router(i), j, j, ROUTER_PREFIX);
}

function auditPages(
  { world, manifest, actors, kept, report }: EpochView,
  items: ItemList | null,
  position: number,
  output: number,
  outbox: number,
  prefix: Uint8Array,
): void {
  for (let x = 0; items && x < items.count; x++) {
    const at = itemAt(x);
    const rises = x === 0 || compareBytes(items.pages, itemAt(x - 1), items.pages, at, ITEM_KEY_BYTES) < 0;
    if (rises && world.placed(manifest, items.pages, at).outbox === outbox) continue;
    const { role, index } = actors.at(position);
    const who = `${ROLE_NAMES[role]} ${index}`;
    const what = rises
      ? 'is of a mailbox that another outbox keeps'
      : 'does not sort behind the one before it';
    const text = `item ${x} of ${who}${role === ROLE.router ? ` for receiver ${outbox}` : ''} ${what}`;
    const page = Math.floor(x / PAGE_ENTRIES);
    const proof: Draft['proof'] = async (prover) => ({
      claims: await prover.openSigned(kept, position, output, itemPages(items, prefix), [page - 1, page]),
    });
    report({ kind: 'leaf', who, text, proof });
    return;
  }
}
