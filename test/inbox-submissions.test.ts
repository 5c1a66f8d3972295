/** Signed submit frames at an inbox: what is verified, kept in order, taken in as a whole and kept as proof. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { StoreSource } from '../src/actors/kept-source.js';
import { address, type Refusal, RUN } from '../src/actors/messages.js';
import { open } from '../src/actors/openings.js';
import { Placements } from '../src/actors/placements.js';
import { epochKey, TABLE } from '../src/actors/store-keys.js';
import { findSubmission } from '../src/actors/submission-proofs.js';
import { audit, type KeptEpoch } from '../src/protocol/audit/index.js';
import type { Prover } from '../src/protocol/audit/prover.js';
import { auditSubmissions } from '../src/protocol/audit/submissions.js';
import type { EpochView, Senders } from '../src/protocol/audit/view.js';
import { submittedBy } from '../src/protocol/evidence/index.js';
import {
  concat,
  decodeSubmission,
  getU32,
  getU64,
  ROLE,
  SESSION_KIND,
  SUBMISSIONS,
} from '../src/protocol/index.js';
import {
  INBOX_ROW_BYTES,
  pagesBytes,
  rowAt,
  submissionBytes,
  submissionHash,
} from '../src/protocol/pages.js';
import { formatPlace } from '../src/protocol/place.js';
import { lines } from './support/audits.js';
import { Pipeline } from './support/pipeline.js';
import { clusterOf } from './support/side-by-side.js';
import * as twin from './twin/index.js';
import { named, type Shape, worldOf } from './worlds.js';

const SHAPE: Shape = { inboxes: 1, outboxes: 1, mailboxes: 2, bundles: [], asked: [], moved: [] };

/** An inbox whose signatures are answered when the test says so. */
class SignedInbox {
  readonly pipeline: Pipeline;
  readonly serverId: Uint8Array;
  private readonly world = worldOf(SHAPE);
  private readonly answers: (() => void)[] = [];

  constructor(policy: number = SUBMISSIONS.accepted) {
    const cluster = clusterOf(this.world);
    this.serverId = cluster.serverId;
    const manifest = { ...cluster.manifest, policy: { ...cluster.manifest.policy, submissions: policy } };
    this.pipeline = new Pipeline(
      { ...cluster, manifest },
      {
        checkInputs: true,
        verifySubmission: (key, bytes, signature, done) =>
          this.answers.push(() => done(twin.verify(key, bytes, signature))),
      },
    );
    for (const [slot, { id }] of this.world.clients.entries())
      this.pipeline.open(id, SESSION_KIND.outbox, 9, slot);
    this.pipeline.gateway.length = 0;
  }

  get sender() {
    return this.world.clients[0]!;
  }

  message(counter: number, body = counter, envelope = '') {
    const mailboxes = [this.world.clients[1]!.id, this.sender.id]
      .slice(0, 1 + (body % 2))
      .sort(Buffer.compare);
    const recipients = mailboxes.map((mailbox) => ({
      mailbox,
      blinder: named('blinder').subarray(0, 16),
      envelope: twin.ascii(envelope),
    }));
    return { sender: this.sender.id, counter: BigInt(counter), recipients, body: twin.u32(body) };
  }

  hash(counter: number, body = counter): Buffer {
    return twin.messageHash(this.serverId, this.message(counter, body));
  }

  signed(first: number, count: number): { bytes: Buffer; signature: Buffer } {
    const messageHashes = Array.from({ length: count }, (_, i) => this.hash(first + i));
    const { serverId, sender } = this;
    const bytes = twin.submissionSigned({
      serverId: Buffer.from(serverId),
      sender: sender.id,
      firstCounter: BigInt(first),
      messageHashes,
    });
    return { bytes, signature: twin.sign(sender.secret, bytes) };
  }

  /** Signed rightly unless told. */
  submit(
    first: number,
    count: number,
    signature: Uint8Array | null = this.signed(first, count).signature,
  ): void {
    const bundles = Array.from({ length: count }, (_, i) => twin.bundleBytes(this.message(first + i)));
    this.submitBundles(first, bundles, signature);
  }

