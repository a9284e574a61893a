"""The line of the C device, byte by byte: frames, requests that are none, and what each command refuses."""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import Any

import cbor2
import pytest

from advisories.smp import Rc
from hil.smp.frames import Scanner, encode
from hil.wire.record import Kind
from keys.reasons import Reason
from tests.helpers import NOW

from .device_of_c import Device

OS, IMG, OURS = 0, 1, 400
READ, WRITE = 0, 2
ROUNDS = 64
BIG = 1 << 33


def message(
    group: int, number: int, body: Any, *, op: int = READ, version: int = 0, length: int | None = None
) -> bytes:
    """A request; its body as CBOR, or as it is."""
    data = body if isinstance(body, bytes) else cbor2.dumps(body)
    stated = len(data) if length is None else length
    head = bytes([version << 3 | op, 0, stated >> 8, stated & 255, group >> 8, group & 255, 9, number])
    return head + data


def told(device: Device, data: bytes) -> list[bytes]:
    """Let bytes come in, and return the messages that go out."""
    device.core.feed(data)
    for _ in range(ROUNDS):
        device.lib.tn_round()
    return [part.data for part in Scanner().feed(device.core.sent()) if part.kind is Kind.MESSAGE]


def asked(device: Device, group: int, number: int, body: Any, **how: Any) -> dict[str, Any]:
    """Return the fields of the answer to a request; ``rc`` is there in any case."""
    (answer,) = told(device, encode(message(group, number, body, **how)))
    assert answer[6] == 9
    assert answer[7] == number
    found: dict[str, Any] = cbor2.loads(answer[8:])
    return {"rc": 0, **found}


@pytest.mark.parametrize(
    ("group", "number", "op", "body", "rc"),
    [
        (OS, 0, WRITE, {"d": "x"}, Rc.OK),
        (OS, 0, WRITE, {"d": "x", "more": [1, {"a": None}]}, Rc.OK),
        (OS, 0, WRITE, {"d": b"x"}, Rc.EINVAL),
        (OS, 0, WRITE, {}, Rc.EINVAL),
        (OS, 0, WRITE, b"", Rc.EINVAL),
        (OS, 0, WRITE, {1: "x"}, Rc.EINVAL),
        (OS, 0, WRITE, [], Rc.EINVAL),
        (OS, 0, WRITE, b"\xa1\x61", Rc.EINVAL),
        (OS, 0, WRITE, {"d": "x", "k" * 65: 1}, Rc.EINVAL),
        (OS, 0, READ, {"d": "x"}, Rc.ENOTSUP),
        (OS, 99, READ, {}, Rc.ENOTSUP),
        (77, 0, READ, {}, Rc.ENOTSUP),
        (OS, 6, READ, b"", Rc.OK),
        (OS, 5, WRITE, {"force": "yes"}, Rc.EINVAL),
        (OS, 7, READ, {}, Rc.ENOTSUP),
        (IMG, 0, READ, {}, Rc.OK),
        (IMG, 0, WRITE, {"hash": bytes(32)}, Rc.EACCESSDENIED),
        (IMG, 0, WRITE, {"confirm": True}, Rc.EACCESSDENIED),
        (IMG, 1, READ, {}, Rc.ENOTSUP),
        (IMG, 1, WRITE, {"off": 0, "data": b""}, Rc.EACCESSDENIED),
        (IMG, 5, WRITE, {}, Rc.EACCESSDENIED),
        (2, 1, READ, {}, Rc.ENOTSUP),
        (OURS, 0, READ, {}, Rc.OK),
        (OURS, 3, READ, {}, Rc.OK),
        (OURS, 3, READ, {"off": 1_000}, Rc.EINVAL),
        (OURS, 4, READ, {"off": 100_000}, Rc.EINVAL),
        (OURS, 4, READ, {"off": BIG}, Rc.EINVAL),
        (OURS, 6, READ, {}, Rc.OK),
        (OURS, 8, READ, {}, Rc.OK),
        (OURS, 10, WRITE, {"up": True, "key": 1}, Rc.OK),
        (OURS, 10, WRITE, {"up": False, "key": 1}, Rc.OK),
        (OURS, 10, WRITE, {"up": True}, Rc.EINVAL),
        (OURS, 10, WRITE, {"up": None, "key": 1}, Rc.EINVAL),
        (OURS, 10, WRITE, {"up": 1, "key": 1}, Rc.EINVAL),
        (OURS, 1, WRITE, {"sha": bytes(31), "off": 0, "len": 1, "data": b""}, Rc.EINVAL),
        (OURS, 1, WRITE, {"sha": bytes(32), "off": 0, "len": BIG, "data": b""}, Rc.NOMEM),
        (OURS, 1, WRITE, {"sha": bytes(32), "off": 0, "len": 0, "data": b""}, Rc.EINVAL),
        (OURS, 2, WRITE, {"sha": bytes(32), "topic": "x", "key": 1}, Rc.ENOENT),
        *(
            (OURS, 5, WRITE, {"button": button, "key": 1}, rc)
            for button, rc in (
                ("acknowledge", Rc.EBADSTATE),
                ("yes", Rc.EBADSTATE),
                ("later", Rc.EBADSTATE),
                ("no", Rc.EBADSTATE),
                ("maybe", Rc.EINVAL),
            )
        ),
        *(
            (OURS, 7, WRITE, {"at": at, "when": when, "key": 1}, rc)
            for at, when, rc in (
                (90_000, "before", Rc.OK),
                (90_000, "torn", Rc.OK),
                (90_000, "after", Rc.OK),
                (90_000, "sometime", Rc.EINVAL),
                (0, "torn", Rc.EINVAL),
                (BIG, "torn", Rc.EINVAL),
            )
        ),
        (OURS, 8, WRITE, {"utc": NOW, "key": 1}, Rc.OK),
        (OURS, 8, WRITE, {"utc": 253_402_300_799, "key": 1}, Rc.OK),
        (OURS, 8, WRITE, {"utc": 253_402_300_800, "key": 1}, Rc.EINVAL),
        *(
            (OURS, 9, WRITE, {"what": what, "value": value, "key": 1}, rc)
            for what, value, rc in (
                ("luck", b"x", Rc.EINVAL),
                ("root", bytes(32), Rc.ENOENT),
                ("key", bytes(31), Rc.EINVAL),
                ("key", bytes(32), Rc.OK),
                ("version", b"new", Rc.EINVAL),
                ("version", b"1.2.3", Rc.OK),
                ("id", b"", Rc.EINVAL),
                ("id", b"a/b", Rc.EINVAL),
                ("id", b"a\x00b", Rc.EINVAL),
                ("id", b"n" * 64, Rc.OK),
                ("id", b"n" * 65, Rc.EINVAL),
                ("product", b"a b", Rc.EINVAL),
                ("product", b"lamp", Rc.OK),
                ("language", b"", Rc.EINVAL),
                ("language", b"de", Rc.OK),
                ("language", b"l" * 36, Rc.EINVAL),
                ("language", b"l" * 65, Rc.EINVAL),
                ("language", b"d\x00e", Rc.EINVAL),
                ("topics", b"", Rc.EINVAL),
                ("topics", b"t", Rc.OK),
                ("topics", b"t" * 65, Rc.EINVAL),
                ("erase", b"", Rc.OK),
            )
        ),
    ],
)
def test_every_request_has_its_answer(
    device: Device, group: int, number: int, op: int, body: Any, rc: Rc
) -> None:
    assert asked(device, group, number, body, op=op)["rc"] == rc


