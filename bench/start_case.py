"""How long a real device takes to start, and how much memory it has taken at most."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from advisories import mcuboot, suit
from bench.cases import GaveWayError
from device_sim.core.profile import Profile
from device_sim.home import Home
from tests import helpers

_SECONDS_MAX = 30.0
_NOWHERE = "mqtt://127.0.0.1:9"  # discard: nobody listens, as on a device that is not reached yet


def starts(times: int) -> dict[str, float]:
    """Start a device several times, with no gateway in reach.

    Returns:
        The median seconds from its start to READY=1 (sd_notify), and the greatest VmHWM in MB.
    """
    with tempfile.TemporaryDirectory() as name:
        home = _home(Path(name) / "device")
        found = [_start(home, Path(name) / "notify") for _ in range(times)]
    return {
        "start_s": round(median(seconds for seconds, _ in found), 3),
        "peak_mb": round(max(peak for _, peak in found), 1),
    }


def _home(folder: Path) -> Path:
    vendor, class_id = suit.identifiers("example.com", helpers.PRODUCT)
    profile = Profile(id=helpers.DEVICE, product=helpers.PRODUCT, vendor_id=vendor, class_id=class_id)
    image = mcuboot.pack(b"what runs", (1, 4, 1, 0))
    root = helpers.make_fleet().root_document
    Home.create(folder, profile, helpers.key(helpers.DEVICE), root, image)
    return folder


def _start(home: Path, address: Path) -> tuple[float, float]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
        told.bind(str(address))
        told.settimeout(_SECONDS_MAX)
        begin = time.perf_counter()
        words = [
            Path(sys.executable).parent / "tocsin",
            "device",
            "run",
            "--home",
            home,
            "--broker",
            _NOWHERE,
        ]
        with subprocess.Popen(
            words,
            env={**os.environ, "NOTIFY_SOCKET": str(address)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as device:
            try:
                while b"READY=1" not in told.recv(4_096):
                    pass
                seconds = time.perf_counter() - begin
                status = Path(f"/proc/{device.pid}/status").read_text()
            except TimeoutError:
                raise GaveWayError from None
            finally:
                device.send_signal(signal.SIGTERM)
    address.unlink()
    peak = next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))
    return seconds, int(peak) / 1_000
