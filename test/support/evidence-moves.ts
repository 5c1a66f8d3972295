/**
 * Evidence over moves, rules 6, 7 and 17 to 20: three versions of the manifest, in force from epochs 1, 101 and 201, of
 * which the second places ids elsewhere, all of them, others than those that it is about, or none. Guilty and innocent
 * variants, all with true signatures.
 */
import * as twin from '../twin/index.js';
import { keyPair, named } from '../worlds.js';
import { caseIn, type EvidenceCase, linkOf, oneOf, rowOf, stillOf } from './evidence-leaves.js';
import { pages, subjectOf, witnessOf } from './evidence-stages.js';
import {
  bytesOf,
  type Client,
  type Epoch,
  type EvidenceWorld,
  Log,
  list2Of,
  listOf,
  type Made,
  openedOf,
  recipientOf,
  saidBy,
  statementOf,
} from './evidence-world.js';

const { join, u8 } = twin;

/** Of an inbox or outbox in the second version, where it has another one there. */
export const newKeyOf = (role: number, index: number) => keyPair(`${role}.${index} of version 2`);

/** What the second version places elsewhere: everybody, somebody else, nobody, or of Carol what she sends. */
type Kind = 'all' | 'others' | 'none' | 'carol';

/** Alice sends at inbox 0 and Bob's mailbox is at outbox 0, but in epochs 101 to 200 of `all`: there it is 1. */
export class Moves {
  readonly alice: Client;
  readonly bob: Client;
  readonly carol: Client;
  readonly manifests;

  constructor(
    readonly world: EvidenceWorld,
    readonly kind: Kind,
    /** Inboxes and outboxes have other keys from the second version on. */
    private readonly hasNewKeys = false,
  ) {
    this.alice = world.client(0, 0);
    this.bob = world.client(0, 0, 1);
    this.carol = world.client(0, 1);
    const { runs } = world.manifest;
    const elsewhere = {
      all: runs.map((run) => ({ ...run, inbox: 1 - run.inbox, outbox: 1 - run.outbox })),
      others: runs.map((run) => (run.firstBucket === 3072 ? { ...run, outbox: 0 } : run)),
      none: runs,
      carol: runs.map((run) => (run.firstBucket === 1024 ? { ...run, inbox: 1 } : run)),
    }[kind];
    const second = this.version(2, world.serverId, elsewhere);
    const third = this.version(3, twin.manifestHash(second.bytes), runs);
    this.manifests = [world.manifests[0]!, second, third];
  }

  /** A router's key says from when it is in force. */
  private version(version: number, previousHash: Buffer, runs: twin.Run[]) {
    const { world } = this;
    const from = BigInt(100 * (version - 1) + 1);
    const key = (n: number) => (n === 1 ? undefined : keyPair(`router of version ${n}`).id);
    const actors = world.manifest.actors.flatMap((actor) => {
      if (this.hasNewKeys && (actor.role === 1 || actor.role === 4)) {
        const newKey = newKeyOf(actor.role, actor.index).id;
        return [
          { ...actor, lastEpoch: 100n },
          { ...actor, key: newKey, firstEpoch: 101n },
        ];
      }
      if (actor.role !== 2 || actor.index !== 0) return [actor];
      const firstEpoch = version === 2 ? 1n : from - 100n;
      return [
        { ...actor, key: key(version - 1) ?? actor.key, firstEpoch, lastEpoch: from - 1n },
        { ...actor, key: key(version)!, firstEpoch: from },
      ];
    });
    return world.signManifest({ ...world.manifest, version, previousHash, actors, runs });
  }

  private versionAt(epoch: bigint): number {
    return epoch <= 100n ? 1 : epoch <= 200n ? 2 : 3;
  }

  private hashAt(epoch: bigint): Buffer {
    return twin.manifestHash(this.manifests[this.versionAt(epoch) - 1]!.bytes);
  }

  say(role: number, actor: number, epoch: bigint, made: Made) {
    return this.world.say(role, actor, epoch, made, [], { manifestHash: this.hashAt(epoch) });
  }

