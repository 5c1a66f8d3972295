/** `npm run mutate`, first: writes the cases of evidence to a file, as making them takes longer than judging them. */
import { writeFileSync } from 'node:fs';
import { evidenceCases } from '../support/evidence-cases.js';
import { CASES_FILE, type KeptCase } from './cases.js';

const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64');

const kept: KeptCase[] = evidenceCases().map(({ name, expected, bytes, serverId, rootKey }) => ({
  ...{ name, expected, bytes: base64(bytes) },
  ...{ serverId: base64(serverId), rootKey: base64(rootKey) },
}));
writeFileSync(CASES_FILE, JSON.stringify(kept));
console.log(`${kept.length} cases are kept`);
