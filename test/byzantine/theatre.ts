/**
 * A server of real stages on one thread, some of which cheat, and what everybody holds afterwards: every statement
 * with its leaves, the log, and what the clients sent.
 */
import { importSecretKey } from '#crypto';
import { Links } from '../../src/actors/epoch-file.js';
import type { ActorMessage, Address, Send, Stage } from '../../src/actors/messages.js';
import { address } from '../../src/actors/messages.js';
import {
  actorPosition,
  attestationHash,
  type ChainState,
  type Checkpoint,
  type Claim,
  concat,
  type EpochLeaf,
  encodeEpochLeaf,
  INBOX_ROW_BYTES,
  ITEM_ROW_BYTES,
  LINK_ENTRY_BYTES,
  linkParts,
  linkPreimage,
  PAGE_ENTRIES,
  type Place,
  pagesBytes,
  ROLE,
  type Role,
  SESSION_KIND,
  type SignedAttestation,
} from '../../src/protocol/index.js';
import { type Cluster, Pipeline } from '../support/pipeline.js';
import { clusterOf } from '../support/side-by-side.js';
import * as twin from '../twin/index.js';
import { named, type World, worldOf } from '../worlds.js';
import type { Cheat, Cheater, Said } from './cheat.js';
import { LenientSequencer } from './lenient-sequencer.js';

const KIND_ROLES = { inbox: 1, router: 2, receiver: 3, outbox: 4, sequencer: 5 } as const;

/** What an actor has signed in an epoch, with everything under it: leaves of each output. */
export interface Act {
  readonly role: Role;
  readonly index: number;
  readonly epoch: number;
  readonly signed: SignedAttestation;
  readonly outputs: readonly (readonly Uint8Array[])[];
}

/** A message as its sender made it. */
export interface SentMessage {
  readonly sender: Buffer;
  readonly counter: number;
  readonly message: twin.Message;
  readonly hash: Buffer;
}

interface CommittedEpoch {
  readonly epoch: number;
  readonly leaf: EpochLeaf;
  readonly attestations: readonly SignedAttestation[];
}

/** Numbers of clients. */
export interface Cast {
  readonly alice: number;
  readonly bob: number;
  readonly carol: number;
  readonly dave: number;
  readonly bystander: number;
}

export interface TheatreOptions {
  readonly cheats?: readonly Cheat[];
  /** Whether honest actors check what they are given. */
  readonly checks: boolean;
}

const CLIENTS = 24;
export const ACTORS = { inboxes: 2, outboxes: 3 };

export class Theatre {
  readonly world: World;
  readonly cluster: Cluster;
  readonly pipeline: Pipeline;
  readonly manifests: { bytes: Uint8Array; signature: Uint8Array }[];
  readonly acts: Act[] = [];
  readonly sent: SentMessage[] = [];
  readonly epochs: CommittedEpoch[] = [];
  checkpoints: Checkpoint[] = [];
  /** Statements that somebody got beside those that were logged. */
  readonly leaked: SignedAttestation[] = [];
  private readonly counters = new Map<string, number>();
  /** Which actor threw, and what: the server has stopped. */
  stopped: { readonly who: string; readonly what: string } | null = null;
  /** The number of the epoch under way, from 1. */
  round = 0;

  constructor(readonly options: TheatreOptions) {
    const shape = { ...ACTORS, mailboxes: CLIENTS, bundles: [], asked: [], moved: [] };
    this.world = worldOf(shape);
    const bytes = twin.manifestBytes(this.world.manifest);
    const signature = twin.sign(this.world.rootSecret, concat(twin.ascii('countersign/v1 manifest'), bytes));
    this.manifests = [{ bytes, signature }];
    this.cluster = clusterOf(this.world);
    this.pipeline = new Pipeline(this.cluster, {
      checkInputs: options.checks,
      actor: (who, make, send) => this.actor(who, make, send),
    });
    this.world.clients.forEach(({ id }, slot) => {
      this.pipeline.open(id, SESSION_KIND.outbox, 1, slot);
    });
  }

  get rootKey(): Uint8Array {
    return this.world.manifest.rootKey;
  }

  // ---- actors

  private actor(who: Address, make: (checkInputs: boolean, send: Send) => Stage, send: Send): Stage {
    const mine = (this.options.cheats ?? []).filter(({ role }) => role === who.kind && who.index === 0);
    const stage =
      who.kind === 'sequencer' && (!this.options.checks || mine.length > 0)
        ? new LenientSequencer(this, send, mine)
        : mine.length > 0
          ? this.cheater(who, mine, make, send)
          : make(this.options.checks, send);
    return {
      handle: (message) => {
        try {
          stage.handle(message);
        } catch (error) {
          this.stopped ??= { who: `${who.kind} ${who.index}`, what: (error as Error).message };
          throw error;
        }
      },
    };
  }

