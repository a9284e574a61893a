"""How fast an image goes over a serial link, beside smpclient; what the C device takes. See README.md.

python -m bench.hil [--runs N] [--kib N] [--out FILE]
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import fcntl
import json
import os
import socket
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from random import Random
from statistics import median
from typing import Any

from serial.urlhandler import protocol_socket
from smpclient import SMPClient
from smpclient.transport.serial import SMPSerialTransport

from advisories import mcuboot
from bench import firmware
from bench.measure import Limit, Times, machine, report
from hil.bench.line import Line
from hil.smp.client import SmpClient

LIMITS = (Limit("upload_ratio_smpclient", "our image upload over smpclient's, bytes a second", at_least=1.0),)
WINDOW = 4
START_S = 60.0

Upload = Callable[[str, bytes], float]
"""Sends an image to a board, and returns the seconds it took from first request to last answer."""


class _Socket(protocol_socket.Serial):
    """pyserial's socket as a port that smpclient can poll: it says how many bytes wait."""

    out_waiting = 0

    @property
    def in_waiting(self) -> int:
        """Bytes that wait; pyserial itself says 1 for any number, which would make smpclient slow."""
        return int(struct.unpack("i", fcntl.ioctl(self.fileno(), termios.FIONREAD, bytes(4)))[0])


class _SocketTransport(SMPSerialTransport):
    """smpclient's serial transport over ``socket://``; all but the opening is its own."""

    async def connect(self, address: str, timeout_s: float) -> None:  # noqa: ARG002 - its signature
        port = _Socket(address)
        nodelay = (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        port._socket.setsockopt(*nodelay)  # noqa: SLF001 - each of its lines is a write, and would wait 40 ms
        self._conn = port


def theirs(url: str, image: bytes) -> float:
    async def upload() -> float:
        async with SMPClient(_SocketTransport(), url) as client:  # asks for the board's buffer
            start = time.monotonic()
            async for _ in client.upload(image):
                pass
            return time.monotonic() - start

    return asyncio.run(upload())


@contextlib.contextmanager
def _client(url: str, window: int = 1) -> Iterator[SmpClient]:
    line = Line.open(url)
    try:
        client = SmpClient(line, window=window)
        client.wait_ready(START_S)
        client.learn_buffer()
        yield client
    finally:
        line.close()


def ours(url: str, image: bytes, *, window: int = 1) -> float:
    with _client(url, window) as client:
        start = time.monotonic()
        client.img.upload(image)
        return time.monotonic() - start


def windowed(url: str, image: bytes) -> float:
    return ours(url, image, window=WINDOW)


@contextlib.contextmanager
def board() -> Iterator[str]:
    """Start the simulated device, and yield the URL of its port."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "bench.hil_target", folder]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            try:
                assert process.stdout is not None
                yield process.stdout.readline().strip()
            finally:
                assert process.stdin is not None
                process.stdin.close()


def measure(runs: int, kib: int) -> dict[str, Any]:
    """Return everything that is written, figures first.

    Args:
        runs: uploads by each.
        kib: size of the image in KiB.
    """
    random = Random(1)
    ways: tuple[Upload, ...] = (theirs, ours, windowed)
    seconds: dict[Upload, list[float]] = {way: [] for way in ways}
    with board() as url:
        with _client(url) as client:
            buffer = client.buffer_bytes
        for number in range(runs + 1):
            for way in ways if number % 2 else ways[::-1]:
                image = mcuboot.pack(random.randbytes(kib * 1024), (1, 0, 0, number))
                took = way(url, image)
                if number:  # what is loaded or made once is not the matter here
                    seconds[way].append(took)
    times = Times(tuple(seconds[theirs]), tuple(seconds[ours]))
    figures: dict[str, float] = {"upload_ratio_smpclient": round(times.ratio, 4), **_counted()}
    limits = limits_of(figures)
    return {
        **figures,
        "limits": {one.name: _bound(one) for one in limits},
        "missed": [one.name for one in limits if not one.holds(figures[one.name])],
        "ratio_of_minima": round(times.ratio_of_minima, 4),
        "windowed_ratio": round(Times(times.a, tuple(seconds[windowed])).ratio, 4),
        "window": WINDOW,
        "kib_per_second": {
            name: round(kib / median(seconds[way]), 1)
            for name, way in (("smpclient", theirs), ("tocsin", ours), ("tocsin_windowed", windowed))
        },
        "image_kib": kib,
        "buffer_bytes": buffer,
        "runs": runs,
        "machine": machine("tocsin", "smpclient", "smp", "pyserial", "cbor2"),
    }


def limits_of(figures: Mapping[str, Any]) -> list[Limit]:
    """Return the limits of what was measured."""
    return [one for one in (*LIMITS, *firmware.LIMITS) if one.name in figures]


def _counted() -> Mapping[str, int]:
    """Count what the C device takes, where its tools are; in CI they must be."""
    missing = firmware.missing()
    if missing and os.environ.get("CI") != "true":
        print(f"The C device is not measured: {', '.join(missing)} not installed.")
        return {}
    return firmware.figures()


def _bound(limit: Limit) -> dict[str, float | None]:
    return {"at_most": limit.at_most} if limit.at_least is None else {"at_least": limit.at_least}


def main(arguments: list[str] | None = None) -> int:
    """Measure, print and write; return 1 when a limit is missed."""
    parser = argparse.ArgumentParser(description="Measure image uploads over a serial link.")
    parser.add_argument("--runs", type=int, default=7, help="uploads by each (default 7)")
    parser.add_argument("--kib", type=int, default=64, help="size of the image in KiB (default 64)")
    parser.add_argument("--out", type=Path, default=Path("build/bench/hil.json"), help="where to write")
    options = parser.parse_args(arguments)
    found = measure(options.runs, options.kib)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(found, indent=2) + "\n")
    missed = report(limits_of(found), found)
    for name, speed in found["kib_per_second"].items():
        print(f"  {name:24} {speed:8.1f} KiB/s")
    print(
        f"  with {found['window']} parts under way {found['windowed_ratio']:.2f} times smpclient; "
        f"load average {found['machine']['load_average']}; written to {options.out}"
    )
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
