"""Blocks on the C device: only what was asked for is taken, and what does not come is asked for again, ever later."""

from __future__ import annotations

import hashlib

import pytest

from advisories.limits import BLOCK_BYTES_MAX
from advisories.states import PatchState
from keys.cbor import encode
from keys.reasons import Reason
from tests.helpers import DEVICE, NOW

from .build import Core
from .device_of_c import Device
from .test_patches import asking

P = PatchState
OK = Reason.OK
FIRST = NOW + 60
"""When the owner agrees."""
MOST = 8 * 2**20
"""Bytes of the largest image of the protocol."""


@pytest.fixture
def device(core: Core) -> Device:
    """A device whose owner has agreed to a patch of 9,000 bytes: three blocks."""
    found = asking(core)
    assert found.consent("yes") is OK
    return found


def wanted(device: Device, at: int | None = None) -> list[tuple[int, int]]:
    """Return the wants since this was asked last: from which byte on, how many blocks."""
    if at is not None:
        device.tick(at)
    return [want.blocks[1:] for want in device.wants() if want.blocks is not None]


def raw(device: Device, offset: int, data: bytes) -> Reason:
    """Bring a block as it is, whatever it says."""
    digest = hashlib.sha256(device.image).digest()
    return device.put(f"device/{DEVICE}/block", encode({1: digest, 2: offset, 3: data}))


def written(device: Device, at: int = 0) -> bytes:
    """What the spare slot holds, as far as the image goes."""
    constants = device.core.constants
    return device.core.flash(
        constants["TN_AT_SLOTS"] + constants["TN_SLOT_BYTES"] + at, len(device.image) - at
    )


def test_a_block_that_nobody_waits_for_is_passed_over(core: Core) -> None:
    device = Device(core)
    assert device.block(0) is OK
    assert written(device) == b"\xff" * len(device.image)
    assert device.story() == []


@pytest.mark.parametrize(
    ("offset", "data", "reason"),
    [
        (0, b"", Reason.MALFORMED),
        (0, bytes(BLOCK_BYTES_MAX + 1), Reason.MALFORMED),
        (MOST, b"x", OK),
        (MOST + 1, b"x", Reason.MALFORMED),
        (2**32 - 1, b"x", Reason.MALFORMED),
        (2**32, b"x", Reason.MALFORMED),
        (1, b"x", OK),
        (9_000, b"x", OK),
    ],
)
def test_what_lies_elsewhere_is_not_written(device: Device, offset: int, data: bytes, reason: Reason) -> None:
    assert wanted(device) == [(0, 3)]
    assert raw(device, offset, data) is reason
    assert written(device) == b"\xff" * len(device.image)


def test_the_last_block_ends_where_the_image_does(device: Device) -> None:
    image, rest = device.image, len(device.image) - 2 * BLOCK_BYTES_MAX
    device.block(0)
    device.block(BLOCK_BYTES_MAX)
    assert raw(device, 2 * BLOCK_BYTES_MAX, image[-rest:] + b"\0") is OK
    assert device.story()[-1] == (P.DOWNLOADING, OK)
    assert written(device, 2 * BLOCK_BYTES_MAX) == b"\xff" * rest
    assert raw(device, 2 * BLOCK_BYTES_MAX, image[-rest:-1]) is OK
    assert device.story()[-1] == (P.DOWNLOADING, OK)
    assert raw(device, len(image) - 1, image[-1:]) is OK
    assert device.state is P.SUCCEEDED


def test_no_block_is_taken_before_it_is_asked_for(device: Device) -> None:
    """After a boot without a way to the gateway nothing has been asked for yet."""
    device.connects = False
    device.boot()
    assert device.block(0) is OK
    assert written(device) == b"\xff" * len(device.image)
    device.lib.tn_agent_connected(True)
    device.tick(NOW + 70)
    assert wanted(device)[0] == (0, 3)
    assert device.block(0) is OK
    assert written(device)[:BLOCK_BYTES_MAX] == device.image[:BLOCK_BYTES_MAX]


def test_no_block_is_taken_in_the_pause_before_everything_is_brought_again(device: Device) -> None:
    right = device.image
    assert wanted(device) == [(0, 3)]
    for at in range(0, len(right), BLOCK_BYTES_MAX):
        device.block(at, data=bytes(min(BLOCK_BYTES_MAX, len(right) - at)))
    assert device.story()[-1] == (P.DOWNLOADING, Reason.DIGEST_MISMATCH)
    device.block(0)
    assert written(device) == bytes(len(right))
    assert wanted(device, FIRST + 2) == []  # 2.5 s to 3.5 s, by chance
    assert wanted(device, FIRST + 4) == [(0, 3)]
    for at in range(0, len(right), BLOCK_BYTES_MAX):
        device.block(at)
    assert device.state is P.SUCCEEDED


def test_what_does_not_come_is_asked_for_ever_later(device: Device) -> None:
    assert wanted(device) == [(0, 3)]
    at = FIRST
    for pause in (3, 3, 6, 12, 24, 48, 60, 60, 60):
        at += pause
        assert wanted(device, at - 1) == []
        assert wanted(device, at) == [(0, 3)]


def test_whatever_comes_makes_it_ask_soon_again(device: Device) -> None:
    """What is left of a window that stalled is asked for block by block; each of them counts as a sign of life."""
    assert wanted(device) == [(0, 3)]
    assert wanted(device, FIRST + 3) == [(0, 3)]
    assert wanted(device, FIRST + 6) == [(0, 3)]
    assert wanted(device, FIRST + 11) == []
    device.block(0)
    assert wanted(device) == [(BLOCK_BYTES_MAX, 2)]
    device.block(BLOCK_BYTES_MAX)
    assert wanted(device) == [(2 * BLOCK_BYTES_MAX, 1)]
    at = FIRST + 11
    for pause in (3, 3, 6):
        at += pause
        assert wanted(device, at - 1) == []
        assert wanted(device, at) == [(2 * BLOCK_BYTES_MAX, 1)]
    device.block(2 * BLOCK_BYTES_MAX)
    assert device.state is P.SUCCEEDED
