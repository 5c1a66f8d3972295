/** What holds of two verifiers of evidence, for a test in passing and for a long one. */
import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { runOptions } from '../worlds.js';
import { evidenceCases } from './evidence-cases.js';
import { randomEvidence } from './random-evidence.js';
import { agreed, fieldsOf } from './verdicts.js';

export const CASES = evidenceCases();
export const isGuilty = ({ expected }: { expected: string }) => expected !== 'nothing';

const someCase = fc.constantFrom(...CASES);
const guiltyCase = fc.constantFrom(...CASES.filter(isGuilty));
/** Somewhere in the bytes, as a part of their length. */
const somewhere = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

/** One of several rows that prove the same: what is changed then names another one of them. */
const SEVERAL = '5 no submission';

/** By name: each with that many random inputs. */
export const PROPERTIES: Readonly<Record<string, (runs: number) => void>> = {
  'with any bit changed it proves nothing'(runs) {
    fc.assert(
      fc.property(guiltyCase, somewhere, fc.nat(7), (one, where, bit) => {
        const bytes = Buffer.from(one.bytes);
        bytes[Math.floor(where * bytes.length)]! ^= 1 << bit;
        const { whom } = agreed({ ...one, bytes }, one.name);
        assert.ok(['nothing', 'unreadable'].includes(whom) || one.name === SEVERAL, `${one.name}: ${whom}`);
      }),
      runOptions(runs),
    );
  },

  'cut off anywhere, or with a byte more, it is unreadable'(runs) {
    fc.assert(
      fc.property(someCase, somewhere, fc.nat(255), (one, where, more) => {
        const cut = one.bytes.subarray(0, Math.floor(where * one.bytes.length));
        assert.is(agreed({ ...one, bytes: cut }, one.name).whom, 'unreadable');
        const longer = Buffer.concat([one.bytes, Buffer.of(more)]);
        assert.is(agreed({ ...one, bytes: longer }, one.name).whom, 'unreadable');
      }),
      runOptions(runs),
    );
  },

  'of another server, or by another root key, it proves nothing'(runs) {
    fc.assert(
      fc.property(someCase, fc.nat(31), fc.boolean(), (one, at, isServer) => {
        const other = Buffer.from(isServer ? one.serverId : one.rootKey);
        other[at]! ^= 1;
        const judged = { ...one, [isServer ? 'serverId' : 'rootKey']: other };
        assert.is(agreed(judged, one.name).whom, 'nothing');
      }),
      runOptions(runs),
    );
  },

  'with fields of another piece of evidence'(runs) {
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
      runOptions(runs),
    );
  },

  'under the number of another rule'(runs) {
    fc.assert(
      fc.property(someCase, fc.integer({ min: 0, max: 255 }), (one, rule) => {
        const bytes = Buffer.from(one.bytes);
        const { start } = fieldsOf(bytes).filter(({ kind }) => kind === '1')[1]!;
        bytes[start] = rule;
        agreed({ ...one, bytes }, one.name);
      }),
      runOptions(runs),
    );
  },

  'random statements, leaves and logs, truly signed'(runs) {
    fc.assert(
      fc.property(randomEvidence, (one) => {
        agreed(one, 'random');
      }),
      runOptions(runs),
    );
  },
};
