"""``hil who``: who uses which board now."""

from __future__ import annotations

import os
import time
from dataclasses import asdict

import typer
from rich.console import Console

from hil.bench import lock
from hil.cli.output import JsonOption, emit, example
from hil.cli.tables import table


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(epilog=example("who"))(who)


def who(*, as_json: JsonOption = False) -> None:
    """Show who uses which board on this machine."""
    found = lock.holders(lock.folder_of(os.environ))

    def human(out: Console) -> None:
        if not found:
            out.print("Nobody uses a board.")
            return
        rows = [
            (
                holder.board,
                holder.user,
                str(holder.pid),
                _clock(holder.since),
                holder.purpose,
                " ".join(holder.ports),
            )
            for holder in found
        ]
        out.print(table(("board", "user", "pid", "since", "for", "ports"), rows))

    emit(as_json, {"holders": [asdict(holder) for holder in found]}, human)


def _clock(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))
