/** What is asked by plain HTTP: manifest, mailbox address and checkpoint in front; health inside. */
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { Answer } from '../actors/openings-desk.js';
import {
  actorKey,
  type Checkpoint,
  checkpointOrigin,
  type ErrorCode,
  errorCode,
  FormatError,
  fromHex,
  manifestToJson,
  type OpenedItem,
  type PlacedAt,
  ROLE,
  type SignedManifest,
  toHex,
} from '../protocol/index.js';
import { checkpointNote, encodeProof } from '../protocol/notes/index.js';
import type { WitnessStatus } from './cosigning.js';
import type { Identity } from './founding.js';
import { type Kept, sendEpochs, sendHandOvers, sendLog } from './kept-request.js';
import { hasToken, openedItem } from './openings-request.js';
import { allowsOrigin } from './origins.js';
import { readIds } from './registration.js';

export interface FrontOptions {
  readonly identity: Identity;
  readonly placementOf: (id: Uint8Array) => PlacedAt;
  readonly checkpoint: () => Checkpoint;
  /** Notes, newest first. */
  readonly anchors: () => readonly string[];
  /** Consistency proof between two sizes of the log, packed. */
  readonly proof: (from: number, to: number) => Uint8Array;
  /** Whether the port speaks TLS. */
  readonly secure: boolean;
  /** ws:// or wss:// URL that clients are told; empty = made from the request's Host header. */
  readonly publicUrl: () => string;
  /** The setting `origins`. */
  readonly origins: () => string;
}

type Handler = (response: ServerResponse, request: IncomingMessage, argument: string) => void;

/** GET /v1/manifest, /v1/manifests/{version}, /v1/mailboxes/{id}, /v1/checkpoint, /v1/anchors, /v1/consistency/{from}/{to}. */
export function frontRequests(options: FrontOptions): RequestListener {
  const manifest = manifestJson(options.identity);
  const manifests = options.identity.manifests.map(signedJson);
  const answer = route([
    [/^\/v1\/manifest$/, (response) => sendJson(response, 200, manifest)],
    [/^\/v1\/manifests\/(.*)$/, (response, _, from) => sendManifests(response, from, manifests)],
    [/^\/v1\/checkpoint$/, (response) => sendNote(response, options)],
    [/^\/v1\/anchors$/, (response) => sendJson(response, 200, { anchors: options.anchors() })],
    [/^\/v1\/consistency\/(.*)$/, (response, _, sizes) => sendProof(response, sizes, options)],
    [/^\/v1\/mailboxes\/([^/]*)$/, (response, request, id) => sendMailbox(response, request, id, options)],
  ]);
  return (request, response) => {
    const { origin } = request.headers;
    const origins = options.origins();
    if (origins !== '') response.setHeader('vary', 'origin');
    if (!allowsOrigin(origins, origin)) return sendError(response, 403, 'origin-refused', REFUSED_ORIGIN);
    // GET without headers of its own needs no preflight.
    if (origin !== undefined)
      response.setHeader('access-control-allow-origin', origins === '' ? '*' : origin);
    answer(request, response);
  };
}

