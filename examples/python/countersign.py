"""A client of a Countersign server: sessions, submitting, receiving."""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Sequence
from os import urandom
from typing import Any, NamedTuple
from urllib.request import urlopen

from websockets.legacy.client import WebSocketClientProtocol, connect

import layouts
from frames import read_frame, write_frame
from layouts import Chain, Json
from manifests import Manifests, Refused
from state import Owner, State
from verify import (
    Accepted,
    Log,
    Open,
    accept_checkpoint,
    accept_delivery,
)

FRONT, OUTBOX = 1, 2
UNSIGNED_ONLY = 0  # What the manifest's policy says of submissions.
SUBPROTOCOL = "countersign.v1.json"
WHOLE_CONNECTION = 0xFFFF
SESSIONS_PER_FRAME = 256
UNSETTLED_AT_MOST = 100
# bundle-malformed, bundle-too-large, too-many-bundles, no-such-mailbox: the
# counter is still free.
REFUSED_BUNDLE = range(40, 44)

log = logging.getLogger("countersign")


class ServerError(Exception):
    """An error that the server sent."""

    def __init__(self, number: int, text: str):
        super().__init__(f"error {number}: {text}")
        self.number = number


def bundle(
    body: bytes,
    recipients: Sequence[bytes],
    envelopes: dict[bytes, bytes] | None = None,
) -> Json:
    """Make a bundle, with random blinders: no recipient learns another."""
    return {
        "recipients": [
            {
                "mailbox": mailbox,
                "blinder": urandom(16),
                "envelope": (envelopes or {}).get(mailbox, b""),
            }
            for mailbox in sorted(set(recipients))
        ],
        "body": body,
    }


async def fetch_json(url: str) -> Any:
    """Ask the server a question over HTTP."""
    def get() -> Any:
        with urlopen(url, timeout=10) as answer:
            return json.load(answer)

    return await asyncio.to_thread(get)


async def prepare(
    state: State, url: str, server_id: str | None = None
) -> None:
    """Fetch and verify the manifests, if none were kept."""
    if state.manifests is None:
        await _follow(state, url, server_id)


async def _follow(
    state: State, url: str, server_id: str | None = None
) -> None:
    """Fetch and verify the versions behind those that were kept."""
    known = state.manifests.newest.version if state.manifests else 1
    answer = await fetch_json(f"{url}/v1/manifests/{known}")
    state.follow(answer, server_id)
    state.save()


class Behind(Exception):
    """The server has named a manifest that is not known yet."""


class Parted(Exception):
    """Mailboxes of one outbox have been moved to several."""


async def _up_to_date(
    state: State, url: str, connect: Callable[[], Awaitable[Any]]
) -> Any:
    """Connect; where the server has newer manifests, follow, and again."""
    try:
        return await connect()
    except Behind:
        await _follow(state, url)
    try:
        return await connect()
    except Behind:
        raise Refused("a manifest that is none of the newer ones") from None


class Evidence(NamedTuple):
    """A delivery that was accepted, and all that it was held against."""

    manifests: Manifests
    log: Log
    slots: dict[int, Open]
    frame: Json

    def accept(self, frame: Json) -> Accepted:
        """Verify a frame in the place of the one that was accepted."""
        return accept_delivery(self.manifests, self.log, self.slots, frame)


class Connection:
    """One socket with its sessions: what front and outbox have in common."""

    def __init__(
        self, socket: WebSocketClientProtocol, kind: int, manifests: Manifests
    ):
        self.socket = socket
        self.kind = kind
        self.manifests = manifests
        self.owners: list[Owner] = []  # By slot.
        self._nonce = urandom(32)
        self._challenge = b""
        self._early: list[Json] = []

    async def shake_hands(self, newest: Log) -> None:
        """Say hello, with the newest checkpoint, and take the challenge."""
        size = newest.size
        await self.send({
            "type": "hello", "kind": self.kind, "nonce": self._nonce,
            "checkpoint": {
                "size": size,
                "root": newest.root if size else bytes(32),
                "signature": newest.signature if size else bytes(64),
            },
        })
        answer = await self.receive()
        if answer["type"] != "challenge":
            raise Refused("expected a challenge")
        if answer["serverId"] != self.manifests.server_id:
            raise Refused("another server than expected")
        if answer["manifestHash"] != self.manifests.newest.hash:
            await self.socket.close()
            raise Behind
        self._challenge = answer["challenge"]

    async def open(self, owners: Sequence[Owner]) -> list[Json]:
        """Open mailboxes; give what `opened` says of each, in order."""
        answers = []
        for start in range(0, len(owners), SESSIONS_PER_FRAME):
            some = owners[start:start + SESSIONS_PER_FRAME]
            sessions = [self._session(owner) for owner in some]
            await self.send({"type": "session", "mailboxes": sessions})
            answer = await self.receive()
            if answer["type"] != "opened":
                raise Refused("expected the sessions to be opened")
            answers += answer["mailboxes"]
        for owner, answer in zip(owners, answers, strict=True):
            if answer["error"]:
                raise ServerError(answer["error"], f"mailbox {owner.name}")
        self.owners = list(owners)
        return answers

    def _session(self, owner: Owner) -> Json:
        text = layouts.session_text(
            self.manifests.server_id, self.kind, self._challenge, self._nonce,
            owner.key.id,
        )
        return {
            "key": owner.key.id,
            "acknowledged": owner.acknowledged if self.kind == OUTBOX else 0,
            "signature": owner.key.sign(text),
        }

    async def send(self, frame: Json) -> None:
        """Send one frame."""
        await self.socket.send(write_frame(frame))

    async def receive(self) -> Json:
        """Take the next frame. What is of the whole connection is raised."""
        frame = read_frame(await self.socket.recv())
        if frame["type"] == "error" and frame["slot"] == WHOLE_CONNECTION:
            raise ServerError(frame["number"], frame["text"])
        return frame

    async def close(self) -> None:
        """Close the socket."""
        await self.socket.close()


