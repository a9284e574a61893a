"""A workspace whose device CA vouches for all, and Mosquitto with our configuration, or a worse one."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from gateway.cli import homes
from gateway.operations import broker
from gateway.operations.identity import device_ca
from gateway.service import tls
from gateway.service.asking.visitor import Door, Visitor
from gateway.service.broker import mosquitto
from gateway.workspace.folder import Workspace
from keys.algorithms import Algorithm
from tests.cli.conftest import no_passphrase
from tests.gateway.brokers import MOSQUITTO


def certified(template: Path, path: Path) -> Workspace:
    """Copy a workspace and give certificates to gateway, broker and all devices."""
    shutil.copytree(template, path)
    workspace, now = Workspace.open(path), int(time.time())
    ca = device_ca.new(workspace, passphrase=b"", algorithm=Algorithm.ESP256, days=30, now=now)
    device_ca.issue_gateway(workspace, ca, now=now)
    device_ca.issue_broker(workspace, ca, ["127.0.0.1"], now=now)
    for one in device_ca.issue(workspace, ca, homes.names(workspace), now=now):
        homes.give_certificate(workspace, homes.open_home(workspace, one.name), one)
    return workspace


@dataclass
class Running:
    """A broker that runs."""

    workspace: Workspace
    folder: Path
    plan: mosquitto.Plan
    process: subprocess.Popen[bytes]

    @property
    def gateways(self) -> Door:
        """Where gateways come in, as one."""
        url = f"mqtts://127.0.0.1:{self.plan.gateways.port}"
        return Door(url, tls.context_for(self.workspace, url))

    @property
    def devices_url(self) -> str:
        """Where devices come in."""
        return f"mqtts://127.0.0.1:{self.plan.devices.port}"

    def pair(self, device: str) -> tuple[Path, Path]:
        """Certificate and key of a device."""
        home = self.workspace.path / "devices" / device
        return home / "cert.pem", home / "key.pem"

    def door(self, device: str, *, inner: bool = False) -> Door:
        """Where devices come in, or at the gateways' door, as one of them."""
        files = tls.TlsFiles(self.workspace.path / "tls" / "ca.pem", *self.pair(device))
        return Door(self.gateways.url if inner else self.devices_url, tls.client_context(files))

    def visit(self, device: str, **options: int) -> Visitor:
        """Return a connection of a device."""
        return Visitor(self.door(device), device, **options)  # type: ignore[arg-type]

    def watch(self, name: str = "watch", **options: int) -> Visitor:
        """Return a connection of a gateway."""
        return Visitor(self.gateways, name, **options)  # type: ignore[arg-type]

    def again(self, *, kill: int = signal.SIGTERM) -> None:
        """End it, and start it from the same folder."""
        self.process.send_signal(kill)
        self.process.wait(10)
        self.process = start(self.folder, self.plan)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def plan_of(workspace: Workspace, folder: Path) -> mosquitto.Plan:
    """Return a plan with free ports, for whoever runs the tests."""
    listeners = [mosquitto.Listener("127.0.0.1", free_port()) for _ in range(2)]
    user = pwd.getpwuid(os.geteuid()).pw_name
    return mosquitto.Plan(folder, workspace.settings.prefix, *listeners, user=user, crl=True)


def start(folder: Path, plan: mosquitto.Plan) -> subprocess.Popen[bytes]:
    """Start Mosquitto and wait until it listens."""
    process = subprocess.Popen(mosquitto.ready(folder), stderr=subprocess.DEVNULL)
    await_listening(process, plan)
    return process


def await_listening(process: subprocess.Popen[bytes], plan: mosquitto.Plan) -> None:
    """Wait until a broker listens; the limit is only for a hang."""
    end = time.monotonic() + 20
    for port in (plan.devices.port, plan.gateways.port):
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                assert process.poll() is None, "the broker ended"
                assert time.monotonic() < end, "the broker does not listen"
                time.sleep(0.02)


@contextmanager
def running(
    workspace: Workspace, folder: Path, worsened: Callable[[str], str] = lambda text: text
) -> Iterator[Running]:
    """Run Mosquitto with our configuration, or one that somebody changed."""
    if MOSQUITTO is None:
        if os.environ.get("CI") == "true":
            pytest.fail("CI needs the mosquitto program (apt-get install mosquitto)")
        pytest.skip("the mosquitto program is not installed (apt-get install mosquitto)")
    plan = plan_of(workspace, folder)
    broker.write_mosquitto(workspace, plan, folder, dry_run=False)
    config = folder / mosquitto.CONFIG
    config.write_text(worsened(config.read_text()))
    found = Running(workspace, folder, plan, start(folder, plan))
    try:
        yield found
    finally:
        found.process.terminate()
        assert found.process.wait(10) == 0


def name_of(workspace: Workspace, index: int) -> str:
    """Return the id of a device."""
    return homes.names(workspace)[index]


__all__ = ["Running", "certified", "free_port", "name_of", "no_passphrase", "plan_of", "running", "start"]
