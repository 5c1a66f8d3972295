/** Audits over the network of a server that sends what it likes: what it cannot send is refused, and nothing is waited for or kept without end. */
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { StoreSource } from '../src/actors/kept-source.js';
import { Placements } from '../src/actors/placements.js';
import { NetworkSource } from '../src/cli/audit/network.js';
import { audit } from '../src/protocol/audit/index.js';
import {
  LEAVES_PER_ANSWER,
  PART,
  type Part,
  PartReader,
  putLogRecord,
  putPart,
} from '../src/protocol/audit/kept-parts.js';
import { AuditedLog } from '../src/protocol/audit/log.js';
import { AuditWorld } from '../src/protocol/audit/world.js';
import {
  actorKey,
  CountersignError,
  checkpointText,
  HAND_OVER_BYTES,
  HANDED_BYTES,
  openManifests,
  ROLE,
  Writer,
} from '../src/protocol/index.js';
import { checkpointNote } from '../src/protocol/notes/index.js';
import { sendEpochs, sendHandOvers, sendLog } from '../src/server/kept-request.js';
import { directory } from './client-helpers.js';
import { lines } from './support/audits.js';
import { commandHere } from './support/program.js';
import { type Plan, SideBySide } from './support/side-by-side.js';
import * as twin from './twin/index.js';
import { keyPair } from './worlds.js';

const test = suite('audit of a server that sends what it likes');

const PLAN: Plan = {
  inboxes: 1,
  outboxes: 1,
  mailboxes: 3,
  moved: [],
  epochs: [0, 1].map((sender) => ({
    frames: [{ sender, bundles: [{ recipients: [1, 2], body: 9, envelope: 5 }] }],
    early: 0,
    asked: [0],
    acks: [],
  })),
};

/** Answers in the place of the server; false where it does. */
type Instead = (path: string, response: ServerResponse) => boolean;

const side = new SideBySide(PLAN, { checkInputs: false, flushEpochs: 1 });
side.run(PLAN, { kind: 'nothing', reuse: false, forget: false });
const { pipeline, world } = side;
const { serverId, manifest } = pipeline.cluster;
const bytes = twin.manifestBytes(world.manifest);
const manifests = [{ bytes, signature: twin.sign(world.rootSecret, twin.manifestSigned(bytes)) }];
const placements = new Placements(serverId, openManifests(manifests));
const kept = { reader: pipeline.store, placements, checkpoint: () => pipeline.checkpoint() };

const manifestsText = (all: typeof manifests) =>
  JSON.stringify({
    manifests: all.map(({ bytes, signature }) => ({
      manifest: bytes.toString('base64'),
      signature: signature.toString('base64'),
    })),
  });

let instead: Instead = () => false;
const server = createServer((request, response) => {
  const url = request.url!;
  if (instead(url, response)) return;
  if (url === '/v1/manifests/1') response.end(manifestsText(manifests));
  else if (url === '/v1/checkpoint')
    response.end(checkpointNote(serverId, pipeline.checkpoint(), actorKey(manifest, ROLE.sequencer, 0)));
  else if (url.startsWith('/v1/log')) sendLog(url, response, kept);
  else if (url.startsWith('/v1/epochs')) void sendEpochs(url, response, kept);
  else void sendHandOvers(url, response, kept);
}).listen(0, '127.0.0.1');
await once(server, 'listening');
const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
const at = { http: url, internal: url, token: '00' };

/** What an audit reads of it, and of hand-overs, which it reads where ids have been moved. */
async function read(answers: Instead, patienceMs = 30_000) {
  instead = answers;
  const source = await NetworkSource.open({ ...at, patienceMs });
  const report = await audit(source);
  const handOvers = [];
  for await (const handOver of source.handOvers()) handOvers.push(handOver);
  return { report, handOvers };
}

