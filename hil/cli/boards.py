"""``hil boards``: the board file, checked, shown, described to editors, made from Zephyr's map."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console

from hil.bench import boardfile, twister
from hil.bench.board import Board, schema
from hil.cli.output import BoardsOption, JsonOption, emit, example
from hil.cli.tables import table

_HIDDEN: Final[dict[str, bool | dict[str, bool]]] = {
    "flash": True,
    "reset": {"command": True},
    "power": {"on": True, "off": True},
    "spawn": {"command": True, "env": True},
}


def register(app: typer.Typer) -> None:
    """Add the verb with its four commands."""
    group = typer.Typer(
        help="The board file: check it, show it, describe it to an editor, make it from Zephyr's map.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        add_completion=False,
    )
    group.command("list", epilog=example("boards list"))(list_)
    group.command("check", epilog=example("boards check"))(check)
    group.command("schema", epilog=example("boards schema > hil-boards.schema.json"))(schema_)
    group.command("import-twister", epilog=example("boards import-twister map.yml > hil-boards.toml"))(
        import_twister
    )
    app.add_typer(group, name="boards")


def list_(boards: BoardsOption = None, *, as_json: JsonOption = False) -> None:
    """Show the boards of the board file."""
    path = boards or boardfile.find(Path())
    found = boardfile.load(path, os.environ)

    def human(out: Console) -> None:
        rows = [
            (board.name, board.class_, " ".join(board.tags), _line(board), board.reset.by, board.power.driver)
            for board in found.values()
        ]
        out.print(table(("board", "class", "tags", "line", "reset", "power"), rows))

    emit(as_json, {"file": str(path), "boards": [_plain(board) for board in found.values()]}, human)


def _line(board: Board) -> str:
    return board.link.url or (f"spawned: {board.spawn.driver}" if board.spawn else "")


def _plain(board: Board) -> dict[str, Any]:
    """Return a board as JSON has it, without commands and their environment: passwords may stand in those."""
    kept = board.model_dump(mode="json", by_alias=True, exclude_none=True, exclude=_HIDDEN)
    return {"name": kept.pop("name"), **kept}


def check(boards: BoardsOption = None, *, as_json: JsonOption = False) -> None:
    """Tell every mistake of the board file; exit status 2 if there is one."""
    path = boards or boardfile.find(Path())
    found = boardfile.mistakes(path, os.environ)
    names = [] if found else list(boardfile.load(path, os.environ))

    def human(out: Console) -> None:
        for mistake in found:
            out.print(str(mistake), soft_wrap=True)
        what = f"{len(names)} board{'s' * (len(names) != 1)}: {', '.join(names)}." if names else ""
        out.print(f"{path}: {what or f'{len(found)} to mend.'}")

    rows = [{"where": e.where, "message": e.message, "mend": e.mend, "code": e.code} for e in found]
    emit(as_json, {"file": str(path), "boards": names, "mistakes": rows}, human)
    if found:
        raise typer.Exit(2)


def schema_() -> None:
    """Print the JSON Schema of board files, for Even Better TOML, Taplo and other editors."""
    sys.stdout.write(json.dumps(schema(), indent=2) + "\n")


def import_twister(
    map_: Annotated[Path, typer.Argument(metavar="MAP", help="Zephyr's hardware map, such as map.yml.")],
) -> None:
    """Print a board file with the boards of Zephyr's hardware map."""
    sys.stdout.write(twister.read(map_))
