/** `countersign witness`: cosigns checkpoints of logs (C2SP tlog-witness) until it is told to stop. */
import { readFile } from 'node:fs/promises';
import { actorKey, FormatError, type OpenedManifest, openManifests, ROLE } from '../protocol/index.js';
import {
  checkpointKey,
  decodeVerifierKey,
  fromBase64,
  NOTE_KEY,
  type VerifierKey,
} from '../protocol/notes/index.js';
import { startWitness } from '../server/witness-server.js';
import { type Command, type OptionValues, UsageError } from './command.js';
import { nameFrom, nameOption } from './witness-options.js';

const MAX_PORT = 65_535;

export const command: Command = {
  name: 'witness',
  summary: 'Cosign checkpoints of logs, each only if it goes on from the one before, until SIGTERM or SIGINT',
  options: {
    key: {
      type: 'string',
      value: 'FILE',
      about: 'secret key of the witness, made by: countersign keygen --witness',
    },
    ...nameOption,
    data: {
      type: 'string',
      value: 'DIR',
      default: './witness',
      about: 'what it cosigned last: never go back to an older copy',
    },
    log: {
      type: 'string',
      value: 'KEY|FILE',
      multiple: true,
      about:
        'a log that it cosigns, once or more: its verifier key as countersign manifest shows it, or the answer of GET /v1/manifests/1 in a file',
    },
    host: { type: 'string', value: 'ADDRESS', default: '127.0.0.1', about: 'the address that logs reach' },
    port: { type: 'string', value: 'PORT', default: '7710', about: 'for logs; 0 takes any free one' },
  },
  async run({ values, say, json }) {
    const text = (name: string) => values[name] as string;
    if (values['key'] === undefined) throw new UsageError('--key: expected the file of the key');
    const witness = await startWitness({
      key: text('key'),
      name: nameFrom(values),
      data: text('data'),
      logs: await logsFrom(values),
      host: text('host'),
      port: portFrom(text('port')),
      warn: (line) => process.stderr.write(`warning: ${line}\n`),
    });
    const { url, verifierKey } = witness;
    say(`Witness listens on ${url}, data in ${text('data')}`);
    say(`vkey  ${verifierKey}`);
    if (json) process.stdout.write(`${JSON.stringify({ url, verifierKey })}\n`);
    const told = new Promise<void>((resolve) => {
      for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve());
    });
    try {
      await Promise.race([told, witness.failed]);
    } finally {
      await witness.stop();
    }
    return { stopped: true };
  },
};

async function logsFrom(values: OptionValues): Promise<VerifierKey[]> {
  const given = (values['log'] ?? []) as string[];
  if (given.length === 0) throw new UsageError('--log: expected at least one log');
  return Promise.all(given.map(logFrom));
}

/** A verifier key, else a file. */
async function logFrom(text: string): Promise<VerifierKey> {
  if (text.includes('+') && !text.endsWith('.json')) {
    try {
      return decodeVerifierKey(text, NOTE_KEY.ed25519);
    } catch (error) {
      if (error instanceof FormatError) throw new UsageError(`--log: ${error.message}`);
      throw error;
    }
  }
  const manifests = await manifestsIn(text);
  return checkpointKey(manifests[0]!.hash, actorKey(manifests.at(-1)!.manifest, ROLE.sequencer, 0));
}

/** The answer of GET /v1/manifests/1, or, where there is one version only, of GET /v1/manifest. */
async function manifestsIn(file: string): Promise<OpenedManifest[]> {
  const content = await readFile(file, 'utf8');
  try {
    const answer = JSON.parse(content) as { manifests?: SignedText[] } & SignedText;
    const all = answer.manifests ?? [answer];
    return openManifests(
      all.map(({ manifest, signature }) => ({
        bytes: fromBase64(manifest),
        signature: fromBase64(signature),
      })),
    );
  } catch (error) {
    throw new UsageError(`--log: ${file} is no answer of GET /v1/manifests/1: ${(error as Error).message}`);
  }
}

interface SignedText {
  readonly manifest: string;
  readonly signature: string;
}

function portFrom(text: string): number {
  if (/^\d{1,5}$/.test(text) && Number(text) <= MAX_PORT) return Number(text);
  throw new UsageError(`--port: expected a number from 0 to ${MAX_PORT}, got ${text}`);
}
