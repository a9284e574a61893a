"""What outlives a reset: after a power cut at any change of flash there is the old state whole, or the new one."""

from __future__ import annotations

import ctypes
import subprocess
from collections.abc import Callable
from itertools import product

import pytest

from device_sim.core import slots

from . import build
from .build import Core, Cut


class Record(ctypes.Structure):
    """``tn_boot_record``."""

    _fields_ = (
        ("active", ctypes.c_uint8),
        ("has_trial", ctypes.c_bool),
        ("tried", ctypes.c_bool),
        ("trial", ctypes.c_uint8),
    )

    def said(self) -> slots.BootRecord:
        return slots.BootRecord(
            active=self.active,
            trial=self.trial if self.has_trial else None,
            tried=True if self.has_trial and self.tried else None,
        )


def state(core: Core) -> ctypes.Array[ctypes.c_uint8]:
    """The bytes of ``tn_stored``: as many as any build of it has."""
    return (ctypes.c_uint8 * 1024).in_dll(core.lib, "tn_stored")


def fill(core: Core, value: int) -> None:
    ctypes.memset(state(core), value, 1024)


def filled(core: Core) -> int:
    values = set(bytes(state(core)))
    assert len(values) == 1, "half of one state and half of another"
    return values.pop()


def boot_record(core: Core) -> slots.BootRecord:
    core.lib.tn_boot.restype = ctypes.POINTER(Record)
    record: Record = core.lib.tn_boot().contents
    return record.said()


def start(core: Core) -> None:
    core.power_on()
    core.lib.tn_store_load()


def writes_of(core: Core, act: Callable[[], object]) -> int:
    before = core.lib.tn_store_writes()
    act()
    return int(core.lib.tn_store_writes() - before)


def test_a_new_device_has_nothing(core: Core) -> None:
    assert not core.lib.tn_store_load()
    assert filled(core) == 0
    assert boot_record(core) == slots.BootRecord(active=0)
    assert core.lib.tn_boot_select() == 0
    assert core.lib.tn_store_writes() == 0


def test_the_newest_state_is_read_again(core: Core) -> None:
    core.lib.tn_store_load()
    for value in range(1, 40):  # several times around all pages
        fill(core, value)
        core.lib.tn_store_save()
        start(core)
        assert filled(core) == value


def test_what_has_not_changed_wears_no_flash(core: Core) -> None:
    core.lib.tn_store_load()
    assert writes_of(core, core.lib.tn_save) == 3, "a new device has nothing that it could be compared with"
    assert writes_of(core, core.lib.tn_save) == 0
    start(core)
    assert writes_of(core, core.lib.tn_save) == 0
    fill(core, 1)
    assert writes_of(core, core.lib.tn_save) == 3
    fill(core, 2)
    fill(core, 1)
    assert writes_of(core, core.lib.tn_save) == 0


@pytest.mark.parametrize("before", [0, 1, 5, 8, 9])
def test_a_cut_leaves_the_old_state_or_the_new_one(core: Core, before: int) -> None:
    def prepared() -> None:
        core.new()
        core.lib.tn_store_load()
        for value in range(1, before + 1):
            fill(core, value)
            core.lib.tn_store_save()
        start(core)
        fill(core, 200)

    prepared()
    changes = writes_of(core, core.lib.tn_store_save)
    assert changes == 3
    for at, when in product(range(1, changes + 1), Cut):
        prepared()
        core.cut(at, when)
        core.lib.tn_store_save()
        assert core.dead
        start(core)
        assert filled(core) == (200 if (at, when) == (changes, Cut.AFTER) else before)
        # And it goes on from there, whatever lies about.
        for value in (201, 202):
            fill(core, value)
            core.lib.tn_store_save()
            start(core)
            assert filled(core) == value
        assert core.wrong == ""


