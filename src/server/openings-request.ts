/** The operator's openings: GET /v1/openings, for who has the token. */
import { timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { sha256 } from '#crypto';
import {
  FormatError,
  fromHex,
  isHandOver,
  MAX_U16,
  type OpenedItem,
  ROLE,
  STAGE,
  type Stage,
  type StageName,
} from '../protocol/index.js';
import { readKeyFile } from './key-file.js';

const MAX_U32 = 0xffff_ffff;
const MEMBERS = ['epoch', 'stage', 'inbox', 'index', 'mailbox'];

/** Whether the request has the token in this key file. False where none is named. */
export async function hasToken({ headers }: IncomingMessage, file: string): Promise<boolean> {
  if (file === '') return false;
  const token = Buffer.from(await readKeyFile(file)).toString('hex');
  const given = /^Bearer ([0-9a-f]{64})$/.exec(headers.authorization ?? '')?.[1] ?? '';
  const hash = (text: string) => sha256(Buffer.from(text));
  return timingSafeEqual(hash(given), hash(token));
}

/**
 * What the query asks for; each member once, the mailbox in hexadecimal and none at the inbox, no place of a hand-over. Throws
 * `FormatError`.
 */
export function openedItem(url: string): OpenedItem {
  const query = new URL(url, 'http://localhost').searchParams;
  for (const name of query.keys())
    if (!MEMBERS.includes(name) || query.getAll(name).length > 1)
      throw new FormatError(`${name}: not known, or twice`);
  const stage = stageOf(query.get('stage') ?? '');
  if ((stage === ROLE.inbox) === query.has('mailbox'))
    throw new FormatError('mailbox: expected at every stage but the inbox');
  const place = isHandOver(stage)
    ? noPlace(query)
    : { inbox: integer(query, 'inbox', MAX_U16), index: integer(query, 'index', MAX_U32) };
  return {
    stage,
    epoch: integer(query, 'epoch', Number.MAX_SAFE_INTEGER),
    ...place,
    mailbox: stage === ROLE.inbox ? new Uint8Array(32) : fromHex(query.get('mailbox')!, 32),
  };
}

function stageOf(name: string): Stage {
  if (Object.hasOwn(STAGE, name)) return STAGE[name as StageName];
  throw new FormatError(`stage: expected one of ${Object.keys(STAGE).join(', ')}`);
}

function noPlace(query: URLSearchParams): { readonly inbox: 0; readonly index: 0 } {
  for (const name of ['inbox', 'index'])
    if (query.has(name)) throw new FormatError(`${name}: a hand-over has no place`);
  return { inbox: 0, index: 0 };
}

function integer(query: URLSearchParams, name: string, most: number): number {
  const text = query.get(name) ?? '';
  if (!/^(0|[1-9]\d{0,15})$/.test(text) || Number(text) > most)
    throw new FormatError(`${name}: expected an integer from 0 to ${most}`);
  return Number(text);
}
