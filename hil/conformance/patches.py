"""The patch of the table: an image, its envelope, and the catalogue that names it."""

from __future__ import annotations

import hashlib
from functools import cache
from typing import Any, Final

import cbor2

from advisories import mcuboot, suit
from advisories.suit.envelope import digest_of
from advisories.versions import Version
from hil.conformance.fleet import FIXED
from hil.conformance.rows import Facts, Scene
from keys.algorithms import Algorithm
from keys.cbor import encode

SEQUENCE: Final = 7
IMAGE_BYTES: Final = 2_500
"""Of code: three blocks, so that a download can break off in the middle."""
BLOCK_BYTES: Final = 1_024
SELF_TEST_FAILS: Final = b"SELFTEST-FAILS"
"""A test build's image with these bytes in it may fail its self-test, so that a revert can be shown."""


@cache
def image(
    version: Version = FIXED,
    *,
    counter: int | None = 1,
    size: int = IMAGE_BYTES,
    fill: str = "code",
    marks: bytes = b"",
) -> bytes:
    """Return firmware for the board: Ed25519 is what it can verify; ``marks`` are put behind its code."""
    seed = hashlib.sha256(f"tocsin conformance {fill} {version}".encode()).digest()
    body = hashlib.shake_256(seed).digest(size) + marks
    return mcuboot.pack(body, version, security_counter=counter, algorithms=(Algorithm.ED25519,))


def uri_of(payload: bytes) -> str:
    """Return where a payload lies."""
    return f"artefact/{hashlib.sha256(payload).hexdigest()}"


def file(payload: bytes, uri: str = "", *, inside: bool = False) -> suit.File:
    """Return a file of a plan."""
    content = payload if inside else None
    return suit.File(hashlib.sha256(payload).digest(), len(payload), uri or uri_of(payload), content)


def plan(facts: Facts, *payloads: suit.Payload, **changes: Any) -> bytes:
    """Return an unsigned envelope for the board; of the usual image where no payload is named."""
    vendor, class_id = facts.identifiers
    usual = (suit.Payload((file(image()),), version=FIXED),)
    fields: dict[str, Any] = {
        "sequence": SEQUENCE,
        "vendor_id": vendor,
        "class_id": class_id,
        "texts": {"en": "Closes a hole."},
        "payloads": payloads or usual,
        **changes,
    }
    return suit.compose(suit.PatchPlan(**fields))


@cache
def envelope(facts: Facts) -> bytes:
    """Return the usual patch, unsigned."""
    return plan(facts)


def digest(unsigned: bytes) -> bytes:
    """Return a patch digest."""
    return digest_of(cbor2.loads(unsigned).value[3])


def patch_digest(scene: Scene) -> bytes:
    """Return the digest of the usual patch."""
    return digest(envelope(scene.facts))


# -- manifests by hand

INSTALL: Final[list[Any]] = [20, {21: "artefact/x"}, 21, 2, 3, 15]


def identity(facts: Facts) -> list[Any]:
    """Return a shared sequence that sets identity, digest and size, and checks the identity."""
    vendor, class_id = facts.identifiers
    content = hashlib.sha256(image()).digest()
    parameters = {1: vendor, 2: class_id, 3: encode([-16, content]), 14: len(image())}
    return [20, parameters, 1, 15, 2, 15]


def craft(
    facts: Facts,
    shared: list[Any] | None = None,
    sections: dict[int, Any] | None = None,
    *,
    components: list[Any] | None = None,
    common: dict[int, Any] | None = None,
    extra: dict[int, Any] | None = None,
) -> dict[int, Any]:
    """Return any manifest; lists are encoded as command sequences, ``...`` takes a member away."""
    body: dict[int, Any] = {
        1: 1,
        2: SEQUENCE,
        3: encode(
            {
                2: [[b"\x00"]] if components is None else components,
                4: encode(identity(facts) if shared is None else shared),
                **(common or {}),
            }
        ),
    }
    for number, value in ({20: INSTALL} if sections is None else sections).items():
        body[number] = encode(value) if isinstance(value, list) else value
    body.update(extra or {})
    return {number: value for number, value in body.items() if value is not ...}
