"""The devices of this repository as boards: a board file for each, as a person would write it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hil.conformance.fleet import NOW
from tests.flow.invariants import TOCSIN
from tests.hil.bridge_scene import make_workspace
from tests.hil.refdevice import build as refdevice

LIMIT_S = 600.0
PYTHON_SUBSETS = ("suit.conditions", "suit.try-each", "suit.integrated", "suit.delta", "suit.set-version")


def python(folder: Path) -> str:
    """The simulated device, as its command makes a board of it."""
    workspace = folder / "fleet"
    member = make_workspace(workspace)
    words = (
        "device",
        "run",
        member.id,
        "--serial",
        "pty:{pty}",
        "--workspace",
        str(workspace),
        "--test-build",
    )
    return f"""
[board.python]
class = "simulated"
tags = {json.dumps(PYTHON_SUBSETS)}
boot = {{ timeout_s = 60, banner = "^tocsin: boot " }}
spawn = {{ driver = "process", command = {json.dumps([*map(str, TOCSIN), *words])}, serial = ["pty"] }}
destructive = true
"""


def needed(program: str, package: str) -> None:
    """Skip the test where a program is missing; fail it where CI is true."""
    if shutil.which(program) is None:
        told = f"{program} is not installed (Debian: apt-get install {package})"
        if os.environ.get("CI") == "true":
            pytest.fail(told)
        pytest.skip(told)


def spawned(name: str, *words: str) -> str:
    """A board that is a program on a TCP port, with what every C device declares: nothing but Ed25519 and one image."""
    return f"""
[board.{name}]
class = "refdevice"
boot = {{ timeout_s = 30, banner = "^tocsin: (ready|boot|waits)" }}
spawn = {{ driver = "process", command = {json.dumps(words)} }}
destructive = true
"""


def c_host(folder: Path) -> str:
    """The C device as a program of this machine, with address and undefined-behaviour sanitizers."""
    needed("cc", "gcc")
    return spawned("c-host", str(refdevice.host()), str(folder / "flash"), "tcp:{port}")


def c_coverage(folder: Path) -> str:
    """The C device as a program of this machine that counts branches (.ci/c-coverage)."""
    needed("cc", "gcc")
    return spawned("c-coverage", str(refdevice.counting()), str(folder / "flash"), "tcp:{port}")


def c_qemu(folder: Path) -> str:
    """The C device on a Cortex-M3 in QEMU; its flash is a file.

    Between the line and a UART, which takes one byte at a time, lies the buffer of QEMU's multiplexer: without it the
    emulator's threads change places at each byte. Its escape character, which would otherwise be 0x01, is never sent.
    """
    needed("arm-none-eabi-gcc", "gcc-arm-none-eabi")
    needed("qemu-system-arm", "qemu-system-arm")
    line = "socket,id=line,mux=on,host=127.0.0.1,port={port},server=on,wait=on,nodelay=on"
    memory = f"memory-backend-file,id=psram,size=16M,share=on,mem-path={folder / 'psram'}"
    options = {
        "-machine": "mps2-an385,memory-backend=psram",
        "-kernel": refdevice.built("qemu", "tocsin-device.elf"),
        "-display": "none",
        "-monitor": "none",
        "-chardev": line,
        "-echr": "0",
        "-object": memory,
        "-device": f"loader,addr=0x21FFFFF8,data={NOW},data-len=8",
        "-semihosting-config": "enable=on,target=native",
    }
    words = [str(word) for option in options.items() for word in option]
    ports = ("-serial", "chardev:line", "-serial", f"file:{folder / 'display'}")
    return spawned("c-qemu", "qemu-system-arm", *words, *ports)


BOARDS: Mapping[str, Callable[[Path], str]] = {
    "python": python,
    "c-host": c_host,
    "c-qemu": c_qemu,
    **({"c-coverage": c_coverage} if os.environ.get(refdevice.COVERAGE) else {}),
}
"""Name of a board -> what writes its part of a board file, or skips the test where a tool is missing."""


@dataclass(frozen=True)
class Ran:
    """What a run of the table left."""

    status: int
    out: str
    results: dict[str, Any]
    table: str

    def row(self, name: str) -> dict[str, Any]:
        """The result of a row."""
        return next(row for row in self.results["rows"] if row["row"] == name)


def run(folder: Path, name: str, *options: str) -> Ran:
    """Run the table as a person would, in a folder of its own."""
    (folder / "run").mkdir(exist_ok=True)
    lean = [
        word for plugin in ("anyio", "asyncio", "cov", "hypothesispytest") for word in ("-p", f"no:{plugin}")
    ]
    ours = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST_", "HIL_", "COV_", "COVERAGE_"))}
    done = subprocess.run(
        [
            *(
                sys.executable,
                "-m",
                "pytest",
                *lean,
                "-p",
                "no:cacheprovider",
                "-q",
                "--rootdir",
                str(folder),
            ),
            *("--pyargs", "hil.conformance", "--hil-board", name, "--hil-require", *options),
        ],
        cwd=folder,
        env={**ours, "XDG_RUNTIME_DIR": str(folder / "run"), "COLUMNS": "200"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    kept = folder / "build" / "hil" / name
    found = (
        json.loads((kept / "conformance.json").read_text()) if (kept / "conformance.json").is_file() else {}
    )
    table = (kept / "conformance.md").read_text() if found else ""
    return Ran(done.returncode, done.stdout, found, table)
