/** The bench's audit: arrays of a run in which all is well, and every anomaly planted into them is found, and only it. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type AuditInput, audit } from '../bench/audit.js';
import { Delivered, type DeliveredColumns, Sent } from '../bench/columns.js';
import type { Audit } from '../bench/result.js';

/** Sender, number, mailbox, place. */
type Row = [sender: number, number: number, mailbox: number, place: number];

/** Three senders of two messages each to two of three mailboxes, in this order. */
const ORDER: readonly (readonly [sender: number, number: number, to: readonly number[]])[] = [
  [0, 0, [0, 1]],
  [4, 0, [1, 2]],
  [2, 0, [2, 0]],
  [0, 1, [0, 2]],
  [2, 1, [1, 0]],
  [4, 1, [0, 1]],
];

function sendersOf(placeOf: (sender: number, number: number, place: number) => number): Sent[] {
  return [0, 2, 4].map((sender) => {
    const sent = new Sent(sender, 2);
    ORDER.forEach(([from, number, to], i) => {
      if (from !== sender) return;
      assert.is(sent.add(1, to), number);
      assert.ok(sent.acknowledge(number, placeOf(sender, number, 10 * (i + 1)), 2));
    });
    return sent;
  });
}

const ALL: readonly Row[] = ORDER.flatMap(([sender, number, to], i) =>
  to.map((mailbox): Row => [sender, number, mailbox, 10 * (i + 1)]),
);

function columnsOf(rows: readonly Row[]): DeliveredColumns {
  const delivered = new Delivered();
  for (const row of rows) delivered.add(...row, 3);
  return delivered.columns();
}

const told = (_sender: number, _number: number, place: number) => place;

/** Mailbox 2 is read by another process than the others. */
function auditOf(rows: readonly Row[], more: Partial<AuditInput> = {}, placeOf = told): Audit {
  return audit({
    senders: sendersOf(placeOf).map((sent) => sent.columns()),
    delivered: [false, true].map((isSecond) => columnsOf(rows.filter((row) => (row[2] === 2) === isSecond))),
    mailboxes: 3,
    recipients: 2,
    altered: 0,
    unverified: 0,
    oneOrder: true,
    ...more,
  });
}

const SOUND: Audit = {
  ...{ sent: 6, acknowledged: 6, delivered: 12, lost: 0, duplicated: 0, misordered: 0, skipped: 0 },
  ...{ altered: 0, unverified: 0, otherPlace: 0, totalOrder: true },
};

const without = (...gone: Row[]) => ALL.filter((row) => !gone.some((other) => other.join() === row.join()));
const changed = (row: Row, into: Row) => ALL.map((each) => (each.join() === row.join() ? into : each));

test('all is well: nothing is found, also where a system tells senders no places', () => {
  assert.equal(auditOf(ALL), SOUND);
  assert.equal(
    auditOf(ALL, {}, () => 0),
    SOUND,
  );
});

test('a delivery that never came is lost', () => {
  assert.equal(auditOf(without([4, 1, 1, 60])), { ...SOUND, delivered: 11, lost: 1 });
});

test('one that never came although a later one of its sender did is lost, and was skipped', () => {
  assert.equal(auditOf(without([0, 0, 0, 10])), { ...SOUND, delivered: 11, lost: 1, skipped: 1 });
});

test('one that came twice is duplicated, wherever it comes again', () => {
  assert.equal(auditOf([...ALL, [0, 0, 0, 10]]), { ...SOUND, delivered: 13, duplicated: 1 });
  assert.equal(auditOf([ALL[0]!, ...ALL]), { ...SOUND, delivered: 13, duplicated: 1 });
});

test('one that comes behind one with a later place is misordered', () => {
  const rows = [...without([2, 1, 0, 50]), [2, 1, 0, 50] as Row];
  assert.equal(auditOf(rows), { ...SOUND, misordered: 1, totalOrder: false });
});

test('two at one place in a mailbox are misordered', () => {
  const { misordered, otherPlace } = auditOf(changed([4, 1, 0, 60], [4, 1, 0, 50]));
  assert.equal({ misordered, otherPlace }, { misordered: 1, otherPlace: 1 });
});

test('one that comes behind a later one of its sender is skipped and misordered', () => {
  const rows = [...without([0, 0, 0, 10]), [0, 0, 0, 10] as Row];
  const { skipped, misordered, lost } = auditOf(rows);
  assert.equal({ skipped, misordered, lost }, { skipped: 1, misordered: 1, lost: 0 });
});

test('what rises by its place but not by its sender’s number is found', () => {
  const rows: Row[] = [
    [0, 1, 0, 10],
    [0, 0, 0, 20],
  ];
  const { skipped, misordered } = auditOf(rows);
  assert.equal({ skipped, misordered }, { skipped: 1, misordered: 1 });
});

