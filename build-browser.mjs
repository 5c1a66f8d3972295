// Builds the browser client as one file, dist/browser/client.js, and beside it what it loads where a browser's
// WebCrypto has no Ed25519: dist/browser/noble.js.
import { build } from 'esbuild';

const settings = {
  bundle: true,
  minify: true,
  format: 'esm',
  target: 'es2022',
  legalComments: 'eof',
  logLevel: 'warning',
  // Fields are made by assignment: shorter, and the same where no class has a setter of a field's name.
  tsconfigRaw: { compilerOptions: { useDefineForClassFields: false, verbatimModuleSyntax: true } },
};

/** What package.json says of `#crypto` and of side effects, for the sources. */
const sources = {
  name: 'sources',
  setup({ onResolve, resolve }) {
    onResolve({ filter: /^#crypto$/ }, () => resolve('./src/crypto/web.ts', { kind: 'import-statement', resolveDir: import.meta.dirname }));
    onResolve({ filter: /\/noble\.js$/ }, ({ kind }) =>
      kind === 'dynamic-import' ? { path: './noble.js', external: true } : undefined,
    );
  },
};

await build({
  ...settings,
  entryPoints: ['src/client/browser.ts'],
  outfile: 'dist/browser/client.js',
  plugins: [sources],
});
await build({ ...settings, entryPoints: ['src/crypto/noble.ts'], outfile: 'dist/browser/noble.js' });
