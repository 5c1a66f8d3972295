"""Byte layouts of the protocol: what is hashed and what is signed."""

from base64 import b64encode
from collections.abc import Sequence
from struct import pack
from typing import NamedTuple

from trees import digest, root

Json = dict  # A frame or a part of one, with bytes and integers in it.

NO_HASH = bytes(32)
PAGE = 64
RECIPIENTS_PAGE = 16
LIMITS = (
    "messagesPerEpoch", "bytesPerEpoch", "recipients", "bodyBytes",
    "envelopeBytes", "bundlesPerFrame", "countersKept",
)
INBOX, ROUTER, RECEIVER, OUTBOX, SEQUENCER = 1, 2, 3, 4, 5


def u16(number: int) -> bytes:
    """Encode an integer of 2 bytes."""
    return number.to_bytes(2, "big")


def u32(number: int) -> bytes:
    """Encode an integer of 4 bytes."""
    return number.to_bytes(4, "big")


def u64(number: int) -> bytes:
    """Encode an integer of 8 bytes, at most 2^53 - 1."""
    if number >= 2**53:
        raise ValueError("an integer of 8 bytes is at most 2^53 - 1")
    return number.to_bytes(8, "big")


# Messages


def body_hash(body: bytes) -> bytes:
    """Hash a body."""
    return digest(b"csign1bo", body)


def envelope_hash(envelope: bytes) -> bytes:
    """Hash an envelope; zeros stand for none."""
    return digest(b"csign1en", envelope) if envelope else NO_HASH


def blinder(roster_key: bytes, mailbox: bytes) -> bytes:
    """Derive a recipient's blinder from a roster key."""
    return digest(b"csign1bl", roster_key, mailbox)[:16]


def leaf_part(blind: bytes, mailbox: bytes, envelope: bytes) -> bytes:
    """Lay out a recipient's leaf part, 89 bytes."""
    return b"\0csign1rc" + blind + mailbox + envelope_hash(envelope)


def leaf_parts(bundle: Json) -> list[bytes]:
    """Lay out the leaf parts of all recipients of a bundle."""
    return [
        leaf_part(one["blinder"], one["mailbox"], one["envelope"])
        for one in bundle["recipients"]
    ]


def recipients_page(hashes: Sequence[bytes]) -> bytes:
    """Hash a page of up to 16 recipient leaf hashes."""
    return digest(b"\0csign1rp", *hashes)


def recipients_field(parts: Sequence[bytes]) -> bytes:
    """Make R, the recipients' field of a message hash, from all leaf parts."""
    if len(parts) == 1:
        return parts[0][9:]
    hashes = [digest(part) for part in parts]
    if len(hashes) <= RECIPIENTS_PAGE:
        return b"".join(hashes)
    starts = range(0, len(hashes), RECIPIENTS_PAGE)
    return root(
        [recipients_page(hashes[i:i + RECIPIENTS_PAGE]) for i in starts]
    )


def message_preimage(
    server_id: bytes,
    sender: bytes,
    counter: int,
    recipients: int,
    field: bytes,
    body: bytes,
) -> bytes:
    """Lay out what a message hash is the hash of."""
    head = b"csign1ms" + server_id + sender + u64(counter) + u16(recipients)
    return head + field + body_hash(body)


def bundle_hash(
    server_id: bytes, sender: bytes, counter: int, bundle: Json
) -> bytes:
    """Compute the message hash of a bundle that is or was sent."""
    parts = leaf_parts(bundle)
    field = recipients_field(parts)
    return digest(
        message_preimage(
            server_id, sender, counter, len(parts), field, bundle["body"]
        )
    )


def submission_page(hashes: Sequence[bytes]) -> bytes:
    """Lay out a page of up to 64 message hashes."""
    return b"\0csign1sl" + b"".join(hashes)


def submission_text(
    server_id: bytes, sender: bytes, first: int, hashes: Sequence[bytes]
) -> bytes:
    """Lay out what a sender signs of the messages of a frame."""
    pages = [
        digest(submission_page(hashes[i:i + PAGE]))
        for i in range(0, len(hashes), PAGE)
    ]
    head = b"countersign/v1 submission" + server_id + sender
    return head + u64(first) + u16(len(hashes)) + root(pages)


# Chains


class Chain(NamedTuple):
    """The state of a mailbox's chain, and the owner's counter in it."""

    last_epoch: int
    total: int
    head: bytes
    last_counter: int | None  # None: the client does not know it.


Row = tuple[int, int, bytes]  # Inbox, index, message hash.


