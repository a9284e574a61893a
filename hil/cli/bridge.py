"""``hil bridge``: a board without a network takes part in what happens at an MQTT broker."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

import typer
from rich.console import Console

from hil.bench.session import Session
from hil.bridge.bridge import Bridge
from hil.bridge.broker import TlsFiles
from hil.bridge.effects import Event
from hil.cli.held import BoardArgument, held
from hil.cli.output import BoardsOption, JsonOption, WaitOption, console, emit, example

_SIZED = frozenset({"to-board", "to-broker", "note"})
_REOPEN_S = 0.1  # for one look at a port that went away; the bridge looks again


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(epilog=example("bridge disco1 --broker mqtt://127.0.0.1:1883"))(bridge)


def bridge(
    name: BoardArgument,
    *,
    broker: Annotated[str, typer.Option(metavar="URL", help="MQTT 5 broker, mqtt:// or mqtts://.")],
    seconds: Annotated[
        float | None, typer.Option("--for", min=0.0, help="End after this many seconds; else at Ctrl-C.")
    ] = None,
    ca: Annotated[Path | None, typer.Option(help="PEM of whom to trust with mqtts://.")] = None,
    cert: Annotated[Path | None, typer.Option(help="PEM of the device's certificate.")] = None,
    key: Annotated[Path | None, typer.Option(help="PEM of its private key.")] = None,
    boards: BoardsOption = None,
    wait: WaitOption = 0.0,
    as_json: JsonOption = False,
) -> None:
    """Be the modem of a board: carry messages between an MQTT broker and its serial line.

    The board's own id is its name at the broker. Nothing is acknowledged to either side before the other has
    it. With --json what passed is counted in one object at the end.
    """
    tls = TlsFiles(ca, cert, key)
    out = console()
    started = time.monotonic()
    with contextlib.ExitStack() as stack:
        board = stack.enter_context(held(name, boards, purpose=f"hil bridge {name}", wait_s=wait))
        session = stack.enter_context(Session.open(board, keep_power=True))
        session.smp.learn_buffer()
        made = Bridge(
            session.smp.notifier,
            broker,
            tls=tls,
            reopen=lambda: session.connect(_REOPEN_S),
            on_event=None if as_json else lambda event: _print(out, event),
        )
        with _until_asked(seconds) as stop:
            made.run(stop)
    spent = time.monotonic() - started
    data = {"board": name, "device": made.device, "seconds": round(spent, 1), **summary(made.counts)}
    emit(as_json, data, lambda out: _close(out, made.device, spent, data))


@contextlib.contextmanager
def _until_asked(seconds: float | None) -> Iterator[threading.Event]:
    """Return what is set by Ctrl-C, by SIGTERM, or after a while; Ctrl-C is passed on in the end."""
    stop = threading.Event()
    got: list[int] = []

    def ask(number: int, _frame: FrameType | None) -> None:
        got.append(number)
        stop.set()

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    longest = threading.TIMEOUT_MAX  # of a wait: some centuries
    timer = threading.Timer(min(seconds, longest), stop.set) if seconds is not None else None
    try:
        if timer is not None:
            timer.start()
        yield stop
    finally:
        if timer is not None:
            timer.cancel()
        for number, handler in before.items():
            signal.signal(number, handler)
    if signal.SIGINT in got:
        raise KeyboardInterrupt


def summary(counts: Counter[str]) -> dict[str, Any]:
    """Return what a bridge counted, as ``--json`` has it."""
    verdicts = {name.removeprefix("verdict "): n for name, n in counts.items() if name.startswith("verdict ")}
    return {
        "to_board": {
            "messages": counts["to-board"],
            "bytes": counts["to-board_bytes"],
            "verdicts": dict(sorted(verdicts.items())),
        },
        "to_broker": {"messages": counts["to-broker"], "bytes": counts["to-broker_bytes"]},
        "boots": counts["boot"],
        "notes": counts["note"],
    }


def _print(out: Console, event: Event) -> None:
    """Print one line; what a board or broker says cannot steer the terminal."""
    size = f"{event.size} byte{'s' * (event.size != 1)}" if event.kind in _SIZED else ""
    said = ", ".join(part for part in (event.topic, size) if part)
    line = f"{event.kind:<12}" + ": ".join(part for part in (said, event.text) if part)
    out.print("".join(c if c.isprintable() else "?" for c in line))
    out.file.flush()


def _close(out: Console, device: str, seconds: float, data: dict[str, Any]) -> None:
    up, down = data["to_broker"], data["to_board"]
    out.print(
        f"Bridged {device} for {seconds:.0f} s: {down['messages']} messages ({down['bytes']} bytes)"
        f" to the board, {up['messages']} ({up['bytes']} bytes) to the broker."
    )
