"""Private keys in a PKCS#11 token: a smart card, a hardware security module, SoftHSM.

    pkcs11:token=signing;object=legal-1?module-path=/usr/lib/softhsm/libsofthsm2.so

The key stays in the token. Every use starts the module, logs in, works, and ends all of it again, one use at
a time in a process; so threads, forks, other processes and a token pulled out and put back need nothing more.
A PIN is tried once: a token locks after a few wrong ones. A signature leaves only if it verifies.
"""

from __future__ import annotations

import fcntl
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO, Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from keys.algorithms import Algorithm, PublicKey
from keys.errors import InputError, RefusedError, TocsinError
from keys.pkcs11_errors import MODULE_VARIABLE, PIN_BYTES_MAX, TOLD, Trouble
from keys.pkcs11_uri import Place, parse

try:
    import pkcs11 as cryptoki
except ImportError:  # pragma: no cover  # the extra is not installed; whoever names a token is told so
    cryptoki = None  # type: ignore[assignment]

_WAIT_SECONDS = 30.0
"""For another process that uses the module, before we give up."""
_MODULE_FOLDERS = ("usr/lib*/pkcs11", "usr/lib/*/pkcs11", "usr/lib*/softhsm", "usr/local/lib*/pkcs11")

_EC, _EDWARDS = 0x03, 0x40  # CKK_EC, CKK_EC_EDWARDS
_P256 = bytes.fromhex("06082a8648ce3d030107")
_ED25519 = bytes.fromhex(
    "130c656477617264733235353139"
)  # the name "edwards25519"; PKCS#11 3.0, section 2.3.5
_ALGORITHMS: Final = {
    (_EC, _P256): Algorithm.ESP256,
    (_EDWARDS, _ED25519): Algorithm.ED25519,
    (_EDWARDS, bytes.fromhex("06032b6570")): Algorithm.ED25519,  # by object identifier
}
"""CKA_KEY_TYPE and CKA_EC_PARAMS -> algorithm. No ML-DSA: there is no token yet to prove it on."""
_PARAMETERS: Final = {Algorithm.ESP256: (_EC, _P256), Algorithm.ED25519: (_EDWARDS, _ED25519)}
_SIGN: Final = {Algorithm.ESP256: 0x1041, Algorithm.ED25519: 0x1057}  # CKM_ECDSA, CKM_EDDSA
_MAKE: Final = {Algorithm.ESP256: 0x1040, Algorithm.ED25519: 0x1055}  # CKM_EC(_EDWARDS)_KEY_PAIR_GEN
_HEADS: Final = {  # length of a point -> what it begins with: OCTET STRING in DER, uncompressed
    Algorithm.ESP256: {67: b"\x04\x41\x04", 65: b"\x04"},
    Algorithm.ED25519: {34: b"\x04\x20", 32: b""},
}

_ONE_AT_A_TIME = threading.Lock()
# A fork waits until the module is closed: one that is open does not survive it (PKCS#11 2.40, section 2.5.2).
os.register_at_fork(
    before=_ONE_AT_A_TIME.acquire,
    after_in_parent=_ONE_AT_A_TIME.release,
    after_in_child=_ONE_AT_A_TIME.release,
)


class TokenSigner:
    """A private key that stays in its token; the PIN is kept in memory, to log in for each signature."""

    def __init__(self, place: Place, pin: str, public: PublicKey) -> None:
        """Use :func:`open_signer`, which has read ``public`` from the token."""
        self._place = place
        self._pin = pin
        self._public = public
        self._one_login = threading.Lock()

    def __repr__(self) -> str:
        return f"TokenSigner({self._public.thumbprint.hex()[:16]})"

    @property
    def public(self) -> PublicKey:
        """The public key, with its algorithm."""
        return self._public

    def sign(self, data: bytes) -> bytes:
        """Return the raw signature over ``data``; it has been verified with :attr:`public`.

        Raises:
            TocsinError: as :func:`open_signer`, and KEY_WRONG_SIGNATURE. After a PIN that the token did
                not take, it is not tried again.
        """
        with self._one_login:
            try:
                with _session(self._place, self._pin) as session:
                    key = _private(session, self._place)
                    return _signature(key, self._public, data, self._pin, self._place.where)
            except InputError as error:
                if error.code == "KEY_PASSPHRASE":
                    self._pin = ""
                raise


