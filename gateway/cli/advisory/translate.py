"""``tocsin advisory translate``: send texts to translators, and take them back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from gateway.cli.advisory.app import IdArgument, app
from gateway.cli.output import (
    JsonOption,
    WorkspaceOption,
    emit,
    example,
    group,
    now,
    open_workspace,
    say,
    table,
)
from gateway.cli.own import place_of
from gateway.operations.advisories import translations

translate = group("Send texts to translators, and take them back: PO and XLIFF 2.1.")
app.add_typer(translate, name="translate")


@translate.command("export", epilog=example("advisory translate export EX-2026-0001 fr EX-2026-0001.fr.po"))
def export(
    advisory: IdArgument,
    language: Annotated[str, typer.Argument(metavar="LANG", help="Language to translate into, e.g. fr.")],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Ends in .po, .xlf or .xliff.")],
    *,
    source: Annotated[
        str | None,
        typer.Option("--from", metavar="LANG", help="Language to translate from; the source without it."),
    ] = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write every paragraph with its limit and its protected words, and what is translated already."""
    made = translations.export(open_workspace(workspace), advisory, language, file, source=source, now=now())
    done = sum(bool(unit.target) for unit in made.units)
    emit(
        as_json,
        {
            "advisory": advisory,
            "language": language,
            "file": file,
            "paragraphs": len(made.units),
            "done": done,
        },
        say(
            f"Wrote {file}: {len(made.units)} paragraphs from '{made.source_language}', {done} done already."
        ),
    )


@translate.command(
    "import", epilog=example("advisory translate import EX-2026-0001 EX-2026-0001.fr.po --translator NAME")
)
def take(
    advisory: IdArgument,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What the translator sent back.")],
    *,
    translator: Annotated[str, typer.Option("--translator", metavar="NAME", help="Who translated it.")],
    signed_off: Annotated[
        str | None,
        typer.Option("--signed-off", metavar="WHO", help="Who read it last, and when."),
    ] = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Put a finished translation into the advisory; stale, unfinished or altered ones are refused."""
    back = translations.take(
        open_workspace(workspace),
        advisory,
        file,
        translator=translator,
        signed_off=signed_off,
        where=place_of(file),
    )
    emit(
        as_json,
        {"advisory": advisory, "language": back.language, "paragraphs": len(back.units)},
        say(
            f"{advisory} speaks '{back.language}': {len(back.units)} paragraphs. "
            f"Next: tocsin advisory check {advisory}."
        ),
    )


@translate.command("status", epilog=example("advisory translate status EX-2026-0001"))
def status(advisory: IdArgument, workspace: WorkspaceOption = None, *, as_json: JsonOption = False) -> None:
    """Show how far each language is, and who stands for it."""
    found = translations.standings(open_workspace(workspace), advisory)

    def human(out: Console) -> None:
        rows = (
            (
                each.language,
                each.state,
                "yes" if each.served else "no",
                each.translator or "",
                each.signed_off or each.waived_by or "",
                ", ".join(each.missing),
            )
            for each in found
        )
        out.print(
            table(
                ("language", "state", "devices ask", "translator", "signed off or waived by", "lacks"), rows
            )
        )

    emit(as_json, {"advisory": advisory, "languages": found}, human)
