"""When the C device looks for a newer root, how it takes it, and a board whose pinned root is none."""

from __future__ import annotations

import ctypes

import pytest

from keys.document import seal
from keys.reasons import Reason
from tests.helpers import DAY, NOW, PRODUCT, key, timestamp

from .build import Core
from .device_of_c import FLEET, Device
from .notice_of_c import LATER, header
from .patch_of_c import Maker
from .test_fetch import STANDING, SUBSCRIBE, UNSUBSCRIBE, asked, said

MINUTE = 60
OVER = NOW + 365 * DAY
"""When the root ends."""


@pytest.fixture
def device(core: Core) -> Device:
    found = Device(core)
    said(found)
    return found


def strange(device: Device, number: int) -> Reason:
    """Bring a notice that somebody signed whom this root does not know."""
    body = header(id=f"EX-{number}")
    return device.put(f"notice/{PRODUCT}/EX-{number}", seal(body, [key("nobody"), FLEET.signer("legal")]))


def walks(device: Device, version: int = 2) -> Reason:
    """Bring the next root."""
    body = FLEET.next_root(version=version, issued=NOW + 1)
    return device.put(f"root/{version}", seal(body, [FLEET.holder("root-1"), FLEET.holder("root-2")]))


def roots(device: Device) -> list[str]:
    """Return the journal's entries about roots."""
    return [name for _, name, _, _, _ in device.journal() if name.startswith("root ")]


def test_a_strange_signature_is_a_sign_of_a_newer_root(device: Device) -> None:
    assert strange(device, 1) is Reason.THRESHOLD_NOT_MET
    assert said(device)[0] == [(SUBSCRIBE, "root")]
    assert walks(device) is Reason.OK
    assert roots(device) == ["root 2"]
    assert said(device)[0] == [(UNSUBSCRIBE, "root")]
    assert asked(device, 100) == ([], STANDING), "nothing points at root 3"


@pytest.mark.parametrize("after", [MINUTE - 1, MINUTE, MINUTE + 1])
def test_a_root_that_was_looked_for_in_vain_is_looked_for_again_after_a_minute(
    device: Device, after: int
) -> None:
    strange(device, 1)
    said(device)
    assert asked(device, 3)[0] == [(UNSUBSCRIBE, "root")]
    device.core.set_ms((3 + after) * 1_000)
    assert strange(device, 2) is Reason.THRESHOLD_NOT_MET
    assert ((SUBSCRIBE, "root") in said(device)[0]) == (after >= MINUTE)


def test_a_timestamp_that_names_a_newer_root_is_a_sign_of_it(device: Device) -> None:
    stamp = timestamp(FLEET, root_version=2)
    assert device.put(f"timestamp/{PRODUCT}", FLEET.seal(stamp)) is Reason.OK
    assert (SUBSCRIBE, "root") in said(device)[0]
    assert walks(device) is Reason.OK
    assert (UNSUBSCRIBE, "root") in said(device)[0]


@pytest.mark.parametrize("seconds", [-1, 0, 1])
def test_a_root_that_is_over_is_looked_for_anew(device: Device, seconds: int) -> None:
    device.core.set_utc(OVER + seconds)
    device.tick()
    assert ((SUBSCRIBE, "root") in said(device)[0]) == (seconds >= 0)


@pytest.mark.parametrize("root_is_over", [False, True])
def test_a_document_that_is_over_is_a_sign_only_where_the_root_is(
    device: Device, *, root_is_over: bool
) -> None:
    if root_is_over:
        device.core.set_utc(OVER)
    stamp = timestamp(FLEET, expires=LATER - 10)
    assert device.put(f"timestamp/{PRODUCT}", FLEET.seal(stamp)) is Reason.EXPIRED
    assert ((SUBSCRIBE, "root") in said(device)[0]) == root_is_over


def test_a_root_that_skips_one_is_refused_and_the_missing_one_looked_for(device: Device) -> None:
    assert walks(device, 3) is Reason.ROOT_GAP
    assert said(device)[0] == [(SUBSCRIBE, "root")]
    assert roots(device) == []


def test_the_same_root_again_is_journaled_once(device: Device) -> None:
    assert [walks(device), walks(device)] == [Reason.OK, Reason.OK]
    assert roots(device) == ["root 2"]


# A board that is none yet


@pytest.mark.parametrize("lack", ["provisioned", "root", "length", "page"])
def test_without_its_pinned_root_a_board_waits_for_its_maker(core: Core, lack: str) -> None:
    Device(core)
    maker = Maker()
    ctypes.memmove(
        ctypes.byref(maker), ctypes.byref(Maker.in_dll(core.lib, "tn_maker")), ctypes.sizeof(maker)
    )
    core.lib.tn_store_erase()
    match lack:
        case "provisioned":
            maker.provisioned = False
        case "root":
            maker.root_1[0] ^= 1
        case "length":
            maker.root_1_length -= 1
        case _:
            core.flash_load("TN_AT_ROOTS", bytes(64))
    core.lib.tn_store_save_factory(ctypes.byref(maker))
    core.power_on()
    core.sent()
    core.lib.tn_start()
    assert b"tocsin: waits for its maker" in core.sent()
    for _ in range(4):
        core.lib.tn_round()
    assert core.sent() == b""
    assert not core.dead


def test_a_board_whose_pinned_root_is_whole_is_ready(core: Core) -> None:
    Device(core)
    core.lib.tn_store_erase()
    core.power_on()
    core.sent()
    core.lib.tn_start()
    assert b"tocsin: ready" in core.sent()
