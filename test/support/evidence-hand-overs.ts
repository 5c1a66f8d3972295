/**
 * Evidence about hand-overs, rules 22 to 27, in the world of evidence-moves.ts: what was handed over to the second version of
 * the manifest, and back to the third. Guilty and innocent variants, all with true signatures.
 */
import * as twin from '../twin/index.js';
import { named } from '../worlds.js';
import { type EvidenceCase, linkOf, oneOf, rowOf, stillOf } from './evidence-leaves.js';
import { Moves, newKeyOf } from './evidence-moves.js';
import { pages, subjectOf, witnessOf } from './evidence-stages.js';
import {
  bytesOf,
  type Client,
  type Epoch,
  type EvidenceWorld,
  Log,
  list2Of,
  listOf,
  openedOf,
  pathOf,
  saidBy,
  statementOf,
} from './evidence-world.js';

const { join, u8, u32 } = twin;

/** A leaf of a hand-over and its id. */
interface Handed {
  id: Buffer;
  leaf: Buffer;
}

interface Made {
  role: number;
  from?: number;
  to?: number;
  /** Which version it moves to. */
  version?: number;
  /** The log, and how much of it is before. */
  log: Log;
  size?: number;
  leaves: Handed[];
  fields?: Partial<twin.HandOverFields>;
}

const NOBODY = { epoch: 0n, inbox: 0, index: 0 };
const OTHERS = 5;

class HandOvers {
  /** Clients at inbox 0 and outbox 0 by id; of them the one in the middle is who the evidence is about. */
  readonly clients: Client[];
  readonly id: Buffer;
  readonly client: Client;

  constructor(
    readonly world: EvidenceWorld,
    readonly moves: Moves,
  ) {
    const all = Array.from({ length: OTHERS }, (_, n) => world.client(0, 0, n));
    this.clients = all.sort((a, b) => Buffer.compare(a.id, b.id));
    this.client = this.clients[2]!;
    this.id = this.client.id;
  }

  mailbox(lastEpoch: bigint, total: bigint, head = named('head'), id = this.id): Handed {
    return { id, leaf: twin.handedMailbox(id, lastEpoch, total, head) };
  }

  sender(counter: bigint, place: twin.Place, id = this.id): Handed {
    return { id, leaf: twin.handedSender(id, counter, place) };
  }

  /** Of everybody; of the one that it is about this, or nothing. */
  leaves(role: number, own: Handed | null): Handed[] {
    return this.clients.flatMap(({ id }) => {
      if (id === this.id) return own ? [own] : [];
      const place = { epoch: 2n, inbox: 0, index: this.clients.findIndex((each) => each.id === id) };
      return [role === 1 ? this.sender(2n, place, id) : this.mailbox(2n, 2n, named('head'), id)];
    });
  }

  /** Signed bytes. */
  signed({
    role,
    from = 0,
    to = 1,
    version = 2,
    log,
    size = log.epochs.length,
    leaves,
    fields,
  }: Made): Buffer {
    const before = log.epochs[size - 1]!;
    return twin.handOverSigned({
      serverId: this.world.serverId,
      manifestHash: twin.manifestHash(this.moves.manifests[version - 1]!.bytes),
      placementRoot: twin.placementRoot([]),
      ...{ role, from, to },
      log: { size: BigInt(size), root: twin.root(log.hashes.slice(0, size)) },
      lastEpoch: before.leaf.readBigUInt64BE(9),
      leaves: leaves.length,
      root: twin.root(leaves.map(({ leaf }) => twin.H(leaf))),
      ...fields,
    });
  }

  /** A hand-over, signed by the one or the other. */
  handOver(made: Made, side: number, secret?: Buffer): Buffer {
    const { role, from = 0, to = 1 } = made;
    const signed = this.signed(made);
    const key = secret ?? this.world.secret(role, side === 0 ? from : to);
    return join(bytesOf(signed), twin.sign(key, signed));
  }

  /** With these of its leaves; those of the id unless told. */
  shown(made: Made, side: number, at = this.around(made.leaves), secret?: Buffer): Buffer {
    const hashes = made.leaves.map(({ leaf }) => twin.H(leaf));
    const leaves = at.map((index) =>
      join(bytesOf(made.leaves[index]!.leaf), u32(index), pathOf(twin.inclusionPath(index, hashes))),
    );
    return join(this.handOver(made, side, secret), listOf(leaves));
  }

