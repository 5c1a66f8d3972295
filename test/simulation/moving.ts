/**
 * Other numbers of inboxes and outboxes for a server that is down, in every fourth run: now and then before a start, and
 * sometimes twice at once, by what `countersign actors` does. What is cut short by a crash is mostly done again.
 */
import type { StoreRecord } from '../../src/actors/messages.js';
import { type ActorCounts, countsIn } from '../../src/protocol/index.js';
import type { Identity } from '../../src/server/founding.js';
import { nextVersion } from '../../src/server/manifest-change.js';
import { recoverLog } from '../../src/server/recovery.js';
import { planOf } from '../../src/server/resizing.js';
import type { Disk } from './disk.js';
import type { Change } from './operator.js';
import { Random } from './random.js';
import type { Secrets } from './secrets.js';

const MOVING = 0.25;
/** Of the starts, of the moves, and of those that were cut short; moves at most; of the moves those that go back to the numbers before. */
const MOVES = 0.4;
const TWICE = 0.2;
const AFTER_ALL = 0.7;
const MOST_MOVES = 8;
const BACK = 0.3;
/** Inboxes or outboxes at most, and how often one of the numbers stays. */
const MOST_ACTORS = 4;
const STAYS = 0.25;
/** Of the runs with moves, of the moves in these, and when at the latest, in mean times of a write. */
const DYING = 0.5;
const DIES = 0.4;
const LATEST_DEATH = 2.5;
/**
 * Other streams of chance than the run's own: one in which all stay where they are for every seed that had found something
 * before there were moves, and one in which nobody dies for every seed that has found something since.
 */
const STREAM = 23 * 2 ** 40;
const DYING_STREAM = 4677 * 2 ** 36;

export class Moving {
  /** What was asked for last, as a next version behind this one, and the numbers before it. */
  private asked: {
    readonly behind: number;
    readonly before: ActorCounts;
    readonly after: ActorCounts;
  } | null = null;
  private moves = 0;

  private constructor(
    private readonly random: Random,
    /** Whether who moves dies now and then. */
    private readonly dies: boolean,
  ) {}

  /** Null in a run in which all stay where they are. */
  static of(seed: number): Moving | null {
    const random = new Random(seed + STREAM);
    const dies = new Random(seed + DYING_STREAM).chance(DYING);
    return random.chance(MOVING) ? new Moving(random, dies) : null;
  }

  /** Whether keys that are changed before the same start are changed after the moves. */
  rotatesLast(): boolean {
    return this.random.chance(0.5);
  }

  /** The next version, for this start; null most times. */
  next(disk: Disk, identity: Identity, secrets: Secrets): Change | null {
    const { asked, random } = this;
    const isCutShort = asked?.behind === identity.manifest.version;
    if (isCutShort && random.chance(AFTER_ALL)) return this.move(disk, identity, asked.after, secrets);
    return random.chance(MOVES) ? this.move(disk, identity, this.drawn(identity), secrets) : null;
  }

  /** Another one, behind one that was made before this start. */
  again(disk: Disk, identity: Identity, secrets: Secrets): Change | null {
    const isAgain = this.random.chance(TWICE);
    return isAgain ? this.move(disk, identity, this.drawn(identity), secrets) : null;
  }

  private drawn({ manifest }: Identity): ActorCounts {
    const { random, asked } = this;
    if (asked && random.chance(BACK)) return asked.before;
    const now = countsIn(manifest);
    const one = (count: number) => (random.chance(STAYS) ? count : 1 + random.int(MOST_ACTORS));
    return { inboxes: one(now.inboxes), outboxes: one(now.outboxes) };
  }

  /** Null where nothing would change. */
  private move(disk: Disk, identity: Identity, after: ActorCounts, secrets: Secrets): Change | null {
    const before = countsIn(identity.manifest);
    const isSame = before.inboxes === after.inboxes && before.outboxes === after.outboxes;
    if (isSame || this.moves >= MOST_MOVES) return null;
    if (this.asked?.behind !== identity.manifest.version) this.moves++;
    this.asked = { behind: identity.manifest.version, before, after };
    const plan = planOf(before, after);
    const keys = plan.begins.map(() => secrets.make(this.random));
    const {
      manifest: next,
      hash: nextHash,
      firstEpoch,
      records,
    } = nextVersion(disk, identity, plan, keys, secrets.root);
    // What is written is seen at once where it is written, and is there when all of it is durable.
    const store = disk.copy();
    const written: StoreRecord[] = [];
    const write = ({ key, value }: StoreRecord) => {
      const record = { key: Uint8Array.from(key), value: value && Uint8Array.from(value) };
      written.push(record);
      store.write([record]);
    };
    const { lastEpoch } = recoverLog(disk);
    const signers = secrets.signersOf(identity.manifest, next);
    const watching = { observe: () => {}, progress: () => {} };
    plan.move!({ store, write, identity, next, nextHash, lastEpoch, ...signers, ...watching });
    for (const record of records) write(record);
    const counts = `${after.inboxes} inboxes and ${after.outboxes} outboxes`;
    const what = `has ${counts} by version ${next.version} from epoch ${firstEpoch} on`;
    const dies = this.dies && this.random.chance(DIES) ? this.random.between(0, LATEST_DEATH) : undefined;
    return { what, records: written, dies };
  }
}