def open_signer(uri: str, passphrase: Callable[[str], bytes]) -> TokenSigner:
    """Find a private key in a token and read its public half; the PIN is tried once.

    Args:
        uri: RFC 7512; ``module-path``, ``module-name`` or TOCSIN_PKCS11_MODULE says which module.
        passphrase: gives the PIN, unless the URI names a ``pin-source=file:...``.

    Raises:
        InputError: KEY_URI, KEY_MISSING, KEY_AMBIGUOUS, KEY_PASSPHRASE, KEY_PIN_FILE, KEY_NOT_SIGNING,
            KEY_UNSUPPORTED, KEY_UNREADABLE, KEY_MODULE_UNNAMED.
        UnavailableError: KEY_EXTRA, KEY_MODULE, KEY_TOKEN_MISSING, KEY_PIN_LOCKED, KEY_PIN_UNSET,
            KEY_TOKEN_FAILED.
    """
    place = parse(uri)
    _module_path(place)  # before anybody is asked for a PIN
    pin = _pin(place, passphrase)
    with _session(place, pin) as session:
        public = _public(session, _private(session, place), place)
    return TokenSigner(place, pin, public)


def generate(uri: str, passphrase: Callable[[str], bytes], algorithm: Algorithm) -> PublicKey:
    """Make a key pair in a token; the private key is sensitive and cannot be taken out.

    Args:
        uri: as :func:`open_signer`; its ``object`` or ``id`` names the new key.
        passphrase: gives the PIN.
        algorithm: Ed25519 or ESP256.

    Raises:
        InputError: as :func:`open_signer`, and KEY_EXISTS.
        UnavailableError: as :func:`open_signer`, and KEY_TOKEN_READ_ONLY, KEY_WRONG_SIGNATURE.
    """
    place = parse(uri)
    if place.label is None and place.id is None:
        raise InputError("KEY_URI", "The pkcs11: URI does not name the new key.", mend="Add object=NAME.")
    if algorithm not in _MAKE:
        raise Trouble.UNSUPPORTED.at(place.where)
    _module_path(place)
    pin = _pin(place, passphrase)
    with _session(place, pin, write=True) as session:
        if any(_objects(session, place, kind) for kind in ("PRIVATE_KEY", "PUBLIC_KEY", "CERTIFICATE")):
            raise Trouble.EXISTS.at(place.where)
        pair = _make(session, place, algorithm)
        try:
            public = _public(session, pair[1], place)
            _signature(pair[1], public, b"", pin, place.where)
        except (TocsinError, cryptoki.PKCS11Error):
            for half in pair:
                half.destroy()
            raise
    return public


def present(uri: str) -> bool:
    """Say whether this machine may be able to use a key in a token, without asking for a PIN.

    A token shows a private key only after a login. So one that demands a login counts, whatever it shows.

    Raises:
        InputError: KEY_URI.
    """
    place = parse(uri)
    try:
        with _opened(place) as tokens:
            return any(_may_hold(token, place) for token in tokens)
    except TocsinError:
        return False


def _may_hold(token: Any, place: Place) -> bool:
    if cryptoki.TokenFlag.LOGIN_REQUIRED in token.flags:
        return True
    with token.open() as session:
        return bool(_objects(session, place, "PRIVATE_KEY"))


def _pin(place: Place, passphrase: Callable[[str], bytes]) -> str:
    secret = _read_pin(place.pin_file) if place.pin_file else passphrase(place.where)
    pin = secret.decode("utf-8", "replace")
    # Compared, not caught: the codec's own exception carries the PIN.
    if pin.encode() != secret or not 0 < len(secret) <= PIN_BYTES_MAX:
        raise Trouble.NO_PIN.at(place.where)
    return pin


