"""The group of commands about advisories, and what its modules share."""

from __future__ import annotations

from typing import Annotated

import typer

from gateway.cli.output import group

app = group("What owners are told.")
IdArgument = Annotated[str, typer.Argument(metavar="ID", help="Advisory id, e.g. EX-2026-0001.")]