  /** Its leaf, or the two beside it. */
  private around(leaves: Handed[]): number[] {
    const own = leaves.findIndex(({ id }) => id === this.id);
    if (own >= 0) return [own];
    const behind = leaves.findIndex(({ id }) => Buffer.compare(id, this.id) > 0);
    return [behind - 1, behind].filter((index) => index >= 0 && index < leaves.length);
  }

  make(name: string, rule: number, expected: string, parts: Buffer[], last = 150n): EvidenceCase {
    return this.moves.make(name, rule, expected, last, parts);
  }

  // ---- the old one

  /** A leaf of the mailbox in epoch 7 by outbox 0, behind an epoch 5; and what it hands over. */
  private chain(leaf: Buffer): Log {
    const nothing = { outputs: [{ entries: 0, leaves: [] }] };
    const entries = leaf.subarray(0, 9).equals(join(u8(0), twin.ascii('csign1li'))) ? 1 : 0;
    return this.moves.log([
      { epoch: 5n, by: '4.0', made: nothing },
      { epoch: 7n, by: '4.0', made: oneOf(entries, [leaf]) },
      { epoch: 9n, by: '4.0', made: nothing },
    ]);
  }

  falseMailbox(
    name: string,
    expected: string,
    told: Handed | null,
    {
      leaf = this.link,
      made = {},
      claimAt = 3,
      side = 0,
      id = this.id,
      more = {},
    }: {
      leaf?: Buffer;
      made?: Partial<Made>;
      claimAt?: number;
      side?: number;
      id?: Buffer;
      more?: { row?: number; messages?: Buffer[] };
    } = {},
  ): EvidenceCase {
    const log = this.chain(leaf);
    const claim = log.claim(saidBy(log.epochs[1]!, 4, 0), 0, 0, claimAt);
    const whole = { role: 4, log, leaves: this.leaves(4, told), ...made };
    const sizes = [claimAt, whole.size ?? 3].sort() as [number, number];
    const { row = 0, messages = [] } = more;
    return this.make(name, 24, expected, [
      id,
      claim,
      u8(row),
      listOf(messages),
      this.shown(whole, side),
      log.bridge(...sizes),
    ]);
  }

  private get link(): Buffer {
    return linkOf({ mailbox: this.id, epoch: 7n, previousEpoch: 3n, total: 4n });
  }

  private get still(): Buffer {
    return stillOf({ mailbox: this.id, epoch: 7n, lastEpoch: 3n, total: 4n, head: named('head') });
  }

