"""A real device as a process of its own: gateway, broker, TLS, an installer that installs, and an owner at a button."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from gateway.cli import homes
from gateway.operations import status
from gateway.operations.identity import device_ca, devices
from gateway.workspace.folder import Workspace
from keys.algorithms import Algorithm
from tests.cli.conftest import (
    ADVISORY,
    Tocsin,
    template,  # noqa: F401 - a fixture
    tocsin,  # noqa: F401 - a fixture
)
from tests.device_sim.conftest import free_port
from tests.flow.invariants import interrupt
from tests.gateway.brokers import mosquitto_tls

pytestmark = pytest.mark.mosquitto
INSTALLER = Path(__file__).parents[2] / "examples" / "installers" / "script" / "tocsin-installer"
RSS_KB_MAX = 40 * 1_024
"""40 MB, in the unit of /proc."""
ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"},
    "COLUMNS": "100",
    "PYTHONUNBUFFERED": "1",
}
"""Of a device that was installed: its modules are compiled."""


@dataclass
class Running:
    """A process whose output is kept, and the most memory that it was seen to hold, over all its lives."""

    process: subprocess.Popen[bytes]
    output: Path
    rss_kb: int = field(default=0)

    @property
    def told(self) -> str:
        return self.output.read_text(encoding="utf-8")

    def until(self, done: Callable[[], bool]) -> None:
        """Wait; the limit is only for a hang."""
        end = time.monotonic() + 90
        while not done():
            assert self.process.poll() is None, self.told
            assert time.monotonic() < end, self.told
            self.rss_kb = max(self.rss_kb, high_water(self.process.pid))
            time.sleep(0.03)

    def until_told(self, *words: str) -> None:
        self.until(lambda: all(word in self.told for word in words))


def high_water(process: int) -> int:
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next((int(line.split()[1]) for line in lines if line.startswith("VmHWM")), 0)


def start(*arguments: str | Path, output: Path, **environment: str) -> Running:
    with output.open("ab") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "gateway.cli.main", *map(str, arguments)],
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
            env={**ENVIRONMENT, **environment},
            start_new_session=True,
        )
    return Running(process, output)


def ran(*arguments: str | Path) -> dict[str, Any]:
    """Run one short command of the owner's; its answer."""
    command = [sys.executable, "-m", "gateway.cli.main", *map(str, arguments), "--json"]
    done = subprocess.run(command, capture_output=True, env=ENVIRONMENT, timeout=60, check=False)
    return dict(json.loads(done.stdout), status=done.returncode)


