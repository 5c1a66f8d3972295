/** Prints how large the browser build is: npm run size. */
import {
  bundle,
  claims,
  fallback,
  LIMIT,
  SENDING_LIMIT,
  send,
  sizeOf,
  vectors,
  witnesses,
} from './support/bundle.js';

function print(name: string, code: Uint8Array): number {
  const { bytes, gzipped } = sizeOf(code);
  console.log(`dist/browser/${name}: ${bytes} bytes, ${gzipped} gzipped`);
  return gzipped;
}

const reads = print('client.js', bundle);
const sends = print('send.js', send);
print('claims.js', claims);
print('vectors.js', vectors);
print('noble.js', fallback);
print('witnesses.js', witnesses);
console.log(`a page that only reads loads ${reads} bytes gzipped, at most ${LIMIT}`);
console.log(`a page that sends, too, loads ${reads + sends} bytes gzipped, at most ${SENDING_LIMIT}`);