  mailboxCases(): EvidenceCase[] {
    const { link, still } = this;
    const unless = (guilty: string) => (this.moves.kind === 'all' ? guilty : 'nothing');
    const own = twin.H(link);
    const guilty = unless('actor 4.0');
    const first = linkOf({
      mailbox: this.id,
      epoch: 7n,
      part: 0,
      parts: 2,
      entries: 64,
      previousEpoch: 3n,
      total: 68n,
    });
    return [
      this.falseMailbox('what is handed over is true', 'nothing', this.mailbox(7n, 4n, own)),
      this.falseMailbox('a link is left out', guilty, this.mailbox(3n, 3n)),
      this.falseMailbox('another total', guilty, this.mailbox(7n, 5n, own)),
      this.falseMailbox('another head', guilty, this.mailbox(7n, 4n)),
      this.falseMailbox('a link that there was not', guilty, this.mailbox(5n, 4n)),
      this.falseMailbox('a link behind that adds nothing', guilty, this.mailbox(9n, 4n)),
      this.falseMailbox('a link behind that adds one', 'nothing', this.mailbox(9n, 5n)),
      this.falseMailbox('the mailbox is left out', guilty, null),
      this.falseMailbox('everybody is left out', guilty, null, { made: { leaves: [] } }),
      this.falseMailbox('of a still it is true', 'nothing', this.mailbox(3n, 4n), { leaf: still }),
      this.falseMailbox('of a still another head', guilty, this.mailbox(3n, 4n, named('x')), { leaf: still }),
      this.falseMailbox('of an empty still nothing is handed over', 'nothing', null, {
        leaf: stillOf({ mailbox: this.id, epoch: 7n }),
      }),
      this.falseMailbox('of a link with a part behind fewer entries', guilty, this.mailbox(7n, 68n), {
        leaf: first,
      }),
      this.falseMailbox('of a link with a part behind as many as may be', 'nothing', this.mailbox(7n, 132n), {
        leaf: first,
      }),
      this.falseMailbox('under a later checkpoint', guilty, this.mailbox(3n, 3n), { made: { size: 2 } }),
      this.falseMailbox('under an earlier checkpoint', guilty, this.mailbox(3n, 3n), { claimAt: 2 }),
      this.falseMailbox('the epoch is behind the hand-over', 'nothing', this.mailbox(3n, 3n), {
        made: { size: 1 },
      }),
      this.falseMailbox('of another log', 'nothing', this.mailbox(3n, 3n), {
        made: { fields: { log: { size: 3n, root: named('fork') } } },
      }),
      this.falseMailbox('of another log of another size', 'nothing', this.mailbox(3n, 3n), {
        made: { fields: { log: { size: 4n, root: named('fork') } } },
      }),
      this.falseMailbox('signed by who takes over', 'nothing', this.mailbox(3n, 3n), { side: 1 }),
      this.falseMailbox('of another id', 'nothing', this.mailbox(3n, 3n), { id: this.clients[1]!.id }),
      this.falseMailbox('with a row', 'nothing', this.mailbox(3n, 3n), { more: { row: 1 } }),
      this.falseMailbox('with a message', 'nothing', this.mailbox(3n, 3n), {
        more: {
          messages: [this.world.preimage(this.world.message(this.client, 1n, [this.client]))].map(bytesOf),
        },
      }),
      this.falseMailbox('by exceptions', 'nothing', this.mailbox(3n, 3n), {
        made: { fields: { placementRoot: named('exceptions') } },
      }),
      this.falseMailbox('to another outbox', 'nothing', this.mailbox(3n, 3n), { made: { to: 2 } }),
      this.falseMailbox('with leaves of another root', 'nothing', this.mailbox(3n, 3n), {
        made: { fields: { root: named('root') } },
      }),
      this.awayAndBack(),
      this.onAnotherBase(),
      this.falseMailbox('on another server', 'nothing', this.mailbox(3n, 3n), {
        made: { fields: { serverId: named('server') } },
      }),
      this.falseMailbox('to the first version', 'nothing', this.mailbox(3n, 3n), { made: { version: 1 } }),
    ];
  }

  /** Of outbox 1, which hands it over from the second version on, a leaf of the first: it had not got it then. */
  private awayAndBack(): EvidenceCase {
    const log = this.moves.log([
      { epoch: 7n, by: '4.1', made: oneOf(1, [this.link]) },
      { epoch: 150n, by: '4.1', made: oneOf(0, []) },
    ]);
    const claim = log.claim(saidBy(log.epochs[0]!, 4, 1), 0, 0);
    const made = { role: 4, log, from: 1, to: 0, version: 3, leaves: this.leaves(4, this.mailbox(3n, 3n)) };
    const parts = [this.id, claim, u8(0), u8(0), this.shown(made, 0), u8(0)];
    return this.make('a leaf of before another move', 24, 'nothing', parts, 205n);
  }

  /** An epoch that was aborted, and logged late. */
  private onAnotherBase(): EvidenceCase {
    const { world, moves } = this;
    const stages = world.stages(7n, []);
    stages.set('4.0', oneOf(1, [this.link]));
    const manifestHash = twin.manifestHash(moves.manifests[0]!.bytes);
    const base = { size: 0n, root: twin.root([]) };
    const [first] = moves.log([{ epoch: 5n, by: '4.0', made: oneOf(0, []) }]).epochs;
    const late = world.epoch(7n, stages, { manifestHash, base }, { previousEpoch: 5n });
    const log = new Log(world, [first!, late]);
    const claim = log.claim(saidBy(late, 4, 0), 0, 0);
    const made = { role: 4, log, leaves: this.leaves(4, this.mailbox(3n, 3n)) };
    const parts = [this.id, claim, u8(0), u8(0), this.shown(made, 0), u8(0)];
    return this.make('an epoch that is not on its log', 24, 'nothing', parts);
  }

  /** A row of inbox 0 in epoch 7, and what is handed over. */
  falseSender(
    name: string,
    expected: string,
    counter: bigint,
    told: Handed | null,
    sender = this.client,
    index = 1,
  ): EvidenceCase {
    const message = this.world.message(sender, counter, [this.client]);
    const preimage = this.world.preimage(message);
    const before = Array.from({ length: index }, (_, i) => rowOf(named(`filler ${i}`)));
    const pages = twin.inboxPages([...before, rowOf(twin.H(preimage), { epoch: 5n, inbox: 0, index: 0 })]);
    const log = this.moves.log([
      { epoch: 7n, by: '1.0', made: oneOf(index + 1, pages) },
      { epoch: 9n, by: '1.0', made: oneOf(0, []) },
    ]);
    const [page, row] = [Math.floor(index / 64), index % 64];
    const claim = log.claim(saidBy(log.epochs[0]!, 1, 0), 0, page);
    const made = { role: 1, log, leaves: this.leaves(1, told) };
    const parts = [this.id, claim, u8(row), listOf([bytesOf(preimage)]), this.shown(made, 0), u8(0)];
    return this.make(name, 24, expected, parts);
  }

