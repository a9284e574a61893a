"""Deltas applied by a process of its own: right ones, wrong ones, and hostile ones."""

from __future__ import annotations

import io
import random
from pathlib import Path

import detools
import pytest
from detools.common import pack_size
from detools.compression.crle import pack_size as pack_count

from advisories.suit import delta as author
from device_sim import delta
from device_sim.core.profile import Profile
from device_sim.core.slots import STAGING
from device_sim.home import Home
from device_sim.platform import SlotPlatform
from keys.reasons import Reason
from tests.helpers import key

BASE = random.Random(1).randbytes(200_000)
NEW = BASE[:90_000] + b"something else" * 300 + BASE[95_000:] + random.Random(2).randbytes(5_000)


class Bench:
    """Files for one delta, and what came out."""

    def __init__(self, folder: Path, base: bytes, patch: bytes) -> None:
        self.base, self.delta = folder / "base", folder / "delta"
        self.base.write_bytes(base)
        self.delta.write_bytes(patch)
        self.out = bytearray()

    def apply(self, size: int, **limits: int) -> Reason:
        return delta.apply(self.base, self.delta, size, self.write, **limits)

    def write(self, offset: int, data: bytes) -> None:
        assert offset == len(self.out)
        self.out += data


def made(compression: str, **options: object) -> bytes:
    out = io.BytesIO()
    detools.create_patch(io.BytesIO(BASE), io.BytesIO(NEW), out, compression=compression, **options)
    return out.getvalue()


@pytest.mark.parametrize("compression", ["crle", "heatshrink"])
def test_an_image_comes_out_as_it_was(tmp_path: Path, compression: str) -> None:
    bench = Bench(tmp_path, BASE, made(compression))
    assert bench.apply(len(NEW)) is Reason.OK
    assert bytes(bench.out) == NEW


GOOD = author.make(BASE, NEW)
CRLE = made("crle")[:1]
"""A header: sequential, run lengths."""


def zeros(count: int) -> bytes:
    """So many zeros in a few bytes, where sizes and adjustments are expected."""
    return CRLE + pack_size(len(NEW)) + b"\x01" + pack_count(count) + b"\x00"


@pytest.mark.parametrize(
    ("patch", "size", "reasons"),
    [
        (b"", len(NEW), {Reason.MALFORMED}),
        (b"\xff" * 100, len(NEW), {Reason.MALFORMED}),
        (GOOD[:-10], len(NEW), {Reason.MALFORMED}),
        (GOOD[:40], len(NEW), {Reason.MALFORMED}),
        (GOOD[:1] + pack_size(len(NEW) + 9) + GOOD[4:], len(NEW), {Reason.MALFORMED, Reason.TOO_BIG}),
        (GOOD, len(NEW) - 1, {Reason.TOO_BIG}),
        (GOOD, len(NEW) + 1, {Reason.MALFORMED}),
        (
            made("crle", patch_type="in-place", memory_size=2**20, segment_size=4_096),
            len(NEW),
            {Reason.MALFORMED},
        ),
        (zeros(2**40), len(NEW), {Reason.MALFORMED}),  # what the library makes of too little memory
        (zeros(2**25), len(NEW), {Reason.OUT_OF_MEMORY}),
    ],
)
def test_what_is_no_delta_gives_a_reason_and_ends(
    tmp_path: Path, patch: bytes, size: int, reasons: set[Reason]
) -> None:
    bench = Bench(tmp_path, BASE, patch)
    assert bench.apply(size, seconds=1) in reasons
    assert len(bench.out) <= size


def test_any_bytes_give_a_reason(tmp_path: Path) -> None:
    dice = random.Random(3)
    for _ in range(4):
        spoilt = bytearray(GOOD)
        for _ in range(3):
            spoilt[dice.randrange(min(60, len(spoilt)))] = dice.randrange(256)
        bench = Bench(tmp_path, BASE, bytes(spoilt))
        reason = bench.apply(len(NEW), seconds=1)
        assert reason is not Reason.OK or len(bench.out) == len(NEW)


def test_another_base_gives_another_image_and_never_more_of_it(tmp_path: Path) -> None:
    bench = Bench(tmp_path, BASE[::-1], GOOD)
    assert bench.apply(len(NEW)) is Reason.OK
    assert len(bench.out) == len(NEW)
    assert bytes(bench.out) != NEW
    missing = Bench(tmp_path, b"", GOOD)
    missing.base.unlink()
    assert missing.apply(len(NEW)) is Reason.MALFORMED


def test_without_the_library_it_is_said_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = tmp_path / "rebuild.py"
    copy.write_text(
        Path(delta.rebuild.__file__).read_text().replace("import detools", "import no_such_module")
    )
    monkeypatch.setattr(delta.rebuild, "__file__", str(copy))
    assert Bench(tmp_path, BASE, GOOD).apply(len(NEW)) is Reason.UNSUPPORTED


def test_a_disk_that_fails_ends_the_work_too(tmp_path: Path) -> None:
    bench = Bench(tmp_path, BASE, GOOD)

    def full(_offset: int, _data: bytes) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        delta.apply(bench.base, bench.delta, len(NEW), full)


def test_a_platform_of_slots_rebuilds_from_the_bank_that_runs(tmp_path: Path) -> None:
    profile = Profile(id="d", product="p", vendor_id=bytes(16), class_id=bytes(16), slot_bytes=1 << 20)
    home = Home.create(tmp_path / "d", profile, key("d"), b"root", BASE, durable=False)
    platform = SlotPlatform(home)
    for slot, data in ((STAGING, GOOD), (1, b"")):
        platform.erase(slot, 0)
        platform.write(slot, 0, 0, data)
    assert platform.apply(0, 1, 0, len(NEW)) is Reason.OK
    assert home.read_slot(1) == NEW
