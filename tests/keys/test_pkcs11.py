"""Keys in a token: making them, finding them, and PINs, with a real SoftHSM2."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from keys import pkcs11
from keys.algorithms import Algorithm, PublicKey
from keys.document import open_document, seal
from keys.errors import InputError, TocsinError, UnavailableError
from keys.root import RootKey
from keys.signer import open_signer, reachable
from tests.helpers import NOW, make_fleet, timestamp
from tests.keys import softhsm
from tests.keys.softhsm import BOTH, MODULE, PIN, URI, SoftHsm, never, pin, refused


@pytest.fixture
def hsm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SoftHsm:
    return softhsm.start(tmp_path, monkeypatch)


@pytest.mark.parametrize("algorithm", BOTH)
def test_a_key_made_in_a_token_signs_there(hsm: SoftHsm, algorithm: Algorithm) -> None:
    made = pkcs11.generate(URI, pin, algorithm)
    signer = open_signer(URI, pin)
    assert signer.public == made
    assert made.algorithm is algorithm
    for data in (b"", b"a notice", b"x" * 100_000):
        signature = signer.sign(data)
        assert len(signature) == 64
        assert made.verify(signature, data)


@pytest.mark.parametrize("algorithm", BOTH)
def test_a_document_sealed_by_a_token_opens(hsm: SoftHsm, algorithm: Algorithm) -> None:
    fleet = make_fleet()
    made = pkcs11.generate(URI, pin, algorithm)
    mine = RootKey(key=made, roles=("gateway",), holder="token-1")
    root = fleet.next_root(keys=(*(k for k in fleet.root.keys if k.roles != ("gateway",)), mine))
    body = timestamp(fleet)
    genuine = open_document(seal(body, [open_signer(URI, pin)]), type(body), root, fleet=fleet.id, now=NOW)
    assert genuine.body == body
    assert genuine.signed == (made.thumbprint,)


def test_a_new_key_never_takes_the_place_of_another(hsm: SoftHsm) -> None:
    first = pkcs11.generate(URI, pin, Algorithm.ESP256)
    with pytest.raises(InputError, match="already holds"):
        pkcs11.generate(URI, pin, Algorithm.ED25519)
    assert open_signer(URI, pin).public == first


def test_a_new_key_may_be_named_by_id_alone(hsm: SoftHsm) -> None:
    made = pkcs11.generate("pkcs11:token=signing;id=%00%ff", pin, Algorithm.ED25519)
    assert open_signer("pkcs11:id=%00%FF", pin).public == made
    refused("KEY_MISSING", "pkcs11:id=%00%FE")


@pytest.mark.parametrize(
    ("uri", "algorithm", "code"),
    [
        ("pkcs11:token=signing", Algorithm.ED25519, "KEY_URI"),
        (URI, Algorithm.ML_DSA_44, "KEY_UNSUPPORTED"),
        (URI, Algorithm.ML_DSA_65, "KEY_UNSUPPORTED"),
        ("pkcs11:token=other;object=legal-1", Algorithm.ED25519, "KEY_TOKEN_MISSING"),
    ],
)
def test_what_cannot_be_made_is_one_clear_error(
    hsm: SoftHsm, uri: str, algorithm: Algorithm, code: str
) -> None:
    with pytest.raises(TocsinError) as error:
        pkcs11.generate(uri, pin, algorithm)
    assert error.value.code == code
    assert error.value.mend
    with hsm.session("signing") as session:
        assert list(session.get_objects()) == []


def test_a_key_that_fails_its_first_signature_is_taken_back(
    hsm: SoftHsm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PublicKey, "verify", lambda *_: False)
    with pytest.raises(UnavailableError) as error:
        pkcs11.generate(URI, pin, Algorithm.ED25519)
    assert error.value.code == "KEY_WRONG_SIGNATURE"
    with hsm.session("signing") as session:
        assert list(session.get_objects()) == []


@pytest.mark.parametrize(
    "extra",
    ["", ";type=private", ";manufacturer=SoftHSM%20project;model=SoftHSM%20v2", f"?module-path={MODULE}"],
)
def test_a_uri_as_other_tools_write_it_leads_to_the_key(hsm: SoftHsm, extra: str) -> None:
    made = pkcs11.generate(URI, pin, Algorithm.ED25519)
    assert open_signer(URI + extra, pin).public == made


def test_a_token_is_found_by_its_serial(hsm: SoftHsm) -> None:
    pkcs11.generate(URI, pin, Algorithm.ED25519)
    with hsm.session("signing") as session:
        serial = session.token.serial.decode()
    assert reachable(f"pkcs11:serial={serial}")
    open_signer(f"pkcs11:serial={serial}", pin)
    refused("KEY_TOKEN_MISSING", f"pkcs11:serial={serial[::-1]}")


def test_the_module_is_found_by_its_name(hsm: SoftHsm, monkeypatch: pytest.MonkeyPatch) -> None:
    made = pkcs11.generate(URI, pin, Algorithm.ED25519)
    monkeypatch.delenv("TOCSIN_PKCS11_MODULE")
    assert open_signer(f"{URI}?module-name=softhsm2", pin).public == made
    assert open_signer(f"{URI}?module-name=libsofthsm2", pin).public == made
    refused("KEY_MODULE", f"{URI}?module-name=nobody-has-this")
    refused("KEY_MODULE_UNNAMED", URI, never)


@pytest.mark.parametrize("path", ["/nowhere/at/all.so", "/etc/passwd", "/", "/dev/null", sys.executable])
def test_what_is_no_module_is_one_clear_error(hsm: SoftHsm, path: str) -> None:
    error = refused("KEY_MODULE", f"{URI}?module-path={path}")
    assert error.where == path
    assert not reachable(f"{URI}?module-path={path}")


def test_without_the_library_the_error_says_what_to_install(
    hsm: SoftHsm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pkcs11, "cryptoki", None)
    assert "pip install 'tocsin[pkcs11]'" in refused("KEY_EXTRA", URI, never).mend
    assert not reachable(URI)
    with pytest.raises(UnavailableError, match="python-pkcs11"):
        pkcs11.generate(URI, never, Algorithm.ED25519)


def test_a_wrong_pin_is_tried_once(hsm: SoftHsm) -> None:
    pkcs11.generate(URI, pin, Algorithm.ED25519)
    asked = []
    error = refused("KEY_PASSPHRASE", URI, lambda name: asked.append(name) or b"0000")
    assert asked == [URI]
    assert "tried once" in error.message
    open_signer(URI, pin)


def test_a_pin_that_was_changed_is_not_tried_a_second_time(hsm: SoftHsm) -> None:
    pkcs11.generate(URI, pin, Algorithm.ED25519)
    signer = open_signer(URI, pin)
    with hsm.session("signing") as session:
        session.set_pin(PIN.decode(), "another-pin")
    with pytest.raises(InputError, match="does not take this PIN"):
        signer.sign(b"x")
    with pytest.raises(InputError, match="needs a PIN"):
        signer.sign(b"x")


@pytest.mark.parametrize("secret", [b"", b"x" * 257, b"\xff\xfe\xfd"])
def test_what_can_be_no_pin_is_never_tried(hsm: SoftHsm, secret: bytes) -> None:
    assert "needs a PIN" in refused("KEY_PASSPHRASE", URI, lambda _: secret).message


def test_the_pin_may_come_from_a_file(hsm: SoftHsm, tmp_path: Path) -> None:
    made = pkcs11.generate(URI, pin, Algorithm.ED25519)
    file = tmp_path / "pin file"
    source = f"{URI}?pin-source=file:{tmp_path}/pin%20file"
    for ending in (b"", b"\n", b"\r\n"):
        file.write_bytes(PIN + ending)
        assert open_signer(source, never).public == made
    assert open_signer(source.replace("file:", "file://"), never).public == made
    file.unlink()
    error = refused("KEY_PIN_FILE", source, never)
    assert error.where == str(file)
    assert "No such file" in error.message


def test_several_tokens_or_keys_that_fit_are_told_apart_by_the_operator(hsm: SoftHsm) -> None:
    hsm.new_token("second")
    for token in ("signing", "second"):
        pkcs11.generate(f"pkcs11:token={token};object=legal-1", pin, Algorithm.ED25519)
    pkcs11.generate("pkcs11:token=second;object=legal-2", pin, Algorithm.ED25519)
    refused("KEY_AMBIGUOUS", "pkcs11:object=legal-1")
    refused("KEY_AMBIGUOUS", "pkcs11:token=second")
    one, two = (open_signer(f"pkcs11:token=second;object=legal-{n}", pin) for n in (1, 2))
    assert one.public != two.public
