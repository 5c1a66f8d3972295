/**
 * What a witness remembers: of each log the newest checkpoint that it cosigned, a file for each, `heads/<hash of the
 * origin>`, which holds the checkpoint as a note with the log's own signature. Beside them, `contradictions/` has pairs of
 * notes that a log signed for one size: proof against it.
 */
import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { sha256 } from '#crypto';
import { type Base, EMPTY_ROOT, toHex } from '../protocol/index.js';
import { type CheckpointNote, decodeCheckpointNote, utf8 } from '../protocol/notes/index.js';
import { replaceFile, syncDirectory, TEMPORARY } from './durable-file.js';
import { OperatorError } from './operator-error.js';

/** Of all logs: one pair proves what there is to prove. */
const MOST_CONTRADICTIONS = 64;

/** A checkpoint, and its note. */
export interface Head extends Base {
  readonly note: string;
}

const NONE: Head = { size: 0, root: EMPTY_ROOT, note: '' };

export class WitnessHeads {
  private constructor(
    private readonly heads: string,
    private readonly contradictions: string,
    private readonly known: Map<string, Head>,
    private contradictionsKept: number,
  ) {}

  /** The data directory is made if it is not there; hold its lock. Throws `OperatorError` `witness-data-damaged`. */
  static async open(data: string): Promise<WitnessHeads> {
    const [heads, contradictions] = [join(data, 'heads'), join(data, 'contradictions')];
    for (const directory of [heads, contradictions]) await mkdir(directory, { recursive: true, mode: 0o700 });
    await syncDirectory(data);
    const known = new Map<string, Head>();
    for (const name of await readdir(heads)) {
      // A write that a crash cut short: nothing was signed by it.
      if (name.endsWith(TEMPORARY)) await rm(join(heads, name));
      else {
        const { origin, head } = await readHead(join(heads, name), name);
        known.set(origin, head);
      }
    }
    return new WitnessHeads(heads, contradictions, known, (await readdir(contradictions)).length);
  }

  /** Size 0 of a log that was never cosigned. */
  of(origin: string): Head {
    return this.known.get(origin) ?? NONE;
  }

  /** Resolves when it is durable. Whoever calls takes care that a log's heads rise, one after the other. */
  async advance(origin: string, head: Head): Promise<void> {
    await replaceFile(join(this.heads, fileOf(origin)), head.note);
    this.known.set(origin, head);
  }

  /** Keeps two notes of one log and size. Resolves with the file, or null when there are enough. */
  async keep(origin: string, one: Head, other: Head): Promise<string | null> {
    if (this.contradictionsKept >= MOST_CONTRADICTIONS) return null;
    const name = `${fileOf(origin).slice(0, 16)}-${other.size}-${toHex(other.root).slice(0, 16)}`;
    const file = join(this.contradictions, name);
    if ((await readdir(this.contradictions)).includes(name)) return null;
    this.contradictionsKept++;
    await replaceFile(file, `${one.note}\n${other.note}`);
    return file;
  }
}

function fileOf(origin: string): string {
  return toHex(sha256(utf8(origin)));
}

async function readHead(file: string, name: string): Promise<{ origin: string; head: Head }> {
  const note = await readFile(file, 'utf8');
  let decoded: CheckpointNote;
  try {
    decoded = decodeCheckpointNote(utf8(note));
  } catch (error) {
    throw damaged(file, (error as Error).message);
  }
  const { origin, size, root } = decoded;
  if (fileOf(origin) !== name) throw damaged(file, `it is about ${origin}`);
  return { origin, head: { size, root, note } };
}

function damaged(file: string, why: string): OperatorError {
  return new OperatorError(
    'witness-data-damaged',
    `${file} does not say what was cosigned last: ${why}`,
    'Never remove it: the witness would cosign another history. Make a new witness, with a new key.',
  );
}
