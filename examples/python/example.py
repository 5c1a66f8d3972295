"""A client of a Countersign server, to be read and to be run.

    python3 example.py id --state me.json alice
    python3 example.py send --state me.json --to ID[,ID …] alice 'hello'
    python3 example.py receive --state me.json --count 2 alice bob
    python3 example.py still --state me.json alice
    python3 example.py demo --state me.json

Keys, chains and the newest checkpoint stay in the state file, so that every
run goes on where the one before ended. Each run prints one line of JSON.
"""

import argparse
import asyncio
import json
import sys
from argparse import Namespace
from collections.abc import Callable, Sequence

from countersign import Evidence, Front, Outbox, Parted, ServerError
from countersign import bundle, prepare
from frames import FrameError
from layouts import Json
from manifests import Refused
from state import Owner, State
from tamper import tamper
from verify import Accepted


async def open_outboxes(
    url: str, state: State, owners: Sequence[Owner]
) -> list[Outbox]:
    """Open mailboxes, with one socket for each outbox that keeps some."""
    while True:
        by_outbox: dict[int, list[Owner]] = {}
        for owner in owners:
            number = state.manifests.newest.placement(owner.key.id)[1]
            by_outbox.setdefault(number, []).append(owner)
        opened: list[Outbox] = []
        try:
            for some in by_outbox.values():
                opened.append(await Outbox.connect(url, state, some))
            return opened
        except Parted:
            # By the newer manifest that has become known with that.
            await close(*opened)


async def take(
    outboxes: Sequence[Outbox], done: Callable[[], bool]
) -> list[Accepted]:
    """Take deliveries from all sockets until a condition holds."""
    tasks = [asyncio.create_task(one.until(done)) for one in outboxes]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    found = []
    for task in tasks:
        if not task.done():
            task.cancel()
            continue
        found += task.result()
    return found


async def close(*connections: Front | Outbox) -> None:
    """Close sockets."""
    await asyncio.gather(*(one.close() for one in connections))


async def show_ids(_options: Namespace, state: State) -> Json:
    """Make the keys that are not there, and show the ids of all."""
    ids = {name: state.owner(name).key.id.hex() for name in _options.names}
    state.save()
    return {"ids": ids}


async def send(options: Namespace, state: State) -> Json:
    """Send a message for each --to, and wait for the receipts."""
    owner = state.owner(options.name)
    outboxes = await open_outboxes(options.url, state, [owner])
    front = await Front.connect(options.url, state, [owner])
    body, envelope = options.body.encode(), options.envelope.encode()
    messages = []
    for ids in options.to:
        recipients = [bytes.fromhex(one) for one in ids.split(",")]
        envelopes = {one: envelope for one in recipients}
        messages.append(bundle(body, recipients, envelopes))
    counters = await front.submit(owner, messages)
    await front.placed(owner, counters)
    await take(outboxes, lambda: not owner.sent)
    await close(front, *outboxes)
    return {
        "sent": len(counters),
        "receipts": owner.receipts[-len(counters):],
        "checkpointSize": state.log.size,
    }


async def receive(options: Namespace, state: State) -> Json:
    """Receive messages and acknowledge them."""
    owners = [state.owner(name) for name in options.names]
    before = [len(owner.messages) for owner in owners]
    outboxes = await open_outboxes(options.url, state, owners)

    def count() -> int:
        return sum(len(owner.messages) for owner in owners) - sum(before)

    await take(outboxes, lambda: count() >= options.count)
    await close(*outboxes)
    return {
        "verified": sum(len(one.accepted) for one in outboxes),
        "received": {
            owner.name: owner.messages[start:]
            for owner, start in zip(owners, before)
        },
    }


async def still(options: Namespace, state: State) -> Json:
    """Ask for a signed word that there is nothing else, as of now."""
    owner = state.owner(options.name)
    [outbox] = await open_outboxes(options.url, state, [owner])
    await outbox.backlog()
    found = await outbox.still(owner)
    await close(outbox)
    return {
        "epoch": str(found[-1].epoch),
        "still": bool(found[-1].stills),
        "lastEpoch": str(owner.chain.last_epoch),
        "total": str(owner.chain.total),
    }


