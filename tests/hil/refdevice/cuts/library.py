"""The C core as a board: its line, its power and its clock, through the test port of the library."""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import struct
from collections import deque
from collections.abc import Callable
from random import Random

from advisories import mcuboot
from hil.errors import DeviceGone
from hil.smp.client import SmpClient
from hil.smp.frames import Scanner, encode
from hil.wire.record import Kind
from keys.errors import RefusedError
from tests.hil.refdevice.build import Core, Cut

READ_BYTES = 32
"""What one round of the device's loop takes from its line."""
STEP_MS = 60
"""Time that passes with each request: more than the device lets pass between two looks at what is due."""
BUFFER_BYTES = 640
ROOM_BYTES = 65_536
PAGE_BYTES = 4_096
MAGIC = bytes.fromhex("3db8f396")
HEAD = struct.Struct("<8xHHI")
"""Of an image's header: its own length, that of its protected records, and of its code."""


class LibraryBoard:
    """The channel that an SMP client speaks on; whatever was sent is carried out before it returns.

    Time stands still but where it is let pass, so that every run of a flow is the same to the byte.
    """

    def __init__(self, core: Core, utc: int) -> None:
        self.core, self.lib = core, core.lib
        self.before: Callable[[], None] = lambda: None
        """Called before each request and each power-on: there a walk is forked."""
        self.requests = 0
        """Requests and power-ons so far."""
        self.power_cut = False
        self.second: tuple[int, Cut] | None = None
        """Where the power goes once more, counted from the next power-on."""
        core.new()
        self._utc = utc
        self._boots = 0
        self._counted = 0  # changes of flash before the last start
        self._cut: tuple[int, Cut] | None = None  # by the count of all changes
        self._seconds = 0.0
        self._heard = hashlib.blake2b(digest_size=16)
        self._room = ctypes.create_string_buffer(ROOM_BYTES)
        self._new_line()
        self.smp = SmpClient(self, buffer_bytes=BUFFER_BYTES, random=Random(1).getrandbits, clock=self.clock)

    def _new_line(self) -> None:
        self._scanner, self._inbox = Scanner(), deque[bytes]()
        self._ms = 0

    def clock(self) -> float:
        """Seconds as the client counts them."""
        return self._seconds

    # -- power

    @property
    def writes(self) -> int:
        """Changes of flash since the library was loaded anew."""
        return self._counted + int(self.lib.tn_store_writes())

    def cut(self, at: int, when: Cut) -> None:
        """Let the power go at the ``at``-th change of flash from now, whatever restarts lie between."""
        self._cut = (self.writes + at, when)
        self.core.cut(at, when)

    def power_on(self) -> None:
        """Give it its power: for the first time, or again."""
        self.before()
        self.requests += 1
        self._counted = self.writes
        self._cut = None if self.power_cut else self._cut
        if self.second is not None:
            self._cut, self.second = (self._counted + self.second[0], self.second[1]), None
        self.power_cut = False
        self._start(self.core.power_on)

    def _start(self, how: Callable[[], None]) -> None:
        how()
        self._new_line()
        self._boots += 1
        if self._cut is not None:
            self.core.cut(self._cut[0] - self._counted, self._cut[1])
        self.core.set_utc(self._utc)
        self.lib.test_until_off(self.lib.tn_start)
        self._run(2)

    def _run(self, rounds: int) -> None:
        """Let it work; a reset that it asks for is carried out, and what came before it has been sent."""
        while not self.core.dead:
            if self.core.reset_asked:
                self._hear()
                self._counted = self.writes
                heard = self._inbox
                self._start(self.core.reset)
                self._inbox.extendleft(reversed(heard))
                return
            if rounds == 0:
                break
            self.lib.test_until_off(self.lib.tn_round)
            rounds -= 1
        self._hear()
        self.power_cut = self.core.dead

    def _hear(self) -> None:
        count = self.lib.test_uart_take(self._room, len(self._room))
        parts = self._scanner.feed(self._room.raw[:count])
        for part in parts:
            if part.kind is Kind.MESSAGE:
                self._inbox.append(part.data)
                self._heard.update(part.data)

    def pass_time(self, seconds: int) -> None:
        """Let time pass."""
        self._utc += seconds
        self.core.set_utc(self._utc)
        self._tick(seconds * 1_000)

    def _tick(self, milliseconds: int) -> None:
        self._ms += milliseconds
        self._seconds += milliseconds / 1_000
        self.core.set_ms(self._ms)
        self._run(2)

    def left(self) -> str:
        """Return a name of what the power has left, and of what was heard until then."""
        found = self._heard.copy()
        found.update(self.core.flash())
        found.update(f"{self.requests} {self._utc}".encode())
        return found.hexdigest()

    def images(self) -> set[bytes]:
        """Return the hashes of all images that lie whole at the beginning of a page of flash."""
        flash, found = self.core.flash(), set[bytes]()
        at = flash.find(MAGIC)
        while at >= 0:
            head, protected, body = HEAD.unpack_from(flash, at)
            end = at + head + body + protected
            if at % PAGE_BYTES == 0 and end + 4 <= len(flash):
                end += int.from_bytes(flash[end + 2 : end + 4], "little")
                with contextlib.suppress(RefusedError):
                    found.add(mcuboot.parse(flash[at:end]).digest)
            at = flash.find(MAGIC, at + 1)
        return found

    # -- the line

    def send(self, message: bytes) -> None:
        """Send a request: it is carried out."""
        self.before()
        self.requests += 1
        self._require_power()
        data = encode(message)
        self._ms += STEP_MS
        self.core.set_ms(self._ms)
        self.core.feed(data)
        self._run(len(data) // READ_BYTES + 3)

    def receive(self, timeout_s: float) -> bytes | None:
        """Return the next message; what was answered before the power went was answered."""
        if not self._inbox:
            self._require_power()
            self._tick(round(timeout_s * 1_000) + 1)
        return self._inbox.popleft() if self._inbox else None

    def _require_power(self) -> None:
        if self.power_cut:
            raise DeviceGone("The board has lost its power.")

    def resync(self) -> None:
        """Nothing is ever lost on this line."""

    def mark(self) -> int:
        """How often it has started."""
        return self._boots

    def rebooted(self, since: int) -> bool:
        """Say whether it has started since."""
        return self._boots > since
