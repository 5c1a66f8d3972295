/** The front port's certificate and its key, from PEM files. */
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import type { Config } from './config.js';
import { OperatorError } from './operator-error.js';

export interface Certificate {
  readonly context: SecureContextOptions;
  readonly fingerprint: string;
  /** What is wrong with it and stops nothing here; clients may refuse it. */
  readonly warnings: readonly string[];
}

/** Null when no files are named. Throws `OperatorError` `tls-unreadable`, `tls-malformed` or `tls-key-differs`. */
export function readCertificate({ certificate, key }: Config['tls']): Certificate | null {
  if (certificate === '') return null;
  const [cert, secret] = [readPem('tls.certificate', certificate), readPem('tls.key', key)];
  const leaf = parsed('tls.certificate', certificate, 'certificate', () => new X509Certificate(cert));
  const keyObject: KeyObject = parsed('tls.key', key, 'private key without a passphrase', () =>
    createPrivateKey(secret),
  );
  if (!leaf.checkPrivateKey(keyObject)) {
    throw new OperatorError(
      'tls-key-differs',
      `${key} is not the key of the certificate in ${certificate}`,
      'Name the two files that belong together; the certificate of the server itself comes first in its file.',
    );
  }
  const context = { cert, key: secret };
  // The rest of the chain, and what is too weak to be used.
  parsed('tls.certificate', certificate, 'chain that can be used', () => createSecureContext(context));
  return { context, fingerprint: leaf.fingerprint256, warnings: outOfTime(leaf) };
}

function outOfTime({ validFrom, validTo }: X509Certificate): string[] {
  const now = Date.now();
  if (Date.parse(validTo) < now) return [`the certificate of tls.certificate has expired on ${validTo}`];
  if (Date.parse(validFrom) > now)
    return [`the certificate of tls.certificate is not valid before ${validFrom}`];
  return [];
}

function readPem(setting: string, file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (cause) {
    const message = `${setting}: cannot read ${file}: ${(cause as Error).message}`;
    const next = 'Name a file that the user who runs the server may read.';
    throw new OperatorError('tls-unreadable', message, next, { cause });
  }
}

function parsed<T>(setting: string, file: string, what: string, parse: () => T): T {
  try {
    return parse();
  } catch (cause) {
    const message = `${setting}: ${file} holds no ${what}: ${(cause as Error).message}`;
    throw new OperatorError('tls-malformed', message, 'Give PEM files: certificate chain and key.', {
      cause,
    });
  }
}
