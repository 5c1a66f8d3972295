/** `npm run docs:accountability`: plays every cheat and league, some ten minutes, and writes docs/ACCOUNTABILITY.md and leagues.json. */
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { keepEnds, playAll } from './leagues.js';
import { documentOf, outcomes } from './table.js';

const show = (what: string) => (done: number, of: number) =>
  process.stderr.write(`\r${what}: ${done + 1} of ${of}${done + 1 === of ? '\n' : ''}`);

const file = fileURLToPath(new URL('../../../docs/ACCOUNTABILITY.md', import.meta.url));
const all = outcomes(show('cheats'));
const ends = playAll((name, done, of) => show(name)(done, of));
keepEnds(ends);
writeFileSync(file, documentOf(all, ends));
console.log(`${file} is written`);
