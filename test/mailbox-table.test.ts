/** Ids in rows, and packed states of mailboxes, against maps. */
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { IdMap, IdTable } from '../src/actors/id-table.js';
import { decodeState, encodeState, mailboxRecord, StateView } from '../src/actors/mailbox-state.js';
import { MailboxTable } from '../src/actors/mailbox-table.js';
import { idKey, TABLE } from '../src/actors/store-keys.js';
import { FormatError, toHex } from '../src/protocol/index.js';
import { MemoryStore } from './support/store.js';
import { named, runOptions } from './worlds.js';

const tables = suite('mailbox-table');

/** Half of them agree in all that is hashed, so that they look for the same place. */
function idOf(n: number): Uint8Array {
  const id = Uint8Array.from(named(`id ${n}`)).slice(0, 32);
  if (n % 2 === 0) id.fill(7, 0, 8);
  return id;
}
const text = (id: Uint8Array) => Buffer.from(id).toString('latin1');

tables('ids keep their rows, come and go, however many want the same place', () => {
  const step = fc.record({ add: fc.boolean(), n: fc.nat(40) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
      const table = new IdTable();
      const map = new IdMap<number>();
      const rows = new Map<number, number>();
      for (const { add, n } of steps) {
        const id = idOf(n);
        const row = rows.get(n);
        if (add && row === undefined) rows.set(n, table.add(id, 0));
        if (add) map.set(id, n);
        if (!add && row !== undefined) {
          table.remove(row);
          rows.delete(n);
        }
        if (!add) map.delete(text(id));
      }
      assert.is(table.size, rows.size);
      assert.is(new Set(rows.values()).size, rows.size, 'a row for each');
      for (let n = 0; n <= 40; n++) {
        const id = idOf(n);
        const shifted = Uint8Array.of(1, 2, 3, ...id);
        assert.is(table.find(shifted, 3), rows.get(n) ?? -1);
        assert.is(table.findText(text(id)), rows.get(n) ?? -1);
        assert.is(map.at(shifted, 3), rows.has(n) ? n : undefined);
        assert.is(map.get(text(id)), rows.has(n) ? n : undefined);
      }
    }),
    runOptions(200),
  );
});

tables('rows stay what they are when the table grows', () => {
  const table = new IdTable();
  const rows = Array.from({ length: 5000 }, (_, n) => table.add(idOf(2 * n + 1), 0));
  assert.ok(table.capacity >= 5000);
  rows.forEach((row, n) => {
    assert.is(table.find(idOf(2 * n + 1), 0), row);
  });
  assert.is(table.find(idOf(2), 0), -1);
});

const KEPT = 8;
const MAILBOXES = 40;

function storeOf(mailboxes: number): MemoryStore {
  const store = new MemoryStore();
  for (let n = 0; n < mailboxes; n++) store.write([mailboxRecord(idOf(n), named(`seed ${n}`).slice(0, 32))]);
  return store;
}

