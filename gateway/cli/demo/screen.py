"""What the demo shows in the terminal: a story line by line, funnel bars, and a closing table."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.panel import Panel
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from gateway.cli.demo.cast import Outcome

BARS = ("delivered", "shown", "acknowledged", "patched")


class Screen:
    """Prints the story; with ``quiet`` it prints nothing (``--json``)."""

    def __init__(self, console: Console, *, quiet: bool = False) -> None:
        self._console = Console(quiet=True) if quiet else console
        self._progress = Progress(
            TextColumn("  {task.description:<13}"),
            BarColumn(bar_width=44),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=self._console,
            transient=False,
        )
        self._bars: dict[str, TaskID] = {}

    def title(self, devices: int, broker: str, workspace: str) -> None:
        """Say what is about to happen."""
        text = Text.assemble(
            (f"{devices} devices", "bold"),
            " of two products in three languages\n",
            f"broker     {broker}\nworkspace  {workspace}\n",
            ("EXERCISE: the root is marked so, and real devices say so.", "italic"),
        )
        self._console.print(Panel(text, title="tocsin demo", expand=False))

    def say(self, text: str) -> None:
        """One line of the story."""
        self._console.print(f"[bold cyan]>[/] {text}", highlight=False, soft_wrap=True)

    def trouble(self, text: str) -> None:
        """Scripted trouble, named as it happens."""
        self._console.print(f"[bold red]![/] {text}", highlight=False, soft_wrap=True)

    @contextmanager
    def funnel(self, totals: Mapping[str, int]) -> Iterator[None]:
        """Keep the bars on the screen while the block runs."""
        for name in BARS:
            self._bars[name] = self._progress.add_task(name, total=totals[name])
        with self._progress:
            yield

    def update(self, counts: Mapping[str, int]) -> None:
        """Move the bars."""
        for name, bar in self._bars.items():
            self._progress.update(bar, completed=counts[name])

    def device(self, device: str, lines: Sequence[str]) -> None:
        """Show what one device's console shows now."""
        self.say(f"this is what the owner of device {device} sees:")
        self._print(lines)

    def board(self, device: str, how: str, lines: Sequence[str]) -> None:
        """Show what a board shows; ``how`` it was read ends with a colon."""
        self.say(f"this is what board {device} shows, {how}")
        self._print(lines)

    def _print(self, lines: Sequence[str]) -> None:
        # 80 columns wide like the screen itself: a frame around it would not fit an 80-column terminal.
        self._console.print(Text("\n".join(lines), style="on grey11", no_wrap=True), soft_wrap=True)

    def closing(
        self,
        demanded: Outcome,
        measured: Outcome,
        seconds: Mapping[str, float],
        boards: Sequence[tuple[str, str, str]] = (),
    ) -> None:
        """The closing table: what the scenario demands beside what the store holds.

        Args:
            demanded: the numbers that the scenario demands.
            measured: the store's.
            seconds: by name.
            boards: of each on a serial line: what it is, the version that it has to run, and the one that it
                says it runs.
        """
        table = Table(title="What the gateway's store says", title_justify="left")
        table.add_column()
        table.add_column("demanded", justify="right")
        table.add_column("measured", justify="right")
        table.add_column()
        for name, number, found in _rows(demanded, measured):
            table.add_row(name, str(number), str(found), _mark(good=number == found))
        for name, want, got in boards:
            table.add_row(f"{name} runs (says it)", want, got, _mark(good=want == got))
        table.add_section()
        for name, value in seconds.items():
            table.add_row(f"seconds {name}", "", f"{value:.2f}", "")
        self._console.print(table)


def _rows(demanded: Outcome, measured: Outcome) -> Iterator[tuple[str, int, int]]:
    want, got = asdict(demanded), asdict(measured)
    refused_want, refused_got = want.pop("refused"), got.pop("refused")
    for name, value in want.items():
        yield name, value, got[name]
    for reason in sorted(refused_want.keys() | refused_got.keys()):
        yield f"refused {reason}", refused_want.get(reason, 0), refused_got.get(reason, 0)


def _mark(*, good: bool) -> str:
    return "[green]ok[/]" if good else "[bold red]NO[/]"


def to_json(
    outcome: Outcome, seconds: Mapping[str, float], boards: Mapping[str, Mapping[str, Any]] | None = None
) -> str:
    """Return ``summary.json``; ``boards`` is about those on serial lines: name -> what is told of it."""
    return json.dumps({**asdict(outcome), **(boards or {}), "seconds": dict(seconds)}, indent=2) + "\n"
