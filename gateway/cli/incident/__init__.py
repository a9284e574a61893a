"""``tocsin incident``: what is recorded of a matter from the first hour on, and drafts for authorities."""

from __future__ import annotations

import importlib

import typer

from gateway.cli.incident.app import app

for _name in ("begin", "record", "tell", "draft", "look"):  # in the order in which help lists them
    importlib.import_module(f"gateway.cli.incident.{_name}")


def register(parent: typer.Typer) -> None:
    """Add this group's commands to the application."""
    parent.add_typer(app, name="incident")
