"""Where messages are staged on the C device: one at a time, in pieces, and taken only when whole and what was named."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from advisories.smp import Rc
from keys.reasons import Reason
from tests.helpers import PRODUCT, catalogue

from .device_of_c import FLEET, PREFIX, Device
from .test_server import OURS, WRITE, asked

PUT, SUBMIT = 1, 2
DATA = bytes(range(200))
SHA = hashlib.sha256(DATA).digest()
OTHER = b"another message"
SHA_OF_OTHER = hashlib.sha256(OTHER).digest()
MOST = 4_160


def put(
    device: Device, off: int, data: bytes, *, sha: bytes = SHA, length: int = len(DATA)
) -> tuple[Rc, int | None]:
    """Bring a piece; return what was answered, and which byte is expected next."""
    body: dict[str, Any] = {"sha": sha, "off": off, "len": length, "data": data}
    found = asked(device, OURS, PUT, body, op=WRITE)
    return Rc(found["rc"]), found.get("off")


def submitted(device: Device, sha: bytes = SHA, *, key: int = 1) -> tuple[Rc, Reason | None]:
    """Say what the staged message is; return the answer and the verdict on it."""
    body = {"sha": sha, "topic": f"{PREFIX}timestamp/{PRODUCT}", "key": key}
    found = asked(device, OURS, SUBMIT, body, op=WRITE)
    return Rc(found["rc"]), Reason(found["verdict"]) if "verdict" in found else None


def test_a_message_in_pieces_is_taken_when_its_last_byte_is_there(device: Device) -> None:
    for at in range(0, len(DATA), 70):
        assert submitted(device) == (Rc.ENOENT, None)
        piece = DATA[at : at + 70]
        assert put(device, at, piece) == (Rc.OK, at + len(piece))
    assert device.core.flash(device.core.constants["TN_AT_STAGING"], len(DATA)) == DATA
    assert submitted(device) == (Rc.OK, Reason.MALFORMED)


def test_a_piece_that_is_not_the_next_one_says_where_to_go_on(device: Device) -> None:
    assert put(device, 70, DATA[70:]) == (Rc.OK, 0)  # of a message that was never begun
    assert put(device, 0, DATA[:70]) == (Rc.OK, 70)
    assert put(device, 69, DATA[69:]) == (Rc.OK, 70)
    assert put(device, 71, DATA[71:]) == (Rc.OK, 70)
    assert put(device, 0, DATA[:70]) == (Rc.OK, 70)
    assert put(device, 70, OTHER, sha=SHA_OF_OTHER, length=len(OTHER)) == (Rc.OK, 0)
    assert put(device, 70, DATA[70:]) == (Rc.OK, len(DATA))
    for again in (0, 70, len(DATA)):
        assert put(device, again, DATA[again:]) == (Rc.OK, len(DATA))
    assert submitted(device) == (Rc.OK, Reason.MALFORMED)


def test_bytes_behind_the_end_are_refused_and_nothing_is_lost(device: Device) -> None:
    assert put(device, 0, DATA[:150]) == (Rc.OK, 150)
    assert put(device, 150, DATA[150:] + b"\0") == (Rc.EINVAL, None)
    assert put(device, 150, b"") == (Rc.OK, 150)
    assert put(device, 150, DATA[150:]) == (Rc.OK, len(DATA))
    assert submitted(device)[0] is Rc.OK


def test_what_does_not_have_the_digest_it_was_named_by_is_forgotten(device: Device) -> None:
    wrong = DATA[:-1] + b"\0"
    assert put(device, 0, wrong) == (Rc.EINVAL, None)
    assert submitted(device) == (Rc.ENOENT, None)
    assert put(device, 0, DATA) == (Rc.OK, len(DATA))
    assert submitted(device, key=2) == (Rc.OK, Reason.MALFORMED)


def test_another_message_takes_the_place(device: Device) -> None:
    assert put(device, 0, DATA[:70]) == (Rc.OK, 70)
    assert put(device, 0, OTHER, sha=SHA_OF_OTHER, length=len(OTHER)) == (Rc.OK, len(OTHER))
    assert submitted(device) == (Rc.ENOENT, None)
    assert submitted(device, SHA_OF_OTHER)[0] is Rc.OK
    assert put(device, 70, DATA[70:]) == (Rc.OK, 0)


@pytest.mark.parametrize(
    ("length", "data", "rc"),
    [
        (0, b"", Rc.EINVAL),
        (0, b"x", Rc.EINVAL),
        (1, b"", Rc.OK),
        (1, b"xy", Rc.EINVAL),
        (2, b"xyz", Rc.EINVAL),
        (MOST, b"x", Rc.OK),
        (MOST + 1, b"x", Rc.NOMEM),
    ],
)
def test_what_cannot_be_staged_leaves_what_is(device: Device, length: int, data: bytes, rc: Rc) -> None:
    assert device.core.constants["TN_MESSAGE_BYTES_MAX"] == MOST
    put(device, 0, b"")  # begun, and nothing of it is here
    found, off = put(device, 0, data, sha=SHA_OF_OTHER, length=length)
    assert (found, off) == (rc, len(data) if rc is Rc.OK else None)
    if rc is not Rc.OK:
        assert put(device, 0, DATA) == (Rc.OK, len(DATA))


def test_a_document_goes_through_the_line_as_it_does_over_the_air(device: Device) -> None:
    document = FLEET.seal(catalogue(FLEET))
    sha = hashlib.sha256(document).digest()
    for at in range(0, len(document), 180):
        put(device, at, document[at : at + 180], sha=sha, length=len(document))
    body = {"sha": sha, "topic": f"{PREFIX}catalogue/{PRODUCT}", "key": 1}
    assert asked(device, OURS, SUBMIT, body, op=WRITE)["verdict"] == Reason.OK
