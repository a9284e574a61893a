"""``tocsin verify``: is this file genuine?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from gateway import files
from gateway.cli.output import JsonOption, WorkspaceOption, emit, example, now, open_workspace, utc
from gateway.operations.trust.verify import Verdict, Verified, verify
from keys.errors import RefusedError
from keys.trusted import TrustedSet


def register(parent: typer.Typer) -> None:
    """Add this module's command to the application."""
    parent.command("verify", epilog=example("verify notice.cose --root 1.cose"))(verify_)


def _roots(paths: list[Path]) -> TrustedSet:
    """Walk root files in the order given."""
    trusted: TrustedSet | None = None
    for path in paths:
        data = files.read_bytes(path, what="root", mend="Check the path.")
        try:
            if trusted is None:
                trusted = TrustedSet.enrol(data, None)
            else:
                trusted.update_root(data, None)
        except RefusedError as error:
            error.where = str(path)
            raise
    assert trusted is not None, "typer gives at least one path here"
    return trusted


def verify_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A signed document or a SUIT envelope.")],
    *,
    root: Annotated[
        list[Path] | None,
        typer.Option("--root", help="Root 1, and its successors in order; the workspace's if left out."),
    ] = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say whether a file is genuine, who signed it, in which role and when; exit status 1 if it is not."""
    data = files.read_bytes(file, what="file", mend="Check the path.")
    classes: dict[bytes, str] = {}
    if root:
        trusted = _roots(root)
    else:
        opened = open_workspace(workspace)
        trusted = opened.trusted()
        classes = {product.class_id: product.id for product in opened.products().values()}
    found = verify(data, trusted, now=now(), classes=classes, where=str(file))
    emit(
        as_json,
        {"file": file, "root": trusted.root.version, "result": found},
        lambda out: _print(file, found, out),
    )
    if found.verdict is not Verdict.GENUINE:
        raise typer.Exit(1)


def _print(file: Path, found: Verified, out: Console) -> None:
    detail = f" ({found.reason.name}: {found.detail})" if found.verdict is not Verdict.GENUINE else ""
    out.print(f"{file}: {found.verdict.value}{detail}", markup=False)
    about = " ".join(part for part in (found.type, found.name, ", ".join(found.subject)) if part)
    out.print(about, markup=False)
    for signed in found.signed:
        out.print(f"signed by {signed.holder} ({', '.join(signed.roles)}), key {signed.kid}", markup=False)
    if found.issued is not None:
        out.print(f"issued {utc(found.issued)}, expires {utc(found.expires)}")
    out.print(f"digest {found.digest}")
    if found.check_code:
        out.print(f"check code {found.check_code}")
