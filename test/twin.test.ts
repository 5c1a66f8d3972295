/** The slow twin on its own: known vectors, widths, and the claims that its epochs give. */
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import * as twin from './twin/index.js';
import { epochInput, keyPair, named, queuesOf, runOptions, type Shape, shapes, worldOf } from './worlds.js';

const trees = suite('twin: trees');

// The test log of the Certificate Transparency project: leaf data, and the root of each size.
const CT_DATA = [
  '',
  '00',
  '10',
  '2021',
  '3031',
  '40414243',
  '5051525354555657',
  '606162636465666768696a6b6c6d6e6f',
];
const CT_ROOTS = [
  'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
  'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
  'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
  'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
  '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
  '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
  'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
  '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
];
const CT_LEAVES = CT_DATA.map((data) => twin.H(twin.u8(0x00), Buffer.from(data, 'hex')));

trees('roots of the Certificate Transparency test log', () => {
  for (const [size, expected] of CT_ROOTS.entries()) {
    assert.is(twin.hex(twin.root(CT_LEAVES.slice(0, size))), expected);
  }
});

trees('inclusion paths of the Certificate Transparency test log', () => {
  const path = (m: number, n: number) => twin.inclusionPath(m, CT_LEAVES.slice(0, n)).map(twin.hex);
  assert.equal(path(0, 1), []);
  assert.equal(path(0, 8), [
    '96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7',
    '5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e',
    '6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4',
  ]);
  assert.equal(path(5, 8), [
    'bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b',
    'ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0',
    'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
  ]);
});

trees('consistency proofs of the Certificate Transparency test log', () => {
  const proof = (m: number, n: number) => twin.consistencyProof(m, CT_LEAVES.slice(0, n)).map(twin.hex);
  assert.equal(proof(1, 1), []);
  assert.equal(proof(1, 8), [
    '96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7',
    '5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e',
    '6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4',
  ]);
  assert.equal(proof(6, 8), [
    '0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a',
    'ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0',
    'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
  ]);
  assert.equal(proof(2, 5), [
    '5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e',
    'bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b',
  ]);
});

trees('every leaf of every small tree verifies at its own index only', () => {
  for (let size = 1; size <= 20; size++) {
    const leaves = Array.from({ length: size }, (_, i) => named(`leaf ${i}`));
    const root = twin.root(leaves);
    for (let m = 0; m < size; m++) {
      const path = twin.inclusionPath(m, leaves);
      for (let claimed = 0; claimed <= size; claimed++) {
        const answer = twin.verifyInclusion(BigInt(claimed), BigInt(size), leaves[m]!, path, root);
        assert.is(answer, claimed === m, `leaf ${m} of ${size} as ${claimed}`);
      }
    }
  }
});

trees('every pair of small trees is consistent, and no altered proof is', () => {
  for (let n = 0; n <= 20; n++) {
    const leaves = Array.from({ length: n }, (_, i) => named(`leaf ${i}`));
    for (let m = 0; m <= n; m++) {
      const [first, second] = [twin.root(leaves.slice(0, m)), twin.root(leaves)];
      const proof = twin.consistencyProof(m, leaves);
      const check = (a: Buffer, b: Buffer, p: Buffer[]) =>
        twin.verifyConsistency(BigInt(m), BigInt(n), a, b, p);
      assert.ok(check(first, second, proof), `${m} of ${n}`);
      assert.not.ok(check(named('other'), second, proof));
      // Every tree continues the empty one, so nothing is said about the second root.
      assert.is(check(first, named('other'), proof), m === 0 && n > 0);
      assert.not.ok(check(first, second, [...proof, named('other')]));
      for (let i = 0; i < proof.length; i++) {
        assert.not.ok(check(first, second, proof.with(i, named('other'))));
        assert.not.ok(check(first, second, proof.toSpliced(i, 1)));
      }
    }
  }
});

trees('the frontier has one root per one bit of the size', () => {
  const leaves = Array.from({ length: 11 }, (_, i) => named(`leaf ${i}`));
  assert.equal(twin.frontier(leaves), [
    twin.root(leaves.slice(0, 8)),
    twin.root(leaves.slice(8, 10)),
    leaves[10],
  ]);
});

trees.run();

const widths = suite('twin: widths');

