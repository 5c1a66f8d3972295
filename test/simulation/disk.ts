/**
 * The server's disk: a write is all of its transaction or nothing, becomes durable some time after it was
 * asked for, and is told some time after that. Writes keep their order. What was not durable when the server
 * died never was.
 */
import type { StoreRecord } from '../../src/actors/messages.js';
import { MemoryStore } from '../support/store.js';
import { Unneeded } from './leftovers.js';
import type { Loop, Process } from './loop.js';
import { delayOf, type Profile } from './profile.js';
import { nameOf } from './trace.js';

export class Disk extends MemoryStore {
  readonly unneeded = new Unneeded();
  private lastDurable = 0;
  private lastTold = 0;

  constructor(
    private readonly loop: Loop,
    private readonly profile: Profile,
  ) {
    super();
  }

  /** Of one life of the server: `store.write` as the server has it. */
  writer(process: Process): (records: readonly StoreRecord[], durable: () => void) => void {
    const { loop } = this;
    return (records, durable) => {
      this.lastDurable = Math.max(this.lastDurable, loop.now + this.delay());
      this.lastTold = Math.max(this.lastTold, this.lastDurable + this.delay());
      // Copied only when it becomes durable: until it is told, nobody may change what is to be written.
      loop.at(this.lastDurable, process, 'write', () => {
        loop.note('disk', `${records.length} records ${digest(records)}`);
        this.write(records);
        this.unneeded.wrote(this, process, records);
      });
      loop.at(this.lastTold, process, 'written', durable);
    };
  }

  private delay(): number {
    return delayOf(this.loop.random, this.profile.diskMs, this.profile.stalls);
  }
}

function digest(records: readonly StoreRecord[]): string {
  const empty = new Uint8Array(0);
  return nameOf(Buffer.concat(records.flatMap(({ key, value }) => [key, value ?? empty])));
}
