"""``tocsin device report show``: a device that never ran, one that has, offline, and one that is damaged."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from advisories.report import JournalEntry, Report, Want
from device_sim.core.agent import Agent
from device_sim.core.measure import measure, running
from device_sim.home import Home
from gateway.workspace.folder import Workspace
from keys.cbor import decode
from keys.codec import unpack
from tests.cli.conftest import Tocsin, snapshot
from tests.helpers import NOW


@pytest.fixture
def fleet(workspace: Workspace) -> Path:
    return workspace.path


@pytest.fixture
def home(fleet: Path) -> Path:
    return min(each for each in (fleet / "devices").iterdir() if each.is_dir())


def booted(path: Path) -> None:
    """Start a device once, as its shell does, and keep what it would keep."""
    home = Home.open(path)
    agent = Agent(home.profile, home.signer, None, root_1=home.root_1, entropy=bytes(32), now=NOW)
    for effect in agent.booted(0, running(measure(home.read_slot(0))), NOW):
        if hasattr(effect, "state"):
            home.save_state(effect.state)


def test_a_device_that_never_ran_tells_what_it_would_send(tocsin: Tocsin, fleet: Path, home: Path) -> None:
    before = snapshot(fleet)
    ran = tocsin("device", "report", "show", home.name, "--workspace", fleet)
    assert ran.status == 0, ran.err
    for part in (
        home.name,
        "Who this device is",
        "1.4.1",
        "Entries in its life so far: 0",
        "What is not sent",
    ):
        assert part in ran.out
    assert snapshot(fleet) == before


def test_every_member_stands_in_the_json(tocsin: Tocsin, fleet: Path, home: Path) -> None:
    booted(home)
    before = snapshot(fleet)
    ran = tocsin("device", "report", "show", "--home", home, "--json")
    assert ran.status == 0, ran.err
    members = {line["member"] for group in ran.json["told"] for line in group["lines"] if line["member"]}
    wanted = (Report, Want, JournalEntry)
    assert members == {f"{kind.__name__}.{field.name}" for kind in wanted for field in fields(kind)}
    assert ran.json["report"]["journal"][0]["name"] == "boot"
    assert ran.json["device"] == home.name
    assert snapshot(fleet) == before
    # A device without a catalogue would ask for one.
    assert "timestamp/" in ran.out


def test_the_bytes_are_those_of_the_report(tocsin: Tocsin, home: Path) -> None:
    ran = tocsin("device", "report", "show", "--home", home, "--cbor")
    report = unpack(Report, decode(bytes.fromhex(ran.out.strip())))
    assert report.device == home.name
    assert report.installed[:3] == (1, 4, 1)


def test_an_image_that_cannot_be_measured_is_said_so(tocsin: Tocsin, home: Path) -> None:
    (home / "slot-0.bin").write_bytes(b"no image")
    ran = tocsin("device", "report", "show", "--home", home)
    assert (ran.status, "could not be measured" in ran.out) == (0, True)


@pytest.mark.parametrize(
    ("platform", "said"),
    [
        ('platform = "none"\nversion_file = "{path}/version"\n', "2.3.4"),
        ('platform = "none"\nversion_file = "{path}/missing"\n', "could not be measured"),
        ('platform = "none"\n', "could not be measured"),
    ],
)
def test_a_device_with_another_updater(tocsin: Tocsin, home: Path, platform: str, said: str) -> None:
    (home / "version").write_text("2.3.4\n")
    with (home / "device.toml").open("a") as file:
        file.write(platform.format(path=home))
    ran = tocsin("device", "report", "show", "--home", home)
    assert ran.status == 0, ran.err
    assert said in ran.out


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ((), "USAGE"),
        (("x", "--home", "y"), "USAGE"),
        (("nobody",), "NO_DEVICE"),
        (("--home", "/nowhere"), "HOME_DAMAGED"),
    ],
)
def test_what_it_cannot_show(tocsin: Tocsin, fleet: Path, words: tuple[str, ...], code: str) -> None:
    ran = tocsin("device", "report", "show", *words, "--json", "--workspace", fleet)
    assert ran.status != 0
    assert ran.json["error"]["code"] == code


def test_a_damaged_state_is_named(tocsin: Tocsin, home: Path) -> None:
    (home / "state.cbor").write_bytes(b"\x80")
    ran = tocsin("device", "report", "show", "--home", home, "--json")
    assert ran.json["error"]["code"] == "DEVICE_STATE"
    assert str(home) in ran.json["error"]["where"]