widths('signed bytes and leaves are as long as the table says', () => {
  const shape: Shape = { inboxes: 2, outboxes: 3, mailboxes: 4, bundles: [], asked: [0], moved: [] };
  const world = worldOf(shape);
  const result = twin.runEpoch(epochInput(world, shape, [[], []], 1n, []));
  const lengths = result.attestations.map((attestation) => attestation.signed.length);
  const attestation = (outputs: number) =>
    26 + 32 + 1 + 2 + 8 + 8 + 32 + 32 + 32 + 32 + 2 + outputs * (4 + 4 + 32);
  assert.equal(lengths, [1, 1, 3, 3, 1, 1, 1, 1, 1, 1].map(attestation));
  assert.is(result.epochLeaf.length, 1 + 8 + 8 + 8 + 8 + 32 + 32 + 32 + 2 + 32);
  const still = result.outboxLeaves.flat();
  assert.equal(
    still.map((leaf) => leaf.length),
    [1 + 8 + 32 + 8 + 8 + 8 + 32 + 8],
  );
  const empty = { entries: 0, leaves: 0, root: twin.H() };
  assert.equal(result.attestations[0]!.outputs, [empty]);
  const actors = 2 + 2 + 3 + 3 + 1;
  const manifest = 4 + 3 * 32 + 2 + actors * (1 + 2 + 32 + 8 + 8) + 2 + 7 * 6 + 1 + 8 + 7 * 4;
  assert.is(twin.manifestBytes(world.manifest).length, manifest);
});

widths('a message has 80 recipient bytes, then hashes, then one root', () => {
  const clients = Array.from({ length: 40 }, (_, i) => keyPair(`client ${i}`).id).sort(Buffer.compare);
  const part = (n: number) =>
    twin.recipientsPart(
      clients.slice(0, n).map((mailbox) => ({
        mailbox,
        blinder: twin.blinder(named('roster'), mailbox),
        envelope: Buffer.alloc(0),
      })),
    ).length;
  assert.equal([1, 2, 16, 17, 32, 33].map(part), [80, 64, 512, 32, 32, 32]);
});

widths.run();

const epochs = suite('twin: epochs');

epochs('every message is in the chain of its sender and of each recipient, with a whole claim', () => {
  fc.assert(
    fc.property(fc.array(shapes, { minLength: 1, maxLength: 3 }), (all) => {
      const world = worldOf(all[0]!);
      const log: Buffer[] = [];
      for (const [n, planned] of all.entries()) {
        const shape = { ...planned, inboxes: all[0]!.inboxes, outboxes: all[0]!.outboxes };
        const input = epochInput(world, shape, queuesOf(world, shape), BigInt(n + 1), log);
        const result = twin.runEpoch(input);
        log.push(twin.H(result.epochLeaf));
        checkSignatures(result);
        checkDelivered(input, result);
        checkClaims(input, result, log);
        world.chains = result.chains;
        world.lastPlaces = result.lastPlaces;
      }
    }),
    runOptions(40),
  );
});

function checkSignatures(result: twin.EpochResult): void {
  for (const { publicKey, signed, signature } of result.attestations) {
    assert.ok(twin.verify(publicKey, signed, signature));
  }
}

function checkDelivered(input: twin.EpochInput, result: twin.EpochResult): void {
  const links = result.links.flat();
  const found = links
    .flatMap((link) =>
      link.entries.map((e) => [link.mailbox, e.messageHash].map(twin.hex).join() + [e.inbox, e.index]),
    )
    .sort();
  const expected = input.inboxes
    .flatMap((bundles, inbox) =>
      bundles.flatMap((bundle, index) => {
        const hash = result.messageHashes[inbox]![index]!;
        const ids = [bundle.sender, ...bundle.recipients.map((r) => r.mailbox)].map(twin.hex);
        return [...new Set(ids)].map((id) => `${id},${twin.hex(hash)}` + [inbox, index]);
      }),
    )
    .sort();
  assert.equal(found, expected);
  for (const link of links) {
    assert.ok(link.entries.length >= 1 && link.entries.length <= 64);
    assert.ok(link.part === link.parts - 1 || link.entries.length === 64);
    assert.is(link.previousEpoch, input.chains.get(twin.hex(link.mailbox))!.lastEpoch);
  }
  for (const [mailbox, chain] of result.chains) {
    const here = links.filter((link) => twin.hex(link.mailbox) === mailbox);
    const before = input.chains.get(mailbox)!;
    const entries = here.reduce((sum, link) => sum + link.entries.length, 0);
    assert.is(chain.total, before.total + BigInt(entries));
    assert.is(chain.lastEpoch, here.length > 0 ? input.epoch : before.lastEpoch);
  }
}