  senderCases(): EvidenceCase[] {
    const guilty = this.moves.kind === 'all' ? 'actor 1.0' : 'nothing';
    const at = (index: number, epoch = 7n) => ({ epoch, inbox: 0, index });
    const other = this.clients[1]!;
    return [
      this.falseSender('the last counter', 'nothing', 4n, this.sender(4n, at(1))),
      this.falseSender('a counter before the last', guilty, 4n, this.sender(3n, at(0, 5n))),
      this.falseSender('the last counter at another place', guilty, 4n, this.sender(4n, at(2))),
      this.falseSender('a later counter behind', 'nothing', 4n, this.sender(6n, at(0, 9n))),
      this.falseSender('a later counter at that place', guilty, 4n, this.sender(6n, at(1))),
      this.falseSender('a lower counter at that place', guilty, 4n, this.sender(3n, at(1))),
      this.falseSender('of the second page', 'nothing', 4n, this.sender(4n, at(65)), this.client, 65),
      this.falseSender('of the second page, elsewhere', guilty, 4n, this.sender(4n, at(2)), this.client, 65),
      this.falseSender('the sender is left out', guilty, 4n, null),
      this.falseSender('the place of another sender', guilty, 4n, this.sender(4n, at(1)), other),
      this.falseSender('another sender at another place', 'nothing', 4n, this.sender(4n, at(0)), other),
    ];
  }

  // ---- the new one

  private get before(): Log {
    return this.moves.log([{ epoch: 7n, by: '4.0', made: oneOf(0, []) }]);
  }

  /** A leaf of the mailbox by outbox 1 in an epoch of the second version. */
  falseTaken(
    name: string,
    expected: string,
    leaf: Buffer,
    told: Handed | null,
    {
      epoch = 150n,
      side = 1,
      outbox = 1,
      at,
      row = 0,
      leaves = this.leaves(4, told),
    }: {
      epoch?: bigint;
      side?: number;
      outbox?: number;
      at?: number[];
      row?: number;
      leaves?: Handed[];
    } = {},
  ): EvidenceCase {
    const said = this.moves.say(4, outbox, epoch, oneOf(1, [leaf]));
    const made = { role: 4, log: this.before, leaves };
    const parts = [this.shown(made, side, at), openedOf(said, 0, 0), u8(row), u8(0)];
    return this.make(name, 25, expected, parts, epoch > 150n ? epoch : 150n);
  }

