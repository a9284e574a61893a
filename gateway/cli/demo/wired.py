"""The members of the cast that have no network: boards on serial lines, bridged to the broker.

Their programs are told of no broker. The bench opens a board's line, carries messages both ways, and is its
owner over the same line: reads the screen, presses the buttons, and asks in the end what it runs.
"""

from __future__ import annotations

import sys
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Protocol

from advisories.states import PatchState
from gateway.cli.demo.cast import FIXED_VERSION, Member, Trouble
from gateway.cli.demo.stage import SCREENS
from gateway.files import write_atomic
from hil.bench.board import Board, Boot, Link, Power, Spawn
from hil.bench.session import Session
from hil.bridge.bridge import Bridge
from hil.bridge.effects import Event
from hil.errors import SmpFailure, SmpRefused
from hil.smp.notifier import Screen
from hil.wire.record import Kind, Record

LANGUAGES: Final = ("ja", "en", "de")
"""In this order: letters that are no ASCII show most."""
BOOT_S: Final = 60.0
"""A program's start on a machine that is busy with the rest of the fleet."""
LOOK_S: Final = 0.25
"""The owner looks at the screen so often."""
SCREEN: Final = Path(SCREENS) / "serial" / "console.txt"


def chosen(cast: tuple[Member, ...]) -> Member:
    """Return which simulated device hangs on a serial line: affected, without scripted trouble."""
    wanted = [member for member in cast if member.affected and not member.board]
    able = [member for member in wanted if member.trouble is Trouble.NONE]
    return min(able, key=lambda member: LANGUAGES.index(member.language))


@dataclass(frozen=True, slots=True)
class Told:
    """What the board says of itself over the line."""

    lines: tuple[str, ...] = ()
    """The notice, as it was displayed."""
    confirmed: bool = False
    """What was displayed said that the notice is current."""
    pressed: tuple[str, ...] = ()
    """Buttons, in order."""
    runs: str = ""
    """The version that it measured in the image that booted."""
    reverted: bool = False
    """One of its patches was rolled back."""


class Program(Protocol):
    """What hangs on the line."""

    @property
    def member(self) -> Member:
        """Who it is."""

    @property
    def name(self) -> str:
        """What the closing table calls it."""

    @property
    def about(self) -> str:
        """What it is, in words that follow ``device ID``."""

    @property
    def how(self) -> str:
        """How what it shows was read, in words that end with a colon."""

    @property
    def kept(self) -> Path:
        """File in which what it has shown is kept."""

    def board(self) -> Board:
        """Return how it is started, and reached."""

    def prepare(self, session: Session) -> None:
        """Make it what it shall be, before anything is carried to it."""

    def keep(self, screen: Screen) -> tuple[str, ...]:
        """Keep what it shows, and return it as lines."""

    def more(self) -> dict[str, Any]:
        """Return what ``summary.json`` says of it beside what it says of every board."""


class Simulated:
    """The simulated device, which takes its serial line in the place of a network.

    Args:
        member: who it is.
        workspace: the demo's folder.
    """

    name = "board"
    about = "has no network: its serial line is bridged to the broker"
    how = "read over its serial line; acknowledged over it, too:"

    def __init__(self, member: Member, workspace: Path) -> None:
        self.member = member
        self._workspace = workspace.absolute()
        self.kept = self._workspace / SCREEN

    def board(self) -> Board:
        """Return it as a program on a pseudo-terminal."""
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

    def prepare(self, session: Session) -> None:
        """Do nothing: it has its home in the workspace."""

    def keep(self, screen: Screen) -> tuple[str, ...]:
        """Keep the lines of its console."""
        self.kept.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(self.kept, ("\n".join(screen.lines) + "\n").encode())
        return screen.lines

    def more(self) -> dict[str, Any]:
        """Return nothing."""
        return {}


class Wired:
    """Runs a board, its bridge and its owner in a thread of its own.

    Args:
        program: the board.
        url: the broker.
    """

    def __init__(self, program: Program, url: str) -> None:
        self.program, self.member = program, program.member
        self.failure: Exception | None = None
        """Why it stopped by itself."""
        self.online = threading.Event()
        """Set once it has been subscribed and told so: what is published from then on reaches it."""
        self.told = Told()
        """Replaced as a whole, so that any thread may read it."""
        self._url = url
        self._messages = self._bytes = 0
        self._counts: dict[str, int] = {}
        self._read: set[tuple[str | None, int | None]] = set()
        self._kept: dict[tuple[str | None, int | None], bool] = {}
        """Notices whose screen was kept -> whether it said then that the notice is current."""
        self._look_at = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"serial line of {self.member.id}")

    @property
    def patched(self) -> bool:
        """True when the board says that it runs the mended version."""
        return self.told.runs == FIXED_VERSION[self.member.product]

    @property
    def shown(self) -> bool:
        """True when its screen has been read, in this run or in the one that was interrupted."""
        return self.program.kept.exists()

    def start(self) -> None:
        """Give it power."""
        self._thread.start()

    def leave(self) -> None:
        """Let it come to its end, and do not wait for that."""
        self._stop.set()

    def stop(self) -> None:
        """Take its power, and wait until its process is gone. Safe to call twice, and before the start."""
        self.leave()
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
            "reverted": self.told.reverted,
            "boots": self._counts.get("boot", 0),
            "to_board": self._counts.get("to-board", 0),
            "to_broker": self._counts.get("to-broker", 0),
            "smp_messages": self._messages,
            "smp_bytes": self._bytes,
            **self.program.more(),
        }

    # In the thread.

    def _run(self) -> None:
        try:
            with Session.open(self.program.board(), taps=[self._tap]) as session:
                session.smp.learn_buffer()
                self.program.prepare(session)
                self._live(session)
        except Exception as error:  # noqa: BLE001 - the scenario raises it, whatever it is
            self.failure = error

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
            if screen is not None and screen.id:
                self._read_screen(screen)
            if screen is not None and screen.id and (screen.id, screen.revision) not in self._read:
                notifier.press("acknowledge")
                self._read.add((screen.id, screen.revision))
                self.told = replace(self.told, pressed=(*self.told.pressed, "acknowledge"))
            if screen is not None and screen.asks is not None:
                notifier.press("yes")
                self.told = replace(self.told, pressed=(*self.told.pressed, "yes"))
            state = notifier.state()
            back = any(patch["state"] == PatchState.ROLLED_BACK for patch in state.patches)
            self.told = replace(self.told, runs=state.installed, reverted=self.told.reverted or back)
        except (SmpFailure, SmpRefused):
            return

    def _read_screen(self, screen: Screen) -> None:
        """Keep what is new on the screen: the notice, and later that it is known to be current."""
        notice = (screen.id, screen.revision)
        if notice not in self._kept or (screen.confirmed and not self._kept[notice]):
            self.told = replace(self.told, lines=self.program.keep(screen), confirmed=screen.confirmed)
            self._kept[notice] = screen.confirmed

    def _tap(self, record: Record) -> None:
        if record.kind is Kind.MESSAGE:
            self._messages += 1
            self._bytes += len(record.data)
