/** Random epochs through the real stages and through the slow twin, held against each other. */
import * as assert from 'uvu/assert';
import { Links } from '../../src/actors/epoch-file.js';
import type { Inbox } from '../../src/actors/inbox.js';
import { type ActorMessage, address, type SubmittedFrame } from '../../src/actors/messages.js';
import type { Outbox } from '../../src/actors/outbox.js';
import {
  type Deliver,
  type DeliveredEntry,
  type DeliveredMailbox,
  decodeManifest,
  ENTRY_KIND,
  encodeEpochLeaf,
  MAILBOX_KIND,
  rootFromMultiproof,
} from '../../src/protocol/index.js';
import { same } from '../checks.js';
import * as twin from '../twin/index.js';
import { epochInput, named, queuesOf, type Shape, type World, worldOf } from '../worlds.js';
import { chainAfter } from './chain-after.js';
import { Reader } from './client.js';
import { type Cluster, Pipeline, type PipelineOptions } from './pipeline.js';

export interface FramePlan {
  readonly sender: number;
  readonly bundles: readonly { recipients: number[]; body: number; envelope: number }[];
  /** By its sender; not, if it is not said. */
  readonly signed?: boolean;
}

export interface EpochPlan {
  readonly frames: readonly FramePlan[];
  /** So many of the frames come while the epoch before is committing. */
  readonly early: number;
  readonly asked: readonly number[];
  /** Mailboxes that acknowledge everything, after the epoch. */
  readonly acks: readonly number[];
}

export interface Plan {
  readonly inboxes: number;
  readonly outboxes: number;
  readonly mailboxes: number;
  readonly moved: readonly number[];
  readonly epochs: readonly EpochPlan[];
  readonly retentionEpochs?: number;
}

/** What happens after every epoch. */
export interface Between {
  /** All sockets are opened again; or every stage is made anew, too. */
  readonly kind: 'nothing' | 'reconnect' | 'restart';
  /** Whether reserved epoch numbers are used in spite of the restart. */
  readonly reuse: boolean;
  /** Clients come without the log that they had. */
  readonly forget: boolean;
}

/** A frame as it goes in, and what the twin makes of it. */
interface MadeFrame {
  readonly sender: number;
  readonly messages: readonly twin.Bundle[];
  readonly signature: Buffer | null;
}

export interface Done {
  readonly input: twin.EpochInput;
  readonly result: twin.EpochResult;
}

/** The fast code's view of a twin's world. */
export function clusterOf(world: World): Cluster {
  const bucket = (id: Uint8Array) => world.placement(Buffer.from(id));
  return {
    serverId: world.serverId,
    manifest: decodeManifest(twin.manifestBytes(world.manifest)),
    placementRoot: twin.placementRoot(world.exceptions),
    seeds: { ...world.secrets, sequencer: world.sequencerSecret },
    placement: bucket,
  };
}

export class SideBySide {
  readonly world: World;
  readonly pipeline: Pipeline;
  private readonly shape: Shape;
  private readonly readers: Reader[];
  private readonly log: Buffer[] = [];
  readonly done = new Map<number, Done>();
  /** Per mailbox (its client's number): epochs of its links, of the newest delivered, of the newest acknowledged. */
  private readonly linkEpochs: number[][];
  private readonly delivered: number[];
  private readonly acknowledged: number[];
  private connections = 0;
  private lastEpoch = 0;

  constructor(plan: Plan, options: PipelineOptions) {
    this.shape = { ...plan, moved: [...plan.moved], bundles: [], asked: [] };
    this.world = worldOf(this.shape);
    this.pipeline = new Pipeline(clusterOf(this.world), options);
    const { clients } = this.world;
    this.linkEpochs = clients.map(() => []);
    this.delivered = clients.map(() => 0);
    this.acknowledged = clients.map(() => 0);
    this.readers = this.world.secrets.outboxes.map((_, j) => new Reader(this.pipeline, j));
    this.openAll(false);
  }

  /** Every epoch of the plan; and what comes in between. */
  run(plan: Plan, between: Between): void {
    const frames = plan.epochs.map((epoch) => epoch.frames.map((frame) => this.make(frame)));
    plan.epochs.forEach((epoch, n) => {
      const early = n === 0 ? 0 : Math.min(epoch.early, frames[n]!.length);
      // What came early is lost in a crash; its senders send it again.
      this.submit(frames[n]!.slice(between.kind === 'restart' ? 0 : early));
      for (const i of epoch.asked) this.readerOf(i).askStill(this.client(i));
      this.pipeline.close();
      const next = plan.epochs[n + 1];
      if (next) this.submit(frames[n + 1]!.slice(0, next.early));
      this.checkEpoch(frames[n]!, epoch);
      for (const i of epoch.acks) this.acknowledge(this.client(i));
      if (between.kind === 'restart') this.restart(between);
      if (between.kind === 'reconnect') this.reconnect(between);
    });
  }

