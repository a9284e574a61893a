"""The C device as a program, in QEMU or on this machine: killing it cuts its power, and a file keeps its flash."""

from __future__ import annotations

import contextlib
import select
import shutil
import signal
import socket
import subprocess
import time
from collections import deque
from pathlib import Path
from random import Random

from hil.bench.spawn import free_port
from hil.errors import DeviceGone
from hil.smp.client import SmpClient
from hil.smp.frames import Scanner, encode
from hil.wire.record import Kind

from .walk import START

READY_S = 60.0
TIMEOUT_S = 20.0
"""For one request: the machine may be busy, and no invariant is about time."""
BUFFER_BYTES = 640
BOOTED = b"tocsin: ready"
PSRAM_BYTES = 16 << 20
EXIT_POWER = 9
"""With which the program of this machine loses its power."""


class ProgramBoard:
    """The channel that an SMP client speaks on; the program is started and killed by it, and by nothing else.

    Attributes:
        flash: the file that keeps what the board has stored.
        gaps: how long it took from each boundary of frames to the next, in seconds.
        cut_at: (boundary, seconds behind it) at which the power goes; None: it stays.
    """

    def __init__(self, program: Path, folder: Path) -> None:
        self._program, self._folder = program, folder
        self.flash = folder / "flash"
        self.wrong = ""
        """Why the program ended, where that was neither a kill nor a power cut."""
        self.smp = SmpClient(
            self, timeout_s=TIMEOUT_S, buffer_bytes=BUFFER_BYTES, random=Random(1).getrandbits
        )
        self.cut_at: tuple[int, float] | None = None
        self.gaps: list[float] = []
        self._process: subprocess.Popen[bytes] | None = None
        self._line: socket.socket | None = None
        self._boots = 0
        self._ahead = 0
        self._last = 0.0
        self._text = b""
        self._scanner, self._inbox = Scanner(), deque[bytes]()

    # -- power

    @property
    def power_cut(self) -> bool:
        """Say whether its power has gone."""
        return self._process is None

    def start(self) -> tuple[list[str], socket.AddressFamily, str | tuple[str, int]]:
        """Return the command that starts the program, and where its line is then."""
        raise NotImplementedError

    def power_on(self) -> None:
        """Start the program on the flash that there is, and wait until the device answers."""
        self.power_off()
        command, family, where = self.start()
        self._scanner, self._inbox, self._text = Scanner(), deque(), b""
        with (self._folder / "said").open("ab") as said:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=said, stderr=said)
        end = time.monotonic() + READY_S
        while True:
            self._line = socket.socket(family, socket.SOCK_STREAM)
            try:
                self._line.connect(where)
                break
            except (FileNotFoundError, ConnectionRefusedError):
                self._line.close()
                if time.monotonic() > end or self._process.poll() is not None:
                    raise DeviceGone("The program did not start.") from None
                select.select([], [], [], 0.005)
        self._await_boot(end)
        if self._ahead:
            self.smp.notifier.clock_set(START + self._ahead)

    def _await_boot(self, end: float) -> None:
        """Wait for the first words of a provisioned device, or ask one that says others."""
        before = self._boots
        while self._boots == before and b"tocsin: waits" not in self._text:
            if time.monotonic() > end:
                raise DeviceGone("The board did not start.")
            self._hear(0.5)

    def power_off(self) -> None:
        """Take its power away, this moment."""
        if self._line is not None:
            self._line.close()
        if self._process is not None:
            self._process.kill()
            status = self._process.wait()
            if status not in {-signal.SIGKILL, EXIT_POWER}:
                self.wrong = f"the program ended with {status}"
        self._process = self._line = None

    def save(self, to: Path) -> None:
        """Keep a copy of its flash; its power is off."""
        assert self.power_cut
        shutil.copyfile(self.flash, to)

    def moved(self, folder: Path, flash: Path) -> None:
        """Go on with a copy of a flash in a folder of its own."""
        folder.mkdir()
        self._folder, self.flash = folder, folder / "flash"
        shutil.copyfile(flash, self.flash)

    def remove(self) -> None:
        """Take its power away, and all of its files."""
        self.power_off()
        shutil.rmtree(self._folder)

    def images(self) -> set[bytes] | None:
        """Nobody looks into its flash but itself."""
        return None

    def pass_time(self, seconds: int) -> None:
        """Let its clock go ahead."""
        self._ahead += seconds
        self.smp.notifier.clock_set(START + self._ahead)

    # -- the line

    def begin(self) -> None:
        """Count boundaries from here."""
        self.gaps.clear()
        self._last = 0.0

    def _boundary(self) -> None:
        """A frame has ended: here, or so long after it, the power goes if it shall."""
        now = time.monotonic()
        if self._last:
            self.gaps.append(now - self._last)
        self._last = now
        if self.cut_at is not None and len(self.gaps) == self.cut_at[0]:
            end = now + self.cut_at[1]
            while time.monotonic() < end:  # shorter than any sleep would be exact
                pass
            self.cut_at = None
            self.power_off()
            raise DeviceGone("The board has lost its power.")

    def send(self, message: bytes) -> None:
        """Send a request, frame by frame."""
        if self._line is None:
            raise DeviceGone("The board has no power.")
        for line in encode(message).splitlines(keepends=True):
            self._boundary()
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                self._line.sendall(line)

    def receive(self, timeout_s: float) -> bytes | None:
        """Return the next message; None where the board starts anew in the meantime."""
        end, boots = time.monotonic() + timeout_s, self._boots
        while not self._inbox:
            left = end - time.monotonic()
            if left <= 0 or self._boots != boots:
                return None
            self._hear(left)
        self._boundary()
        return self._inbox.popleft()

    def _hear(self, seconds: float) -> None:
        if self._line is None:
            raise DeviceGone("The board has no power.")
        if not select.select([self._line], [], [], seconds)[0]:
            return
        try:
            data = self._line.recv(65_536)
        except ConnectionResetError:
            data = b""
        if not data:
            if self._process is not None:
                self._process.wait(READY_S)
            self.power_off()
            raise DeviceGone("The board has gone by itself.")
        for part in self._scanner.feed(data):
            if part.kind is Kind.MESSAGE:
                self._inbox.append(part.data)
            else:
                self._text = (self._text + part.data)[-4_096:]
                self._boots += part.data.count(BOOTED)

    def resync(self) -> None:
        """End what the board may hold of a broken line."""
        self._inbox.clear()
        if self._line is not None:
            self._line.sendall(b"\n")

    def mark(self) -> int:
        """How often it has started."""
        return self._boots

    def rebooted(self, since: int) -> bool:
        """Say whether it has started since."""
        return self._boots > since


