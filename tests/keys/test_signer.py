from __future__ import annotations

import base64
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, rsa

from keys.algorithms import EMITTED, Algorithm
from keys.errors import InputError
from keys.signer import LocalSigner, from_pem, from_seed, generate, open_signer, reachable
from tests.helpers import key

SECRET = b"correct horse battery staple"
PEM = key("one").to_pem(SECRET)
OPEN = key("one").to_pem(b"")


def asked(_: str) -> bytes:
    return SECRET


def never(name: str) -> bytes:
    raise AssertionError(f"nobody should be asked for {name}")


def refused(error: pytest.ExceptionInfo[InputError], code: str) -> None:
    assert error.value.code == code
    assert error.value.mend
    assert error.value.exit_status == 2
    for part in (str(error.value), repr(error.value), error.value.where):
        assert SECRET.decode() not in part
        assert "PRIVATE" not in part
    assert error.value.__cause__ is None
    assert error.value.__suppress_context__ or error.value.__context__ is None


@pytest.mark.parametrize("algorithm", sorted(EMITTED))
@pytest.mark.parametrize("passphrase", [b"", SECRET, "pässwörd ключ".encode()])
def test_a_key_survives_its_file(algorithm: Algorithm, passphrase: bytes, tmp_path: Path) -> None:
    signer = key("one", algorithm)
    path = tmp_path / "one.pem"
    path.write_bytes(signer.to_pem(passphrase))
    again = open_signer(f"file:{path}", (lambda _: passphrase) if passphrase else never)
    assert again.public == signer.public
    assert again.public.verify(again.sign(b"x"), b"x")


@pytest.mark.parametrize("algorithm", sorted(EMITTED))
def test_a_new_key_is_a_new_key(algorithm: Algorithm) -> None:
    one, two = generate(algorithm), generate(algorithm)
    assert one.public.algorithm is algorithm
    assert one.public != two.public
    assert one.public.verify(one.sign(b"x"), b"x")


def test_a_key_from_a_seed_is_always_the_same() -> None:
    assert from_seed(bytes(32)).public == from_seed(bytes(32)).public


def test_a_signer_shows_only_its_public_name() -> None:
    signer = from_seed(SECRET.ljust(32)[:32])
    assert repr(signer) == f"LocalSigner({signer.public.thumbprint.hex()[:16]})"


def test_an_encrypted_file_holds_no_secret_in_the_clear() -> None:
    raw = key("one")._private.private_bytes_raw()  # type: ignore[union-attr] # Ed25519
    pem = key("one").to_pem(SECRET)
    assert b"ENCRYPTED" in pem
    assert raw not in pem


def test_a_key_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEGAL_KEY", PEM.decode())
    assert open_signer("env:LEGAL_KEY", asked).public == key("one").public


@pytest.mark.parametrize("passphrase", [b"wrong", SECRET + b" ", b"x" * 2_000])
def test_a_wrong_passphrase_is_one_clear_error(passphrase: bytes) -> None:
    with pytest.raises(InputError) as error:
        from_pem(PEM, passphrase, where="one.pem")
    refused(error, "KEY_PASSPHRASE")
    assert error.value.where == "one.pem"


def test_no_passphrase_where_one_is_needed() -> None:
    with pytest.raises(InputError, match="needs a passphrase") as error:
        from_pem(PEM, b"", where="one.pem")
    refused(error, "KEY_PASSPHRASE")
    assert error.value.where == "one.pem"
    assert "TOCSIN_PASSPHRASE" in error.value.mend


def test_a_passphrase_where_none_is_needed() -> None:
    with pytest.raises(InputError, match="has no passphrase") as error:
        from_pem(OPEN, SECRET, where="one.pem")
    refused(error, "KEY_PASSPHRASE")
    assert "TOCSIN_PASSPHRASE" not in error.value.mend


def _pem(private: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed448.Ed448PrivateKey) -> bytes:
    return private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


@pytest.mark.parametrize(
    ("pem", "code"),
    [
        (b"", "KEY_UNREADABLE"),
        (b"not a key", "KEY_UNREADABLE"),
        (b"\xff\xfe\x00", "KEY_UNREADABLE"),
        (OPEN[:60], "KEY_UNREADABLE"),
        (OPEN.replace(b"M", b"N", 1), "KEY_UNREADABLE"),
        (b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "KEY_UNREADABLE"),
        (_pem(ec.generate_private_key(ec.SECP384R1())), "KEY_UNSUPPORTED"),
        (_pem(ed448.Ed448PrivateKey.generate()), "KEY_UNSUPPORTED"),
        (_pem(rsa.generate_private_key(65537, 2048)), "KEY_UNSUPPORTED"),
    ],
)
def test_what_is_no_key_of_ours_is_one_clear_error(pem: bytes, code: str) -> None:
    with pytest.raises(InputError) as error:
        from_pem(pem, b"", where="x.pem")
    refused(error, code)
    assert error.value.where == "x.pem"


