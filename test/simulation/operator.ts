/**
 * Who changes the manifest of a server that is down, before it starts again: new keys (rotating.ts) and other numbers of
 * actors (moving.ts), one change after the other, each a transaction on the simulated disk. A crash may strike there as
 * anywhere: then the store has decided.
 */
import type { StoreRecord } from '../../src/actors/messages.js';
import { readIdentity } from '../../src/server/founding.js';
import type { Disk } from './disk.js';
import { Moving } from './moving.js';
import { Rotating } from './rotating.js';
import type { Secrets } from './secrets.js';

/** A next version of the manifest, and all that is written with it. */
export interface Change {
  readonly what: string;
  readonly records: readonly StoreRecord[];
  /** Who makes it dies so long after it was to be written, in mean times of a write: before it is durable, before that is told, or behind. */
  readonly dies?: number | undefined;
}

export class Operator {
  private readonly rotating: Rotating | null;
  private readonly moving: Moving | null;

  constructor(seed: number) {
    this.rotating = Rotating.of(seed);
    this.moving = Moving.of(seed);
  }

  /** Whether numbers of actors change in this run, if it is ever stopped. */
  get isMoving(): boolean {
    return this.moving !== null;
  }

  /** Whether keys change, equally. */
  get isRotating(): boolean {
    return this.rotating !== null;
  }

  /** What is done before this start. Go on when the one before is durable. */
  *changes(disk: Disk, secrets: Secrets): Generator<Change, void> {
    const { rotating, moving } = this;
    const identity = () => readIdentity(disk)!;
    const isLast = moving?.rotatesLast() ?? false;
    const rotated = isLast ? null : rotating?.next(disk, identity(), secrets);
    if (rotated) yield rotated;
    for (let moved = moving?.next(disk, identity(), secrets); moved; ) {
      yield moved;
      moved = moving!.again(disk, identity(), secrets);
    }
    const late = isLast ? rotating?.next(disk, identity(), secrets) : null;
    if (late) yield late;
  }
}
