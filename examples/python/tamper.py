"""Changes a delivery in every field, one at a time: all must be refused."""

import copy
import json
from collections.abc import Iterator
from typing import Any

from countersign import Evidence
from frames import Bytes, FRAME, FrameError, read_frame
from manifests import Refused

Path = tuple[Any, ...]


def changed(frame: dict) -> Iterator[tuple[str, str]]:
    """Give every changed copy of a frame: which field, and the new text."""
    written = FRAME.write(frame)
    for path, value, text in _fields(frame, written, ()):
        for other in _others(value, text):
            result = copy.deepcopy(written)
            place = result
            for step in path[:-1]:
                place = place[step]
            place[path[-1]] = other
            yield ".".join(map(str, path)), json.dumps(result)


def _fields(
    value: Any, text: Any, path: Path
) -> Iterator[tuple[Path, Any, Any]]:
    """Walk a frame as it is read and as it is written, side by side."""
    if path:
        yield path, value, text
    if isinstance(value, dict):
        for name in value:
            yield from _fields(value[name], text[name], (*path, name))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _fields(item, text[index], (*path, index))


def _others(value: Any, text: Any) -> list:
    """Give other values of the same type for one field."""
    if isinstance(value, bytes):
        if not value:
            return [Bytes().write(b"x")]
        flipped = {bytes([value[0] ^ 1]) + value[1:],
                   value[:-1] + bytes([value[-1] ^ 128])}
        return [Bytes().write(one) for one in sorted(flipped)]
    if isinstance(value, int):
        other = value ^ 1
        return [str(other) if isinstance(text, str) else other]
    if isinstance(value, str):
        return [value + "x"]
    if isinstance(value, list):
        return [text[:-1], text + text[-1:]] if text else []
    return []


def tamper(evidence: Evidence) -> tuple[int, list[str]]:
    """Count the changed copies of a delivery; list the fields that passed."""
    count, passed = 0, []
    evidence.accept(evidence.frame)
    for field, text in changed(evidence.frame):
        count += 1
        try:
            evidence.accept(read_frame(text))
        except (FrameError, Refused):
            continue
        passed.append(field)
    return count, passed
