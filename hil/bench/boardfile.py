"""``hil-boards.toml``: found, read strictly, and every mistake told with its line.

Nothing here opens a port. Values of the environment never appear in a message: they may be secret.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from hil.bench import boardrules
from hil.bench.board import Board, BoardFile, Entry
from hil.bench.boardfaults import Fault, explained, filled, near, shown
from hil.bench.tomllines import Path as Keys
from hil.bench.tomllines import lines_of
from keys.errors import InputError

__all__ = ["FILE_NAME", "Board", "choose", "find", "load", "mistakes", "read", "says_anything"]

FILE_NAME: Final = "hil-boards.toml"
FILE_BYTES_MAX: Final = 1_048_576
DEPTH_MAX: Final = 32  # of tables and lists in each other; a board has six
CODE: Final = "BOARD_FILE"


def find(start: Path) -> Path:
    """Return the board file in a folder or the nearest one above it.

    Raises:
        InputError: NO_BOARD_FILE.
    """
    try:
        start = start.resolve()
    except OSError:  # the folder that this process stands in has been removed
        start = start.parent
    for folder in (start, *start.parents):
        if (folder / FILE_NAME).is_file():
            return folder / FILE_NAME
    message = f"There is no {FILE_NAME} in this folder or above it."
    mend = "Make one with 'hil init PORT', or name one with --boards."
    raise InputError("NO_BOARD_FILE", message, mend=mend, where=str(start))


def load(path: Path, environ: Mapping[str, str]) -> dict[str, Board]:
    """Return the boards of a file by name, in the file's order.

    Args:
        path: the file; at most 1 MiB.
        environ: what ``${NAME}`` in a value stands for.

    Raises:
        InputError: BOARD_FILE, with file and line, for the first mistake; it says how many more there are.
    """
    boards, found = read(_text(path), where=str(path), folder=path.parent, environ=environ)
    if not found:
        return boards
    first, more = found[0], len(found) - 1
    if more:
        mend = f"{first.mend} And {more} more: 'hil boards check' lists them.".strip()
        raise InputError(first.code, first.message, mend=mend, where=first.where)
    raise first


def mistakes(path: Path, environ: Mapping[str, str]) -> list[InputError]:
    """Return every mistake of a file, in the order of its lines.

    Raises:
        InputError: BOARD_FILE, where the file cannot be read at all.
    """
    return read(_text(path), where=str(path), folder=path.parent, environ=environ)[1]


def says_anything(path: Path) -> bool:
    """Say whether a file holds more than comments; what is no TOML does.

    Raises:
        InputError: BOARD_FILE, where it cannot be read at all.
    """
    try:
        return bool(tomllib.loads(_text(path)))
    except (ValueError, RecursionError):
        return True


def choose(
    boards: Mapping[str, Board],
    *,
    name: str | None = None,
    tags: Collection[str] = (),
    class_: str | None = None,
) -> list[Board]:
    """Return the boards that a test or a person may take, in the file's order.

    Args:
        boards: of :func:`load`.
        name: exactly this one.
        tags: all of these.
        class_: of this class.

    Raises:
        InputError: NO_SUCH_BOARD, when there is none.
    """
    if name is not None and name not in boards:
        mend = near(name, boards)
        raise InputError("NO_SUCH_BOARD", f"There is no board '{shown(name)}'.", mend=mend)
    fit = [
        board
        for board in boards.values()
        if name in {None, board.name} and set(tags) <= set(board.tags) and class_ in {None, board.class_}
    ]
    if not fit:
        wishes = [f"name {name}"] * (name is not None) + [f"tag {tag}" for tag in tags]
        wishes += [f"class {class_}"] * (class_ is not None)
        what = ", ".join(wishes) or "any name"
        raise InputError("NO_SUCH_BOARD", f"No board has {what}.", mend="See 'hil boards list'.")
    return fit


def read(
    text: str, *, where: str, folder: Path, environ: Mapping[str, str]
) -> tuple[dict[str, Board], list[InputError]]:
    """Return the boards of a text, or none of them and what is wrong with it."""
    try:
        raw = tomllib.loads(text)
        _require_flat(raw)
        lines = lines_of(text)
    except (ValueError, RecursionError) as error:
        return {}, [_no_toml(error, where)]
    faults: list[Fault] = []
    data = filled(raw, environ, faults)
    boards: dict[str, Board] = {}
    try:
        entries = BoardFile.model_validate(data).board
    except ValidationError as error:
        faults += explained(error, raw)
    else:
        for name, entry in entries.items():
            faults += boardrules.faults(name, entry)
            parts = {field: getattr(entry, field) for field in Entry.model_fields}
            place = f"{where}:{_line(lines, ('board', name))}"
            boards[name] = Board(**parts, name=name, place=place, folder=folder)
    if not faults:
        return boards, []
    ordered = sorted(faults, key=lambda fault: _line(lines, fault.path))
    return {}, [
        InputError(CODE, fault.message, mend=fault.mend, where=f"{where}:{_line(lines, fault.path)}")
        for fault in ordered
    ]


def _text(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            data = stream.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        message = f"The board file cannot be read ({error.strerror or type(error).__name__})."
        mend = "Name one with --boards (pytest: --hil-boards)."
        raise InputError(CODE, message, mend=mend, where=str(path)) from None
    if len(data) > FILE_BYTES_MAX:
        raise InputError(CODE, f"The board file has more than {FILE_BYTES_MAX} bytes.", where=str(path))
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        message = "The board file is not UTF-8 text."
        raise InputError(CODE, message, mend="Save it as UTF-8.", where=f"{path}:{line}") from None


def _require_flat(raw: Mapping[str, Any]) -> None:
    """Raise RecursionError for what nests deeper than a board can: a dotted key may do so in one line."""
    level: list[Any] = [raw]
    for _ in range(DEPTH_MAX):
        tables = [item.values() if isinstance(item, dict) else item for item in level]
        level = [child for items in tables for child in items if isinstance(child, (dict, list))]
        if not level:
            return
    raise RecursionError


def _no_toml(error: Exception, where: str) -> InputError:
    found = re.search(r"at line (\d+)", str(error))
    known = isinstance(error, tomllib.TOMLDecodeError)
    problem = re.sub(r" \(at .*\)$", "", str(error)) if known else "a value is too large or nests too deep"
    place = f"{where}:{found.group(1)}" if found else where
    message = f"This is not TOML: {problem[:1].lower()}{problem[1:]}."
    return InputError(CODE, message, mend="Look at this line: quotes, brackets, commas, keys.", where=place)


def _line(lines: Mapping[Keys, int], path: Keys) -> int:
    while path not in lines:
        path = path[:-1]
    return lines[path]
