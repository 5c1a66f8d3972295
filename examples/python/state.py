"""What a client keeps from one run to the next, in one JSON file."""

import json
import os
from base64 import b64encode
from pathlib import Path
from typing import Any

from frames import BUNDLE
from layouts import Chain, Json
from manifests import Manifests, Refused, accept_manifests, read_answer
from signatures import Key
from verify import Log, Message, NO_LOG, Receipt


class Owner:
    """A key, its mailbox and what is known of both."""

    def __init__(self, name: str, saved: Json):
        self.name = name
        self.key = Key(bytes.fromhex(saved["seed"]))
        chain = saved.get("chain")
        self.chain = chain and Chain(
            chain[0], chain[1], bytes.fromhex(chain[2]), chain[3]
        )
        self.last_used: int = saved.get("lastUsed", 0)
        self.sent: dict[int, tuple[bytes, Json]] = {
            int(counter): (bytes.fromhex(value), BUNDLE.read(bundle, "bundle"))
            for counter, (value, bundle) in saved.get("sent", {}).items()
        }
        self.receipts: list[Json] = saved.get("receipts", [])
        self.messages: list[Json] = saved.get("messages", [])

    @property
    def acknowledged(self) -> int:
        """The epoch through which everything is durable here."""
        return self.chain.last_epoch if self.chain else 0

    def sent_hashes(self) -> dict[int, bytes]:
        """Give the message hashes of what has no receipt yet."""
        return {counter: value for counter, (value, _) in self.sent.items()}

    def keep_receipt(self, receipt: Receipt) -> None:
        """Note that an own message was found in the own chain."""
        self.sent.pop(receipt.counter, None)
        self.last_used = max(self.last_used, receipt.counter)
        self.receipts.append(
            {"counter": receipt.counter, "place": receipt.place}
        )

    def keep_message(self, message: Message) -> None:
        """Note a message that was verified."""
        self.messages.append(describe(message))

    def to_json(self) -> Json:
        """Give what the file holds of this owner."""
        return {
            "seed": self.key.seed.hex(),
            "chain": self.chain and [
                self.chain.last_epoch, self.chain.total,
                self.chain.head.hex(), self.chain.last_counter,
            ],
            "lastUsed": self.last_used,
            "sent": {
                str(counter): [value.hex(), BUNDLE.write(bundle)]
                for counter, (value, bundle) in self.sent.items()
            },
            "receipts": self.receipts,
            "messages": self.messages,
        }


def describe(message: Message) -> Json:
    """Give a message as JSON, for people and for the file."""
    return {
        "place": message.place,
        "sender": message.sender.hex(),
        "counter": message.counter,
        "recipients": message.recipients,
        "envelope": message.envelope.decode(errors="replace"),
        "body": message.body.decode(errors="replace"),
    }


class State:
    """The file: the server's manifests, the newest checkpoint, the owners."""

    def __init__(self, path: str):
        self.path = Path(path)
        saved = json.loads(self.path.read_text()) if self.path.exists() else {}
        self.manifests: Manifests | None = None
        if "manifests" in saved:
            self.follow(saved, saved["serverId"])
        log = saved.get("log")
        self.log = NO_LOG if log is None else Log(
            log[0], tuple(bytes.fromhex(one) for one in log[1]),
            bytes.fromhex(log[2]),
        )
        self.owners = {
            name: Owner(name, one)
            for name, one in saved.get("owners", {}).items()
        }

    def follow(self, answer: Json, server_id: str | None = None) -> None:
        """Accept what GET /v1/manifests/{newest} answers, and keep it.

        Without a server's id, told by somebody who is trusted, the first
        answer is believed, and every later one held against it.
        """
        told = read_answer(answer)
        if self.manifests is None:
            expected = bytes.fromhex(server_id) if server_id else None
            self.manifests = accept_manifests(told, expected)
        else:
            self.manifests = self.manifests.followed(told)

    def _manifests_to_json(self) -> Json:
        if self.manifests is None:
            return {}
        return {
            "serverId": self.manifests.server_id.hex(),
            "manifests": [
                {name: b64encode(value).decode() for name, value in (
                    ("manifest", one.signed.encoded),
                    ("signature", one.signed.signature),
                )}
                for one in self.manifests.versions
            ],
        }

    def owner(self, name: str) -> Owner:
        """Give an owner of a name; make the key if there is none."""
        if name not in self.owners:
            self.owners[name] = Owner(name, {"seed": Key().seed.hex()})
        return self.owners[name]

    def keep_log(self, log: Log) -> None:
        """Keep the larger checkpoint; equal sizes must have equal roots."""
        if log.size == self.log.size and log.root != self.log.root:
            raise Refused("two checkpoints of one size with other roots")
        if log.size > self.log.size:
            self.log = log

    def save(self) -> None:
        """Write the file in one step, durably."""
        content = {
            **self._manifests_to_json(),
            "log": [
                self.log.size, [one.hex() for one in self.log.frontier],
                self.log.signature.hex(),
            ],
            "owners": {
                name: one.to_json() for name, one in self.owners.items()
            },
        }
        fresh = self.path.with_suffix(".new")
        with open(fresh, "w", opener=_private) as file:
            json.dump(content, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(fresh, self.path)
        folder = os.open(self.path.parent, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
