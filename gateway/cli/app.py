"""The application: every group of commands, registered; or only the one that a command line needs.

Importing every room takes most of a short command's time, so a command line imports its own module only.
"""

from __future__ import annotations

import importlib
import sys
from functools import cache
from typing import Annotated, Final

import typer

from gateway.cli.output import group

COMMANDS: Final = {
    "init": "setup",
    "product": "product",
    "key": "key",
    "root": "root",
    "sign-request": "sign_request",
    "doctor": "doctor",
    "catalogue": "catalogue",
    "device": "device",
    "fleet": "fleet",
    "incident": "incident",
    "clocks": "clocks",
    "advisory": "advisory",
    "desk": "desk",
    "reply": "reply",
    "call": "call",
    "site": "site",
    "review": "review",
    "preparedness": "preparedness",
    "patch": "patch",
    "status": "status",
    "followup": "followup",
    "rollout": "rollout",
    "account": "account",
    "token": "token",
    "webhook": "webhook",
    "alerts": "alerts",
    "serve": "serve",
    "store": "store",
    "quarantine": "quarantine",
    "broker": "broker",
    "audit": "audit",
    "evidence": "evidence",
    "verify": "verify",
    "demo": "demo",
    "drill": "drill",
}
"""First word of a command line -> module beside this one, in the order of ``tocsin --help``."""
_SAYS: Final = (
    "Tell the owners of embedded devices the truth about their security, signed, and bring the patch."
)


@cache
def make(first: str | None = None) -> typer.Typer:
    """Return the application with the commands of one first word, or with all where there is no such word."""
    app = group(_SAYS)
    chosen = [COMMANDS[first]] if first in COMMANDS else dict.fromkeys(COMMANDS.values())
    for name in chosen:
        importlib.import_module(f"gateway.cli.{name}").register(app)
    app.callback(help=_SAYS)(_options)
    return app


def _version(value: bool) -> None:  # noqa: FBT001 - typer calls it with the flag
    if value:
        import importlib.metadata  # noqa: PLC0415 - slow, and asked for by nobody else

        sys.stdout.write(f"tocsin {importlib.metadata.version('tocsin')}\n")
        raise typer.Exit


def _options(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and end.")
    ] = False,
    server: Annotated[
        str | None,
        typer.Option(
            help="Work through the API of a gateway, e.g. https://gateway.example.com:8080 (TOCSIN_SERVER), "
            "with the token in TOCSIN_TOKEN or a file; it may stand anywhere on the line."
        ),
    ] = None,
    server_ca: Annotated[
        str | None, typer.Option(help="PEM file of the CA of its certificate (TOCSIN_SERVER_CA).")
    ] = None,
    token_file: Annotated[
        str | None,
        typer.Option(help="File that holds the token (TOCSIN_TOKEN_FILE); ~/.config/tocsin/token otherwise."),
    ] = None,
) -> None:
    """Take the options of the whole program; those of a server were taken from the line before."""
