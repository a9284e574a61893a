"""Envelopes for the SUIT tests: ours, and any other that can be put together by hand."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from advisories import mcuboot, suit
from advisories.suit.envelope import digest_of
from advisories.versions import Version
from keys.algorithms import Algorithm, PublicKey
from keys.cbor import encode
from keys.errors import RefusedError
from keys.reasons import Reason
from tests.helpers import PRODUCT, Fleet

VECTORS = Path(__file__).parents[3] / "shared" / "vectors" / "suit" / "draft-37"
needs_vectors = pytest.mark.skipif(not VECTORS.is_dir(), reason="the SUIT draft's examples are not here")

VERSION: Version = (1, 4, 2, 7)
VENDOR, CLASS = suit.identifiers("example.com", PRODUCT)
IMAGE = mcuboot.pack(b"new code " * 100, VERSION, security_counter=3)
URI = "tocsin:image"
DIGEST = bytes(range(32))


def vector_key() -> PublicKey:
    """The draft's published test key."""
    key = load_pem_public_key((VECTORS / "test_only_public_key.pem").read_bytes())
    assert isinstance(key, ec.EllipticCurvePublicKey)
    numbers = key.public_numbers()
    return PublicKey(Algorithm.ESP256, numbers.x.to_bytes(32, "big"), numbers.y.to_bytes(32, "big"))


def built(sequence: int = 7, **changes: Any) -> bytes:
    """Our own envelope, unsigned."""
    fields: dict[str, Any] = {
        "version": VERSION,
        "uri": URI,
        "texts": {"en": "Closes a hole in pairing.", "de": "Schliesst eine Luecke beim Koppeln."},
        **changes,
    }
    return suit.build(sequence, VENDOR, CLASS, IMAGE, **fields)


BASE = mcuboot.pack(b"old code " * 100, (1, 4, 1, 0), security_counter=3)
DELTA = b"what differs " * 8
CONFIG = b"interval = 30\n"


def file(content: bytes, uri: str, *, inside: bool = False) -> suit.File:
    """A file of a plan."""
    return suit.File(hashlib.sha256(content).digest(), len(content), uri, content if inside else None)


def plan(*payloads: suit.Payload, **changes: Any) -> bytes:
    """Our own envelope for any payloads, unsigned."""
    fields: dict[str, Any] = {"sequence": 7, "vendor_id": VENDOR, "class_id": CLASS, **changes}
    return suit.compose(suit.PatchPlan(payloads=payloads, **fields))


def delta_patch(**changes: Any) -> bytes:
    """A patch that can be fetched as a delta."""
    delta = suit.Delta(file(DELTA, "artefact/delta"), hashlib.sha256(BASE).digest(), len(BASE))
    return plan(suit.Payload((file(IMAGE, URI),), version=VERSION, deltas=(delta,)), **changes)


def two_components(**changes: Any) -> bytes:
    """A patch of an image and of a file beside it."""
    first = suit.Payload((file(IMAGE, URI),), version=VERSION, about={"en": "The application."})
    return plan(first, suit.Payload((file(BASE, "artefact/radio"),), (b"\x01",)), **changes)


def integrated(**changes: Any) -> bytes:
    """A patch whose second payload travels in the envelope."""
    first = suit.Payload((file(IMAGE, URI),), version=VERSION)
    return plan(first, suit.Payload((file(CONFIG, "#config", inside=True),), (b"config",)), **changes)


def two_slots(**changes: Any) -> bytes:
    """A patch with an image for each slot."""
    return plan(
        suit.Payload((file(IMAGE, "artefact/0"), file(BASE, "artefact/1")), version=VERSION), **changes
    )


OURS = {
    "one image": built,
    "a delta": delta_patch,
    "two components": two_components,
    "a payload in the envelope": integrated,
    "two slots": two_slots,
}
"""Every way in which we lay a patch out."""


def signed(fleet: Fleet, *roles: str, envelope: bytes | None = None) -> bytes:
    """Our own envelope, signed by the first holders of these roles (release and security by default)."""
    data = built() if envelope is None else envelope
    for signer in fleet.signers(*(roles or ("release", "security"))):
        data = suit.authenticate(data, signer)
    return data


def members(data: bytes) -> dict[Any, Any]:
    """The outer map of an envelope, to be changed."""
    return dict(cbor2.loads(data).value)


def seal(outer: Mapping[Any, Any]) -> bytes:
    """The envelope of an outer map."""
    return encode(cbor2.CBORTag(107, dict(outer)))


def with_blocks(data: bytes, *blocks: bytes) -> bytes:
    """The same envelope with other authentication blocks."""
    outer = members(data)
    outer[2] = encode([cbor2.loads(outer[2])[0], *blocks])
    return seal(outer)


def blocks(data: bytes) -> tuple[bytes, ...]:
    return suit.decode(data).blocks


def identity(**more: Any) -> list[Any]:
    """A shared sequence that sets identity, digest and size, and checks the identity."""
    parameters = {1: VENDOR, 2: CLASS, 3: encode([-16, DIGEST]), 14: 1000}
    return [20, parameters, 1, 15, 2, 15]


INSTALL: list[Any] = [20, {21: URI}, 21, 2, 3, 15]


def craft(
    shared: Sequence[Any] | None = None,
    sections: Mapping[int, Any] | None = None,
    *,
    components: Any = ([b"\x00"],),
    common: Mapping[int, Any] | None = None,
    extra: Mapping[int, Any] | None = None,
    severed: Mapping[Any, bytes] | None = None,
) -> bytes:
    """An envelope around any manifest; lists are encoded as command sequences."""
    body: dict[int, Any] = {
        1: 1,
        2: 7,
        3: encode(
            {
                2: list(components) if isinstance(components, tuple) else components,
                4: encode(list(identity() if shared is None else shared)),
                **(common or {}),
            }
        ),
    }
    for key, value in ({20: INSTALL} if sections is None else sections).items():
        body[key] = encode(value) if isinstance(value, list) else value
    body.update(extra or {})
    for key, value in list(body.items()):
        if value is ...:
            del body[key]
    manifest = encode(body)
    wrapper = encode([encode([-16, digest_of(manifest)])])
    return seal({2: wrapper, 3: manifest, **(severed or {})})


def refused(call: Any, *arguments: Any, **named: Any) -> tuple[Reason, str]:
    """The reason and detail with which a call refuses."""
    with pytest.raises(RefusedError) as error:
        call(*arguments, **named)
    return error.value.reason, error.value.detail
