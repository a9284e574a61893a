"""``tocsin site``: the public pages, feeds and CSAF tree, as files for any web server."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from gateway.cli.output import JsonOption, WorkspaceOption, emit, example, group, now, open_workspace
from gateway.operations import openpgp, site

app = group("The public pages, feeds and CSAF tree, as files for any web server.")


def register(parent: typer.Typer) -> None:
    """Add this module's commands to the application."""
    parent.add_typer(app, name="site")


@app.command("build", epilog=example("site build public"))
def build(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="New, empty, or an earlier build.")],
    *,
    key: Annotated[
        Path | None,
        typer.Option(
            "--openpgp-key", help="OpenPGP private key that signs CSAF documents (a trusted provider)."
        ),
    ] = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write pages, questions, check codes, feeds, security.txt and the CSAF tree of what is published."""
    opened = open_workspace(workspace)
    sign, public = openpgp.signer(key) if key is not None else (None, None)
    done = site.write(opened, folder, now=now(), sign=sign, openpgp=public)

    def human(out: Console) -> None:
        signed = "signed with OpenPGP" if done.signed else "not signed with OpenPGP"
        out.print(
            f"Wrote {folder}: {done.files} files, {len(done.notices)} notices, "
            f"{done.documents} CSAF documents, {signed}.",
            markup=False,
        )
        for advisory, why in done.left_out.items():
            out.print(f"  left out {advisory}: {why}", markup=False)

    emit(
        as_json,
        {
            "folder": folder,
            "files": done.files,
            "notices": list(done.notices),
            "documents": done.documents,
            "signed": done.signed,
            "left_out": done.left_out,
        },
        human,
    )