async def _connect(url: str) -> WebSocketClientProtocol:
    # A frame may be as large as one mailbox's share of an epoch: no bound of
    # ours. Compression is not used.
    return await connect(
        url, subprotocols=[SUBPROTOCOL], compression=None, max_size=None
    )


class Front(Connection):
    """A socket for submitting."""

    @classmethod
    async def connect(
        cls, url: str, state: State, owners: Sequence[Owner]
    ) -> "Front":
        """Open senders; what the server has not taken in is sent again."""
        address = url.replace("http", "ws", 1) + "/v1/front"

        async def shaken() -> "Front":
            self = cls(await _connect(address), FRONT, state.manifests)
            self.state = state
            await self.shake_hands(state.log)
            return self

        self = await _up_to_date(state, url, shaken)
        for owner, answer in zip(owners, await self.open(owners)):
            await self._resume(owner, answer["lastCounter"])
        return self

    async def _resume(self, owner: Owner, last_counter: int) -> None:
        if last_counter > owner.last_used:
            log.warning("%s: the server knows counter %d, this client used %d",
                        owner.name, last_counter, owner.last_used)
            owner.last_used = last_counter
        missing = sorted(one for one in owner.sent if one > last_counter)
        if missing:
            await self._submit(owner, missing)

    async def submit(self, owner: Owner, bundles: Sequence[Json]) -> list[int]:
        """Number bundles, keep them, send them; give the counters."""
        server_id = self.manifests.server_id
        counters = []
        for one in bundles:
            owner.last_used += 1
            value = layouts.bundle_hash(
                server_id, owner.key.id, owner.last_used, one
            )
            owner.sent[owner.last_used] = value, one
            counters.append(owner.last_used)
        self.state.save()
        await self._submit(owner, counters)
        return counters

    async def _submit(self, owner: Owner, counters: list[int]) -> None:
        signed = {"flags": 0}
        policy = self.manifests.newest.content["policy"]
        if policy["submissions"] != UNSIGNED_ONLY:
            text = layouts.submission_text(
                self.manifests.server_id, owner.key.id, counters[0],
                [owner.sent[counter][0] for counter in counters],
            )
            signed = {"flags": 1, "signature": owner.key.sign(text)}
        await self.send({
            "type": "submit", "slot": self.owners.index(owner), **signed,
            "firstCounter": counters[0],
            "bundles": [owner.sent[counter][1] for counter in counters],
        })

    async def placed(self, owner: Owner, counters: Sequence[int]) -> Json:
        """Wait for the hints where counters are placed; raise refusals."""
        slot, waiting, places = self.owners.index(owner), set(counters), {}
        while waiting:
            frame = await self.receive()
            if frame["slot"] != slot:
                continue
            if frame["type"] == "error":
                if frame["number"] in REFUSED_BUNDLE:
                    self._forget(owner, frame["firstCounter"])
                raise ServerError(frame["number"], frame["text"])
            for one in frame["messages"]:
                waiting.discard(one["counter"])
                places[one["counter"]] = (
                    f"{frame['epoch']}.{frame['inbox']}.{one['index']}"
                )
        return places

    def _forget(self, owner: Owner, first: int) -> None:
        """Free the counters of a refused bundle and of all behind it."""
        for counter in [one for one in owner.sent if one >= first]:
            del owner.sent[counter]
        owner.last_used = first - 1
        self.state.save()


