/** The setting `witnesses.services`: verifier key and address of each witness, in turns, with one space between. */
import { isGoodKey } from '#crypto';
import { FormatError, toHex } from '../protocol/index.js';
import { decodeVerifierKey, NOTE_KEY, type VerifierKey } from '../protocol/notes/index.js';

export interface WitnessService {
  readonly key: VerifierKey;
  /** Submission prefix, without a slash at its end. */
  readonly url: string;
}

/** A note holds 64 signatures; those of strangers must not crowd ours out. */
const MOST_WITNESSES = 16;

/** Throws `FormatError`. */
export function witnessesIn(text: string): WitnessService[] {
  if (text === '') return [];
  const words = text.split(' ');
  if (words.length % 2 === 1) throw new FormatError('an address for each key');
  const services = Array.from({ length: words.length / 2 }, (_, i) => {
    const key = decodeVerifierKey(words[2 * i]!, NOTE_KEY.cosignature);
    if (!isGoodKey(key.publicKey)) throw new FormatError(`${key.name}: no good key`);
    return { key, url: prefixOf(words[2 * i + 1]!) };
  });
  if (services.length > MOST_WITNESSES) throw new FormatError(`at most ${MOST_WITNESSES}`);
  // Two names of one key would be one witness that counts twice.
  const names = new Set(services.map(({ key }) => key.name));
  const keys = new Set(services.map(({ key }) => toHex(key.publicKey)));
  if (names.size + keys.size < 2 * services.length) throw new FormatError('each witness once');
  return services;
}

function prefixOf(text: string): string {
  const { protocol, username, search, hash } = URL.canParse(text) ? new URL(text) : new URL('none:');
  if (!/^https?:$/.test(protocol) || username + search + hash !== '')
    throw new FormatError('expected an http or https URL without a query');
  return text.replace(/\/$/, '');
}
