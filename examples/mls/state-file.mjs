// A member's state in one file, replaced as a whole. It has secret keys in it, as they are.
import { open, readFile, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { deserialize, serialize } from 'node:v8';
import { decodeGroupState, encodeGroupState } from 'ts-mls';
import { config } from './mls.mjs';

const EMPTY = {
  /** All messages through this place are in the state. */
  place: { epoch: 0, inbox: 0, index: 0 },
  group: null,
  /** One's key package while a welcome is waited for, both halves. */
  keys: null,
  /** Messages of the group that came before its welcome. */
  early: [],
  /** One's own commit that is under way: { change, body, next, welcome, joiner, consumed }. */
  pending: null,
  /** To be sent because their commits have won: { to, body }. */
  welcomes: [],
  /** One's own texts that have not come back: { body, text }; MLS lets nobody decrypt what he sent. */
  said: [],
};

const packGroup = (group) => group && encodeGroupState(group);
const unpackGroup = (bytes) => bytes && { ...decodeGroupState(bytes, 0)[0], clientConfig: config };

export async function loadState(file) {
  const bytes = await readFile(file).catch((error) => {
    if (error.code !== 'ENOENT') throw error;
  });
  if (!bytes) return EMPTY;
  const { group, pending, ...rest } = deserialize(bytes);
  return {
    ...rest,
    group: unpackGroup(group),
    pending: pending && { ...pending, next: unpackGroup(pending.next), consumed: [] },
  };
}

/** On disk once it resolves. */
export async function saveState(file, { group, pending, ...rest }) {
  const packed = pending && { ...pending, next: packGroup(pending.next), consumed: [] };
  const bytes = serialize({ ...rest, group: packGroup(group), pending: packed });
  const next = await open(`${file}.next`, 'w', 0o600);
  await next.writeFile(bytes);
  await next.sync();
  await next.close();
  await rename(`${file}.next`, file);
  const folder = await open(dirname(file));
  await folder.sync();
  await folder.close();
}
