"""No failure of any key shows a passphrase, a PIN or a piece of a private key; nor does a signer."""

from __future__ import annotations

import base64
import logging
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import pkcs11 as cryptoki
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keys import pkcs11
from keys.algorithms import EMITTED, Algorithm
from keys.errors import TocsinError
from keys.signer import Signer, from_pem, open_signer, reachable
from tests.helpers import key
from tests.keys import softhsm
from tests.keys.softhsm import PIN, URI, SoftHsm, pin

MARK = "Zq7" + "#x"
SECRETS = st.binary(max_size=300).map(lambda tail: MARK.encode() + tail)
"""Passphrases and PINs, most of them no text, some too long; all begin with the mark that is looked for."""
ALGORITHMS = pytest.mark.parametrize("algorithm", sorted(EMITTED))
PER_EXAMPLE = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None
)


def _said(error: BaseException | None) -> Iterator[str]:
    """Everything that anybody could print of an error and of those that it came from."""
    while error is not None:
        yield from (str(error), repr(error), repr(error.args), repr(vars(error)))
        yield from traceback.format_exception(error)
        error = error.__cause__ or error.__context__


def _runs(secret: bytes) -> Iterator[str]:
    """Every run of 16 bytes, as a program would write it: in hex, in base64, or as Python shows bytes."""
    for start in range(len(secret) - 15):
        run = secret[start : start + 16]
        yield run.hex()
        yield repr(run)[2:-1]
        for skipped in range(3):  # three ways that base64 can cut it
            yield base64.b64encode(run[skipped : skipped + 12]).decode()


def _private(signer: Signer) -> bytes:
    private = signer._private  # type: ignore[attr-defined] # a LocalSigner's
    if isinstance(private, ec.EllipticCurvePrivateKey):
        return private.private_numbers().private_value.to_bytes(32, "big")
    return private.private_bytes_raw()


def _silent(use: Callable[[], object], private: bytes, caplog: pytest.LogCaptureFixture) -> str:
    """Let it fail; return the code."""
    with caplog.at_level(logging.DEBUG), pytest.raises(TocsinError) as error:
        use()
    text = "\n".join(_said(error.value)) + caplog.text
    assert MARK not in text
    assert MARK.encode().hex() not in text
    assert PIN.decode() not in text
    assert "PRIVATE KEY" not in text
    assert not [run for run in _runs(private) if run in text]
    return error.value.code


def test_the_search_finds_what_it_looks_for() -> None:
    private = _private(key("one"))
    for shown in (private.hex(), repr(private), base64.b64encode(b"x" + private).decode()):
        assert [run for run in _runs(private) if run in shown]
    with pytest.raises(ValueError) as error:
        _hide(MARK)
    assert MARK not in repr(error.value)
    assert MARK in "\n".join(_said(error.value))


def _hide(secret: str) -> None:
    try:
        (secret + "\xff").encode("ascii")
    except UnicodeEncodeError:
        raise ValueError("nothing to see here") from None


