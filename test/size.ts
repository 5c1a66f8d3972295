/** Prints how large the browser build is: npm run size. */
import { built, LIMIT, SENDING_LIMIT, sizeOf } from './support/bundle.js';

function print(name: string): number {
  const { bytes, gzipped } = sizeOf(built(name));
  console.log(`dist/browser/${name}.js: ${bytes} bytes, ${gzipped} gzipped`);
  return gzipped;
}

const [reads, sends] = ['client', 'send', 'claims', 'vectors', 'noble', 'witnesses'].map(print);
console.log(`a page that only reads loads ${reads} bytes gzipped, at most ${LIMIT}`);
console.log(`a page that sends, too, loads ${reads! + sends!} bytes gzipped, at most ${SENDING_LIMIT}`);