  takenCases(): EvidenceCase[] {
    const guilty = this.moves.kind === 'all' ? 'actor 4.1' : 'nothing';
    const link = (previousEpoch: bigint, total: bigint, previousHead = named('head'), epoch = 150n) =>
      linkOf({ mailbox: this.id, epoch, previousEpoch, total, previousHead });
    const told = this.mailbox(5n, 3n);
    const first = linkOf({ mailbox: this.id, epoch: 150n });
    const part = linkOf({ mailbox: this.id, epoch: 150n, part: 1, previousEpoch: 5n, total: 68n });
    const still = stillOf({ mailbox: this.id, epoch: 150n, lastEpoch: 3n, total: 2n });
    const others = this.leaves(4, null);
    const [below, above] = [others.slice(0, 2), others.slice(2)];
    const goesOn = (name: string, expected: string, at: number[], leaves: Handed[]) =>
      this.falseTaken(`of ${name} shown`, expected, link(5n, 4n), null, { at, leaves });
    return [
      goesOn('none handed over, the last leaf, below it', guilty, [1], below),
      goesOn('none handed over, the first leaf, above it', guilty, [0], above),
      goesOn('leaves below, the first', 'nothing', [0], below),
      goesOn('leaves above, the last', 'nothing', [1], above),
      goesOn('two leaves below', 'nothing', [0, 1], others),
      goesOn('two leaves above', 'nothing', [2, 3], others),
      goesOn('its leaf and the one before', 'nothing', [1, 2], this.leaves(4, told)),
      goesOn('its leaf and the next one', 'nothing', [2, 3], this.leaves(4, told)),
      this.falseTaken('it goes on', 'nothing', link(5n, 4n), told),
      this.falseTaken('it goes on with a later part', 'nothing', part, told),
      this.falseTaken('it goes on from less', guilty, link(3n, 4n), told),
      this.falseTaken('it begins anew', guilty, first, told),
      this.falseTaken('another total', guilty, link(5n, 5n), told),
      this.falseTaken('another head', guilty, link(5n, 4n, named('x')), told),
      this.falseTaken('a link that there was not', guilty, link(7n, 5n), told),
      this.falseTaken('a link since then', 'nothing', link(120n, 5n), told),
      this.falseTaken('a link since then that adds nothing', guilty, link(120n, 4n), told),
      this.falseTaken('a still from less', guilty, still, told),
      this.falseTaken('nothing was handed over, and it begins', 'nothing', first, null),
      this.falseTaken('nothing was handed over, and there was a link', guilty, link(5n, 4n), null),
      this.falseTaken(
        'nothing was handed over, and there is a link since then',
        'nothing',
        link(120n, 4n),
        null,
      ),
      this.falseTaken('signed by who hands over', 'nothing', first, told, { side: 0 }),
      this.falseTaken('by another outbox', 'nothing', first, told, { outbox: 0 }),
      this.falseTaken('before the move', 'nothing', link(3n, 4n, named('x'), 50n), told, { epoch: 50n }),
      this.falseTaken('with the mailbox moved back', 'nothing', link(3n, 4n, named('x'), 205n), told, {
        epoch: 205n,
      }),
      this.falseTaken('the leaf beside it', 'nothing', first, told, { at: [1] }),
      this.falseTaken('the leaves beside it', 'nothing', first, told, { at: [1, 3] }),
      this.falseTaken('the first leaf, which is below', 'nothing', link(5n, 4n), null, { at: [0] }),
      this.falseTaken('no leaf', 'nothing', link(5n, 4n), null, { at: [] }),
      this.falseTaken('leaves far apart', 'nothing', link(5n, 4n), null, { at: [0, 3] }),
      this.falseTaken('a leaf above, which is not the first', 'nothing', link(5n, 4n), null, { at: [2] }),
      this.falseTaken('with a row', 'nothing', first, told, { row: 1 }),
    ];
  }

  /** A row of inbox 1 in epoch 150. */
  falseRow(
    name: string,
    expected: string,
    counter: bigint,
    previous: twin.Place,
    told: Handed | null,
  ): EvidenceCase {
    const preimage = this.world.preimage(this.world.message(this.client, counter, [this.client]));
    const said = this.moves.say(1, 1, 150n, oneOf(1, twin.inboxPages([rowOf(twin.H(preimage), previous)])));
    const made = { role: 1, log: this.before, leaves: this.leaves(1, told) };
    const parts = [this.shown(made, 1), openedOf(said, 0, 0), u8(0), listOf([bytesOf(preimage)])];
    return this.make(name, 25, expected, parts);
  }

  rowCases(): EvidenceCase[] {
    const guilty = this.moves.kind === 'all' ? 'actor 1.1' : 'nothing';
    const at = (epoch: bigint) => ({ epoch, inbox: 0, index: 3 });
    const told = this.sender(4n, at(5n));
    return [
      this.falseRow('the next counter behind the last place', 'nothing', 5n, at(5n), told),
      this.falseRow('behind a place of the last epoch', 'nothing', 5n, at(7n), this.sender(4n, at(7n))),
      this.falseRow('the next counter behind another place', guilty, 5n, at(3n), told),
      this.falseRow('another counter behind the last place', guilty, 6n, at(5n), told),
      this.falseRow('a counter again', guilty, 4n, at(3n), told),
      this.falseRow('a counter behind one since then', 'nothing', 6n, at(120n), told),
      this.falseRow('the next counter behind one since then', guilty, 5n, at(120n), told),
      this.falseRow('the first of a sender', 'nothing', 1n, NOBODY, null),
      this.falseRow('the first of a sender that has sent before', guilty, 1n, NOBODY, told),
      this.falseRow('not the first of one that has sent nothing', guilty, 5n, at(5n), null),
    ];
  }

  // ---- both