  private client(i: number): number {
    return i % this.world.clients.length;
  }

  private outboxOf(client: number): number {
    return this.world.placement(this.world.clients[client]!.id).outbox;
  }

  private readerOf(i: number): Reader {
    return this.readers[this.outboxOf(this.client(i))]!;
  }

  private openAll(forget: boolean): void {
    for (const reader of this.readers) reader.connect(++this.connections, forget);
    this.acknowledged.forEach((epoch, i) => {
      this.delivered[i] = epoch;
    });
    this.world.clients.forEach(({ id }, i) => {
      this.readerOf(i).open(i, id, this.acknowledged[i]!, named(`chain seed ${i}`));
    });
    const opened = this.pipeline.takeGateway('mailbox-opened');
    assert.is(opened.length, this.world.clients.length);
    for (const { slot, error, lastEpoch } of opened) {
      assert.equal([error, lastEpoch], [null, this.acknowledged[slot]]);
    }
    this.takeDeliveries();
  }

  private restart({ reuse, forget }: Between): void {
    this.pipeline.restart(reuse);
    this.pipeline.gateway.length = 0;
    this.openAll(forget);
    this.checkState();
  }

  private reconnect({ forget }: Between): void {
    for (const reader of this.readers) reader.disconnect();
    this.openAll(forget);
  }

  // ---- in

  private make({ sender, bundles, signed = false }: FramePlan): MadeFrame {
    const planned = bundles.map((bundle) => ({ ...bundle, sender, signed: false }));
    const messages = queuesOf(this.world, { ...this.shape, bundles: planned }).flat();
    const made = { sender: this.client(sender), messages, signature: null };
    if (!signed) return made;
    const { serverId, clients } = this.world;
    const { id, secret } = clients[made.sender]!;
    const messageHashes = messages.map((message) => twin.messageHash(serverId, message));
    const firstCounter = messages[0]!.counter;
    const bytes = twin.submissionSigned({ serverId, sender: id, firstCounter, messageHashes });
    const signature = twin.sign(secret, bytes);
    const submissionHash = twin.submissionHash(bytes, signature);
    return { ...made, messages: messages.map((message) => ({ ...message, submissionHash })), signature };
  }

  private submit(frames: readonly MadeFrame[]): void {
    const byInbox = new Map<number, SubmittedFrame[]>();
    for (const { sender, messages, signature } of frames) {
      const { id } = this.world.clients[sender]!;
      const { inbox } = this.world.placement(id);
      const bundles = messages.map(twin.bundleBytes);
      const frame = this.pipeline.frame(id, Number(messages[0]!.counter), bundles, 1, sender, signature);
      byInbox.set(inbox, [...(byInbox.get(inbox) ?? []), frame]);
    }
    for (const [inbox, list] of byInbox)
      this.pipeline.tell(address('inbox', inbox), { type: 'submit', frames: list });
  }

  // ---- the epoch

  private checkEpoch(frames: readonly MadeFrame[], { asked }: EpochPlan): void {
    const [share] = this.pipeline.sentOf('router-share');
    const { epoch } = share!.context;
    const queues: twin.Bundle[][] = this.world.secrets.inboxes.map(() => []);
    for (const { sender, messages } of frames) {
      queues[this.world.placement(this.world.clients[sender]!.id).inbox]!.push(...messages);
    }
    const shape = { ...this.shape, asked: asked.map((i) => this.client(i)) };
    const input = {
      ...epochInput(this.world, shape, queues, BigInt(epoch), this.log),
      previousEpoch: BigInt(this.lastEpoch),
    };
    const result = twin.runEpoch(input);
    this.checkSent(result);
    this.pipeline.commit();
    this.done.set(epoch, { input, result });
    this.log.push(twin.H(result.epochLeaf));
    this.lastEpoch = epoch;
    this.world.chains = result.chains;
    this.world.lastPlaces = result.lastPlaces;
    for (const { mailbox } of result.links.flat()) {
      const list = this.linkEpochs[this.numberOf(mailbox)]!;
      if (list.at(-1) !== epoch) list.push(epoch);
    }
    const [logged] = this.pipeline.sentOf('committed').flatMap((told) => told.logged ?? []);
    same(encodeEpochLeaf(logged!.leaf), result.epochLeaf, 'epoch leaf');
    this.checkPlaced(epoch, queues);
    this.takeDeliveries();
    this.checkState();
  }