def _read_pin(path: str) -> bytes:
    try:
        with Path(path).open("rb") as file:
            return file.read(PIN_BYTES_MAX + 2).removesuffix(b"\n").removesuffix(b"\r")
    except OSError as error:
        raise Trouble.NO_PIN_FILE.at(path, error.strerror or "") from None


def _module_path(place: Place) -> str:
    if cryptoki is None:
        raise Trouble.NO_EXTRA.at(place.where)
    path = place.module_path or _find_module(place.module_name) or os.environ.get(MODULE_VARIABLE, "")
    if not path:
        raise Trouble.NO_MODULE.at(place.where)
    return path


def _find_module(name: str) -> str:
    """Return where a module lies that is named without path and extension; else its name, for the loader."""
    if not name:
        return ""
    names = (f"{name}.so", f"lib{name}.so")
    found = (file for pattern in _MODULE_FOLDERS for file in sorted(Path("/").glob(pattern)))
    return next(
        (str(folder / file) for folder in found for file in names if (folder / file).is_file()), names[0]
    )


@contextmanager
def _alone(path: str) -> Iterator[None]:
    """Wait until no other process uses the module: two logins at once make SoftHSM2 2.6 lose its tokens.

    The lock is on the module's own file, which every process that drives this token opens anyway. A
    module that only the loader can find has none.
    """
    if not os.path.isfile(path):  # noqa: PTH113 - never raises
        yield
        return
    try:
        file = Path(path).open("rb")  # noqa: SIM115 - closed below, where an error is not one of the module
    except OSError as error:
        raise Trouble.BAD_MODULE.at(path, error.strerror or "") from None
    with file:
        deadline = time.monotonic() + _WAIT_SECONDS
        while not _locked(file):
            if time.monotonic() >= deadline:
                raise Trouble.BUSY.at(path)
            time.sleep(0.005)
        yield


def _locked(file: BinaryIO) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def _opened(place: Place) -> Iterator[list[Any]]:
    """Start the module, give the tokens that fit, and end everything again, whatever happened."""
    path = _module_path(place)
    with _ONE_AT_A_TIME, _alone(path):
        try:
            module = cryptoki.lib(path)
        except (cryptoki.PKCS11Error, ValueError):  # ValueError: a path that no system can have
            raise Trouble.BAD_MODULE.at(path) from None
        try:
            yield [token for token in _tokens(module) if _fits(token, place)]
        except cryptoki.PKCS11Error as error:
            name = type(error).__name__
            trouble = TOLD.get(name)
            raise trouble.at(place.where) if trouble else Trouble.FAILED.at(place.where, name) from None
        finally:
            with suppress(cryptoki.PKCS11Error):
                module.finalize()  # ends every session, also one that a failed login left open


def _tokens(module: Any) -> Iterator[Any]:
    for slot in module.get_slots(token_present=True):
        with suppress(cryptoki.TokenNotPresent, cryptoki.TokenNotRecognised):
            token = slot.get_token()
            if cryptoki.TokenFlag.TOKEN_INITIALIZED in token.flags:
                yield token


def _fits(token: Any, place: Place) -> bool:
    has = {"serial": token.serial.decode("utf-8", "replace")}
    return all(has.get(name, getattr(token, name)) == value for name, value in place.token.items())


@contextmanager
def _session(place: Place, pin: str, *, write: bool = False) -> Iterator[Any]:
    """Log in to the one token that fits."""
    if not pin:
        raise Trouble.NO_PIN.at(place.where)
    with _opened(place) as tokens:
        if len(tokens) != 1:
            raise (Trouble.AMBIGUOUS if tokens else Trouble.TOKEN_MISSING).at(place.where)
        with tokens[0].open(rw=write, user_pin=pin) as session:
            yield session


def _objects(session: Any, place: Place, kind: str) -> list[Any]:
    wanted = {
        cryptoki.Attribute.CLASS: cryptoki.ObjectClass[kind],
        cryptoki.Attribute.LABEL: place.label,
        cryptoki.Attribute.ID: place.id,
    }
    return list(session.get_objects({name: value for name, value in wanted.items() if value is not None}))


