"""What a token may hold besides what we made: certificates, other curves, halves that do not match."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pkcs11 as cryptoki
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519

from keys import pkcs11
from keys.algorithms import Algorithm
from keys.errors import UnavailableError
from keys.signer import open_signer
from tests.keys import softhsm
from tests.keys.softhsm import BOTH, ED25519, P256, URI, A, SoftHsm, pair, pin, refused

X, Y = ec.derive_private_key(7, ec.SECP256R1()), ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32))
POINT = X.public_key().public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
RAW = Y.public_key().public_bytes_raw()


@pytest.fixture
def hsm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SoftHsm:
    return softhsm.start(tmp_path, monkeypatch)


@pytest.mark.parametrize("algorithm", BOTH)
def test_a_private_key_cannot_be_taken_out(hsm: SoftHsm, algorithm: Algorithm) -> None:
    pkcs11.generate(URI, pin, algorithm)
    with hsm.session("signing") as session:
        key = session.get_key(object_class=cryptoki.ObjectClass.PRIVATE_KEY, label="legal-1")
        assert (key[A.SENSITIVE], key[A.EXTRACTABLE], key[A.PRIVATE], key[A.TOKEN]) == (
            True,
            False,
            True,
            True,
        )
        assert (key[A.ALWAYS_SENSITIVE], key[A.NEVER_EXTRACTABLE]) == (True, True)
        assert not any(key[may] for may in (A.DECRYPT, A.UNWRAP, A.DERIVE))
        with pytest.raises(cryptoki.AttributeSensitive):
            key[A.VALUE]


@pytest.mark.parametrize("parameters", [P256, ED25519])
def test_a_signature_of_another_key_never_leaves(hsm: SoftHsm, parameters: bytes) -> None:
    # The public key beside the private one belongs to another: whatever such a token signs is rubbish.
    with hsm.session("signing") as session:
        mine, _ = pair(session, parameters, label="legal-1", id=b"1")
        mine.destroy()
        _, other = pair(session, parameters, label="other", id=b"1")
        other.destroy()
    signer = open_signer(URI, pin)
    with pytest.raises(UnavailableError) as error:
        signer.sign(b"x")
    assert error.value.code == "KEY_WRONG_SIGNATURE"


def test_a_private_key_swapped_under_the_same_name_never_signs(hsm: SoftHsm) -> None:
    pkcs11.generate(URI, pin, Algorithm.ESP256)
    signer = open_signer(URI, pin)
    with hsm.session("signing") as session:
        for thing in list(session.get_objects()):
            thing.destroy()
    pkcs11.generate(URI, pin, Algorithm.ESP256)
    with pytest.raises(UnavailableError) as error:
        signer.sign(b"x")
    assert error.value.code == "KEY_WRONG_SIGNATURE"


def test_a_key_that_may_not_sign_is_said_to_be_so(hsm: SoftHsm) -> None:
    with hsm.session("signing") as session:
        pair(session, label="legal-1", id=b"1", capabilities=cryptoki.MechanismFlag.DERIVE)
    refused("KEY_NOT_SIGNING")


def test_a_key_that_asks_for_the_pin_at_every_signature_gets_it(hsm: SoftHsm) -> None:
    with hsm.session("signing") as session:
        pair(session, label="legal-1", id=b"1", private_template={A.ALWAYS_AUTHENTICATE: True})
    signer = open_signer(URI, pin)
    assert all(signer.public.verify(signer.sign(data), data) for data in (b"x", b"y"))


@pytest.mark.parametrize("curve", ["secp384r1", "secp521r1"])
def test_another_curve_is_unsupported(hsm: SoftHsm, curve: str) -> None:
    with hsm.session("signing") as session:
        pair(session, cryptoki.util.ec.encode_named_curve_parameters(curve), label="legal-1", id=b"1")
    refused("KEY_UNSUPPORTED")


def test_an_rsa_key_is_unsupported(hsm: SoftHsm) -> None:
    with hsm.session("signing") as session:
        session.generate_keypair(cryptoki.KeyType.RSA, 1024, store=True, label="legal-1", id=b"1")
    refused("KEY_UNSUPPORTED")


def _certificate(private: Any, signer: Any = None) -> bytes:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "legal-1")])
    day = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    built = x509.CertificateBuilder(name, name, private.public_key(), 1, day, day + dt.timedelta(1))
    signer = signer or private
    edwards = isinstance(signer, ed25519.Ed25519PrivateKey)
    made = built.sign(signer, None if edwards else hashes.SHA256())
    return made.public_bytes(serialization.Encoding.DER)


def _import(session: Any, private: Any, **attributes: Any) -> None:
    if isinstance(private, ed25519.Ed25519PrivateKey):
        kind, parameters, value = cryptoki.KeyType.EC_EDWARDS, ED25519, private.private_bytes_raw()
    else:
        kind, parameters = cryptoki.KeyType.EC, P256
        value = private.private_numbers().private_value.to_bytes(32, "big")
    session.create_object(
        {
            A.CLASS: cryptoki.ObjectClass.PRIVATE_KEY,
            A.KEY_TYPE: kind,
            A.EC_PARAMS: parameters,
            A.VALUE: value,
            A.TOKEN: True,
            A.SIGN: True,
            A.LABEL: "legal-1",
        }
        | attributes
    )


def _certify(session: Any, der: bytes, **attributes: Any) -> None:
    session.create_object(
        {
            A.CLASS: cryptoki.ObjectClass.CERTIFICATE,
            A.CERTIFICATE_TYPE: cryptoki.CertificateType.X_509,
            A.SUBJECT: b"0\x00",
            A.VALUE: der,
            A.TOKEN: True,
            A.LABEL: "legal-1",
        }
        | attributes
    )


@pytest.mark.parametrize("private", [X, Y], ids=["P-256", "Ed25519"])
def test_a_certificate_will_do_where_there_is_no_public_key(hsm: SoftHsm, private: Any) -> None:
    with hsm.session("signing") as session:
        _import(session, private)
        _certify(session, _certificate(private))
    signer = open_signer(URI, pin)
    assert signer.public.verify(signer.sign(b"x"), b"x")


@pytest.mark.parametrize(
    "der",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"0\x03no!", id="no certificate"),
        pytest.param(
            _certificate(ec.derive_private_key(7, ec.SECP384R1())), id="a certificate of another curve"
        ),
        pytest.param(
            _certificate(ed448.Ed448PrivateKey.generate(), ed25519.Ed25519PrivateKey.generate()), id="Ed448"
        ),
        pytest.param(_certificate(ed25519.Ed25519PrivateKey.generate()), id="of another algorithm"),
        pytest.param(None, id="no public half at all"),
    ],
)
def test_without_a_readable_public_half_the_key_is_not_used(hsm: SoftHsm, der: bytes | None) -> None:
    with hsm.session("signing") as session:
        _import(session, ec.derive_private_key(7, ec.SECP256R1()))
        if der is not None:
            _certify(session, der)
    refused("KEY_UNREADABLE")


def test_a_key_with_neither_id_nor_label_has_no_public_half(hsm: SoftHsm) -> None:
    with hsm.session("signing") as session:
        pair(session)
    refused("KEY_UNREADABLE", "pkcs11:token=signing")


@pytest.mark.parametrize(
    ("value", "algorithm", "read"),
    [
        (b"\x04\x41" + POINT, Algorithm.ESP256, True),
        (POINT, Algorithm.ESP256, True),
        (b"\x04\x20" + RAW, Algorithm.ED25519, True),
        (RAW, Algorithm.ED25519, True),
        (b"", Algorithm.ESP256, False),
        (POINT[:-1], Algorithm.ESP256, False),
        (b"\x05" + POINT[1:], Algorithm.ESP256, False),
        (b"\x04\x40" + POINT, Algorithm.ESP256, False),
        (POINT[:-1] + bytes([POINT[-1] ^ 1]), Algorithm.ESP256, False),
        (b"\x04" + bytes(64), Algorithm.ESP256, False),
        (RAW + b"\0", Algorithm.ED25519, False),
        (b"\x03\x20" + RAW, Algorithm.ED25519, False),
        (bytes(32), Algorithm.ED25519, False),
    ],
)
def test_a_point_may_be_wrapped_or_bare_and_nothing_else(
    value: bytes, algorithm: Algorithm, read: bool
) -> None:
    assert (pkcs11._point(value, algorithm) is not None) is read
