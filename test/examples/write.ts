/** Makes the examples in docs/PROTOCOL.md anew: `npm run -s docs:examples`. */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { replaceExamples } from './format.js';
import { FRAMES } from './frames.js';
import { OBJECTS } from './objects.js';

const file = fileURLToPath(new URL('../../../docs/PROTOCOL.md', import.meta.url));
writeFileSync(file, replaceExamples(readFileSync(file, 'utf8'), { ...OBJECTS, ...FRAMES }));
