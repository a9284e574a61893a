"""``hil console``: a board's console, live; what is typed goes to the board."""

from __future__ import annotations

import contextlib
import os
import select
import sys
import threading
import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated, BinaryIO, Final

import typer

from hil.bench.board import Board
from hil.bench.console import plain
from hil.bench.session import Session
from hil.cli.held import BoardArgument, held
from hil.cli.output import BoardsOption, WaitOption, example
from hil.errors import BenchError, DeviceGone
from hil.wire import spell
from hil.wire.record import Direction, Kind, Record

_TURN_S: Final = 0.1  # between looks at the clock and at a port that is away
_INPUT_BYTES: Final = 4096


class Ending(StrEnum):
    """What the Enter key sends."""

    LF = "lf"
    CR = "cr"
    CRLF = "crlf"


_ENDINGS: Final = {Ending.LF: b"\n", Ending.CR: b"\r", Ending.CRLF: b"\r\n"}


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(epilog=example("console disco1 --for 10 --log boot.log"))(console)


def console(
    name: BoardArgument,
    boards: BoardsOption = None,
    *,
    seconds: Annotated[float, typer.Option("--for", min=0.0, help="End after so many seconds.")] = 0.0,
    log: Annotated[Path | None, typer.Option(help="Also write the console to this file, as it came.")] = None,
    frames: Annotated[bool, typer.Option("--frames", help="Show SMP messages, decoded.")] = False,
    enter: Annotated[Ending, typer.Option(help="What the Enter key sends.")] = Ending.LF,
    wait: WaitOption = 0.0,
) -> None:
    """Show a board's console from its start; typed lines go to the board, Ctrl-C ends."""
    with contextlib.ExitStack() as stack:
        board = stack.enter_context(held(name, boards, purpose=f"hil console {name}", wait_s=wait))
        file = stack.enter_context(_opened(log)) if log else None
        show = _Show(board, file, frames=frames)
        with contextlib.suppress(KeyboardInterrupt):
            session = stack.enter_context(Session.open(board, taps=[show], ready=False, keep_power=True))
            _talk(session, _ENDINGS[enter], time.monotonic() + seconds if seconds else None)


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("ab", buffering=0)
    except OSError as error:
        message = f"The log cannot be written: {error.strerror}."
        raise BenchError("LOG_WRITE", message, mend="Choose another --log.", where=str(path)) from None


class _Show:
    """A tap that writes to the terminal: text as it came, everything else as lines of its own."""

    def __init__(self, board: Board, file: BinaryIO | None, *, frames: bool) -> None:
        self._group, self._file, self._frames = board.link.group, file, frames
        self._colours = sys.stdout.isatty()  # escape sequences are for a terminal only
        self._at_start = True
        self._lock = threading.Lock()

    def __call__(self, record: Record) -> None:
        with self._lock:
            if record.direction is Direction.FROM_BOARD and record.kind in {Kind.TEXT, Kind.NOISE}:
                if self._file is not None:
                    self._file.write(record.data)
                raw = record.data.decode(errors="replace")
                self._write(raw if self._colours else plain(record.data))
            elif record.kind is Kind.EVENT or (self._frames and record.kind is Kind.MESSAGE):
                start = "" if self._at_start else "\n"
                self._write(f"{start}{spell.line(record, self._group)}\n")

    def _write(self, text: str) -> None:
        if text:
            self._at_start = text.endswith("\n")
            sys.stdout.write(text)
            sys.stdout.flush()


def _talk(session: Session, ending: bytes, until: float | None) -> None:
    """Pass on what is typed until the time is over; wait for a port that went away."""
    typed = _typed()
    while until is None or time.monotonic() < until:
        left = _TURN_S if until is None else max(0.0, min(_TURN_S, until - time.monotonic()))
        ready, _, _ = select.select(typed, [], [], left)
        try:
            if ready:
                data = os.read(typed[0], _INPUT_BYTES)
                if not data:
                    typed = []
                    if sys.stdin.isatty():  # Ctrl-D
                        return
                session.console_line.write(data.replace(b"\n", ending))
            elif not session.console_line.alive:
                session.connect(0.0)
        except DeviceGone:
            continue
        except BenchError as error:
            if error.code != "PORT_MISSING":
                raise


def _typed() -> list[int]:
    """Return the descriptor of standard input; nothing where there is none."""
    try:
        return [sys.stdin.fileno()]
    except (OSError, ValueError, AttributeError):
        return []