@pytest.fixture(scope="module")
def certified(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:  # noqa: F811 - the fixture
    """A workspace whose gateway, broker and devices have certificates, with a notice for everybody."""
    path = tmp_path_factory.mktemp("certified") / "fleet"
    shutil.copytree(template, path)
    workspace = Workspace.open(path)
    now = int(time.time())
    ca = device_ca.new(workspace, passphrase=b"", algorithm=Algorithm.ESP256, days=30, now=now)
    device_ca.issue_gateway(workspace, ca, now=now)
    device_ca.issue_broker(workspace, ca, ["127.0.0.1"], now=now)
    for one in device_ca.issue(workspace, ca, homes.names(workspace), now=now):
        homes.give_certificate(workspace, homes.open_home(workspace, one.name), one)
    for entry in (path / "products.toml", *path.glob("devices/*/device.toml")):
        entry.write_text(entry.read_text().replace("slot_bytes = 65536", "slot_bytes = 4194304"))
    with (path / "tocsin.toml").open("a") as settings:
        settings.write('https_certificate = "tls/broker.pem"\nhttps_key = "keys/tls-broker.pem"\n')
    return path


@dataclass(frozen=True)
class Scene:
    workspace: Workspace
    broker: str
    gateway: str
    serve: Running


@pytest.fixture
def scene(certified: Path, tmp_path: Path) -> Iterator[Scene]:
    shutil.copytree(certified, tmp_path / "fleet")
    workspace = Workspace.open(tmp_path / "fleet")
    port = free_port()
    with mosquitto_tls(tmp_path / "broker", workspace.path) as broker:
        serve = start(
            *("serve", "--broker", broker, "--http", str(port), "-w", workspace.path),
            output=tmp_path / "serve.txt",
        )
        try:
            serve.until_told("Serving")
            yield Scene(workspace, broker, f"https://127.0.0.1:{port}", serve)
        finally:
            interrupt(serve.process, signal.SIGINT)


def make_real(scene: Scene, folder: Path, *lines: str) -> Path:
    """Take a device of the workspace to a folder of its own, without banks, as a maker's image would have it."""
    device = next(row.id for row in devices.rows(scene.workspace) if row.product == "thermostat")
    home = folder / "home"
    shutil.copytree(scene.workspace.path / "devices" / device, home)
    for name in ("boot.cbor", "slot-0.bin", "slot-1.bin", "made.toml"):
        (home / name).unlink(missing_ok=True)
    with (home / "device.toml").open("a") as settings:
        settings.write("".join(f"{line}\n" for line in lines))
    return home


def make_banks(folder: Path) -> Path:
    bank = folder / "ab" / "slot-0"
    bank.mkdir(parents=True)
    (bank / "VERSION").write_text("1.4.1\n")
    (folder / "ab" / "current").symlink_to("slot-0")
    return folder / "ab"


def publish(tocsin: Tocsin, workspace: Workspace) -> None:  # noqa: F811 - the fixture
    here = ("-w", workspace.path, "--json")
    for role in ("engineering", "legal", "communications"):
        assert tocsin("advisory", "approve", ADVISORY, "--key", role, "--yes", *here).status == 0
    assert tocsin("advisory", "publish", ADVISORY, *here).status == 0


def offer(tocsin: Tocsin, workspace: Workspace, folder: Path) -> None:  # noqa: F811 - the fixture
    """Make, sign, publish and offer a patch: an archive whose payload is larger than a block on MQTT."""
    here = ("-w", workspace.path, "--json")
    (folder / "app").mkdir()
    (folder / "app" / "VERSION").write_text("1.4.2\n")
    (folder / "app" / "program").write_bytes(os.urandom(400_000))
    subprocess.run(["tar", "-cf", folder / "app.tar", "-C", folder / "app", "."], check=True)
    made = tocsin(
        *("patch", "add", "--product", "thermostat", "--image", folder / "app.tar", "--version", "1.4.2"),
        *("--text", "en=It closes the weakness.", *here),
    )
    assert made.status == 0, made.out
    for role in ("release", "security"):
        assert tocsin("patch", "approve", "thermostat@1.4.2", "--key", role, "--yes", *here).status == 0
    assert tocsin("patch", "publish", "thermostat@1.4.2", *here).status == 0
    begun = tocsin("rollout", "start", "--patch", "thermostat@1.4.2", "--groups", "100", *here)
    assert begun.status == 0, begun.out


@pytest.mark.slow
@pytest.mark.parametrize("way", ["broker", "gateway"])
def test_a_real_device_shows_asks_installs_restarts_and_reports(
    scene: Scene,
    way: str,
    tocsin: Tocsin,  # noqa: F811 - the fixture
    tmp_path: Path,
) -> None:
    ab = make_banks(tmp_path)
    home = make_real(
        scene,
        tmp_path,
        'platform = "installer"',
        f'installer = "{INSTALLER}"',
        f'artefacts = "{scene.gateway}"',
        f'{way} = "{getattr(scene, way)}"',
        "poll_seconds = 1",
        'display = "console"',
    )
    command = ("device", "run", "--home", home)
    warm = start(*command, "--for", "0", output=tmp_path / "warm.txt", TOCSIN_AB=str(ab))
    assert warm.process.wait(60) == 0, warm.told
    publish(tocsin, scene.workspace)
    device = start(*command, output=tmp_path / "device.txt", TOCSIN_AB=str(ab))
    try:
        device.until_told("[connected]", f"[shown] {ADVISORY}")
        assert ran("device", "answer", "yes", "--home", home)["error"]["code"] == "NO_QUESTION"
        assert ran("device", "acknowledge", "--home", home)["acknowledged"] == [ADVISORY]
        offer(tocsin, scene.workspace, tmp_path)
        device.until_told("[asked] 1.4.2")
        # It is drawn once the device has also kept and reported that it asks.
        device.until(lambda: "Install version 1.4.2 now?" in (home / "console.txt").read_text())
        screen = (home / "console.txt").read_text()
        assert "It closes the weakness." in screen
        assert ADVISORY in screen
        wrong = ran("device", "answer", "yes", "--question", "00" * 32, "--home", home)
        assert (wrong["error"]["code"], wrong["status"]) == ("QUESTION_CHANGED", 2)
        asked = ran("device", "status", "--home", home)["question"]
        assert (
            ran("device", "answer", "yes", "--question", asked["question"], "--home", home)["version"]
            == "1.4.2"
        )
        device.until_told(
            "[installer] install: OK", "[restart]", "[booted] slot 1", "[installer] confirm: OK"
        )
        assert (ab / "current" / "VERSION").read_text() == "1.4.2\n"
        seen = ran("device", "status", "--home", home)
        assert (seen["installed"], seen["patch"]["state"]) == ("1.4.2", "SUCCEEDED")
        device.until(lambda: status.status(scene.workspace).patches[0].patched == 1)
    finally:
        interrupt(device.process, signal.SIGTERM)
    assert device.process.returncode == 0, device.told
    assert device.told.splitlines()[-1] == "[stopped]"
    assert not (home / "control.sock").exists()
    assert 20_000 < device.rss_kb <= RSS_KB_MAX, device.rss_kb
    assert "PRIVATE" not in device.told
