/** `npm run docs:accountability`: plays every cheat and writes docs/ACCOUNTABILITY.md. */
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { documentOf, LEAGUES, outcomes, playLeagues } from './table.js';

const show = (what: string) => (done: number, of: number) =>
  process.stderr.write(`\r${what}: ${done + 1} of ${of}${done + 1 === of ? '\n' : ''}`);

const file = fileURLToPath(new URL('../../../docs/ACCOUNTABILITY.md', import.meta.url));
const all = outcomes(show('cheats'));
const counts = LEAGUES.map(({ name, leagues }) => playLeagues(leagues, show(name)));
writeFileSync(file, documentOf(all, counts));
console.log(`${file} is written`);
