"""The journal of the C device when it is full, and after receipts; and a boot record that waits for its reset."""

from __future__ import annotations

import ctypes

import pytest

from advisories.report import JournalEntry, Report, open_report
from keys.codec import load
from keys.reasons import Reason
from keys.signer import from_seed
from tests.helpers import DEVICE, NOW, answer

from .build import Core
from .device_of_c import FLEET, OLD, Device, firmware
from .patch_of_c import Maker, read_image
from .test_server import IMG, OURS, asked
from .test_store import Record

KEPT = 64
"""TN_JOURNAL_MAX."""


def reports(device: Device) -> list[Report]:
    """Take what it says, and return the reports among it."""
    key = from_seed(bytes(Maker.in_dll(device.lib, "tn_maker").seed)).public
    found = []
    while head := device.lib.tn_out_head():
        out = head.contents
        if out.kind == 0 and device.lib.tn_topic_word(out.topic) == b"report":
            data = ctypes.string_at(out.data.address, out.data.length)
            found.append(open_report(data, key, fleet=FLEET.id, device=DEVICE))
        device.lib.tn_out_acknowledge(out.number)
    return found


def received(device: Device) -> list[Report]:
    """Answer every report with a receipt for all it brought, until none comes any more."""
    found: list[Report] = []
    for step in range(1, 200):
        device.tick(NOW + 60 + 61 * step)
        told = reports(device)
        if not told and found:
            return found
        for one in told:
            found.append(one)
            covered = one.journal[-1].index + 1 if one.journal else one.journal_count
            made = answer(FLEET, nonce=one.nonce, receipt=one.order, journal_count=covered)
            assert device.put(f"device/{DEVICE}/answer", FLEET.seal(made)) is Reason.OK
    raise AssertionError("it reports for ever")


def say(device: Device, times: int) -> None:
    """Let it record something as often."""
    for number in range(times):
        device.lib.tn_record(0, b"entry %d" % number, None)
    device.lib.tn_save()


def kept(device: Device) -> list[int]:
    """Return the numbers of the entries that can be read, of the first thousand."""
    return [index for index in range(1_000) if device.lib.tn_journal_read(index).length]


@pytest.mark.parametrize("restart", [False, True])
def test_a_full_journal_counts_what_it_cannot_keep_and_says_so_later(core: Core, *, restart: bool) -> None:
    device = Device(core)
    say(device, 3 * KEPT)
    held = kept(device)
    assert len(held) <= KEPT
    assert held == list(range(len(held)))
    if restart:
        device.boot()
        assert kept(device)[: len(held)] == held
    told = received(device)
    assert told[-1].journal_count >= 3 * KEPT
    say(device, 1)
    names = [name for _, name in entries(device)]
    assert any(name.startswith("journal gap ") for name in names)
    assert names[-1] == "entry 0"


def entries(device: Device) -> list[tuple[int, str]]:
    """Return the entries that are kept: number and name."""
    found = []
    for index in kept(device):
        entry = device.lib.tn_journal_read(index)
        one = load(JournalEntry, ctypes.string_at(entry.address, entry.length), size_max=256)
        found.append((one.index, one.name))
    return found


def test_places_are_used_again_after_receipts_and_none_that_is_needed_goes(core: Core) -> None:
    device = Device(core)
    for _ in range(12):
        before = kept(device)
        say(device, KEPT // 2)
        received(device)
        assert kept(device)[-1] > before[-1]
    device.boot()
    say(device, 1)
    assert entries(device)[-1][1] == "entry 0"


def torn(device: Device, at: int) -> None:
    """Let a write of an entry to a place have been torn: something is there, and nothing whole."""
    device.core.flash_load(device.core.constants["TN_AT_JOURNAL"] + 256 * at, b"\0" * 8)


def test_where_writes_are_torn_again_and_again_nothing_that_waits_is_erased(core: Core) -> None:
    """Of each page one place is good: the ring has come around long before as many entries wait as are kept."""
    device = Device(core)
    first = len(kept(device))
    for place in range(first, 128):
        if place % 16:
            torn(device, place)
    say(device, 20)
    held = kept(device)
    assert held == list(range(first + 7))
    assert first + 7 < KEPT
    device.boot()
    assert kept(device) == held
    told = received(device)
    assert [entry.index for one in told for entry in one.journal][: len(held)] == held
    assert told[0].journal_count > len(held)
    say(device, 2)
    names = [name for _, name in entries(device)]
    assert names[-2:] == ["entry 0", "entry 1"]
    assert any(name.startswith("journal gap ") for name in names)


def test_a_page_is_erased_once_nothing_in_it_waits(core: Core) -> None:
    device = Device(core)
    first = core.constants["TN_AT_JOURNAL"] // core.constants["TN_FLASH_PAGE"]
    say(device, 16 - len(kept(device)))
    for place in range(16, 128):
        torn(device, place)
    received(device)
    say(device, 1)
    assert [core.lib.test_erases(first + page) for page in range(8)] == [0, 1, 0, 0, 0, 0, 0, 0]
    assert entries(device)[-1][1] == "entry 0"


@pytest.mark.parametrize(("there", "pending"), [(True, "1.4.2"), (False, "none")])
def test_an_image_that_waits_for_its_restart_is_pending(core: Core, *, there: bool, pending: str) -> None:
    device = Device(core)
    device.lib.tn_provision_apply()
    device.lib.tn_start()
    core.sent()
    if there:
        read_image(core, firmware(), 1)
    device.lib.tn_boot_save(ctypes.byref(Record(active=0, has_trial=True, tried=False, trial=1)))
    assert asked(device, OURS, 6, {})["pending"] == pending
    images = asked(device, IMG, 0, {})["images"]
    assert [(one["slot"], one["pending"], one["active"]) for one in images] == [
        (0, False, True),
        *[(1, True, False)] * there,
    ]
    assert device.installed == OLD