/** An upgrade that is refused, as the bytes of an HTTP response. */
export function refusedUpgrade(status: string, code: ErrorCode, message: string): string {
  const body = errorJson(code, message);
  const head = `HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Type: application/json\r\n`;
  return `${head}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
}

export const REFUSED_ORIGIN = 'pages of this origin may not use this server';

export interface InternalOptions {
  readonly ready: () => boolean;
  /** Gives ids (32 bytes, valid keys; at least one) mailboxes. */
  readonly register: (ids: readonly Uint8Array[]) => Promise<void>;
  /** Opens anything. */
  readonly open: (asked: OpenedItem) => Promise<Answer>;
  readonly witnesses: () => readonly WitnessStatus[];
  /** What auditors read. */
  readonly kept: Kept;
  /** The setting `operatorToken`. */
  readonly operatorToken: () => string;
}

/**
 * GET /healthz (the process answers), /readyz (it takes clients), /v1/openings (what stages have signed), /v1/log,
 * /v1/epochs and /v1/hand-overs (all that is kept, for audits), /v1/witnesses (how each fares); PUT /v1/mailboxes adds mailboxes.
 */
export function internalRequests(options: InternalOptions): RequestListener {
  const { ready, register, kept } = options;
  let streams = 0;
  const operators = (answer: (request: IncomingMessage, response: ServerResponse) => unknown): Handler => {
    return (response, request) => void answerOperator(request, response, options, answer);
  };
  const streaming = (send: typeof sendEpochs) =>
    operators(async ({ url }, response) => {
      if (streams >= MOST_STREAMS) return sendError(response, 503, 'busy', 'another audit reads');
      streams++;
      await send(url!, response, kept).finally(() => streams--);
    });
  const reads = route([
    [/^\/healthz$/, (response) => sendJson(response, 200, { healthy: true })],
    [/^\/readyz$/, (response) => sendJson(response, ready() ? 200 : 503, { ready: ready() })],
    [/^\/v1\/witnesses$/, (response) => sendJson(response, 200, { witnesses: options.witnesses() })],
    [/^\/v1\/openings$/, operators((request, response) => sendOpening(response, request, options))],
    [/^\/v1\/log$/, operators(({ url }, response) => sendLog(url!, response, kept))],
    [/^\/v1\/epochs$/, streaming(sendEpochs)],
    [/^\/v1\/hand-overs$/, streaming(sendHandOvers)],
  ]);
  return (request, response) => {
    const mailboxes = /^\/v1\/mailboxes(?:\/([^/?]*))?$/.exec(request.url ?? '');
    if (request.method !== 'PUT' || !mailboxes) return reads(request, response);
    addMailboxes(request, response, mailboxes[1], register);
  };
}

/** One id in the path, or many in the body. */
async function addMailboxes(
  request: IncomingMessage,
  response: ServerResponse,
  one: string | undefined,
  register: InternalOptions['register'],
): Promise<void> {
  try {
    const ids = await readIds(one ?? request);
    await register(ids);
    sendJson(response, 200, one === undefined ? { mailboxes: ids.length } : { mailbox: one });
  } catch (error) {
    // What is left of a body that is too long is not waited for.
    response.shouldKeepAlive = false;
    sendError(response, 400, 'bad-request', (error as Error).message);
  }
}

/** An audit reads one stream, and looks into other epochs meanwhile. */
const MOST_STREAMS = 2;

const STATUS: { readonly [Code in ErrorCode]?: number } = {
  busy: 503,
  'opening-expired': 410,
  'opening-unknown': 404,
};

async function sendOpening(
  response: ServerResponse,
  { url }: IncomingMessage,
  { open }: InternalOptions,
): Promise<void> {
  const { error, retryAfterMs, claims, submissions, text } = await open(openedItem(url!));
  if (retryAfterMs > 0) response.setHeader('retry-after', Math.ceil(retryAfterMs / 1000));
  const code = errorCode(error);
  if (code) return sendError(response, STATUS[code] ?? 400, code, text);
  const inBase64 = (all: readonly Uint8Array[]) => all.map((each) => Buffer.from(each).toString('base64'));
  sendJson(response, 200, { claims: inBase64(claims), submissions: inBase64(submissions) });
}

/** Who has the operator's token is answered. */
async function answerOperator(
  request: IncomingMessage,
  response: ServerResponse,
  { operatorToken }: InternalOptions,
  answer: (request: IncomingMessage, response: ServerResponse) => unknown,
): Promise<void> {
  try {
    if (!(await hasToken(request, operatorToken())))
      return sendError(response, 401, 'not-a-party', "the operator's token is needed: operatorToken");
    await answer(request, response);
  } catch (error) {
    // Of a stream that has begun only the end can say that it is not whole.
    if (response.headersSent) response.destroy();
    else sendError(response, 400, 'bad-request', (error as Error).message);
  }
}

function route(routes: readonly (readonly [RegExp, Handler])[]): RequestListener {
  return (request, response) => {
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      return sendError(response, 405, 'bad-request', `${request.method} is not known here, only GET`);
    }
    const path = (request.url ?? '').split('?', 1)[0]!;
    for (const [pattern, handler] of routes) {
      const match = pattern.exec(path);
      if (match) return handler(response, request, match[1] ?? '');
    }
    sendError(response, 404, 'not-found', `nothing at ${path.slice(0, 200)}`);
  };
}

/** All versions from one on; none from the one behind the newest. */
function sendManifests(response: ServerResponse, from: string, manifests: readonly object[]): void {
  const version = /^[1-9]\d{0,9}$/.test(from) ? Number(from) : 0;
  if (version === 0) return sendError(response, 400, 'bad-request', 'expected a version, 1 or more');
  sendJson(response, 200, { manifests: manifests.slice(version - 1) });
}

const signedJson = ({ bytes, signature }: SignedManifest) => ({
  manifest: Buffer.from(bytes).toString('base64'),
  signature: Buffer.from(signature).toString('base64'),
});

function manifestJson({ serverId, manifest, manifests }: Identity): object {
  return {
    serverId: toHex(serverId),
    version: manifest.version,
    content: manifestToJson(manifest),
    ...signedJson(manifests.at(-1)!),
    rootKey: toHex(manifest.rootKey),
    checkpointOrigin: checkpointOrigin(serverId),
    checkpointKey: toHex(actorKey(manifest, ROLE.sequencer, 0)),
  };
}

function sendNote(response: ServerResponse, { identity, checkpoint }: FrontOptions): void {
  const note = checkpointNote(
    identity.serverId,
    checkpoint(),
    actorKey(identity.manifest, ROLE.sequencer, 0),
  );
  send(response, 200, 'text/plain; charset=utf-8', note);
}

function sendProof(response: ServerResponse, sizes: string, { checkpoint, proof }: FrontOptions): void {
  const [from, to] = /^[1-9]\d{0,15}\/[1-9]\d{0,15}$/.test(sizes) ? sizes.split('/').map(Number) : [];
  if (from === undefined || to === undefined || from > to)
    return sendError(
      response,
      400,
      'bad-request',
      'expected two sizes of the log, 1 or more, the smaller one first',
    );
  if (to > checkpoint().size) return sendError(response, 404, 'not-found', `the log has no ${to} leaves yet`);
  send(response, 200, 'text/plain; charset=utf-8', encodeProof(proof(from, to)));
}

function sendMailbox(
  response: ServerResponse,
  { headers }: IncomingMessage,
  hex: string,
  options: FrontOptions,
): void {
  try {
    const { outbox } = options.placementOf(fromHex(hex, 32));
    const base = options.publicUrl() || `${options.secure ? 'wss' : 'ws'}://${headers.host ?? 'localhost'}`;
    sendJson(response, 200, {
      mailbox: hex,
      outbox,
      url: `${base.replace(/\/$/, '')}/v1/outboxes/${outbox}`,
    });
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    sendError(response, 400, 'bad-request', `mailbox: ${error.message}`);
  }
}

function sendError(response: ServerResponse, status: number, code: ErrorCode, message: string): void {
  send(response, status, 'application/json', errorJson(code, message));
}

function errorJson(code: ErrorCode, message: string): string {
  return `${JSON.stringify({ error: { code, message } })}\n`;
}

function sendJson(response: ServerResponse, status: number, body: object): void {
  send(response, status, 'application/json', `${JSON.stringify(body)}\n`);
}

function send(response: ServerResponse, status: number, type: string, body: string): void {
  response.writeHead(status, {
    'content-type': type,
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    // A client asks once or twice: a connection kept open would only count against others.
    connection: 'close',
  });
  response.end(body);
}