def _get(thing: Any, attribute: str, *, default: Any) -> Any:
    """Return an attribute, or ``default`` where the token has none, or an unknown value."""
    try:
        return thing[cryptoki.Attribute[attribute]]
    except (cryptoki.AttributeTypeInvalid, cryptoki.AttributeSensitive, ValueError):
        return default


def _private(session: Any, place: Place) -> Any:
    found = _objects(session, place, "PRIVATE_KEY")
    if len(found) != 1:
        raise (Trouble.AMBIGUOUS if found else Trouble.MISSING).at(place.where)
    if not _get(found[0], "SIGN", default=False):
        raise Trouble.NOT_SIGNING.at(place.where)
    return found[0]


def _public(session: Any, private: Any, place: Place) -> PublicKey:
    """Read the public half: the public key with the private key's id (or label), else the certificate."""
    kind = (_get(private, "KEY_TYPE", default=None), _get(private, "EC_PARAMS", default=b""))
    if kind not in _ALGORITHMS:
        raise Trouble.UNSUPPORTED.at(place.where)
    id_ = _get(private, "ID", default=b"")
    same = replace(place, id=id_ or None, label=None if id_ else place.label)
    halves = _objects(session, same, "PUBLIC_KEY")
    coses = [_point(_get(half, "EC_POINT", default=b""), _ALGORITHMS[kind]) for half in halves] or [
        _certified(_get(half, "VALUE", default=b"")) for half in _objects(session, same, "CERTIFICATE")
    ]
    keys = {key for key in coses if key is not None and key.algorithm is _ALGORITHMS[kind]}
    if len(keys) != 1 or not (id_ or place.label):
        raise Trouble.NO_PUBLIC_KEY.at(place.where)
    return keys.pop()


def _point(value: bytes, algorithm: Algorithm) -> PublicKey | None:
    """Read CKA_EC_POINT: an OCTET STRING in DER as the standard says, or the bare point as some tokens do."""
    head = _HEADS[algorithm].get(len(value))
    if head is None or not value.startswith(head):
        return None
    x, y = value[len(head) :][:32], value[len(head) :][32:]
    try:
        return PublicKey.from_cose(PublicKey(algorithm, x, y).to_cose())
    except RefusedError:  # no point of the curve, or one without an owner
        return None


def _certified(der: bytes) -> PublicKey | None:
    try:
        key = x509.load_der_x509_certificate(der).public_key()
    except (ValueError, UnsupportedAlgorithm):
        return None
    match key:
        case ec.EllipticCurvePublicKey(curve=ec.SECP256R1()):
            raw = key.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
            return _point(raw, Algorithm.ESP256)
        case ed25519.Ed25519PublicKey():
            return _point(key.public_bytes_raw(), Algorithm.ED25519)
    return None


def _signature(private: Any, public: PublicKey, data: bytes, pin: str, where: str) -> bytes:
    """Let the token sign, and believe it only if the public key does."""
    once_more = {"pin": pin} if _get(private, "ALWAYS_AUTHENTICATE", default=False) else {}
    message = sha256(data).digest() if public.algorithm is Algorithm.ESP256 else data
    signature: bytes = private.sign(
        message, mechanism=cryptoki.Mechanism(_SIGN[public.algorithm]), **once_more
    )
    if not public.verify(signature, data):
        raise Trouble.WRONG_SIGNATURE.at(where)
    return signature


def _make(session: Any, place: Place, algorithm: Algorithm) -> tuple[Any, Any]:
    """Make the pair: (public key, private key)."""
    kind, parameters = _PARAMETERS[algorithm]
    attribute = cryptoki.Attribute
    curve = session.create_domain_parameters(
        cryptoki.KeyType(kind), {attribute.EC_PARAMS: parameters}, local=True
    )
    pair: tuple[Any, Any] = curve.generate_keypair(
        id=place.id or os.urandom(16),
        label=place.label,
        store=True,
        capabilities=cryptoki.MechanismFlag.SIGN | cryptoki.MechanismFlag.VERIFY,
        mechanism=cryptoki.Mechanism(_MAKE[algorithm]),
        private_template={attribute.PRIVATE: True, attribute.SENSITIVE: True, attribute.EXTRACTABLE: False},
    )
    return pair