  /** Epochs of which each has one actor that makes something, and the receivers that are given. */
  log(all: { epoch: bigint; by: string; made: Made; more?: Record<string, Made> }[]): Log {
    const epochs = all.map(({ epoch, by, made, more = {} }, i): Epoch => {
      const stages = this.world.stages(epoch, []);
      for (const [name, other] of Object.entries({ ...more, [by]: made })) stages.set(name, other);
      const previousEpoch = i === 0 ? 0n : all[i - 1]!.epoch;
      return this.world.epoch(epoch, stages, { manifestHash: this.hashAt(epoch) }, { previousEpoch });
    });
    return new Log(this.world, epochs);
  }

  /** `last`: the highest epoch in it, which says how many of the manifests it rests on. */
  make(name: string, rule: number, expected: string, last: bigint, parts: Buffer[]): EvidenceCase {
    const manifests = this.manifests.slice(0, this.versionAt(last));
    const moved = `${this.kind} moved${this.hasNewKeys ? ', with new keys' : ''}`;
    return caseIn(this.world)(`${name}, ${moved}`, rule, expected, parts, manifests);
  }

  // ---- rules

  /** Rule 7: two leaves of Bob's mailbox, by outboxes 0 and `later`. */
  leaves(name: string, expected: string, epochs: [bigint, bigint], later = 0): EvidenceCase {
    const [a, b] = epochs;
    const { id: mailbox } = this.bob;
    const log = this.log([
      { epoch: a, by: '4.0', made: oneOf(1, [linkOf({ mailbox, epoch: a })]) },
      {
        epoch: b,
        by: `4.${later}`,
        made: oneOf(1, [linkOf({ mailbox, epoch: b, previousEpoch: a - 1n, total: 2n })]),
      },
    ]);
    const claims = log.epochs.map((epoch, i) => log.claim(saidBy(epoch, 4, i * later), 0, 0));
    return this.make(name, 7, expected, b, [...claims, u8(0)]);
  }

  /** Rule 6: two rows of inbox 0. */
  rows(
    name: string,
    expected: string,
    earlier: [bigint, twin.Message, twin.Place],
    later: [bigint, twin.Message, twin.Place],
  ): EvidenceCase {
    const { world } = this;
    const log = this.log(
      [earlier, later].map(([epoch, message, previous]) => ({
        epoch,
        by: '1.0',
        made: oneOf(1, twin.inboxPages([rowOf(twin.H(world.preimage(message)), previous)])),
      })),
    );
    const parts = [earlier, later].map(([, message], i) =>
      join(log.claim(saidBy(log.epochs[i]!, 1, 0), 0, 0), u8(0), bytesOf(world.preimage(message))),
    );
    return this.make(name, 6, expected, later[0], [...parts, u8(0)]);
  }

  /** Rule 20: a row of inbox 0 behind a place of its own of epoch 5, where it took in one message. */
  place(name: string, expected: string, epoch: bigint): EvidenceCase {
    const before = this.say(1, 0, 5n, oneOf(1, twin.inboxPages([rowOf(named('a'))])));
    const previous = { epoch: 5n, inbox: 0, index: 1 };
    const behind = this.say(1, 0, epoch, oneOf(1, twin.inboxPages([rowOf(named('b'), previous)])));
    return this.make(name, 20, expected, epoch, [openedOf(behind, 0, 0), u8(0), statementOf(before)]);
  }

  /** A message of Alice to Bob in epoch 7, which receiver 0 has; and later a still of Bob's without it. */
  private lost(epoch: bigint, outbox: number) {
    const { world, alice, bob } = this;
    const message = world.message(alice, 1n, [bob]);
    const preimage = world.preimage(message);
    const item = { mailbox: bob.id, inbox: 0, index: 0, messageHash: twin.H(preimage) };
    const skipping = stillOf({ mailbox: bob.id, epoch, lastEpoch: 5n, total: 3n });
    const log = this.log([
      { epoch: 7n, by: '3.0', made: { outputs: pages('csign1re', [[item]]) } },
      { epoch, by: `4.${outbox}`, made: oneOf(0, [skipping]) },
    ]);
    return { log, message, preimage };
  }

