/**
 * A client's store: what is saved becomes durable a while after it was handed over, and is told a while after
 * that. A client that dies keeps what was durable.
 */
import {
  applyChange,
  type Change,
  nothingSaved,
  type Saved,
  type SavedChain,
  type Store,
} from '../../src/client/store.js';
import type { Loop, Process } from './loop.js';
import type { Profile } from './profile.js';

export class Device {
  /** What is durable. */
  saved: Saved = nothingSaved();

  /** The store as one life of a client has it: at once, as in memory, or with a disk below it. */
  storeFor(process: Process, loop: Loop, profile: Profile): Store {
    const wait = (what: string, run: () => void) =>
      loop.in(loop.random.around(profile.diskMs), process, what, run);
    const later = (what: string, run: () => void) =>
      new Promise<void>((resolve) =>
        wait(`${what} durable`, () => {
          run();
          wait(`${what} told`, resolve);
        }),
      );
    const isQuick = loop.random.chance(0.3);
    return {
      load: async () => {
        await later('load', () => {});
        return structuredClone(this.saved);
      },
      save: (changes) => {
        const copy = structuredClone(changes) as Change[];
        const apply = () => {
          for (const change of copy) applyChange(this.saved, change);
        };
        return isQuick ? apply() : later('save', apply);
      },
      close: () => {},
    };
  }

  /** What is durable of a mailbox's chain. */
  chainOf(mailbox: string): SavedChain | null {
    return this.saved.mailboxes.get(mailbox)?.chain ?? null;
  }

  /** Bundles without receipt. */
  get pending(): number {
    return [...this.saved.mailboxes.values()].reduce((sum, { bundles }) => sum + bundles.length, 0);
  }
}
