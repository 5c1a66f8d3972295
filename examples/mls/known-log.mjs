// What a member knows of the server's log of epochs, and what the group tells each other of it. Everything that
// has to do with forks is in this file.
import { setTimeout as pass } from 'node:timers/promises';
import { checkpointText, decodeManifest, isOneLog, ROLE } from 'countersign/protocol';

// Size 8 bytes, root 32, signature 64: a checkpoint as the sequencer signed it.
const ANCHOR_BYTES = 104;
/** Checkpoints kept; older ones cannot be compared any more. */
const MOST_KEPT = 4096;
/** Between questions for a proof, while the client is connected: an honest server may be about to start, or be slow. */
const AGAIN_MS = [0, 200, 400, 800, 1600, 3200];
const ANSWER_MS = 5000;
/** The hashes of a proof, a line each. */
const MOST_PROOF_BYTES = 8192;

export class KnownLog {
  /** By size of the log, in the order in which they were met. */
  #checkpoints = new Map();
  #newest = null;
  /** Manifests of all versions that the client has accepted; none as long as there is but the first. */
  #manifests = [];
  /** By member: the newest checkpoint that is still to be shown to be of one's own log. */
  #waiting = new Map();
  #asking = null;

  /**
   * @param url the server's, as the client is given it
   * @param verify `(key, bytes, signature)`: Ed25519's
   * @param onFork told two signed checkpoints of one size: proof
   * @param onSuspicion told one's own and a member's, of two sizes, which the server does not prove to be of one log
   */
  constructor({ url, verify, onFork, onSuspicion }) {
    Object.assign(this, { url, verify, onFork, onSuspicion });
  }

  /** A store that does what `store` does. Each checkpoint and manifest that a client has verified passes it. */
  watch(store) {
    return {
      load: async () => {
        const saved = await store.load();
        for (const { checkpoint } of saved.logs.values()) this.#hold(checkpoint);
        this.#keep('manifests', saved.kept.get('manifests'));
        return saved;
      },
      save: (changes) => {
        for (const change of changes) {
          if (change.type === 'log') this.#hold(change.log.checkpoint);
          if (change.type === 'kept') this.#keep(change.name, change.bytes);
        }
        return store.save(changes);
      },
      close: () => store.close(),
    };
  }

  /** Manifests are kept as `GET /v1/manifests/1` answers. */
  #keep(name, bytes) {
    if (name !== 'manifests' || !bytes) return;
    const { manifests } = JSON.parse(Buffer.from(bytes).toString());
    this.#manifests = manifests.map(({ manifest }) =>
      decodeManifest(Uint8Array.from(Buffer.from(manifest, 'base64'))),
    );
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
   * Compares what came in the authenticated data of `from`'s message. Returns `none`, `same` as what is known, `fork`,
   * `unsigned`: not the server's, so it proves nothing; or `noted` where nothing of that size is known yet. Then the server is
   * asked to prove that it is of one's own log.
   */
  async check(anchor, from, client) {
    if (anchor.length === 0) return 'none';
    if (anchor.length !== ANCHOR_BYTES) return 'unsigned';
    const size = Number(Buffer.from(anchor).readBigUInt64BE());
    const [root, signature] = [anchor.slice(8, 40), anchor.slice(40)];
    const known = this.#checkpoints.get(size);
    if (known && equal(known.root, root)) return 'same';
    // A signature costs: only what is new or different is verified. Nobody can raise a false alarm.
    const text = checkpointText(client.serverId, size, root);
    const verified = await Promise.all(
      this.#keys(client).map((key) => this.verify(Buffer.from(key, 'hex'), text, signature)),
    );
    if (!verified.includes(true)) return 'unsigned';
    const result = this.#compare({ size, root, signature, from });
    if (result === 'noted' && this.#newest) this.#ask({ size, root, signature, from }, client);
    return result;
  }

  /** The sequencer's, of all versions that the client knows, in hexadecimal. */
  #keys({ manifest }) {
    const actors = [manifest, ...this.#manifests].flatMap((version) => version.actors);
    const keys = actors.filter(({ role }) => role === ROLE.sequencer).map(({ key }) => hex(key));
    return [...new Set(keys)];
  }

  /** Its newest stands for all that a member has sent: its client has verified that they are of one log. */
  #ask(checkpoint, client) {
    const waiting = this.#waiting.get(checkpoint.from);
    if (!waiting || waiting.size < checkpoint.size) this.#waiting.set(checkpoint.from, checkpoint);
    this.#asking ??= this.#askAll(client);
  }

  /** One question after another. What comes meanwhile is asked, too. */
  async #askAll(client) {
    for (const [from, checkpoint] of this.#waiting) {
      this.#waiting.delete(from);
      const own = this.#newest;
      if (!(await this.#isShown(own, checkpoint, client))) this.onSuspicion(own, checkpoint);
    }
    this.#asking = null;
  }

  /** Resolves once all that has come is shown to be of one log, or told. */
  async asked() {
    await this.#asking;
  }

  /** That the server proves the two to be of one log; also when the client is over, and nobody can tell any more. */
  async #isShown(own, other, client) {
    const [from, to] = [own.size, other.size].sort((a, b) => a - b);
    for (const ms of AGAIN_MS) {
      await pass(ms);
      while (client.state === 'connecting') await pass(AGAIN_MS[1]);
      if (client.state !== 'connected') return true;
      const proof = await this.#proof(from, to);
      if (proof) return isOneLog(own, other, proof);
    }
    return false;
  }

  /** Null when there is none, whatever the reason. */
  async #proof(from, to) {
    try {
      const asked = new URL(`/v1/consistency/${from}/${to}`, this.url);
      const answer = await fetch(asked, { signal: AbortSignal.timeout(ANSWER_MS) });
      const text = await answer.text();
      if (!answer.ok || text.length > MOST_PROOF_BYTES) return null;
      return Uint8Array.from(Buffer.concat(text.split('\n').map((line) => Buffer.from(line, 'base64'))));
    } catch {
      return null;
    }
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

const hex = (bytes) => Buffer.from(bytes).toString('hex');
const equal = (a, b) => Buffer.compare(a, b) === 0;