@ALGORITHMS
@PER_EXAMPLE
@given(secret=SECRETS, cut=st.floats(0, 0.9))
def test_no_failure_of_a_key_in_a_file_or_variable_shows_a_secret(
    algorithm: Algorithm,
    secret: bytes,
    cut: float,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    signer = key("one", algorithm)
    right = b"another passphrase"
    closed, clear = signer.to_pem(right), signer.to_pem(b"")
    uses: dict[str, tuple[bytes, bytes]] = {
        "wrong": (closed, secret),
        "none": (closed, b""),
        "torn and encrypted": (closed[: int(len(closed) * cut)], secret),
        "torn and clear": (clear[: int(len(clear) * cut)], b""),
        "with something in front": (secret + clear.replace(b"BEGIN", b"BEG1N"), b""),
        "the passphrase for the key": (secret, b""),
    }
    for pem, passphrase in uses.values():
        (tmp_path / "one.pem").write_bytes(pem)
        _silent(
            lambda p=passphrase: open_signer(f"file:{tmp_path}/one.pem", lambda _: p),
            _private(signer),
            caplog,
        )
        monkeypatch.setenv("ONE_PEM", pem.replace(b"\0", b"").decode("latin-1"))
        _silent(lambda p=passphrase: open_signer("env:ONE_PEM", lambda _: p), _private(signer), caplog)
    _silent(lambda: from_pem(clear, secret, where="one.pem"), _private(signer), caplog)


@ALGORITHMS
@pytest.mark.parametrize("scheme", ["", "file:", "env:", "pkcs11:", "pkcs11:object=", "pkcs11:pin-value="])
def test_a_private_key_in_place_of_its_uri_is_not_shown(
    algorithm: Algorithm, scheme: str, caplog: pytest.LogCaptureFixture
) -> None:
    signer = key("one", algorithm)
    uri = scheme + signer.to_pem(b"").decode()
    _silent(lambda: open_signer(uri, pin), _private(signer), caplog)
    if scheme in {"file:", "env:"}:
        assert not reachable(uri)
    else:
        _silent(lambda: reachable(uri), _private(signer), caplog)


@pytest.fixture
def hsm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SoftHsm:
    return softhsm.start(tmp_path, monkeypatch)


@PER_EXAMPLE
@given(secret=SECRETS)
def test_no_failure_of_a_key_in_a_token_shows_a_secret(
    secret: bytes, hsm: SoftHsm, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with hsm.session("signing") as session:
        for thing in list(session.get_objects()):
            thing.destroy()
    pkcs11.generate(URI, pin, Algorithm.ESP256)
    (tmp_path / "pin").write_bytes(secret)
    inside = "".join(f"%{byte:02x}" for byte in secret)
    wrong = {"KEY_PASSPHRASE"}
    uses: list[tuple[str, bytes, set[str]]] = [
        (URI, secret, wrong),
        (f"{URI}?pin-source=file:{tmp_path}/pin", PIN, wrong),
        (f"{URI}?pin-source=file:{tmp_path}/nothing", secret, {"KEY_PIN_FILE"}),
        (f"{URI}?pin-source=file:{tmp_path}", secret, {"KEY_PIN_FILE"}),
        (f"{URI}?pin-value={inside}", PIN, {"KEY_URI"}),
        (f"{URI};pin-value={MARK}", PIN, {"KEY_URI"}),
        (f"{URI}?pin-source={inside}", PIN, {"KEY_URI"}),
        (f"{URI}?module-path=/nowhere.so", secret, {"KEY_MODULE", "KEY_PASSPHRASE"}),
        ("pkcs11:token=nobody", PIN, {"KEY_TOKEN_MISSING"}),
        ("pkcs11:object=nobody", PIN, {"KEY_MISSING"}),
    ]
    for uri, tried, codes in uses:
        assert _silent(lambda u=uri, t=tried: open_signer(u, lambda _: t), b"", caplog) in codes
    _silent(lambda: pkcs11.generate("pkcs11:object=new", lambda _: secret, Algorithm.ED25519), b"", caplog)


def test_a_signer_that_fails_later_shows_no_secret(hsm: SoftHsm, caplog: pytest.LogCaptureFixture) -> None:
    private = ec.generate_private_key(ec.SECP256R1())
    raw = private.private_numbers().private_value.to_bytes(32, "big")
    point = private.public_key().public_bytes(
        serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
    )
    attribute, kind = cryptoki.Attribute, cryptoki.ObjectClass
    both = {attribute.KEY_TYPE: cryptoki.KeyType.EC, attribute.EC_PARAMS: softhsm.P256, attribute.TOKEN: True}
    both |= {attribute.LABEL: "legal-1"}
    with hsm.session("signing") as session:
        session.create_object(
            both | {attribute.CLASS: kind.PRIVATE_KEY, attribute.VALUE: raw, attribute.SIGN: True}
        )
        session.create_object(
            both | {attribute.CLASS: kind.PUBLIC_KEY, attribute.EC_POINT: b"\x04\x41" + point}
        )
    signer = open_signer(URI, pin)
    assert signer.public.verify(signer.sign(b"x"), b"x")
    thumbprint = signer.public.thumbprint.hex()[:16]
    assert repr(signer) == str(signer) == f"TokenSigner({thumbprint})"
    with hsm.session("signing") as session:
        session.set_pin(PIN.decode(), MARK + "changed")
    assert _silent(lambda: signer.sign(b"x"), raw, caplog) == "KEY_PASSPHRASE"
    assert _silent(lambda: signer.sign(b"x"), raw, caplog) == "KEY_PASSPHRASE"


@ALGORITHMS
def test_a_signer_shows_its_public_name_alone(algorithm: Algorithm) -> None:
    signer = key("one", algorithm)
    shown = repr(signer) + str(signer) + f"{signer!a}"
    assert not [run for run in _runs(_private(signer)) if run in shown]
    assert signer.public.thumbprint.hex()[:16] in shown
