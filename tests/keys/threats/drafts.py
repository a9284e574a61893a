"""Genuine documents taken apart, so that an attack changes one respect of one and puts it together again.

A :class:`Draft` is everything a signed message consists of. :func:`render` makes the bytes; rendered
unchanged it is, byte for byte, what the product's own code signs (``test_attacks.py`` holds it to that),
so whatever an attack is refused for is the one thing that it changed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import cbor2

from advisories import mcuboot, suit
from advisories.report import EXTERNAL_AAD
from keys.cbor import encode
from keys.codec import pack
from keys.document import typ
from keys.root import Body
from keys.signer import LocalSigner
from tests.helpers import (
    DEVICE,
    NOW,
    PRODUCT,
    Fleet,
    answer,
    catalogue,
    devices,
    key,
    notice,
    offer,
    report,
    timestamp,
)

DOCUMENTS = ("root", "notice", "catalogue", "timestamp", "offer", "answer", "devices")
"""What is sent as COSE_Sign and judged by the trusted set."""
TYPES = (*DOCUMENTS, "report", "patch")
SEVERAL = ("root", "notice", "patch")
"""Types that several roles or holders sign by default."""

VENDOR, CLASS = suit.identifiers("example.com", PRODUCT)
IMAGE = mcuboot.pack(b"new code " * 100, (1, 4, 2, 0), security_counter=3)


def same(value: Any) -> Any:
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """One signature to be made, with everything about it that can be wrong."""

    signer: LocalSigner
    header: Mapping[Any, Any] | bytes
    """Protected header: a map, or the bytes of whatever stands there."""
    loose: Mapping[Any, Any] = field(default_factory=dict)
    context: str = "Signature"
    aad: bytes = b""
    spoil: Callable[[bytes, bytes], Any] = lambda _, value: value
    """From the bytes to be signed and the right signature to the one that is sent."""

    @property
    def protected(self) -> bytes:
        return self.header if isinstance(self.header, bytes) else encode(dict(self.header))


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A message before it is signed."""

    type: str
    fields: dict[Any, Any]
    """The body, or the manifest of a patch, as CBOR values."""
    marks: tuple[Mark, ...]
    header: Mapping[Any, Any] | bytes = b""
    """Protected header of the body (COSE_Sign only)."""
    loose: Mapping[Any, Any] = field(default_factory=dict)
    body: Callable[[bytes], bytes] = same
    """What the body's bytes become before they are signed."""
    carried: Callable[[bytes], Any] = same
    """What stands in the place of the payload, after signing."""
    shape: Callable[[Any], Any] = same
    """What the structure becomes after signing, its tag included."""
    raw: Callable[[bytes], bytes] = same
    """What the bytes become in the end."""
    beside: Mapping[Any, bytes] = field(default_factory=dict)
    """Severed members of a patch."""


def standard(signer: LocalSigner, **more: Any) -> Mark:
    """The signature as it should be made."""
    return Mark(signer=signer, header={1: signer.public.algorithm.value, 4: signer.public.thumbprint}, **more)


def device(fleet: Fleet) -> LocalSigner:
    """The reporting device's key, of the fleet's algorithm."""
    return key(f"device {PRODUCT} {DEVICE}", fleet.algorithm)


def thumb(signer: LocalSigner) -> bytes:
    return signer.public.thumbprint


# From genuine messages to drafts.


def bodies(fleet: Fleet) -> dict[str, Body]:
    """One body of each type, as an honest fleet would sign it."""
    return {
        "root": fleet.next_root(issued=NOW),
        "notice": notice(fleet),
        "catalogue": catalogue(fleet, notice(fleet)),
        "timestamp": timestamp(fleet, catalogue(fleet, notice(fleet))),
        "offer": offer(fleet),
        "answer": answer(fleet),
        "devices": devices(fleet),
        "report": report(fleet),
    }


def draft(type_: str, fleet: Fleet, **changes: Any) -> Draft:
    """The genuine message of a type, taken apart."""
    if type_ == "patch":
        return patch_draft(fleet)
    found = bodies(fleet)[type_]
    fields = {**pack(found), **changes}
    if type_ == "report":
        mark = standard(device(fleet), context="Signature1", aad=EXTERNAL_AAD)
        header = {**dict(mark.header), 16: typ(type_)}  # type: ignore[arg-type] # it is a map here
        return Draft(type=type_, fields=fields, marks=(replace(mark, header=header),))
    roles = [r for r, n in fleet.root.demands(type_, PRODUCT).items() for _ in range(n)]
    marks = tuple(standard(signer) for signer in fleet.signers(*roles))
    return Draft(type=type_, fields=fields, marks=marks, header={16: typ(type_)})


def envelope() -> bytes:
    """The example patch, unsigned."""
    texts = {"en": "Closes a hole in pairing."}
    return suit.build(7, VENDOR, CLASS, IMAGE, version=(1, 4, 2, 0), uri="tocsin:image", texts=texts)


def patch_draft(fleet: Fleet) -> Draft:
    members = dict(cbor2.loads(envelope()).value)
    del members[2]
    manifest = cbor2.loads(members.pop(3))
    marks = tuple(standard(s, context="Signature1") for s in fleet.signers("release", "security"))
    return Draft(type="patch", fields=manifest, marks=marks, carried=lambda _: None, beside=members)


# And back to bytes.


def _tbs(mark: Mark, body_header: bytes, payload: bytes) -> bytes:
    parts = [b"" if header == b"\xa0" else header for header in (body_header, mark.protected)]
    if mark.context == "Signature1":
        parts = parts[1:]
    return encode([mark.context, *parts, mark.aad, payload])


def _value(mark: Mark, body_header: bytes, payload: bytes) -> Any:
    tbs = _tbs(mark, body_header, payload)
    return mark.spoil(tbs, mark.signer.sign(tbs))


def render(made: Draft) -> bytes:
    """Sign a draft and return its bytes."""
    if made.type == "patch":
        return made.raw(encode(made.shape(cbor2.CBORTag(107, _envelope(made)))))
    payload = made.body(encode(made.fields))
    header = made.header if isinstance(made.header, bytes) else encode(dict(made.header))
    if made.type == "report":
        (mark,) = made.marks
        loose = {**made.loose, **mark.loose}
        parts = [mark.protected, loose, made.carried(payload), _value(mark, b"", payload)]
        return made.raw(encode(made.shape(cbor2.CBORTag(18, parts))))
    signatures = [[m.protected, dict(m.loose), _value(m, header, payload)] for m in made.marks]
    parts = [header, dict(made.loose), made.carried(payload), signatures]
    return made.raw(encode(made.shape(cbor2.CBORTag(98, parts))))


def _envelope(made: Draft) -> dict[Any, bytes]:
    manifest = made.body(encode(made.fields))
    stated = encode([-16, hashlib.sha256(encode(manifest)).digest()])
    blocks = [
        encode(cbor2.CBORTag(18, [m.protected, dict(m.loose), made.carried(stated), _value(m, b"", stated)]))
        for m in made.marks
    ]
    return {2: encode([stated, *blocks]), 3: manifest, **made.beside}
