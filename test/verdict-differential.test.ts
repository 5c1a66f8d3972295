/** Two verifiers of evidence, one verdict: on a collection of cases, on each of them damaged, and on random ones. */
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { evidenceCases } from './support/evidence-cases.js';
import { randomEvidence } from './support/random-evidence.js';
import { agreed, fieldsOf } from './support/verdicts.js';
import { runOptions } from './worlds.js';

const test = suite('two verdicts');

const CASES = evidenceCases();
const isGuilty = ({ expected }: { expected: string }) => expected !== 'nothing';

test('both say of every case what the document says', () => {
  for (const one of CASES) assert.is(agreed(one, one.name).whom, one.expected, one.name);
});

test('every rule has cases that prove it, and cases that do not', () => {
  for (let rule = 1; rule <= 19; rule++) {
    const own = CASES.filter((one) => one.rule === rule);
    assert.ok(own.some(isGuilty) && own.some((one) => !isGuilty(one)), `rule ${rule}`);
  }
});

const someCase = fc.constantFrom(...CASES);
const guiltyCase = fc.constantFrom(...CASES.filter(isGuilty));
/** Somewhere in the bytes, as a part of their length. */
const somewhere = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

/** One of several rows or counters that prove the same: what is changed then names another one of them. */
const SEVERAL = ['5 no submission', '15 two submissions'];

test('with any bit changed it proves nothing', () => {
  fc.assert(
    fc.property(guiltyCase, somewhere, fc.nat(7), (one, where, bit) => {
      const bytes = Buffer.from(one.bytes);
      bytes[Math.floor(where * bytes.length)]! ^= 1 << bit;
      const { whom } = agreed({ ...one, bytes }, one.name);
      assert.ok(
        ['nothing', 'unreadable'].includes(whom) || SEVERAL.includes(one.name),
        `${one.name}: ${whom}`,
      );
    }),
    runOptions(1_500),
  );
});

test('cut off anywhere, or with a byte more, it is unreadable', () => {
  fc.assert(
    fc.property(someCase, somewhere, fc.nat(255), (one, where, more) => {
      const cut = one.bytes.subarray(0, Math.floor(where * one.bytes.length));
      assert.is(agreed({ ...one, bytes: cut }, one.name).whom, 'unreadable');
      const longer = Buffer.concat([one.bytes, Buffer.of(more)]);
      assert.is(agreed({ ...one, bytes: longer }, one.name).whom, 'unreadable');
    }),
    runOptions(1_000),
  );
});

test('of another server, or by another root key, it proves nothing', () => {
  for (const one of CASES) {
    const other = Buffer.from(one.serverId).fill(1);
    assert.is(agreed({ ...one, serverId: other }, one.name).whom, 'nothing');
    assert.is(agreed({ ...one, rootKey: other }, one.name).whom, 'nothing');
  }
});

test('with fields of another piece of evidence', () => {
  const some = fc.tuple(guiltyCase, someCase, somewhere, somewhere, fc.integer({ min: 1, max: 4 }));
  fc.assert(
    fc.property(some, ([one, other, from, to, length]) => {
      const [target, source] = [fieldsOf(one.bytes), fieldsOf(other.bytes)];
      const at = Math.floor(from * target.length);
      const run = target.slice(at, at + length);
      const kinds = run.map(({ kind }) => kind).join();
      const fits = source.flatMap((_, i) => {
        const found = source.slice(i, i + run.length);
        return found.map(({ kind }) => kind).join() === kinds ? [found] : [];
      });
      const found = fits[Math.floor(to * fits.length)];
      if (found === undefined) return;
      const taken = other.bytes.subarray(found[0]!.start, found.at(-1)!.end);
      const [before, behind] = [one.bytes.subarray(0, run[0]!.start), one.bytes.subarray(run.at(-1)!.end)];
      agreed({ ...one, bytes: Buffer.concat([before, taken, behind]) }, `${one.name}, ${other.name}`);
    }),
    runOptions(1_500),
  );
});

test('under the number of another rule', () => {
  fc.assert(
    fc.property(someCase, fc.integer({ min: 0, max: 255 }), (one, rule) => {
      const bytes = Buffer.from(one.bytes);
      const { start } = fieldsOf(bytes).filter(({ kind }) => kind === '1')[1]!;
      bytes[start] = rule;
      agreed({ ...one, bytes }, one.name);
    }),
    runOptions(200),
  );
});

test('random statements, leaves and logs, truly signed', () => {
  fc.assert(
    fc.property(randomEvidence, (one) => {
      agreed(one, 'random');
    }),
    runOptions(1_200),
  );
});

test.run();
