/** V8 CPU profiles: taken of a thread, and where the time went in them, by kind of work and by function. */
import { Session } from 'node:inspector/promises';

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

/** Profiles the thread that calls it, once at a time. */
export class Profiler {
  private readonly session = new Session();

  async start(): Promise<void> {
    this.session.connect();
    await this.session.post('Profiler.enable');
    await this.session.post('Profiler.start');
  }

  async stop(): Promise<CpuProfile> {
    const { profile } = await this.session.post('Profiler.stop');
    this.session.disconnect();
    return profile as CpuProfile;
  }
}

/** Kind of work → pattern of the frame that was on top of the stack, first match counts. */
const KINDS: readonly (readonly [string, RegExp])[] = [
  ['idle', /^\(idle\)/],
  ['profiling itself', /^dispatch $/],
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

/** The lines that show a profile: shares by kind, then the functions that took most by themselves. */
export function profileText(name: string, profile: CpuProfile): string {
  const kinds = timeByKind(profile);
  const total = kinds.reduce((sum, [, ms]) => sum + ms, 0);
  const line = ([what, ms]: [string, number]) =>
    `  ${((100 * ms) / total).toFixed(1).padStart(5)} %  ${what}\n`;
  const functions = topFunctions(profile, 12);
  return `\n${name}\n${kinds.map(line).join('')}  most by themselves:\n${functions.map(line).join('')}`;
}
