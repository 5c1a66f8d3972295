// Builds the browser client, dist/browser/client.js, and beside it what it loads when it is needed: its parts send.js,
// with what only senders need, and claims.js, which makes claims, and noble.js, where a browser's WebCrypto has no
// Ed25519. What a part shares with client.js is in client.js, and the part imports it from there. Needs the .d.ts
// files of the build before it.
import { mkdirSync, readdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { minify } from 'terser';

const settings = {
  minify: true,
  format: 'esm',
  target: 'es2022',
  legalComments: 'eof',
  logLevel: 'warning',
  // Imports that are there for the order of files alone.
  logOverride: { 'ignored-bare-import': 'silent' },
  charset: 'utf8',
  // What fields are in JSON.
  dropLabels: ['JSON_ONLY'],
  // Fields are made by assignment: shorter, and the same where no class has a setter of a field's name.
  tsconfigRaw: { compilerOptions: { useDefineForClassFields: false, verbatimModuleSyntax: true } },
};

/** What package.json says of `#crypto`, for the sources; what is loaded when it is needed is a file of its own. */
const sources = {
  name: 'sources',
  setup({ onResolve, resolve }) {
    const options = { kind: 'import-statement', resolveDir: import.meta.dirname };
    onResolve({ filter: /^#crypto$/ }, () => resolve('./src/crypto/web.ts', options));
    onResolve({ filter: /\/(noble|send|claims)\.js$/ }, ({ kind, path }) =>
      kind === 'dynamic-import' ? { path: `./${path.split('/').at(-1)}`, external: true } : undefined,
    );
    onResolve({ filter: /\/evidence\/index\.js$/ }, ({ kind }) =>
      kind === 'dynamic-import' ? { path: './verdict.js', external: true } : undefined,
    );
  },
};

const namesIn = (text) => text.match(/[A-Za-z_$][\w$]*/g) ?? [];
const withoutTexts = (text) => text.replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*|'[^'\n]*'|"[^"\n]*"/g, '');

/**
 * Types that the client is given no objects of, though those that it uses name them. What only they lead to is not
 * foreign here: browsers have ten thousand names, and among them are most of our own.
 */
const UNUSED =
  `Window WindowProxy WindowEventMap GlobalEventHandlersEventMap UIEvent Transferable MessageEventSource
  FormData MediaSource RequestInfo Request BodyInit Headers HeadersInit URLSearchParams
  OnErrorEventHandler IDBIndex IDBCursor IDBCursorWithValue`.split(/\s+/);

/** Every member of the types of JavaScript itself, and of those of browsers that the globals in this code lead to. */
function platformNames(code) {
  const typescript = createRequire(
    realpathSync(fileURLToPath(import.meta.resolve('typescript/package.json'))),
  );
  const package_ = `@typescript/typescript-${process.platform}-${process.arch}/package.json`;
  const folder = join(dirname(typescript.resolve(package_)), 'lib');
  const textOf = (family) =>
    readdirSync(folder)
      .filter((name) => new RegExp(`^lib\\.${family}.*\\.d\\.ts$`).test(name))
      .map((name) => readFileSync(join(folder, name), 'utf8').replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*/g, ''))
      .join('\n');
  const types = new Map();
  for (const part of textOf('dom').split(/^(?=interface |declare |type )/m)) {
    const [, name] = /^(?:interface|type|declare \w+) (\w+)/.exec(part) ?? [];
    if (!UNUSED.includes(name)) types.set(name, (types.get(name) ?? '') + part);
  }
  const found = new Set(namesIn(code).filter((name) => types.has(name)));
  for (const name of found)
    for (const each of types.get(name).match(/\b[A-Z]\w+/g) ?? []) if (types.has(each)) found.add(each);
  const member = /^ +(?:(?:readonly|static|get|set) )*["']?([A-Za-z_$][\w$]*)["']?\??(?=[(:<])/gm;
  const used = textOf('es') + [...found].map((name) => types.get(name)).join('\n');
  return [...used.matchAll(member)].map(([, name]) => name);
}

/** Every name in the declarations that an application can get at from countersign/client. */
function publicNames() {
  const declarations = new Map();
  for (const name of readdirSync('dist/src', { recursive: true })) {
    if (!/^(client|protocol|crypto)\/.*\.d\.ts$/.test(name)) continue;
    const text = readFileSync(join('dist/src', name), 'utf8')
      .replaceAll(/\/\*\*(?:(?!\*\/)[\s\S])*@internal(?:(?!\*\/)[\s\S])*\*\/[^;]*;/g, '')
      .replaceAll(/^ +(?:private|protected) .*$/gm, '')
      // Names of parameters.
      .replaceAll(/(?<=[(,]\s*)\w+\??:/g, '');
    for (const part of withoutTexts(text).split(/^(?=export|declare|interface|type|class|const)/m)) {
      const declared =
        /^(?:export )?(?:declare )?(?:abstract )?(?:class|interface|type|const|function) (\w+)/.exec(part);
      if (declared) declarations.set(declared[1], (declarations.get(declared[1]) ?? '') + part);
    }
  }
  // noble.js is a file of its own, so its names stay too.
  const entries = ['client/browser', 'client/vectors-entry', 'crypto/noble', 'crypto/types'].map((name) =>
    readFileSync(`dist/src/${name}.d.ts`, 'utf8'),
  );
  // What verdict.js is given goes by its names.
  const given = ['Dispute', 'DisputedPlace'].map((name) => declarations.get(name));
  const found = new Set(namesIn(withoutTexts(entries.join('')) + given.join('')));
  // What values consist of is public, and not how they are read and written.
  declarations.delete('Field');
  // What verdict.js makes has its names, and none of these files looks into it.
  declarations.delete('Verdict');
  for (const name of found) for (const each of namesIn(declarations.get(name) ?? '')) found.add(each);
  return found;
}

const common = { ...settings, bundle: true, outdir: 'dist/browser', write: false };
const parts = ['send', 'claims'];
const entryOf = (name) => `src/client/${name}.ts`;
const entries = [entryOf('browser'), ...parts.map(entryOf)];
/** Given to a client by the application: a file of its own, which knows what it is given by its short names. */
const VECTORS = entryOf('vectors-entry');

/** The files with code in client.js, and what each exports. A file is in client.js or in parts as a whole. */
async function clientFiles() {
  const options = { ...common, plugins: [sources], metafile: true };
  const { metafile } = await build({ ...options, entryPoints: [entries[0]] });
  const inputs = Object.entries(Object.values(metafile.outputs)[0].inputs);
  const files = inputs.filter(([, { bytesInOutput }]) => bytesInOutput > 0).map(([file]) => file);
  const each = await build({ ...options, entryPoints: files });
  return new Map(
    Object.values(each.metafile.outputs).map(({ entryPoint, exports }) => [entryPoint, exports]),
  );
}

/** A number, or names for some. */
const isNumbers = (value) =>
  typeof value === 'number' ||
  (Object.getPrototypeOf(value ?? null) === Object.prototype &&
    Object.values(value).every((each) => typeof each === 'number'));

/** Leaves out of a part what is in these files: it imports it from their paths. */
const fromClient = (files) => ({
  name: 'from-client',
  setup({ onLoad, onResolve, resolve }) {
    onResolve({ filter: /./, namespace: 'client' }, ({ path }) => ({
      path,
      external: true,
      sideEffects: false,
    }));
    onResolve({ filter: /^\.|^#crypto$/ }, async ({ path, pluginData, ...options }) => {
      if (pluginData === files) return undefined;
      const found = await resolve(path, { ...options, pluginData: files });
      const file = relative(import.meta.dirname, found.path);
      return files.has(file) ? { path: file, namespace: 'client', sideEffects: false } : found;
    });
    onLoad({ filter: /./, namespace: 'client' }, async ({ path }) => {
      const values = await import(`./dist/${path.replace(/ts$/, 'js')}`);
      // Numbers are written out; the rest one by one, so that each goes by itself where nobody needs it.
      const lines = files
        .get(path)
        .map((name) =>
          isNumbers(values[name])
            ? `export const ${name} = ${JSON.stringify(values[name]).replaceAll('"', '')};`
            : `export { ${name} } from '${path}';`,
        );
      return { contents: lines.join('\n') };
    });
  },
});

/** What may be called otherwise inside: names of properties that nobody outside sees, and that no text names. */
async function ownNames() {
  const { outputFiles, metafile } = await build({
    ...common,
    entryPoints: entries,
    plugins: [sources],
    minifyIdentifiers: false,
    metafile: true,
  });
  const code = outputFiles.map(({ text }) => text).join('\n');
  // By their exports the files know each other.
  const exported = Object.values(metafile.outputs).flatMap(({ exports }) => exports);
  // Of verdict.js, too, which is made by itself.
  const ofVerdict = Object.keys(await import('./dist/src/protocol/evidence/index.js'));
  // Node's timers have it, where these files run, too.
  const foreign = new Set(['unref', ...platformNames(code), ...publicNames(), ...exported, ...ofVerdict]);
  for (const [, , name] of code.matchAll(/(["'`])([A-Za-z_$][\w$]*)\1/g)) foreign.add(name);
  return [...new Set(namesIn(code))].filter((name) => !foreign.has(name));
}

/**
 * Once more, by who looks at the whole file: nearly a twentieth less. Taken for granted is that reading a property
 * does nothing else and that nothing calls `new` on what is no class, which is so here.
 */
const compress = {
  ...{ ecma: 2022, passes: 5, pure_getters: true, unsafe_arrows: true },
  ...{ lhs_constants: false, inline: 1, unsafe: true },
};

const names = await ownNames();
const mangleProps = new RegExp(`^(${names.join('|').replaceAll('$', '\\$')})$`);
// All files call a property by the same name.
const { mangleCache } = await build({
  ...common,
  entryPoints: entries,
  plugins: [sources],
  mangleProps,
  mangleCache: {},
});

async function built(options) {
  const { outputFiles } = await build({ ...common, mangleProps, mangleCache, ...options });
  return outputFiles[0].text;
}

async function minified(text) {
  const { code } = await minify(text, { module: true, compress, format: { ecma: 2022 } });
  return code;
}

/** What parts have of client.js: how it says to export that, and by which name for the while. */
const shared = new Map();

/** The code of a part, which imports what it shares with client.js from there. */
async function partOf(name, files) {
  const imports = [];
  const code = await built({ entryPoints: [entryOf(name)], plugins: [fromClient(files), sources] });
  const rest = code.replaceAll(/import\{([^}]*)\}from"(src\/[^"]*)";/g, (_, names, file) => {
    for (const each of names.split(',')) {
      const [name, local = name] = each.split(' as ');
      const wanted = `export { ${name} as * } from './${file}';`;
      if (!shared.has(wanted)) shared.set(wanted, `shared_${shared.size}`);
      imports.push(`${shared.get(wanted)} as ${local}`);
    }
    return '';
  });
  return minified(`import{${imports.join(',')}}from"./client.js";${rest}`);
}

const files = await clientFiles();
const code = new Map();
for (const part of parts) code.set(part, await partOf(part, files));
/** Files that stand first: what is alike lies close together then, which gzip makes less of. Found by trying; nothing depends on it. */
const FIRST = `
protocol/attestation
protocol/message-hash
protocol/placement
protocol/manifest
client/verifier
client/sending
client/events
client/find-server
client/options
client/turn
protocol/session
client/message
client/message-queue
client/store
client/backoff
client/connection
client/member-making
`
  .trim()
  .split(/\s+/);
const contents = [...FIRST.map((name) => `import './src/${name}.ts';`), `export * from './${entries[0]}';`];
for (const [wanted, name] of shared) contents.push(wanted.replace('*', name));
const stdin = { contents: contents.join('\n'), resolveDir: import.meta.dirname, loader: 'ts' };
const client = await minified(await built({ stdin, plugins: [sources] }));
code.set('client', client);
// What is shared is exported by the name that it has in client.js anyway.
const given = new Map(
  [...client.matchAll(/([^{,]+) as (shared_\d+)/g)].map(([, name, long]) => [long, name]),
);
code.set('vectors', await minified(await built({ entryPoints: [VECTORS], plugins: [sources] })));
mkdirSync('dist/browser', { recursive: true });
for (const [name, text] of code) {
  const short = text.replaceAll(/ as shared_\d+/g, '').replaceAll(/\bshared_\d+/g, (long) => given.get(long));
  writeFileSync(`dist/browser/${name}.js`, short);
}
for (const [from, to] of [
  ['src/crypto/noble.ts', 'noble'],
  // Judges at once, so with noble inside: whoever judges is mostly no client.
  ['src/protocol/evidence/index.ts', 'verdict'],
  // For who relies on witnesses: beside client.js, of which it needs only what that gives to everybody.
  ['src/client/witnesses.ts', 'witnesses'],
])
  await build({
    ...settings,
    bundle: true,
    plugins: [sources],
    entryPoints: [from],
    outfile: `dist/browser/${to}.js`,
  });