  /** Rule 17, against outbox 0. */
  later(name: string, expected: string, epoch: bigint): EvidenceCase {
    const { log } = this.lost(epoch, 0);
    const [first, second] = log.epochs as [Epoch, Epoch];
    const [receiver, consumer] = [saidBy(first, 3, 0), saidBy(first, 4, 0)];
    return this.make(name, 17, expected, epoch, [
      subjectOf({ mailbox: this.bob.id }),
      witnessOf(receiver),
      statementOf(consumer),
      log.committed(consumer),
      list2Of([receiver.hash]),
      log.claim(saidBy(second, 4, 0), 0, 0),
      u8(0),
    ]);
  }

  /** Rule 18, between receiver 0 and an outbox. */
  column(name: string, expected: string, epoch: bigint, outbox: number): EvidenceCase {
    const { log, message, preimage } = this.lost(epoch, outbox);
    const [first, second] = log.epochs as [Epoch, Epoch];
    const { id: mailbox } = this.bob;
    const part = (said: ReturnType<typeof saidBy>) => join(witnessOf(said), log.committed(said));
    return this.make(name, 18, expected, epoch, [
      subjectOf({ mailbox, message: preimage, recipients: [recipientOf(message, 0)] }),
      mailbox,
      part(saidBy(first, 3, 0)),
      part(saidBy(second, 4, outbox)),
      u8(0),
    ]);
  }

  /** Rule 18, of a message to Carol in Bob's link. */
  private stray(name: string, expected: string, epoch: bigint, outbox: number): EvidenceCase {
    const { world, alice, bob, carol } = this;
    const { id: mailbox } = bob;
    const message = world.message(alice, 1n, [carol]);
    const preimage = world.preimage(message);
    const entries = [{ inbox: 0, index: 0, messageHash: twin.H(preimage) }];
    const made = oneOf(1, [linkOf({ mailbox, epoch, entries })]);
    const log = this.log([{ epoch, by: `4.${outbox}`, made }]);
    const said = saidBy(log.epochs[0]!, 4, outbox);
    const part = join(witnessOf(said), log.committed(said));
    const about = {
      ...{ mailbox, place: { epoch, inbox: 0, index: 0 } },
      ...{ message: preimage, recipients: [recipientOf(message, 0)] },
    };
    return this.make(name, 18, expected, epoch, [subjectOf(about), mailbox, part, part, u8(0)]);
  }

  private strays(): EvidenceCase[] {
    const [old, today] =
      this.kind === 'all' ? ['nothing', 'server 2.0 3.1 4.1'] : ['server 2.0 3.0 4.0', 'nothing'];
    return [
      this.stray('a stray, of the outbox of before', old!, 150n, 0),
      this.stray('a stray, of the other outbox', today!, 150n, 1),
      this.stray('a stray, behind the moves', 'server 2.0 3.0 4.0', 205n, 0),
    ];
  }

  /** Rule 19: Alice's counters 1 and 3 in her own chain, in epoch 5 and the next link, both at inbox and outbox 0. */
  counters(name: string, expected: string, epoch: bigint): EvidenceCase {
    const { world, alice, bob } = this;
    const messages = [1n, 3n].map((counter) => world.message(alice, counter, [bob]));
    const links = messages.map((message, i) => {
      const messageHash = twin.H(world.preimage(message));
      const entries = [{ inbox: 0, index: 0, messageHash }];
      const chain = { previousEpoch: i === 0 ? 0n : 5n, total: BigInt(i + 1) };
      return linkOf({ mailbox: alice.id, epoch: i === 0 ? 5n : epoch, entries, ...chain });
    });
    const log = this.log(
      links.map((link, i) => ({ epoch: i === 0 ? 5n : epoch, by: '4.0', made: oneOf(1, [link]) })),
    );
    const claims = log.epochs.map((each) => log.claim(saidBy(each, 4, 0), 0, 0));
    const preimages = messages.map((message) => bytesOf(world.preimage(message)));
    return this.make(name, 19, expected, epoch, [alice.id, listOf(claims), u8(0), list2Of(preimages)]);
  }

