"""Holds this client's primitives against every example of docs/PROTOCOL.md.

    python3 test_vectors.py
"""

import json
import re
import unittest
from base64 import b64decode
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import layouts
import trees
from frames import FRAME, MANIFEST, FrameError, read_frame, write_frame
from layouts import Chain, Json, u16, u32, u64
from manifests import Manifest, Manifests, Refused, Signed, accept_manifests
from signatures import IDENTITY, Key, L, keeps_key_rule, verifies
from verify import NO_LOG, Log, Open, accept_checkpoint, accept_delivery

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "PROTOCOL.md"
BLOCK = re.compile(r"^```example ([a-z0-9-]+)\n(.*?)^```$", re.M | re.S)


def read_value(text: str) -> Any:
    """Read a value of an example: bytes, a text or JSON."""
    if text == "empty":
        return b""
    if text[0] in '"{[':
        return json.loads(text)
    return bytes.fromhex("".join(text.split()))


def read_examples() -> dict[str, dict[str, Any]]:
    """Read all examples: blocks of `name = value`, long ones indented."""
    examples = {}
    for name, block in BLOCK.findall(DOCUMENT.read_text()):
        fields: dict[str, str] = {}
        for line in block.splitlines():
            if line.startswith(" "):
                last = next(reversed(fields))
                fields[last] += line.strip() + " "
            else:
                field, value = line.split(" =", 1)
                fields[field] = value.strip()
        examples[name] = {
            field: read_value(value.strip()) for field, value in fields.items()
        }
    return examples


EXAMPLES = read_examples()
KEYS = {name: Key(bytes([seed]) * 32) for name, seed in {
    "root": 1, "inbox": 2, "router": 3, "receiver": 4, "outbox": 5,
    "sequencer": 6, "alice": 10, "bob": 11, "carol": 12,
}.items()}
ALICE, BOB, CAROL = (KEYS[name].id for name in ("alice", "bob", "carol"))
SEEDS = {ALICE: b"\x1a" * 32, BOB: b"\x1b" * 32, CAROL: b"\x1c" * 32}
ROSTER = b"\x0d" * 32
SERVER = EXAMPLES["manifest"]["server id"]
USED: set[str] = set()


def example(name: str) -> dict[str, Any]:
    """Give an example, and note that it was used."""
    USED.add(name)
    return EXAMPLES[name]


def hashes(value: bytes) -> list[bytes]:
    """Cut bytes into hashes."""
    return [value[i:i + 32] for i in range(0, len(value), 32)]


def frame_of(name: str) -> Json:
    """Read the JSON of a frame's example."""
    return read_frame(json.dumps(example(name)["json"]))


def message(*mailboxes: bytes, body: bytes, **envelopes: bytes) -> Json:
    """Make a bundle of the examples, with blinders of the roster key."""
    return {
        "recipients": [
            {
                "mailbox": mailbox,
                "blinder": layouts.blinder(ROSTER, mailbox),
                "envelope": envelopes.get(
                    "bob" if mailbox == BOB else "other", b""
                ),
            }
            for mailbox in sorted(mailboxes)
        ],
        "body": body,
    }


FIRST = message(BOB, body=b"one")
SECOND = message(BOB, CAROL, body=b"two", bob=b"for Bob")


def bundle_bytes(bundle: Json) -> bytes:
    """Lay a bundle out in binary."""
    parts = layouts.leaf_parts(bundle)
    envelopes = [one["envelope"] for one in bundle["recipients"]]
    tagged = [b"csign1en" + one if one else b"" for one in envelopes]
    body = b"csign1bo" + bundle["body"]
    return b"".join([
        u16(len(parts)), *parts, *(u32(len(one)) + one for one in tagged),
        u32(len(body)), body,
    ])


def manifests() -> Manifests:
    """Accept the manifest of the examples."""
    one = EXAMPLES["manifest"]
    return accept_manifests(
        [Signed(one["manifest"], one["signature"])], SERVER
    )


def manifest() -> Manifest:
    """Give the only version."""
    return manifests().newest