  private numberOf(mailbox: Uint8Array): number {
    return this.world.clients.findIndex(({ id }) => id.equals(mailbox));
  }

  /** Everything that went from stage to stage. */
  private checkSent(result: twin.EpochResult): void {
    for (const { batch } of this.pipeline.sentOf('inbox-batch')) {
      same(batch.pages, twin.join(...result.inboxPages[batch.inbox]!), 'inbox pages');
    }
    for (const { to, message } of this.pipeline.sent) {
      if (message.type === 'router-share') {
        const pages = result.routerPages[message.router]![to.index]!;
        same(message.items.pages, twin.join(...pages), 'router pages');
      } else if (message.type === 'receiver-items') {
        same(message.items.pages, twin.join(...result.receiverPages[to.index]!), 'receiver pages');
      }
    }
    const attested = this.pipeline.sentOf('attested');
    assert.is(attested.length, result.attestations.length);
    const kinds = ['', 'inbox', 'router', 'receiver', 'outbox'];
    for (const { role, index, signed, signature } of result.attestations) {
      const own = attested.find(({ from }) => from.kind === kinds[role] && from.index === index)!;
      same(own.attestation.bytes, signed, `attestation of ${kinds[role]} ${index}`);
      same(own.attestation.signature, signature, 'signature');
      if (role === twin.OUTBOX) this.checkLinks(own, result, index);
    }
  }

  private checkLinks(
    { records }: Extract<ActorMessage, { type: 'attested' }>,
    result: twin.EpochResult,
    j: number,
  ) {
    const value = records.find(({ key }) => key[0] === 'K'.charCodeAt(0))?.value;
    assert.is(value !== undefined, result.links[j]!.length > 0);
    if (!value) return;
    const links = Links.read(value);
    same(
      links.leafHashes,
      twin.join(...result.outboxLeaves[j]!.map((leaf) => twin.H(leaf))),
      'outbox leaves',
    );
    for (const { mailbox } of result.links[j]!) {
      const { lastEpoch, total, head } = chainAfter(links, links.find(mailbox.toString('latin1')));
      const chain = result.chains.get(twin.hex(mailbox))!;
      assert.equal([BigInt(lastEpoch), BigInt(total)], [chain.lastEpoch, chain.total]);
      same(head, chain.head, 'head');
    }
  }

  /** What the inboxes and outboxes know, whether remembered or recovered. */
  private checkState(): void {
    this.world.clients.forEach(({ id }, i) => {
      const key = id.toString('latin1');
      const { inbox, outbox } = this.world.placement(id);
      const { chain, acknowledged } = this.pipeline.stage<Outbox>('outbox', outbox)['mailboxes'].lend(id, 0)!;
      const expected = this.world.chains.get(twin.hex(id))!;
      assert.equal([BigInt(chain.lastEpoch), BigInt(chain.total)], [expected.lastEpoch, expected.total]);
      same(chain.head, expected.head, 'head');
      assert.is(acknowledged.lastEpoch, this.acknowledged[i]);
      const state = this.pipeline.stage<Inbox>('inbox', inbox)['senders'].get(key);
      const place = this.world.lastPlaces.get(twin.hex(id));
      if (place && !state?.queuedIn) assert.equal(state?.place, { ...place, epoch: Number(place.epoch) });
    });
  }

  /** Every message of the epoch is named once to its sender, at its place. */
  private checkPlaced(epoch: number, queues: twin.Bundle[][]): void {
    const found: string[] = [];
    for (const run of this.pipeline.takeGateway('placed').flatMap(({ runs }) => runs)) {
      assert.is(run.epoch, epoch);
      for (let k = 0; k < run.count; k++) {
        const index = run.firstIndex + k;
        const message = queues[run.inbox]![index]!;
        assert.ok(message.sender.equals(this.world.clients[run.slot]!.id));
        assert.is(message.counter, BigInt(run.firstCounter + k));
        found.push(`${run.inbox}.${index}`);
      }
    }
    const all = queues.flatMap((queue, inbox) => queue.map((_, index) => `${inbox}.${index}`));
    assert.equal(found.sort(), all.sort());
  }

  // ---- out

  private acknowledge(client: number): void {
    const epoch = this.delivered[client]!;
    if (epoch <= this.acknowledged[client]!) return;
    this.readerOf(client).acknowledge(client, epoch);
    assert.equal(this.pipeline.takeGateway('ack-refused'), []);
    this.acknowledged[client] = epoch;
    const hex = twin.hex(this.world.clients[client]!.id);
    this.world.chains.set(hex, { ...this.world.chains.get(hex)!, trimmedThrough: BigInt(epoch) });
  }