tables(
  'states are what they became, whatever memory holds, and what the store has after the last flush',
  () => {
    const step = fc.oneof(
      { weight: 6, arbitrary: fc.record({ type: fc.constant('change' as const), n: fc.nat(MAILBOXES - 1) }) },
      { weight: 3, arbitrary: fc.record({ type: fc.constant('look' as const), n: fc.nat(MAILBOXES) }) },
      { weight: 1, arbitrary: fc.record({ type: fc.constantFrom('flush' as const, 'flushed' as const) }) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const store = storeOf(MAILBOXES);
        const table = new MailboxTable(store, KEPT);
        const totals = new Map<number, number>();
        const changed = new Set<number>();
        const written: (() => void)[] = [];
        const flushed = () => {
          for (const write of written.splice(0)) write();
          table.flushed();
        };
        for (const each of steps) {
          if (each.type === 'change') {
            const state = table.lend(Uint8Array.of(9, ...idOf(each.n)), 1)!;
            assert.is(state.chain.total, totals.get(each.n) ?? 0);
            state.chain.lastEpoch = ++state.chain.total;
            state.chain.head = new Uint8Array(32).fill(state.chain.total);
            table.keep();
            totals.set(each.n, state.chain.total);
            changed.add(each.n);
          } else if (each.type === 'look') {
            const state = table.lendTo(text(idOf(each.n)));
            assert.is(state?.chain.total, each.n < MAILBOXES ? (totals.get(each.n) ?? 0) : undefined);
            if (state?.chain.total) assert.is(state.chain.head[31], state.chain.total & 0xff);
            assert.is(table.has(text(idOf(each.n))), each.n < MAILBOXES);
          } else if (each.type === 'flush' && written.length === 0) {
            assert.is(table.changed, changed.size, 'each once');
            const records = table.flush();
            assert.equal(
              records.map(({ key }) => toHex(key)),
              [...changed].map((n) => toHex(idKey(TABLE.mailbox, idOf(n)))),
            );
            changed.clear();
            written.push(() => store.write(records));
          } else if (each.type === 'flushed') flushed();
        }
        flushed();
        store.write(table.flush());
        table.flushed();
        const again = new MailboxTable(store, KEPT);
        for (let n = 0; n < MAILBOXES; n++) {
          assert.is(table.lend(idOf(n), 0)!.chain.total, totals.get(n) ?? 0);
          assert.is(again.lend(idOf(n), 0)!.chain.total, totals.get(n) ?? 0);
        }
      }),
      runOptions(200),
    );
  },
);

tables('who is looked at does not stay for ever, and who changed stays until that is durable', () => {
  const store = storeOf(2000);
  let reads = 0;
  const view = store.view.bind(store);
  store.view = (key) => {
    reads++;
    return view(key);
  };
  const table = new MailboxTable(store, 100);
  const look = (from: number, to: number) => {
    for (let n = from; n < to; n++) table.lend(idOf(n), 0);
  };
  look(0, 50);
  look(0, 50);
  assert.is(reads, 50, 'looked up once');
  for (let n = 0; n < 300; n++) {
    table.lend(idOf(n), 0)!.chain.total = n;
    table.keep();
  }
  const inMemory = () => {
    look(300, 2000);
    reads = 0;
    for (let n = 0; n < 300; n++) assert.is(table.lend(idOf(n), 0)!.chain.total, n);
    assert.is(reads, 0);
  };
  inMemory();
  table.flush();
  inMemory();
  table.flushed();
  look(300, 2000);
  reads = 0;
  look(0, 300);
  assert.ok(reads > 200, `${reads} of 300 written ones were let go`);
});

tables('who is looked at again and again stays', () => {
  const store = storeOf(2000);
  const table = new MailboxTable(store, 100);
  let reads = 0;
  const view = store.view.bind(store);
  store.view = (key) => {
    reads++;
    return view(key);
  };
  for (let n = 0; n < 2000; n++) {
    table.lend(idOf(n), 0);
    table.lend(idOf(n % 20), 0);
  }
  assert.ok(reads < 2200, `${reads} reads`);
});

tables('a state that cannot be is refused', () => {
  const state = new StateView().moveTo(new DataView(new ArrayBuffer(128)), 0);
  state.chain.total = 1;
  assert.throws(
    () => decodeState(encodeState(state)),
    (error: unknown) => error instanceof FormatError,
  );
  state.chain.lastEpoch = 5;
  state.acknowledged.lastEpoch = 6;
  assert.throws(
    () => decodeState(encodeState(state)),
    (error: unknown) => error instanceof FormatError,
  );
  state.acknowledged.lastEpoch = 5;
  const bytes = encodeState(state);
  assert.equal(encodeState(decodeState(bytes)), bytes);
  assert.throws(
    () => decodeState(encodeState(state).slice(1)),
    (error: unknown) => error instanceof FormatError,
  );
  const store = new MemoryStore();
  store.write([{ key: idKey(TABLE.mailbox, idOf(1)), value: new Uint8Array(127) }]);
  assert.throws(
    () => new MailboxTable(store).lend(idOf(1), 0),
    (error: unknown) => error instanceof FormatError,
  );
});

tables.run();
