"""The device in C: built from its sources, run on a Cortex-M3 in QEMU, made what it is over its serial line.

It has a display of 128 x 64 dots and no font: what is not in Latin letters it shows by the pages that were
drawn when the notice was composed. Its second UART draws what stands on the display into a file.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import sys
import time
from pathlib import Path
from typing import Any, Final

import hil
from advisories.limits import NOTICE_PAGE_BYTES
from advisories.render import pages
from advisories.render.small import HEIGHT_PX, WIDTH_PX
from gateway.cli.demo.cast import Member
from gateway.cli.demo.stage import BOARD, BOARD_SEED, SCREENS
from gateway.cli.demo.wired import BOOT_S
from gateway.files import write_atomic
from gateway.workspace.folder import Workspace
from hil.bench.board import Board, Boot, Power, Reset, Spawn
from hil.bench.session import Session
from hil.bench.tool import run_tool
from hil.errors import BenchError
from hil.smp.notifier import Screen
from keys.errors import UnavailableError

SOURCES: Final = Path(hil.__file__).parent / "refdevice"
TOOLS: Final = (
    ("qemu-system-arm", "qemu-system-arm"),
    ("arm-none-eabi-gcc", "gcc-arm-none-eabi"),
    ("make", "make"),
)
"""What it takes: program, and the package of Debian that has it."""
BUILD_S: Final = 300.0
"""Longest time that its building may take, with the download of what it is built with."""
DISPLAY: Final = Path(SCREENS) / BOARD / "display.txt"
KEPT: Final = Path(SCREENS) / BOARD / "console.txt"
_MACHINE: Final = "mps2-an385"
_CLOCK: Final = "loader,addr=0x21FFFFF8,data-len=8"  # hil/refdevice/ports/mps2/port.c
_NOTHING: Final = "none"  # what a device says that it runs, before there is an image
_DOTS: Final = {" ": "0", "#": "1"}
_BRAILLE: Final = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))  # of U+2800, by row and column


def build() -> Path:
    """Build the program, if it is not built yet, and return it.

    A checkout has it in ``build/refdevice``, an installed package in the user's cache.

    Raises:
        UnavailableError: BOARD_PARTS, BOARD_BUILD: one sentence says what is missing.
    """
    if not (SOURCES / "Makefile").is_file():
        raise UnavailableError("BOARD_PARTS", "Its C sources are not part of this installation.")
    for program, package in TOOLS:
        if shutil.which(program) is None:
            message = f"{program} is not installed (Debian: apt-get install {package})."
            raise UnavailableError("BOARD_PARTS", message)
    checkout = SOURCES.parents[1]
    ours = (checkout / "pyproject.toml").is_file()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    out = checkout / "build" / "refdevice" if ours else cache / "tocsin" / "refdevice"
    elsewhere = () if ours else (f"OUT={out}",)  # the Makefile names its objects so itself
    try:
        out.mkdir(parents=True, exist_ok=True)
        with (out / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            words = ("make", "-s", "-C", str(SOURCES), f"PYTHON={sys.executable}", *elsewhere, "qemu")
            run_tool(words, purpose="building the device in C", timeout_s=BUILD_S)
    except (BenchError, OSError) as error:
        why = error.message if isinstance(error, BenchError) else f"{out}: {error.strerror}."
        raise UnavailableError("BOARD_BUILD", f"It cannot be built. {why}") from None
    return out / "qemu" / "tocsin-device.elf"


class Refdevice:
    """The program in C as a board on a serial line.

    Args:
        member: who it is.
        workspace: the demo's.
        elf: the program.
    """

    name = "board in C"
    about = "is the C program on a Cortex-M3 in QEMU: a serial line, no network, no font for Japanese"
    how = "dot by dot as its display drew the pages; acknowledged over its line:"

    def __init__(self, member: Member, workspace: Workspace, elf: Path) -> None:
        self.member = member
        self._folder = workspace.path.absolute()
        self._prefix = workspace.topics.prefix
        self._root = workspace.root_documents()[0]
        self._elf = elf.absolute()
        self.kept = self._folder / KEPT

    def board(self) -> Board:
        """Return it as a machine of QEMU that has one TCP line, and nothing else that reaches it."""
        (self._folder / DISPLAY).parent.mkdir(parents=True, exist_ok=True)
        memory = f"memory-backend-file,id=psram,size=16M,share=on,mem-path={BOARD}/flash"
        return Board(
            name=self.member.id,
            power=Power(driver="process"),
            reset=Reset(by="smp"),
            boot=Boot(timeout_s=BOOT_S, banner="^tocsin: (ready|boot|waits)"),
            spawn=Spawn(
                driver="qemu",
                machine=_MACHINE,
                elf=str(self._elf),
                serial=("tcp",),
                command=(
                    *("-nic", "none"),
                    *("-serial", f"file:{DISPLAY}"),  # from the folder, as below: a path may hold a comma
                    *("-object", memory),
                    *("-machine", "memory-backend=psram"),
                    *("-device", f"{_CLOCK},data={int(time.time())}"),
                    *("-semihosting-config", "enable=on,target=native"),
                ),
            ),
            folder=self._folder,
        )

    def prepare(self, session: Session) -> None:
        """Give it root 1, its key and its name, over the line; what an interrupted run has given stays."""
        notifier = session.smp.notifier
        info = notifier.info()
        if info.id == self.member.id and info.fw != _NOTHING:
            return
        notifier.provision("root", notifier.put(self._root))
        notifier.provision("key", (self._folder / BOARD / BOARD_SEED).read_bytes())
        for what, text in (
            ("version", self.member.version),
            ("id", self.member.id),
            ("product", self.member.product),
            ("language", self.member.language),
            ("topics", self._prefix),
        ):
            notifier.provision(what, text.encode())
        session.reset()

    def keep(self, screen: Screen) -> tuple[str, ...]:
        """Keep the pages that stand on its display, as pictures and as letters, and the lines below them."""
        text = (self._folder / DISPLAY).read_text(encoding="utf-8", errors="replace")
        drawn = drawn_last(text)
        for number, page in enumerate(drawn, 1):
            pages.image(page).save(self.kept.parent / f"page-{number}.png")
        told = [line for number, page in enumerate(drawn, 1) for line in _captioned(page, number, len(drawn))]
        lines = (*told, *screen.lines)
        write_atomic(self.kept, ("\n".join(lines) + "\n").encode())
        return lines

    def more(self) -> dict[str, Any]:
        """Return what else ``summary.json`` says of it."""
        drawn = len(list(self.kept.parent.glob("page-*.png")))  # by now it may have nothing left to show
        return {"program": f"C, {_MACHINE} in QEMU", "pages": drawn}


def drawn_last(text: str) -> list[bytes]:
    """Return the pages that the display's file tells last, as they travel: 1,024 bytes each.

    Args:
        text: of the file: ``page`` and a line for each row of dots, or a line of words with its number.
    """
    found: list[bytes] = []
    words = False
    lines = iter(text.splitlines())
    for line in lines:
        if line != "page":
            words = words or line[:1].isdigit()
            continue
        if words:
            found, words = [], False
        page = _page([next(lines, "") for _ in range(HEIGHT_PX)])
        if page is not None:
            found.append(page)
    return found


def _page(rows: list[str]) -> bytes | None:
    """Return a page's bytes; None where not all of it is there."""
    if any(len(row) != WIDTH_PX or not set(row) <= _DOTS.keys() for row in rows):
        return None
    dots = "".join(_DOTS[letter] for row in rows for letter in row)
    return int(dots, 2).to_bytes(NOTICE_PAGE_BYTES, "big")


def _captioned(page: bytes, number: int, count: int) -> list[str]:
    return [f"--- page {number} of {count} ".ljust(WIDTH_PX // 2, "-"), *braille(page)]


def braille(page: bytes) -> list[str]:
    """Return a page in letters of eight dots: 16 lines of 64, which a terminal of 80 columns can show."""

    def dot(row: int, column: int) -> bool:
        place = row * WIDTH_PX + column
        return bool(page[place // 8] & 0x80 >> place % 8)

    def letter(top: int, left: int) -> str:
        bits = (
            bit
            for row, pair in enumerate(_BRAILLE)
            for column, bit in enumerate(pair)
            if dot(top + row, left + column)
        )
        return chr(0x2800 + sum(bits))

    return [
        "".join(letter(top, left) for left in range(0, WIDTH_PX, 2)).rstrip("\u2800")
        for top in range(0, HEIGHT_PX, 4)
    ]
