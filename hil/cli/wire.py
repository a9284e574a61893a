"""``hil wire``: a faulty line between any tool and a port."""

from __future__ import annotations

import json
import secrets
import signal
import sys
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Annotated, Any

import typer

from advisories.smp import NOTIFIER_GROUP
from hil.bench.port import close_port, open_port, read_port
from hil.cli.output import JsonOption, console, example
from hil.cli.trace import GroupOption
from hil.errors import BenchError
from hil.plugin.redact import Redactor
from hil.smp.frames import Scanner
from hil.wire.faults import FaultPlan, Faults
from hil.wire.pty import FaultyPty, Heard
from hil.wire.record import Direction, Record
from hil.wire.trace import Trace

_SEED_BITS = 32


def register(parent: typer.Typer) -> None:
    """Add this module's command to the application."""
    parent.command("wire", epilog=example("wire /dev/ttyACM0 --faults faults.toml --seed 7"))(wire)


class _Port:
    """An open port of pyserial, as the faulty PTY needs it."""

    def __init__(self, url: str, baud: int) -> None:
        self.port = open_port(url, baud=baud, dtr=None, rts=None)

    def read(self, wake: int, wait_s: float) -> bytes:
        return read_port(self.port, wake, wait_s)

    def write(self, data: bytes) -> None:
        self.port.write(data)


def wire(
    port: Annotated[str, typer.Argument(help="Device or URL of pyserial, such as socket://127.0.0.1:5000.")],
    *,
    faults: Annotated[Path, typer.Option("--faults", help="What goes wrong: a faults file.")],
    seed: Annotated[
        int | None, typer.Option("--seed", help="Repeats a run; drawn and printed if left out.")
    ] = None,
    link: Annotated[Path | None, typer.Option("--link", help="Make a link to the PTY here.")] = None,
    baud: Annotated[int, typer.Option("--baud", min=50, help="Bits a second.")] = 115_200,
    group: GroupOption = NOTIFIER_GROUP,
    trace: Annotated[
        Path | None, typer.Option("--trace", help="Write what the tool sent and what it got here.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Put a faulty line between any tool and a port, until Ctrl-C; with --json, an object at either end."""
    chosen = secrets.randbits(_SEED_BITS) if seed is None else seed
    line = Faults(FaultPlan.load(faults), chosen, group=group)
    with ExitStack() as stack:
        heard = _tracer(stack.enter_context(Trace(trace)), group) if trace else None
        behind = _Port(port, baud)
        stack.callback(close_port, behind.port)
        pty = FaultyPty(behind, line, link=link, **({"heard": heard} if heard else {}))
        stack.callback(pty.close)
        _say(
            as_json,
            {"pty": pty.name, "seed": chosen},
            f"{pty.name} is {port} with faults, seed {chosen}; Ctrl-C ends it.",
        )
        pty.start()
        lost = ""
        stack.callback(signal.signal, signal.SIGTERM, signal.signal(signal.SIGTERM, _interrupt))
        with suppress(KeyboardInterrupt):
            lost = pty.wait()
    counts = {**pty.counts, **line.counts}
    shown = ", ".join(f"{name} {count}" for name, count in sorted(counts.items()) if count) or "nothing"
    _say(as_json, {"counts": counts, "log": line.log}, f"Seed {chosen}: {shown}.")
    if lost:
        raise BenchError(
            "PORT_GONE", f"The port went away: {lost}.", mend="Look at cable and power.", where=port
        )


def _interrupt(*_: object) -> None:
    """End as by Ctrl-C: a job in the background of a script hears only SIGTERM."""
    raise KeyboardInterrupt


def _say(as_json: bool, data: dict[str, Any], text: str) -> None:  # noqa: FBT001 - the flag of every command
    if as_json:
        sys.stdout.write(json.dumps(data) + "\n")
        sys.stdout.flush()
    else:
        console().print(text)
        sys.stdout.flush()


def _tracer(trace: Trace, group: int) -> Heard:
    """Return who writes a trace of bytes: messages are put together again, keys are blanked."""
    scanners = {Direction.TO_BOARD: Scanner(), Direction.FROM_BOARD: Scanner()}
    redact = Redactor(group=group)

    def heard(direction: Direction, data: bytes) -> None:
        for part in scanners[direction].feed(data):
            trace(redact(Record(time.monotonic(), time.time(), direction, part.kind, part.data)))

    return heard
