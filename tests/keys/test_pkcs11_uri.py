"""The pkcs11: key URI, taken apart strictly and never repeated."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys.errors import InputError
from keys.pkcs11_uri import URI_CHARACTERS_MAX, Place, parse


def test_a_uri_says_token_key_module_and_pin_file() -> None:
    uri = "pkcs11:token=My%20card;serial=0A1b;object=legal%3B1;id=%00%ff;type=private"
    query = "?module-path=/usr/lib/x.so&pin-source=file:/run/pin%20file"
    assert parse(uri + query) == Place(
        where=uri,
        token={"label": "My card", "serial": "0A1b"},
        label="legal;1",
        id=b"\x00\xff",
        module_path="/usr/lib/x.so",
        module_name="",
        pin_file="/run/pin file",
    )


def test_the_characters_that_the_rfc_lets_stand_stand() -> None:
    assert parse("pkcs11:object=az-._~:[]@!$'()*+,=&").label == "az-._~:[]@!$'()*+,=&"
    assert parse("pkcs11:object=a?module-path=/a/b?c|d").module_path == "/a/b?c|d"
    assert parse("pkcs11:object=pr%c3%bcfer?module-name=softhsm2").label == "prüfer"


@pytest.mark.parametrize(
    ("source", "path"),
    [("file:/run/pin", "/run/pin"), ("file:///run/pin", "/run/pin"), ("file:/run/a:b", "/run/a:b")],
)
def test_a_pin_source_is_a_file(source: str, path: str) -> None:
    assert parse(f"pkcs11:object=a?pin-source={source}").pin_file == path


def test_what_is_not_named_is_empty() -> None:
    place = parse("pkcs11:object=a")
    assert (place.token, place.id, place.module_path, place.module_name, place.pin_file) == (
        {},
        None,
        "",
        "",
        "",
    )


def test_the_longest_uri_is_read() -> None:
    uri = "pkcs11:object=".ljust(URI_CHARACTERS_MAX, "a")
    assert len(parse(uri).label or "") == URI_CHARACTERS_MAX - len("pkcs11:object=")


SECRET = "918273Zz"
BAD = {
    "nothing": "",
    "no scheme": f"{SECRET}",
    "another scheme": f"pkcs12:object={SECRET}",
    "an empty URI": "pkcs11:",
    "too long": f"pkcs11:object={SECRET}" + "a" * URI_CHARACTERS_MAX,
    "a PIN for an attribute": f"pkcs11:{SECRET}",
    "a PIN in the path": f"pkcs11:object=a;pin-value={SECRET}",
    "a PIN in the query": f"pkcs11:object=a?pin-value={SECRET}",
    "a PIN in capitals": f"pkcs11:object=a?PIN-VALUE={SECRET}",
    "a PIN after an unknown attribute": f"pkcs11:object=a?x=y&pin-value={SECRET}",
    "an escaped attribute": f"pkcs11:object=a?pin%2Dvalue={SECRET}",
    "an unknown attribute": f"pkcs11:slot-id={SECRET}",
    "a vendor's attribute": f"pkcs11:object=a?x-pin={SECRET}",
    "capitals": f"pkcs11:Object={SECRET}",
    "a query's attribute in the path": f"pkcs11:object=a;pin-source=file:/{SECRET}",
    "a path's attribute in the query": f"pkcs11:token=a?object={SECRET}",
    "no equals sign": f"pkcs11:object=a;{SECRET}",
    "an empty part": "pkcs11:object=a;",
    "an empty value": "pkcs11:object=",
    "the same twice": f"pkcs11:object={SECRET};object={SECRET}",
    "a bad escape": f"pkcs11:object={SECRET}%2",
    "a worse escape": f"pkcs11:object={SECRET}%zz",
    "a space": f"pkcs11:object={SECRET} a",
    "a line break": f"pkcs11:object={SECRET}\n",
    "a slash in the path": f"pkcs11:object={SECRET}/",
    "no UTF-8": f"pkcs11:object={SECRET}%ff",
    "a control character": f"pkcs11:token={SECRET}%00",
    "another kind of object": f"pkcs11:object={SECRET};type=public",
    "a path that is not absolute": f"pkcs11:object=a?module-path={SECRET}.so",
    "a name with a path": f"pkcs11:object=a?module-name=../{SECRET}",
    "two modules": f"pkcs11:object=a?module-name={SECRET}&module-path=/a.so",
    "a program for the PIN": f"pkcs11:object=a?pin-source=|/bin/{SECRET}",
    "a PIN for the source": f"pkcs11:object=a?pin-source={SECRET}",
    "a PIN file on another machine": f"pkcs11:object=a?pin-source=file://{SECRET}/pin",
    "a PIN file that is not absolute": f"pkcs11:object=a?pin-source=file:{SECRET}",
}


@pytest.mark.parametrize("uri", BAD.values(), ids=BAD.keys())
def test_what_is_no_uri_of_ours_is_refused_and_not_repeated(uri: str) -> None:
    with pytest.raises(InputError) as error:
        parse(uri)
    assert error.value.code == "KEY_URI"
    assert error.value.mend
    assert SECRET not in str(error.value) + repr(error.value) + error.value.where
    assert error.value.__context__ is None


@pytest.mark.parametrize("name", ["a PIN in the path", "a PIN in the query", "a PIN in capitals"])
def test_a_pin_in_a_uri_is_named_as_the_fault(name: str) -> None:
    with pytest.raises(InputError, match="A PIN does not belong in a key URI"):
        parse(BAD[name])


@given(st.text(max_size=60))
def test_any_text_is_a_place_or_one_clear_error(text: str) -> None:
    try:
        place = parse(f"pkcs11:{text}")
    except InputError as error:
        code = error.code
    else:
        code = "KEY_URI" if place.where.isascii() else "let through"
    assert code == "KEY_URI"


TOLD = {
    "nothing": "This is no pkcs11: URI, or it is too long. Write pkcs11:token=NAME;object=NAME (RFC 7512).",
    "a PIN for an attribute": "The pkcs11: URI has an attribute that is unknown or in the wrong place. Use id, manufacturer, model, object, serial, token, type; after a '?', module-name, module-path, pin-source.",
    "a PIN in the path": "A PIN does not belong in a key URI: lists, logs and histories keep it. Take pin-value out; give the PIN at the prompt, in TOCSIN_PASSPHRASE or a pin-source file.",
    "an empty value": "The value of object in the pkcs11: URI is empty or has a character that must be escaped. Write such a character as %XX, a space as %20.",
    "the same twice": "The pkcs11: URI gives object twice. Give it once.",
    "no UTF-8": "The value of object in the pkcs11: URI is not printable UTF-8. Check its %XX escapes.",
    "a control character": "The value of token in the pkcs11: URI is not printable UTF-8. Check its %XX escapes.",
    "another kind of object": "The pkcs11: URI names something other than a private key. Leave type out.",
    "a path that is not absolute": "The module-path is not absolute. Start it with '/'.",
    "a name with a path": "The module-name is a path. Give a name without path and extension, or module-path.",
    "two modules": "The pkcs11: URI names the module twice. Give module-path or module-name.",
    "a program for the PIN": "The pin-source is not a file with an absolute path. Write pin-source=file:/path/to/pin.",
}
"""One clear sentence, and what to do; each said of the first of its kind above."""


@pytest.mark.parametrize("name", TOLD)
def test_each_fault_is_told_with_its_mend(name: str) -> None:
    with pytest.raises(InputError) as error:
        parse(BAD[name])
    assert str(error.value) == TOLD[name]
