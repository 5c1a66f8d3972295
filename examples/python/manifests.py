"""The manifests of a server: from version 1 on, each behind the last one.

What was accepted is never taken back. A server that has another manifest in
the place of one of these, or has gone back behind one, is refused for good.
"""

from base64 import b64decode
from collections.abc import Sequence
from typing import NamedTuple

import layouts
from layouts import Json, SEQUENCER
from signatures import keeps_key_rule, verifies
from trees import digest

VERSIONS_AT_MOST = 255


class Refused(Exception):
    """What the server said is not proven by what it sent."""


def require(condition: bool, what: str) -> None:
    """Raise Refused where a condition does not hold."""
    if not condition:
        raise Refused(what)


class Signed(NamedTuple):
    """A manifest as a server hands it over."""

    encoded: bytes
    signature: bytes


class Manifest:
    """One version, whose bytes and root signature are good."""

    def __init__(self, signed: Signed, content: Json, server_id: bytes):
        self.signed = signed
        self.content = content
        self.server_id = server_id
        self.hash = digest(b"csign1mf", signed.encoded)
        self.version: int = content["version"]
        self.actors = {one["key"]: one for one in content["actors"]}
        self.in_use = {
            (one["role"], one["index"]): one["key"]
            for one in content["actors"] if one["lastEpoch"] == 0
        }
        self.signers = sorted(
            actor for actor in self.in_use if actor[0] != SEQUENCER
        )
        # The first epoch that it is in force for.
        self.start = max(
            one["lastEpoch"] + 1 if one["lastEpoch"] else one["firstEpoch"]
            for one in content["actors"]
        )

    def key(self, role: int, index: int) -> bytes:
        """Give the key in use of an actor."""
        key = self.in_use.get((role, index))
        require(key is not None, f"no actor {index} of role {role}")
        return key

    def count(self, role: int) -> int:
        """Count the actors in use of a role."""
        return sum(1 for one, _ in self.in_use if one == role)

    def placement(self, mailbox: bytes) -> tuple[int, int]:
        """Compute the inbox and the outbox of an id."""
        bucket = layouts.bucket(self.server_id, mailbox)
        run = [
            one for one in self.content["buckets"]
            if one["firstBucket"] <= bucket
        ][-1]
        return run["inbox"], run["outbox"]


class Manifests:
    """All versions that were accepted: their server's, for good."""

    def __init__(self, versions: Sequence[Manifest]):
        self.versions = tuple(versions)
        self.newest = self.versions[-1]
        self.server_id = self.newest.server_id

    def in_force(self, epoch: int) -> Manifest:
        """Give the version that an epoch is signed by."""
        before = [one for one in self.versions if one.start <= epoch]
        return before[-1] if before else self.versions[0]

    def followed(self, told: Sequence[Signed]) -> "Manifests":
        """Go on with what a server has, from the newest known version on."""
        require(len(told) > 0, "manifests: the server has gone back")
        require(told[0].encoded == self.newest.signed.encoded,
                f"manifests: another version {self.newest.version}")
        known = list(self.versions)
        for signed in told[1:]:
            known.append(_accept_next(known, signed))
        return Manifests(known)


def accept_manifests(
    told: Sequence[Signed], server_id: bytes | None
) -> Manifests:
    """Accept all versions from version 1 on.

    Without a server's id, told by somebody who is trusted, the first
    manifest is believed.
    """
    require(len(told) > 0, "manifests: none")
    first = _accept_first(told[0], server_id)
    return Manifests([first]).followed(told)


