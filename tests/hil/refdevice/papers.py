"""Documents for the trust room: a fleet, its next roots, and notices that say little."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from cbor2 import CBORTag

from advisories.catalogue import Catalogue
from keys import cose
from keys.cbor import decode, encode
from keys.codec import at
from keys.document import seal
from keys.reasons import Reason
from keys.root import Body, Root, RootKey
from keys.shapes import ident
from tests.helpers import (
    NOW,
    PRODUCT,
    catalogue,
    key,
    make_fleet,
)

from .build import Core
from .trust_of_c import Twin

FLEET = make_fleet()
ADVISORY = "EX-2026-0001"
ROOT_ROLE = ("root-1", "root-2")


def enrolled(core: Core) -> Twin:
    """Return a trusted set in both, which have just begun to trust the same fleet."""
    both = Twin(core)
    assert both.enrol(FLEET.root_document) is Reason.OK
    return both


def root_signed(body: Root, *holders: str) -> bytes:
    return seal(body, [key(name) for name in holders or ROOT_ROLE])


def without(*names: str) -> tuple[RootKey, ...]:
    return tuple(entry for entry in FLEET.root.keys if entry.holder not in names)


def with_unprotected(document: bytes) -> bytes:
    """The same document, with something in the body's unprotected header."""
    header, _, *rest = decode(document).value
    return encode(CBORTag(cose.TAG_SIGN, [header, {1: -19}, *rest]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Slip(Body):
    """A notice that says little."""

    TYPE: ClassVar[str] = "notice"
    BYTES_MAX: ClassVar[int] = 512
    id: str = at(10, ident(64))

    def names(self) -> tuple[str, ...]:
        """Its versions are counted under its own id."""
        return (self.id,)


def slip(**changes: Any) -> Slip:
    base: dict[str, Any] = {
        "type": "notice",
        "fleet": FLEET.id,
        "subject": (PRODUCT,),
        "version": NOW,
        "issued": NOW,
        "id": ADVISORY,
    }
    return Slip(**{**base, **changes})


def warn(twin: Twin, body: Slip, *signers: str, name: str = ADVISORY) -> Reason:
    who = signers or ("engineering-1", "legal-1", "communications-1")
    return twin.accept(seal(body, list(map(key, who))), Slip, name, subject=PRODUCT, expiring=False)


def list_(twin: Twin, now: int | None = NOW, **changes: Any) -> Reason:
    document = FLEET.seal(catalogue(FLEET, **changes))
    return twin.accept(document, Catalogue, PRODUCT, subject=PRODUCT, now=now)