  /** Receiver 0 has a message in epoch 7 for the mailbox, outbox 0 consumed it. */
  lost(
    name: string,
    expected: string,
    told: Handed | null,
    size = 2,
    bare = true,
    fields: Partial<twin.HandOverFields> = {},
  ): EvidenceCase {
    const { world } = this;
    const item = { mailbox: this.id, inbox: 0, index: 0, messageHash: named('message') };
    const log = this.moves.log([
      { epoch: 7n, by: '3.0', made: { outputs: pages('csign1re', [[item]]) } },
      { epoch: 9n, by: '4.0', made: oneOf(0, []) },
    ]);
    const [receiver, consumer] = [saidBy(log.epochs[0]!, 3, 0), saidBy(log.epochs[0] as Epoch, 4, 0)];
    const made = { role: 4, log, size, leaves: this.leaves(4, told), fields };
    const message = world.preimage(world.message(this.client, 1n, [this.client]));
    return this.make(name, 26, expected, [
      subjectOf({ mailbox: this.id, ...(bare ? {} : { message }) }),
      witnessOf(receiver),
      statementOf(consumer),
      log.committed(consumer),
      list2Of([receiver.hash]),
      this.shown(made, 0),
      log.bridge(size, 2),
    ]);
  }

  lostCases(): EvidenceCase[] {
    const guilty = this.moves.kind === 'all' ? 'actor 4.0' : 'nothing';
    return [
      this.lost('a message was lost', guilty, this.mailbox(5n, 2n)),
      this.lost('a message was lost, and the mailbox', guilty, null),
      this.lost('a message was lost, under a later checkpoint', guilty, this.mailbox(5n, 2n), 1),
      this.lost('it is there', 'nothing', this.mailbox(7n, 2n)),
      this.lost('of another log', 'nothing', this.mailbox(5n, 2n), 2, true, {
        log: { size: 2n, root: named('fork') },
      }),
      this.lost('with a message', 'nothing', this.mailbox(5n, 2n), 2, false),
    ];
  }

  /** Taken over by the second version from 0, handed back by the third to 0: by actor 1 of the role. */
  handedOn(
    name: string,
    expected: string,
    role: number,
    was: Handed | null,
    is: Handed | null,
  ): EvidenceCase {
    const log = this.moves.log([
      { epoch: 7n, by: '4.0', made: oneOf(0, []) },
      { epoch: 150n, by: '4.1', made: oneOf(0, []) },
    ]);
    const first = { role, log, size: 1, leaves: this.leaves(role, was) };
    const second = { role, log, from: 1, to: 0, version: 3, leaves: this.leaves(role, is) };
    const parts = [this.id, this.shown(first, 1), this.shown(second, 0)];
    return this.make(name, 27, expected, parts, 205n);
  }

  handedOnCases(): EvidenceCase[] {
    const unless = (guilty: string) => (this.moves.kind === 'all' ? guilty : 'nothing');
    const mailbox = (
      name: string,
      is: Handed | null,
      isGood = false,
      was: Handed | null = this.mailbox(5n, 3n),
    ) => this.handedOn(name, isGood ? 'nothing' : unless('actor 4.1'), 4, was, is);
    const sender = (
      name: string,
      is: Handed | null,
      isGood = false,
      was: Handed | null = this.sender(4n, at(5n)),
    ) => this.handedOn(name, isGood ? 'nothing' : unless('actor 1.1'), 1, was, is);
    const at = (epoch: bigint) => ({ epoch, inbox: 0, index: 3 });
    return [
      mailbox('a mailbox as it was', this.mailbox(5n, 3n), true),
      mailbox('a mailbox with a link since then', this.mailbox(120n, 4n), true),
      mailbox('a mailbox with another head', this.mailbox(5n, 3n, named('x'))),
      mailbox('a mailbox with less', this.mailbox(3n, 2n)),
      mailbox('a mailbox with a link of before', this.mailbox(7n, 4n)),
      mailbox('a mailbox is left out', null),
      mailbox('a mailbox from nothing', this.mailbox(5n, 3n), false, null),
      mailbox('a mailbox that began since then', this.mailbox(120n, 3n), true, null),
      sender('a sender as it was', this.sender(4n, at(5n)), true),
      sender('a sender with a counter since then', this.sender(5n, at(120n)), true),
      sender('a sender at another place', this.sender(4n, at(6n))),
      sender('a sender with a lower counter', this.sender(3n, at(5n))),
      sender('a sender with a counter of before', this.sender(5n, at(6n))),
      sender('a sender with a counter of the last epoch before', this.sender(5n, at(7n))),
      sender('a sender with a lower counter since then', this.sender(3n, at(120n))),
      sender('a sender is left out', null),
      sender('a sender that began since then', this.sender(5n, at(120n)), true, null),
    ];
  }

