/**
 * A small server whose actors sign what the test tells them to: two inboxes, two routers, two receivers, two outboxes and
 * a sequencer. Epochs are those of the twin until somebody changes what an actor makes.
 */
import * as twin from '../twin/index.js';
import { keyPair, named } from '../worlds.js';

const { join, u8, u16, u32, u64 } = twin;

export interface Client {
  readonly secret: Buffer;
  readonly id: Buffer;
}

/** What one actor makes in an epoch; whatever is left out is as an honest one would have it. */
export interface Made {
  outputs: { entries: number; leaves: Buffer[]; root?: Buffer; count?: number }[];
  inputs?: Buffer[];
  /** Other fields of the attestation. */
  fields?: Partial<twin.Attestation>;
  /** Signs in its place. */
  secret?: Buffer;
}

/** By `role.actor`. */
export type Stages = Map<string, Made>;

export interface Said {
  role: number;
  actor: number;
  signed: Buffer;
  signature: Buffer;
  hash: Buffer;
  made: Made;
}

export interface Epoch {
  saids: Said[];
  leaf: Buffer;
  /** The same on a base; null where a case has said which. */
  onBase?: ((base: twin.Base) => Epoch) | null;
}

export const bytesOf = (bytes: Buffer) => join(u32(bytes.length), bytes);
export const pathOf = (hashes: Buffer[]) => join(u8(hashes.length), ...hashes);
export const listOf = (items: Buffer[]) => join(u8(items.length), ...items);
export const list2Of = (items: Buffer[]) => join(u16(items.length), ...items);

export const statementOf = ({ signed, signature }: Pick<Said, 'signed' | 'signature'>) =>
  join(bytesOf(signed), signature);

function pathIn({ made }: Said, output: number, index: number): Buffer[] {
  const { leaves } = made.outputs[output]!;
  return twin.inclusionPath(
    index,
    leaves.map((leaf) => twin.H(leaf)),
  );
}

export const leafOf = (said: Said, output: number, index: number) =>
  join(bytesOf(said.made.outputs[output]!.leaves[index]!), u32(index), pathOf(pathIn(said, output, index)));

export const openedOf = (said: Said, output: number, index: number) =>
  join(
    bytesOf(said.made.outputs[output]!.leaves[index]!),
    u16(output),
    u32(index),
    pathOf(pathIn(said, output, index)),
    statementOf(said),
  );

export const saidBy = ({ saids }: Epoch, role: number, actor: number) =>
  saids.find((said) => said.role === role && said.actor === actor)!;

const actorHashes = ({ saids }: Epoch) =>
  saids.map(({ hash, signature }) => twin.H(twin.actorLeaf(hash, signature)));

export const actorPathOf = (epoch: Epoch, said: Said) =>
  pathOf(twin.inclusionPath(epoch.saids.indexOf(said), actorHashes(epoch)));

export const checkpointOf = (size: bigint, root: Buffer, signature: Buffer) =>
  join(u64(size), root, signature);

/** The log of these epochs under a checkpoint of its first `size`. */
export class Log {
  readonly hashes: Buffer[];

  constructor(
    readonly world: EvidenceWorld,
    readonly epochs: Epoch[],
    readonly sequencer: Buffer = world.secret(twin.SEQUENCER, 0),
  ) {
    this.hashes = [];
    epochs.forEach((epoch, i) => {
      const base = { size: BigInt(i), root: twin.root(this.hashes) };
      // Whoever has the epoch has it on its base.
      if (i > 0 && epoch.onBase) Object.assign(epoch, epoch.onBase(base));
      this.hashes.push(twin.H(epoch.leaf));
    });
  }

  checkpoint(size = this.hashes.length): Buffer {
    const root = twin.root(this.hashes.slice(0, size));
    return this.world.checkpoint(BigInt(size), root, this.sequencer);
  }

  logged(index: number, size = this.hashes.length): Buffer {
    const path = twin.inclusionPath(index, this.hashes.slice(0, size));
    return join(this.epochs[index]!.leaf, u64(BigInt(index)), pathOf(path), this.checkpoint(size));
  }

  committed(said: Said, size = this.hashes.length): Buffer {
    const index = this.epochs.findIndex(({ saids }) => saids.includes(said));
    return join(actorPathOf(this.epochs[index]!, said), this.logged(index, size));
  }

  claim(said: Said, output: number, leaf: number, size = this.hashes.length): Buffer {
    return join(openedOf(said, output, leaf), this.committed(said, size));
  }

  bridge(from: number, to = this.hashes.length): Buffer {
    return pathOf(from === to ? [] : twin.consistencyProof(from, this.hashes.slice(0, to)));
  }
}

export interface Options {
  submissions?: number;
  exceptions?: twin.Exception[];
}

