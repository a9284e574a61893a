"""A whole board: bytes of a serial line in, bytes of the same line out, a device in between.

Answers and console log share the line. While a request is being carried out the log waits, so that an
answer stands before what its request has caused, be it a restart.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Mapping
from typing import Final

from advisories.smp import Command
from device_sim.display import Display
from device_sim.home import Home
from device_sim.owner import Owner
from device_sim.serial import frames
from device_sim.serial.basics import Basics
from device_sim.serial.flash import Flash, power_off
from device_sim.serial.images import Images
from device_sim.serial.link import SerialLink
from device_sim.serial.machine import Clock, Machine
from device_sim.serial.notifier import Notifier
from device_sim.serial.screen import KeptScreen
from device_sim.serial.server import BUFFER_BYTES, Handler, Server
from device_sim.shell import DeviceShell, Event
from device_sim.timers import Timers
from keys.errors import TocsinError

GROUPS: Final = frozenset({"os", "img", "stat", "notifier"})
"""Groups of commands that a board can know."""
BOOT_BYTES: Final = 8
LINE_CHARACTERS_MAX: Final = 400
"""Longest line of the console log; what is longer is cut."""


class Board:
    """One device on one serial line. Runs in an event loop, which drives its timers.

    Args:
        home: its folder.
        write: takes what goes out over the line: whole lines, in order.
        test_build: it also has the commands that no released firmware may have.
        groups: those that its firmware knows.
        buffer_bytes: of its SMP server.
        owner: who looks at it besides whoever is on the line.
        display: where notices are drawn as well.
        on_event: told what happens.
        clock: returns UTC seconds.
        die: what a power cut does.
        entropy: returns random bytes.
    """

    def __init__(
        self,
        home: Home,
        write: Callable[[bytes], None],
        *,
        test_build: bool = False,
        groups: Collection[str] = GROUPS,
        buffer_bytes: int = BUFFER_BYTES,
        owner: Owner | None = None,
        display: Display | None = None,
        on_event: Callable[[Event], None] | None = None,
        clock: Callable[[], float] = time.time,
        die: Callable[[], None] = power_off,
        entropy: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._write = write
        self._on_event = on_event
        self._entropy = entropy
        self._waiting: list[bytes] | None = None
        """Lines of the log that stand behind the answer under way."""
        flash = Flash(home, die, lambda text: self._say(f"[flash] {text}"))
        now = Clock(clock)
        timers = Timers(now)
        link = SerialLink(lambda: self._restarting("update"))
        screen = KeptScreen(display)
        shell = DeviceShell(
            flash, link, owner=owner, display=screen, timers=timers, clock=now, on_event=self._told
        )
        self.machine = Machine(
            flash=flash,
            link=link,
            screen=screen,
            clock=now,
            timers=timers,
            shell=shell,
            reset=lambda: self._start("reset"),
            counters=self.counters,
            test_build=test_build,
            buffer_bytes=buffer_bytes,
        )
        self._requests = frames.Requests()
        self._early = b""
        """What came in before the first boot."""
        self._images = Images(self.machine)
        self._notifier = Notifier(self.machine)
        table: dict[Command, Handler] = {
            **Basics(self.machine).handlers(),
            **self._images.handlers(),
            **self._notifier.handlers(),
        }
        known = {command: do for command, do in table.items() if command.name.partition(".")[0] in groups}
        self._server = Server(known, buffer_bytes=buffer_bytes)

    @property
    def failure(self) -> Exception | None:
        """Why the device stopped by itself."""
        return self.machine.shell.failure

    def power_on(self) -> None:
        """Boot for the first time.

        Raises:
            DamagedError: HOME_DAMAGED, BOOT_RECORD or a damaged state.
            UnavailableError: HOME_WRITE.
        """
        self._restarting("power-on")
        self.machine.shell.boot()
        early, self._early = self._early, b""
        self.receive(early)

    def receive(self, data: bytes) -> None:
        """Take bytes from the line as they come, and answer the requests among them.

        What comes before the first boot waits for it, as in the buffer of a port.
        """
        if self.machine.shell.agent is None:
            self._early = (self._early + data)[-frames.LINE_BYTES_MAX :]
            return
        for request in self._requests.feed(data):
            if self.failure is None:
                self._serve(request)

    async def stop(self) -> None:
        """Switch off; what was saved stays."""
        self.machine.timers.stop()
        await self.machine.shell.stop()

    def counters(self) -> Mapping[str, Mapping[str, int]]:
        """Return what the board has counted since it was switched on, by group."""
        flash, link = self.machine.flash, self.machine.link
        return {
            "smp": {
                "frames": self._requests.whole,
                "bad_frames": self._requests.broken,
                "requests": self._server.requests,
                "refused": self._server.refused,
            },
            "flash": {"writes": flash.writes, "erases": flash.erases},
            "notifier": {
                "submitted": self._notifier.submitted,
                "refused": self._notifier.refused,
                "lost": link.lost,
            },
        }

    def _serve(self, request: bytes) -> None:
        machine = self.machine
        behind: list[bytes] = []
        self._waiting = behind
        then = None
        try:
            reply = self._server.answer(request, machine.clock())
            if reply is not None:
                self._write(frames.encode(reply.message))
                then = reply.then
        except (TocsinError, OSError) as error:  # a folder that cannot be written ends the device
            machine.link.give_up(error)
        finally:
            self._waiting = None
        for line in behind:
            self._write(line)
        if then is not None:
            then()

    def _start(self, cause: str) -> None:
        try:
            self._restarting(cause)
            self.machine.shell.boot()
        except (TocsinError, OSError) as error:
            self.machine.link.give_up(error)

    def _restarting(self, cause: str) -> None:
        """Lose what a reset loses, and take what was provisioned for it."""
        machine = self.machine
        machine.link.forget()
        machine.screen.shown = None
        machine.answered.clear()
        self._images.forget()
        self._notifier.forget()
        machine.flash.running = None
        machine.boot, machine.cause = self._entropy(BOOT_BYTES), cause
        machine.booted = machine.clock()
        changes, machine.factory = machine.factory, []
        for change in changes:
            change()

    def _told(self, event: Event) -> None:
        machine = self.machine
        if event.kind == "booted":
            slot = machine.flash.started()
            self._say(f"tocsin: boot {machine.cause}, slot {slot}, version {machine.version(slot)}")
        else:
            self._say(f"[{event.kind}] {event.detail}".rstrip())
        if machine.heard is not None:
            machine.heard.append(event)
        if self._on_event is not None:
            self._on_event(event)

    def _say(self, text: str) -> None:
        """Write a line of the console log: printable, so that it is never taken for a frame."""
        plain = "".join(c if c.isprintable() else "?" for c in text[:LINE_CHARACTERS_MAX])
        line = plain.encode(errors="replace") + b"\r\n"
        if self._waiting is None:
            self._write(line)
        else:
            self._waiting.append(line)
