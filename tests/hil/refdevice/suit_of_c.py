"""SUIT envelopes, opened by the C device and by ``advisories.suit`` beside it."""

from __future__ import annotations

from typing import Any

import cbor2

from advisories import suit
from advisories.languages import fallback
from keys.algorithms import UNDECLARED
from keys.cbor import encode
from keys.reasons import Reason
from keys.root import Root
from keys.signer import Signer
from tests.advisories.suit_case import (
    CLASS,
    VENDOR,
    blocks,
    built,
    with_blocks,
)
from tests.helpers import PRODUCT, make_fleet

from .build import Core
from .patch_of_c import made, open_suit
from .trust_of_c import Trust, verdict

FLEET = make_fleet()
SIGNERS = FLEET.signers("release", "security")


def signed(data: bytes, *signers: Signer) -> bytes:
    for signer in signers or SIGNERS:
        data = suit.authenticate(data, signer)
    return data


def sealed(data: bytes) -> bytes:
    """Any envelope with an honest digest, signed."""
    stated = suit.decode(data).signed_bytes
    return with_blocks(data, *(block(signer, over=stated) for signer in SIGNERS))


GOOD = signed(built())
RELEASE, SECURITY = blocks(GOOD)
STATED = suit.decode(GOOD).signed_bytes


def block(
    signer: Signer,
    *,
    protected: Any = None,
    unprotected: Any = None,
    payload: bytes | None = None,
    over: bytes = STATED,
) -> bytes:
    """A block with every part to choose."""
    if protected is None:
        protected = {1: signer.public.algorithm.value, 4: signer.public.thumbprint}
    header = encode(protected)
    value = signer.sign(encode(["Signature1", header, b"", over]))
    return encode(cbor2.CBORTag(18, [header, unprotected or {}, payload, value]))


def rooted(core: Core, root: bytes = FLEET.root_document, language: str = "en") -> Core:
    """A core that trusts a root."""
    assert Trust(core).enrol(root) is Reason.OK
    made(core, PRODUCT, language=language)
    return core


def same(core: Core, data: bytes, root: Root = FLEET.root, *, narrow: bool = False) -> Reason:
    """Open it in both languages and compare.

    ``narrow``: the C device may find UNSUPPORTED what Python knows; and of two faults either may be said, for C judges all
    of the authentication wrapper before the member behind it.
    """
    expected = verdict(lambda: suit.open_envelope(data, root, product=PRODUCT, algorithms=UNDECLARED))
    found, manifest = open_suit(core, data)
    if narrow and (
        found is Reason.UNSUPPORTED or (found, expected) == (Reason.MALFORMED, Reason.UNSUPPORTED)
    ):
        return found
    assert found is expected
    if found is Reason.OK:
        patch = suit.open_envelope(data, root, product=PRODUCT, algorithms=UNDECLARED)
        assert manifest.digests == (patch.digest, patch.image_digest)
        assert (manifest.sequence, manifest.image_size) == (patch.sequence, patch.image_size)
        assert manifest.promised == patch.version
        assert manifest.ours == ((patch.vendor_id, patch.class_id) == (VENDOR, CLASS))
        tag = fallback(("en",), patch.manifest.texts)
        assert manifest.speaks == (tag if tag is not None and patch.text(tag) else "")
    return found
