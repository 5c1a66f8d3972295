/** Makes the log of a server that is stopped longer, with epochs that no actor signed: anchors are far apart. */
import { logRecord, logRecordLeaf } from '../../src/actors/log-store.js';
import type { StoreRecord } from '../../src/actors/messages.js';
import { RESERVED_KEY } from '../../src/actors/sequencer.js';
import { numberKey, numberValue, TABLE } from '../../src/actors/store-keys.js';
import { decodeEpochLeaf, encodeEpochLeaf, epochLeafHash } from '../../src/protocol/index.js';
import { readFrontier, recoverLog } from '../../src/server/recovery.js';
import { Store } from '../../src/server/store.js';
import { named } from '../worlds.js';

/** The log must have a leaf already. Other names make other logs. */
export async function lengthenLog(data: string, to: number, name: string): Promise<void> {
  const store = Store.open(data, (error) => {
    throw error;
  });
  const { size, lastEpoch, reserved } = recoverLog(store);
  const frontier = readFrontier(store, size);
  const template = decodeEpochLeaf(logRecordLeaf(store.get(numberKey(TABLE.log, size - 1))!));
  const attestations = store.get(numberKey(TABLE.attestations, lastEpoch))!;
  const records: StoreRecord[] = [];
  let epoch = reserved;
  for (let previousEpoch = lastEpoch; frontier.size < to; previousEpoch = epoch) {
    const base = { size: frontier.size, root: frontier.root() };
    const leaf = { ...template, epoch: ++epoch, previousEpoch, base, actorsRoot: named(`${name} ${epoch}`) };
    const key = numberKey(TABLE.log, frontier.size);
    const completed = frontier.appendSubtree(0, epochLeafHash(leaf));
    records.push({ key, value: logRecord(encodeEpochLeaf(leaf), completed) });
  }
  // A start looks only whether the newest epoch has some.
  records.push({ key: numberKey(TABLE.attestations, epoch), value: attestations });
  records.push({ key: RESERVED_KEY, value: numberValue(epoch) });
  await new Promise<void>((resolve) => store.write(records, resolve));
  await store.close();
}