class Primitives(unittest.TestCase):
    """Trees, keys, signatures."""

    def test_every_hash(self) -> None:
        """Everywhere `hash` is H of the `preimage` above it."""
        count = 0
        for name, fields in EXAMPLES.items():
            for field, value in fields.items():
                before = field.removesuffix("hash") + "preimage"
                if field.endswith("hash") and before in fields:
                    with self.subTest(name=name, field=field):
                        self.assertEqual(trees.digest(fields[before]), value)
                        count += 1
        self.assertGreater(count, 25)

    def test_every_signature(self) -> None:
        """Every signature verifies, and no longer after a flip."""
        count = 0
        for name, one in EXAMPLES.items():
            if "signed bytes" not in one:
                continue
            with self.subTest(name=name):
                signed, signature = one["signed bytes"], one["signature"]
                self.assertTrue(verifies(one["key"], signed, signature))
                more = signed + b"x"
                self.assertFalse(verifies(one["key"], more, signature))
                count += 1
        self.assertGreaterEqual(count, 6)

    def test_keys(self) -> None:
        """The keys are those of the seeds."""
        for name, key in example("keys").items():
            self.assertEqual(KEYS[name.removesuffix(" key")].id, key)
            self.assertTrue(keeps_key_rule(key))

    def test_tree(self) -> None:
        """Seven leaves."""
        one = example("tree")
        leaves = [trees.digest(b"\0" + bytes([i])) for i in range(7)]
        for size in (0, 1, 3, 7):
            name = f"root of {size} leaf" + ("" if size == 1 else "s")
            name = name.replace("leafs", "leaves")
            self.assertEqual(trees.root(leaves[:size]), one[name])
        root = one["root of 7 leaves"]
        path = hashes(one["path of leaf 4 of 7"])
        self.assertEqual(trees.audit_path(leaves, 4), path)
        self.assertEqual(trees.root_by_path(leaves[4], 4, 7, path), root)
        opened = {i: leaves[i] for i in (1, 2, 6)}
        proof = hashes(one["multiproof of leaves 1 and 2 and 6 of 7"])
        self.assertEqual(trees.root_by_multiproof(opened, 7, proof), root)
        for wrong in (proof[:-1], proof + proof[:1]):
            with self.assertRaises(trees.ProofError):
                trees.root_by_multiproof(opened, 7, wrong)

    def test_log_of_seven(self) -> None:
        """Frontiers, the gap and the consistency proof."""
        one = example("tree")
        leaves = [trees.digest(b"\0" + bytes([i])) for i in range(7)]
        three = hashes(one["frontier of 3 leaves"])
        seven = hashes(one["frontier of 7 leaves"])
        gap = hashes(one["gap from 3 to 7"])
        self.assertEqual(trees.gap(leaves, 0, 3), three)
        self.assertEqual(trees.gap(leaves, 0, 7), seven)
        self.assertEqual(trees.gap(leaves, 3, 7), gap)
        self.assertEqual(trees.append(three, 3, 7, gap), seven)
        root = one["root of 7 leaves"]
        self.assertEqual(trees.frontier_root(seven), root)
        proof = hashes(one["consistency proof from 3 to 7"])
        old = one["root of 3 leaves"]
        self.assertTrue(trees.consistent(3, old, 7, root, proof))
        self.assertFalse(trees.consistent(3, root, 7, root, proof))
        self.assertFalse(trees.consistent(3, old, 7, root, proof[:-1]))

    def test_all_small_trees(self) -> None:
        """Paths and gaps of all trees of up to 20 leaves."""
        leaves = [trees.digest(b"\0" + bytes([i])) for i in range(20)]
        for size in range(1, 21):
            root = trees.root(leaves[:size])
            for i in range(size):
                path = trees.audit_path(leaves[:size], i)
                found = trees.root_by_path(leaves[i], i, size, path)
                self.assertEqual(found, root)
                grown = trees.append(
                    trees.gap(leaves, 0, i), i, size,
                    trees.gap(leaves, i, size),
                )
                self.assertEqual(trees.frontier_root(grown), root)

    def test_key_rule(self) -> None:
        """Small order, torsion, and second encodings are refused."""
        prime = 2**255 - 19
        order_8 = bytes.fromhex(
            "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"
        )
        torsion = bytes.fromhex(  # The sum of Alice's key and that point.
            "135f9a885bf15a3c5cd58309e53695058a52b124474a9822944baca286d800b9"
        )
        bad = [
            IDENTITY, bytes(32), order_8, bytes([1]) + bytes(30) + b"\x80",
            (prime - 1).to_bytes(32, "little"),
            (prime + 1).to_bytes(32, "little"),
            (prime + 3).to_bytes(32, "little"), ALICE[:31], torsion,
        ]
        for key in bad:
            self.assertFalse(keeps_key_rule(key), key.hex())

    def test_signature_rule(self) -> None:
        """s below L, and R not the identity."""
        one = example("session")
        signed, signature = one["signed bytes"], one["signature"]
        s = int.from_bytes(signature[32:], "little") + L
        high = signature[:32] + s.to_bytes(32, "little")
        self.assertFalse(verifies(one["key"], signed, high))
        other = IDENTITY + signature[32:]
        self.assertFalse(verifies(one["key"], signed, other))


