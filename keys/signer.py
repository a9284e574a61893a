"""Private keys behind one seam: a :class:`Signer` signs bytes, a key URI says where it lives.

``file:PATH`` is an encrypted PKCS#8 PEM file; ``env:NAME`` holds such a PEM in an environment
variable, for automation; ``pkcs11:...`` names a key in a token (:mod:`keys.pkcs11`). A private key,
passphrase or PIN never appears in an error, a log or a representation.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Protocol

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from keys.algorithms import Algorithm, PublicKey
from keys.errors import InputError

Passphrase = Callable[[str], bytes]
"""Given a name to ask for ("key legal-1"), return the passphrase; empty means none."""


_PEM_BYTES_MAX = 65_536

_MlDsa = mldsa.MLDSA44PrivateKey | mldsa.MLDSA65PrivateKey
_Private = ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey | _MlDsa


class Signer(Protocol):
    """Anything that can sign with one key."""

    @property
    def public(self) -> PublicKey:
        """The public key, with its algorithm."""
        ...

    def sign(self, data: bytes) -> bytes:
        """Return the raw signature over ``data`` (:data:`keys.algorithms.SIGNATURE_BYTES`)."""
        ...


class LocalSigner:
    """A private key held in this process's memory."""

    def __init__(self, private: _Private) -> None:
        self._private = private
        self._public = _public(private)

    def __repr__(self) -> str:
        return f"LocalSigner({self._public.thumbprint.hex()[:16]})"

    @property
    def public(self) -> PublicKey:
        """The public key, with its algorithm."""
        return self._public

    def sign(self, data: bytes) -> bytes:
        """Return the raw signature over ``data``; P-256 deterministically (RFC 6979), as r and s."""
        if not isinstance(self._private, ec.EllipticCurvePrivateKey):
            return self._private.sign(data)
        r, s = decode_dss_signature(
            self._private.sign(data, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))
        )
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    def to_pem(self, passphrase: bytes) -> bytes:
        """Return encrypted PKCS#8; an empty passphrase leaves it unencrypted (exercise and device keys)."""
        encryption: serialization.KeySerializationEncryption = (
            serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
        )
        return self._private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption
        )


def _public(private: _Private) -> PublicKey:
    match private:
        case ed25519.Ed25519PrivateKey():
            return PublicKey(Algorithm.ED25519, private.public_key().public_bytes_raw())
        case mldsa.MLDSA44PrivateKey():
            return PublicKey(Algorithm.ML_DSA_44, private.public_key().public_bytes_raw())
        case mldsa.MLDSA65PrivateKey():
            return PublicKey(Algorithm.ML_DSA_65, private.public_key().public_bytes_raw())
    numbers = private.public_key().public_numbers()
    return PublicKey(Algorithm.ESP256, numbers.x.to_bytes(32, "big"), numbers.y.to_bytes(32, "big"))


_GENERATORS: dict[Algorithm, Callable[[], _Private]] = {
    Algorithm.ED25519: ed25519.Ed25519PrivateKey.generate,
    Algorithm.ESP256: lambda: ec.generate_private_key(ec.SECP256R1()),
    Algorithm.ML_DSA_44: mldsa.MLDSA44PrivateKey.generate,
    Algorithm.ML_DSA_65: mldsa.MLDSA65PrivateKey.generate,
}


def generate(algorithm: Algorithm = Algorithm.ED25519) -> LocalSigner:
    """Make a new key pair with the operating system's random numbers.

    Args:
        algorithm: one of :data:`keys.algorithms.EMITTED`.
    """
    return LocalSigner(_GENERATORS[algorithm]())


def from_seed(seed: bytes) -> LocalSigner:
    """Make the Ed25519 key of a 32-byte seed; for simulators and tests only."""
    return LocalSigner(ed25519.Ed25519PrivateKey.from_private_bytes(seed))


