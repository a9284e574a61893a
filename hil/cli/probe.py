"""``hil probe``: what a board can do, asked of the board itself."""

from __future__ import annotations

import contextlib
import time

import typer
from rich.console import Console

from hil.bench.session import Session
from hil.cli.held import BoardArgument, held
from hil.cli.output import BoardsOption, JsonOption, WaitOption, emit, example
from hil.errors import SmpFailure, SmpRefused


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(epilog=example("probe disco1"))(probe)


def probe(
    name: BoardArgument, boards: BoardsOption = None, *, wait: WaitOption = 0.0, as_json: JsonOption = False
) -> None:
    """Ask a board what it can do, and compare that with what its file claims; exit status 3 if it differs."""
    with held(name, boards, purpose=f"hil probe {name}", wait_s=wait) as board:
        began = time.monotonic()
        with Session.open(board, keep_power=True) as session:
            ready_s = time.monotonic() - began
            found = sorted(session.capabilities)
            firmware = _firmware(session)
            buffer_bytes = session.smp.buffer_bytes if "os" in found else None
    data = {
        "board": name,
        "place": board.place,
        "ready_s": round(ready_s, 3),
        "buffer_bytes": buffer_bytes,
        "capabilities": found,
        "claimed": sorted(board.capabilities) if board.capabilities is not None else None,
        "firmware": firmware,
    }

    def human(out: Console) -> None:
        out.print(f"{name} was ready after {ready_s:.1f} s.")
        for key, value in firmware.items():
            out.print(f"  {key}: {value}")
        out.print("It can do:")
        for capability in found:
            out.print(f"  {capability}")
        if board.capabilities is not None:
            out.print("That is what its file claims.")

    emit(as_json, data, human)


def _firmware(session: Session) -> dict[str, str]:
    """Return who the device says it is; nothing where it knows no such command."""
    if "group.notifier" not in session.capabilities:
        return {}
    with contextlib.suppress(SmpRefused, SmpFailure):
        info = session.smp.notifier.info()
        return {"id": info.id, "class": info.class_, "hw": info.hw, "fw": info.fw}
    return {}
