/** Prints how large the browser build is: npm run size. */
import { bundleSize, LIMIT } from './support/bundle.js';

const { bytes, gzipped } = bundleSize();
console.log(`dist/browser/client.js: ${bytes} bytes, ${gzipped} gzipped; at most ${LIMIT} may be`);
