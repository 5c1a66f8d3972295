"""Ed25519 with the one rule of the protocol for what verifies.

The library (OpenSSL) signs and does the equation without the cofactor. What
it does not do is done here with integers: the key rule (canonical, no
identity, no torsion), s below L, and R not the identity.
"""

from functools import lru_cache
from os import urandom

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
IDENTITY = bytes([1]) + bytes(31)

Point = tuple[int, int, int, int]  # X, Y, Z, T of RFC 8032, section 5.1.4


class Key:
    """A secret key: a client and its mailbox."""

    def __init__(self, seed: bytes | None = None):
        self.seed = urandom(32) if seed is None else seed
        self._key = Ed25519PrivateKey.from_private_bytes(self.seed)
        self.id = self._key.public_key().public_bytes(
            Encoding.Raw, PublicFormat.Raw
        )

    def sign(self, message: bytes) -> bytes:
        """Sign a message: 64 bytes."""
        return self._key.sign(message)


def verifies(key: bytes, message: bytes, signature: bytes) -> bool:
    """Tell whether a signature verifies, for a key that keeps the rule."""
    if len(signature) != 64 or not keeps_key_rule(key):
        return False
    if int.from_bytes(signature[32:], "little") >= L:
        return False
    if signature[:32] == IDENTITY:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    except InvalidSignature:
        return False
    return True


@lru_cache(maxsize=4096)
def keeps_key_rule(key: bytes) -> bool:
    """Tell whether a key is canonical, no identity and without torsion."""
    point = _decode(key)
    if point is None or _is_identity(point):
        return False
    return _is_identity(_multiply(L, point))


def _decode(key: bytes) -> Point | None:
    """Decode a point from its one canonical encoding (RFC 8032, 5.1.3)."""
    if len(key) != 32:
        return None
    number = int.from_bytes(key, "little")
    sign, y = number >> 255, number & (2**255 - 1)
    if y >= P:
        return None
    u, v = (y * y - 1) % P, (D * y * y + 1) % P
    x = u * pow(v, 3, P) * pow(u * pow(v, 7, P), (P - 5) // 8, P) % P
    if (v * x * x + u) % P == 0:
        x = x * pow(2, (P - 1) // 4, P) % P
    if (v * x * x - u) % P != 0 or (x == 0 and sign == 1):
        return None
    if x & 1 != sign:
        x = P - x
    return x, y, 1, x * y % P


def _is_identity(point: Point) -> bool:
    x, y, z, _ = point
    return x % P == 0 and (y - z) % P == 0


def _add(p: Point, q: Point) -> Point:
    a = (p[1] - p[0]) * (q[1] - q[0]) % P
    b = (p[1] + p[0]) * (q[1] + q[0]) % P
    c = 2 * p[3] * q[3] * D % P
    d = 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def _multiply(scalar: int, point: Point) -> Point:
    result = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            result = _add(result, point)
        point = _add(point, point)
        scalar >>= 1
    return result