/** Leaf → output → attestation → epoch leaf → log, for every leaf of every output. */
function checkClaims(input: twin.EpochInput, result: twin.EpochResult, log: Buffer[]): void {
  const outputs = [
    ...result.inboxPages.map((pages, i) => ({ role: twin.INBOX, actor: i, output: 0, leaves: pages })),
    ...result.routerPages.flatMap((shares, i) =>
      shares.map((pages, output) => ({ role: twin.ROUTER, actor: i, output, leaves: pages })),
    ),
    ...result.receiverPages.map((pages, j) => ({ role: twin.RECEIVER, actor: j, output: 0, leaves: pages })),
    ...result.outboxLeaves.map((leaves, j) => ({ role: twin.OUTBOX, actor: j, output: 0, leaves })),
  ];
  const actorLeaves = result.attestations.map((a) => twin.H(twin.actorLeaf(a.attestationHash, a.signature)));
  const actorsRoot = result.epochLeaf.subarray(-32);
  for (const { role, actor, output, leaves } of outputs) {
    const position = result.attestations.findIndex((a) => a.role === role && a.index === actor);
    const signed = result.attestations[position]!;
    const attested = signed.outputs[output]!;
    assert.is(attested.leaves, leaves.length);
    const hashes = leaves.map((leaf) => twin.H(leaf));
    for (const [m, hash] of hashes.entries()) {
      const path = twin.inclusionPath(m, hashes);
      assert.ok(twin.verifyInclusion(BigInt(m), BigInt(attested.leaves), hash, path, attested.root));
    }
    const path = twin.inclusionPath(position, actorLeaves);
    const size = BigInt(actorLeaves.length);
    assert.ok(
      twin.verifyInclusion(BigInt(position), size, actorLeaves[position]!, path, Buffer.from(actorsRoot)),
    );
  }
  const last = log.length - 1;
  const path = twin.inclusionPath(last, log);
  assert.ok(twin.verifyInclusion(BigInt(last), BigInt(log.length), log[last]!, path, twin.root(log)));
  const bridge = twin.consistencyProof(last, log);
  assert.ok(
    twin.verifyConsistency(input.base.size, BigInt(log.length), input.base.root, twin.root(log), bridge),
  );
}

epochs('65 entries in one mailbox make two parts that name the same previous epoch', () => {
  const shape: Shape = {
    inboxes: 1,
    outboxes: 1,
    mailboxes: 2,
    bundles: Array.from({ length: 65 }, () => ({
      sender: 0,
      recipients: [1],
      body: 1,
      envelope: 0,
      signed: false,
    })),
    asked: [0, 1],
    moved: [],
  };
  const world = worldOf(shape);
  const result = twin.runEpoch(epochInput(world, shape, queuesOf(world, shape), 1n, []));
  const id = world.clients[1]!.id;
  const [first, second] = result.links[0]!.filter((link) => link.mailbox.equals(id));
  assert.equal([first!.part, first!.parts, first!.entries.length, first!.total], [0, 2, 64, 64n]);
  assert.equal([second!.part, second!.parts, second!.entries.length, second!.total], [1, 2, 1, 65n]);
  assert.equal([first!.previousEpoch, second!.previousEpoch], [0n, 0n]);
  assert.equal(first!.previousHead, world.chains.get(twin.hex(id))!.head);
  assert.equal(second!.previousHead, twin.H(twin.linkLeaf(first!)));
  assert.equal(result.stills[0], []);
  assert.equal(result.attestations[3]!.outputs[0]!.entries, 130);
  assert.equal(result.inboxEntries[0]![0]!.previousPlace, twin.NO_PLACE);
  assert.equal(result.inboxEntries[0]![64]!.previousPlace, { epoch: 1n, inbox: 0, index: 63 });
});

epochs.run();
