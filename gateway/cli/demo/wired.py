"""The member of the cast that has no network: a board on a serial line, bridged to the broker.

Its program is told of no broker. The bench opens its line, carries messages both ways, and is its owner
over the same line: reads the screen, presses the buttons, and asks in the end what it runs.
"""

from __future__ import annotations

import sys
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from gateway.cli.demo.cast import FIXED_VERSION, Member, Trouble
from gateway.cli.demo.stage import SCREENS
from gateway.files import write_atomic
from hil.bench.board import Board, Boot, Link, Power, Spawn
from hil.bench.session import Session
from hil.bridge.bridge import Bridge
from hil.bridge.effects import Event
from hil.errors import SmpFailure, SmpRefused
from hil.wire.record import Kind, Record

LANGUAGES: Final = ("ja", "en", "de")
"""In this order: letters that are no ASCII show most."""
BOOT_S: Final = 60.0
"""A program's start on a machine that is busy with the rest of the fleet."""
LOOK_S: Final = 0.25
"""The owner looks at the screen so often."""
SCREEN: Final = Path(SCREENS) / "serial" / "console.txt"


def chosen(cast: tuple[Member, ...]) -> Member:
    """Return who hangs on the serial line: affected, without scripted trouble."""
    able = [member for member in cast if member.affected and member.trouble is Trouble.NONE]
    return min(able, key=lambda member: LANGUAGES.index(member.language))


@dataclass(frozen=True, slots=True)
class Told:
    """What the board says of itself over the line."""

    lines: tuple[str, ...] = ()
    """The notice, as it was displayed."""
    pressed: tuple[str, ...] = ()
    """Buttons, in order."""
    runs: str = ""
    """The version that it measured in the image that booted."""


class Wired:
    """Runs the board, its bridge and its owner in a thread of its own.

    Args:
        member: who it is.
        workspace: the demo's folder.
        url: the broker.
    """

    def __init__(self, member: Member, workspace: Path, url: str) -> None:
        self.member = member
        self.failure: Exception | None = None
        """Why it stopped by itself."""
        self.online = threading.Event()
        """Set once it has been subscribed and told so: what is published from then on reaches it."""
        self.told = Told()
        """Replaced as a whole, so that any thread may read it."""
        self._workspace, self._url = workspace.absolute(), url
        self._messages = self._bytes = 0
        self._counts: dict[str, int] = {}
        self._read: set[tuple[str | None, int | None]] = set()
        self._look_at = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"serial line of {member.id}")

    @property
    def patched(self) -> bool:
        """True when the board says that it runs the mended version."""
        return self.told.runs == FIXED_VERSION[self.member.product]

    @property
    def shown(self) -> bool:
        """True when its screen has been read, in this run or in the one that was interrupted."""
        return (self._workspace / SCREEN).exists()

    def start(self) -> None:
        """Give it power."""
        self._thread.start()

    def stop(self) -> None:
        """Take its power, and wait until its process is gone. Safe to call twice, and before the start."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()

    def summary(self) -> dict[str, Any]:
        """Return what ``summary.json`` says of it."""
        return {
            "device": self.member.id,
            "product": self.member.product,
            "language": self.member.language,
            "shown": self.shown,
            "pressed": list(self.told.pressed),
            "runs": self.told.runs,
            "boots": self._counts.get("boot", 0),
            "to_board": self._counts.get("to-board", 0),
            "to_broker": self._counts.get("to-broker", 0),
            "smp_messages": self._messages,
            "smp_bytes": self._bytes,
        }

    # In the thread.

    def _run(self) -> None:
        try:
            with Session.open(self._board(), taps=[self._tap]) as session:
                session.smp.learn_buffer()
                self._live(session)
        except Exception as error:  # noqa: BLE001 - the scenario raises it, whatever it is
            self.failure = error

    def _board(self) -> Board:
        command = (sys.executable, "-m", "gateway.cli.main", "device", "run", self.member.id)
        options = ("--serial", "pty:{pty}", "--test-build", "--display", "none")
        return Board(
            name=self.member.id,
            link=Link(),
            power=Power(driver="process"),
            boot=Boot(timeout_s=BOOT_S, banner="^tocsin: boot "),
            spawn=Spawn(
                driver="process",
                command=(*command, *options, "--workspace", str(self._workspace)),
                serial=("pty",),
            ),
            folder=self._workspace,
        )

    def _live(self, session: Session) -> None:
        bridge = Bridge(
            session.smp.notifier,
            self._url,
            reopen=lambda: session.connect(LOOK_S),
            on_event=self._passed,
        )
        try:
            bridge.open()
            while not self._stop.is_set():
                if not bridge.step() and bridge.connected and time.monotonic() >= self._look_at:
                    self._look(session)
                    self._look_at = time.monotonic() + LOOK_S
                self._counts = dict(bridge.counts)
        finally:
            bridge.close()

    def _passed(self, event: Event) -> None:
        if (event.kind, event.text) == ("carrier", "up"):
            self.online.set()

    def _look(self, session: Session) -> None:
        """Be the owner for a moment; a board that is just restarting is looked at later."""
        notifier = session.smp.notifier
        try:
            screen = notifier.notice()
            if screen is not None and screen.id and (screen.id, screen.revision) not in self._read:
                self._keep(screen.lines)
                notifier.press("acknowledge")
                self._read.add((screen.id, screen.revision))
                pressed = (*self.told.pressed, "acknowledge")
                self.told = replace(self.told, lines=screen.lines, pressed=pressed)
            if screen is not None and screen.asks is not None:
                notifier.press("yes")
                self.told = replace(self.told, pressed=(*self.told.pressed, "yes"))
            self.told = replace(self.told, runs=notifier.state().installed)
        except (SmpFailure, SmpRefused):
            return

    def _keep(self, lines: tuple[str, ...]) -> None:
        path = self._workspace / SCREEN
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, ("\n".join(lines) + "\n").encode())

    def _tap(self, record: Record) -> None:
        if record.kind is Kind.MESSAGE:
            self._messages += 1
            self._bytes += len(record.data)
