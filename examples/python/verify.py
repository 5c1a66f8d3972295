"""What a client checks: checkpoints and deliveries.

Nothing in here changes what it is given. A delivery that is accepted gives
the new states; for one that is not, Refused is raised, and nothing is kept.
"""

from collections.abc import Mapping
from typing import NamedTuple

import layouts
from layouts import Chain, Json, OUTBOX, RECIPIENTS_PAGE, SEQUENCER
from manifests import Manifest, Manifests, Refused
from manifests import require as _require
from signatures import verifies
from trees import (
    EMPTY_ROOT,
    ProofError,
    append,
    digest,
    frontier_root,
    root_by_multiproof,
    root_by_path,
)


# The log


class Log(NamedTuple):
    """The newest checkpoint that a client holds, and its frontier."""

    size: int
    frontier: tuple[bytes, ...]
    signature: bytes

    @property
    def root(self) -> bytes:
        """The root of the log at this size."""
        return frontier_root(self.frontier)


NO_LOG = Log(0, (), bytes(64))


def accept_checkpoint(manifests: Manifests, log: Log, frame: Json) -> Log:
    """Accept a checkpoint frame: give the log that it leads to."""
    _require(frame["from"] == log.size <= frame["to"], "checkpoint: sizes")
    try:
        frontier = append(log.frontier, log.size, frame["to"], frame["gap"])
    except ProofError as error:
        raise Refused(f"checkpoint: {error}") from None
    grown = Log(frame["to"], tuple(frontier), frame["signature"])
    _check_checkpoint(manifests.newest, grown)
    return grown


def _check_checkpoint(manifest: Manifest, log: Log) -> None:
    text = layouts.checkpoint_text(manifest.server_id, log.size, log.root)
    key = manifest.key(SEQUENCER, 0)
    _require(verifies(key, text, log.signature), "checkpoint: signature")


# Deliveries


class Open(NamedTuple):
    """A mailbox on a connection: what a delivery for it is held against."""

    mailbox: bytes
    chain: Chain
    seen_epoch: int  # Of the last link or still accepted on this connection.
    acknowledged: int
    sent: Mapping[int, bytes]  # The message hash of own counters not yet seen.


class Message(NamedTuple):
    """A message that was verified."""

    mailbox: bytes
    place: str
    sender: bytes
    counter: int
    recipients: int
    envelope: bytes
    body: bytes


class Receipt(NamedTuple):
    """An own message, found in its own accepted chain."""

    mailbox: bytes
    counter: int
    place: str
    message_hash: bytes


class Accepted(NamedTuple):
    """What a delivery leads to."""

    epoch: int
    log: Log
    chains: dict[int, Chain]  # By slot, of links.
    stills: list[int]  # Slots.
    messages: list[Message]
    receipts: list[Receipt]


class _Content(NamedTuple):
    """What one mailbox's part of a delivery says, before it is proven."""

    leaves: list[bytes]
    chain: Chain
    messages: list[Message]
    receipts: list[Receipt]


def accept_delivery(
    manifests: Manifests,
    log: Log,
    slots: Mapping[int, Open],
    frame: Json,
) -> Accepted:
    """Do the steps of "Accepting a delivery" from the manifest to the log."""
    try:
        return _accept(manifests, log, slots, frame)
    except ProofError as error:
        raise Refused(str(error)) from None


def _accept(
    manifests: Manifests,
    log: Log,
    slots: Mapping[int, Open],
    frame: Json,
) -> Accepted:
    epoch = frame["epoch"]
    manifest = manifests.in_force(epoch["epoch"])
    _check_epoch(manifest, frame)
    contents = _read_mailboxes(manifest, slots, frame)
    leaves: dict[int, bytes] = {}
    for part, content in zip(frame["mailboxes"], contents, strict=True):
        for offset, preimage in enumerate(content.leaves):
            position = part["position"] + offset
            _require(position not in leaves, "one position for two leaves")
            leaves[position] = digest(preimage)
    output = root_by_multiproof(leaves, epoch["leaves"], frame["multiproof"])
    outboxes = {manifest.placement(slots[one["slot"]].mailbox)[1]
                for one in frame["mailboxes"]}
    _require(len(outboxes) == 1, "mailboxes of several outboxes")
    leaf = _prove_epoch(manifest, outboxes.pop(), epoch, output)
    links = [one for one in zip(frame["mailboxes"], contents)
             if one[0]["kind"] == 1]
    return Accepted(
        epoch["epoch"],
        _prove_log(manifests.newest, log, frame["proof"], leaf),
        {part["slot"]: content.chain for part, content in links},
        [one["slot"] for one in frame["mailboxes"] if one["kind"] == 2],
        sorted(
            (message for content in contents for message in content.messages),
            key=lambda message: [int(n) for n in message.place.split(".")],
        ),
        [receipt for content in contents for receipt in content.receipts],
    )


def _check_epoch(manifest: Manifest, frame: Json) -> None:
    epoch = frame["epoch"]
    _require(epoch["manifestHash"] == manifest.hash, "another manifest")
    _require(epoch["placementRoot"] == EMPTY_ROOT, "placement exceptions")
    _require(epoch["previousEpoch"] < epoch["epoch"], "previous epoch")
    _require(epoch["base"]["size"] <= frame["proof"]["logIndex"], "base size")


