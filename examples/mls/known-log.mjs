// What a member knows of the server's log of epochs, and what the group tells each other of it. Everything that
// has to do with forks is in this file.
import { checkpointText, ROLE } from 'countersign/protocol';

// Size 8 bytes, root 32, signature 64: a checkpoint as the sequencer signed it.
const ANCHOR_BYTES = 104;
/** Checkpoints kept; older ones cannot be compared any more. */
const MOST_KEPT = 4096;

export class KnownLog {
  /** By size of the log, in the order in which they were met. */
  #checkpoints = new Map();
  #newest = null;

  /** `verify(key, bytes, signature)` is Ed25519's; `onFork(one, other)` gets two signed checkpoints of one size. */
  constructor({ verify, onFork }) {
    this.verify = verify;
    this.onFork = onFork;
  }

  /** A store that does what `store` does. Each checkpoint that a client has verified passes it. */
  watch(store) {
    return {
      load: async () => {
        const saved = await store.load();
        for (const { checkpoint } of saved.logs.values()) this.#hold(checkpoint);
        return saved;
      },
      save: (changes) => {
        for (const change of changes) if (change.type === 'log') this.#hold(change.log.checkpoint);
        return store.save(changes);
      },
      close: () => store.close(),
    };
  }

  #hold(checkpoint) {
    if (checkpoint.size === 0) return;
    if (!this.#newest || checkpoint.size > this.#newest.size) this.#newest = checkpoint;
    this.#compare({ ...checkpoint, from: 'own log' });
  }

  /** The newest checkpoint of one's own, for a message's authenticated data; empty before the first. */
  anchor() {
    if (!this.#newest) return new Uint8Array(0);
    const { size, root, signature } = this.#newest;
    const bytes = Buffer.alloc(ANCHOR_BYTES);
    bytes.writeBigUInt64BE(BigInt(size));
    bytes.set(root, 8);
    bytes.set(signature, 40);
    return new Uint8Array(bytes);
  }

  /**
   * Compares what came in the authenticated data of `from`'s message. Returns `none`, `same` as what is known,
   * `noted` where nothing of that size is known yet, `fork`, or `unsigned`: not the server's, so it proves nothing.
   */
  async check(anchor, from, { serverId, manifest }) {
    if (anchor.length === 0) return 'none';
    if (anchor.length !== ANCHOR_BYTES) return 'unsigned';
    const size = Number(Buffer.from(anchor).readBigUInt64BE());
    const [root, signature] = [anchor.slice(8, 40), anchor.slice(40)];
    const known = this.#checkpoints.get(size);
    if (known && equal(known.root, root)) return 'same';
    // A signature costs: only what is new or different is verified. Nobody can raise a false alarm.
    const text = checkpointText(serverId, size, root);
    const keys = manifest.actors.filter(({ role }) => role === ROLE.sequencer).map(({ key }) => key);
    const verified = await Promise.all(keys.map((key) => this.verify(key, text, signature)));
    if (!verified.includes(true)) return 'unsigned';
    return this.#compare({ size, root, signature, from });
  }

  #compare(checkpoint) {
    const known = this.#checkpoints.get(checkpoint.size);
    if (known && equal(known.root, checkpoint.root)) return 'same';
    if (known) {
      this.onFork(known, checkpoint);
      return 'fork';
    }
    this.#checkpoints.set(checkpoint.size, checkpoint);
    if (this.#checkpoints.size > MOST_KEPT) this.#checkpoints.delete(this.#checkpoints.keys().next().value);
    return 'noted';
  }
}

const equal = (a, b) => Buffer.compare(a, b) === 0;
