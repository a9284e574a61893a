"""``hil replay``: the requests of a trace sent again, and the answers compared."""

from __future__ import annotations

from collections import Counter
from typing import Annotated

import typer
from rich.console import Console

from advisories.smp import NOTIFIER_GROUP
from hil.bench.session import Session
from hil.cli.held import held
from hil.cli.output import BoardsOption, JsonOption, WaitOption, emit, example
from hil.cli.powersweep import require_destructive
from hil.cli.trace import FileArgument, GroupOption
from hil.sweep.resend import Outcome, resend
from hil.wire import trace as traces
from hil.wire.replay import steps
from keys.errors import InputError


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(epilog=example("replay trace.pcapng --board sim1"))(replay)


def replay(
    file: FileArgument,
    *,
    board_name: Annotated[str, typer.Option("--board", help="Name of the board in the board file.")],
    boards: BoardsOption = None,
    timing: Annotated[
        bool, typer.Option("--timing", help="Leave as much time between requests as there was.")
    ] = False,
    destructive: Annotated[
        bool,
        typer.Option("--destructive", help="Also send what may act twice or changes what the board runs."),
    ] = False,
    group: GroupOption = NOTIFIER_GROUP,
    wait: WaitOption = 0.0,
    as_json: JsonOption = False,
) -> None:
    """Send the requests of a trace to a board again; exit status 1 if it answers otherwise than it did."""
    todo = steps(traces.load(file), destructive=destructive, group=group)
    if not todo:  # silence must not look like agreement
        message = "No request to a board is in the trace."
        raise InputError("TRACE_FILE", message, mend="Give the trace.pcapng of a run.", where=str(file))
    with held(board_name, boards, purpose=f"hil replay {file.name}", wait_s=wait) as board:
        if destructive:
            require_destructive(board)
        with Session.open(board, keep_power=True) as session:
            outcomes = list(resend(session, todo, timing=timing))
    counts = Counter(outcome.verdict for outcome in outcomes)

    def human(out: Console) -> None:
        for outcome in outcomes:
            for line in _lines(outcome):
                out.print(line)
        shown = ", ".join(f"{count} {name}" for name, count in sorted(counts.items())) or "none"
        out.print(f"{len(outcomes)} requests: {shown}.")

    data = {"counts": dict(counts), "requests": [_as_json(outcome) for outcome in outcomes]}
    emit(as_json, data, human)
    if any(outcome.failed for outcome in outcomes):
        raise typer.Exit(1)


def _lines(outcome: Outcome) -> list[str]:
    """Return what a person must know; of an answer that is the same, nothing."""
    if outcome.verdict == "same":
        return []
    head = f"record {outcome.step.place}, {outcome.step.command}: {outcome.verdict}"
    if outcome.verdict != "differs":
        return [f"{head} ({outcome.lines[0]})"]
    return [head, *(f"  {line}" for line in outcome.lines)]


def _as_json(outcome: Outcome) -> dict[str, object]:
    return {
        "record": outcome.step.place,
        "command": outcome.step.command,
        "verdict": outcome.verdict,
        "lines": outcome.lines,
    }