class Layouts(unittest.TestCase):
    """What is hashed and signed."""

    def test_parts_of_messages(self) -> None:
        """Body, envelope, blinder, recipient leaf."""
        one = example("body-hash")
        self.assertEqual(layouts.body_hash(one["body"]), one["hash"])
        one = example("envelope-hash")
        self.assertEqual(layouts.envelope_hash(one["envelope"]), one["hash"])
        self.assertEqual(layouts.envelope_hash(b""), bytes(32))
        one = example("blinder")
        found = layouts.blinder(one["roster key"], one["mailbox"])
        self.assertEqual(found, one["blinder"])
        one = example("recipient-leaf")
        self.assertIn(one["preimage"], layouts.leaf_parts(SECOND))

    def test_messages(self) -> None:
        """The hashes of Alice's messages, and the bundles in binary."""
        for counter, bundle in (1, FIRST), (2, SECOND):
            one = example(f"message-hash-{counter}")
            self.assertEqual(bundle_bytes(bundle), one["bundle"])
            value = layouts.bundle_hash(SERVER, ALICE, counter, bundle)
            self.assertEqual(value, one["hash"])
        leaves = [trees.digest(part) for part in layouts.leaf_parts(SECOND)]
        self.assertEqual(leaves, hashes(one["leaf hashes"]))

    def test_message_to_17(self) -> None:
        """A message with pages of recipients."""
        one = example("message-hash-17")
        mailboxes = [Key(bytes([seed]) * 32).id for seed in range(0x21, 0x32)]
        self.assertEqual(min(mailboxes), one["first mailbox"])
        bundle = message(*mailboxes, body=b"many")
        value = layouts.bundle_hash(SERVER, ALICE, 3, bundle)
        self.assertEqual(value, one["hash"])
        root = layouts.recipients_field(layouts.leaf_parts(bundle))
        self.assertEqual(root, one["recipients root"])

    def test_submission(self) -> None:
        """What a sender may sign."""
        one = example("submission")
        values = [example(f"message-hash-{i}")["hash"] for i in (1, 2)]
        page = layouts.submission_page(values)
        self.assertEqual(page, one["page preimage"])
        self.assertEqual(trees.digest(page), one["page hash"])
        signed = layouts.submission_text(SERVER, ALICE, 1, values)
        self.assertEqual(signed, one["signed bytes"])
        self.assertEqual(KEYS["alice"].sign(signed), one["signature"])
        preimage = b"csign1su" + signed + one["signature"]
        self.assertEqual(preimage, one["preimage"])
        shown = (
            u32(len(signed)) + signed + one["signature"] + u32(len(page))
            + page + b"\0"
        )
        self.assertEqual(shown, one["shown"])

    def test_pages(self) -> None:
        """Pages of inbox, router and receiver."""
        values = [example(f"message-hash-{i}")["hash"] for i in (1, 2)]
        places = [bytes(14), u64(1) + u16(0) + u32(0)]
        rows = [v + bytes(32) + p for v, p in zip(values, places)]
        page = b"\0csign1in" + b"".join(rows)
        self.assertEqual(page, example("inbox-page")["preimage"])
        items = [
            mailbox + u16(0) + u32(index) + values[index]
            for mailbox, index in sorted([
                (CAROL, 1), (ALICE, 0), (ALICE, 1), (BOB, 0), (BOB, 1)
            ])
        ]
        for name, tag in ("router", b"ro"), ("receiver", b"re"):
            page = b"\0csign1" + tag + b"".join(items)
            self.assertEqual(page, example(f"{name}-page")["preimage"])

    def test_links_and_stills(self) -> None:
        """Bob's link, a link of two parts, Carol's still."""
        values = [example(f"message-hash-{i}")["hash"] for i in (1, 2)]
        start = Chain(0, 0, SEEDS[BOB], 0)
        rows = [(0, i, values[i]) for i in (0, 1)]
        [part] = layouts.link_parts(BOB, 1, start, rows)
        self.assertEqual(part, example("link")["preimage"])
        rows = [(0, i, bytes([i]) * 32) for i in range(65)]
        parts = layouts.link_parts(BOB, 1, start, rows)
        one = example("link-parts")
        self.assertEqual(trees.digest(parts[0]), one["part 0 hash"])
        self.assertEqual(parts[1], one["part 1 preimage"])
        chain = Chain(0, 0, SEEDS[CAROL], 0)
        [part] = layouts.link_parts(CAROL, 1, chain, [(0, 1, values[1])])
        after = Chain(1, 1, trees.digest(part), 0)
        still = layouts.still(CAROL, 1001, after, 0)
        self.assertEqual(still, example("still")["preimage"])

    def test_pairs(self) -> None:
        """What Alice and Bob compare after both epochs."""
        values = [example(f"message-hash-{i}")["hash"] for i in (1, 2)]
        one = example("pair-digest")
        seed = b"csign1vs" + SERVER + b"".join(sorted((ALICE, BOB)))
        self.assertEqual(seed + bytes(1) + u64(0), one["seed preimage"])
        rows = b"".join(bytes(2) + u32(i) + values[i] for i in (0, 1))
        self.assertEqual(
            b"csign1vi" + u64(1) + u32(2) + rows, one["epoch 1 preimage"]
        )
        digest = trees.digest(one["seed preimage"])
        for epoch in (1, 1001):
            items = trees.digest(one[f"epoch {epoch} preimage"])
            chained = b"csign1vd" + digest + items
            self.assertEqual(chained, one[f"after epoch {epoch} preimage"])
            digest = trees.digest(chained)
        head = b"csign1vb" + bytes(1) + u64(0) + u64(1001) + digest
        block = head + u64(0) + trees.EMPTY_ROOT
        self.assertEqual(block, example("block")["block"])

    def test_attestations(self) -> None:
        """The signed bytes of an inbox and an outbox, and the actor leaf."""
        inbox = example("attestation-of-an-inbox")
        page = trees.root([example("inbox-page")["hash"]])
        base = u64(1) + u64(0) + trees.EMPTY_ROOT + SERVER + trees.EMPTY_ROOT
        inputs = example("inputs-of-an-inbox")["hash"]
        signed = (
            b"countersign/v1 attestation" + SERVER + b"\1\0\0" + base + inputs
            + u16(1) + u32(2) + u32(1) + page
        )
        self.assertEqual(signed, inbox["signed bytes"])
        self.assertEqual(KEYS["inbox"].sign(signed), inbox["signature"])
        outbox = example("attestation-of-an-outbox")
        epoch = frame_of("deliver-frame-live")["epoch"]
        signed = layouts.outbox_attestation(
            SERVER, 0, epoch, outbox["signed bytes"][-32:]
        )
        self.assertEqual(signed, outbox["signed bytes"])
        self.assertEqual(epoch["signature"], outbox["signature"])
        inputs = example("inputs-of-an-outbox")["hash"]
        self.assertEqual(epoch["inputs"], inputs)
        leaf = layouts.actor_leaf(signed, outbox["signature"])
        self.assertEqual(leaf, example("actor-leaf")["preimage"])

    def test_hand_overs(self) -> None:
        """What the outbox and an inbox hand over of Bob and Alice."""
        one = example("hand-over")
        head = example("link")["hash"]
        mailbox = b"\0csign1hm" + BOB + u64(1) + u64(2) + head
        self.assertEqual(mailbox, one["mailbox preimage"])
        place = u64(1) + u16(0) + u32(1)
        sender = b"\0csign1hs" + ALICE + u64(2) + place
        self.assertEqual(sender, one["sender preimage"])
        log = u64(1) + example("epoch-leaf-1")["hash"] + u64(1)
        signed = (
            b"countersign/v1 hand-over" + SERVER + b"\x0e" * 32
            + trees.EMPTY_ROOT + b"\4" + u16(0) + u16(1) + log
            + u32(1) + trees.root([one["mailbox hash"]])
        )
        self.assertEqual(signed, one["signed bytes"])
        self.assertEqual(KEYS["outbox"].sign(signed), one["signature"])

    def test_epoch_leaves(self) -> None:
        """Both epochs, and the log over them."""
        leaves = []
        for number, name in (1, "live"), (1001, "still"):
            one = example(f"epoch-leaf-{number}")
            epoch = frame_of(f"deliver-frame-{name}")["epoch"]
            leaf = layouts.epoch_leaf(epoch, 4, one["preimage"][-32:])
            self.assertEqual(leaf, one["preimage"])
            self.assertEqual(len(leaf), 163)
            leaves.append(trees.digest(leaf))
        self.assertEqual(trees.root(leaves), example("checkpoint")["root"])

    def test_checkpoint(self) -> None:
        """Its text and its note."""
        one = example("checkpoint")
        text = layouts.checkpoint_text(SERVER, 2, one["root"])
        self.assertEqual(text, one["signed bytes"])
        self.assertEqual(KEYS["sequencer"].sign(text), one["signature"])
        note = layouts.note(SERVER, text, one["key"], one["signature"])
        self.assertEqual(note, one["note"])

    def test_manifest_and_placement(self) -> None:
        """From fields to bytes, and all rules."""
        one = example("manifest")
        content = MANIFEST.read(one["content"], "content")
        self.assertEqual(layouts.manifest_bytes(content), one["manifest"])
        self.assertEqual(manifest().hash, SERVER)
        self.assertEqual(layouts.read_manifest(one["manifest"]), content)
        for encoded, signature, server_id in (
            (one["manifest"], bytes(64), SERVER),
            (one["manifest"], one["signature"], bytes(32)),
            (one["manifest"] + b"x", one["signature"], None),
            (one["manifest"][:-1], one["signature"], None),
        ):
            with self.assertRaises(Refused):
                accept_manifests([Signed(encoded, signature)], server_id)
        placement = example("placement")
        bucket = int.from_bytes(placement["bucket"], "big")
        self.assertEqual(layouts.bucket(SERVER, ALICE), bucket)
        leaf = b"\0csign1pl" + ALICE + u16(0) + u16(0)
        self.assertEqual(leaf, placement["leaf preimage"])
        root = placement["root without exceptions"]
        self.assertEqual(trees.EMPTY_ROOT, root)

    def test_session(self) -> None:
        """What a key signs to open its mailbox."""
        one = example("session")
        text = layouts.session_text(SERVER, 2, b"\x08" * 32, b"\x09" * 32, BOB)
        self.assertEqual(text, one["signed bytes"])
        self.assertEqual(KEYS["bob"].sign(text), one["signature"])