class Outbox(Connection):
    """A socket for deliveries of the mailboxes that one outbox keeps."""

    @classmethod
    async def connect(
        cls, url: str, state: State, owners: Sequence[Owner]
    ) -> "Outbox":
        """Open mailboxes of one outbox."""
        async def shaken() -> "Outbox":
            placed = state.manifests.newest.placement
            number, *others = {placed(one.key.id)[1] for one in owners}
            if others:
                raise Parted
            answer = await fetch_json(
                f"{url}/v1/mailboxes/{owners[0].key.id.hex()}"
            )
            if answer["outbox"] != number:
                raise Behind
            self = cls(
                await _connect(answer["url"]), OUTBOX, state.manifests
            )
            await self.shake_hands(state.log)
            return self

        self = await _up_to_date(state, url, shaken)
        self.state = state
        self.log = state.log
        self.seen: dict[int, int] = {}
        self.at_end: set[int] = set()
        self._unsettled: set[int] = set()
        self.accepted: list[Evidence] = []
        for owner, opened in zip(owners, await self.open(owners)):
            _resume_chain(owner, opened)
        state.save()
        return self

    def _slots(self) -> dict[int, Open]:
        return {
            slot: Open(
                owner.key.id, owner.chain, self.seen.get(slot, 0),
                owner.acknowledged, owner.sent_hashes(),
            )
            for slot, owner in enumerate(self.owners)
        }

    async def next(self) -> Accepted | None:
        """Take one frame; give a delivery once it is verified.

        What is live is saved and acknowledged at once, a backlog in larger
        pieces.
        """
        frame = await self.receive()
        if frame["type"] == "deliver":
            return await self._accept(frame)
        if frame["type"] == "checkpoint":
            self.log = accept_checkpoint(self.manifests, self.log, frame)
            self.state.keep_log(self.log)
        elif frame["type"] == "endOfBacklog":
            self.at_end.add(frame["slot"])
            if self.is_live():
                await self.settle()
        elif frame["type"] == "error":
            raise ServerError(frame["number"], frame["text"])
        else:
            raise Refused(f"unexpected frame: {frame['type']}")
        return None

    async def _accept(self, frame: Json) -> Accepted:
        slots = self._slots()
        evidence = Evidence(
            self.manifests, self.log, slots, frame
        )
        accepted = evidence.accept(frame)
        self.accepted.append(evidence)
        self._keep(accepted)
        if self.is_live() or len(self._unsettled) >= UNSETTLED_AT_MOST:
            await self.settle()
        return accepted

    def is_live(self) -> bool:
        """Tell whether all mailboxes are up to date."""
        return len(self.at_end) == len(self.owners)

    async def settle(self) -> None:
        """Save what was accepted; then acknowledge it."""
        self.state.save()
        acks = [
            {"slot": slot, "epoch": self.owners[slot].acknowledged}
            for slot in sorted(self._unsettled)
        ]
        self._unsettled.clear()
        if acks:
            await self.send({"type": "ack", "acks": acks})

    async def close(self) -> None:
        """Save what was accepted, and close the socket."""
        self.state.save()
        await super().close()

    def _keep(self, accepted: Accepted) -> None:
        self.log = accepted.log
        self.state.keep_log(accepted.log)
        by_id = {owner.key.id: owner for owner in self.owners}
        for slot, chain in accepted.chains.items():
            self.owners[slot].chain = chain
            self.seen[slot] = accepted.epoch
            self._unsettled.add(slot)
        for slot in accepted.stills:
            self.seen[slot] = accepted.epoch
        for receipt in accepted.receipts:
            by_id[receipt.mailbox].keep_receipt(receipt)
        for message in accepted.messages:
            by_id[message.mailbox].keep_message(message)

    async def until(self, done: Callable[[], bool]) -> list[Accepted]:
        """Take frames until a condition holds."""
        found = []
        while not done():
            accepted = await self.next()
            if accepted:
                found.append(accepted)
        return found

    async def backlog(self) -> list[Accepted]:
        """Take everything until all mailboxes are up to date."""
        return await self.until(self.is_live)

    async def still(self, owner: Owner) -> list[Accepted]:
        """Ask for a signed word about a mailbox; the last delivery has it."""
        slot = self.owners.index(owner)
        await self.send({"type": "askStill", "slots": [slot]})
        before = self.seen.get(slot, 0)
        return await self.until(lambda: self.seen.get(slot, 0) > before)


def _resume_chain(owner: Owner, opened: Json) -> None:
    """Hold what the server says of a chain against what was kept."""
    answer = Chain(
        opened["lastEpoch"], opened["total"], opened["head"],
        0 if opened["lastEpoch"] == 0 else None,
    )
    if owner.chain is None:
        if answer.last_epoch:
            log.warning("%s: a history that cannot be checked", owner.name)
        owner.chain = answer
    elif owner.chain[:3] == answer[:3]:
        pass
    elif answer.last_epoch > owner.chain.last_epoch:
        log.warning("%s: another copy of this key acknowledged more",
                    owner.name)
        owner.chain = answer
    else:
        raise Refused(f"{owner.name}: the server contradicts itself")
