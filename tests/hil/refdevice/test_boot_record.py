"""The boot record of the C device: after a power cut at any change of flash there is the old one whole, or the new one."""

from __future__ import annotations

import ctypes
from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from device_sim.core import slots

from .build import Core, Cut
from .test_store import Record, boot_record

RECORDS = st.builds(
    Record,
    active=st.integers(0, 1),
    has_trial=st.booleans(),
    tried=st.booleans(),
    trial=st.integers(0, 1),
)


@settings(max_examples=60, deadline=None)
@given(
    records=st.lists(RECORDS, min_size=1, max_size=12),
    selects=st.lists(st.booleans(), min_size=12, max_size=12),
)
def test_the_boot_loader_decides_as_pythons(
    core_library: Core, records: list[Record], selects: list[bool]
) -> None:
    core = core_library
    core.new()
    for record, select in zip(records, selects, strict=False):
        core.lib.tn_boot_save(ctypes.byref(record))
        wanted = record.said()
        core.power_on()
        if select:
            slot, stored = slots.select(slots.dump(wanted))
            assert core.lib.tn_boot_select() == slot
            wanted = slots.load_record(stored)
            core.power_on()
        assert boot_record(core) == wanted
    assert core.wrong == ""


def test_a_cut_leaves_the_old_boot_record_or_the_new_one(core: Core) -> None:
    """At every change of each, in both pages."""
    on, off = Record(0, True, False, 1), Record(0, False, False, 0)
    old, new = off, on
    for _ in range(5):
        core.power_on()
        for at, when in product((1, 2, 3), Cut):
            core.power_on()
            core.cut(at, when)
            core.lib.tn_boot_save(ctypes.byref(new))
            cut = core.dead
            assert cut
            core.power_on()
            done = (at, when) == (3, Cut.AFTER)
            assert boot_record(core) == (new if done else old).said()
            core.lib.tn_boot_save(ctypes.byref(old))
        core.lib.tn_boot_save(ctypes.byref(new))
        core.power_on()
        assert boot_record(core) == new.said()
        old, new = new, old
        if core.wrong:
            break
    assert core.wrong == ""


def test_any_part_of_a_torn_boot_record_may_be_there(core: Core) -> None:
    core.lib.tn_boot_save(ctypes.byref(Record(1, False, False, 0)))
    core.lib.tn_boot_save(ctypes.byref(Record(1, True, False, 0)))
    place = core.constants["TN_AT_BOOT"]  # the head of the second record, which is written last
    flash, written = core.flash(0, core.constants["TN_AT_ROOTS"]), core.flash(place, 8)
    assert written != b"\xff" * 8
    masks = [
        mask for mask in range(255) if any(~mask >> n & 1 and one != 0xFF for n, one in enumerate(written))
    ]
    for mask in masks:  # a bit for each byte that is there
        core.new()
        core.flash_load(0, flash)
        core.flash_load(place, bytes(one if mask >> n & 1 else 0xFF for n, one in enumerate(written)))
        core.power_on()
        for _ in range(2):
            assert boot_record(core) == slots.BootRecord(active=1)
            core.lib.tn_boot_save(ctypes.byref(Record(0, False, False, 0)))
            core.power_on()
            assert boot_record(core) == slots.BootRecord(active=0)
            core.lib.tn_boot_save(ctypes.byref(Record(1, False, False, 0)))
            core.power_on()


def test_a_trial_is_booted_once_even_when_the_power_goes_in_the_middle(core: Core) -> None:
    for at, when in product((1, 2, 3), Cut):
        core.new()
        core.lib.tn_boot_save(ctypes.byref(Record(0, True, False, 1)))
        core.power_on()
        core.cut(at, when)
        chosen = core.lib.tn_boot_select()
        boots = [] if core.dead else [chosen]
        for _ in range(3):
            core.power_on()
            boots.append(core.lib.tn_boot_select())
        assert boots.count(1) <= 1
        assert boots[-1] == 0
