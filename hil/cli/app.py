"""The application: every verb of the bench, registered."""

from __future__ import annotations

from importlib import import_module

import typer

VERBS: tuple[str, ...] = ()
"""Modules of this package, in the order of ``hil --help``; each has ``register(app)``."""


def make() -> typer.Typer:
    """Return the application with the verbs that are there."""
    app = typer.Typer(
        help="Test real boards over a serial line: plug in, write ten lines, know within minutes.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        add_completion=False,
    )
    for verb in VERBS:
        import_module(f"hil.cli.{verb}").register(app)
    return app
