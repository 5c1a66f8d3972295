/** Prints how large the browser build is: npm run size. */
import { bundle, fallback, LIMIT, sizeOf } from './support/bundle.js';

const { bytes, gzipped } = sizeOf(bundle);
console.log(`dist/browser/client.js: ${bytes} bytes, ${gzipped} gzipped; at most ${LIMIT} may be`);
const other = sizeOf(fallback);
console.log(
  `dist/browser/noble.js, loaded where WebCrypto has no Ed25519: ${other.bytes} bytes, ${other.gzipped} gzipped`,
);
