"""Frames of countersign.v1.json: text to values and back, strictly.

Read, a frame is a dictionary with bytes and integers in it; written, it is
the JSON text.
"""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any


class FrameError(ValueError):
    """A text is not a frame of the document, or not its one encoding."""


class Number:
    """An integer of 1, 2 or 4 bytes: a JSON number."""

    def __init__(self, size: int):
        self.limit = 256**size

    def read(self, value: Any, where: str) -> int:
        """Take a JSON number as an integer."""
        if type(value) is not int or not 0 <= value < self.limit:
            raise FrameError(f"{where}: expected an integer in its range")
        return value

    def write(self, value: int) -> int:
        """Give the integer itself."""
        return value


class Long:
    """An integer of 8 bytes: a decimal string."""

    def read(self, value: Any, where: str) -> int:
        """Take a decimal string as an integer of at most 2^53 - 1."""
        digits = isinstance(value, str) and value.isascii() and value.isdigit()
        if not digits or len(value) > 16 or str(int(value)) != value:
            raise FrameError(f"{where}: expected a decimal string")
        if int(value) >= 2**53:
            raise FrameError(f"{where}: above 2^53 - 1")
        return int(value)

    def write(self, value: int) -> str:
        """Give the decimal string."""
        return str(value)


class Bytes:
    """Bytes: base64url without padding."""

    def __init__(self, size: int | None = None):
        self.size = size

    def read(self, value: Any, where: str) -> bytes:
        """Take a string that is the one encoding of so many bytes."""
        if not isinstance(value, str):
            raise FrameError(f"{where}: expected a string")
        try:
            result = urlsafe_b64decode(value + "=" * (-len(value) % 4))
        except ValueError:
            raise FrameError(f"{where}: expected base64url") from None
        if self.write(result) != value:
            raise FrameError(f"{where}: not the one encoding of its bytes")
        if self.size is not None and len(result) != self.size:
            raise FrameError(f"{where}: expected {self.size} bytes")
        return result

    def write(self, value: bytes) -> str:
        """Give the base64url string."""
        return urlsafe_b64encode(value).rstrip(b"=").decode()


class Text:
    """Text: a string."""

    def read(self, value: Any, where: str) -> str:
        """Take a string."""
        if not isinstance(value, str):
            raise FrameError(f"{where}: expected a string")
        return value

    def write(self, value: str) -> str:
        """Give the string."""
        return value


class List:
    """An array of things of one form."""

    def __init__(self, item: Any):
        self.item = item

    def read(self, value: Any, where: str) -> list:
        """Take an array, item by item."""
        if not isinstance(value, list):
            raise FrameError(f"{where}: expected an array")
        return [
            self.item.read(one, f"{where}[{i}]") for i, one in enumerate(value)
        ]

    def write(self, value: list) -> list:
        """Give the array, item by item."""
        return [self.item.write(one) for one in value]


class Record:
    """An object with exactly these fields."""

    def __init__(self, **fields: Any):
        self.fields = fields

    def read(self, value: Any, where: str) -> dict:
        """Take an object, field by field."""
        if not isinstance(value, dict):
            raise FrameError(f"{where}: expected an object")
        if value.keys() != self.fields.keys():
            odd = sorted(value.keys() ^ self.fields.keys())
            raise FrameError(f"{where}: missing or not known: {odd}")
        return {
            name: form.read(value[name], f"{where}.{name}")
            for name, form in self.fields.items()
        }

    def write(self, value: dict) -> dict:
        """Give the object, field by field."""
        return {
            name: form.write(value[name])
            for name, form in self.fields.items()
        }


class Choice:
    """One of several forms, by the value of one of their fields."""

    def __init__(self, field: str, forms: dict[Any, Any]):
        self.field = field
        self.forms = forms

    def read(self, value: Any, where: str) -> dict:
        """Take an object of the form that its field names."""
        name = value.get(self.field) if isinstance(value, dict) else None
        if type(name) not in (int, str) or name not in self.forms:
            raise FrameError(f"{where}.{self.field}: not known")
        return self.forms[name].read(value, where)

    def write(self, value: dict) -> dict:
        """Give the object in the form that its field names."""
        return self.forms[value[self.field]].write(value)


U8, U16, U32, U64 = Number(1), Number(2), Number(4), Long()
HASH, SIGNATURE, KEY, BLINDER = Bytes(32), Bytes(64), Bytes(32), Bytes(16)
HASHES = List(HASH)
ANY_BYTES = Bytes()

PROOF = Choice("mode", {
    0: Record(
        mode=U8, logIndex=U64, **{"from": U64}, signature=SIGNATURE, gap=HASHES
    ),
    1: Record(mode=U8, logIndex=U64, size=U64, path=HASHES),
})

