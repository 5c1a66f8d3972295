/** What every command that talks to a server shares: which one, by which key, and what is remembered. */
import { writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { sha256 } from '#crypto';
import { type Client, type ClientOptions, connect, FileStore, VerificationError } from '../client/index.js';
import { FormatError, fromHex, toHex } from '../protocol/index.js';
import { readKeyFile } from '../server/key-file.js';
import { type Option, type OptionValues, UsageError } from './command.js';

const ID_BYTES = 32;

export const urlOption: Readonly<Record<string, Option>> = {
  url: { type: 'string', value: 'URL', default: 'http://127.0.0.1:7700', about: 'address of the server' },
};

export const clientOptions: Readonly<Record<string, Option>> = {
  key: { type: 'string', value: 'FILE', about: 'secret key of the client, made by: countersign keygen' },
  ...urlOption,
  server: { type: 'string', value: 'ID', about: 'id that the server must have' },
  store: {
    type: 'string',
    value: 'FILE',
    about: 'remembers the server and what was verified from one run to the next',
  },
};

/** The address as given. Throws `UsageError` on what is no http, https, ws or wss URL. */
export function urlFrom(values: OptionValues): string {
  const url = values['url'] as string;
  if (URL.canParse(url) && /^(https?|wss?):$/.test(new URL(url).protocol)) return url;
  throw new UsageError(`--url: expected an http, https, ws or wss URL, got ${url}`);
}

/** 32 bytes. Throws `UsageError` naming the option. */
export function idFrom(option: string, text: string): Uint8Array {
  try {
    return fromHex(text, ID_BYTES);
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    throw new UsageError(`--${option}: expected 64 lowercase hex digits, got ${text}`);
  }
}

/** Connects as the options say, and tells on stderr when the connection is lost. `onReady` as in `ClientOptions`. */
export async function clientFrom(
  values: OptionValues,
  onReady: NonNullable<ClientOptions['onReady']>,
): Promise<Client> {
  const text = (name: string) => values[name] as string | undefined;
  const [key, server, store] = [text('key'), text('server'), text('store')];
  if (key === undefined) throw new UsageError('--key: expected the file of your key');
  let isTold = false;
  return connect({
    url: urlFrom(values),
    onReady: (on) => {
      on('evidence', ({ evidence }) => void keep(evidence, store));
      on('state', ({ state, attempt, reason }) => {
        const isLost = state === 'connecting' && attempt === 1;
        if (isLost && !isTold) process.stderr.write(`${reason!.code}: ${reason!.message}; trying again\n`);
        isTold = state === 'connecting';
      });
      onReady(on);
    },
    ...(server === undefined ? {} : { server: idFrom('server', server) }),
    ...(store === undefined ? {} : { store: new FileStore(store) }),
    key: await readKeyFile(key),
  }).catch(async (error: unknown) => {
    if (error instanceof VerificationError && error.evidence) await keep(error.evidence, store);
    throw error;
  });
}

/** Beside the store, by its hash: what was found before stays. */
async function keep(evidence: Uint8Array, store = ''): Promise<void> {
  const file = join(dirname(store), `${toHex(sha256(evidence)).slice(0, 16)}.evidence`);
  await writeFile(file, evidence);
  process.stderr.write(`evidence: ${file} convicts; judge it with countersign verify ${file}\n`);
}