def changed_keys(
    before: Json, slots: Sequence[int], start: int, **others: Any
) -> Json:
    """Make the next version's fields: these slots have new keys."""
    actors = []
    in_use = [one for one in before["actors"] if one["lastEpoch"] == 0]
    for slot, one in enumerate(in_use):
        if slot not in slots:
            actors.append(one)
            continue
        fresh = Key(trees.digest(bytes([slot]), layouts.u64(start))).id
        actors.append({**one, "lastEpoch": start - 1})
        actors.append({**one, "key": fresh, "firstEpoch": start})
    value = trees.digest(b"csign1mf", layouts.manifest_bytes(before))
    return {
        **before, "version": before["version"] + 1, "previousHash": value,
        "actors": actors, **others,
    }


def signed(content: Json, root: str = "root") -> Signed:
    """Sign a manifest."""
    encoded = layouts.manifest_bytes(content)
    text = b"countersign/v1 manifest" + encoded
    return Signed(encoded, KEYS[root].sign(text))


class Versions(unittest.TestCase):
    """Which manifests follow each other."""

    def setUp(self) -> None:
        """Make three versions: two keys changed, then one of them again."""
        self.first = manifest().content
        self.second = changed_keys(self.first, [0, 4], 1001)
        self.third = changed_keys(self.second, [4], 1500)
        self.moved = [*self.first["buckets"], {
            "firstBucket": 2000, "inbox": 1, "outbox": 0}]

    def _change(self, at: int, **fields: Any) -> Json:
        actors = list(self.second["actors"])
        actors[at] = {**actors[at], **fields}
        return {**self.second, "actors": actors}

    def test_epochs(self) -> None:
        """Each epoch has its version, and each version its keys."""
        told = [signed(self.second), signed(self.third)]
        known = manifests().followed([manifests().newest.signed, *told])
        versions = [known.in_force(one).version
                    for one in (1, 1000, 1001, 1499, 1500, 10**9)]
        self.assertEqual(versions, [1, 1, 2, 2, 3, 3])
        self.assertEqual(known.server_id, SERVER)
        self.assertEqual(known.newest.signers, manifest().signers)
        keys = [one.key(layouts.SEQUENCER, 0) for one in known.versions]
        self.assertEqual(len(set(keys)), 3)
        routers = [one.key(layouts.ROUTER, 0) for one in known.versions]
        self.assertEqual(len(set(routers)), 1)
        again = known.followed([told[-1]])
        self.assertEqual(again.versions, known.versions)

    def test_server_that_goes_back(self) -> None:
        """What was accepted is never taken back."""
        first = manifests().newest.signed
        known = manifests().followed([first, signed(self.second)])
        other = changed_keys(self.first, [1], 1001)
        for told in ([], [first], [signed(other)],
                     [signed(self.second), signed(self.second)]):
            with self.assertRaises(Refused):
                known.followed(told)

    def test_rules(self) -> None:
        """Whatever does not follow is refused."""
        fresh = [Key(bytes([seed]) * 32).id for seed in (77, 78)]
        actors = self.second["actors"]
        ended = self.second["actors"][0]
        # Inbox: ended and begun; router; receiver; outbox; sequencer: both.
        wrong: list[Json | Signed] = [
            self.third,
            signed(self.second, "alice"),
            {**self.second, "previousHash": bytes(32)},
            {**self.second, "version": 3},
            {**self.second, "nonce": bytes(32)},
            {**self.second, "rootKey": KEYS["alice"].id},
            {**self.second, "policy": {
                **self.second["policy"], "recipients": 7}},
            changed_keys(self.first, [], 5),
            {**self.second, "actors": actors[1:]},
            self._change(0, lastEpoch=999),
            self._change(0, firstEpoch=2),
            self._change(1, firstEpoch=1002),
            self._change(2, firstEpoch=2),
            self._change(1, key=actors[2]["key"]),
            self._change(1, key=bytes(32)),
            # An inbox more, without a router.
            {**self.second, "actors": [
                *actors[:2], {**actors[1], "index": 1, "key": fresh[0]},
                *actors[2:]]},
            # One to which nobody has given a beginning.
            self._larger(fresh, firstEpoch=1000),
            # A bucket for an inbox that there is not.
            {**self.second, "buckets": self.moved},
        ]
        first = manifests().newest.signed
        for number, one in enumerate(wrong):
            with self.subTest(number=number), self.assertRaises(Refused):
                told = one if isinstance(one, Signed) else signed(one)
                manifests().followed([first, told])
        known = manifests().followed([first, signed(self.second)])
        newest = known.newest.signed
        # An inbox more, with its router, that some buckets are moved to.
        larger = manifests().followed([first, signed(self._larger(fresh))])
        self.assertEqual(larger.newest.count(layouts.INBOX), 2)
        inboxes = {one.placement(u64(number) + bytes(24))[0]
                   for one in larger.versions for number in range(40)}
        self.assertEqual(inboxes, {0, 1})
        self.assertEqual(
            {larger.in_force(1000).placement(u64(number) + bytes(24))[0]
             for number in range(40)}, {0})
        for content in (
            changed_keys(self.second, [1], 1001),
            changed_keys(self.second, [1], 900),
            # A key that was there before comes again.
            self._again(ended["key"]),
        ):
            with self.assertRaises(Refused):
                known.followed([newest, signed(content)])

    def _larger(self, keys: Sequence[bytes], **fields: Any) -> Json:
        actors = self.second["actors"]
        more = [
            {**one, "index": 1, "key": key, "firstEpoch": 1001, **fields}
            for one, key in zip((actors[1], actors[2]), keys)
        ]
        return {**self.second, "buckets": self.moved, "actors": [
            *actors[:2], more[0], actors[2], more[1], *actors[3:]]}

    def _again(self, key: bytes) -> Json:
        content = changed_keys(self.second, [0], 2000)
        content["actors"][1] = {**content["actors"][1], "key": key}
        return content