EPOCH = Record(
    epoch=U64, previousEpoch=U64, base=Record(size=U64, root=HASH),
    manifestHash=HASH, placementRoot=HASH, inputs=HASH, entries=U32,
    leaves=U32, signature=SIGNATURE, actorPath=HASHES,
)

ENTRY = Choice("kind", {
    1: Record(inbox=U16, index=U32, kind=U8, counter=U64, messageHash=HASH),
    2: Record(
        inbox=U16, index=U32, kind=U8, sender=KEY, counter=U64, recipients=U16,
        position=U16, blinder=BLINDER, siblings=HASHES, envelope=ANY_BYTES,
        body=ANY_BYTES,
    ),
})

MAILBOX = Choice("kind", {
    1: Record(slot=U16, position=U32, kind=U8, entries=List(ENTRY)),
    2: Record(slot=U16, position=U32, kind=U8, trimmedThrough=U64),
})

BUNDLE = Record(
    recipients=List(Record(mailbox=KEY, blinder=BLINDER, envelope=ANY_BYTES)),
    body=ANY_BYTES,
)

MANIFEST = Record(
    version=U32, previousHash=HASH, nonce=HASH, rootKey=KEY,
    actors=List(Record(
        role=U8, index=U16, key=KEY, firstEpoch=U64, lastEpoch=U64
    )),
    buckets=List(Record(firstBucket=U16, inbox=U16, outbox=U16)),
    policy=Record(
        submissions=U8, retentionEpochs=U64, messagesPerEpoch=U32,
        bytesPerEpoch=U32, recipients=U32, bodyBytes=U32, envelopeBytes=U32,
        bundlesPerFrame=U32, countersKept=U32,
    ),
)


def _frame(**fields: Any) -> Record:
    return Record(type=Text(), **fields)


FRAME = Choice("type", {
    "hello": _frame(
        kind=U8, nonce=HASH,
        checkpoint=Record(size=U64, root=HASH, signature=SIGNATURE),
    ),
    "challenge": _frame(serverId=HASH, challenge=HASH, manifestHash=HASH),
    "session": _frame(mailboxes=List(
        Record(key=KEY, acknowledged=U64, signature=SIGNATURE)
    )),
    "opened": _frame(mailboxes=List(Record(
        error=U16, lastCounter=U64, lastEpoch=U64, total=U64, head=HASH
    ))),
    "submit": Choice("flags", {
        0: _frame(slot=U16, flags=U8, firstCounter=U64, bundles=List(BUNDLE)),
        1: _frame(
            slot=U16, flags=U8, firstCounter=U64, signature=SIGNATURE,
            bundles=List(BUNDLE),
        ),
    }),
    "placed": _frame(
        slot=U16, epoch=U64, inbox=U16,
        messages=List(Record(counter=U64, index=U32)),
    ),
    "ack": _frame(acks=List(Record(slot=U16, epoch=U64))),
    "askStill": _frame(slots=List(U16)),
    "open": _frame(
        slot=U16, request=U32, stage=U8, epoch=U64, inbox=U16, index=U32,
        mailbox=KEY,
    ),
    "opening": _frame(
        request=U32, error=U16, retryAfterMs=U32, claims=List(ANY_BYTES),
        submissions=List(ANY_BYTES),
    ),
    "ping": _frame(),
    "pong": _frame(),
    "checkpoint": _frame(
        **{"from": U64}, to=U64, signature=SIGNATURE, gap=HASHES
    ),
    "endOfBacklog": _frame(slot=U16, epoch=U64),
    "error": _frame(
        number=U16, slot=U16, firstCounter=U64, count=U16, expected=U64,
        retryAfterMs=U32, mailbox=KEY, text=Text(),
    ),
    "deliver": _frame(
        proof=PROOF, epoch=EPOCH, mailboxes=List(MAILBOX), multiproof=HASHES
    ),
})


def read_frame(text: str | bytes) -> dict:
    """Read one WebSocket message."""
    if not isinstance(text, str):
        raise FrameError("a binary message on a JSON connection")
    try:
        value = json.loads(text, object_pairs_hook=_without_twins)
    except RecursionError:
        raise FrameError("nested deeper than any frame") from None
    except json.JSONDecodeError as error:
        raise FrameError(f"no JSON: {error}") from None
    return FRAME.read(value, "frame")


def write_frame(frame: dict) -> str:
    """Write one WebSocket message."""
    return json.dumps(FRAME.write(frame), separators=(",", ":"))


def _without_twins(pairs: list[tuple[str, Any]]) -> dict:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise FrameError("a field stands twice")
    return result