  /** It checks nothing, takes what its cheats make of what it is given, and says what they make of what it says. */
  private cheater(
    who: Address,
    cheats: readonly Cheat[],
    make: (checkInputs: boolean, send: Send) => Stage,
    send: Send,
  ): Stage {
    let said: { to: Address; message: ActorMessage }[] = [];
    const stage = make(false, (to, message) => said.push({ to, message }));
    const self: Cheater = { theatre: this, who, stage, given: null, ...this.signer(who) };
    return {
      handle: (message) => {
        self.given = message;
        said = [];
        const isOn = (cheat: Cheat) => (cheat.round ?? 2) === this.round;
        const active = cheats.filter(isOn);
        const taken = active.reduce<ActorMessage>((each, { take }) => take?.(each, self) ?? each, message);
        stage.handle(taken);
        const given = active.reduce<readonly Said[]>((each, { give }) => give?.(each, self) ?? each, said);
        for (const { to, message: each } of given) send(to, each);
      },
    };
  }

  signer({ kind, index }: Address) {
    const { seeds, serverId } = this.cluster;
    const all = { ...seeds, inbox: seeds.inboxes, router: seeds.routers, receiver: seeds.receivers };
    const of = { ...all, outbox: seeds.outboxes, sequencer: [seeds.sequencer], gateway: [] };
    const { sign } = importSecretKey(of[kind][index]!);
    // It signs what it likes.
    return { index, serverId, sign, signed: { through: -1 } };
  }

  // ---- plays

  client(i: number): Buffer {
    return this.world.clients[i]!.id;
  }

  /**
   * Alice sends by inbox 0, Dave by inbox 1; Bob's mailbox is with outbox 0, as is that of a bystander, Carol's with
   * another.
   */
  get cast(): Cast {
    const ids = [...Array(CLIENTS).keys()];
    const at = (i: number) => this.world.placement(this.client(i));
    const alice = ids.find((i) => at(i).inbox === 0 && at(i).outbox > 0)!;
    const dave = ids.find((i) => at(i).inbox === 1 && at(i).outbox > 0)!;
    const [bob, bystander] = ids.filter((i) => at(i).outbox === 0) as [number, number];
    const carol = ids.find((i) => at(i).outbox > 0 && i !== alice && i !== dave)!;
    return { alice, bob, carol, dave, bystander };
  }

  /** Submits a message, to the inbox of its sender unless said otherwise. */
  send(
    from: number,
    to: readonly number[],
    inbox = this.world.placement(this.client(from)).inbox,
  ): SentMessage {
    const sender = this.client(from);
    const counter = (this.counters.get(twin.hex(sender)) ?? 0) + 1;
    this.counters.set(twin.hex(sender), counter);
    const recipients = to
      .map((i) => this.client(i))
      .sort(Buffer.compare)
      .map((mailbox) => {
        const blinder = twin.blinder(named(`roster ${from} ${counter}`), mailbox);
        return { mailbox, blinder, envelope: Buffer.alloc(0) };
      });
    const body = Buffer.from(`message ${counter} of client ${from}`);
    const message = { sender, counter: BigInt(counter), recipients, body };
    const frame = this.pipeline.frame(sender, counter, [twin.bundleBytes(message)]);
    this.pipeline.tell(address('inbox', inbox), { type: 'submit', frames: [frame] });
    const sent = { sender, counter, message, hash: twin.messageHash(this.world.serverId, message) };
    this.sent.push(sent);
    return sent;
  }

  /** One epoch. False when the server has stopped in it: nothing of it has left the server. */
  epoch(): boolean {
    this.round++;
    const { pipeline } = this;
    try {
      pipeline.close();
      this.record();
      pipeline.commit();
    } catch (error) {
      if (!this.stopped) throw error;
      return false;
    }
    for (const message of pipeline.takeGateway('committed')) {
      this.epochs[message.logIndex] = message;
      this.checkpoints.push(message.checkpoint);
    }
    return true;
  }

  // ---- what was signed

  private record(): void {
    const { sent } = this.pipeline;
    const attested = sent.flatMap(({ message }) => (message.type === 'attested' ? [message] : []));
    for (const { from, epoch, attestation: signed, records } of attested) {
      const role = KIND_ROLES[from.kind as keyof typeof KIND_ROLES];
      const outputs = this.outputsOf(from, records);
      this.acts.push({ role, index: from.index, epoch, signed, outputs });
    }
  }

  private outputsOf(
    { kind, index }: Address,
    records: readonly { key: Uint8Array; value: Uint8Array | null }[],
  ) {
    const { pipeline } = this;
    if (kind === 'inbox') {
      const batch = pipeline.sentOf('inbox-batch').find((each) => each.batch.inbox === index)!.batch;
      return [pagesOf(batch.pages, batch.count, INBOX_ROW_BYTES)];
    }
    if (kind === 'router')
      return pipeline.sent.flatMap(({ message }) =>
        message.type === 'router-share' && message.router === index
          ? [pagesOf(message.items.pages, message.items.count, ITEM_ROW_BYTES)]
          : [],
      );
    if (kind === 'receiver') {
      const to = pipeline.sent.find(
        ({ to, message }) => message.type === 'receiver-items' && to.index === index,
      )!;
      const { items } = to.message as Extract<ActorMessage, { type: 'receiver-items' }>;
      return [pagesOf(items.pages, items.count, ITEM_ROW_BYTES)];
    }
    const links = records.find(({ key }) => key[0] === 'K'.charCodeAt(0))?.value;
    return [links ? linkLeaves(Links.read(links)) : []];
  }

