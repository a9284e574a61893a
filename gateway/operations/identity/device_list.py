"""Lists of devices as files: CSV or JSON, decoded strictly into rows that know their line."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from gateway import files
from keys.errors import InputError

FILE_BYTES_MAX: Final = 64 * 1024 * 1024
COLUMNS: Final = ("id", "product", "key", "valid_from", "valid_to", "algorithms")
REQUIRED: Final = ("product", "key")

Row = tuple[int, Mapping[str, Any]]
"""Line on which it begins, and column -> value."""


def read_rows(path: Path) -> Iterator[Row]:
    """Yield the rows of a list. JSON is told by the file's name or its first character.

    Raises:
        InputError: FILE_MISSING, FILE_TOO_BIG, NOT_UTF8, BAD_LIST with file and line.
    """
    mend = "Name a CSV or JSON file."
    data = files.read_bytes(path, what="list of devices", mend=mend, size_max=FILE_BYTES_MAX)
    text = _decode(data, path)
    guessed = path.suffix.lower() != ".csv" and text.lstrip()[:1] in {"[", "{"}
    read: Callable[[str, str], Iterator[Row]] = (
        _json_rows if path.suffix.lower() == ".json" or guessed else _csv_rows
    )
    return read(text, str(path))


def bad(where: str, message: str, mend: str) -> InputError:
    """Return the error of a list that cannot be read as rows."""
    return InputError("BAD_LIST", message, mend=mend, where=where)


def _decode(data: bytes, path: Path) -> str:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise InputError(
            "NOT_UTF8", "This is not UTF-8 text.", mend="Save it as UTF-8.", where=f"{path}:{line}"
        ) from None
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise InputError(
            "NOT_UTF8", "This is not plain text.", mend="Save it as UTF-8.", where=f"{path}:{line}"
        )
    return text


def _csv_rows(text: str, where: str) -> Iterator[Row]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    header: list[str] | None = None
    start = 1
    while True:
        try:
            cells = next(reader, None)
        except csv.Error as error:
            mend = "Close the quotes, and write one device a line."
            raise bad(f"{where}:{start}", f"This is not CSV ({error}).", mend) from None
        if cells is None:
            return
        line, start = start, reader.line_num + 1
        if not any(cell.strip() for cell in cells):
            continue
        if header is None:
            header = [cell.strip().lower() for cell in cells]
            _check_header(header, f"{where}:{line}")
        elif len(cells) != len(header):
            message = f"{len(cells)} fields, but the first line names {len(header)}."
            raise bad(f"{where}:{line}", message, "Give each line one field a column.")
        else:
            yield line, {name: cell.strip() for name, cell in zip(header, cells, strict=True) if cell.strip()}


def _check_header(header: list[str], where: str) -> None:
    for name in header:
        other = next((sign for sign in ";\t|" if sign in name), None)
        if other is not None:
            message = f"The columns are separated by {other!r}; a comma is expected."
            raise bad(where, message, "Save it as CSV with commas.")
        if name not in COLUMNS:
            mend = files.near(name, COLUMNS)
            raise bad(where, f"'{name[:64]}' is not a known column.", mend)
        if header.count(name) > 1:
            raise bad(where, f"The column '{name}' stands there twice.", "Leave one out.")
    for name in REQUIRED:
        if name not in header:
            raise bad(where, f"The column '{name}' is missing.", "Name the columns on the first line.")


_SPACE: Final = re.compile(r"[ \t\r\n]*")


class _TwiceError(ValueError):
    """One name stands twice in an object."""


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _TwiceError("a name stands twice in one object")
    return found


def _json_rows(text: str, where: str) -> Iterator[Row]:
    """Walk the elements of one array of objects, so that each is known by its line."""
    decoder = json.JSONDecoder(object_pairs_hook=_pairs)
    line, counted = 1, 0

    def place(position: int) -> str:
        nonlocal line, counted
        line += text.count("\n", counted, position)
        counted = position
        return f"{where}:{line}"

    def blanks(position: int) -> int:
        found = _SPACE.match(text, position)
        return found.end() if found else position

    def skip(position: int, wanted: str) -> int:
        position = blanks(position)
        if text[position : position + 1] not in set(wanted):
            raise bad(place(position), f"Expected {' or '.join(wanted)} here.", "Write a list of objects.")
        return position

    position = blanks(skip(0, "[") + 1)
    more = text[position : position + 1] != "]"
    while more:
        position = skip(position, "{")
        here = place(position)
        try:
            row, position = decoder.raw_decode(text, position)
        except RecursionError:
            raise bad(here, "It is nested too deep.", "Write a list of plain objects.") from None
        except json.JSONDecodeError as error:
            message = f"This is not JSON ({error.msg.lower()})."
            raise bad(place(max(error.pos, counted)), message, "Mend that line.") from None
        except ValueError as error:
            known = str(error) if isinstance(error, _TwiceError) else "a number has too many digits"
            raise bad(here, f"This is not JSON as we read it ({known}).", "Mend that object.") from None
        yield line, {name: value for name, value in row.items() if value is not None}
        position = skip(position, ",]")
        more = text[position] == ","
        position += more
    if (end := blanks(position + 1)) != len(text):
        raise bad(place(end), "Something follows the list.", "Take it away.")