class Claims(unittest.TestCase):
    """A claim, whose proof is that of a delivery."""

    def test_claims(self) -> None:
        """Both claims lead from the leaf to the checkpoint."""
        for name in ("claim-on-a-link", "claim-on-an-inbox-page"):
            self._verify(example(name)["claim"])

    def _verify(self, claim: bytes) -> None:
        rest = Reader(claim)
        self.assertEqual(rest.take(8), b"csign1cl")
        leaf = rest.take(rest.number(4))
        self.assertEqual(rest.number(2), 0)
        index, path = rest.number(4), rest.hashes()
        signed = rest.take(rest.number(4))
        signature, actor_path = rest.take(64), rest.hashes()
        epoch_leaf = rest.take(163)
        log_index, log_path = rest.number(8), rest.hashes()
        size, root = rest.number(8), rest.take(32)
        log_signature = rest.take(64)
        self.assertEqual(rest.rest, b"")
        role, leaves = signed[58], int.from_bytes(signed[-36:-32], "big")
        found = trees.root_by_path(trees.digest(leaf), index, leaves, path)
        self.assertEqual(found, signed[-32:])
        key = manifest().key(role, 0)
        self.assertTrue(verifies(key, signed, signature))
        actor = trees.digest(layouts.actor_leaf(signed, signature))
        found = trees.root_by_path(actor, role - 1, 4, actor_path)
        self.assertEqual(found, epoch_leaf[-32:])
        self.assertEqual(signed[69:173], epoch_leaf[25:129])
        value = trees.digest(epoch_leaf)
        found = trees.root_by_path(value, log_index, size, log_path)
        self.assertEqual(found, root)
        text = layouts.checkpoint_text(SERVER, size, root)
        key = KEYS["sequencer"].id
        self.assertTrue(verifies(key, text, log_signature))