  act(epoch: number, role: Role, index: number): Act {
    const found = this.acts.find((act) => act.epoch === epoch && act.role === role && act.index === index);
    if (!found) throw new Error(`nothing signed by ${role} ${index} in epoch ${epoch}`);
    return found;
  }

  isCommitted(act: Act): boolean {
    return this.epochs.some(({ epoch }) => epoch === act.epoch);
  }

  /** A leaf with its whole proof under the newest checkpoint; none is an empty one. */
  claim(act: Act, output: number, leafIndex: number, log: Log = this.log()): Claim {
    const leaves = act.outputs[output]!;
    const logIndex = log.epochs.findIndex(({ epoch }) => epoch === act.epoch);
    const { attestations, leaf } = log.epochs[logIndex]!;
    const { manifest } = this.cluster;
    const entries = attestations.map(({ bytes, signature }) => twinActorLeaf(bytes, signature));
    const position = actorPosition(manifest, act.role, act.index);
    const hashes = leaves.map((each) => twin.H(each));
    const none = leaves.length === 0;
    return {
      leaf: none ? new Uint8Array(0) : leaves[leafIndex]!,
      output,
      leafIndex: none ? 0 : leafIndex,
      outputPath: none ? new Uint8Array(0) : concat(...twin.inclusionPath(leafIndex, hashes)),
      // As it was logged.
      attestation: attestations[position]!.bytes,
      signature: attestations[position]!.signature,
      actorPath: concat(...twin.inclusionPath(position, entries)),
      epochLeaf: encodeEpochLeaf(leaf),
      logIndex,
      logPath: concat(
        ...twin.inclusionPath(
          logIndex,
          log.epochs.map((each) => twin.H(encodeEpochLeaf(each.leaf))),
        ),
      ),
      checkpoint: log.checkpoint,
    };
  }

  log(): Log {
    return { epochs: this.epochs, checkpoint: this.checkpoints.at(-1)! };
  }

  /** Every leaf of an output as a claim; one without a leaf if it has none. */
  claims(act: Act, output: number, log?: Log): Claim[] {
    const count = Math.max(1, act.outputs[output]!.length);
    return Array.from({ length: count }, (_, i) => this.claim(act, output, i, log));
  }

  /** Where a message stands, as its inbox says. */
  placeOf({ hash }: SentMessage): Place | null {
    for (const act of this.acts) {
      if (act.role !== ROLE.inbox) continue;
      const rows = act.outputs[0]!.flatMap((page) =>
        Array.from({ length: (page.length - 9) / 78 }, (_, i) => page.subarray(9 + i * 78, 9 + i * 78 + 32)),
      );
      const index = rows.findIndex((row) => Buffer.compare(row, hash) === 0);
      if (index >= 0) return { epoch: act.epoch, inbox: act.index, index };
    }
    return null;
  }
}

/** A view of the log: its epochs from the first, and the checkpoint over them. */
export interface Log {
  readonly epochs: readonly CommittedEpoch[];
  readonly checkpoint: Checkpoint;
}

function twinActorLeaf(bytes: Uint8Array, signature: Uint8Array): Buffer {
  return twin.H(concat(twin.ascii('\0csign1ac'), attestationHash(bytes), signature));
}

export function pagesOf(pages: Uint8Array, rows: number, rowBytes: number): Uint8Array[] {
  const stride = 9 + PAGE_ENTRIES * rowBytes;
  const end = pagesBytes(rows, rowBytes);
  const out: Uint8Array[] = [];
  for (let at = 0; at < end; at += stride) out.push(pages.slice(at, Math.min(at + stride, end)));
  return out;
}

/** The leaves of an outbox's links, as what it stores says. */
function linkLeaves(links: Links): Uint8Array[] {
  const leaves: Uint8Array[] = [];
  for (let i = 0; i < links.mailboxes; i++) {
    const [first, count] = [links.firstRow(i), links.rowCount(i)];
    const header = links.headerAt(i);
    const mailbox = links.bytes.slice(header, header + 32);
    const { lastEpoch, ...before } = links.chainBefore(i);
    let { head, total } = before;
    const entries = Array.from({ length: count }, (_, x) => {
      const { inbox, index, hashAt } = links.row(first + x);
      const entry = new Uint8Array(LINK_ENTRY_BYTES);
      entry.set([inbox >> 8, inbox, index >>> 24, index >>> 16, index >>> 8, index]);
      entry.set(links.bytes.subarray(hashAt, hashAt + 32), 6);
      return entry;
    });
    const parts = linkParts(count);
    for (let part = 0; part < parts; part++) {
      const some = entries.slice(part * PAGE_ENTRIES, (part + 1) * PAGE_ENTRIES);
      const chain: ChainState = { lastEpoch, total, head };
      const leaf = linkPreimage(mailbox, links.epoch, part, parts, chain, concat(...some));
      leaves.push(Uint8Array.from(leaf));
      head = twin.H(leaf);
      total += some.length;
    }
  }
  return leaves;
}
