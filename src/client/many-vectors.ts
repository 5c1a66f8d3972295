/** Vectors of a gateway: one for each of its mailboxes, which share what their sessions learn of the log. */
import type { Gateway } from './gateway.js';
import { watchLog } from './session-log.js';
import { Vectors, type VectorsOptions } from './vectors.js';

export class ManyVectors {
  private all: readonly Vectors[] = [];

  /** For each mailbox: bounds are each one's own. Throws as `Vectors` does. */
  constructor(private readonly options: VectorsOptions = {}) {
    new Vectors(options);
  }

  /** Called by the gateway, before anything can be verified. @internal */
  start(gateway: Gateway): void {
    if (this.all.length > 0) throw new TypeError('vectors: one for each gateway');
    this.all = gateway.members.map(() => new Vectors(this.options));
    watchLog(gateway, this.all);
  }

  /** Of the mailbox of the key at this position. Throws `TypeError` where there is none, or none yet. */
  of(mailbox: number): Vectors {
    const vectors = this.all[mailbox];
    if (!vectors) throw new TypeError(`mailbox: expected 0 to ${this.all.length - 1}, got ${mailbox}`);
    return vectors;
  }
}