def from_pem(pem: bytes, passphrase: bytes, *, where: str) -> LocalSigner:
    """Read a PKCS#8 PEM.

    Raises:
        InputError: KEY_PASSPHRASE, KEY_UNREADABLE or KEY_UNSUPPORTED, naming ``where``.
    """
    try:
        private = serialization.load_pem_private_key(pem, passphrase or None)
    except TypeError:
        mend = "Give it with TOCSIN_PASSPHRASE or at the prompt." if not passphrase else "Give none."
        needs = "needs a passphrase" if not passphrase else "has no passphrase"
        raise InputError("KEY_PASSPHRASE", f"The key {needs}.", mend=mend, where=where) from None
    except UnsupportedAlgorithm:
        raise InputError(
            "KEY_UNSUPPORTED",
            "The key, or the cipher that protects it, is not one that we know.",
            mend="Make one with 'tocsin key new'.",
            where=where,
        ) from None
    except ValueError as error:
        if "password" in str(error).lower() or b"ENCRYPTED" in pem:
            raise InputError(
                "KEY_PASSPHRASE", "The passphrase does not open this key.", mend="Try again.", where=where
            ) from None
        raise InputError(
            "KEY_UNREADABLE", "This is not a PKCS#8 PEM key.", mend="Restore the file.", where=where
        ) from None
    match private:
        case ed25519.Ed25519PrivateKey() | mldsa.MLDSA44PrivateKey() | mldsa.MLDSA65PrivateKey():
            return LocalSigner(private)
        case ec.EllipticCurvePrivateKey(curve=ec.SECP256R1()):
            return LocalSigner(private)
    raise InputError(
        "KEY_UNSUPPORTED",
        "The key is none of Ed25519, P-256, ML-DSA-44 and ML-DSA-65.",
        mend="Make one with 'tocsin key new'.",
        where=where,
    )


def _read_file(name: str) -> bytes:
    try:
        with Path(name).open("rb") as file:  # no more than a key can be: it might be a device without an end
            return file.read(_PEM_BYTES_MAX)
    except OSError as error:
        why = error.strerror or "no reason given"
    except ValueError:  # a path that no system can have
        why = "not a path"
    # Raised out here, so that the system's error, which repeats the name, does not hang on ours; and lines
    # of text are not repeated: somebody has put the key itself here.
    where = name if name.isprintable() else ""
    raise InputError(
        "KEY_MISSING", f"The key file cannot be read ({why}).", mend="Check the path.", where=where
    )


def _read_env(name: str) -> bytes:
    # The name is not repeated in the message: whoever mixes things up has put the key itself here.
    value = os.environ.get(name)
    if value is None:
        raise InputError("KEY_MISSING", "The variable named is not set.", mend="Export the PEM in it.")
    return os.fsencode(value)


_PEM_SCHEMES: dict[str, Callable[[str], bytes]] = {"file": _read_file, "env": _read_env}
_REACHABLE: dict[str, Callable[[str], bool]] = {
    "file": lambda name: os.path.isfile(name) and os.access(name, os.R_OK),  # noqa: PTH113 - never raises
    "env": lambda name: name in os.environ,
    "pkcs11": lambda name: _tokens().present(f"pkcs11:{name}"),
}
"""Scheme -> whether this machine could use the key; also the list of schemes that there are."""


def _tokens() -> ModuleType:
    # Only here: who keeps keys in files need not load the library for tokens.
    return import_module("keys.pkcs11")


def _split(uri: str) -> tuple[str, str]:
    scheme, _, name = uri.partition(":")
    if scheme not in _REACHABLE or not name:
        known = ", ".join(f"{known}:" for known in _REACHABLE)
        raise InputError("KEY_URI", "This is not a key URI.", mend=f"Start it with one of {known}.")
    return scheme, name


def open_signer(uri: str, passphrase: Passphrase) -> Signer:
    """Open the private key behind a key URI.

    Args:
        uri: ``file:PATH``, ``env:NAME`` or ``pkcs11:...`` (:mod:`keys.pkcs11`).
        passphrase: asked only when the key is encrypted, or for the PIN of a token.

    Raises:
        InputError: KEY_URI, KEY_MISSING, KEY_PASSPHRASE, KEY_UNREADABLE or KEY_UNSUPPORTED.
        TocsinError: what :func:`keys.pkcs11.open_signer` lists, for a key in a token.
    """
    scheme, name = _split(uri)
    if scheme == "pkcs11":
        signer: Signer = _tokens().open_signer(uri, passphrase)
        return signer
    pem = _PEM_SCHEMES[scheme](name)
    secret = passphrase(name) if b"ENCRYPTED" in pem else b""
    return from_pem(pem, secret, where=name)


def reachable(uri: str) -> bool:
    """Say whether this machine could use the private key of a key URI, without asking for a passphrase.

    True when the file can be read, the variable is set, or the token is there (which shows its private
    keys only after a login, so that one which demands a login counts whatever it holds).

    Raises:
        InputError: KEY_URI, for what is no key URI.
    """
    scheme, name = _split(uri)
    return _REACHABLE[scheme](name)
