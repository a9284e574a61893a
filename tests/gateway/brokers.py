"""Real brokers for tests: iotcore always, Mosquitto where it is installed (and always in CI)."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gateway.service.broker import DemoBroker

MOSQUITTO = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


@contextmanager
def mosquitto(folder: Path) -> Iterator[str]:
    if MOSQUITTO is None:
        if os.environ.get("CI") == "true":
            pytest.fail("CI needs the mosquitto program (apt-get install mosquitto)")
        pytest.skip("the mosquitto program is not installed (apt-get install mosquitto)")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config = folder / "mosquitto.conf"
    config.write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay true\n"
        "max_inflight_messages 200\nmax_queued_messages 10000\npersistence false\n"
    )
    process = subprocess.Popen([MOSQUITTO, "-c", str(config)], stderr=subprocess.DEVNULL)
    try:
        asyncio.run(_until_open(port))
        yield f"mqtt://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


async def _until_open(port: int) -> None:
    async with asyncio.timeout(10):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.02)
                continue
            writer.close()
            await writer.wait_closed()
            return


@contextmanager
def iotcore(folder: Path) -> Iterator[str]:
    with DemoBroker(folder) as broker:
        yield broker.url


BROKERS = [
    pytest.param(iotcore, id="iotcore"),
    pytest.param(mosquitto, id="mosquitto", marks=pytest.mark.mosquitto),
]
