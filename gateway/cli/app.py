"""The application: every group of commands, registered."""

from __future__ import annotations

import importlib.metadata
import sys
from typing import Annotated

import typer

from gateway.cli import (
    advisory,
    call,
    catalogue,
    clocks,
    demo,
    desk,
    device,
    doctor,
    drill,
    fleet,
    incident,
    key,
    patch,
    preparedness,
    product,
    reply,
    review,
    rollout,
    root,
    serve,
    setup,
    sign_request,
    site,
    verify,
)
from gateway.cli.output import group

app = group(
    "Tell the owners of embedded devices the truth about their security, signed, and bring the patch."
)
for module in (
    setup,
    product,
    key,
    root,
    sign_request,
    doctor,
    catalogue,
    device,
    fleet,
    incident,
    clocks,
    advisory,
    desk,
    reply,
    call,
    site,
    review,
    preparedness,
    patch,
    rollout,
    serve,
    verify,
    demo,
    drill,
):
    module.register(app)


def _version(value: bool) -> None:  # noqa: FBT001 - typer calls it with the flag
    if value:
        sys.stdout.write(f"tocsin {importlib.metadata.version('tocsin')}\n")
        raise typer.Exit


@app.callback()
def _options(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    """Tell the owners of embedded devices the truth about their security, signed, and bring the patch."""
