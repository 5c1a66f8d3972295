/** `npm run mutate`, first: writes the cases to a file, as making them takes longer than judging them. */
import { writeFileSync } from 'node:fs';
import { claimCases } from '../support/claim-cases.js';
import { evidenceCases } from '../support/evidence-cases.js';
import { CASES_FILE, type Kept } from './cases.js';

const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64');

const kept: Kept = {
  evidence: evidenceCases().map(({ name, expected, rule, bytes, serverId, rootKey }) => ({
    ...{ name, expected, rule, bytes: base64(bytes) },
    ...{ serverId: base64(serverId), rootKey: base64(rootKey) },
  })),
  claims: claimCases().map(({ name, holds, bytes, serverId, manifest }) => ({
    ...{ name, holds, bytes: base64(bytes) },
    ...{ serverId: base64(serverId), manifest: base64(manifest) },
  })),
};
writeFileSync(CASES_FILE, JSON.stringify(kept));
console.log(`${kept.evidence.length} cases and ${kept.claims.length} claims are kept`);