export class EvidenceWorld {
  readonly manifest: twin.Manifest;
  readonly manifests: { bytes: Buffer; signature: Buffer }[];
  readonly serverId: Buffer;
  readonly rootSecret = keyPair('evidence root').secret;
  readonly rootKey = twin.publicKeyOf(this.rootSecret);
  private readonly chains = new Map<string, twin.Chain>();
  private readonly lastPlaces = new Map<string, twin.Place>();
  /** Placement of everybody who is not moved: one run for each pair of inbox and outbox. */
  private readonly runs = [0, 1, 2, 3].map((k) => ({ firstBucket: 1024 * k, inbox: k >> 1, outbox: k & 1 }));

  constructor(readonly options: Options = {}) {
    this.manifest = this.firstManifest();
    this.manifests = [this.signManifest(this.manifest)];
    this.serverId = twin.manifestHash(this.manifests[0]!.bytes);
  }

  private firstManifest(): twin.Manifest {
    const actors = [1, 2, 3, 4, 5].flatMap((role) =>
      (role === 5 ? [0] : [0, 1]).map((index) => ({
        role,
        index,
        key: twin.publicKeyOf(this.secret(role, index)),
        firstEpoch: 1n,
        lastEpoch: 0n,
      })),
    );
    return {
      version: 1,
      previousHash: twin.ZERO_32,
      nonce: named('evidence nonce'),
      rootKey: this.rootKey,
      actors,
      runs: this.runs,
      submissions: this.options.submissions ?? 0,
      retentionEpochs: 2_000n,
      messagesPerEpoch: 1_000,
      bytesPerEpoch: 1_000_000,
      recipientsPerBundle: 100,
      bodyBytes: 1_000,
      envelopeBytes: 100,
      bundlesPerFrame: 100,
      countersKept: 100,
    };
  }

  signManifest(manifest: twin.Manifest, secret = this.rootSecret): { bytes: Buffer; signature: Buffer } {
    const bytes = twin.manifestBytes(manifest);
    return { bytes, signature: twin.sign(secret, twin.manifestSigned(bytes)) };
  }

  /** The manifest of version 2, with what is changed. */
  second(changes: Partial<twin.Manifest> = {}): { bytes: Buffer; signature: Buffer } {
    return this.signManifest({ ...this.manifest, version: 2, previousHash: this.serverId, ...changes });
  }

  secret(role: number, index: number): Buffer {
    return keyPair(`evidence actor ${role}.${index}`).secret;
  }

  /** The n-th client that is placed there. */
  client(inbox: number, outbox: number, n = 0): Client {
    for (let i = 0, left = n; ; i++) {
      const pair = keyPair(`evidence client ${i}`);
      const placed = twin.placementOf(this.serverId, this.runs, [], pair.id);
      if (placed.inbox === inbox && placed.outbox === outbox && left-- === 0) return pair;
    }
  }

  /** A message to those mailboxes, with its submission if it has one. */
  message(sender: Client, counter: bigint, to: Client[], body = 'text'): twin.Bundle {
    const ids = [...new Set(to)].map(({ id }) => id).sort(Buffer.compare);
    const recipients = ids.map((mailbox) => ({
      mailbox,
      blinder: twin.blinder(named('evidence roster'), mailbox),
      envelope: Buffer.alloc(0),
    }));
    return {
      sender: sender.id,
      counter,
      recipients,
      body: Buffer.from(body),
      submissionHash: twin.UNSIGNED,
    };
  }

  /** What honest stages make of these bundles; the chains go on. */
  stages(epoch: bigint, bundles: twin.Bundle[], asked: Buffer[] = []): Stages {
    const place = (id: Buffer) => twin.placementOf(this.serverId, this.runs, [], id);
    const chainNow = new Map(this.chains);
    for (const id of [
      ...bundles.flatMap((b) => [b.sender, ...b.recipients.map((r) => r.mailbox)]),
      ...asked,
    ]) {
      const name = twin.hex(id);
      if (!chainNow.has(name)) chainNow.set(name, twin.newChain(twin.H(id)));
    }
    const made = twin.runEpoch({
      serverId: this.serverId,
      manifestHash: this.serverId,
      placementRoot: twin.placementRoot([]),
      base: { size: 0n, root: twin.root([]) },
      epoch,
      previousEpoch: 0n,
      inboxes: [0, 1].map((inbox) => bundles.filter((bundle) => place(bundle.sender).inbox === inbox)),
      outboxes: 2,
      placement: place,
      lastPlaces: this.lastPlaces,
      chains: chainNow,
      asked,
      secrets: {
        inboxes: [0, 1].map((i) => this.secret(1, i)),
        routers: [0, 1].map((i) => this.secret(2, i)),
        receivers: [0, 1].map((i) => this.secret(3, i)),
        outboxes: [0, 1].map((i) => this.secret(4, i)),
      },
    });
    for (const [name, chain] of made.chains) this.chains.set(name, chain);
    for (const [name, last] of made.lastPlaces) this.lastPlaces.set(name, last);
    const leavesOf = [
      made.inboxPages.map((pages) => [pages]),
      made.routerPages,
      made.receiverPages.map((pages) => [pages]),
      made.outboxLeaves.map((leaves) => [leaves]),
    ];
    return new Map(
      made.attestations.map(({ role, index, outputs }) => [
        `${role}.${index}`,
        { outputs: outputs.map(({ entries }, i) => ({ entries, leaves: leavesOf[role - 1]![index]![i]! })) },
      ]),
    );
  }