@pytest.fixture(scope="module", params=[4, 16, 32])
def other(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Core:
    """The store on a flash with other units; the rest of the core does not know of them."""
    made = tmp_path_factory.mktemp("units") / "core.so"
    files = [f"core/{name}.c" for name in ("store", "flash", "source", "crc")]
    flags = ["-std=c99", "-shared", "-fPIC", "-DTN_TEST_BUILD", f"-DTN_FLASH_UNIT={request.param}u", "-Icore"]
    subprocess.run(["cc", *flags, "-o", made, "ports/test/port.c", *files], check=True, cwd=build.SOURCE)
    return Core(made)


def test_flash_may_be_written_in_other_units(other: Core) -> None:
    other.new()
    other.lib.tn_store_load()
    for value in range(1, 12):
        for at, when in product((1, 2, 3), Cut):
            fill(other, 100 + value)
            other.cut(at, when)
            other.lib.tn_store_save()
            start(other)
            assert filled(other) == (100 + value if (at, when) == (3, Cut.AFTER) else max(value - 1, 0))
        fill(other, value)
        other.lib.tn_store_save()
        start(other)
        assert filled(other) == value
    for number in range(1100):
        record = Record(number % 2, False, False, 0)
        other.lib.tn_boot_save(ctypes.byref(record))
        if number % 37 == 0:
            other.power_on()
        assert boot_record(other) == record.said()
    assert other.wrong == ""


def test_any_part_of_a_torn_record_may_be_there(core: Core) -> None:
    """Flash may have taken any of the bytes of the write in which the power went."""
    core.lib.tn_store_load()
    fill(core, 1)
    core.lib.tn_store_save()
    old = core.flash()
    fill(core, 2)
    core.lib.tn_store_save()
    new = core.flash()
    differ = [at for at in range(len(new)) if old[at] != new[at]]
    head = [at for at in differ if at % core.constants["TN_FLASH_PAGE"] < 16]
    assert head
    for missing in [*head, *differ[16::97]]:
        core.new()
        torn = bytearray(new)
        torn[missing] = 0xFF
        core.flash_load(0, bytes(torn))
        start(core)
        assert filled(core) == 1


def erases_of(core: Core) -> int:
    """Count the pages that were erased, each time anew."""
    pages = core.constants["TN_FLASH_BYTES"] // core.constants["TN_FLASH_PAGE"]
    return sum(core.lib.test_erases(page) for page in range(pages))


def test_erases_are_spread_evenly(core: Core) -> None:
    core.lib.tn_store_load()
    for _ in range(80):
        core.lib.tn_store_save()
    first = core.constants["TN_AT_STATE"] // core.constants["TN_FLASH_PAGE"]
    counts = [core.lib.test_erases(first + page) for page in range(8)]
    assert counts == [10] * 8
    assert erases_of(core) == 80


def test_what_the_maker_wrote_is_apart(core: Core) -> None:
    maker = (ctypes.c_uint8 * 64).in_dll(core.lib, "tn_maker")
    core.lib.tn_store_load()
    fill(core, 7)
    core.lib.tn_store_save()
    for seed in (3, 4, 5):
        ctypes.memset(maker, seed, 32)
        changes = writes_of(core, lambda: core.lib.tn_store_save_factory(ctypes.byref(maker)))
        start(core)
        assert bytes(maker)[:32] == bytes([seed]) * 32
        assert filled(core) == 7
    for at, when in product(range(1, changes + 1), Cut):
        core.cut(at, when)
        ctypes.memset(maker, 6, 32)
        core.lib.tn_store_save_factory(ctypes.byref(maker))
        start(core)
        done = (at, when) == (changes, Cut.AFTER)
        assert bytes(maker)[:32] == bytes([6 if done else 5]) * 32


# Factory-new.


def test_erasing_makes_it_factory_new_whole_or_not_at_all(core: Core) -> None:
    names = core.constants
    maker = (ctypes.c_uint8 * 64).in_dll(core.lib, "tn_maker")
    image, pinned, secret = b"image" * 8, b"root 1" * 8, b"what was said" * 4

    def prepared() -> None:
        core.new()
        core.lib.tn_store_load()
        core.flash_load("TN_AT_SLOTS", image)
        core.flash_load("TN_AT_ROOTS", pinned)
        for place in (
            "TN_AT_NOTICES",
            "TN_AT_JOURNAL",
            "TN_AT_OUTBOX",
            "TN_AT_CATALOGUES",
            "TN_AT_STAGING",
            "TN_AT_PATCH",
        ):
            core.flash_load(place, secret)
        core.flash_load(names["TN_AT_SLOTS"] + names["TN_SLOT_BYTES"], secret)
        ctypes.memset(maker, 9, 32)
        core.lib.tn_store_save_factory(ctypes.byref(maker))
        core.lib.tn_boot_save(ctypes.byref(Record(0, True, False, 1)))
        for value in (1, 2, 3):
            fill(core, value)
            core.lib.tn_store_save()
        start(core)

    prepared()
    changes = writes_of(core, core.lib.tn_store_erase)
    start(core)
    assert filled(core) == 0
    assert secret not in core.flash()
    assert core.lib.tn_boot_select() == 0
    assert core.flash(names["TN_AT_SLOTS"], len(image)) == image
    assert core.flash(names["TN_AT_ROOTS"], len(pinned)) == pinned
    assert bytes(maker)[:32] == bytes([9]) * 32
    for at in (*range(1, 16), changes // 2, changes):
        for when in Cut:
            prepared()
            core.cut(at, when)
            core.lib.tn_store_erase()
            assert core.dead
            start(core)
            assert filled(core) in (0, 3)
            assert (filled(core) == 0) == ((at, when) >= (6, Cut.AFTER))
            assert bytes(maker)[:32] == bytes([9]) * 32
            assert core.wrong == ""


# The door to flash.


@pytest.mark.parametrize("count", [1, 7, 8, 9, 16, 17, 127, 128, 129, 300])
def test_bytes_are_written_to_whole_units(core: Core, count: int) -> None:
    data = bytes(range(1, 251)) * 2
    at = core.constants["TN_AT_STAGING"]
    core.lib.tn_flash_erase(at, core.constants["TN_FLASH_PAGE"])
    assert writes_of(core, lambda: core.lib.tn_flash_write(at, data, count)) == 1
    assert core.flash(at, count + 16) == data[:count] + b"\xff" * 16
    assert writes_of(core, lambda: core.lib.tn_flash_write(at, data, 0)) == 0


@pytest.mark.parametrize("count", [0, 1, 128, 129, 4096, 4097])
@pytest.mark.parametrize("from_flash", [False, True])
def test_a_copy_erases_what_it_needs_and_no_more(core: Core, count: int, from_flash: bool) -> None:
    data = bytes((7 * n) & 0xFF for n in range(count))
    to, page = core.constants["TN_AT_STAGING"], core.constants["TN_FLASH_PAGE"]
    core.flash_load(to, b"old" * 10)
    source = core.in_memory(data)
    if from_flash:
        core.flash_load("TN_AT_SLOTS", data)
        source = core.in_flash("TN_AT_SLOTS", count)
    core.lib.tn_flash_copy(to, source)
    assert core.flash(to, count) == data
    assert erases_of(core) == -(-count // page)


def test_a_dead_device_writes_nothing(core: Core) -> None:
    at = core.constants["TN_AT_STAGING"]
    core.cut(1, Cut.BEFORE)
    core.lib.tn_flash_write(at, b"12345678", 8)
    assert core.dead
    core.lib.tn_flash_write(at, b"12345678", 8)
    core.lib.tn_flash_erase(at, 4096)
    core.lib.port_uart_write(b"late", 4)
    assert core.flash(at, 8) == b"\xff" * 8
    assert core.sent() == b""


def test_the_layout_has_no_holes_and_no_overlaps() -> None:
    names = build.constants()
    ends = {
        "TN_AT_FACTORY": "TN_FACTORY_BYTES",
        "TN_AT_STATE": "TN_STATE_BYTES",
        "TN_AT_JOURNAL": "TN_JOURNAL_BYTES",
        "TN_AT_BOOT": "TN_BOOT_BYTES",
        "TN_AT_ROOTS": "TN_ROOTS_BYTES",
        "TN_AT_CATALOGUES": "TN_CATALOGUES_BYTES",
        "TN_AT_PATCH": "TN_PATCH_AREA",
        "TN_AT_STAGING": "TN_STAGING_BYTES",
        "TN_AT_OUTBOX": "TN_OUTBOX_BYTES",
    }
    places = {name: at for name, at in names.items() if name.startswith("TN_AT_")}
    sizes = {name: names[size] for name, size in ends.items()}
    sizes["TN_AT_NOTICES"] = names["TN_NOTICE_AREA"] * names["TN_NOTICE_AREAS"]
    sizes["TN_AT_NEXT_ROOT"] = names["TN_FLASH_PAGE"]
    sizes["TN_AT_SLOTS"] = 2 * names["TN_SLOT_BYTES"]
    assert set(sizes) == set(places)
    at = 0
    for name in sorted(places, key=places.__getitem__):
        assert places[name] == at, name
        assert at % names["TN_FLASH_PAGE"] == 0
        at += sizes[name]
    assert at == names["TN_FLASH_BYTES"]


def test_the_confirmed_image_stays_in_whichever_slot_it_is(core: Core) -> None:
    names = core.constants
    core.lib.tn_store_load()
    for slot in range(2):
        core.flash_load(names["TN_AT_SLOTS"] + slot * names["TN_SLOT_BYTES"], b"image" * 8)
    core.lib.tn_boot_save(ctypes.byref(Record(1, False, False, 0)))
    core.lib.tn_store_erase()
    assert core.lib.tn_boot_select() == 1
    assert core.flash(names["TN_AT_SLOTS"], 40) == b"\xff" * 40
    assert core.flash(names["TN_AT_SLOTS"] + names["TN_SLOT_BYTES"], 40) == b"image" * 8
