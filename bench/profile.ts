/** Reads V8 CPU profiles and says where the time went: by kind of work, per thread. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

interface CallFrame {
  readonly functionName: string;
  readonly url: string;
}

export interface CpuProfile {
  readonly nodes: readonly { readonly id: number; readonly callFrame: CallFrame }[];
  readonly samples: readonly number[];
  /** Microseconds. */
  readonly timeDeltas: readonly number[];
}

function readProfile(file: string): CpuProfile {
  return JSON.parse(readFileSync(file, 'utf8')) as CpuProfile;
}

/** Kind of work → pattern of the frame that was on top of the stack, first match counts. */
const KINDS: readonly (readonly [string, RegExp])[] = [
  ['idle', /^\(idle\)/],
  ['garbage collection', /^\(garbage collector\)/],
  ['hashing', /crypto\/hash|^(hash|latin1Write|sha256Into|sha256|oneShotDigest) /],
  ['signatures', /crypto\/(sig|keys)|ed25519/],
  ['store', /lmdb|server\/store/],
  ['between threads', /postMessage|worker\/io|per_context\/messageport|^structuredClone/],
  [
    'sockets',
    /node_modules\/ws\/|node:net|node:internal\/(stream|js_stream|streams)|^(writev|writeBuffer|writeUtf8String|writeLatin1String|readStart) /,
  ],
  ['protocol', /dist\/src\/protocol\//],
  ['actors', /dist\/src\/actors\//],
  ['server', /dist\/src\/server\//],
  ['client library', /dist\/src\/client\//],
  ['load generator', /dist\/bench\//],
];

/** Milliseconds per kind of work, most first. What matches none is 'other'. */
function timeByKind({ nodes, samples, timeDeltas }: CpuProfile): [string, number][] {
  const names = new Map(nodes.map(({ id, callFrame }) => [id, `${callFrame.functionName} ${callFrame.url}`]));
  const times = new Map<string, number>();
  samples.forEach((id, i) => {
    const name = names.get(id) ?? '';
    const kind = KINDS.find(([, pattern]) => pattern.test(name))?.[0] ?? 'other';
    times.set(kind, (times.get(kind) ?? 0) + timeDeltas[i]! / 1000);
  });
  return [...times].sort((a, b) => b[1] - a[1]);
}

/** The functions that took most by themselves, in milliseconds. */
function topFunctions({ nodes, samples, timeDeltas }: CpuProfile, count: number): [string, number][] {
  const place = ({ functionName, url }: CallFrame) =>
    `${functionName || '(anonymous)'} ${url.split('/').slice(-2).join('/')}`.trim();
  const names = new Map(nodes.map(({ id, callFrame }) => [id, place(callFrame)]));
  const times = new Map<string, number>();
  samples.forEach((id, i) => {
    const name = names.get(id) ?? '';
    times.set(name, (times.get(name) ?? 0) + timeDeltas[i]! / 1000);
  });
  return [...times].sort((a, b) => b[1] - a[1]).slice(0, count);
}

export function showProfile(name: string, profile: CpuProfile, say: (line: string) => void): void {
  const kinds = timeByKind(profile);
  const total = kinds.reduce((sum, [, ms]) => sum + ms, 0);
  const percent = (ms: number) => `${((100 * ms) / total).toFixed(1).padStart(5)} %`;
  say(`\n${name}`);
  for (const [kind, ms] of kinds) say(`  ${percent(ms)}  ${kind}`);
  say('  most by themselves:');
  for (const [place, ms] of topFunctions(profile, 16)) say(`  ${percent(ms)}  ${place}`);
}

/** Of each thread of a server that has stopped. */
export function showServer(profiles: string, say: (line: string) => void): void {
  readdirSync(profiles).forEach((file, thread) => {
    const name = thread === 0 ? 'main thread (sockets)' : `worker thread ${thread}`;
    showProfile(`server, ${name}`, readProfile(join(profiles, file)), say);
  });
}
