"""What the SUIT benchmark times: one envelope opened by a device, and the bare hash and checks in it.

Content: the manifest of an MCUboot image for one component, as ``tocsin patch add`` makes it, with what
the update does in nine languages, and two signature blocks: release and security.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from advisories import mcuboot, suit
from advisories.suit.envelope import read_block
from bench.cases import LANGUAGES, GaveWayError, bare
from bench.measure import Work
from keys.algorithms import Algorithm
from keys.cbor import encode
from keys.root import Root
from tests import helpers

ROLES = ("release", "security")
SENTENCE = "Closes a hole in pairing through which a neighbour could have read your settings."


@dataclass(frozen=True)
class Opening:
    """One signed envelope, and the root that a device opens it with."""

    envelope: bytes
    root: Root
    algorithms: tuple[Algorithm, ...]
    languages: int
    _members: suit.Envelope = field(init=False)

    def __post_init__(self) -> None:
        """Take the envelope apart once."""
        object.__setattr__(self, "_members", suit.decode(self.envelope))

    def open(self, _: object = None) -> None:
        """Verify everything, as a device does."""
        patch = suit.open_envelope(self.envelope, self.root, product=helpers.PRODUCT)
        if len(patch.signed) != len(ROLES):
            raise GaveWayError

    def work(self) -> Work:
        """Return the verification as something to be timed."""
        return Work(self.open)

    def bare_work(self) -> Work:
        """Return the hash of the manifest and the two signature checks, everything before them done."""
        content, stated = encode(self._members.manifest), self._members.digest
        checks = []
        for block in self._members.blocks:
            message = read_block(block)
            if message is None:
                raise GaveWayError
            signature = message.signatures[0]
            key = self.root.by_kid[signature.kid or b""].key
            data = message.to_be_signed(signature, self._members.signed_bytes)
            checks.append(bare(key, signature.value, data))
        if len(checks) != len(ROLES):
            raise GaveWayError

        def run(_: object) -> None:
            if hashlib.sha256(content).digest() != stated:
                raise GaveWayError
            for check in checks:
                check()

        return Work(run)

    def sizes(self) -> dict[str, int]:
        """Return the bytes of the envelope, and of the manifest and the texts in it."""
        members = self._members
        severed = sum(len(part) for part in members.severed.values())
        return {"envelope": len(self.envelope), "manifest": len(members.manifest), "severed": severed}


def opening(
    release: Algorithm, security: Algorithm | None = None, *, languages: int = len(LANGUAGES)
) -> Opening:
    """Return an envelope signed with keys of these algorithms.

    Args:
        release: of the release key.
        security: of the security key; None: the same.
        languages: in how many of the nine languages the update is described.
    """
    chosen: Mapping[str, Algorithm] = dict(zip(ROLES, (release, security or release), strict=True))
    keys = [
        entry
        for role, names in helpers.HOLDERS.items()
        for entry in helpers.root_keys({role: names}, chosen.get(role, Algorithm.ED25519))
    ]
    root = helpers.make_root(keys=tuple(keys))
    vendor, class_id = suit.identifiers("example.com", helpers.PRODUCT)
    version = (1, 4, 2, 0)
    image = mcuboot.pack(bytes(100_000), version, security_counter=3)
    texts = {language: f"[{language}] {SENTENCE}" for language in LANGUAGES[:languages]}
    data = suit.build(helpers.NOW, vendor, class_id, image, version=version, uri="tocsin:image", texts=texts)
    for role, algorithm in chosen.items():
        data = suit.authenticate(data, helpers.key(helpers.HOLDERS[role][0], algorithm))
    return Opening(data, root, tuple(chosen.values()), languages)
