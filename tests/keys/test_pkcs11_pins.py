"""PINs and troubles of tokens that need no token to be seen."""

from __future__ import annotations

from pathlib import Path

import pytest

from keys import pkcs11
from keys.errors import InputError, TocsinError
from keys.pkcs11_errors import PIN_BYTES_MAX, Trouble
from keys.pkcs11_uri import parse

WHERE = "pkcs11:object=legal-1"
PLACE = parse(WHERE)


@pytest.mark.parametrize("secret", [b"1", b"9" * PIN_BYTES_MAX, "größe".encode()])
def test_a_pin_of_any_length_that_a_token_takes_is_tried(secret: bytes) -> None:
    assert pkcs11._pin(PLACE, lambda _: secret) == secret.decode()


@pytest.mark.parametrize("secret", [b"", b"9" * (PIN_BYTES_MAX + 1), b"\xff\xfe"])
def test_what_no_token_takes_is_never_tried(secret: bytes) -> None:
    with pytest.raises(InputError) as error:
        pkcs11._pin(PLACE, lambda _: secret)
    assert error.value.code == "KEY_PASSPHRASE"
    assert error.value.where == WHERE


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
@pytest.mark.parametrize("size", [1, PIN_BYTES_MAX - 1, PIN_BYTES_MAX])
def test_a_pin_is_its_file_without_the_line_end(size: int, end: bytes, tmp_path: Path) -> None:
    (tmp_path / "pin").write_bytes(b"9" * size + end)
    assert pkcs11._read_pin(str(tmp_path / "pin")) == b"9" * size


def test_a_pin_file_may_have_no_end() -> None:
    assert len(pkcs11._read_pin("/dev/zero")) > PIN_BYTES_MAX


def test_a_trouble_says_where_and_if_known_why() -> None:
    for trouble in Trouble:
        kind, code, message, mend = trouble.value
        plain, told = trouble.at(WHERE), trouble.at(WHERE, "no reason at all")
        assert isinstance(plain, kind)
        assert isinstance(plain, TocsinError)
        assert (plain.code, plain.message, plain.mend, plain.where) == (code, message, mend, WHERE)
        assert told.message == f"{message[:-1]} (no reason at all)."


def test_what_lacks_a_module_says_for_which_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TOCSIN_PKCS11_MODULE", raising=False)
    with pytest.raises(TocsinError) as error:
        pkcs11._module_path(PLACE)
    assert (error.value.code, error.value.where) == ("KEY_MODULE_UNNAMED", WHERE)
    monkeypatch.setattr(pkcs11, "cryptoki", None)
    with pytest.raises(TocsinError) as error:
        pkcs11._module_path(PLACE)
    assert (error.value.code, error.value.where) == ("KEY_EXTRA", WHERE)


def test_a_module_that_lies_nowhere_is_left_to_the_loader_by_its_name() -> None:
    assert pkcs11._find_module("nobody-has-this") == "nobody-has-this.so"
