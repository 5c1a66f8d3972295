/**
 * The one table of settings: default, unit, range and meaning of each. Everything else about
 * configuration (type, flags, environment names, help, validation) is derived from it.
 */
import * as v from 'valibot';
import { FormatError } from '../protocol/index.js';
import { isOrigin } from './origins.js';
import { witnessesIn } from './witness-list.js';

/** One setting. `expected` completes the sentence "expected …". */
export class Setting<T> {
  constructor(
    readonly fallback: T,
    readonly unit: string,
    readonly about: string,
    readonly expected: string,
    readonly schema: v.GenericSchema<unknown, T>,
    /** Turns the text of a flag or variable into what the schema wants; leaves what it cannot read. */
    readonly fromText: (text: string) => unknown = (text) => text,
    /** Whether SIGHUP applies it to a server that is running. */
    readonly live = false,
  ) {}
}

/** The values that a table of settings describes. */
export type Values<Table> = {
  readonly [Key in keyof Table]: Table[Key] extends Setting<infer T> ? T : Values<Table[Key]>;
};

export type Config = Values<ReturnType<typeof settingsFor>>;

// Counts that travel as u16 or u32, and byte sizes that must fit one buffer.
const U16 = 0xffff;
const U32 = 0xffff_ffff;
const GIB = 2 ** 30;
/** Placement has 4,096 buckets: a further inbox or outbox could never be given one. */
const BUCKETS = 4096;
/** The longest delay that a timer takes; longer ones fire at once. */
const TIMER = 2 ** 31 - 1;

/** No client is sent away for longer. */
const MOST_AWAY = 600_000;

/**
 * How many threads, inboxes and outboxes suit a machine of `cores` cores. Up to two cores a second
 * thread only adds hand-overs; beyond, one core is left to the sockets.
 */
export function defaultPlacement(cores: number): { threads: number; inboxes: number; outboxes: number } {
  if (cores <= 2) return { threads: 1, inboxes: 1, outboxes: 1 };
  const threads = Math.min(cores - 1, 8);
  const each = Math.max(1, Math.floor(threads / 2));
  return { threads, inboxes: each, outboxes: each };
}

/** All settings with their defaults on a machine of `cores` cores. */
export function settingsFor(cores: number) {
  const placement = defaultPlacement(cores);
  return {
    data: text('./data', 'directory', 'where keys, log and mailboxes live'),
    host: text('127.0.0.1', 'address', 'the address that clients reach'),
    port: integer(7700, 0, U16, 'port', 'for clients; 0 takes any free one'),
    internalPort: integer(7701, 0, U16, 'port', 'health and administration, always on loopback'),
    operatorToken: live(
      keyFile('whose token opens what stages signed, and audits, on the internal port; empty: none'),
    ),
    publicUrl: live(
      webSocketUrl('', 'what clients are told to connect to; empty: as their Host header says'),
    ),
    origins: live(originList('', 'web pages that browsers may use the server from; empty: any')),
    tls: {
      certificate: live(file('certificate chain of the clients\u2019 port, with its key; empty: no TLS')),
      key: live(file('private key of the certificate')),
    },
    inboxes: integer(placement.inboxes, 1, BUCKETS, 'actors', 'inboxes, each with its router'),
    outboxes: integer(placement.outboxes, 1, BUCKETS, 'actors', 'outboxes, each with its receiver'),
    threads: integer(placement.threads, 1, 256, 'threads', 'worker threads that host the actors'),
    checks: choice(
      'process-boundaries',
      ['process-boundaries', 'everywhere'],
      'where actors recheck each other',
    ),
    submissions: choice('required', ['off', 'accepted', 'required'], 'whether senders sign what they submit'),
    epoch: {
      minIntervalMs: integer(1, 0, TIMER, 'ms', 'shortest time from one close to the next'),
      heartbeatMs: integer(1000, 1, TIMER, 'ms', 'an idle server closes an empty epoch this often'),
    },
    mailboxes: live(
      choice('open', ['open', 'registered'], 'who may have one: any valid session, or keys you add'),
    ),
    witnesses: {
      services: live(
        witnessList('that cosign anchors: verifier key and address of each, in turns; empty: none'),
      ),
      timeoutMs: live(integer(10_000, 1, TIMER, 'ms', 'that a witness may take to answer')),
      retryMs: live(
        integer(1000, 1, MOST_AWAY, 'ms', 'after a failure; doubled by each further one, 64 times at most'),
      ),
    },
    shutdown: {
      drainMs: live(integer(30_000, 0, TIMER, 'ms', 'most time to finish what was taken in')),
      socketsPerSecond: live(integer(1000, 1, 1_000_000, 'sockets', 'closed in a second, and back in one')),
      closeMs: live(integer(5000, 0, MOST_AWAY, 'ms', 'most time over which sockets are closed')),
      returnMs: live(integer(30_000, 0, MOST_AWAY, 'ms', 'most time over which clients come back')),
    },
    limits: limits(),
  };
}

