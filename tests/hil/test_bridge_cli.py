"""``hil bridge`` as a person or a script calls it, and the page about it, word for word."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gateway.service.broker import DemoBroker
from tests.flow.invariants import ENVIRONMENT, TOCSIN
from tests.hil.bridge_scene import LIMIT_S, make_workspace, publish_advisory
from tests.pages import ROOT, followed

PAGE = ROOT / "docs" / "how-to" / "bridge-a-board.md"
HIL = (sys.executable, "-c", "from gateway.cli.main import bench; bench()")


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """A folder with a board file, whose board is there; and the board's id."""
    folder = tmp_path_factory.mktemp("desk")
    member = make_workspace(folder / "workspace")
    (folder / "hil-boards.toml").write_text('[board.desk]\nlink = { url = "line" }\n')
    command = [*TOCSIN, "device", "run", member.id, "--serial", f"pty:{folder}/line"]
    device = subprocess.Popen(
        [*command, "--workspace", str(folder / "workspace")],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
    )
    try:
        assert device.stdout is not None
        assert device.stdout.readline().startswith(b"serial port: ")
        yield folder, member.id
    finally:
        device.terminate()
        device.wait(LIMIT_S)
        device.stdout.close()


def environment(folder: Path) -> dict[str, str]:
    return {**ENVIRONMENT, "XDG_RUNTIME_DIR": str(folder)}


def hil(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*HIL, *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        env=environment(folder),
        cwd=folder,
        check=False,
    )


@contextmanager
def bridging(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A bridge that has told its board that the carrier is up."""
    process = subprocess.Popen(
        [*HIL, "bridge", "desk", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment(folder),
        cwd=folder,
        start_new_session=True,
    )
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("carrier"):
                break
        else:
            pytest.fail("the bridge ended")
        yield process
    finally:
        process.kill()
        process.wait(LIMIT_S)
        assert process.stdout is not None
        process.stdout.close()


def test_it_counts_what_passed_in_one_object(desk: tuple[Path, str]) -> None:
    folder, device = desk
    with DemoBroker() as broker:
        done = hil(folder, "bridge", "desk", "--broker", broker.url, "--for", "1", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout)
    assert (told["board"], told["device"], told["boots"]) == ("desk", device, 1)
    assert told["to_broker"]["messages"] >= 2  # that it is online, and a report
    assert told["to_broker"]["bytes"] > 100
    assert told["to_board"] == {"messages": 0, "bytes": 0, "verdicts": {}}
    assert told["seconds"] >= 1


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_it_ends_clean_when_asked_to(number: signal.Signals, status: int, desk: tuple[Path, str]) -> None:
    folder, device = desk
    with DemoBroker() as broker, bridging(folder, "--broker", broker.url) as process:
        process.send_signal(number)
        out, _ = process.communicate(timeout=LIMIT_S)
        assert process.returncode == status, out
    assert "Traceback" not in out
    assert "broker      closed" in out
    assert (f"Bridged {device}" in out) is (number is signal.SIGTERM)


def test_the_board_is_held_and_free_after_kill_9(desk: tuple[Path, str]) -> None:
    folder, _ = desk
    with DemoBroker() as broker:
        with bridging(folder, "--broker", broker.url) as process:
            refused = hil(folder, "bridge", "desk", "--broker", broker.url)
            assert refused.returncode == 3, refused.stderr
            assert f"pid {process.pid}" in refused.stderr
            assert "hil bridge desk" in refused.stderr
            process.kill()
            process.wait(LIMIT_S)
        again = hil(folder, "bridge", "desk", "--broker", broker.url, "--for", "0.5", "--json")
        assert again.returncode == 0, again.stderr


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        (("desk",), 2, "--broker"),
        (("desk", "--broker", "http://exercise:hidden@127.0.0.1"), 2, "mqtt://HOST:PORT"),
        (("desk", "--broker", "mqtt://exercise:hidden@127.0.0.1:9"), 3, "127.0.0.1:9"),
        (("desk", "--broker", "mqtts://127.0.0.1:9", "--ca", "missing.pem"), 2, "missing.pem"),
        (("nobody", "--broker", "mqtt://127.0.0.1:9"), 2, "There is no board 'nobody'"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(
    arguments: tuple[str, ...], status: int, told: str, desk: tuple[Path, str]
) -> None:
    done = hil(desk[0], "bridge", *arguments)
    assert done.returncode == status, done.stdout + done.stderr
    assert told in done.stderr
    assert "hidden" not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_every_command_of_the_page_prints_what_it_says(tmp_path: Path) -> None:
    make_workspace(tmp_path / "fleet")
    publish_advisory(tmp_path / "fleet")
    with followed(PAGE, tmp_path, steps_min=6):
        pass