  private takeDeliveries(): void {
    for (const [outbox, reader] of this.readers.entries()) {
      for (let more = true; more; ) {
        more = reader.take((logIndex) => this.log[logIndex]!);
        for (const delivery of reader.deliveries.splice(0)) this.checkDelivery(outbox, delivery);
        reader.drain();
      }
    }
    this.delivered.forEach((epoch, i) => {
      assert.is(epoch, this.linkEpochs[i]!.at(-1) ?? 0, 'everything is delivered');
    });
  }

  private checkDelivery(outbox: number, delivery: Deliver): void {
    const { epoch } = delivery;
    const { input, result } = this.done.get(epoch.epoch)!;
    const positions: number[] = [];
    const leaves: Buffer[] = [];
    for (const mailbox of delivery.mailboxes) {
      const own = this.checkMailbox(outbox, epoch.epoch, mailbox);
      positions.push(...own.map((_, part) => mailbox.position + part));
      leaves.push(...own.map((leaf) => twin.H(leaf)));
    }
    const root = rootFromMultiproof(epoch.leaves, positions, twin.join(...leaves), delivery.multiproof);
    const position = result.attestations.findIndex(
      ({ role, index }) => role === twin.OUTBOX && index === outbox,
    );
    const attestation = result.attestations[position]!;
    const rebuilt = twin.attestationSigned({
      ...input,
      role: twin.OUTBOX,
      actor: outbox,
      base: { size: BigInt(epoch.base.size), root: Buffer.from(epoch.base.root) },
      inputs: Buffer.from(epoch.inputs),
      outputs: [{ entries: epoch.entries, leaves: epoch.leaves, root: Buffer.from(root) }],
    });
    same(rebuilt, attestation.signed, 'attestation, rebuilt from a delivery');
    same(epoch.signature, attestation.signature, 'signature');
    const actorLeaves = result.attestations.map((a) =>
      twin.H(twin.actorLeaf(a.attestationHash, a.signature)),
    );
    same(epoch.actorPath, twin.join(...twin.inclusionPath(position, actorLeaves)), 'actor path');
    assert.is(BigInt(epoch.previousEpoch), input.previousEpoch);
  }

  /** Returns the mailbox's leaves in the epoch. */
  private checkMailbox(outbox: number, epoch: number, mailbox: DeliveredMailbox): Buffer[] {
    const { input, result } = this.done.get(epoch)!;
    const { id } = this.world.clients[mailbox.slot]!;
    if (mailbox.kind === MAILBOX_KIND.still) {
      const still = result.stills[outbox]!.find((each) => each.mailbox.equals(id))!;
      assert.is(BigInt(mailbox.trimmedThrough), still.trimmedThrough);
      return [twin.stillLeaf(still)];
    }
    const links = result.links[outbox]!.filter((each) => each.mailbox.equals(id));
    const list = this.linkEpochs[mailbox.slot]!;
    assert.is(
      epoch,
      list.find((each) => each > this.delivered[mailbox.slot]!),
      'links come in order, once',
    );
    this.delivered[mailbox.slot] = epoch;
    const entries = links.flatMap((link) => link.entries);
    assert.is(mailbox.entries.length, entries.length);
    entries.forEach(({ inbox, index, messageHash }, i) => {
      const message = input.inboxes[inbox]![index]!;
      const position = message.recipients.findIndex((recipient) => recipient.mailbox.equals(id));
      const expected =
        position < 0
          ? twin.sentEntry(inbox, index, message.counter, messageHash)
          : twin.receivedEntry(inbox, index, message, position);
      same(entryBytes(mailbox.entries[i]!), expected, 'entry');
    });
    return links.map(twin.linkLeaf);
  }
}

function entryBytes(entry: DeliveredEntry): Buffer {
  const { inbox, index, kind } = entry;
  const head = [twin.u16(inbox), twin.u32(index), twin.u8(kind)];
  if (entry.kind === ENTRY_KIND.sent)
    return twin.join(...head, twin.u64(BigInt(entry.counter)), entry.messageHash);
  const { sender, counter, recipients, position, blinder, siblings, envelope, body } = entry;
  return twin.join(
    ...head,
    sender,
    twin.u64(BigInt(counter)),
    twin.u16(recipients),
    twin.u16(position),
    blinder,
    twin.u8(siblings.length / 32),
    siblings,
    twin.u32(envelope.length),
    envelope,
    twin.u32(body.length),
    body,
  );
}