@pytest.mark.parametrize(
    ("number", "body"),
    [
        (10, {"up": True}),
        (7, {"at": 90_000, "when": "torn"}),
        (8, {"utc": NOW + 5}),
        (9, {"what": "language", "value": b"de"}),
    ],
)
def test_with_the_key_of_one_that_was_done_nothing_is_done_again(
    device: Device, number: int, body: dict[str, Any]
) -> None:
    first = asked(device, OURS, number, {**body, "key": 7}, op=WRITE)
    again = asked(device, OURS, number, {**body, "key": 7}, op=WRITE)
    assert first == again


def test_a_refusal_says_its_words_and_keeps_to_its_verdict(device: Device) -> None:
    """The words are text of the device's own, not whatever lies where they are kept."""
    data = b"no document"
    sha = hashlib.sha256(data).digest()
    put = asked(device, OURS, 1, {"sha": sha, "off": 0, "len": len(data), "data": data}, op=WRITE)
    assert put["off"] == len(data)
    body = {"sha": sha, "topic": "tocsin/v1/timestamp/thermostat", "key": 6}
    first = asked(device, OURS, 2, body, op=WRITE)
    assert Reason(first["verdict"]) is Reason.MALFORMED
    assert first["text"].isascii()
    assert first["text"].isprintable()
    assert asked(device, OURS, 2, body, op=WRITE)["verdict"] == first["verdict"]


def test_a_newer_version_of_the_protocol_says_whose_error_it_is(device: Device) -> None:
    assert asked(device, OURS, 3, {"off": 1_000}, version=1)["err"] == {"group": OURS, "rc": Rc.EINVAL}
    assert asked(device, OS, 99, {}, version=1)["rc"] == Rc.ENOTSUP
    assert asked(device, OS, 0, {"d": "x"}, op=WRITE, version=2)["rc"] == Rc.TOO_NEW


