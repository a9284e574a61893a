"""``tocsin advisory``: write, check, approve, publish and look at an advisory."""

from __future__ import annotations

import importlib

import typer

from gateway.cli.advisory.app import app

for _name in (
    "write",
    "edit",
    "check",
    "render",
    "approve",
    "packet",
    "publish",
    "embargo",
    "translate",
    "csaf",
):  # in the order in which help lists them
    importlib.import_module(f"gateway.cli.advisory.{_name}")


def register(parent: typer.Typer) -> None:
    """Add this group's commands to the application."""
    parent.add_typer(app, name="advisory")
