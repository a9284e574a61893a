"""Headers and bodies: what a request is, and what any answer may be without harm."""

from __future__ import annotations

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisories.smp import NOTIFIER_CARRIER, OS_ECHO
from hil.smp.frames import encode
from hil.smp.message import BODY_BYTES_MAX, DEPTH_MAX, Header, MalformedAnswer, answer, request
from keys.errors import InputError

HEAD = bytes.fromhex("0b 00 0000 0000 2a 00")


def made(code: bytes, head: bytes = HEAD) -> bytes:
    return head[:2] + len(code).to_bytes(2, "big") + head[4:] + code


def test_a_request_is_these_bytes() -> None:
    assert request(OS_ECHO, {"d": "hi"}, 7).hex() == "0a0000060000" + "0700" + "a16164626869"
    assert request(NOTIFIER_CARRIER, {"key": 1, "up": True}, 255, group=401)[4:8].hex() == "0191ff0a"


@pytest.mark.parametrize(("size", "good"), [(BODY_BYTES_MAX - 6, True), (BODY_BYTES_MAX - 5, False)])
def test_a_body_has_a_length(size: int, good: bool) -> None:
    if good:
        encode(request(OS_ECHO, {"d": "x" * size}, 0))
    else:
        with pytest.raises(InputError) as refused:
            request(OS_ECHO, {"d": "x" * size}, 0)
        assert refused.value.code == "SMP_TOO_LONG"


def test_a_header_comes_back() -> None:
    header = Header(3, 1, 0, 1, 400, 255, 9)
    assert Header.unpack(header.pack() + b"x") == header
    assert Header.unpack(bytes(7)) is None


@pytest.mark.parametrize(
    ("body", "rc", "group", "why"),
    [
        ({}, 0, None, ""),
        ({"rc": 0, "r": "x"}, 0, None, ""),
        ({"rc": 8}, 8, None, ""),
        ({"rc": 8, "rsn": "no such"}, 8, None, "no such"),
        ({"rc": 8, "rsn": 5}, 8, None, ""),
        ({"err": {"group": 1, "rc": 14}}, 14, 1, ""),
        ({"err": {"group": 400, "rc": 3}, "rc": 0}, 3, 400, ""),
    ],
)
def test_errors_of_both_versions_are_read(body: dict, rc: int, group: int | None, why: str) -> None:
    found = answer(made(cbor2.dumps(body)))
    assert (found.rc, found.group, found.why) == (rc, group, why)


@pytest.mark.parametrize(
    ("code", "body"),
    [
        ("bf 6172 7f 6161 6162 ff ff", {"r": "ab"}),  # indefinite lengths
        ("b9 0001 6172 5900 01 00", {"r": b"\0"}),  # longer forms than need be
        ("a2 6162 01 6161 fb 3ff8 0000 0000 0000", {"b": 1, "a": 1.5}),  # any order, and a float
    ],
)
def test_foreign_encodings_are_read(code: str, body: dict) -> None:
    assert answer(made(bytes.fromhex(code))).body == body


@pytest.mark.parametrize(
    "message",
    [
        b"",
        bytes(7),
        made(b"\xa0")[:-1],
        made(b"\xa0") + b"\0",
        made(b""),
        made(b"\x80"),
        made(b"\xa1"),
        made(b"\xa1\x01\x02"),
        made(b"\xa1\x41a\x02"),
        made(b"\xa1\x61\xff\x02"),
        made(b"\xff"),
        made(cbor2.dumps({"rc": "8"})),
        made(cbor2.dumps({"rc": True})),
        made(cbor2.dumps({"err": {"rc": 1, "group": "1"}})),
        made(cbor2.dumps({"err": {"group": 1}})),
        made(b"\x5b\x7f" + b"\xff" * 7),
        made(b"\x9b" + b"\xff" * 8),
    ],
    ids=lambda message: message.hex()[:40],
)
def test_what_is_no_answer_is_refused(message: bytes) -> None:
    with pytest.raises(MalformedAnswer) as refused:
        answer(message)
    assert refused.value.last_frame == message
    assert refused.value.code == "SMP_MALFORMED"


@pytest.mark.parametrize(("depth", "good"), [(DEPTH_MAX - 2, True), (DEPTH_MAX, False), (60_000, False)])
def test_nesting_is_bounded(depth: int, good: bool) -> None:
    message = made(b"\xa1\x61a" + b"\x81" * depth + b"\x00")
    if good:
        assert "a" in answer(message).body
    else:
        with pytest.raises(MalformedAnswer):
            answer(message)


@given(st.one_of(st.integers(0, 300), st.sampled_from([1004, 43_000, 55_799, 2**32])))
def test_no_tag_is_built(tag: int) -> None:
    with pytest.raises(MalformedAnswer):
        answer(made(b"\xa1\x61a\xdb" + tag.to_bytes(8, "big") + b"\x61b"))


@given(st.binary(max_size=60))
def test_no_bytes_give_anything_but_an_answer_or_a_refusal(code: bytes) -> None:
    for message in (code, made(code)):
        try:
            assert isinstance(answer(message).rc, int)
        except MalformedAnswer:
            continue


@pytest.mark.parametrize("error", [5, None, [1], "x"])
def test_an_error_that_is_no_map_is_no_success(error: object) -> None:
    with pytest.raises(MalformedAnswer, match="no map"):
        answer(made(cbor2.dumps({"err": error, "r": "x"})))


def test_a_boards_own_words_are_one_short_printable_line() -> None:
    found = answer(made(cbor2.dumps({"rc": 1, "rsn": "\x1b]0;x\x07\r\n" + "A" * 9_000})))
    assert found.why == "?]0;x???" + "A" * 192 + "..."