async function refusal(answers: Instead, patienceMs?: number): Promise<string> {
  const error = await read(answers, patienceMs).then(
    () => null,
    (error: unknown) => error as CountersignError,
  );
  assert.instance(error, CountersignError);
  return `${error!.code}: ${error!.message}`;
}

/** Parts in the place of the answers at a path. */
const parts =
  (path: string, put: (out: Writer, url: URL) => void): Instead =>
  (asked, response) => {
    if (!asked.startsWith(path)) return false;
    const out = new Writer(1 << 16);
    put(out, new URL(asked, url));
    response.end(out.done());
    return true;
  };
const next = (out: Writer, number: number) => putPart(out, PART.next, 0, new Writer(8).u64(number).done());
const handOver = (out: Writer, version: number, from: number) => {
  const head = new Writer(6).u8(version).u8(ROLE.inbox).u16(from).u16(0).done();
  putPart(out, PART.handOver, 0, head, new Uint8Array(HAND_OVER_BYTES + 128));
  putPart(out, PART.end, 0, Uint8Array.of(1));
};
const epoch = (out: Writer, number: number) => {
  putPart(out, PART.epoch, 0, new Writer(16).u64(number).u64(0).done());
  putPart(out, PART.end, 0, Uint8Array.of(1));
};

test('one that sends what it keeps is audited as its store is', async () => {
  const { report, handOvers } = await read(() => false);
  assert.equal(lines(report), []);
  assert.equal(handOvers, []);
  assert.is(report.messages, (await audit(new StoreSource(kept, manifests))).messages);
  assert.is(report.messages, 2);
});

test('one that stops inside of an answer is waited for no longer than for one that does not begin', async () => {
  for (const path of ['/v1/manifests', '/v1/checkpoint', '/v1/log', '/v1/epochs', '/v1/hand-overs']) {
    const answer: Instead = (asked, response) => {
      if (!asked.startsWith(path)) return false;
      response.writeHead(200);
      return response.write('x');
    };
    assert.is(await refusal(answer, 300), 'connection-lost: no answer: nothing for 300 ms', path);
  }
  const begun: Instead = (asked, response) => {
    if (asked.startsWith('/v1/log')) response.flushHeaders();
    return asked.startsWith('/v1/log');
  };
  assert.is(await refusal(begun, 300), 'connection-lost: no answer: nothing for 300 ms');
  const late: Instead = (asked) => asked.startsWith('/v1/log');
  assert.is(await refusal(late, 300), 'connection-lost: no answer: nothing for 300 ms');
});

test('one that is slow, and goes on, is waited for', async () => {
  const slow: Instead = (asked, response) => {
    if (!asked.startsWith('/v1/hand-overs')) return false;
    const out = new Writer(64);
    next(out, 0);
    const all = [...out.done()];
    const timer = setInterval(() => {
      response.write(Uint8Array.of(all.shift()!));
      if (all.length > 0) return;
      clearInterval(timer);
      response.end();
    }, 100);
    return true;
  };
  assert.equal((await read(slow, 1000)).handOvers, []);
});

test('a part is as long as its kind can be at the most, and no longer', async () => {
  const { recipients } = manifest.policy;
  const most: [number, number][] = [
    [PART.epoch, 16],
    [PART.attestation, 26 + 181 + 40 + 64],
    [PART.pages, 16 * (9 + 64 * 78)],
    [PART.senders, 256 * 44],
    [PART.leaf, 32 + 103 + 64 * 38],
    [PART.message, 8 + 65_535 + recipients * 80],
    [PART.unreadable, 601],
    [PART.end, 1],
    [PART.next, 8],
    [PART.submissions, 65_536 + 72 + 65_535 * 32],
    [PART.handOver, 6 + 209 + 128],
    [PART.handed, 64 * HANDED_BYTES[ROLE.outbox]],
  ];
  assert.equal(most.map(([kind]) => kind).sort(), Object.values(PART).sort());
  for (const path of ['/v1/epochs', '/v1/hand-overs'])
    for (const [kind, length] of most) {
      const sent = (more: number) =>
        refusal(parts(path, (out) => putPart(out, kind, 0, new Uint8Array(length + more))));
      const wrong = 'verification-failed: what the server sends is wrong: ';
      const text = `${wrong}a part of kind ${kind} of ${length + 1} bytes, at most ${length}`;
      assert.is(await sent(1), text);
      const isNext = kind === PART.next;
      if (!isNext) assert.not.match(await sent(0), 'at most');
    }
  assert.match(
    await refusal(parts('/v1/hand-overs', (out) => putPart(out, 13, 0))),
    'a part of kind 13, which is none',
  );
});

