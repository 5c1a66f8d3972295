// Builds the browser client as one file, dist/browser/client.js, and beside it what it loads where a browser's
// WebCrypto has no Ed25519: dist/browser/noble.js. Needs the .d.ts files of the build before it.
import { mkdirSync, readdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { minify } from 'terser';

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

/** What package.json says of `#crypto`, for the sources; noble is loaded when it is needed. */
const sources = {
  name: 'sources',
  setup({ onResolve, resolve }) {
    const options = { kind: 'import-statement', resolveDir: import.meta.dirname };
    onResolve({ filter: /^#crypto$/ }, () => resolve('./src/crypto/web.ts', options));
    onResolve({ filter: /\/noble\.js$/ }, ({ kind }) =>
      kind === 'dynamic-import' ? { path: './noble.js', external: true } : undefined,
    );
  },
};

const namesIn = (text) => text.match(/[A-Za-z_$][\w$]*/g) ?? [];
const withoutTexts = (text) => text.replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*|'[^'\n]*'|"[^"\n]*"/g, '');

/** Every member in the types of the platform: they say what objects of browsers and of JavaScript itself have. */
function platformNames() {
  const typescript = createRequire(
    realpathSync(fileURLToPath(import.meta.resolve('typescript/package.json'))),
  );
  const package_ = `@typescript/typescript-${process.platform}-${process.arch}/package.json`;
  const folder = join(dirname(typescript.resolve(package_)), 'lib');
  const files = readdirSync(folder).filter((name) => /^lib\.(es|dom).*\.d\.ts$/.test(name));
  const member = /^ +(?:(?:readonly|static|get|set) )*["']?([A-Za-z_$][\w$]*)["']?\??(?=[(:<])/gm;
  return files.flatMap((name) =>
    [...readFileSync(join(folder, name), 'utf8').matchAll(member)].map(([, name]) => name),
  );
}

/** Every name in the declarations that an application can get at from countersign/client. */
function publicNames() {
  const declarations = new Map();
  for (const name of readdirSync('dist/src', { recursive: true })) {
    if (!/^(client|protocol|crypto)\/.*\.d\.ts$/.test(name)) continue;
    const text = readFileSync(join('dist/src', name), 'utf8')
      .replaceAll(/\/\*\*(?:(?!\*\/)[\s\S])*@internal(?:(?!\*\/)[\s\S])*\*\/[^;]*;/g, '')
      .replaceAll(/^ +private .*$/gm, '');
    for (const part of withoutTexts(text).split(/^(?=export|declare|interface|type|class|const)/m)) {
      const declared =
        /^(?:export )?(?:declare )?(?:abstract )?(?:class|interface|type|const|function) (\w+)/.exec(part);
      if (declared) declarations.set(declared[1], (declarations.get(declared[1]) ?? '') + part);
    }
  }
  // noble.js is a file of its own, so its names stay too.
  const entries = ['client/browser', 'crypto/noble', 'crypto/types'].map((name) =>
    readFileSync(`dist/src/${name}.d.ts`, 'utf8'),
  );
  const found = new Set(namesIn(withoutTexts(entries.join(''))));
  // What values consist of is public, and not how they are read and written.
  declarations.delete('Field');
  for (const name of found) for (const each of namesIn(declarations.get(name) ?? '')) found.add(each);
  return found;
}

const client = { ...settings, entryPoints: ['src/client/browser.ts'], plugins: [sources] };

/** What may be called otherwise inside: names of properties that nobody outside sees, and that no text names. */
async function ownNames() {
  const { outputFiles } = await build({ ...client, minifyIdentifiers: false, write: false });
  const code = outputFiles[0].text;
  const foreign = new Set([...platformNames(), ...publicNames()]);
  for (const [, , name] of code.matchAll(/(["'`])([A-Za-z_$][\w$]*)\1/g)) foreign.add(name);
  return [...new Set(namesIn(code))].filter((name) => !foreign.has(name));
}

/**
 * Once more, by who looks at the whole file: nearly a twentieth less. Taken for granted is that reading a property
 * does nothing else and that nothing calls `new` on what is no class, which is so here.
 */
const compress = { ecma: 2022, passes: 5, pure_getters: true, unsafe_arrows: true };

const names = await ownNames();
const { outputFiles } = await build({
  ...client,
  mangleProps: new RegExp(`^(${names.join('|').replaceAll('$', '\\$')})$`),
  write: false,
});
const { code } = await minify(outputFiles[0].text, { module: true, compress, format: { ecma: 2022 } });
mkdirSync('dist/browser', { recursive: true });
writeFileSync('dist/browser/client.js', code);
await build({ ...settings, entryPoints: ['src/crypto/noble.ts'], outfile: 'dist/browser/noble.js' });
