"""The application: every verb of the bench, registered."""

from __future__ import annotations

import importlib.metadata
import sys
from importlib import import_module
from typing import Annotated

import typer

VERBS: tuple[str, ...] = (
    "init",
    "boards",
    "probe",
    "console",
    "power",
    "who",
    "doctor",
    "wire",
    "bridge",
    "powersweep",
    "replay",
    "report",
    "trace",
)
"""Modules of this package, in the order of ``hil --help``; each has ``register(app)``."""


def _version(value: bool) -> None:  # noqa: FBT001 - typer calls it with the flag
    if value:
        sys.stdout.write(f"hil of tocsin {importlib.metadata.version('tocsin')}\n")
        raise typer.Exit


def _options(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    """Test real boards over a serial line: plug in, write ten lines, know within minutes."""


def make() -> typer.Typer:
    """Return the application with every verb."""
    app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False)
    app.callback()(_options)
    for verb in VERBS:
        import_module(f"hil.cli.{verb}").register(app)
    return app