test('the numbers to ask from rise, and end', async () => {
  const cases: [string, (asked: number) => number][] = [
    ['/v1/hand-overs', (asked) => asked || 1],
    ['/v1/hand-overs', (asked) => (asked === 0 ? 7 : 6)],
    ['/v1/hand-overs', (asked) => asked + 500],
    ['/v1/epochs', () => 1],
    ['/v1/epochs', (asked) => asked + 1],
  ];
  for (const [path, follows] of cases) {
    let answers = 0;
    const answer = parts(path, (out, { searchParams }) => {
      answers++;
      // Also who follows them for ever comes to an end.
      const number = answers > 9 ? 0 : follows(Number(searchParams.get('from')));
      next(out, number);
    });
    assert.match(
      await refusal(answer),
      /^verification-failed: what the server sends is wrong: \d+ as the next/,
    );
    assert.ok(answers <= 4, `${answers} answers`);
  }
});

test('hand-overs and epochs come in order, and are no more than there can be', async () => {
  const cases: [string, (out: Writer) => void, RegExp][] = [
    [
      '/v1/hand-overs',
      (out) => {
        for (let from = 0; from < 1001; from++) handOver(out, 1, from);
      },
      /more than 1000 hand-overs, of 0 that there are/,
    ],
    [
      '/v1/hand-overs',
      (out) => {
        for (const from of [1, 1]) handOver(out, 1, from);
      },
      /hand-overs out of order/,
    ],
    [
      '/v1/epochs',
      (out) => {
        for (const number of [1, 1]) epoch(out, number);
      },
      /epoch 1 behind epoch 1/,
    ],
    ['/v1/epochs', (out) => epoch(out, 1 << 20), /epoch 1048576 behind epoch 0/],
    [
      '/v1/epochs',
      (out) => {
        for (let i = 0; i < 1025; i++) {
          putPart(out, PART.epoch, 0, new Writer(16).u64(1).u64(0).done());
          putPart(out, PART.end, 0, Uint8Array.of(0));
        }
      },
      /more than 1024 epochs or hand-overs in an answer/,
    ],
    [
      '/v1/hand-overs',
      (out) => {
        next(out, 0);
        handOver(out, 1, 0);
      },
      /part 11 behind the end of an answer/,
    ],
  ];
  for (const [path, put, text] of cases) {
    const told = await refusal(
      parts(path, (out) => {
        put(out);
        next(out, 0);
      }),
    );
    assert.match(told, /^verification-failed: what the server sends is wrong: /);
    assert.match(told, text);
  }
});

test('an answer of the log has no more than 4,096 leaves, and no answer has more bytes than it can', async () => {
  const leaves = parts('/v1/log', (out) => {
    for (let i = 0; i <= LEAVES_PER_ANSWER; i++) putLogRecord(out, { leaf: new Uint8Array(163), nodes: [] });
  });
  assert.match(await refusal(leaves), /wrong: an answer of more than 4096 leaves$/);
  for (const path of ['/v1/log', '/v1/checkpoint', '/v1/manifests']) {
    let sent = 0;
    const flood: Instead = (asked, response) => {
      if (!asked.startsWith(path)) return false;
      const chunk = Buffer.alloc(1 << 20, 255);
      const go = () => {
        do sent++;
        while (!response.destroyed && response.write(chunk));
      };
      response.on('drain', go).on('error', () => {});
      go();
      return true;
    };
    assert.match(
      await refusal(flood),
      /^verification-failed: what the server sends is wrong: an answer of more than \d+ bytes$/,
    );
    assert.ok(sent < 128, `${sent} MiB of ${path}`);
  }
  assert.match(await refusal(parts('/v1/log', (out) => out.u8(0))), /^verification-failed: what the server/);
});

