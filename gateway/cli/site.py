"""``tocsin site``: the public pages, feeds and CSAF tree, as files for any web server."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from gateway.cli.output import (
    ByOption,
    JsonOption,
    WorkspaceOption,
    emit,
    example,
    group,
    now,
    open_workspace,
    person,
)
from gateway.cli.own import is_afar
from gateway.operations import openpgp, site
from gateway.operations.site import Built, OpenPgp
from gateway.workspace.folder import Workspace

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
    by: ByOption = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write pages, questions, check codes, feeds, security.txt and the CSAF tree of what is published."""
    opened, who = open_workspace(workspace), person(by)
    sign, public = openpgp.signer(key) if key is not None else (None, None)
    if is_afar():
        done = _here(opened, folder, sign, public, by=who)
    else:
        done = site.write(opened, folder, now=now(), by=who, sign=sign, openpgp=public)

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


def _here(opened: Workspace, folder: Path, sign: OpenPgp | None, public: bytes | None, *, by: str) -> Built:
    """Have the site built there, sign its documents and write it on this machine."""
    site.require_ours(folder)
    signatures = None
    if sign is not None:
        signatures = {each.path: sign(each.data) for each in site.documents(opened, now=now())}
    made = site.make(opened, now=now(), by=by, signatures=signatures, openpgp=public)
    site.replace(folder, made.site)
    return made.built
