"""How the bench's commands speak: text for people, one JSON object for scripts."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

WIDTH_PLAIN = 100  # columns where the output is not a terminal

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]
BoardsOption = Annotated[
    Path | None,
    typer.Option(
        "--boards", envvar="HIL_BOARDS", help="Board file; hil-boards.toml here or above if left out."
    ),
]
WaitOption = Annotated[
    float, typer.Option("--wait", min=0.0, help="Wait so many seconds for a board that somebody else uses.")
]


def example(line: str) -> str:
    """Return the epilog of a command's help: one line that can be typed as it is."""
    return f"Example: hil {line}"


def console() -> Console:
    """Return the console for people: stdout, of a plain page's width when it is not a terminal."""
    width = None if sys.stdout.isatty() else WIDTH_PLAIN
    return Console(width=width, highlight=False, soft_wrap=True, emoji=False, markup=False)


def emit(as_json: bool, data: Mapping[str, Any], human: Callable[[Console], None]) -> None:  # noqa: FBT001 - the flag of every command
    """Print the outcome of a command once, as JSON or for people."""
    if as_json:
        sys.stdout.write(json.dumps(data, indent=2, ensure_ascii=False) + "\n")
        sys.stdout.flush()
    else:
        human(console())