def link_parts(
    mailbox: bytes, epoch: int, chain: Chain, rows: Sequence[Row]
) -> list[bytes]:
    """Lay out the parts of a link that goes on from a chain's state."""
    count = -(-len(rows) // PAGE)
    total, head, parts = chain.total, chain.head, []
    for part in range(count):
        page = rows[part * PAGE:(part + 1) * PAGE]
        total += len(page)
        parts.append(
            b"\0csign1li" + mailbox + u64(epoch) + u16(part) + u16(count)
            + u64(chain.last_epoch) + u64(total) + head + u16(len(page))
            + b"".join(u16(i) + u32(x) + h for i, x, h in page)
        )
        head = digest(parts[-1])
    return parts


def still(mailbox: bytes, epoch: int, chain: Chain, trimmed: int) -> bytes:
    """Lay out a still."""
    state = u64(chain.last_epoch) + u64(chain.total) + chain.head
    return b"\0csign1st" + mailbox + u64(epoch) + state + u64(trimmed)


# The log


def outbox_attestation(
    server_id: bytes, outbox: int, epoch: Json, output_root: bytes
) -> bytes:
    """Lay out the signed bytes of an outbox's attestation."""
    return (
        b"countersign/v1 attestation" + server_id + pack(">BH", OUTBOX, outbox)
        + u64(epoch["epoch"]) + u64(epoch["base"]["size"])
        + epoch["base"]["root"] + epoch["manifestHash"]
        + epoch["placementRoot"] + epoch["inputs"] + u16(1)
        + u32(epoch["entries"]) + u32(epoch["leaves"]) + output_root
    )


def actor_leaf(attestation: bytes, signature: bytes) -> bytes:
    """Lay out an actor leaf from signed bytes and their signature."""
    return b"\0csign1ac" + digest(b"csign1at", attestation) + signature


def epoch_leaf(epoch: Json, actors: int, actors_root: bytes) -> bytes:
    """Lay out an epoch leaf, 163 bytes."""
    return (
        b"\0csign1ep" + u64(epoch["epoch"]) + u64(epoch["previousEpoch"])
        + u64(epoch["base"]["size"]) + epoch["base"]["root"]
        + epoch["manifestHash"] + epoch["placementRoot"] + u16(actors)
        + actors_root
    )


def origin(server_id: bytes) -> str:
    """Name the log: the first line of its checkpoints."""
    return f"countersign/v1/{server_id.hex()}"


def checkpoint_text(server_id: bytes, size: int, log_root: bytes) -> bytes:
    """Write the text of a checkpoint, which the sequencer signs."""
    encoded = b64encode(log_root).decode()
    return f"{origin(server_id)}\n{size}\n{encoded}\n".encode()


def note(server_id: bytes, text: bytes, key: bytes, signature: bytes) -> str:
    """Write a checkpoint as a signed note, as other tools take it."""
    name = origin(server_id)
    key_id = digest(name.encode(), b"\n\x01", key)[:4]
    line = b64encode(key_id + signature).decode()
    return f"{text.decode()}\n\u2014 {name} {line}\n"


# Manifest, placement, sessions


def manifest_bytes(content: Json) -> bytes:
    """Lay out a manifest from its fields."""
    actors, buckets = content["actors"], content["buckets"]
    policy = content["policy"]
    return b"".join([
        u32(content["version"]), content["previousHash"], content["nonce"],
        content["rootKey"], u16(len(actors)),
        *[
            pack(">BH", one["role"], one["index"]) + one["key"]
            + u64(one["firstEpoch"]) + u64(one["lastEpoch"])
            for one in actors
        ],
        u16(len(buckets)),
        *[
            u16(one["firstBucket"]) + u16(one["inbox"]) + u16(one["outbox"])
            for one in buckets
        ],
        pack(">B", policy["submissions"]), u64(policy["retentionEpochs"]),
        *[u32(policy[name]) for name in LIMITS],
    ])


def read_manifest(encoded: bytes) -> Json:
    """Read a manifest's fields from its bytes; ValueError if it is none."""
    at = 0

    def take(size: int) -> bytes:
        nonlocal at
        at += size
        return encoded[at - size:at]

    def number(size: int) -> int:
        return int.from_bytes(take(size), "big")

    content = {
        "version": number(4), "previousHash": take(32), "nonce": take(32),
        "rootKey": take(32),
        "actors": [
            {"role": number(1), "index": number(2), "key": take(32),
             "firstEpoch": number(8), "lastEpoch": number(8)}
            for _ in range(number(2))
        ],
        "buckets": [
            {"firstBucket": number(2), "inbox": number(2),
             "outbox": number(2)}
            for _ in range(number(2))
        ],
        "policy": {
            "submissions": number(1), "retentionEpochs": number(8),
            **{name: number(4) for name in LIMITS},
        },
    }
    # What is cut short is read as less, and nothing may follow.
    if manifest_bytes(content) != encoded:
        raise ValueError("no manifest")
    return content


def bucket(server_id: bytes, mailbox: bytes) -> int:
    """Compute the bucket that an id falls into."""
    value = digest(b"csign1bk", server_id, mailbox)
    return int.from_bytes(value[:8], "big") % 4096


def session_text(
    server_id: bytes, kind: int, challenge: bytes, nonce: bytes, key: bytes
) -> bytes:
    """Lay out what a key signs to open its mailbox on a connection."""
    domain = b"countersign/v1 session"
    return domain + server_id + bytes([kind]) + challenge + nonce + key
