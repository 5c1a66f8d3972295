/**
 * Frames as JSON, for clients without a codec: an object with the frame's `type` and the fields of its
 * definition (frames.ts, delivery-fields.ts). A text stands for one binary frame, and the other way round.
 */
import { submit } from './bundle-field.js';
import { FormatError, Writer } from './bytes.js';
import { deliver } from './delivery-fields.js';
import { decode, type Field } from './fields.js';
import { fromJson, type Json, objectFromJson, toJson } from './fields-json.js';
import { CONTROL_FRAMES, FRAME, frameType } from './frames.js';
import { openFrame, openingFrame } from './opening.js';
import { placed } from './placed.js';

export const JSON_SUBPROTOCOL = 'countersign.v1.json';

type FrameName = keyof typeof FRAME;

const FIELDS = {
  ...CONTROL_FRAMES,
  open: openFrame,
  opening: openingFrame,
  placed,
  submit,
  deliver,
} as Readonly<Record<FrameName, Field<unknown>>>;
const NAMES = new Map(Object.entries(FRAME).map(([name, type]) => [type as number, name as FrameName]));
/** One more than any frame has. */
const MAX_DEPTH = 8;
/** More members than any object in a frame has. */
const MAX_MEMBERS = 16;

/** Throws `FormatError` on bytes that are no frame. */
export function frameToJson(frame: Uint8Array): string {
  const type = NAMES.get(frameType(frame));
  if (!type) throw new FormatError(`unknown frame type ${frame[0]}`);
  const json = toJson(FIELDS[type], decode(FIELDS[type], frame, 1)) as { readonly [name: string]: Json };
  return JSON.stringify({ type, ...json });
}

/** Throws `FormatError`, which names the member, on a text that is not a frame's JSON. */
export function frameFromJson(text: string): Uint8Array {
  const { type, ...members } = objectFromJson(parse(text), 'frame');
  if (typeof type !== 'string' || !Object.hasOwn(FRAME, type)) throw new FormatError('type: not a frame');
  const field = FIELDS[type as FrameName];
  const out = new Writer(text.length).u8(FRAME[type as FrameName]);
  field.write(out, fromJson(field, members, ''));
  // A buffer of its own: frames are handed to other threads with all of theirs.
  return out.done().slice();
}

function parse(text: string): unknown {
  refuseTwins(text);
  try {
    return JSON.parse(text);
  } catch {
    throw new FormatError('not JSON');
  }
}

/**
 * Of two members of one name `JSON.parse` keeps the last, and others the first: a text that has such is
 * refused. So is one that is nested deeper than any frame, before anything is made of it.
 */
function refuseTwins(text: string): void {
  const names: string[][] = [];
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (character === '{' || character === '[') {
      if (names.push([]) > MAX_DEPTH) throw new FormatError('nested too deep');
    } else if (character === '}' || character === ']') {
      names.pop();
    } else if (character === '"') {
      const end = endOfString(text, at);
      if (isName(text, end)) addName(names.at(-1), text.slice(at + 1, end));
      at = end;
    }
  }
}

function addName(names: string[] | undefined, name: string): void {
  if (!names) throw new FormatError('not JSON');
  if (name.includes('\\')) throw new FormatError('a name of a member is written without escapes');
  if (names.includes(name)) throw new FormatError(`${name.slice(0, 40)}: stands twice`);
  if (names.push(name) > MAX_MEMBERS) throw new FormatError(`${name.slice(0, 40)}: one member too many`);
}

/** Where the string that starts at `from` has its closing quote: one behind an even number of backslashes. */
function endOfString(text: string, from: number): number {
  for (let end = text.indexOf('"', from + 1); end >= 0; end = text.indexOf('"', end + 1)) {
    let backslashes = 0;
    while (text[end - 1 - backslashes] === '\\') backslashes++;
    if (backslashes % 2 === 0) return end;
  }
  throw new FormatError('not JSON');
}

const COLON = /\s*:/y;

/** Whether a colon follows the string that ends at `end`. */
function isName(text: string, end: number): boolean {
  COLON.lastIndex = end + 1;
  return COLON.test(text);
}