  /** All sign what they made, each with the statements of its producers as inputs. */
  epoch(
    number: bigint,
    stages: Stages,
    fields: Partial<twin.Attestation> = {},
    leafFields: Partial<twin.EpochLeaf> & { saids?: Said[] } = {},
  ): Epoch {
    const saids: Said[] = [];
    const hashOf = (role: number, actor: number) =>
      saids.find((said) => said.role === role && said.actor === actor)!.hash;
    for (const role of [1, 2, 3, 4]) {
      for (const actor of [0, 1]) {
        const right = [
          [],
          [hashOf.bind(null, 1, actor)],
          [0, 1].map((i) => hashOf.bind(null, 2, i)),
          [hashOf.bind(null, 3, actor)],
        ];
        const made = stages.get(`${role}.${actor}`)!;
        const inputs = made.inputs ?? right[role - 1]!.map((hash) => hash());
        saids.push(this.say(role, actor, number, made, inputs, fields));
      }
    }
    const all = leafFields.saids ?? saids;
    const leaf = twin.epochLeaf({
      epoch: number,
      previousEpoch: 0n,
      base: { size: 0n, root: twin.root([]) },
      manifestHash: this.serverId,
      placementRoot: twin.placementRoot(this.options.exceptions ?? []),
      ...(fields.base ? { base: fields.base } : {}),
      ...(fields.manifestHash ? { manifestHash: fields.manifestHash } : {}),
      actors: all.map((said, i) => ({
        role: Math.floor(i / 2) + 1,
        index: i % 2,
        attestationHash: said.hash,
        signature: said.signature,
      })),
      ...leafFields,
    });
    const isGiven = fields.base || leafFields.base || leafFields.saids;
    const onBase = isGiven
      ? null
      : (base: twin.Base) => this.epoch(number, stages, { ...fields, base }, leafFields);
    return { saids: all, leaf, onBase };
  }

  say(
    role: number,
    actor: number,
    epoch: bigint,
    made: Made,
    inputs: Buffer[] = [],
    fields: Partial<twin.Attestation> = {},
  ): Said {
    const signed = twin.attestationSigned({
      serverId: this.serverId,
      role,
      actor,
      epoch,
      base: { size: 0n, root: twin.root([]) },
      manifestHash: this.serverId,
      placementRoot: twin.placementRoot(this.options.exceptions ?? []),
      inputs: twin.inputsHash(inputs),
      outputs: made.outputs.map(({ entries, leaves, root, count }) => ({
        entries,
        leaves: count ?? leaves.length,
        root: root ?? twin.root(leaves.map((leaf) => twin.H(leaf))),
      })),
      ...fields,
      ...made.fields,
    });
    const signature = twin.sign(made.secret ?? this.secret(role, actor), signed);
    return { role, actor, signed, signature, hash: twin.attestationHash(signed), made };
  }

  checkpoint(size: bigint, root: Buffer, sequencer = this.secret(twin.SEQUENCER, 0)): Buffer {
    const text = twin.ascii(twin.checkpointText(this.serverId, size, root));
    return checkpointOf(size, root, twin.sign(sequencer, text));
  }

  evidence(rule: number, parts: Buffer[], manifests = this.manifests): Buffer {
    const signed = manifests.map(({ bytes, signature }) => join(bytesOf(bytes), signature));
    return join(twin.ascii('csign1ev'), listOf(signed), u8(rule), ...parts);
  }

  /** The preimage of a message's hash. */
  preimage(message: twin.Message): Buffer {
    const recipients =
      message.recipients.length === 0 ? Buffer.alloc(0) : twin.recipientsPart(message.recipients);
    return join(
      twin.ascii('csign1ms'),
      this.serverId,
      message.sender,
      u64(message.counter),
      u16(message.recipients.length),
      recipients,
      twin.bodyHash(message.body),
    );
  }
}

export const recipientOf = (message: twin.Message, position: number) =>
  join(
    u16(position),
    twin.recipientLeaf(message.recipients[position]!),
    pathOf(twin.siblings(message, position)),
  );