  submitBundles(first: number, bundles: Uint8Array[], signature: Uint8Array | null): void {
    const frame = this.pipeline.frame(this.sender.id, first, bundles, 1, 7, signature);
    this.pipeline.tell(address('inbox'), { type: 'submit', frames: [frame] });
  }

  /** The verifier answers about the frame that waits at this position. */
  answer(at = 0): void {
    this.answers.splice(at, 1)[0]!();
    this.openSession();
  }

  openSession(): void {
    const { id: sender } = this.sender;
    this.pipeline.tell(address('inbox'), { type: 'open-sender', connection: 1, slot: 7, sender });
  }

  /** Last counters that sessions have been told. */
  lastCounters(): number[] {
    return this.pipeline.takeGateway('sender-opened').map(({ lastCounter }) => lastCounter);
  }

  epoch(): string[] {
    this.pipeline.close();
    this.pipeline.commit();
    return this.pipeline
      .takeGateway('placed')
      .flatMap(({ runs }) => runs)
      .map(
        ({ firstCounter, count, epoch, firstIndex }) => `${firstCounter}+${count} at ${epoch}.${firstIndex}`,
      );
  }

  refusals(): string[] {
    return this.pipeline
      .takeGateway('refused')
      .flatMap(({ refusals }: { refusals: readonly Refusal[] }) => refusals)
      .map(({ code, firstCounter, count }) => `${code} ${firstCounter}+${count}`);
  }

  /** What its inbox opens of the row, as whoever has the message holds it against that. */
  opened(epoch: number, index: number, counter: number): { signed: Buffer; counter: number } {
    const { pipeline, serverId } = this;
    const { manifest } = pipeline.cluster;
    const archive = { reader: pipeline.store, placements: this.placements() };
    const asked = { stage: ROLE.inbox, epoch, inbox: 0, index, mailbox: new Uint8Array(32) };
    const steps = open(archive, asked, null, pipeline.checkpoint());
    let step = steps.next();
    while (!step.done) step = steps.next();
    const [shown] = step.value.submissions;
    const message = this.preimage(counter);
    const { rootKey } = manifest;
    const [claim] = step.value.claims;
    const found = submittedBy(claim!, index, shown!, message, [this.manifest()], serverId, rootKey);
    if (!found || found instanceof Uint8Array) throw new Error('nobody is shown');
    assert.equal(Buffer.from(found.sender), this.sender.id);
    return { signed: Buffer.from(decodeSubmission(shown!).signed), counter: found.counter };
  }

  private placements(): Placements {
    return new Placements(this.serverId, [{ from: 1, manifest: this.pipeline.cluster.manifest }]);
  }

  private manifest() {
    const bytes = twin.manifestBytes(this.world.manifest);
    const domain = twin.ascii('countersign/v1 manifest');
    return { bytes, signature: twin.sign(this.world.rootSecret, twin.join(domain, bytes)) };
  }

  /** What an audit finds in what is kept. */
  async audited(): Promise<string[]> {
    const kept = { reader: this.pipeline.store, placements: this.placements() };
    return lines(await audit(new StoreSource(kept, [this.manifest()])));
  }

  private preimage(counter: number): Buffer {
    const { recipients, body } = this.message(counter);
    const R = twin.recipientsPart(recipients);
    const head = twin.join(twin.ascii('csign1ms'), Buffer.from(this.serverId), this.sender.id);
    const numbers = twin.join(twin.u64(BigInt(counter)), twin.u16(recipients.length));
    return twin.join(head, numbers, R, twin.bodyHash(body));
  }