class Reader:
    """Takes fields off bytes."""

    def __init__(self, rest: bytes):
        self.rest = rest

    def take(self, size: int) -> bytes:
        """Take so many bytes."""
        taken, self.rest = self.rest[:size], self.rest[size:]
        return taken

    def number(self, size: int) -> int:
        """Take an integer."""
        return int.from_bytes(self.take(size), "big")

    def hashes(self) -> list[bytes]:
        """Take a list of hashes with its count."""
        return hashes(self.take(32 * self.number(1)))


class Frames(unittest.TestCase):
    """The JSON of frames, against the binary ones beside it."""

    def test_every_json(self) -> None:
        """Every frame reads, and is written as it stands."""
        count = 0
        for name, one in EXAMPLES.items():
            if "json" in one:
                with self.subTest(name=name):
                    frame = read_frame(json.dumps(one["json"]))
                    written = json.loads(write_frame(frame))
                    self.assertEqual(written, one["json"])
                    count += 1
        self.assertGreaterEqual(count, 16)

    def _binary(self, name: str, *parts: bytes) -> Json:
        self.assertEqual(b"".join(parts), example(name)["frame"])
        return frame_of(name)

    def test_openings(self) -> None:
        """open, opening."""
        one = frame_of("open-frame")
        self._binary(
            "open-frame", b"\x07", u16(one["slot"]), u32(one["request"]),
            bytes([one["stage"]]), u64(one["epoch"]), u16(one["inbox"]),
            u32(one["index"]), one["mailbox"],
        )
        for name in ("opening-frame", "opening-frame-refused"):
            one = frame_of(name)
            self._binary(
                name, b"\x89", u32(one["request"]), u16(one["error"]),
                u32(one["retryAfterMs"]), bytes([len(one["claims"])]),
                *[u32(len(each)) + each for each in one["claims"]],
                bytes([len(one["submissions"])]),
                *[u32(len(each)) + each for each in one["submissions"]],
            )

    def test_handshake(self) -> None:
        """hello, challenge, session, opened."""
        for name in ("hello-frame", "hello-frame-again"):
            hello = frame_of(name)
            one = hello["checkpoint"]
            self._binary(
                name, b"\x01\x02", hello["nonce"], u64(one["size"]),
                one["root"], one["signature"],
            )
        one = frame_of("challenge-frame")
        self._binary(
            "challenge-frame", b"\x81", one["serverId"], one["challenge"],
            one["manifestHash"],
        )
        sessions = frame_of("session-frame")["mailboxes"]
        self._binary("session-frame", b"\x02", u16(len(sessions)), *[
            one["key"] + u64(one["acknowledged"]) + one["signature"]
            for one in sessions
        ])
        for one in sessions:
            text = layouts.session_text(
                SERVER, 2, b"\x08" * 32, b"\x09" * 32, one["key"]
            )
            self.assertTrue(verifies(one["key"], text, one["signature"]))
        for name in ("opened-frame", "opened-frame-refused"):
            opened = frame_of(name)["mailboxes"]
            self._binary(name, b"\x82", u16(len(opened)), *[
                u16(one["error"]) + u64(one["lastCounter"])
                + u64(one["lastEpoch"]) + u64(one["total"]) + one["head"]
                for one in opened
            ])

    def test_submitting(self) -> None:
        """submit, placed, error."""
        one = frame_of("submit-frame")
        self.assertEqual(one["bundles"], [FIRST, SECOND])
        self._binary(
            "submit-frame", b"\x03", u16(one["slot"]), bytes([one["flags"]]),
            u64(one["firstCounter"]), u16(2), bundle_bytes(FIRST),
            bundle_bytes(SECOND),
        )
        one = frame_of("submit-frame-signed")
        self._binary(
            "submit-frame-signed", b"\x03", u16(one["slot"]),
            bytes([one["flags"]]), u64(one["firstCounter"]), one["signature"],
            u16(2), bundle_bytes(FIRST), bundle_bytes(SECOND),
        )
        hashes = [
            layouts.bundle_hash(SERVER, ALICE, counter, bundle)
            for counter, bundle in enumerate(one["bundles"], 1)
        ]
        text = layouts.submission_text(SERVER, ALICE, 1, hashes)
        self.assertTrue(verifies(ALICE, text, one["signature"]))
        one = frame_of("placed-frame")
        self._binary(
            "placed-frame", b"\x83", u16(one["slot"]), u64(one["epoch"]),
            u16(one["inbox"]), u16(len(one["messages"])),
            *[u64(m["counter"]) + u32(m["index"]) for m in one["messages"]],
        )
        one = frame_of("error-frame")
        self._binary(
            "error-frame", b"\x87", u16(one["number"]), u16(one["slot"]),
            u64(one["firstCounter"]), u16(one["count"]), u64(one["expected"]),
            u32(one["retryAfterMs"]), one["mailbox"], u16(len(one["text"])),
            one["text"].encode(),
        )

    def test_receiving(self) -> None:
        """ack, ask still, ping, pong, checkpoint, end of backlog."""
        self._binary("ping-frame", b"\x06")
        self._binary("pong-frame", b"\x88")
        acks = frame_of("ack-frame")["acks"]
        self._binary("ack-frame", b"\x04", u16(len(acks)), *[
            u16(one["slot"]) + u64(one["epoch"]) for one in acks
        ])
        slots = frame_of("ask-still-frame")["slots"]
        self._binary(
            "ask-still-frame", b"\x05", u16(len(slots)), *map(u16, slots)
        )
        one = frame_of("checkpoint-frame")
        self._binary(
            "checkpoint-frame", b"\x85", u64(one["from"]), u64(one["to"]),
            one["signature"], bytes([len(one["gap"])]), *one["gap"],
        )
        one = frame_of("end-of-backlog-frame")
        self._binary(
            "end-of-backlog-frame", b"\x86", u16(one["slot"]),
            u64(one["epoch"]),
        )

    def test_refused(self) -> None:
        """Faults that a strict reader finds."""
        good = json.dumps(example("ack-frame")["json"])
        for old, new in (
            ('"1001"', "1001"), ('"1001"', '"01001"'),
            ('"slot": 0', '"slot": 0.0'),
            ('"slot": 0', '"slot": 65536'), ('"slot": 0', '"slot": true'),
            ('"acks"', '"ack"'), ('"slot": 0', '"slot": 0, "slot": 0'),
        ):
            self.assertIn(old, good)
            with self.subTest(new=new), self.assertRaises(FrameError):
                read_frame(good.replace(old, new))
        good = json.dumps(example("challenge-frame")["json"])
        for new in ("VGJ", "VGI=", "VG", "VG+", "VGI\\n", "V\u00c7I"):
            with self.subTest(new=new), self.assertRaises(FrameError):
                read_frame(good.replace('VGI"', new + '"'))


