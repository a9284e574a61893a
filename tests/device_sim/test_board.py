"""What ``device.toml`` says of a board, and what a device imports for it."""

from __future__ import annotations

import subprocess
import sys
import zoneinfo
from pathlib import Path
from typing import Any

import pytest

from device_sim.board import BOARD_KEYS, Board
from device_sim.core.profile import Platform, Window
from device_sim.toml import read_device, write_profile
from keys.errors import InputError

BASE = f'id = "d-1"\nproduct = "thermostat"\nvendor_id = "{"00" * 16}"\nclass_id = "{"11" * 16}"\n'


@pytest.mark.parametrize(
    ("line", "field", "value"),
    [
        ('zone = "UTC"', "zone", None),
        ('zone = "Europe/Vienna"', "zone", zoneinfo.ZoneInfo("Europe/Vienna")),
        ('windows = ["02:00-05:00"]', "windows", (Window(120, 300),)),
        ('windows = ["sat 22:00-06:00"]', "windows", (Window(1_320, 360, frozenset({5})),)),
        ('windows = ["fri-mon 00:00-24:00"]', "windows", (Window(0, 1_440, frozenset({4, 5, 6, 0})),)),
        ("windows = []", "windows", ()),
        ("battery_min = 0", "battery_min", 0),
        ('platform = "none"', "platform", Platform.NONE),
        ('artefacts = "https://gateway.example.com/"', "artefacts", "https://gateway.example.com/"),
    ],
)
def test_an_owner_says_when_and_where(line: str, field: str, value: Any) -> None:
    profile, board = read_device(BASE + line, where="device.toml")
    assert getattr(profile, field) == value or value is None
    assert board == Board()
    assert getattr(read_device(write_profile(profile, board), where="again")[0], field) == getattr(
        profile, field
    )


@pytest.mark.parametrize(
    "line",
    [
        'zone = "Mars/Olympus"',
        'zone = "../../etc/passwd"',
        "zone = 1",
        'windows = "02:00-05:00"',
        'windows = ["2:00-5:00"]',
        'windows = ["24:00-05:00"]',
        'windows = ["02:00-24:01"]',
        'windows = ["any 02:00-05:00"]',
        "battery_min = 101",
        'platform = "docker"',
        'artefacts = "http://gateway.example.com/"',
        'artefacts = "https://"',
        'installer = "rauc"',
        'installer = "/bin/x\\u0000y"',
        "installer_seconds = 0",
        "poll_seconds = 86401",
        "poll_seconds = true",
        'version_command = ""',
        'version_command = "/bin/x \'y"',
        'version_command = ["/bin/x"]',
        'busy_command = "test -e /run/busy"',
        'busy_file = "run/busy"',
        'battery = "../BAT0"',
        'group = ""',
        'broker = ""',
        'broker = "mqtt://x\\n"',
        'display = "\\u001b[2J"',
        'displays = "console"',
    ],
)
def test_what_makes_no_sense_is_refused_with_its_line(line: str) -> None:
    with pytest.raises(InputError) as caught:
        read_device(BASE + line, where="device.toml")
    assert (caught.value.code, caught.value.where) == ("DEVICE_TOML", "device.toml:5")


def test_a_board_is_written_as_it_was_read() -> None:
    board = Board(
        broker="mqtts://broker.example.com",
        poll_seconds=300,
        display="lamp:status",
        installer=Path("/usr/lib/tocsin/with a space"),
        version_command=("/bin/sh", "-c", 'echo "1.4.2"'),
        busy_file=Path("/run/busy"),
        group="owners",
    )
    profile, _ = read_device(BASE, where="device.toml")
    assert read_device(write_profile(profile, board), where="again") == (profile, board)
    assert set(BOARD_KEYS) == set(Board.__dataclass_fields__)


HEAVY = (
    "typer",
    "click",
    "rich",
    "pydantic",
    "sqlalchemy",
    "jinja2",
    "fastapi",
    "luma",
    "PIL",
    "argparse",
    "babel",
)


def test_a_device_imports_nothing_that_it_has_no_use_for() -> None:
    """What it has no use for need not be installed either."""
    program = (
        "import sys\n"
        "import gateway.cli.main, gateway.cli.run, device_sim.main, device_sim.service\n"
        "import device_sim.link, device_sim.http, device_sim.ranges\n"
        f"print(sorted({set(HEAVY)!r} & {{name.partition('.')[0] for name in sys.modules}}))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