/** Another log under the same keys: its senders sent more. */
function otherLog() {
  const plan = {
    ...PLAN,
    epochs: PLAN.epochs.map((each) => ({
      ...each,
      frames: [{ sender: 0, bundles: [{ recipients: [1, 2], body: 11, envelope: 5 }] }],
    })),
  };
  const other = new SideBySide(plan, { checkInputs: false, flushEpochs: 1 });
  other.run(plan, { kind: 'nothing', reuse: false, forget: false });
  return { ...kept, reader: other.pipeline.store };
}

test('who shows another log beside its epochs than the one that is signed is told from who does not', async () => {
  const other = otherLog();
  for (const isShort of [false, true]) {
    let logs = 0;
    const two: Instead = (path, response) => {
      if (path.startsWith('/v1/epochs')) void sendEpochs(path, response, other);
      else if (!path.startsWith('/v1/log') || logs++ === 0) return false;
      else if (isShort) response.end();
      else sendLog(path, response, other);
      return true;
    };
    assert.match(
      await refusal(two),
      isShort ? /the log ends at leaf 0, and had 2$/ : /leaves 0 to 1 of the log are others than before$/,
    );
  }
});

test('nobody is sent elsewhere', async () => {
  const elsewhere: Instead = (path, response) => {
    if (path !== '/v1/log?from=0') return false;
    response.writeHead(302, { location: `${url}/v1/log?from=00` });
    return Boolean(response.end());
  };
  assert.match(await refusal(elsewhere), /^connection-lost: no answer: unexpected redirect/);
});

test('a part that holds any number of things has one', async () => {
  const head = (out: Writer) => putPart(out, PART.epoch, 0, new Writer(16).u64(1).u64(0).done());
  for (const kind of [PART.pages, PART.senders, PART.submissions]) {
    const empty = parts('/v1/epochs', (out) => {
      head(out);
      putPart(out, kind, 0);
    });
    assert.match(await refusal(empty), new RegExp(`wrong: an empty part ${kind}$`));
  }
  const handed = parts('/v1/hand-overs', (out) => putPart(out, PART.handed, 0));
  assert.match(await refusal(handed), /wrong: an empty part 12$/);
});

test('a part that comes a byte at a time costs no more than its bytes', () => {
  const whole = new Writer(1 << 20);
  putPart(whole, PART.epoch, 3, new Uint8Array(1 << 19).fill(7));
  putPart(whole, PART.end, 0, Uint8Array.of(1));
  const reader = new PartReader();
  const got: Part[] = [];
  // Chunk by chunk joined, this would copy 137 GB.
  for (const byte of whole.done()) got.push(...reader.push(Uint8Array.of(byte)));
  assert.equal(
    got.map(({ kind, actor, bytes }) => [kind, actor, bytes.length]),
    [
      [PART.epoch, 3, 1 << 19],
      [PART.end, 0, 1],
    ],
  );
});

const noteOf = (size: number, root: Uint8Array, secret: Buffer) => {
  const signature = twin.sign(secret, Buffer.from(checkpointText(serverId, size, root)));
  return checkpointNote(serverId, { size, root, signature }, actorKey(manifest, ROLE.sequencer, 0));
};
const signing =
  (note: string): Instead =>
  (path, response) =>
    path === '/v1/checkpoint' && Boolean(response.end(note));

