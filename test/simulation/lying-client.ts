/**
 * What a client that lies sends: its own frames, now and then with a bit changed, cut, or twice, and frames that it has
 * overheard of others.
 */
import type { Random } from './random.js';

const MOST_HEARD = 40;
/** Of its frames: sent as they are; and with something overheard behind them. */
const TRUE = 0.7;
const REPLAYS = 0.15;

export class LyingClient {
  /** Frames changed and replayed. */
  lies = 0;
  private readonly overheard: Uint8Array[] = [];

  constructor(private readonly random: Random) {}

  /** What others send, unchanged. */
  heard(frames: readonly Uint8Array[]): readonly Uint8Array[] {
    this.overheard.push(...frames.map((frame) => Uint8Array.from(frame)));
    this.overheard.splice(0, this.overheard.length - MOST_HEARD);
    return frames;
  }

  told(frames: readonly Uint8Array[]): readonly Uint8Array[] {
    const { random, overheard } = this;
    return frames.flatMap((frame) => {
      const told = random.chance(TRUE) ? [frame] : this.changed(frame);
      const behind = overheard.length > 0 && random.chance(REPLAYS) ? [random.pick(overheard)] : [];
      if (told[0] !== frame || told.length + behind.length > 1) this.lies++;
      return [...told, ...behind];
    });
  }

  private changed(frame: Uint8Array): readonly Uint8Array[] {
    const { random } = this;
    const copy = Uint8Array.from(frame);
    switch (random.int(3)) {
      case 0:
        copy[random.int(copy.length)]! ^= 1 << random.int(8);
        return [copy];
      case 1:
        return [copy.subarray(0, random.int(copy.length))];
      default:
        return [frame, copy];
    }
  }
}
