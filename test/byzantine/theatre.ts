/**
 * A server of real stages on one thread, some of which cheat, and what everybody holds afterwards: every statement
 * with its leaves, the log, and what the clients sent.
 */
import { importSecretKey } from '#crypto';
import type { ActorMessage, Address, Send, Stage } from '../../src/actors/messages.js';
import { address } from '../../src/actors/messages.js';
import {
  type Checkpoint,
  type Claim,
  concat,
  encodeEpochLeaf,
  equalBytes,
  Frontier,
  INBOX_ROW_BYTES,
  ITEM_ROW_BYTES,
  type Place,
  ROLE,
  type Role,
  SESSION_KIND,
  type ShownSubmission,
  type SignedAttestation,
  SUBMISSIONS,
} from '../../src/protocol/index.js';
import { type Cluster, Pipeline } from '../support/pipeline.js';
import { clusterOf } from '../support/side-by-side.js';
import * as twin from '../twin/index.js';
import { named, type World, worldOf } from '../worlds.js';
import {
  ACTORS,
  type Act,
  type CommittedEpoch,
  isOver,
  type Log,
  outboxLeaves,
  pagesOf,
  positionOf,
  twinActorLeaf,
} from './acts.js';
import type { Cheat, Cheater, Said } from './cheat.js';
import { LenientSequencer } from './lenient-sequencer.js';

const KIND_ROLES = { inbox: 1, router: 2, receiver: 3, outbox: 4, sequencer: 5 } as const;

/** A message as its sender made it. */
export interface SentMessage {
  readonly sender: Buffer;
  readonly counter: number;
  readonly message: twin.Message;
  readonly hash: Buffer;
}

/** What an actor's cheat is about. */
export interface Target {
  /** Of the message. */
  readonly hash: Buffer;
  readonly inbox: number;
  /** One of its recipients, and another one of the same outbox that it is not for. */
  readonly mailbox: Buffer;
  readonly bystander: Buffer;
  /** Index of another message of the same inbox and epoch, which is not for that recipient. */
  readonly notForIt: number;
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
const RESERVED = 1000;

export class Theatre {
  readonly world: World;
  readonly cluster: Cluster;
  readonly pipeline: Pipeline;
  readonly manifests: { bytes: Uint8Array; signature: Uint8Array }[];
  readonly acts: Act[] = [];
  readonly sent: SentMessage[] = [];
  readonly cast: Cast;
  /** Whether clients sign what they submit. */
  readonly isSigned: boolean;
  /** What clients have signed. */
  readonly submissions: ShownSubmission[] = [];
  /** Messages that were not submitted, or not taken in, and are known. */
  readonly others: SentMessage[] = [];
  readonly epochs: CommittedEpoch[] = [];
  checkpoints: Checkpoint[] = [];
  /** The newest that a sequencer has signed before it was durable. */
  ahead: Checkpoint | null = null;
  /** Checkpoints that somebody was told, and the log does not go on from. */
  readonly lost: Checkpoint[] = [];
  /** Statements that somebody got beside those that were logged. */
  readonly leaked: SignedAttestation[] = [];
  /** Of statements of outboxes that are not over what they store: their leaves. */
  readonly relinked = new Map<SignedAttestation, readonly Uint8Array[]>();
  /** Statements that a consumer was given where the log has others of their makers, which it is told with the epoch. */
  readonly given: { readonly by: string; readonly statements: readonly SignedAttestation[] }[] = [];
  /** What cheats would have said by themselves, by their names. */
  private readonly honest = new Map<string, readonly Said[]>();
  private readonly counters = new Map<string, number>();
  /** Submitted since the newest epoch. */
  private pending: (readonly [inbox: number, sent: SentMessage])[] = [];
  /** Crashes so far. */
  private crashes = 0;
  /** Which actor threw, and what: the server has stopped. */
  stopped: { readonly who: string; readonly what: string } | null = null;
  /** The number of the epoch under way, from 1. */
  round = 0;

