"""What the cuts rest on: a device's folder keeps state and boot record old or new, wherever the power fails."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from device_sim.core.profile import Profile
from device_sim.core.slots import confirmed, on_trial
from device_sim.home import Home
from tests.device_sim.core.firmware import CLASS, VENDOR, image
from tests.helpers import DEVICE, PRODUCT, make_fleet
from tests.keys.model.disk import Disk, PowerCutError

FLEET = make_fleet()
OLD_STATE, NEW_STATE = b"old" * 400, b"new and longer" * 300
OLD_BOOT, NEW_BOOT = confirmed(0), on_trial(0, 1)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    profile = Profile(id=DEVICE, product=PRODUCT, vendor_id=VENDOR, class_id=CLASS)
    made = Home.create(tmp_path / "d", profile, FLEET.device(), FLEET.root_document, image())
    made.save_state(OLD_STATE)
    made.save_boot(OLD_BOOT)
    return made


def what_is_stored(home: Home) -> tuple[bytes | None, bytes]:
    """What a device finds there that is switched on again."""
    opened = Home.open(home.path)
    return opened.read_state(), opened.read_boot()


def steps(home: Home, write: Callable[[Home], None]) -> int:
    with (disk := Disk(None)).on():
        write(home)
    return disk.steps


@pytest.mark.parametrize(
    ("write", "new"),
    [
        (lambda home: home.save_state(NEW_STATE), (NEW_STATE, OLD_BOOT)),
        (lambda home: home.save_boot(NEW_BOOT), (OLD_STATE, NEW_BOOT)),
    ],
    ids=["state", "boot record"],
)
def test_a_cut_at_every_step_of_a_write_leaves_the_old_or_the_new_whole(
    home: Home, write: Callable[[Home], None], new: tuple[bytes, bytes]
) -> None:
    old = (OLD_STATE, OLD_BOOT)
    count = steps(home, write)
    assert count >= 6  # open, empty, write, wait, rename, wait
    home.save_state(OLD_STATE)
    home.save_boot(OLD_BOOT)
    met = set()
    for cut in range(count):
        for torn in range(5):
            for lost in (False, True):
                with pytest.raises(PowerCutError), Disk(cut, torn=torn, lost=lost).on():
                    write(home)
                found = what_is_stored(home)
                assert found in {old, new}, (
                    f"cut at step {cut}, {torn} quarters written, renaming lost: {lost}"
                )
                met.add(found == new)
                home.save_state(OLD_STATE)  # and it can be written again
                home.save_boot(OLD_BOOT)
    assert met == {False, True}
    write(home)
    assert what_is_stored(home) == new
