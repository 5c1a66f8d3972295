/** What must hold of everything a server ever signed, as clients and its store keep it. */
import { decodeAttestations } from '../../src/actors/committed-epochs.js';
import { logRecordLeaf } from '../../src/actors/log-store.js';
import { RESERVED_KEY } from '../../src/actors/sequencer.js';
import { numberKey, TABLE } from '../../src/actors/store-keys.js';
import { audit } from '../../src/protocol/audit/index.js';
import {
  decodeAttestation,
  decodeClaim,
  decodeEpochLeaf,
  getU64,
  LINK_ENTRY_BYTES,
  type Manifest,
  type Place,
  toHex,
  verifyClaim,
} from '../../src/protocol/index.js';
import { openKeptDirectory } from '../../src/server/kept-directory.js';
import { Store } from '../../src/server/store.js';

/** Where a link's entries begin: prefix 9, mailbox 32, epoch 8, part 2, parts 2, previous 8, total 8, head 32, n 2. */
const LINK_ENTRIES_AT = 103;

/** One signed statement per actor and epoch, wherever it was seen. */
export class Signed {
  readonly problems: string[] = [];
  private readonly statements = new Map<string, string>();

  note(bytes: Uint8Array): void {
    const { role, actor, epoch } = decodeAttestation(bytes);
    const key = `role ${role}, actor ${actor}, epoch ${epoch}`;
    const hex = toHex(bytes);
    const other = this.statements.get(key) ?? hex;
    if (other !== hex) this.problems.push(`signed twice: ${key}`);
    this.statements.set(key, hex);
  }

  get count(): number {
    return this.statements.size;
  }
}

/** A claim must verify, and say that this mailbox has a message at this place. */
export function checkClaim(
  bytes: Uint8Array,
  world: { readonly serverId: Uint8Array; readonly manifest: Manifest },
  mailbox: Uint8Array,
  place: Place,
  signed: Signed,
): void {
  const claim = decodeClaim(bytes);
  const { leaf, epochLeaf } = verifyClaim(claim, world.serverId, world.manifest, world.serverId);
  signed.note(claim.attestation);
  const view = Buffer.from(leaf);
  const is = (holds: boolean, what: string) => {
    if (!holds) throw new Error(`claim: ${what}`);
  };
  is(epochLeaf.epoch === place.epoch, 'other epoch');
  is(toHex(view.subarray(9, 41)) === toHex(mailbox), 'other mailbox');
  for (let at = LINK_ENTRIES_AT; at < view.length; at += LINK_ENTRY_BYTES)
    if (view.readUInt16BE(at) === place.inbox && view.readUInt32BE(at + 2) === place.index) return;
  is(false, 'no entry at this place');
}

/** Epochs that are recomputed each time. */
const NEWEST = 100;

/** Reads a stopped server's store: the log from one state to the next, what was signed, what is reserved. */
export class LogAudit {
  readonly problems: string[] = [];
  size = 0;
  lastEpoch = 0;
  private readonly leaves: string[] = [];

  constructor(private readonly signed: Signed) {}

  async look(data: string): Promise<void> {
    const store = Store.open(data, () => {});
    try {
      this.read(store);
    } finally {
      await store.close();
    }
    await this.recompute(data);
  }

  /** As `countersign audit` does, of the newest epochs. */
  private async recompute(data: string): Promise<void> {
    const { source, close } = await openKeptDirectory(data);
    try {
      const { findings } = await audit(source, { from: Math.max(1, this.lastEpoch - NEWEST) });
      this.problems.push(...findings.map(({ kind, text }) => `${kind}: ${text}`));
    } finally {
      await close();
    }
  }

  private read(store: Store): void {
    const reserved = getU64(store.get(RESERVED_KEY) ?? new Uint8Array(8), 0);
    let index = 0;
    let last = 0;
    for (const { key, value } of store.range(numberKey(TABLE.log, 0), numberKey(TABLE.log, 2 ** 50))) {
      const leaf = toHex(logRecordLeaf(value));
      const { epoch, previousEpoch } = decodeEpochLeaf(logRecordLeaf(value));
      if (getU64(key, 1) !== index) this.problems.push(`log index ${index} is missing`);
      if ((this.leaves[index] ?? leaf) !== leaf) this.problems.push(`log index ${index} has changed`);
      if (epoch <= last || previousEpoch !== last) this.problems.push(`epoch ${epoch} follows ${last}`);
      if (epoch > reserved) this.problems.push(`epoch ${epoch} is above ${reserved}, all that is reserved`);
      this.leaves[index++] = leaf;
      last = epoch;
    }
    if (index < this.size) this.problems.push(`the log has shrunk from ${this.size} to ${index}`);
    this.size = index;
    const range = store.range(
      numberKey(TABLE.attestations, this.lastEpoch),
      numberKey(TABLE.attestations, 2 ** 50),
    );
    for (const { value } of range)
      for (const { bytes } of decodeAttestations(value).attestations) this.signed.note(bytes);
    this.lastEpoch = last;
  }
}