function limits() {
  return {
    messagesPerEpoch: integer(65_536, 1, U32, 'messages', 'per inbox; beyond, sockets are paused'),
    bytesPerEpoch: integer(33_554_432, 1024, GIB, 'bytes', 'per inbox; beyond, sockets are paused'),
    entriesPerEpoch: integer(
      262_144,
      1,
      U32,
      'entries',
      'for mailboxes, per inbox; beyond, sockets are paused',
    ),
    recipients: integer(1024, 1, U16, 'mailboxes', 'per bundle'),
    bodyBytes: integer(262_144, 0, GIB, 'bytes', 'body of one bundle'),
    envelopeBytes: integer(4096, 0, GIB, 'bytes', 'envelope of one recipient'),
    bundlesPerFrame: integer(1024, 1, U16, 'bundles', 'per submit frame'),
    frameBytes: live(integer(4_194_304, 1024, GIB, 'bytes', 'one WebSocket message')),
    countersKept: integer(4096, 1, U16, 'counters', 'per sender, to tell duplicates; also most in flight'),
    retentionEpochs: integer(100_000, 2000, U32, 'epochs', 'how long stages can be opened'),
    unacknowledgedEpochs: integer(
      100_000,
      1,
      2 ** 31,
      'epochs',
      'with mail for one mailbox, kept until it acknowledges',
    ),
    unacknowledgedBytes: integer(
      GIB,
      1024,
      Number.MAX_SAFE_INTEGER,
      'bytes',
      'of mail for one mailbox, kept until it acknowledges',
    ),
    sockets: live(integer(20_000, 1, 1_000_000, 'sockets', 'open at once')),
    mailboxesPerSocket: live(integer(4096, 1, U16, 'mailboxes', 'opened on one socket')),
    handshakeMs: live(integer(10_000, 1, TIMER, 'ms', 'from connection to first session')),
    bytesInFlight: integer(4_194_304, 1024, GIB, 'bytes', 'sent to one socket and not yet taken'),
    bytesInFlightInAll: integer(
      268_435_456,
      1024,
      U32,
      'bytes',
      'sent to all sockets and not yet taken; beyond, each has an equal share of it',
    ),
    silenceMs: live(integer(60_000, 100, TIMER, 'ms', 'without a word from a peer, until it is cut off')),
    openingsPerMinute: live(integer(60, 0, 1_000_000, 'openings', 'of stages, that a key may ask for')),
    busyAfterMs: live(integer(2000, 0, TIMER, 'ms', 'that a frame waits for room in an epoch')),
    busyRetryMs: live(integer(1000, 1, MOST_AWAY, 'ms', 'after which it may be sent again')),
  };
}

function live<T>(setting: Setting<T>): Setting<T> {
  const { fallback, unit, about, expected, schema, fromText } = setting;
  return new Setting(fallback, unit, about, expected, schema, fromText, true);
}

function integer(fallback: number, min: number, max: number, unit: string, about: string): Setting<number> {
  const schema = v.pipe(v.number(), v.integer(), v.minValue(min), v.maxValue(max));
  const fromText = (text: string) => (/^-?\d{1,15}$/.test(text) ? Number(text) : text);
  return new Setting(fallback, unit, about, `an integer from ${min} to ${max}`, schema, fromText);
}

function text(fallback: string, unit: string, about: string): Setting<string> {
  return new Setting(fallback, unit, about, 'a text that is not empty', v.pipe(v.string(), v.nonEmpty()));
}

function file(about: string): Setting<string> {
  return new Setting('', 'PEM file', about, 'a path, or nothing', v.string());
}

function keyFile(about: string): Setting<string> {
  return new Setting('', 'key file', about, 'a path, or nothing', v.string());
}

function choice<const T extends string>(
  fallback: NoInfer<T>,
  options: readonly T[],
  about: string,
): Setting<T> {
  return new Setting<T>(fallback, 'word', about, `one of ${options.join(', ')}`, v.picklist(options));
}

function webSocketUrl(fallback: string, about: string): Setting<string> {
  const schema = v.pipe(
    v.string(),
    v.check((url) => url === '' || isWebSocketUrl(url)),
  );
  return new Setting(fallback, 'URL', about, 'a ws:// or wss:// URL with no query, or nothing', schema);
}

function originList(fallback: string, about: string): Setting<string> {
  const schema = v.pipe(
    v.string(),
    v.check((list) => list === '' || list.split(' ').every(isOrigin)),
  );
  const expected = 'origins such as https://chat.example with one space between, or nothing';
  return new Setting(fallback, 'origins', about, expected, schema);
}

function witnessList(about: string): Setting<string> {
  const schema = v.pipe(
    v.string(),
    v.check((list) => isWitnessList(list)),
  );
  const expected = 'KEY URL KEY URL … with one space between, each witness once and 16 at most, or nothing';
  return new Setting('', 'witnesses', about, expected, schema);
}

function isWitnessList(text: string): boolean {
  try {
    witnessesIn(text);
    return true;
  } catch (error) {
    if (error instanceof FormatError) return false;
    throw error;
  }
}

function isWebSocketUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, username, search, hash } = new URL(text);
  return (protocol === 'ws:' || protocol === 'wss:') && username + search + hash === '';
}