  /** The row's submission hash and what the store proves it with, by the twin. */
  proof(epoch: number, row: number): { hash: string; proven: string } {
    const { store } = this.pipeline;
    const [batch] = this.pipeline.sentOf('inbox-batch');
    const page = Buffer.from(batch!.batch.pages);
    const at = 9 + row * 78 + 32;
    const hash = page.subarray(at, at + 32).toString('hex');
    const runs = store.get(epochKey(TABLE.senderRuns, epoch, 0))!;
    const found = findSubmission(store.get(epochKey(TABLE.submissions, epoch, 0)) ?? new Uint8Array(0), row);
    if (!found) return { hash, proven: twin.hex(twin.UNSIGNED) };
    const { firstRow, rows, known, signature } = found;
    let counter = 0;
    for (let run = 0; run < runs.length; run += RUN.bytes)
      if (getU32(runs, run + RUN.first) === firstRow) counter = getU64(runs, run + RUN.counter);
    const hashes = Array.from({ length: known.length / 32 }, (_, i) =>
      Buffer.from(known.subarray(32 * i, 32 * i + 32)),
    );
    for (let x = firstRow; x < firstRow + rows; x++) hashes.push(page.subarray(9 + x * 78, 9 + x * 78 + 32));
    const bytes = twin.submissionSigned({
      serverId: Buffer.from(this.serverId),
      sender: this.sender.id,
      firstCounter: BigInt(counter - known.length / 32),
      messageHashes: hashes,
    });
    assert.ok(twin.verify(this.sender.id, bytes, signature));
    return { hash, proven: twin.hex(twin.submissionHash(bytes, signature)) };
  }
}

const test = suite('signed frames');

test('a frame waits for its signature, what comes behind it too, and an epoch closes meanwhile', async () => {
  const one = new SignedInbox();
  one.submit(1, 2);
  one.submit(3, 1, null);
  one.submit(4, 2);
  assert.equal(one.epoch(), []);
  one.answer(1);
  assert.equal(one.epoch(), [], 'those behind the first wait for it');
  one.answer();
  assert.equal(one.epoch(), ['1+2 at 3.0', '3+1 at 3.2', '4+2 at 3.3']);
  for (const row of [0, 1, 2, 3, 4]) {
    const { hash, proven } = one.proof(3, row);
    assert.is(hash, proven, `row ${row}`);
    assert.is(hash === twin.hex(twin.UNSIGNED), row === 2, `row ${row}`);
  }
  assert.equal(one.refusals(), []);
  assert.equal(await one.audited(), []);
});

test('of a frame that was taken in partly before, the rest is taken in, and proven with what is known', async () => {
  const one = new SignedInbox();
  one.submit(1, 3);
  one.answer();
  one.epoch();
  one.submit(2, 4);
  one.answer();
  assert.equal(one.epoch(), ['2+1 at 1.1', '3+1 at 1.2', '4+2 at 2.0']);
  const { hash, proven } = one.proof(2, 1);
  assert.is(hash, proven);
  const { bytes, signature } = one.signed(2, 4);
  assert.is(hash, twin.hex(twin.submissionHash(bytes, signature)));
  assert.equal(one.opened(1, 2, 3), { signed: one.signed(1, 3).bytes, counter: 3 });
  for (const counter of [4, 5]) assert.equal(one.opened(2, counter - 4, counter), { signed: bytes, counter });
  assert.equal(await one.audited(), []);
  one.submit(1, 5, new Uint8Array(64));
  assert.equal(one.refusals(), [], 'known counters are answered, whatever the signature');
});

test('of a frame of several pages each message is shown by its own', async () => {
  const one = new SignedInbox();
  one.submit(1, 130);
  one.answer();
  one.epoch();
  const { bytes: signed } = one.signed(1, 130);
  for (const counter of [1, 64, 65, 128, 129, 130])
    assert.equal(one.opened(1, counter - 1, counter), { signed, counter });
  assert.equal(await one.audited(), []);
});

test('what does not verify consumes no counter, and what came behind it is a gap', () => {
  const one = new SignedInbox();
  one.submit(1, 1, one.signed(1, 2).signature);
  one.submit(2, 2);
  one.answer();
  assert.equal(one.refusals(), ['submission-refused 1+1']);
  one.answer();
  assert.equal(one.refusals(), ['counter-gap 2+2']);
  one.submit(1, 2);
  one.answer();
  assert.equal(one.epoch(), ['1+2 at 1.0']);
  assert.is(
    one.pipeline.takeGateway('queue-taken').reduce((sum, { load }) => sum + load.messages, 0),
    5,
  );
});

