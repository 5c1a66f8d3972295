/** Who may import whom. */
import { builtinModules } from 'node:module';
import { type Import, importsOf, type Rule, type SourceFile } from './source.js';

interface Territory {
  /** Folders below src that this one may import from, besides itself. */
  readonly from: readonly string[];
  /** False: no Node builtins and no packages either. */
  readonly outside: boolean;
}

const TERRITORIES: Readonly<Record<string, Territory>> = {
  protocol: { from: ['crypto'], outside: false },
  crypto: { from: [], outside: true },
  client: { from: ['protocol', 'crypto'], outside: true },
  actors: { from: ['protocol', 'crypto'], outside: true },
  server: { from: ['protocol', 'crypto', 'client', 'actors'], outside: true },
  cli: { from: ['protocol', 'crypto', 'client', 'actors', 'server'], outside: true },
};

const STAGES = ['request-handler', 'inbox', 'router', 'receiver', 'outbox', 'sequencer'];

/** The only homes of what must not spread: a folder (with its slash) or a file. */
const HOMES: Readonly<Record<string, readonly string[]>> = {
  ws: ['src/server/listeners.ts', 'src/client/websocket.ts'],
  piscina: ['src/server/workers.ts'],
  lmdb: ['src/server/store.ts'],
  '@noble/ed25519': ['src/crypto/'],
  xstate: ['src/actors/'],
};

const territoryOf = (path: string) => /^src\/([^/]+)\//.exec(path)?.[1] ?? '';
const stageOf = (path: string) => STAGES.find((stage) => new RegExp(`^src/actors/${stage}[./-]`).test(path));

function isBuiltin(specifier: string): boolean {
  return specifier.startsWith('node:') || builtinModules.includes(specifier.split('/')[0]);
}

function packageOf(specifier: string): string {
  return /^(@[^/]+\/[^/]+|[^/]+)/.exec(specifier)?.[0] ?? specifier;
}

/** One complaint per offending import of the files that `covers` picks. */
function forEachImport(
  covers: (path: string) => boolean,
  judge: (path: string, imported: Import) => string | undefined,
): Rule {
  return (files) =>
    files
      .filter(({ path }) => covers(path) && /\.[cm]?[jt]s$/.test(path))
      .flatMap((file) =>
        importsOf(file)
          .map((imported) => [imported, judge(file.path, imported)] as const)
          .filter(([, complaint]) => complaint)
          .map(([{ specifier }, complaint]) => `${file.path}: ${complaint}: '${specifier}'`),
      );
}

const inSource = (path: string) => path.startsWith('src/');

export const directions = forEachImport(inSource, (path, { specifier, target }) => {
  const territory = TERRITORIES[territoryOf(path)];
  if (!territory) return `src has no such folder as this file's, known are ${Object.keys(TERRITORIES)}`;
  if (target === undefined) {
    return territory.outside
      ? undefined
      : `${isBuiltin(specifier) ? 'a builtin' : 'a package'} in a pure folder`;
  }
  const other = territoryOf(target);
  if (other === territoryOf(path) || territory.from.includes(other)) return undefined;
  return `src/${territoryOf(path)} must not import ${other ? `src/${other}` : 'what lies outside src'}`;
});

export const stagesApart = forEachImport(inSource, (path, { target }) => {
  const [own, other] = [stageOf(path), stageOf(target ?? '')];
  if (own && other && own !== other) return 'a stage imports another stage';
  return undefined;
});

/** Only the pipeline sees the whole: any other file outside the stages knows at most all but one. */
export const onePipeline: Rule = (files) =>
  files
    .filter(({ path }) => inSource(path) && path !== 'src/actors/pipeline.ts')
    .filter((file) => {
      const seen = new Set(importsOf(file).map(({ target }) => stageOf(target ?? '')));
      return STAGES.every((stage) => seen.has(stage));
    })
    .map(({ path }) => `${path}: imports every stage, which only src/actors/pipeline.ts may`);

export const homes = forEachImport(inSource, (path, { specifier, target }) => {
  if (target !== undefined) return undefined;
  const allowed = HOMES[packageOf(specifier)];
  if (!allowed || allowed.some((home) => (home.endsWith('/') ? path.startsWith(home) : path === home)))
    return undefined;
  return `its only home is ${allowed.join(' and ')}`;
});

/** The second implementation proves something only as long as it shares nothing with the first. */
export const twinAlone = forEachImport(
  (path) => path.startsWith('test/twin/'),
  (_, { specifier, target }) => {
    if (target === undefined ? isBuiltin(specifier) : target.startsWith('test/twin/')) return undefined;
    return 'the twin imports only builtins and its own folder';
  },
);

/** Import circles among src files, each once. Type-only imports leave no trace at run time. */
export const noCircles: Rule = (files) => {
  const graph = new Map(
    files.filter(({ path }) => inSource(path)).map((file) => [file.path, runtimeTargets(file)]),
  );
  const done = new Set<string>();
  const circles: string[] = [];
  const visit = (path: string, trail: string[]) => {
    const start = trail.indexOf(path);
    if (start >= 0) circles.push(`import circle: ${[...trail.slice(start), path].join(' → ')}`);
    if (start >= 0 || done.has(path)) return;
    for (const target of graph.get(path) ?? []) visit(target, [...trail, path]);
    done.add(path);
  };
  for (const path of graph.keys()) visit(path, []);
  return circles;
};

function runtimeTargets(file: SourceFile): string[] {
  return importsOf(file).flatMap(({ target, typeOnly }) => (target && !typeOnly ? [target] : []));
}
