from __future__ import annotations

import contextlib

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys import cbor, limits
from keys.cbor import TAGS_ALLOWED, decode, encode
from keys.errors import RefusedError
from keys.reasons import Reason

_KEYS = st.integers(-(2**64), 2**64 - 1) | st.text(max_size=8) | st.binary(max_size=8)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**64), 2**64 - 1)
    | st.text(max_size=20)
    | st.binary(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_KEYS, inner, max_size=4),
    max_leaves=12,
)


def refusal(data: bytes, **kwargs: int) -> RefusedError:
    with pytest.raises(RefusedError) as caught:
        decode(data, **kwargs)
    return caught.value


@given(VALUES)
def test_whatever_is_encoded_decodes_to_itself(value: object) -> None:
    assert decode(encode(value)) == value


@given(st.binary(max_size=200))
def test_any_bytes_are_a_value_or_refused(data: bytes) -> None:
    with contextlib.suppress(RefusedError):
        assert encode(decode(data)) == data


@given(VALUES.filter(lambda v: v not in (None, True, False)), st.data())
def test_a_cut_or_longer_encoding_is_refused(value: object, data: st.DataObject) -> None:
    whole = encode(value)
    cut = data.draw(st.integers(0, len(whole) - 1))
    refusal(whole[:cut])
    refusal(whole + b"\x00")


@pytest.mark.parametrize(
    ("hexed", "why"),
    [
        ("", "nothing at all"),
        ("1800", "a number longer than need be"),
        ("1900ff", "a number longer than need be"),
        ("5800", "a length longer than need be"),
        ("9f01ff", "an array of indefinite length"),
        ("5f4101ff", "bytes of indefinite length"),
        ("bf0102ff", "a map of indefinite length"),
        ("a201010102", "a key twice"),
        ("a2020101 02", "keys out of order"),
        ("a2f5010102", "true beside 1, which Python takes for the same key"),
        ("a1f501", "true as a key"),
        ("a1f601", "null as a key"),
        ("a1a101020 3", "a map as a key"),
        ("a1d26101 01", "a tagged value as a key"),
        ("f93c00", "a float"),
        ("f97e00", "not a number"),
        ("a1fb3ff000000000000001", "a float as a key"),
        ("f7", "undefined"),
        ("f8ff", "a simple value"),
        ("63eda080", "a surrogate in a text"),
        ("62c328", "a text that is not UTF-8"),
        ("c074323031332d30332d32315432303a30343a30305a", "a date"),
        ("c11a514b67b0", "a time"),
        ("c249010000000000000000", "a big number"),
        ("c349010000000000000000", "a big negative number"),
        ("c48221196ab3", "a decimal"),
        ("d81c8101", "a shared value"),
        ("d81d00", "a reference"),
        ("d8236161", "a regular expression"),
        ("d8255000112233445566778899aabbccddeeff", "a UUID"),
        ("d9010281 01", "a set"),
        ("d9d9f701", "the self-described tag"),
        ("db7fffffffffffffff00", "a tag nobody knows"),
        ("9b7fffffffffffffff", "an array that claims 2**63 items"),
        ("bb7fffffffffffffff", "a map that claims 2**63 entries"),
        ("5b7fffffffffffffff", "bytes that claim 2**63"),
        ("7b7fffffffffffffff", "a text that claims 2**63"),
        ("ff", "a break alone"),
        ("1c", "a reserved length"),
        ("0000", "two items"),
    ],
)
def test_bytes_that_are_no_deterministic_plain_value_are_malformed(hexed: str, why: str) -> None:
    assert refusal(bytes.fromhex(hexed.replace(" ", ""))).reason is Reason.MALFORMED, why


@pytest.mark.parametrize("tag", sorted(TAGS_ALLOWED))
def test_the_tags_of_cose_and_suit_are_let_through(tag: int) -> None:
    value = decode(encode(cbor2.CBORTag(tag, [b""])))
    assert (value.tag, list(value.value)) == (tag, [b""])


@pytest.mark.parametrize("tag", [t for t in range(300) if t not in TAGS_ALLOWED])
def test_no_other_tag_is_let_through(tag: int) -> None:
    head = (
        bytes([0xC0 | tag])
        if tag < 24
        else bytes([0xD8, tag])
        if tag < 256
        else b"\xd9" + tag.to_bytes(2, "big")
    )
    assert refusal(head + b"\x80").reason is Reason.MALFORMED


def test_size_is_checked_before_anything_is_decoded() -> None:
    data = encode(b"x" * 90)
    assert decode(data, size_max=len(data)) == b"x" * 90
    assert decode(data, size_max=len(data) + 1) == b"x" * 90
    assert refusal(data, size_max=len(data) - 1).reason is Reason.TOO_BIG
    assert refusal(b"\xff" * 200, size_max=199).reason is Reason.TOO_BIG


@pytest.mark.parametrize("over", [-1, 0, 1])
def test_the_document_limit_is_the_default_size(over: int) -> None:
    data = encode(b"x" * (limits.DOCUMENT_BYTES_MAX - 5 + over))
    assert len(data) == limits.DOCUMENT_BYTES_MAX + over
    if over > 0:
        assert refusal(data).reason is Reason.TOO_BIG
    else:
        decode(data)


@pytest.mark.parametrize(
    ("wrap", "leaf"), [(b"\x81", b"\x01"), (b"\xa1\x01", b"\x01"), (b"\xd2\x81", b"\x01")]
)
def test_a_bomb_of_nesting_is_refused(wrap: bytes, leaf: bytes) -> None:
    for depth in (limits.CBOR_DEPTH_MAX + 1, 1_000, 30_000):
        assert refusal(wrap * depth + leaf).reason is Reason.MALFORMED


@pytest.mark.parametrize("over", [-1, 0, 1])
def test_nesting_is_limited(over: int) -> None:
    data = b"\x81" * (limits.CBOR_DEPTH_MAX + over) + b"\x01"
    if over > 0:
        assert refusal(data).reason is Reason.MALFORMED
    else:
        decode(data)


def test_nesting_is_limited_by_our_own_count_too() -> None:
    value: object = 1
    for _ in range(limits.CBOR_DEPTH_MAX + 1):
        value = [value]
    with pytest.raises(RefusedError, match="nested"):
        cbor._check(value, limits.CBOR_DEPTH_MAX)


@pytest.mark.parametrize("over", [-1, 0, 1])
def test_items_are_limited(over: int) -> None:
    data = encode([0] * (limits.CBOR_ITEMS_MAX + over))
    if over > 0:
        assert refusal(data).reason is Reason.MALFORMED
    else:
        assert len(decode(data)) == limits.CBOR_ITEMS_MAX + over


def test_a_value_that_has_no_decoder_hook_is_not_built() -> None:
    with pytest.raises(ValueError, match="no place"):
        cbor._no_tag(1)


def test_component_ids_may_be_keys_as_suit_has_them() -> None:
    assert decode(encode({(b"app",): 1})) == {(b"app",): 1}
