/** An inbox's rows as they are stored: what is packed comes out as it was, row by row and page by page. */
import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { InboxRows, packInboxRows } from '../src/actors/inbox-rows.js';
import { runOptions } from './worlds.js';

const PREFIX = Buffer.from('\0csign1in');
const PAGE = 64;

interface Row {
  readonly hash: Buffer;
  readonly submission: Buffer;
  readonly previous: Buffer;
}

/** The specification's pages, one row after the other. */
const laid = (rows: readonly Row[]) =>
  Buffer.concat(
    rows.flatMap(({ hash, submission, previous }, x) => [
      ...(x % PAGE === 0 ? [PREFIX] : []),
      hash,
      submission,
      previous,
    ]),
  );

test('rows come out as they went in, and a submission that many share is stored once', () => {
  const submissions = fc.array(fc.record({ rows: fc.integer({ min: 1, max: 150 }), signed: fc.boolean() }), {
    maxLength: 6,
  });
  fc.assert(
    fc.property(submissions, (all) => {
      const rows = all.flatMap(({ rows: count, signed }) => {
        const submission = signed ? randomBytes(32) : Buffer.alloc(32);
        return Array.from({ length: count }, () => ({
          hash: randomBytes(32),
          submission,
          previous: Buffer.concat([Buffer.alloc(2), randomBytes(12)]),
        }));
      });
      const packed = packInboxRows(laid(rows), rows.length);
      const runs = rows.filter(({ submission }, x) => x === 0 || !submission.equals(rows[x - 1]!.submission));
      assert.is(packed.length, 4 + 36 * runs.length + 46 * rows.length);
      const kept = new InboxRows(packed);
      assert.is(kept.count, rows.length);
      for (const [x, { hash, previous }] of rows.entries()) {
        assert.equal(Buffer.from(kept.messageHash(x)), hash);
        const { epoch, inbox, index } = kept.previous(x);
        assert.is(BigInt(epoch), previous.readBigUInt64BE(0));
        assert.equal([inbox, index], [previous.readUInt16BE(8), previous.readUInt32BE(10)]);
      }
      for (let from = 0; from <= rows.length; from += PAGE) {
        for (const to of [from, from + PAGE, from + 3 * PAGE])
          assert.equal(Buffer.from(kept.pages(from, to)), laid(rows.slice(from, to)));
      }
    }),
    runOptions(50),
  );
});

test('of an epoch that is not kept there are none', () => {
  const none = new InboxRows(undefined);
  assert.is(none.count, 0);
  assert.is(none.pages(0, 64).length, 0);
  assert.is(packInboxRows(new Uint8Array(0), 0).length, 4);
});

test.run();
