"""The whole flow against real brokers, judged by what it leaves behind, and its refusals."""

from __future__ import annotations

import io
import json
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from PIL import Image
from rich.console import Console

from gateway.cli.demo import _close
from gateway.cli.demo.cast import DEVICES_MIN, Trouble, demanded, draw
from gateway.cli.demo.measure import look
from gateway.cli.demo.screen import Screen
from gateway.cli.demo.stage import prepare
from gateway.core.rollout import assign
from tests.flow.invariants import ENVIRONMENT, TOCSIN, check_nothing_receipted_is_lost
from tests.gateway.brokers import mosquitto

Broker = Callable[[Path], AbstractContextManager[tuple[str, ...]]]


def tocsin(*arguments: str | Path, seconds: float = 180) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*TOCSIN, *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=seconds,
        env=ENVIRONMENT,
        check=False,
    )


@contextmanager
def in_process(_folder: Path) -> Iterator[tuple[str, ...]]:
    yield ()


@contextmanager
def given(folder: Path) -> Iterator[tuple[str, ...]]:
    with mosquitto(folder) as url:
        yield ("--broker", url)


@pytest.mark.slow
@pytest.mark.parametrize(
    "broker", [in_process, pytest.param(given, marks=pytest.mark.mosquitto)], ids=["in process", "mosquitto"]
)
def test_the_whole_flow(broker: Broker, tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    (tmp_path / "broker").mkdir()
    with broker(tmp_path / "broker") as option:
        done = tocsin("demo", "--devices", "20", "--seed", "7", *option, "--workspace", folder)
        assert done.returncode == 0, done.stdout + done.stderr
        summary = json.loads((folder / "summary.json").read_text())
        assert summary.pop("seconds").keys() == {"publish_to_shown_p50", "publish_to_shown_p99", "total"}
        online_thermostats = sum(
            member.product == "thermostat" and member.trouble is not Trouble.OFFLINE for member in draw(20, 7)
        )
        assert summary == {
            "devices": 20,
            "verified": 20,
            "shown": 18,
            "acknowledged": 18,
            "patched": 17,
            "reverted": 1,
            "refused": {
                "DIGEST_MISMATCH": 1,
                "REPLAYED": online_thermostats,
                "THRESHOLD_NOT_MET": 19 - online_thermostats,
                "UNKNOWN_KEY": online_thermostats,
            },
        }
        for language, word in (("en", "drill"), ("de", "Übung"), ("ja", "訓練")):
            console = (folder / "screens" / language / "console.txt").read_text(encoding="utf-8")
            assert "EX-2026-0001" in console
            assert word in console
        with Image.open(folder / "screens" / "en" / "screen-1.png") as page:
            assert page.size == (128, 64)
        assert check_nothing_receipted_is_lost(folder) > 100
        for told in (
            "forged notice",
            "without Legal",
            "old catalogue",
            "damaged block",
            "self-test",
            "offline",
        ):
            assert told in done.stdout
        # Again in the same folder and on the same broker: made anew, and nothing of the first run disturbs it.
        again = tocsin("demo", "--devices", "6", *option, "--workspace", folder, "--json")
        assert again.returncode == 0, again.stdout + again.stderr
        assert json.loads(again.stdout)["devices"] == 6


def test_the_same_seed_draws_the_same_cast_and_trouble_waits_for_the_second_group() -> None:
    for devices in (DEVICES_MIN, 7, 12, 100, 1000):
        for seed in range(20):
            cast = draw(devices, seed)
            assert cast == draw(devices, seed)
            assert len({member.id for member in cast}) == devices
            troubled = [member for member in cast if member.trouble is not Trouble.NONE]
            assert {member.trouble for member in troubled} == set(Trouble) - {Trouble.NONE}
            for member in troubled:
                mine = [other.id for other in cast if other.product == member.product]
                version = "1.4.2" if member.product == "thermostat" else "2.3.0"
                assert assign(f"{member.product}-{version}", mine, (20, 80))[member.id] == 1
                assert member.affected
    assert draw(12, 1) != draw(12, 2)


def test_what_is_demanded_follows_from_the_cast() -> None:
    wanted = demanded(draw(100, 1))
    assert (wanted.devices, wanted.verified, wanted.shown, wanted.patched) == (100, 100, 90, 89)
    assert sum(wanted.refused.values()) == 1 + 99 + wanted.refused["REPLAYED"]


def _foreign_folder(folder: Path) -> None:
    folder.mkdir()
    (folder / "thesis.txt").write_text("years of work")


def _foreign_note(folder: Path) -> None:
    _foreign_folder(folder)
    (folder / ".tocsin-demo.json").write_text('{"made_by": "somebody else"}')


def _a_file(folder: Path) -> None:
    folder.write_text("a file")


def _unfinished(folder: Path) -> None:
    folder.mkdir()
    (folder / ".tocsin-demo.json").write_text(
        '{"made_by": "tocsin demo", "devices": 6, "seed": 9, "ready": true}'
    )


@pytest.mark.parametrize(
    ("prepare", "arguments", "status", "told"),
    [
        (_foreign_folder, (), 2, "not a folder of the demo"),
        (_foreign_note, (), 2, "not a folder of the demo"),
        (_a_file, (), 2, "not a folder of the demo"),
        (_unfinished, ("--seed", "1"), 2, "6 devices, seed 9"),
        (None, ("--devices", "5"), 2, "--devices"),
        (None, ("--devices", "many"), 2, "--devices"),
        (None, ("--broker", "mqtt://127.0.0.1:9"), 4, "127.0.0.1:9"),
        (None, ("--broker", "http://127.0.0.1"), 2, "mqtt://HOST:PORT"),
    ],
    ids=[
        "folder of somebody else",
        "a note of somebody else",
        "a file",
        "unfinished demo",
        "too few",
        "no number",
        "no broker",
        "no MQTT",
    ],
)
def test_what_cannot_be_is_said_in_one_sentence(
    prepare: Callable[[Path], None] | None,
    arguments: tuple[str, ...],
    status: int,
    told: str,
    tmp_path: Path,
) -> None:
    folder = tmp_path / "demo"
    if prepare is not None:
        prepare(folder)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    done = tocsin("demo", "--devices", "6", "--workspace", folder, *arguments)
    assert done.returncode == status, done.stdout + done.stderr
    assert told in done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert len(done.stderr.strip().splitlines()) <= 2
    for path, content in before.items():
        assert path.read_bytes() == content


def test_a_device_whose_folder_is_damaged_ends_the_demo_with_its_name(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    stage_only = tocsin("demo", "--devices", "6", "--broker", "mqtt://127.0.0.1:9", "--workspace", folder)
    assert stage_only.returncode == 4
    victim = min((folder / "devices").glob("*/device.toml"))
    victim.write_text("nonsense")
    done = tocsin("demo", "--devices", "6", "--workspace", folder)
    assert done.returncode == 2, done.stderr
    assert victim.parent.name in done.stderr
    assert "Traceback" not in done.stderr


def test_numbers_that_differ_from_the_scenario_end_with_1(tmp_path: Path) -> None:
    """A store in which nobody has reported is not what the scenario demands: the demo says so, and no."""
    stage = prepare(tmp_path / "demo", 6, 1, int(time.time()))
    with stage.workspace.store() as store:
        played = look(store)
    told = io.StringIO()
    screen = Screen(Console(file=told, width=100))
    assert _close(stage, screen, played, time.monotonic(), as_json=False) == 1
    assert "NO" in told.getvalue()
    summary = json.loads((tmp_path / "demo" / "summary.json").read_text())
    assert (summary["devices"], summary["shown"], summary["refused"]) == (0, 0, {})