def _read_mailboxes(
    manifest: Manifest, slots: Mapping[int, Open], frame: Json
) -> list[_Content]:
    epoch = frame["epoch"]["epoch"]
    contents, before = [], b""
    for part in frame["mailboxes"]:
        _require(part["slot"] in slots, "a slot that is not open")
        one = slots[part["slot"]]
        _require(one.mailbox > before, "mailboxes out of order")
        before = one.mailbox
        _require(epoch > one.seen_epoch, "an epoch again")
        _require(epoch > one.chain.last_epoch, "an epoch of the past")
        read = _read_link if part["kind"] == 1 else _read_still
        contents.append(read(manifest, one, epoch, part))
    return contents


def _read_still(
    _manifest: Manifest, one: Open, epoch: int, part: Json
) -> _Content:
    trimmed = part["trimmedThrough"]
    _require(trimmed <= one.acknowledged, "trimmed beyond acknowledgment")
    leaf = layouts.still(one.mailbox, epoch, one.chain, trimmed)
    return _Content([leaf], one.chain, [], [])


def _read_link(
    manifest: Manifest, one: Open, epoch: int, part: Json
) -> _Content:
    rows: list[layouts.Row] = []
    messages, receipts = [], []
    last_counter = one.chain.last_counter
    _require(len(part["entries"]) > 0, "a link without entries")
    for entry in part["entries"]:
        place = f"{epoch}.{entry['inbox']}.{entry['index']}"
        sender = entry["sender"] if entry["kind"] == 2 else one.mailbox
        value = _message_hash(manifest, one.mailbox, entry)
        _check_place(manifest, sender, entry, rows)
        rows.append((entry["inbox"], entry["index"], value))
        if sender == one.mailbox:
            _check_own(one, entry["counter"], last_counter, value)
            last_counter = entry["counter"]
            receipts.append(Receipt(one.mailbox, last_counter, place, value))
        if entry["kind"] == 2:
            messages.append(Message(
                one.mailbox, place, sender, entry["counter"],
                entry["recipients"], entry["envelope"], entry["body"],
            ))
    leaves = layouts.link_parts(one.mailbox, epoch, one.chain, rows)
    total = one.chain.total + len(rows)
    chain = Chain(epoch, total, digest(leaves[-1]), last_counter)
    return _Content(leaves, chain, messages, receipts)


def _check_place(
    manifest: Manifest, sender: bytes, entry: Json, rows: list[layouts.Row]
) -> None:
    inbox, _ = manifest.placement(sender)
    _require(entry["inbox"] == inbox, "not the inbox of its sender")
    if rows:
        after = (entry["inbox"], entry["index"])
        _require(rows[-1][:2] < after, "entries out of order")


def _check_own(
    one: Open, counter: int, last: int | None, value: bytes
) -> None:
    if last is not None:
        _require(counter == last + 1, "a hole in the own counters")
    known = one.sent.get(counter)
    _require(known is None or known == value, "not what was sent")


def _message_hash(manifest: Manifest, mailbox: bytes, entry: Json) -> bytes:
    if entry["kind"] == 1:
        return entry["messageHash"]
    return digest(layouts.message_preimage(
        manifest.server_id, entry["sender"], entry["counter"],
        entry["recipients"], _recipients_field(mailbox, entry), entry["body"],
    ))


def _recipients_field(mailbox: bytes, entry: Json) -> bytes:
    """Make R from the own leaf, its position and the siblings."""
    count, position = entry["recipients"], entry["position"]
    siblings = entry["siblings"]
    _require(count >= 1 and position < count, "position among recipients")
    part = layouts.leaf_part(entry["blinder"], mailbox, entry["envelope"])
    start = position - position % RECIPIENTS_PAGE
    others = min(count - start, RECIPIENTS_PAGE) - 1
    _require(len(siblings) >= others, "a sibling is missing")
    page, path = list(siblings[:others]), siblings[others:]
    if count == 1:
        _require(not path, "a sibling too many")
        return part[9:]
    page.insert(position - start, digest(part))
    if count <= RECIPIENTS_PAGE:
        _require(not path, "a sibling too many")
        return b"".join(page)
    pages = -(-count // RECIPIENTS_PAGE)
    leaf = layouts.recipients_page(page)
    return root_by_path(leaf, start // RECIPIENTS_PAGE, pages, path)


def _prove_epoch(
    manifest: Manifest, outbox: int, epoch: Json, output: bytes
) -> bytes:
    """Lead from the outbox's output to the hash of the epoch leaf."""
    signed = layouts.outbox_attestation(
        manifest.server_id, outbox, epoch, output
    )
    key = manifest.key(OUTBOX, outbox)
    _require(verifies(key, signed, epoch["signature"]), "outbox's signature")
    leaf = digest(layouts.actor_leaf(signed, epoch["signature"]))
    index, actors = manifest.signers.index((OUTBOX, outbox)), manifest.signers
    actors_root = root_by_path(leaf, index, len(actors), epoch["actorPath"])
    return digest(layouts.epoch_leaf(epoch, len(actors), actors_root))


def _prove_log(
    manifest: Manifest, log: Log, proof: Json, leaf: bytes
) -> Log:
    """Lead from an epoch leaf to the client's checkpoint, or to a new one."""
    index = proof["logIndex"]
    if proof["mode"] == 1:
        _require(proof["size"] == log.size and index < log.size, "log sizes")
        found = root_by_path(leaf, index, log.size, proof["path"])
        _require(found == log.root, "not under the checkpoint")
        return log
    _require(proof["from"] == log.size <= index, "log sizes")
    frontier = append(log.frontier, log.size, index, proof["gap"])
    frontier = append(frontier, index, index + 1, [leaf])
    grown = Log(index + 1, tuple(frontier), proof["signature"])
    _check_checkpoint(manifest, grown)
    return grown