test('a session that opens is told the counters of what waits before it, once that is known', () => {
  const one = new SignedInbox();
  one.openSession();
  assert.equal(one.lastCounters(), [0]);
  one.submit(1, 2);
  one.submit(3, 1);
  one.submit(4, 1, one.signed(4, 2).signature);
  one.openSession();
  for (const at of [2, 0]) one.answer(at);
  assert.equal(one.lastCounters(), [], 'the second frame waits');
  one.answer();
  assert.equal(one.lastCounters(), [3, 3, 3, 3]);
  assert.equal(one.refusals(), ['submission-refused 4+1']);
  assert.equal(one.epoch(), ['1+2 at 1.0', '3+1 at 1.2']);
});

test('an inbox that drains is not empty while a frame waits', () => {
  const one = new SignedInbox();
  one.submit(1, 1);
  const { pipeline } = one;
  pipeline.sent = [];
  pipeline.tell(address('inbox'), { type: 'drain' });
  assert.is(pipeline.sentOf('empty').length, 0);
  one.answer();
  assert.equal(one.epoch(), ['1+1 at 1.0']);
  assert.is(pipeline.sentOf('empty').length, 1);
});

test('an unsigned frame where signatures are required is a fault of who handed it over', () => {
  const one = new SignedInbox(SUBMISSIONS.required);
  assert.throws(() => one.submit(1, 1, null), /signature that the manifest requires/);
});

test('one bad entry of a large epoch costs an audit a look at each of its messages, and not one for each other', async () => {
  const [entries, per] = [16_384, 512];
  const [serverId, sender] = [named('server'), named('sender')];
  const pages = new Uint8Array(pagesBytes(entries, INBOX_ROW_BYTES));
  let [looks, hashed] = [0, 0];
  const messages = Array.from({ length: entries }, (_, index) => {
    const preimage = twin.u32(index);
    pages.set(twin.H(preimage), rowAt(index, INBOX_ROW_BYTES));
    return {
      inbox: 0,
      recipients: new Uint8Array(0),
      get index() {
        looks++;
        return index;
      },
      get preimage() {
        hashed++;
        return preimage;
      },
    };
  });
  const signature = new Uint8Array(64);
  const submissions = Array.from({ length: entries / per }, (_, i) => {
    const first = i * per;
    const hashes = concat(...messages.slice(first, first + per).map(({ preimage }) => twin.H(preimage)));
    const hash = submissionHash(submissionBytes(serverId, sender, first + 1, hashes), signature);
    for (let x = first; x < first + per; x++) pages.set(hash, rowAt(x, INBOX_ROW_BYTES) + 32);
    return { first, count: per, signature, known: new Uint8Array(0) };
  });
  for (const index of [1, entries - 2, entries - 1])
    pages.set(named('no submission'), rowAt(index, INBOX_ROW_BYTES) + 32);
  [looks, hashed] = [0, 0];
  const drafts: Parameters<EpochView['report']>[0][] = [];
  const world = { serverId, keyOf: () => ({ verify: () => true }) };
  const kept: KeptEpoch = {
    epoch: 5,
    logIndex: 4,
    attestations: [],
    inboxes: [{ pages, runs: [], submissions }],
    outboxes: [{ leaves: [], messages }],
  };
  const manifest = { policy: { submissions: SUBMISSIONS.required } };
  const view = { world, kept, manifest, report: drafts.push.bind(drafts) } as unknown as EpochView;
  const senders: Senders = {
    runOf: new Uint32Array(0),
    runs: [],
    sender: () => sender,
    counter: (x) => x + 1,
  };
  auditSubmissions(view, 0, { count: entries, pages, senders }, submissions);
  assert.equal(
    drafts.map(({ text }) => text),
    [1, entries - 2, entries - 1].map(
      (index) =>
        `the entry of ${formatPlace({ epoch: 5, inbox: 0, index })} names another submission than the one of its sender and message that is kept`,
    ),
  );
  const prover = { openSigned: async () => [], kept: async () => null } as unknown as Prover;
  for (const { proof } of drafts) assert.equal((await proof!(prover)).submissions, []);
  assert.ok(looks <= 2 * entries, `${looks} looks at ${entries} messages`);
  assert.ok(hashed <= entries + drafts.length, `${hashed} hashed of ${entries} messages`);
});

test.run();