test('what was never sent, or not to this mailbox, is altered', () => {
  assert.equal(auditOf([...ALL, [1, 0, 0, 70]]), { ...SOUND, delivered: 13, altered: 1 });
  assert.equal(auditOf([...ALL, [4, 2, 0, 70]]), { ...SOUND, delivered: 13, altered: 1 });
  assert.equal(auditOf([...ALL, [4, 0, 0, 70]]), { ...SOUND, delivered: 13, altered: 1 });
  assert.equal(auditOf(ALL, { altered: 2, unverified: 3 }), { ...SOUND, altered: 2, unverified: 3 });
});

test('two mailboxes, or a mailbox and the sender, that see a message at different places', () => {
  assert.equal(auditOf(changed([2, 0, 2, 30], [2, 0, 2, 31])), { ...SOUND, otherPlace: 1 });
  const bySender = auditOf(
    ALL,
    {},
    (sender, number, place) => place + (sender === 4 && number === 0 ? 1 : 0),
  );
  assert.equal(bySender, { ...SOUND, otherPlace: 2 });
});

test('places of systems without one order are compared within a mailbox alone', () => {
  const rows = ALL.map(([sender, number, mailbox, place]): Row => [sender, number, mailbox, place + mailbox]);
  assert.equal(auditOf(rows, { oneOrder: false }), SOUND);
  assert.ok(auditOf(rows).otherPlace > 0);
});

test('no order that all agree with: two mailboxes, and three of which any two agree', () => {
  const twoDisagree: Row[] = [
    ...ALL.filter(([, , mailbox]) => mailbox === 2),
    ...([
      [0, 0, 0, 1],
      [0, 1, 0, 2],
      [2, 0, 0, 3],
      [4, 1, 0, 4],
      [2, 1, 0, 5],
    ] as Row[]),
    ...([
      [0, 0, 1, 1],
      [4, 0, 1, 2],
      [2, 1, 1, 3],
      [4, 1, 1, 4],
    ] as Row[]),
  ];
  assert.is(auditOf(twoDisagree, { oneOrder: false }).totalOrder, false);
  // 0: a < b; 1: b < c; 2: c < a. Every mailbox by itself is in order.
  const ring = audit({
    senders: [0, 1, 2].map((sender) => {
      const sent = new Sent(sender, 2);
      sent.add(1, [sender, (sender + 2) % 3]);
      sent.acknowledge(0, 0, 2);
      return sent.columns();
    }),
    delivered: [
      columnsOf([
        ...([
          [0, 0, 0, 1],
          [1, 0, 0, 2],
        ] as Row[]),
        ...([
          [1, 0, 1, 1],
          [2, 0, 1, 2],
        ] as Row[]),
        ...([
          [2, 0, 2, 1],
          [0, 0, 2, 2],
        ] as Row[]),
      ]),
    ],
    ...{ mailboxes: 3, recipients: 2, altered: 0, unverified: 0, oneOrder: false },
  });
  assert.equal([ring.totalOrder, ring.misordered, ring.lost], [false, 0, 0]);
});

test('what was sent and not acknowledged is told by the counts', () => {
  const sent = new Sent(0, 1);
  sent.add(1, [0]);
  sent.add(1, [0]);
  sent.acknowledge(0, 1, 2);
  assert.is(sent.acknowledge(0, 1, 2), false, 'twice');
  assert.is(sent.acknowledge(2, 1, 2), false, 'never sent');
  const result = audit({
    senders: [sent.columns()],
    delivered: [columnsOf([[0, 0, 0, 1]])],
    ...{ mailboxes: 1, recipients: 1, altered: 0, unverified: 0, oneOrder: true },
  });
  assert.equal([result.sent, result.acknowledged, result.lost], [2, 1, 1]);
});

test('columns keep more than a chunk, and more than they began with', () => {
  const delivered = new Delivered();
  const sent = new Sent(0, 3);
  for (let i = 0; i < 150_000; i++) {
    delivered.add(1, i, i % 7, i * 2, i * 3);
    assert.is(sent.add(i, [i, i + 1, i + 2]), i);
  }
  const { number, mailbox, place, time, count } = delivered.columns();
  assert.equal(
    [count, number[149_999], mailbox[70_000], place[65_536], time[65_535]],
    [150_000, 149_999, 0, 131_072, 196_605],
  );
  const { to, intended } = sent.columns();
  assert.equal([...to.subarray(3 * 149_999)], [149_999, 150_000, 150_001]);
  assert.is(intended[2048], 2048);
});

test.run();