@pytest.mark.parametrize("length", [0, 2, 1_000])
def test_a_length_that_is_not_the_bodys_is_refused(device: Device, length: int) -> None:
    assert asked(device, OS, 0, {"d": "x"}, op=WRITE, length=length)["rc"] == Rc.EINVAL


def test_an_answer_that_does_not_fit_is_said_to_be_too_large(device: Device) -> None:
    assert asked(device, OS, 0, {"d": "x" * 600}, op=WRITE)["rc"] in {Rc.OK, Rc.EMSGSIZE}


def test_the_longest_answers_go_out_whole(device: Device) -> None:
    """Whatever is left over for the last four characters, nothing behind the frame's memory is read for them."""
    most = device.core.constants["TN_SMP_BUFFER_BYTES"] - 4 - 8 - 7
    for length in range(most - 6, most + 1):
        words = "x" * length
        assert asked(device, OS, 0, {"d": words}, op=WRITE)["r"] == words
    assert asked(device, OS, 0, {"d": "x" * (most + 1)}, op=WRITE)["rc"] == Rc.EMSGSIZE


@pytest.mark.parametrize("op", [1, 3, 4, 7])
def test_an_answer_is_never_answered(device: Device, op: int) -> None:
    assert told(device, encode(message(OS, 0, {"d": "x"}, op=op))) == []


ECHO = encode(message(OS, 0, {"d": "hello"}, op=WRITE))


def frame(data: bytes) -> bytes:
    """A frame of anything, with its length and its checksum."""
    crc = binascii.crc_hqx(data, 0)
    whole = (len(data) + 2).to_bytes(2, "big") + data + crc.to_bytes(2, "big")
    return b"\x06\x09" + base64.b64encode(whole) + b"\n"


LONG = message(OS, 0, {"d": "x" * 200}, op=WRITE)


@pytest.mark.parametrize(
    ("data", "answers"),
    [
        (ECHO, 1),
        (ECHO + ECHO, 2),
        (b"noise\x06\x06\x04" + ECHO, 1),
        (ECHO.replace(b"\n", b"\r\n"), 1),
        (b"\x06\x09!!!!\n" + ECHO, 1),
        (b"\x06\x09A=BC\n" + ECHO, 1),
        (b"\x06\x09AB=C\n" + ECHO, 1),
        (b"\x06\x09AAA\n\x04\x14" + ECHO[2:], 0),
        (b"\x06\x09\n\x04\x14" + ECHO[2:], 0),
        (b"\x04\x14" + ECHO[2:], 0),
        (frame(b""), 0),
        (frame(b"\x00" * 7), 0),
        (b"\x06\x09" + base64.b64encode(b"\x00\x09" + bytes(9)) + b"\n", 0),
        (b"\x06\x09" + b"A" * 2_000 + b"\n" + ECHO, 1),
        (encode(LONG), 1),
        (encode(LONG).replace(b"\n\x04", b"\n\n\x04"), 0),
        (encode(LONG).replace(b"\n\x04", b"\n\r\x04"), 1),
        (encode(LONG).replace(b"\n\x04\x14", b"\nnoise\x04\x14"), 1),
        (ECHO[:9] + b"\x06" + ECHO[9:], 1),
        (ECHO[:9] + b"\x04" + ECHO[9:], 1),
        (b"\x06\x09" + base64.b64encode(b"\0\x0a" + LONG[:8] + b"\0\1") + b"\n", 0),
    ],
)
def test_only_whole_frames_are_answered(device: Device, data: bytes, answers: int) -> None:
    assert len(told(device, data)) == answers


def test_a_board_is_made_anew_over_the_line(device: Device) -> None:
    """What was provisioned holds from the reset on, and not before."""
    things = {"product": b"lamp", "topics": b"t", "language": b"de", "id": b"lamp-1"}
    for key, (what, value) in enumerate(things.items(), 1):
        assert asked(device, OURS, 9, {"what": what, "value": value, "key": key}, op=WRITE)["rc"] == Rc.OK
    assert asked(device, OURS, 9, {"what": "erase", "key": 9}, op=WRITE)["rc"] == Rc.OK
    assert asked(device, OURS, 0, {})["class"] == "thermostat"
    assert asked(device, OS, 5, {}, op=WRITE)["rc"] == Rc.OK
    assert device.core.reset_asked
    device.core.reset()
    device.lib.tn_start()
    info = asked(device, OURS, 0, {})
    assert (info["class"], info["id"]) == ("lamp", "lamp-1")
    assert all(name.startswith("t/") for name in info["filters"])
