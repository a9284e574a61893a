"""Real brokers for tests: iotcore always, Mosquitto where it is installed (and always in CI)."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gateway.core import acl
from gateway.service.broker import DemoBroker

MOSQUITTO = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


_PLAIN = "allow_anonymous true"


@contextmanager
def mosquitto_tls(folder: Path, workspace: Path, *, prefix: str = "tocsin/v1") -> Iterator[str]:
    """Mosquitto that lets in whom the workspace's device CA vouches for, each to its own topics."""
    folder.mkdir(exist_ok=True)
    (folder / "acl").write_text(acl.mosquitto(prefix))
    lines = (
        "user root\nallow_anonymous false\nrequire_certificate true\nuse_identity_as_username true\n"
        f"tls_version tlsv1.3\ncafile {workspace}/tls/ca.pem\ncrlfile {workspace}/tls/crl.pem\n"
        f"certfile {workspace}/tls/broker.pem\nkeyfile {workspace}/keys/tls-broker.pem\n"
        f"acl_file {folder}/acl"
    )
    with mosquitto(folder, lines) as url:
        yield url.replace("mqtt:", "mqtts:")


@contextmanager
def mosquitto(folder: Path, lines: str = _PLAIN, *, port: int = 0) -> Iterator[str]:
    if MOSQUITTO is None:
        if os.environ.get("CI") == "true":
            pytest.fail("CI needs the mosquitto program (apt-get install mosquitto)")
        pytest.skip("the mosquitto program is not installed (apt-get install mosquitto)")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = port or probe.getsockname()[1]
    config = folder / "mosquitto.conf"
    config.write_text(
        f"listener {port} 127.0.0.1\n{lines}\nset_tcp_nodelay true\n"
        "max_inflight_messages 200\nmax_queued_messages 10000\npersistence false\n"
    )
    process = subprocess.Popen([MOSQUITTO, "-c", str(config)], stderr=subprocess.DEVNULL)
    try:
        _until_open(port)
        yield f"mqtt://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


def _until_open(port: int) -> None:
    """Wait for the listener, also while an event loop runs here; the limit is only for a hang."""
    end = time.monotonic() + 10
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            assert time.monotonic() < end, "the broker does not listen"
            time.sleep(0.02)
        else:
            return


@contextmanager
def iotcore(folder: Path) -> Iterator[str]:
    with DemoBroker(folder) as broker:
        yield broker.url


BROKERS = [
    pytest.param(iotcore, id="iotcore"),
    pytest.param(mosquitto, id="mosquitto", marks=pytest.mark.mosquitto),
]