  constructor(readonly options: TheatreOptions) {
    const shape = { ...ACTORS, mailboxes: CLIENTS, bundles: [], asked: [], moved: [] };
    this.isSigned = options.cheats?.some(({ isSigned }) => isSigned) === true;
    this.world = worldOf(shape, this.isSigned ? SUBMISSIONS.required : SUBMISSIONS.accepted);
    const bytes = twin.manifestBytes(this.world.manifest);
    const signature = twin.sign(this.world.rootSecret, concat(twin.ascii('countersign/v1 manifest'), bytes));
    this.manifests = [{ bytes, signature }];
    this.cast = this.casting();
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
    const mine = (this.options.cheats ?? []).filter(
      ({ role, index = 0 }) => role === who.kind && index === who.index,
    );
    const stage =
      who.kind === 'sequencer' && (!this.options.checks || mine.length > 0)
        ? new LenientSequencer(this, send, mine, this.known())
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

  /** What a sequencer goes on from: it reuses no number that may have been signed before a crash. */
  private known() {
    if (this.crashes === 0) return { frontier: new Frontier(), lastEpoch: 0, numbered: 0 };
    const { frontier, lastEpoch } = this.pipeline.log();
    return { frontier, lastEpoch, numbered: lastEpoch + this.crashes * RESERVED };
  }

  /** How many are told nothing by an actor in this epoch. */
  get silent(): number {
    return this.of(this.round).filter(({ silent }) => silent).length;
  }

  private of(round: number): readonly Cheat[] {
    return (this.options.cheats ?? []).filter((cheat) => (cheat.round ?? 2) === round);
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
        const active = cheats.filter((cheat) => this.of(this.round).includes(cheat));
        const taken = active.reduce<ActorMessage>((each, { take }) => take?.(each, self) ?? each, message);
        stage.handle(taken);
        if (said.some(({ message: { type } }) => type === 'attested')) this.honest.set(nameOf(who), said);
        const given = active.reduce<readonly Said[]>((each, { give }) => give?.(each, self) ?? each, said);
        const isSilent = active.some(({ silent }) => silent);
        for (const { to, message: each } of given)
          if (!(isSilent && each.type === 'attested')) send(to, each);
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
   * Of the messages of this epoch: the first one of Alice, and Bob. Of Dave, where the actor is the other inbox or its
   * router; and Carol, where it is her receiver or outbox.
   */
  target({ kind, index }: Address): Target {
    const { bob, bystander, carol } = this.cast;
    const inbox = kind === 'inbox' || kind === 'router' ? index : 0;
    const isHers = (kind === 'receiver' || kind === 'outbox') && index > 0;
    const mailbox = this.client(isHers ? carol : bob);
    const sent = this.pending.flatMap(([by, each]) => (by === inbox ? [each] : []));
    const isFor = ({ message }: SentMessage) =>
      message.recipients.some((each) => each.mailbox.equals(mailbox));
    return {
      ...{ hash: sent[0]!.hash, inbox, mailbox },
      bystander: this.client(isHers ? this.strangerAt(index) : bystander),
      notForIt: sent.findIndex((each) => !isFor(each)),
    };
  }

  /**
   * Alice sends by inbox 0, Dave by inbox 1; Bob's mailbox is with outbox 0, as is that of a bystander, Carol's with
   * another.
   */
  private casting(): Cast {
    const ids = [...Array(CLIENTS).keys()];
    const at = (i: number) => this.world.placement(this.client(i));
    const alice = ids.find((i) => at(i).inbox === 0 && at(i).outbox > 0)!;
    const dave = ids.find((i) => at(i).inbox === 1 && at(i).outbox > 0)!;
    const [bob, bystander] = ids.filter((i) => at(i).outbox === 0) as [number, number];
    const carol = ids.find((i) => at(i).outbox > 0 && i !== alice && i !== dave)!;
    return { alice, bob, carol, dave, bystander };
  }

  /** A client with a mailbox at that outbox that nobody writes to. */
  private strangerAt(outbox: number): number {
    const playing = Object.values(this.cast);
    return this.world.clients.findIndex(
      ({ id }, i) => this.world.placement(id).outbox === outbox && !playing.includes(i),
    );
  }

  /** Submits a message, to the inbox of its sender unless said otherwise. */
  send(
    from: number,
    to: readonly number[],
    inbox = this.world.placement(this.client(from)).inbox,
  ): SentMessage {
    const counter = (this.counters.get(twin.hex(this.client(from))) ?? 0) + 1;
    this.counters.set(twin.hex(this.client(from)), counter);
    const sent = this.message(from, counter, to, `message ${counter} of client ${from}`);
    this.submit(inbox, sent);
    this.pending.push([inbox, sent]);
    this.sent.push(sent);
    return sent;
  }

  message(from: number, counter: number, to: readonly number[], text: string): SentMessage {
    const sender = this.client(from);
    const recipients = to
      .map((i) => this.client(i))
      .sort(Buffer.compare)
      .map((mailbox) => {
        const blinder = twin.blinder(named(`roster ${from} ${counter}`), mailbox);
        return { mailbox, blinder, envelope: Buffer.alloc(0) };
      });
    const message = { sender, counter: BigInt(counter), recipients, body: Buffer.from(text) };
    return { sender, counter, message, hash: twin.messageHash(this.world.serverId, message) };
  }

  /** Signed by its sender, or by another client: its hash, and what all who know it can show. */
  signSubmission({ sender, counter, hash }: SentMessage, by: Buffer = sender): ShownSubmission {
    const { secret } = this.world.clients.find(({ id }) => id.equals(by))!;
    const { serverId } = this.world;
    const submission = { serverId, sender: by, firstCounter: BigInt(counter), messageHashes: [hash] };
    const signed = twin.submissionSigned(submission);
    const signature = twin.sign(secret, signed);
    const page = twin.submissionPage(submission.messageHashes);
    const shown = { signed, signature, page, pagePath: new Uint8Array(0) };
    this.submissions.push(shown);
    return shown;
  }

  private submit(inbox: number, sent: SentMessage): void {
    const { sender, counter, message } = sent;
    const signature = this.isSigned ? this.signSubmission(sent).signature : null;
    const frame = this.pipeline.frame(sender, counter, [twin.bundleBytes(message)], 1, 0, signature);
    this.pipeline.tell(address('inbox', inbox), { type: 'submit', frames: [frame] });
  }

  /** A client asks for a still of its mailbox. */
  ask(client: number): void {
    const to = address('outbox', this.world.placement(this.client(client)).outbox);
    this.pipeline.tell(to, { type: 'ask-still', connection: 1, slot: client });
  }

  /**
   * All actors sign an epoch, and crash before it is committed: whoever they gave their statements to keeps them. They
   * come back, and get again what was not placed.
   */
  crash(): void {
    const { pipeline } = this;
    pipeline.close();
    this.leaked.push(...pipeline.sentOf('attested').map(({ attestation }) => attestation));
    if (this.ahead) this.lost.push(this.ahead);
    this.crashes++;
    pipeline.restart();
    for (const [inbox, sent] of this.pending) this.submit(inbox, sent);
  }

  /** One epoch. False when the server has stopped in it: nothing of it has left the server. */
  epoch(): boolean {
    for (const { before } of this.of(this.round + 1)) before?.(this);
    this.round++;
    const { pipeline } = this;
    try {
      pipeline.close();
      this.record();
      pipeline.commit();
    } catch (error) {
      if (this.silent > 0) this.stopped ??= { who: 'sequencer 0', what: 'it waits for a statement' };
      if (!this.stopped) throw error;
      return false;
    }
    this.pending = [];
    for (const { epoch, checkpoint, logged } of pipeline.takeGateway('committed')) {
      // A lenient sequencer tells request handlers too what it has logged, a real one does not.
      const told = logged ?? pipeline.sentOf('committed').flatMap((each) => each.logged ?? [])[0]!;
      this.epochs[told.logIndex] = { epoch, ...told };
      this.checkpoints.push(checkpoint);
    }
    return true;
  }

  // ---- what was signed

  private record(): void {
    const { sent } = this.pipeline;
    const attested = sent.flatMap(({ message }) => (message.type === 'attested' ? [message] : []));
    for (const { from, epoch, attestation: signed, records } of attested) {
      const role = KIND_ROLES[from.kind as keyof typeof KIND_ROLES];
      const act = { role, index: from.index, epoch, signed };
      if (role === ROLE.outbox) {
        this.acts.push({ ...act, outputs: [this.relinked.get(signed) ?? outboxLeaves(epoch, records)] });
        continue;
      }
      const handed = outputsOf(from, sent);
      const astray = handed.flatMap(({ leaves }, output) => (isOver(signed, output, leaves) ? [] : [output]));
      const own = outputsOf(from, this.honest.get(nameOf(from)) ?? []);
      const outputs = handed.map(({ leaves }, output) =>
        astray.includes(output) ? own[output]!.leaves : leaves,
      );
      this.acts.push({ ...act, outputs, astray });
      for (const { to, statement } of handed)
        if (!equalBytes(statement.bytes, signed.bytes))
          this.given.push({ by: nameOf(to), statements: [statement, signed] });
    }
  }

  act(epoch: number, role: Role, index: number): Act {
    const found = this.acts.find((act) => act.epoch === epoch && act.role === role && act.index === index);
    if (!found) throw new Error(`nothing signed by ${role} ${index} in epoch ${epoch}`);
    return found;
  }

  isCommitted(act: Act): boolean {
    return this.epochs.some(
      ({ epoch, attestations }) => epoch === act.epoch && positionOf(act, attestations) >= 0,
    );
  }

  /** A leaf with its whole proof under the newest checkpoint; none is an empty one. */
  claim(act: Act, output: number, leafIndex: number, log: Log = this.log()): Claim {
    const leaves = act.outputs[output]!;
    const logIndex = log.epochs.findIndex(({ epoch }) => epoch === act.epoch);
    const { attestations, leaf } = log.epochs[logIndex]!;
    const entries = attestations.map(({ bytes, signature }) => twinActorLeaf(bytes, signature));
    const position = positionOf(act, attestations);
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

  /** The whole log, or its first epochs. */
  log(size = this.epochs.length): Log {
    return { epochs: this.epochs.slice(0, size), checkpoint: this.checkpoints[size - 1]! };
  }

  /** The consistency proof between two sizes of the log. */
  bridge(from: number, to: number): Uint8Array {
    const leaves = this.epochs.slice(0, to).map(({ leaf }) => twin.H(encodeEpochLeaf(leaf)));
    return concat(...twin.consistencyProof(from, leaves));
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
      const index = rowsOfInbox(act).findIndex((row) => row.equals(hash));
      if (index >= 0) return { epoch: act.epoch, inbox: act.index, index };
    }
    return null;
  }
}

const nameOf = ({ kind, index }: Address) => `${kind} ${index}`;

/** What an inbox, router or receiver hands on, by consumer: to whom, under which statement, which leaves. */
function outputsOf({ kind, index }: Address, said: readonly Said[]) {
  return said.flatMap(({ to, message }) => {
    if (kind === 'inbox' && message.type === 'inbox-batch' && message.batch.inbox === index) {
      const { pages, count } = message.batch;
      return [{ to, statement: message.attestation, leaves: pagesOf(pages, count, INBOX_ROW_BYTES) }];
    }
    const isShare = kind === 'router' && message.type === 'router-share' && message.router === index;
    const isList = kind === 'receiver' && message.type === 'receiver-items' && to.index === index;
    if (!isShare && !isList) return [];
    const { attestation: statement, items } = message;
    return [{ to, statement, leaves: pagesOf(items.pages, items.count, ITEM_ROW_BYTES) }];
  });
}

/** The message hashes that an inbox has signed. */
export function rowsOfInbox({ outputs: [pages] }: Act): Buffer[] {
  return pages!.flatMap((page) =>
    Array.from({ length: (page.length - 9) / INBOX_ROW_BYTES }, (_, i) =>
      Buffer.from(page.subarray(9 + i * INBOX_ROW_BYTES, 9 + i * INBOX_ROW_BYTES + 32)),
    ),
  );
}
