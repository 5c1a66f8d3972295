/** A server with TLS, and what it answers over HTTP. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { request as requestTls } from 'node:https';
import { fileURLToPath } from 'node:url';

export const pem = (name: string) =>
  fileURLToPath(new URL(`../../../test/certificates/${name}`, import.meta.url));
export const CA = ['localhost.crt', 'renewed.crt'].map((name) => readFileSync(pem(name)));
export const TLS = { 'tls-certificate': pem('localhost.crt'), 'tls-key': pem('localhost.key') };

export async function get(url: string, origin?: string) {
  const headers = origin === undefined ? {} : { origin };
  const asked = (url.startsWith('https') ? requestTls : request)(url, { headers, ca: CA }).end();
  const [response] = await once(asked, 'response');
  let body = '';
  for await (const chunk of response) body += chunk;
  const allowed = response.headers['access-control-allow-origin'];
  return { status: response.statusCode as number, allowed, vary: response.headers.vary, body };
}
