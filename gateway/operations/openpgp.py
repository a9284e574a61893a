"""OpenPGP signatures beside CSAF documents (CSAF 2.0, section 7.1.19), by the optional package pysequoia."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from gateway import files
from keys.errors import InputError, UnavailableError


def signer(path: Path) -> tuple[Callable[[bytes], bytes], bytes]:
    """Return what signs with a key file, and its armoured public key.

    Args:
        path: an OpenPGP private key, armoured or not, without a passphrase.

    Raises:
        UnavailableError: OPENPGP_PARTS, when the package is not installed.
        InputError: OPENPGP_KEY, when the file holds no key that can sign; FILE_MISSING.
    """
    try:
        from pysequoia import SignatureMode, Tsk, sign  # noqa: PLC0415 - an extra: most sites need none
    except ImportError:
        raise UnavailableError(
            "OPENPGP_PARTS",
            "Signing CSAF documents needs pysequoia, which is not installed.",
            mend="Run: pip install 'tocsin[openpgp]'",
        ) from None
    data = files.read_bytes(path, what="OpenPGP key", mend="Check the path.")
    refused = InputError(
        "OPENPGP_KEY",
        "This file holds no OpenPGP key that can sign without a passphrase.",
        mend="Export a signing key of its own for CSAF documents.",
        where=str(path),
    )
    try:
        key = Tsk.from_bytes(data)
        secret, public = key.signer(), str(key.extract_certificate()).encode()
    except Exception:  # noqa: BLE001 - pysequoia raises RuntimeError, and panics of its library as others
        raise refused from None
    return lambda document: bytes(sign(secret, document, mode=SignatureMode.DETACHED)), public