def test_a_curve_that_the_library_does_not_know_is_unsupported() -> None:
    # 1.2.840.10045.3.1.7 is P-256; 1.2.840.10045.3.1.6 is a curve that nobody implements any more.
    der = base64.b64decode(
        "".join(_pem(ec.derive_private_key(7, ec.SECP256R1())).decode().splitlines()[1:-1])
    )
    other = der.replace(bytes.fromhex("2a8648ce3d030107"), bytes.fromhex("2a8648ce3d030106"))
    assert other != der
    pem = b"-----BEGIN PRIVATE KEY-----\n" + base64.encodebytes(other) + b"-----END PRIVATE KEY-----\n"
    with pytest.raises(InputError) as error:
        from_pem(pem, b"", where="x.pem")
    refused(error, "KEY_UNSUPPORTED")
    assert error.value.where == "x.pem"


def test_a_damaged_cipher_counts_as_a_wrong_passphrase() -> None:
    # The library does not say which of the two it is; whoever typed the passphrase tries that first.
    lines = PEM.decode().splitlines()
    damaged = "\n".join([lines[0], lines[1][::-1], *lines[2:]]).encode()
    with pytest.raises(InputError) as error:
        from_pem(damaged, SECRET, where="x.pem")
    refused(error, "KEY_PASSPHRASE")


@pytest.mark.parametrize("cut", range(0, len(PEM), 17))
def test_a_torn_key_file_is_one_clear_error(cut: int) -> None:
    with pytest.raises(InputError) as error:
        from_pem(PEM[:cut], SECRET, where="x.pem")
    assert error.value.code in {"KEY_UNREADABLE", "KEY_PASSPHRASE"}


@pytest.mark.parametrize(
    ("uri", "code"),
    [
        ("", "KEY_URI"),
        ("file:", "KEY_URI"),
        ("env:", "KEY_URI"),
        ("one.pem", "KEY_URI"),
        ("pkcs99:x", "KEY_URI"),
        ("pkcs11:", "KEY_URI"),
        ("pkcs11:nothing=known", "KEY_URI"),
        ("pkcs11:object=" + OPEN.decode(), "KEY_URI"),
        (SECRET.decode(), "KEY_URI"),
        (OPEN.decode(), "KEY_URI"),
        ("file:/nowhere/at/all.pem", "KEY_MISSING"),
        ("file:/", "KEY_MISSING"),
        ("file:a\0b", "KEY_MISSING"),
        ("env:TOCSIN_TEST_NOT_SET", "KEY_MISSING"),
        ("env:" + OPEN.decode(), "KEY_MISSING"),
        ("file:/dev/zero", "KEY_UNREADABLE"),
    ],
)
def test_a_uri_that_leads_to_no_key_is_one_clear_error(uri: str, code: str) -> None:
    with pytest.raises(InputError) as error:
        open_signer(uri, never)
    refused(error, code)


def test_a_file_that_is_not_there_is_named_unless_it_is_no_name() -> None:
    with pytest.raises(InputError) as error:
        open_signer("file:/nowhere/at/all.pem", never)
    assert error.value.where == "/nowhere/at/all.pem"
    with pytest.raises(InputError) as error:
        open_signer("file:" + OPEN.decode(), never)
    assert error.value.where == ""


def test_the_passphrase_is_asked_for_by_the_name_of_the_key(tmp_path: Path) -> None:
    (tmp_path / "on:e.pem").write_bytes(PEM)
    names = []

    def ask(name: str) -> bytes:
        names.append(name)
        return SECRET

    open_signer(f"file:{tmp_path}/on:e.pem", ask)
    assert names == [f"{tmp_path}/on:e.pem"]


def test_raw_numbers_of_p256_are_always_64_bytes() -> None:
    signer = LocalSigner(ec.derive_private_key(7, ec.SECP256R1()))
    sizes = {len(signer.sign(n.to_bytes(2, "big"))) for n in range(600)}
    assert sizes == {64}


def test_a_key_is_reachable_where_this_machine_could_use_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "one.pem").write_bytes(PEM)
    monkeypatch.setenv("TOCSIN_TEST_KEY", PEM.decode())
    monkeypatch.delenv("TOCSIN_PKCS11_MODULE", raising=False)
    found = {
        f"file:{tmp_path}/one.pem": True,
        f"file:{tmp_path}/two.pem": False,
        f"file:{tmp_path}": False,
        "file:a\0b": False,
        "file:" + "a" * 5_000: False,
        "env:TOCSIN_TEST_KEY": True,
        "env:TOCSIN_TEST_NOT_SET": False,
        "env:a\0b=c": False,
        "pkcs11:object=one": False,
        "pkcs11:object=one?module-path=/nowhere.so": False,
    }
    assert {uri: reachable(uri) for uri in found} == found


@pytest.mark.parametrize("uri", ["", "file:", "one.pem", "pkcs11:nothing=known"])
def test_what_is_no_key_uri_is_neither_reachable_nor_not(uri: str) -> None:
    with pytest.raises(InputError) as error:
        reachable(uri)
    refused(error, "KEY_URI")


def test_keys_in_files_do_not_load_what_tokens_need(tmp_path: Path) -> None:
    (tmp_path / "one.pem").write_bytes(OPEN)
    program = "import sys; from keys.signer import open_signer, reachable; "
    program += "reachable(sys.argv[1]); open_signer(sys.argv[1], None); sys.exit('pkcs11' in sys.modules)"
    assert (
        subprocess.run([sys.executable, "-c", program, f"file:{tmp_path}/one.pem"], check=False).returncode
        == 0
    )
