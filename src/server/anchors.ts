/**
 * Anchors with the cosignatures that witnesses gave, the newest ones: `<data>/anchors/<size>`, a whole note each. A newer
 * cosigned anchor stands for all older ones, so those are let go.
 */
import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Base, type Checkpoint, equalBytes, FormatError, toHex } from '../protocol/index.js';
import {
  type CheckpointNote,
  checkpointKey,
  checkpointNote,
  decodeCheckpointNote,
  encodeSignature,
  type NoteSignature,
  noteKeyId,
  type VerifierKey,
} from '../protocol/notes/index.js';
import { replaceFile, syncDirectory } from './durable-file.js';
import { OperatorError } from './operator-error.js';

/** So many are kept: a witness that was away for a while does not hide the others' cosignatures. */
const KEPT = 16;

/** This server's log, as what it signed before is held against it. */
export interface OwnLog {
  readonly serverId: Uint8Array;
  readonly sequencerKey: Uint8Array;
  /** Size now. */
  readonly size: number;
  /** At most of the size now. */
  readonly rootAt: (size: number) => Uint8Array;
  readonly checkpointAt: (size: number) => Checkpoint;
  readonly hasSigned: (checkpoint: Checkpoint) => boolean;
}

export class Anchors {
  /** By size: the sequencer's own note, and by witness its cosignature's line. */
  private readonly kept = new Map<number, Kept>();
  private turn: Promise<unknown> = Promise.resolve();

  private constructor(private readonly directory: string) {}

  /** Throws `OperatorError` `log-rolled-back` when an anchor that was signed is not in the log. */
  static async open(data: string, log: OwnLog): Promise<Anchors> {
    const directory = join(data, 'anchors');
    await mkdir(directory, { recursive: true, mode: 0o700 });
    await syncDirectory(data);
    const anchors = new Anchors(directory);
    for (const name of await readdir(directory)) {
      const found = keptIn(await readFile(join(directory, name)), log);
      // What a crash has cut short can be asked for again.
      if (found && name === `${found.size}`) anchors.kept.set(found.size, found);
      else await rm(join(directory, name));
    }
    return anchors;
  }

  /** Newest first. */
  get all(): readonly { readonly size: number; readonly note: string }[] {
    return this.sizes.map((size) => ({ size, note: noteOf(this.kept.get(size)!) }));
  }

  /** Size of the newest anchor that a witness has cosigned; 0 = none. */
  newestBy(key: VerifierKey): number {
    return this.sizes.find((size) => this.kept.get(size)!.lines.has(idOf(key.name, noteKeyId(key)))) ?? 0;
  }

  /** Adds a cosignature, as its line, to an anchor's note. Resolves when it is on disk; before, it is not served. */
  add(size: number, own: string, key: VerifierKey, line: string): Promise<void> {
    const added = this.turn.then(async () => {
      const lines = new Map(this.kept.get(size)?.lines).set(idOf(key.name, noteKeyId(key)), line);
      await replaceFile(join(this.directory, `${size}`), noteOf({ own, lines }));
      this.kept.set(size, { own, lines });
      for (const old of this.sizes.slice(KEPT)) {
        this.kept.delete(old);
        await rm(join(this.directory, `${old}`), { force: true });
      }
    });
    this.turn = added.catch(() => {});
    return added;
  }

  private get sizes(): number[] {
    return [...this.kept.keys()].sort((a, b) => b - a);
  }
}

interface Kept {
  readonly own: string;
  readonly lines: ReadonlyMap<string, string>;
}

const noteOf = ({ own, lines }: Kept) => own + [...lines.values()].join('');
const idOf = (name: string, keyId: Uint8Array) => `${name} ${toHex(keyId)}`;

/** Null if it is no checkpoint that this sequencer signed. */
function keptIn(bytes: Uint8Array, log: OwnLog): (Kept & Base) | null {
  let note: CheckpointNote;
  try {
    note = decodeCheckpointNote(bytes);
  } catch (error) {
    if (error instanceof FormatError) return null;
    throw error;
  }
  const { size, root, origin, signatures } = note;
  const { name } = checkpointKey(log.serverId, log.sequencerKey);
  const isOwn = (each: NoteSignature) => each.name === name && log.hasSigned({ ...each, size, root });
  if (origin !== name || !signatures.some(isOwn)) return null;
  if (size > log.size || !equalBytes(root, log.rootAt(size))) throw rolledBack(size);
  const others = signatures.filter((each) => each.name !== name);
  return {
    // Anew: who knows the newest manifest asks for its key.
    ...{ size, root, own: checkpointNote(log.serverId, log.checkpointAt(size), log.sequencerKey) },
    lines: new Map(others.map((each) => [idOf(each.name, each.keyId), encodeSignature(each)])),
  };
}

function rolledBack(size: number): OperatorError {
  return new OperatorError(
    'log-rolled-back',
    `this log signed an anchor of size ${size} that it does not bear out now: the store is older than what was signed`,
    'Restore the newest copy of the data directory. If it is lost, start with a new one: that is a new server with a new id.',
  );
}
