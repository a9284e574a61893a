"""Builds the C device, once a session, and wraps its core as a library whose flash is memory.

core = build.core()
core.power_on()
core.flash_load(core.constants["TN_AT_STAGING"], document)
core.lib.tn_cose_open(core.in_flash("TN_AT_STAGING", len(document)), 98, ctypes.byref(message))
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[3]
SOURCE = ROOT / "hil/refdevice"
OUT = ROOT / "build/refdevice"
COVERAGE = "TN_COVERAGE"
"""With this variable set the library counts branches (make library-coverage), and the table is run on a program that
does, too."""


class Source(ctypes.Structure):
    """``tn_source``: bytes in flash, or in memory that ``kept`` keeps alive."""

    _fields_ = (("bytes", ctypes.c_char_p), ("length", ctypes.c_uint32))

    @property
    def address(self) -> int:
        """Where the bytes lie in this process."""
        return ctypes.c_void_p.from_buffer(self).value or 0


class Cut(IntEnum):
    """``tn_cut``: where in a change of flash the power goes."""

    BEFORE = 0
    TORN = 1
    AFTER = 2


@contextmanager
def alone() -> Iterator[None]:
    """Let one process build at a time."""
    OUT.mkdir(parents=True, exist_ok=True)
    with (OUT / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def make(*words: str) -> None:
    """Run make in ``hil/refdevice``; what it says is the error's when it fails."""
    command = ["make", "-s", "-C", str(SOURCE), f"PYTHON={sys.executable}", *words]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise AssertionError(f"{' '.join(words)}: {done.stdout}{done.stderr}")


@cache
def built(target: str, name: str = "tocsin-device") -> Path:
    """Build a target of the Makefile, and return what it makes."""
    with alone():
        make(target)
    return OUT / target / name


@cache
def constants() -> dict[str, int]:
    """Return the numbers that ``limits.h`` and what is generated define."""
    found: dict[str, int] = {}
    for name in ("tocsin_limits.h", "tocsin_reasons.h", "tocsin_states.h", "limits.h"):
        text = (SOURCE / "core" / name).read_text(encoding="utf-8")
        text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
        rows = re.findall(r"^#define (TN_\w+) (.+)$|^ +(TN_\w+) = (\d+),?$", text, flags=re.MULTILINE)
        for macro, value, member, number in rows:
            plain = re.sub(r"\b(0x[0-9A-Fa-f]+|\d+)(?:ull|u)\b", r"\1", value or number)
            try:
                found[macro or member] = eval(plain, {}, found)  # our own header
            except (SyntaxError, NameError, TypeError):  # a table, not a number
                continue
    return found


@cache
def enumerated(header: str, first: str) -> dict[str, int]:
    """Return the numbers of the enumeration in a header of the core that begins with this name."""
    text = (SOURCE / "core" / header).read_text(encoding="utf-8")
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    members = re.search(rf"enum \{{\s*({first}\b[^}}]*)\}}", text)
    assert members is not None
    found: dict[str, int] = {}
    number = -1
    for member in filter(None, map(str.strip, members[1].split(","))):
        name, _, value = member.partition("=")
        number = int(value.strip().rstrip("u"), 0) if value else number + 1
        found[name.strip()] = number
    return found


class Core:
    """The core as a library, with a flash that minds how it is treated."""

    def __init__(self, path: Path) -> None:
        self.lib: Any = ctypes.CDLL(str(path))
        self.constants = constants()
        lib = self.lib
        lib.test_flash.restype = ctypes.POINTER(ctypes.c_uint8)
        lib.test_wrong.restype = ctypes.c_char_p
        for name in ("test_dead", "test_reset_asked", "tn_store_load"):
            getattr(lib, name).restype = ctypes.c_bool
        lib.test_set_utc.argtypes = lib.test_set_ms.argtypes = (ctypes.c_uint64,)
        self.flash_bytes: int = lib.test_flash_bytes()

    # Power, time, flash.

    def new(self) -> None:
        """Make everything new: erased flash, no time, power on."""
        self.lib.test_new()

    def power_on(self) -> None:
        """Give the core's statics their first values; flash stays."""
        self.lib.test_power_on()

    def reset(self) -> None:
        """The same, as it follows ``port_reset()``."""
        self.lib.test_reset()

    def cut(self, at: int, when: Cut) -> None:
        """Lose power at the ``at``-th change of flash from now; then nothing is written, and ``dead`` is true."""
        self.lib.tn_flash_cut(at, int(when))

    @property
    def dead(self) -> bool:
        """Whether the power has gone."""
        return bool(self.lib.test_dead())

    @property
    def reset_asked(self) -> bool:
        """Whether the core has called ``port_reset()``."""
        return bool(self.lib.test_reset_asked())

    @property
    def wrong(self) -> str:
        """The first thing that no flash would bear; empty: nothing."""
        return bytes(self.lib.test_wrong()).decode()

    def set_utc(self, seconds: int) -> None:
        """Set the board's clock."""
        self.lib.test_set_utc(seconds)

    def set_ms(self, milliseconds: int) -> None:
        """Set the time since power-on."""
        self.lib.test_set_ms(milliseconds)

    def flash(self, at: int = 0, count: int | None = None) -> bytes:
        """Return bytes of flash."""
        rest = self.flash_bytes - at if count is None else count
        start = ctypes.addressof(self.lib.test_flash().contents)
        return ctypes.string_at(start + at, rest)

    def flash_load(self, at: int | str, data: bytes) -> None:
        """Put bytes into flash; ``at`` may be the name of a place in ``limits.h``."""
        place = self.constants[at] if isinstance(at, str) else at
        assert place + len(data) <= self.flash_bytes
        self.lib.test_flash_load(place, data, len(data))

    def in_flash(self, at: int | str, length: int) -> Source:
        """Return a source in flash."""
        start = ctypes.addressof(self.lib.test_flash().contents)
        return Source(start + (self.constants[at] if isinstance(at, str) else at), length)

    def in_memory(self, data: bytes) -> Source:
        """Return a source in memory."""
        return Source(data, len(data))

    # The line and the display.

    def feed(self, data: bytes) -> None:
        """Let bytes come in over the line."""
        self.lib.test_uart_feed(data, len(data))

    def sent(self) -> bytes:
        """Return what went out over the line since this was asked last."""
        return self._taken(self.lib.test_uart_take)

    def lines(self) -> list[str]:
        """Return the lines that were drawn since this was asked last, each with its number."""
        return self._taken(self.lib.test_lines_take).decode().splitlines()

    def pages(self) -> tuple[int, bytes]:
        """Return how many pages were drawn, and the last one."""
        dots = ctypes.create_string_buffer(self.constants["TN_PAGE_BYTES"])
        count = int(self.lib.test_pages(dots))
        return count, dots.raw

    @staticmethod
    def _taken(take: Any) -> bytes:
        room = ctypes.create_string_buffer(65_536)
        count = int(take(room, len(room)))
        return room.raw[:count]


@cache
def core() -> Core:
    """Build the library and load it."""
    return Core(built("library-coverage" if os.environ.get(COVERAGE) else "library", "core.so"))


def host() -> Path:
    """Build the program for this machine, with sanitizers."""
    return built("sanitized")


def counting() -> Path:
    """Build the program for this machine that counts branches; sanitizers would add some of their own."""
    return built("host-coverage")