class Demo:
    """All that a client does, with 41 keys, and what comes of it counted."""

    SIZES = (1, 2, 16, 17, 40)
    MANY = 66  # More than one part of a link has entries.
    TAMPER_AT_MOST = 12_000  # Characters of a delivery.

    def __init__(self, url: str, state: State):
        self.url = url
        self.state = state
        names = ["alice", "bob", "carol", *(f"r{i:02}" for i in range(3, 41))]
        self.owners = [state.owner(name) for name in names]
        self.alice, self.bob, self.carol = self.owners[:3]
        self.expected = {owner.name: 0 for owner in self.owners}
        self.before = {
            owner.name: (len(owner.messages), len(owner.receipts))
            for owner in self.owners
        }
        self.used: list[Outbox] = []

    async def run(self) -> Json:
        """Send, receive, go away, come back, ask for a still, tamper."""
        outboxes = await self._open(self.owners)
        front = await Front.connect(self.url, self.state, [self.alice])
        await self._send(front, self._messages())
        await take(outboxes, self._complete)
        await close(*outboxes)
        result = await self._away(front)
        tampered, passed = self._tamper()
        await close(front)
        return {
            "serverId": self.state.manifests.server_id.hex(),
            "sent": len(self._new(self.alice, 1)),
            "expected": sum(self.expected.values()),
            "received": sum(len(self._new(one, 0)) for one in self.owners),
            "receipts": sum(len(self._new(one, 1)) for one in self.owners),
            "verified": sum(len(one.accepted) for one in self.used),
            **result,
            "tampered": tampered,
            "refused": tampered - len(passed),
            "passed": passed,
            "checkpointSize": self.state.log.size,
        }

    def _new(self, owner: Owner, which: int) -> list[Json]:
        start = self.before[owner.name][which]
        return [owner.messages, owner.receipts][which][start:]

    async def _open(self, owners: Sequence[Owner]) -> list[Outbox]:
        outboxes = await open_outboxes(self.url, self.state, owners)
        self.used += outboxes
        await asyncio.gather(*(one.backlog() for one in outboxes))
        return outboxes

    def _complete(self) -> bool:
        return not self.alice.sent and all(
            len(self._new(owner, 0)) >= self.expected[owner.name]
            for owner in self.owners
        )

    def _message(
        self, text: str, owners: Sequence[Owner], envelopes: bool
    ) -> Json:
        for owner in owners:
            self.expected[owner.name] += 1
        return bundle(
            text.encode(),
            [owner.key.id for owner in owners],
            {owner.key.id: f"for {owner.name}".encode() for owner in owners}
            if envelopes else {},
        )

    def _messages(self) -> list[Json]:
        """To herself, to Bob too, to many; with and without envelopes."""
        return [
            self._message("note to self", [self.alice], False),
            self._message("to both", [self.alice, self.bob], True),
            *(
                self._message(f"to {size}", self.owners[1:size + 1], with_them)
                for size in self.SIZES for with_them in (False, True)
            ),
            *(
                self._message(f"{number} of many", [self.carol], False)
                for number in range(1, self.MANY + 1)
            ),
        ]

    async def _send(self, front: Front, messages: list[Json]) -> None:
        counters = await front.submit(self.alice, messages)
        await front.placed(self.alice, counters)

    async def _away(self, front: Front) -> Json:
        """Send while nobody listens; take the backlog, then what is live."""
        for text in ("while Bob is away", "still away", "not back yet"):
            both = [self.bob, *self.owners[3:19]]
            one = self._message(text, both, True)
            await self._send(front, [one])
        outboxes = await open_outboxes(self.url, self.state, [self.bob])
        self.used += outboxes
        backlog = await outboxes[0].backlog()
        modes = [one.frame["proof"]["mode"] for one in outboxes[0].accepted]
        sizes = {one.log.size for one in backlog}
        live = self._message("live", [self.bob], True)
        await self._send(front, [live])
        others = [one for one in self.owners if one is not self.bob]
        outboxes += await self._open(others)
        await take(outboxes, self._complete)
        carols = next(one for one in outboxes if self.carol in one.owners)
        found = await carols.still(self.carol)
        await close(*outboxes)
        return {
            "backlog": len(backlog),
            "backlogUnderOneCheckpoint": len(sizes) == 1 and set(modes) == {1},
            "still": bool(found[-1].stills),
        }

    def _tamper(self) -> tuple[int, list[str]]:
        """Change every field of one delivery of each mode and kind."""
        chosen: dict[tuple[int, ...], tuple[int, Evidence]] = {}
        for one in [one for outbox in self.used for one in outbox.accepted]:
            kinds = {part["kind"] for part in one.frame["mailboxes"]}
            form = one.frame["proof"]["mode"], *sorted(kinds)
            size = len(str(one.frame))
            if chosen.get(form, (0, one))[0] < size < self.TAMPER_AT_MOST:
                chosen[form] = size, one
        results = [tamper(one) for _, one in chosen.values()]
        return (
            sum(count for count, _ in results),
            [field for _, passed in results for field in passed],
        )


async def demo(options: Namespace, state: State) -> Json:
    """Do everything and count."""
    return await Demo(options.url, state).run()


def parse() -> Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="A client in Python.")
    commands = parser.add_subparsers(dest="command", required=True)
    for run, names in (
        (show_ids, "*"), (send, 1), (receive, "*"), (still, 1), (demo, 0)
    ):
        name = "id" if run is show_ids else run.__name__
        command = commands.add_parser(name, help=run.__doc__)
        command.set_defaults(run=run)
        command.add_argument("--state", required=True, metavar="FILE")
        command.add_argument("--url", default="http://127.0.0.1:7700")
        command.add_argument("--server", metavar="ID", help="its id, if known")
        if names == 1:
            command.add_argument("name")
        elif names == "*":
            command.add_argument("names", nargs="+")
        if run is send:
            command.add_argument("--to", action="append", required=True,
                                 metavar="ID[,ID...]")
            command.add_argument("--envelope", default="",
                                 help="the same for everybody")
            command.add_argument("body")
        if run is receive:
            command.add_argument("--count", type=int, default=1)
    return parser.parse_args()


async def main(options: Namespace) -> Json:
    """Run one command."""
    state = State(options.state)
    if options.command != "id":
        await prepare(state, options.url, options.server)
    return await options.run(options, state)


if __name__ == "__main__":
    try:
        print(json.dumps(asyncio.run(main(parse()))))
    except (Refused, ServerError, FrameError, OSError) as error:
        sys.exit(f"{type(error).__name__}: {error}")
