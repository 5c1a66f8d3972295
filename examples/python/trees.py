"""Trees of RFC 6962: roots, audit paths, multiproofs, frontiers and gaps."""

from collections.abc import Iterator, Sequence
from hashlib import sha256


class ProofError(ValueError):
    """A proof has too few hashes, too many, or is for no such leaf."""


def digest(*parts: bytes) -> bytes:
    """Hash the joined parts."""
    return sha256(b"".join(parts)).digest()


EMPTY_ROOT = digest()


def node(left: bytes, right: bytes) -> bytes:
    """Hash an inner node."""
    return digest(b"\x01", left, right)


def root(hashes: Sequence[bytes]) -> bytes:
    """Compute the root over leaf hashes."""
    if not hashes:
        return EMPTY_ROOT
    level = list(hashes)
    while len(level) > 1:
        pairs = [node(*level[i:i + 2]) for i in range(0, len(level) - 1, 2)]
        level = pairs + level[len(pairs) * 2:]
    return level[0]


def audit_path(hashes: Sequence[bytes], index: int) -> list[bytes]:
    """List the siblings of a leaf from the leaf up."""
    path = []
    level = list(hashes)
    while len(level) > 1:
        sibling = index ^ 1
        if sibling < len(level):
            path.append(level[sibling])
        pairs = [node(*level[i:i + 2]) for i in range(0, len(level) - 1, 2)]
        level = pairs + level[len(pairs) * 2:]
        index //= 2
    return path


def root_by_path(
    leaf: bytes, index: int, size: int, path: Sequence[bytes]
) -> bytes:
    """Follow an audit path from a leaf to the root that it gives."""
    return root_by_multiproof({index: leaf}, size, path)


def root_by_multiproof(
    leaves: dict[int, bytes], size: int, proof: Sequence[bytes]
) -> bytes:
    """Lead several leaves, in rising order, to the root of the proof."""
    indices = list(leaves)
    if not indices or indices != sorted(indices) or indices[-1] >= size:
        raise ProofError("no leaf, or leaves out of order or beyond the tree")
    rest = iter(proof)
    known = leaves
    while size > 1:
        known = _level_up(known, size, rest)
        size = (size + 1) // 2
    _expect_end(rest)
    return known[0]


def _level_up(
    known: dict[int, bytes], size: int, rest: Iterator[bytes]
) -> dict[int, bytes]:
    parents: dict[int, bytes] = {}
    for index, value in known.items():
        if index // 2 in parents:
            continue  # It was hashed together with its left sibling.
        sibling = index ^ 1
        if sibling >= size:
            parents[index // 2] = value
            continue
        other = known[sibling] if sibling in known else _take(rest)
        pair = (value, other) if index < sibling else (other, value)
        parents[index // 2] = node(*pair)
    return parents


def subtree_sizes(start: int, end: int) -> list[int]:
    """List the sizes of the aligned complete subtrees from start to end."""
    sizes = []
    while start < end:
        size = 1 << ((end - start).bit_length() - 1)
        if start:
            size = min(size, start & -start)
        sizes.append(size)
        start += size
    return sizes


def gap(hashes: Sequence[bytes], start: int, end: int) -> list[bytes]:
    """List the roots of the subtrees that cover leaves start to end - 1."""
    roots = []
    for size in subtree_sizes(start, end):
        roots.append(root(hashes[start:start + size]))
        start += size
    return roots


def append(
    frontier: Sequence[bytes], start: int, end: int, subtrees: Sequence[bytes]
) -> list[bytes]:
    """Append a gap to the frontier of a log of start leaves."""
    result = list(frontier)
    rest = iter(subtrees)
    for size in subtree_sizes(start, end):
        value = _take(rest)
        count = start // size
        while count & 1:  # The frontier ends with a subtree of this size.
            value = node(result.pop(), value)
            count >>= 1
        result.append(value)
        start += size
    _expect_end(rest)
    return result


def frontier_root(frontier: Sequence[bytes]) -> bytes:
    """Compute the root of the log that a frontier stands for."""
    if not frontier:
        return EMPTY_ROOT
    value = frontier[-1]
    for subtree in reversed(frontier[:-1]):
        value = node(subtree, value)
    return value


def consistent(
    old_size: int,
    old_root: bytes,
    new_size: int,
    new_root: bytes,
    proof: Sequence[bytes],
) -> bool:
    """Check a consistency proof of RFC 6962 (by RFC 9162, 2.1.4.2)."""
    if old_size == new_size:
        return old_root == new_root and not proof
    if old_size == 0:
        return old_root == EMPTY_ROOT and not proof
    if old_size > new_size:
        return False
    rest = iter(proof)
    position, last = old_size - 1, new_size - 1
    try:
        while position & 1:
            position, last = position >> 1, last >> 1
        first = second = old_root if position == 0 else _take(rest)
        while last:
            if position & 1 or position == last:
                sibling = _take(rest)
                first, second = node(sibling, first), node(sibling, second)
                while position and not position & 1:
                    position, last = position >> 1, last >> 1
            else:
                second = node(second, _take(rest))
            position, last = position >> 1, last >> 1
        _expect_end(rest)
    except ProofError:
        return False
    return first == old_root and second == new_root


def _take(rest: Iterator[bytes]) -> bytes:
    try:
        return next(rest)
    except StopIteration:
        raise ProofError("a hash is missing in a proof") from None


def _expect_end(rest: Iterator[bytes]) -> None:
    if next(rest, None) is not None:
        raise ProofError("hashes are left over in a proof")
