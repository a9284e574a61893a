"""The page about an owner's wishes: what it writes is read, and what it names exists."""

import re
from pathlib import Path

import pytest

from advisories.states import PatchState
from device_sim.core.profile import AutoConsent, Profile
from device_sim.home import Home
from device_sim.toml import read_profile, write_profile
from keys.reasons import Reason
from tests.helpers import key

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "when-a-device-installs.md").read_text(
    encoding="utf-8"
)
MADE = Profile(id="d-1", product="thermostat", vendor_id=bytes(16), class_id=bytes(16))
WISHES = ("languages", "auto_consent", "defer_max", "defer_seconds", "zone", "windows", "battery_min")


def wished() -> str:
    (found,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    names = re.findall(r"^(\w+) =", found, re.MULTILINE)
    assert names == list(WISHES)
    kept = [line for line in write_profile(MADE).splitlines() if line.partition(" ")[0] not in names]
    return "\n".join(kept) + "\n" + found


def test_the_wishes_of_the_page_are_read() -> None:
    profile = read_profile(wished(), where="device.toml")
    assert profile.auto_consent is AutoConsent.URGENT
    assert (profile.languages, str(profile.zone), profile.battery_min) == (("de", "en"), "Europe/Berlin", 30)
    assert [sorted(window.days) for window in profile.windows] == [[0, 1, 2, 3, 4], [5, 6]]
    assert read_profile(write_profile(profile), where="device.toml") == profile


def test_a_reset_puts_them_back_to_what_the_device_was_made_with(tmp_path: Path) -> None:
    home = Home.create(tmp_path / "d-1", MADE, key("d-1"), b"root", b"image")
    (home.path / "device.toml").write_text(wished(), encoding="utf-8")
    assert Home.open(home.path).profile != MADE
    assert Home.open(home.path).forget_wishes() == MADE
    assert Home.open(home.path).profile == MADE


@pytest.mark.parametrize("word", re.findall(r"`([A-Z_]{4,})`", PAGE))
def test_every_state_and_reason_that_it_names_is_one(word: str) -> None:
    assert word in PatchState.__members__ or word in Reason.__members__