test('a checkpoint that the sequencer has not signed is refused, before its log is read', async () => {
  const { size, root } = pipeline.checkpoint();
  const unsigned = signing(noteOf(size, root, world.rootSecret));
  assert.match(await refusal(unsigned), /wrong: a checkpoint that the sequencer has not signed$/);
});

test('of a log of garbage no more is read than is told', async () => {
  const size = 1_000_000;
  const note = signing(noteOf(size, new Uint8Array(32), world.sequencerSecret));
  let answers = 0;
  const garbage: Instead = (path, response) => {
    if (!path.startsWith('/v1/log')) return note(path, response);
    const out = new Writer(1 << 20);
    for (let i = 0; i < LEAVES_PER_ANSWER; i++) putLogRecord(out, { leaf: new Uint8Array(163), nodes: [] });
    response.end(out.done());
    answers++;
    return true;
  };
  const { report } = await read(garbage);
  assert.is(answers, 1);
  assert.ok(report.isCut);
  assert.is(report.findings.length, 2);
  assert.is(
    report.findings.reduce((sum, { more }) => sum + more + 1, 0),
    1000,
  );
});

test('the newest epoch by now is that of the same log, grown, which a sequencer has signed', async () => {
  instead = () => false;
  const source = await NetworkSource.open(at);
  const read = () =>
    AuditedLog.read(
      source,
      new AuditWorld(source.manifests),
      [],
      1,
      () => assert.unreachable(),
      () => {},
    );
  const log = await read();
  const before = log.newestEpoch;
  assert.is(await log.newest(), before);
  for (let i = 0; i < 3; i++) {
    pipeline.close();
    pipeline.commit();
    if (i < 2) assert.is(await log.newest(), before + 1 + i);
  }
  const { size } = pipeline.checkpoint();
  const leaf = parts('/v1/log', (out) => putLogRecord(out, { leaf: new Uint8Array(163), nodes: [] }));
  const lies: [Instead, RegExp][] = [
    [
      signing(noteOf(1e9, new Uint8Array(32), world.rootSecret)),
      /a checkpoint that the sequencer has not signed$/,
    ],
    [signing(noteOf(size, new Uint8Array(32), world.sequencerSecret)), /its log has not grown from the one/],
    [leaf, /its log has not grown from the one/],
  ];
  for (const [lie, text] of lies) {
    const again = await read();
    pipeline.close();
    pipeline.commit();
    instead = lie;
    const error = await again.newest().then(
      () => null,
      (error: unknown) => error as CountersignError,
    );
    assert.match(String(error?.message), text);
    instead = () => false;
  }
});

test('after a change of keys the newest checkpoint is that of the new sequencer', async () => {
  instead = () => false;
  const source = await NetworkSource.open(at);
  const { secret, id: key } = keyPair('next sequencer');
  const actors = world.manifest.actors.map((actor) =>
    actor.role === ROLE.sequencer ? { ...actor, lastEpoch: 90n } : actor,
  );
  const role = ROLE.sequencer;
  actors.push({ role, index: 0, key, firstEpoch: 91n, lastEpoch: 0n });
  const next = twin.manifestBytes({
    ...world.manifest,
    version: 2,
    previousHash: Buffer.from(serverId),
    actors,
  });
  const { size, root } = pipeline.checkpoint();
  const signature = twin.sign(secret, Buffer.from(checkpointText(serverId, size, root)));
  const note = checkpointNote(serverId, { size, root, signature }, key);
  const all = [
    ...manifests,
    { bytes: next, signature: twin.sign(world.rootSecret, twin.manifestSigned(next)) },
  ];
  instead = (path, response) => {
    if (path === '/v1/checkpoint') response.end(note);
    else if (path.startsWith('/v1/manifests')) response.end(manifestsText(all));
    else return false;
    return true;
  };
  assert.is((await source.later()).size, size);
  instead = (path, response) => path === '/v1/checkpoint' && Boolean(response.end(note));
  const error = await source.later().then(
    () => null,
    (error: unknown) => error as CountersignError,
  );
  assert.is(error?.code, 'verification-failed');
});

