"""``tocsin advisory export`` and ``import``: CSAF 2.0 documents."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console

from advisories.csaf.profiles import CATEGORIES
from advisories.csaf.tracking import STATES
from gateway import files
from gateway.cli.advisory.app import IdArgument, app
from gateway.cli.output import JsonOption, WorkspaceOption, emit, example, now, open_workspace
from gateway.cli.own import place_of, written_at
from gateway.operations.advisories import csaf
from keys.errors import InputError

LOSSES_SHOWN: Final = 20


@app.command("export", epilog=example("advisory export EX-2026-0001 --csaf --out csaf/"))
def export(
    advisory: IdArgument,
    *,
    as_csaf: Annotated[bool, typer.Option("--csaf", help="As CSAF 2.0: the one format there is.")] = False,
    languages: Annotated[
        list[str] | None, typer.Option("--lang", metavar="LANG", help="Only this language; may be repeated.")
    ] = None,
    profile: Annotated[
        str | None, typer.Option("--profile", metavar="PROFILE", help=f"{', '.join(CATEGORIES)}.")
    ] = None,
    status: Annotated[
        str | None, typer.Option("--status", metavar="STATUS", help=f"{', '.join(STATES)}.")
    ] = None,
    revision: Annotated[
        int | None, typer.Option("--revision", metavar="N", help="A published one; else the newest words.")
    ] = None,
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR|FILE", help="Folder, or a file that ends in .json.")
    ] = Path(),
    validate: Annotated[
        bool, typer.Option("--validate", help="Run an independent validator first (tocsin[csaf]).")
    ] = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write documents that machines read, one a language: of what was published, else drafts."""
    if not as_csaf:
        raise InputError("NO_FORMAT", "Say in which format.", mend="CSAF 2.0 is there: --csaf.")
    _require("profile", profile, tuple(CATEGORIES))
    _require("status", status, STATES)
    found = csaf.documents(
        open_workspace(workspace),
        advisory,
        languages=languages or (),
        profile=profile,
        status=status,
        revision=revision,
        now=now(),
    )
    if validate:
        csaf.validate(found)
    paths = csaf.write(found, out)
    rows = [
        {
            "language": document.language,
            "path": path,
            "status": document.status,
            "version": document.version,
            "category": document.category,
        }
        for path, document in zip(paths, found, strict=True)
    ]

    def human(console: Console) -> None:
        for row in rows:
            what = f"{row['category']}, {row['language']}, {row['status']} {row['version']}"
            console.print(files.visible(f"Wrote {row['path']}: {what}."), markup=False)

    emit(as_json, {"advisory": advisory, "valid": True if validate else None, "documents": rows}, human)


def _require(option: str, given: str | None, known: tuple[str, ...]) -> None:
    if given is not None and given not in known:
        raise InputError(
            "BAD_OPTION", f"'{files.visible(given)}' is no {option}.", mend=files.near(given, known)
        )


@app.command("import", epilog=example("advisory import supplier.json --id EX-2026-0002"))
def take(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A CSAF 2.0 document.")],
    *,
    advisory: Annotated[
        str | None, typer.Option("--id", metavar="ID", help="Id of the new advisory; else the document's.")
    ] = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take over a CSAF 2.0 document as a new advisory, and say what of it could not be carried over."""
    opened = open_workspace(workspace)
    found = csaf.take(opened, csaf.read(file), advisory=advisory, where=place_of(file))
    path = written_at(opened, found.path)

    def human(out: Console) -> None:
        kept = f"{found.carried} values carried over, {found.derived} that follow from them"
        lines = [f"Wrote {path}: {kept}, {len(found.losses)} lost."]
        lines += [f"Assumed: {key}, for {why}." for key, why in found.assumed]
        lines += [f"Lost: {loss.path} ({loss.what}), for {loss.why}." for loss in found.losses[:LOSSES_SHOWN]]
        if len(found.losses) > LOSSES_SHOWN:
            lines.append(f"And {len(found.losses) - LOSSES_SHOWN} more: --json tells them all.")
        lines.append(f"Next: tocsin advisory check {found.id}.")
        for line in lines:
            out.print(files.visible(line), markup=False)

    emit(
        as_json,
        {
            "advisory": found.id,
            "path": path,
            "carried": found.carried,
            "derived": found.derived,
            "lost": len(found.losses),
            "losses": list(found.losses),
            "assumed": [{"key": key, "why": why} for key, why in found.assumed],
        },
        human,
    )
