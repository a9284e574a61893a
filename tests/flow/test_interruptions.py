"""Ctrl-C and kill -9 at seeded moments: a restart goes on from the store, and nothing receipted is lost."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from gateway.workspace.folder import Workspace
from tests.flow.invariants import check_nothing_receipted_is_lost, interrupt, no_anomalies, reports, start

DEVICES = 6
MOMENTS = int(os.environ.get("TOCSIN_MOMENTS", "16"))
"""``make chaos`` takes fifty; each takes the demo from its beginning to its end."""
DEMO_SECONDS = (0.3, 9.0)  # from before there is a workspace until most of the story has been played
SERVE_SECONDS = (0.2, 2.5)
SERVING = "Serving"


def outlive(process: subprocess.Popen[bytes], seconds: float) -> bool:
    """Say whether the process was still running after so many seconds."""
    try:
        process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        return True
    return False


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(MOMENTS // 2))
def test_the_demo_goes_on_after_ctrl_c_and_after_kill_9(seed: int, tmp_path: Path) -> None:
    dice = random.Random(f"demo {seed}")
    folder, output = tmp_path / "demo", tmp_path / "output.txt"
    arguments = ("demo", "--devices", str(DEVICES), "--seed", str(seed), "--workspace", folder)
    signals = [signal.SIGINT, signal.SIGKILL]
    dice.shuffle(signals)
    for number in signals:
        process = start(*arguments, output=output)
        if not outlive(process, dice.uniform(*DEMO_SECONDS)):
            assert process.returncode == 0, output.read_text()
            break
        status = interrupt(process, number)
        if number is signal.SIGINT:
            assert status in {0, 130}, output.read_text()
        if (folder / "tocsin.toml").exists() and list(folder.glob("roots/*.cose")):
            check_nothing_receipted_is_lost(folder)
    else:
        process = start(*arguments, output=output)
        assert process.wait(timeout=180) == 0, output.read_text()
    told = output.read_text()
    assert "Traceback" not in told, told
    assert "panicked" not in told, told
    summary = json.loads((folder / "summary.json").read_text())
    assert (summary["devices"], summary["patched"], summary["reverted"]) == (DEVICES, DEVICES - 1, 1)
    assert check_nothing_receipted_is_lost(folder) > 0
    with Workspace.open(folder).store() as store:
        assert no_anomalies(store) == []


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with devices and a published advisory, whose demo was stopped before the patch."""
    folder = tmp_path_factory.mktemp("serve") / "demo"
    output = folder.parent / "setup.txt"
    process = start("demo", "--devices", str(DEVICES), "--workspace", folder, output=output)
    while "forged notice" not in (output.read_text() if output.exists() else ""):
        assert outlive(process, 0.05), output.read_text()
    assert interrupt(process, signal.SIGINT) == 130, output.read_text()
    return folder


def until_served(process: subprocess.Popen[bytes], output: Path, *, times: int) -> None:
    while output.read_text().count(SERVING) < times:
        assert outlive(process, 0.05), output.read_text()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.slow
def test_serve_goes_on_after_ctrl_c_and_after_kill_9(served: Path, tmp_path: Path) -> None:
    dice = random.Random("serve")
    output, port = tmp_path / "serve.txt", free_port()
    broker = f"mqtt://127.0.0.1:{port}"
    serve = ("serve", "--port", str(port), "--workspace", served)
    before = check_nothing_receipted_is_lost(served)
    process = start(*serve, output=output)
    until_served(process, output, times=1)
    known = reports(served)
    fleet = start("fleet", "run", "--broker", broker, "--workspace", served, output=tmp_path / "fleet.txt")
    while reports(served) < known + DEVICES:
        assert outlive(fleet, 0.1) is True, (tmp_path / "fleet.txt").read_text()
    try:
        for _ in range(MOMENTS):
            assert outlive(process, dice.uniform(*SERVE_SECONDS)), output.read_text()
            number = dice.choice([signal.SIGINT, signal.SIGKILL])
            status = interrupt(process, number)
            assert status == (130 if number is signal.SIGINT else -signal.SIGKILL), output.read_text()
            assert fleet.poll() is None, (tmp_path / "fleet.txt").read_text()
            served_before = output.read_text().count(SERVING)
            process = start(*serve, output=output)
        until_served(process, output, times=served_before + 1)
        # A fleet started anew boots every device: each has something to tell, and must get its receipt.
        interrupt(fleet, signal.SIGINT)
        fleet = start(
            "fleet",
            "run",
            "--until-idle",
            "--broker",
            broker,
            "--workspace",
            served,
            output=tmp_path / "f.txt",
        )
        assert fleet.wait(timeout=120) == 0, (tmp_path / "f.txt").read_text()
    finally:
        interrupt(fleet, signal.SIGKILL)
        interrupt(process, signal.SIGINT)
    told = output.read_text()
    assert "Traceback" not in told, told
    assert "panicked" not in told, told
    assert check_nothing_receipted_is_lost(served) > before
    with Workspace.open(served).store() as store:
        assert no_anomalies(store) == []