test('in the middle of an audit it is no other server', async () => {
  instead = () => false;
  const source = await NetworkSource.open(at);
  const bytes = twin.manifestBytes({ ...world.manifest, retentionEpochs: 7n });
  const id = twin.manifestHash(bytes);
  const { size, root } = pipeline.checkpoint();
  const signature = twin.sign(world.sequencerSecret, Buffer.from(checkpointText(id, size, root)));
  const note = checkpointNote(id, { size, root, signature }, actorKey(manifest, ROLE.sequencer, 0));
  const all = [{ bytes, signature: twin.sign(world.rootSecret, twin.manifestSigned(bytes)) }];
  instead = (path, response) => {
    if (path === '/v1/checkpoint') response.end(note);
    else if (path.startsWith('/v1/manifests')) response.end(manifestsText(all));
    else return false;
    return true;
  };
  const error = await source.later().then(
    () => null,
    (error: unknown) => error as CountersignError,
  );
  assert.match(String(error?.message), /other manifests than before$/);
});

test('words of the server are no codes, and steer no terminal', async () => {
  const file = join(directory('audit-network'), 'token');
  writeFileSync(file, `${'00'.repeat(32)}\n`, { mode: 0o600 });
  const args = ['audit', '--token', file, '--url', url, '--internal', url];
  for (const error of [
    { code: 'zzz', message: 'x' },
    5,
    { code: 'busy\u001b[2J' },
    { code: 7, message: {} },
  ]) {
    instead = (path, response) => {
      if (!path.startsWith('/v1/log')) return false;
      response.writeHead(500);
      return Boolean(response.end(JSON.stringify({ error })));
    };
    const { status, stderr } = await commandHere(args);
    assert.is(status, 2);
    assert.match(stderr, /^connection-lost: .*: 500\n/);
  }
  const text = new TextEncoder().encode('\u001b[2J\u009b8mNothing found.');
  instead = (path, response) => {
    if (path.startsWith('/v1/log')) {
      response.writeHead(500);
      return Boolean(response.end(JSON.stringify({ error: { code: 'not-found', message: '\u001b[2J' } })));
    }
    return false;
  };
  assert.match((await commandHere(args)).stderr, /^not-found: \\u001b\[2J\n/);
  instead = () => false;
  const sent = new Uint8Array(await (await fetch(`${url}/v1/epochs?from=1&to=9`)).arrayBuffer());
  instead = parts('/v1/epochs', (out) => {
    for (const { kind, actor, bytes } of new PartReader().push(sent)) {
      if (kind !== PART.pages) putPart(out, kind, actor, bytes);
      else putPart(out, PART.unreadable, actor, Uint8Array.of(ROLE.inbox), text);
    }
  });
  const { stdout } = await commandHere(args);
  assert.match(stdout, '\\u001b[2J\\u009b8mNothing found.');
  assert.not.match(stdout, '\u001b');
});

test('the command says so, with the exit status of what could not be audited', async () => {
  let answers = 0;
  instead = parts('/v1/epochs', (out) => next(out, answers++ > 9 ? 0 : 1));
  const file = join(directory('audit-network'), 'token');
  writeFileSync(file, `${'00'.repeat(32)}\n`, { mode: 0o600 });
  const args = ['audit', '--token', file, '--url', url, '--internal', url, '--json'];
  const { status, stdout, stderr } = await commandHere(args);
  assert.is(status, 2, stderr);
  const { error } = JSON.parse(stdout || stderr);
  assert.is(error.code, 'verification-failed');
  assert.match(error.message, /^what the server sends is wrong: 1 as the next one behind 1/);
  assert.ok(error.next.length > 0);
});

test.after(() => {
  server.closeAllConnections();
  server.close();
});

test.run();