  // ---- by themselves

  twoCases(): EvidenceCase[] {
    const log = this.before;
    const base = { role: 4, log, leaves: this.leaves(4, null) };
    const two = (
      name: string,
      expected: string,
      a: Made,
      b: Made,
      side: number,
      isSorted = true,
      last = 150n,
    ) => {
      const both = [a, b].sort((x, y) => Buffer.compare(this.signed(x), this.signed(y)));
      const [first, second] = isSorted ? both : both.reverse();
      return this.make(
        name,
        22,
        expected,
        [u8(side), this.handOver(first!, side), this.handOver(second!, side)],
        last,
      );
    };
    const other = { ...base, leaves: this.leaves(4, this.mailbox(5n, 3n)) };
    const longer = { ...other, fields: { log: { size: 2n, root: named('log') } } };
    const fork = { ...other, fields: { log: { size: 1n, root: named('log') } } };
    return [
      two('two, by who hands over', 'actor 4.0', base, other, 0),
      two('two, by who takes over', 'actor 4.1', base, other, 1),
      two('one, twice', 'nothing', base, base, 0),
      two('two, the higher first', 'nothing', base, other, 0, false),
      two('at two logs', 'nothing', base, longer, 0),
      two('at two logs of one size', 'nothing', base, fork, 0),
      two(
        'at two logs of one root',
        'nothing',
        base,
        {
          ...other,
          fields: { log: { size: 2n, root: twin.root(log.hashes) } },
        },
        0,
      ),
      two('from two, to one', 'nothing', base, { ...other, from: 2 }, 1),
      two('from one, to two', 'nothing', base, { ...other, to: 2 }, 0),
      two('to two versions', 'nothing', base, { ...other, version: 3 }, 0, true, 205n),
      two('of two roles', 'nothing', base, { ...base, role: 1 }, 0),
      two('from another', 'nothing', base, { ...other, from: 1, to: 0 }, 0),
      two('by neither side', 'nothing', base, other, 2),
    ];
  }

  malformedCases(): EvidenceCase[] {
    const log = this.before;
    const isAll = this.moves.kind === 'all';
    const one = (name: string, guilty: string | null, made: Partial<Made>, at: number[] = [], side = 0) => {
      const whole = { role: 4, log, leaves: this.leaves(4, this.mailbox(5n, 3n)), ...made };
      return this.make(name, 23, guilty ?? 'nothing', [u8(side), this.shown(whole, side, at)]);
    };
    const sorted = this.leaves(4, this.mailbox(5n, 3n));
    const [a, b] = sorted as [Handed, Handed];
    const fields = (changed: Partial<twin.HandOverFields>) => ({ fields: changed });
    const stranger = this.world.client(0, 1).id;
    const only = (leaf: Handed) => ({ leaves: [leaf] });
    const sender = (counter: bigint, epoch: bigint) => ({
      role: 1,
      leaves: [this.sender(counter, { epoch, inbox: 0, index: 0 })],
    });
    // Nobody is moved, so nobody has a leaf.
    const unless = isAll ? null : 'actor 4.0';
    const unlessInbox = isAll ? null : 'actor 1.0';
    return [
      one('nothing is wrong', null, {}),
      one('nothing is wrong with a leaf', unless, {}, [1]),
      one('nothing is wrong with two', null, {}, [1, 2]),
      one('to itself', 'actor 4.0', { to: 0 }),
      one('to an actor that there is not', 'actor 4.0', { to: 2 }),
      one('from an actor that there is not', 'actor 4.1', { from: 2 }, [], 1),
      one('without leaves', null, { leaves: [] }),
      one('without leaves and with a root', 'actor 4.0', { leaves: [], fields: { root: named('root') } }),
      one('of an empty log and no epoch', null, {
        leaves: [],
        fields: { log: { size: 0n, root: twin.root([]) }, lastEpoch: 0n },
      }),
      one('of an empty log with another root and no epoch', 'actor 4.0', {
        leaves: [],
        fields: { log: { size: 0n, root: named('root') }, lastEpoch: 0n },
      }),
      one('of an empty log', 'actor 4.0', fields({ log: { size: 0n, root: named('log') } })),
      one('of no epoch', 'actor 4.0', fields({ lastEpoch: 0n })),
      one('of an epoch of the version', 'actor 4.0', fields({ lastEpoch: 101n })),
      one('of the last epoch before the version', null, fields({ lastEpoch: 100n })),
      one('by exceptions', null, { to: 0, fields: { placementRoot: named('exceptions') } }),
      one('ids that fall', 'actor 4.0', { leaves: [b, a] }, [0, 1]),
      one('ids that fall, by who took over', 'actor 4.1', { leaves: [b, a] }, [0, 1], 1),
      one('an id twice', 'actor 4.0', { leaves: [a, a] }, [0, 1]),
      one('ids that fall, apart', null, { leaves: [b, sorted[2]!, a] }, [0, 2]),
      one(
        'a leaf of the other role',
        'actor 4.0',
        only(this.sender(4n, { epoch: 5n, inbox: 0, index: 0 })),
        [0],
      ),
      one('what is no leaf', 'actor 4.0', only({ id: this.id, leaf: named('leaf') }), [0]),
      one(
        'two, of which one is no leaf',
        null,
        { leaves: [a, { id: this.id, leaf: named('leaf') }] },
        [0, 1],
      ),
      one('an id of another outbox', 'actor 4.0', only(this.mailbox(5n, 3n, named('head'), stranger)), [0]),
      one('a mailbox without entries', 'actor 4.0', only(this.mailbox(5n, 0n)), [0]),
      one('a mailbox without an epoch', 'actor 4.0', only(this.mailbox(0n, 3n)), [0]),
      one('a mailbox of a later epoch', 'actor 4.0', only(this.mailbox(8n, 3n)), [0]),
      one('a mailbox of the last epoch', unless, only(this.mailbox(7n, 3n)), [0]),
      one('a sender', unlessInbox, sender(4n, 7n), [0]),
      one('a sender without a counter', 'actor 1.0', sender(0n, 7n), [0]),
      one('a sender without a place', 'actor 1.0', sender(4n, 0n), [0]),
      one('a sender at a later place', 'actor 1.0', sender(4n, 8n), [0]),
      one('of a role that hands nothing over', null, { role: 3, to: 0 }),
      one('by neither side', null, { to: 0 }, [], 2),
    ];
  }

