"""What is current on the C device: one catalogue that the timestamp means, its very rows, and headers that lack."""

from __future__ import annotations

import ctypes
import hashlib
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from advisories.catalogue import Catalogue
from advisories.notice import Notice, Phase
from advisories.report import open_want
from advisories.states import NoticeState, PatchState
from keys.codec import dump
from keys.reasons import Reason
from tests.helpers import HOUR, NOW, PRODUCT, catalogue, timestamp

from .build import Core
from .device_of_c import FLEET, SEQUENCE, Device
from .notice_of_c import ID, PLACES, header, puts, stands

P = PatchState
OK = Reason.OK
OTHER = "EX-2026-0002"


def listed(device: Device, body: Catalogue, **stamped: Any) -> None:
    """A catalogue comes, and a timestamp of it, or of something else."""
    base: dict[str, Any] = {"version": body.version, "issued": NOW + 1}
    device.put(f"timestamp/{PRODUCT}", FLEET.seal(timestamp(FLEET, body, **(base | stamped))))
    device.put(f"catalogue/{PRODUCT}", FLEET.seal(body))


def patches(device: Device, *rows: tuple[int, bytes], **fields: Any) -> Catalogue:
    """A catalogue of these patches; of the device's own where none is said."""
    return catalogue(FLEET, patches=rows or ((SEQUENCE, device.digest),), **fields)


def wanted(device: Device) -> set[str]:
    """Return the topics that it asks for."""
    found: set[str] = set()
    while head := device.lib.tn_out_head():
        out = head.contents
        if out.kind == 0 and device.lib.tn_topic_word(out.topic) == b"want":
            found |= {*open_want(ctypes.string_at(out.data.address, out.data.length)).topics}
        device.lib.tn_out_acknowledge(out.number)
    return found


def asks(device: Device, seconds: Iterable[int] = (61, 75, 90)) -> set[str]:
    """Let some time pass, and return the topics that it asks for in it."""
    wanted(device)
    found: set[str] = set()
    for one in seconds:
        device.tick(NOW + one)
        found |= wanted(device)
    return found


@pytest.mark.parametrize(
    ("stamped", "current"),
    [
        ({}, True),
        ({"catalogue_version": NOW + 1}, False),
        ({"catalogue_version": NOW - 1}, False),
        ({"catalogue_digest": bytes(32)}, False),
        ({"root_version": 2}, False),
        ({"root_version": 0}, True),
        ({"expires": NOW + 61}, True),
        ({"issued": NOW, "expires": NOW + 60}, False),
    ],
)
def test_current_is_the_very_catalogue_that_an_unexpired_timestamp_means(
    core: Core, stamped: dict[str, Any], *, current: bool
) -> None:
    device = Device(core)
    assert device.offered() is OK
    listed(device, patches(device), **stamped)
    assert device.story() == ([(P.OFFERED, OK)] if current else [])


def test_a_timestamp_of_another_catalogue_makes_it_ask_for_that_one(core: Core) -> None:
    device = Device(core)
    mine, its = patches(device), patches(device, (SEQUENCE, bytes(32)))
    listed(device, its, catalogue_digest=hashlib.sha256(dump(mine)).digest())
    assert f"catalogue/{PRODUCT}" in asks(device)
    newer = replace(mine, version=NOW + 1)
    listed(device, newer)
    assert f"catalogue/{PRODUCT}" not in asks(device, (100, 130, 160))
    assert device.offered() is OK
    assert device.story() == [(P.OFFERED, OK)]


def test_a_catalogue_of_which_no_timestamp_speaks_is_asked_for_no_more(core: Core) -> None:
    device = Device(core)
    device.put(f"catalogue/{PRODUCT}", FLEET.seal(patches(device)))
    assert asks(device) == {f"timestamp/{PRODUCT}"}


def test_what_is_over_is_asked_for(core: Core) -> None:
    device = Device(core)
    listed(device, patches(device, expires=NOW + HOUR))
    assert not asks(device) & {f"timestamp/{PRODUCT}", f"catalogue/{PRODUCT}"}
    late = (HOUR + 10, HOUR + 20, HOUR + 30)
    assert asks(device, late) == {f"catalogue/{PRODUCT}"}


def test_a_patch_has_its_number_and_its_digest_in_one_row(core: Core) -> None:
    for rows in (
        lambda mine: ((SEQUENCE, bytes(32)),),
        lambda mine: ((SEQUENCE + 1, mine),),
        lambda mine: ((SEQUENCE, bytes(32)), (SEQUENCE + 1, mine)),
    ):
        device = Device(core)
        listed(device, patches(device, *rows(device.digest)))
        assert device.offered() is Reason.NOT_IN_CATALOGUE
    listed(device, patches(device, (3, bytes(32)), (SEQUENCE, device.digest), version=NOW + 1))
    assert device.offered(version=NOW + 1) is OK
    assert device.story()[-1] == (P.OFFERED, OK)


def test_a_notice_that_a_current_catalogue_lists_is_believed_and_another_is_asked_for(core: Core) -> None:
    device = Device(core)
    one, two = header(), header(id=OTHER)
    assert puts(device, two) is OK
    listed(device, catalogue(FLEET, one, two))
    assert f"notice/{PRODUCT}/{ID}" in asks(device)
    assert puts(device, one) is OK
    assert not asks(device, (100, 130, 160)) & {f"notice/{PRODUCT}/{ID}", f"notice/{PRODUCT}/{OTHER}"}


@pytest.mark.parametrize(
    ("revision", "changes", "asked"),
    [
        (1, {}, False),
        (1, {"version": NOW + 1}, False),  # of one revision there is one header
        (2, {"version": NOW + 1}, False),
        (3, {"version": NOW + 1}, True),
    ],
)
def test_only_a_newer_revision_is_asked_for(
    core: Core, revision: int, changes: dict[str, Any], *, asked: bool
) -> None:
    device = Device(core)
    assert puts(device, header(revision=2, phase=Phase.UPDATE)) is OK
    phase = Phase.INITIAL if revision == 1 else Phase.UPDATE
    listed(device, catalogue(FLEET, header(revision=revision, phase=phase, **changes)))
    assert (f"notice/{PRODUCT}/{ID}" in asks(device)) is asked


def test_a_notice_that_made_room_is_asked_for_only_when_it_is_newer(core: Core) -> None:
    """Its place has gone to others; how far it had come is known still."""
    device = Device(core)
    gone: Notice = header(phase=Phase.WITHDRAWN, revision=2)
    assert puts(device, gone) is OK
    for number in range(2, PLACES + 2):
        assert puts(device, header(id=f"EX-2026-000{number}")) is OK
    assert stands(device) is None
    listed(device, catalogue(FLEET, gone))
    assert f"notice/{PRODUCT}/{ID}" not in asks(device)
    newer = replace(gone, version=NOW + 1, revision=3)
    listed(device, catalogue(FLEET, newer, version=NOW + 1))
    assert f"notice/{PRODUCT}/{ID}" in asks(device, (100, 130, 160))
    assert puts(device, newer) is Reason.LIMIT_REACHED
    assert stands(device, "EX-2026-0002") is not None
    assert stands(device, "EX-2026-0002") != (NoticeState.WITHDRAWN, OK)