def read_answer(answer: Json) -> list[Signed]:
    """Read the answer to GET /v1/manifests/{version}."""
    require(isinstance(answer.get("manifests"), list), "manifests: no list")
    require(len(answer["manifests"]) <= VERSIONS_AT_MOST, "manifests: many")
    try:
        return [
            Signed(*(
                b64decode(one[name], validate=True)
                for name in ("manifest", "signature")
            ))
            for one in answer["manifests"]
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise Refused(f"manifests: {error}") from None


def _accept_first(signed: Signed, server_id: bytes | None) -> Manifest:
    value = digest(b"csign1mf", signed.encoded)
    require(server_id in (None, value),
            "manifest: its hash is not the server's id")
    first = _accept(signed, value)
    require(first.version == 1, "manifest: not version 1")
    require(first.content["previousHash"] == bytes(32),
            "manifest: not a first one")
    return first


def _accept(signed: Signed, server_id: bytes) -> Manifest:
    """Check all that does not ask for other versions."""
    try:
        content = layouts.read_manifest(signed.encoded)
    except ValueError as error:
        raise Refused(f"manifest: {error}") from None
    _check_actors(content)
    text = b"countersign/v1 manifest" + signed.encoded
    require(verifies(content["rootKey"], text, signed.signature),
            "manifest: signature")
    manifest = Manifest(signed, content, server_id)
    _check_roles_and_runs(manifest)
    return manifest


def _check_actors(content: Json) -> None:
    require(keeps_key_rule(content["rootKey"]), "manifest: root key")
    require(len(content["actors"]) > 0, "manifest: no actors")
    last: Json | None = None
    keys: set[bytes] = set()
    for one in content["actors"]:
        actor = one["role"], one["index"]
        first, end = one["firstEpoch"], one["lastEpoch"]
        require(1 <= one["role"] <= 5, "manifest: role")
        require(keeps_key_rule(one["key"]), "manifest: key of an actor")
        require(one["key"] not in keys, "manifest: a key twice")
        keys.add(one["key"])
        require(end == 0 or first <= end, "manifest: epochs of a key")
        before = (last["role"], last["index"]) if last else (0, 0)
        require(before <= actor, "manifest: actors out of order")
        if before == actor:
            require(0 < last["lastEpoch"] < first, "manifest: epochs of keys")
        last = one


def _check_roles_and_runs(manifest: Manifest) -> None:
    counts = [manifest.count(role) for role in range(1, 6)]
    inboxes, routers, receivers, outboxes, sequencers = counts
    for role, count in enumerate(counts, start=1):
        for index in range(count):
            manifest.key(role, index)
    require(inboxes == routers >= 1, "manifest: inboxes and routers")
    require(outboxes == receivers >= 1, "manifest: outboxes and receivers")
    require(sequencers == 1, "manifest: sequencer")
    runs = manifest.content["buckets"]
    firsts = [one["firstBucket"] for one in runs]
    require(firsts[:1] == [0] and firsts[-1] < 4096, "manifest: buckets")
    require(firsts == sorted(set(firsts)), "manifest: buckets out of order")
    for one in runs:
        require(one["inbox"] < inboxes, "manifest: inbox of a run")
        require(one["outbox"] < outboxes, "manifest: outbox of a run")
    require(manifest.content["policy"]["submissions"] <= 2,
            "manifest: submissions")


def _accept_next(known: Sequence[Manifest], signed: Signed) -> Manifest:
    """Accept the version behind those that are known."""
    require(len(known) < VERSIONS_AT_MOST, "manifests: too many")
    before = known[-1]
    after = _accept(signed, before.server_id)
    require(after.version == before.version + 1, "manifests: versions")
    require(after.content["previousHash"] == before.hash,
            "manifests: another one before it")
    for name in ("nonce", "rootKey", "policy"):
        require(after.content[name] == before.content[name],
                f"manifests: another {name}")
    require(after.start > before.start, "manifests: in force no later")
    for key in before.in_use.values():
        _check_kept(before.actors[key], after.actors.get(key), after.start)
    begun = [
        one for key, one in after.actors.items()
        if key not in before.in_use.values()
    ]
    for one in begun:
        require((one["firstEpoch"], one["lastEpoch"]) == (after.start, 0),
                "manifests: a key begins at another time")
        require(all(one["key"] not in other.actors for other in known),
                "manifests: a key that was there before")
    return after


def _check_kept(was: Json, now: Json | None, start: int) -> None:
    """A key that was in use goes on, or ends right before the version."""
    require(now is not None, "manifests: a key is gone without an end")
    for name in ("role", "index", "firstEpoch"):
        require(was[name] == now[name], f"manifests: another {name}")
    require(now["lastEpoch"] in (0, start - 1),
            "manifests: a key ends at another time")