  /** Where an id goes to another outbox, and stays at its inbox. */
  ofOneRole(): EvidenceCase[] {
    const { id } = this.world.client(1, 1);
    const one = (name: string, expected: string, role: number, leaf: Handed) => {
      const made = { role, log: this.before, from: 1, to: 0, leaves: [leaf] };
      return this.make(name, 23, expected, [u8(0), this.shown(made, 0, [0])]);
    };
    const place = { epoch: 5n, inbox: 1, index: 0 };
    return [
      one('a mailbox of who stays at its inbox', 'nothing', 4, this.mailbox(5n, 3n, named('head'), id)),
      one('a sender whose mailbox alone is moved', 'actor 1.1', 1, this.sender(4n, place, id)),
    ];
  }

  /** Each side signs by the key that it has in its own of the two versions. */
  ofNewKeys(): EvidenceCase[] {
    const one = (role: number, side: number, isNew: boolean) => {
      const key = isNew ? newKeyOf(role, side).secret : this.world.secret(role, side);
      const fields = { leaves: 0, root: named('root') };
      const made = { role, log: this.before, leaves: [], fields };
      const isOwn = isNew === (side === 1);
      const name = `a root of no leaves by side ${side} of role ${role}, ${isNew ? 'its new' : 'its old'} key`;
      const parts = [u8(side), this.shown(made, side, [], key)];
      return this.make(name, 23, isOwn ? `actor ${role}.${side}` : 'nothing', parts);
    };
    return [1, 4].flatMap((role) =>
      [0, 1].flatMap((side) => [false, true].map((isNew) => one(role, side, isNew))),
    );
  }

  all(): EvidenceCase[] {
    return [
      ...this.mailboxCases(),
      ...this.senderCases(),
      ...this.takenCases(),
      ...this.rowCases(),
      ...this.lostCases(),
      ...this.handedOnCases(),
      ...this.twoCases(),
      ...this.malformedCases(),
    ];
  }
}

export const handOverCases = (world: EvidenceWorld): EvidenceCase[] => [
  ...(['all', 'none'] as const).flatMap((kind) => new HandOvers(world, new Moves(world, kind)).all()),
  ...new HandOvers(world, new Moves(world, 'others')).ofOneRole(),
  ...new HandOvers(world, new Moves(world, 'all', true)).ofNewKeys(),
];