class QemuBoard(ProgramBoard):
    """A Cortex-M3 in QEMU (mps2-an385)."""

    def start(self) -> tuple[list[str], socket.AddressFamily, str | tuple[str, int]]:
        """Return how QEMU is started."""
        where = self._folder / "line"
        where.unlink(missing_ok=True)
        memory = f"memory-backend-file,id=psram,size={PSRAM_BYTES >> 20}M,share=on,mem-path={self.flash}"
        command = [
            "qemu-system-arm", "-machine", "mps2-an385", "-kernel", str(self._program),
            "-display", "none", "-monitor", "none",
            "-serial", f"unix:{where},server=on,wait=on", "-serial", f"file:{self._folder / 'display'}",
            "-object", memory, "-machine", "memory-backend=psram",
            "-device", f"loader,addr=0x21FFFFF8,data={START},data-len=8",
        ]  # fmt: skip
        return command, socket.AF_UNIX, str(where)


class HostBoard(ProgramBoard):
    """The program of this machine, which minds how its flash is treated."""

    def start(self) -> tuple[list[str], socket.AddressFamily, str | tuple[str, int]]:
        """Return how the program is started."""
        port = free_port()
        words = (
            self._program,
            self.flash,
            f"tcp:{port}",
            "--utc",
            START,
            "--display",
            self._folder / "display",
        )
        return [str(word) for word in words], socket.AF_INET, ("127.0.0.1", port)