class Deliveries(unittest.TestCase):
    """The deliveries of the examples, verified from a client's state."""

    def _open(self, mailbox: bytes, **others: Any) -> Open:
        start = Chain(0, 0, SEEDS[mailbox], 0)
        return Open(mailbox, start, 0, 0, {})._replace(**others)

    def _accept(self, log: Log, slots: dict[int, Open], frame: Json) -> Any:
        return accept_delivery(manifests(), log, slots, frame)

    def test_live(self) -> None:
        """Bob's mailbox in epoch 1, and what comes of tampering."""
        from tamper import changed

        slots = {0: self._open(BOB)}
        frame = frame_of("deliver-frame-live")
        accepted = self._accept(NO_LOG, slots, frame)
        bodies = [one.body for one in accepted.messages]
        self.assertEqual(bodies, [b"one", b"two"])
        self.assertEqual(accepted.chains[0].head, example("link")["hash"])
        hello = frame_of("hello-frame-again")["checkpoint"]
        self.assertEqual(accepted.log.size, hello["size"])
        self.assertEqual(accepted.log.root, hello["root"])
        self.assertEqual(accepted.log.signature, hello["signature"])
        for field, text in changed(frame):
            with self.subTest(field=field):
                with self.assertRaises((FrameError, Refused)):
                    self._accept(NO_LOG, slots, read_frame(text))

    def test_backlog(self) -> None:
        """Alice's receipts, under a checkpoint of size 2."""
        frame = frame_of("checkpoint-frame")
        log = accept_checkpoint(manifests(), NO_LOG, frame)
        sent = {
            counter: layouts.bundle_hash(SERVER, ALICE, counter, one)
            for counter, one in ((1, FIRST), (2, SECOND))
        }
        frame = frame_of("deliver-frame-backlog")
        accepted = self._accept(log, {0: self._open(ALICE, sent=sent)}, frame)
        places = [one.place for one in accepted.receipts]
        self.assertEqual(places, ["1.0.0", "1.0.1"])
        sent[2] = bytes(32)
        with self.assertRaises(Refused):
            self._accept(log, {0: self._open(ALICE, sent=sent)}, frame)

    def test_still(self) -> None:
        """A message to Alice and Carol's still, in one frame of epoch 1001."""
        values = [example(f"message-hash-{i}")["hash"] for i in (1, 2)]
        live = frame_of("deliver-frame-live")
        log = self._accept(NO_LOG, {0: self._open(BOB)}, live).log
        chains = {}
        for mailbox, rows, counter in (
            (ALICE, [0, 1], 2), (CAROL, [1], 0)
        ):
            [part] = layouts.link_parts(
                mailbox, 1, Chain(0, 0, SEEDS[mailbox], 0),
                [(0, i, values[i]) for i in rows],
            )
            head = trees.digest(part)
            chains[mailbox] = Chain(1, len(rows), head, counter)
        slots = {
            slot: self._open(mailbox, chain=chains[mailbox])
            for slot, mailbox in ((0, ALICE), (1, CAROL))
        }
        frame = frame_of("deliver-frame-still")
        accepted = self._accept(log, slots, frame)
        self.assertEqual(accepted.stills, [1])
        self.assertEqual(accepted.messages[0].body, b"three")
        self.assertEqual(accepted.log.root, example("checkpoint")["root"])
        slots[1] = self._open(CAROL)
        with self.assertRaises(Refused):
            self._accept(log, slots, frame)


class Everything(unittest.TestCase):
    """That no example was left out."""

    def test_z_all_examples_used(self) -> None:
        """Each block of the document was held against this client."""
        self.assertEqual(sorted(EXAMPLES.keys() - USED), [])
        self.assertGreater(len(EXAMPLES), 40)


def load_tests(
    loader: unittest.TestLoader, _tests: Any, _pattern: Any
) -> unittest.TestSuite:
    """Run the check for what was left out last."""
    cases = (
        Primitives, Layouts, Versions, Claims, Frames, Deliveries, Everything
    )
    return unittest.TestSuite(map(loader.loadTestsFromTestCase, cases))


if __name__ == "__main__":
    unittest.main()
