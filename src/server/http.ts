/** What is asked by plain HTTP: manifest, mailbox address and checkpoint in front; health inside. */
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { importPublicKey } from '#crypto';
import {
  actorKey,
  type Checkpoint,
  checkpointNote,
  checkpointOrigin,
  FormatError,
  fromHex,
  manifestToJson,
  type PlacedAt,
  ROLE,
  toHex,
} from '../protocol/index.js';
import type { Identity } from './founding.js';

export interface FrontOptions {
  readonly identity: Identity;
  readonly placementOf: (id: Uint8Array) => PlacedAt;
  readonly checkpoint: () => Checkpoint;
  /** ws:// or wss:// URL that clients are told; empty = made from the request's Host header. */
  readonly publicUrl: string;
}

type Handler = (response: ServerResponse, request: IncomingMessage, argument: string) => void;

/** GET /v1/manifest, /v1/mailboxes/{id}, /v1/checkpoint. */
export function frontRequests(options: FrontOptions): RequestListener {
  const manifest = manifestJson(options.identity);
  return route([
    [/^\/v1\/manifest$/, (response) => sendJson(response, 200, manifest)],
    [/^\/v1\/checkpoint$/, (response) => sendNote(response, options)],
    [/^\/v1\/mailboxes\/([^/]*)$/, (response, request, id) => sendMailbox(response, request, id, options)],
  ]);
}

export interface InternalOptions {
  readonly ready: () => boolean;
  /** Gives an id (32 bytes, a valid key) a mailbox. */
  readonly register: (id: Uint8Array) => Promise<void>;
}

/** GET /healthz (the process answers), /readyz (it takes clients); PUT /v1/mailboxes/{id} adds a mailbox. */
export function internalRequests({ ready, register }: InternalOptions): RequestListener {
  const reads = route([
    [/^\/healthz$/, (response) => sendJson(response, 200, { healthy: true })],
    [/^\/readyz$/, (response) => sendJson(response, ready() ? 200 : 503, { ready: ready() })],
  ]);
  return (request, response) => {
    const id = /^\/v1\/mailboxes\/([^/?]*)$/.exec(request.url ?? '')?.[1];
    if (request.method !== 'PUT' || id === undefined) return reads(request, response);
    addMailbox(response, id, register);
  };
}

function addMailbox(response: ServerResponse, hex: string, register: InternalOptions['register']): void {
  try {
    const id = importPublicKey(fromHex(hex, 32)).bytes;
    register(id).then(
      () => sendJson(response, 200, { mailbox: hex }),
      () => sendError(response, 503, 'restarting', 'the server is stopping'),
    );
  } catch (error) {
    sendError(response, 400, 'bad-request', `mailbox: ${(error as Error).message}`);
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

function manifestJson({ serverId, manifest, manifestBytes, manifestSignature }: Identity): object {
  return {
    serverId: toHex(serverId),
    version: manifest.version,
    content: manifestToJson(manifest),
    manifest: Buffer.from(manifestBytes).toString('base64'),
    signature: Buffer.from(manifestSignature).toString('base64'),
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

function sendMailbox(
  response: ServerResponse,
  { headers }: IncomingMessage,
  hex: string,
  options: FrontOptions,
): void {
  try {
    const { outbox } = options.placementOf(fromHex(hex, 32));
    const base = options.publicUrl || `ws://${headers.host ?? 'localhost'}`;
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

function sendError(response: ServerResponse, status: number, code: string, message: string): void {
  sendJson(response, status, { error: { code, message } });
}

function sendJson(response: ServerResponse, status: number, body: object): void {
  send(response, status, 'application/json', `${JSON.stringify(body)}\n`);
}

function send(response: ServerResponse, status: number, type: string, body: string): void {
  response.writeHead(status, {
    'content-type': type,
    'content-length': Buffer.byteLength(body),
    'access-control-allow-origin': '*',
    'cache-control': 'no-store',
  });
  response.end(body);
}
