"""COSE at its edges: defaults, empty payloads and empty headers, with nothing remembered from before."""

from __future__ import annotations

import pytest

from keys import cose
from keys.cbor import encode
from tests.helpers import key

ONE, TWO = key("one"), key("two")


def test_a_single_signature_carries_its_payload_unless_told_otherwise() -> None:
    message = cose.parse(cose.sign1(b"payload", ONE), cose.TAG_SIGN1)
    assert message.payload == b"payload"
    assert message.signatures[0].protected == message.protected
    cose.check(message, message.signatures[0], ONE.public, payload=b"payload")
    detached = cose.parse(cose.sign1(b"payload", ONE, detached=True), cose.TAG_SIGN1)
    assert detached.payload is None
    cose.check(detached, detached.signatures[0], ONE.public, payload=b"payload")


@pytest.mark.parametrize("protected", [b"", b"\xa0"])
def test_an_empty_header_has_two_spellings(protected: bytes) -> None:
    cose._header.cache_clear()
    data = b"\xd2" + encode([protected, {}, b"payload", bytes(64)])
    message = cose.parse(data, cose.TAG_SIGN1)
    assert dict(message.header) == {}
    assert message.to_be_signed(message.signatures[0], b"payload") == encode(
        ["Signature1", b"", b"", b"payload"]
    )


def test_signing_an_empty_payload_again_changes_nothing() -> None:
    data = cose.sign(b"", [ONE, TWO], typ="x")
    assert cose.add_signature(data, ONE) == data
    assert cose.add_signature(data, TWO) == data
