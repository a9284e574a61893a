"""Legal's signature on a draft for an authority: a detached COSE_Sign1 over the file's bytes.

It says in its protected header that it is one (``typ``), and covers which fleet, incident, regime and step
the file belongs to, so that it serves for no other. Legal alone signs: no approval of customers' words is
waited for.
"""

from __future__ import annotations

from typing import Final

from keys import cose
from keys.cbor import encode
from keys.errors import RefusedError
from keys.reasons import Reason
from keys.root import Root, RootKey
from keys.signer import Signer

TYP: Final = "tocsin/authority-draft"
ROLE: Final = "legal"
SEAL_BYTES_MAX: Final = 16_384
"""Far above a signature of any algorithm."""


def _about(fleet: bytes, incident: str, regime: str, step: str) -> bytes:
    return encode([fleet, incident, regime, step])


def sign(data: bytes, signer: Signer, *, fleet: bytes, incident: str, regime: str, step: str) -> bytes:
    """Return the signature over a draft's bytes.

    Args:
        data: the file, byte for byte.
        signer: whose key has the role ``legal``.
        fleet: digest of root 1.
        incident: what the draft is about.
        regime: for whom it is.
        step: which report it is.
    """
    about = _about(fleet, incident, regime, step)
    return cose.sign1(data, signer, typ=TYP, external_aad=about, detached=True)


def verify(
    seal: bytes, data: bytes, root: Root, *, fleet: bytes, incident: str, regime: str, step: str
) -> RootKey:
    """Return whose signature it is.

    Raises:
        RefusedError: TOO_BIG, MALFORMED, WRONG_TYPE, UNKNOWN_KEY, ALGORITHM_MISMATCH, BAD_SIGNATURE when the
            file or what it is about differs; THRESHOLD_NOT_MET when the key has not the role ``legal``.
    """
    message = cose.parse(seal, cose.TAG_SIGN1, size_max=SEAL_BYTES_MAX, unprotected=False)
    if message.payload is not None:
        raise RefusedError(Reason.MALFORMED, "payload is attached")
    if message.header.get(cose.TYP) != TYP:
        raise RefusedError(Reason.WRONG_TYPE, f"expected {TYP}")
    signature = message.signatures[0]
    entry = root.by_kid.get(signature.kid or b"")
    if entry is None:
        raise RefusedError(Reason.UNKNOWN_KEY, f"root {root.version} does not list it")
    about = _about(fleet, incident, regime, step)
    cose.check(message, signature, entry.key, payload=data, external_aad=about)
    if ROLE not in entry.roles:
        raise RefusedError(Reason.THRESHOLD_NOT_MET, f"no signature for {ROLE}")
    return entry
