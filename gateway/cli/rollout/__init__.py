"""``tocsin rollout``: make a plan, approve it, run it, look at it."""

from __future__ import annotations

import importlib

import typer

from gateway.cli.rollout.app import app
from gateway.cli.rollout.printing import print_rollout

__all__ = ["print_rollout", "register"]

for _name in ("start", "create", "approve", "running", "show", "filter"):  # as help lists them
    importlib.import_module(f"gateway.cli.rollout.{_name}")


def register(parent: typer.Typer) -> None:
    """Add this group's commands to the application."""
    parent.add_typer(app, name="rollout")