  /** Two rows behind one place, of Alice and of Carol, who was elsewhere meanwhile. */
  ofOneSender(): EvidenceCase[] {
    const { world, alice, bob, carol } = this;
    const before: twin.Place = { epoch: 4n, inbox: 0, index: 0 };
    const [hers, other] = [alice, carol].map((each) => world.message(each, 5n, [bob]));
    return [
      this.rows(
        'one previous place twice, the first time by who was elsewhere',
        'nothing',
        [205n, other!, before],
        [209n, hers!, before],
      ),
      this.rows(
        'one previous place twice, the second time by who was elsewhere',
        'nothing',
        [205n, hers!, before],
        [209n, other!, before],
      ),
      this.rows(
        'one previous place of before, twice',
        'actor 1.0',
        [5n, other!, before],
        [50n, hers!, before],
      ),
    ];
  }

  all(): EvidenceCase[] {
    const { world, alice, bob, carol, kind } = this;
    const isMoved = kind === 'all';
    const unless = (guilty: string) => (isMoved ? 'nothing' : guilty);
    const before: twin.Place = { epoch: 4n, inbox: 0, index: 0 };
    const start: twin.Place = { ...before, epoch: 5n };
    const of = (counter: bigint, body = 'text') => world.message(alice, counter, [bob], body);
    const afterwards = { ...before, epoch: 201n };
    return [
      this.leaves('leaves that disagree, away and back', unless('actor 4.0'), [5n, 205n]),
      this.leaves('leaves that disagree, behind all moves', 'actor 4.0', [205n, 209n]),
      this.leaves('leaves that disagree, by two outboxes', 'nothing', [5n, 150n], 1),
      this.rows(
        'a counter twice, away and back',
        unless('actor 1.0'),
        [5n, of(4n), before],
        [205n, of(4n, 'x'), start],
      ),
      this.rows(
        'a counter left out, away and back',
        unless('actor 1.0'),
        [5n, of(4n), before],
        [205n, of(6n), start],
      ),
      this.rows(
        'a counter twice, behind all moves',
        'actor 1.0',
        [205n, of(4n), before],
        [209n, of(4n, 'x'), start],
      ),
      this.rows(
        'the place of another sender, away and back',
        unless('actor 1.0'),
        [5n, world.message(carol, 4n, [bob]), before],
        [205n, of(5n), start],
      ),
      this.rows(
        'one previous place of before the moves, twice',
        unless('actor 1.0'),
        [205n, world.message(bob, 7n, [bob]), before],
        [209n, of(5n), before],
      ),
      this.rows(
        'one previous place of behind them, twice',
        'actor 1.0',
        [205n, world.message(bob, 7n, [bob]), afterwards],
        [209n, of(5n), afterwards],
      ),
      // Whose row it is is not opened: any bucket that was moved may be its.
      this.place('behind a place with nothing, over moves', kind === 'none' ? 'actor 1.0' : 'nothing', 205n),
      this.place('behind a place with nothing, over one', kind === 'none' ? 'actor 1.0' : 'nothing', 150n),
      this.place('behind a place with nothing, before them', 'actor 1.0', 50n),
      this.later('a message passed over, away and back', unless('actor 4.0'), 205n),
      this.later('a message passed over, before the moves', 'actor 4.0', 50n),
      this.column(
        'a message passed over by the outbox of today',
        isMoved ? 'server 2.0 3.0 4.0 4.1' : 'nothing',
        150n,
        1,
      ),
      this.column(
        'a message passed over, with both outboxes',
        isMoved ? 'server 2.0 3.0 4.0 4.1' : 'server 2.0 3.0 4.0',
        205n,
        0,
      ),
      ...this.strays(),
      this.counters('own counters, away and back', unless('server 1.0 2.0 3.0 4.0'), 205n),
      this.counters('own counters, before the moves', 'server 1.0 2.0 3.0 4.0', 50n),
    ];
  }
}

export const moveCases = (world: EvidenceWorld): EvidenceCase[] => [
  ...(['all', 'others', 'none'] as const).flatMap((kind) => new Moves(world, kind).all()),
  ...new Moves(world, 'carol').ofOneSender(),
];
