"""Lists of devices as files: CSV, JSON, exports of others; read strictly into rows that know their line."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Generator, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from gateway import files
from keys.errors import InputError

FILE_BYTES_MAX: Final = 128 * 1024 * 1024
COLUMNS: Final = (
    *("id", "product", "key", "valid_from", "valid_to", "algorithms"),
    *("version", "region", "account", "external"),
)
LABEL: Final = "label."
"""What the name of a column begins with whose values are labels."""
MEMBERS: Final = ("content", "things")
"""Where the list stands in an export: hawkBit's, AWS IoT's."""

Row = tuple[int, Mapping[str, Any]]
"""Line on which it begins, and column -> value."""


def read_file(path: Path) -> bytes:
    """Return the bytes of a list (InputError: FILE_MISSING, FILE_TOO_BIG)."""
    mend = "Name a CSV or JSON file."
    return files.read_bytes(path, what="list of devices", mend=mend, size_max=FILE_BYTES_MAX)


def rows_of(
    data: bytes, where: str, *, loose: bool = False, implied: bool = False
) -> tuple[str, Iterator[Row]]:
    """Return csv or json, and the rows. JSON is told by the file's name or its first character.

    Args:
        data: the list.
        where: its file, for messages.
        loose: columns that we do not know are passed on as they are.
        implied: no column needs to name the product.

    Raises:
        InputError: NOT_UTF8, BAD_LIST with file and line; also while the rows are read.
    """
    text = _decode(data, where)
    suffix = Path(where).suffix.lower()
    if suffix == ".json" or (suffix != ".csv" and text.lstrip()[:1] in {"[", "{"}):
        return "json", _JsonRows(text, where).rows()
    return "csv", _csv_rows(text, where, loose=loose, implied=implied)


def bad(where: str, message: str, mend: str) -> InputError:
    """Return the error of a list that cannot be read as rows."""
    return InputError("BAD_LIST", message, mend=mend, where=where)


def is_known(name: str) -> bool:
    """Say whether a column is one of ours."""
    return name in COLUMNS or (name.startswith(LABEL) and len(name) > len(LABEL))


def _decode(data: bytes, where: str) -> str:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise InputError(
            "NOT_UTF8", "This is not UTF-8 text.", mend="Save it as UTF-8.", where=f"{where}:{line}"
        ) from None
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise InputError(
            "NOT_UTF8", "This is not plain text.", mend="Save it as UTF-8.", where=f"{where}:{line}"
        )
    return text


def _csv_rows(text: str, where: str, *, loose: bool, implied: bool) -> Iterator[Row]:
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
            header = [cell.strip() if loose else cell.strip().lower() for cell in cells]
            _check_header(header, f"{where}:{line}", loose=loose, implied=implied)
        elif len(cells) != len(header):
            message = f"{len(cells)} fields, but the first line names {len(header)}."
            raise bad(f"{where}:{line}", message, "Give each line one field a column.")
        else:
            yield line, {name: cell.strip() for name, cell in zip(header, cells, strict=True) if cell.strip()}


def _check_header(header: list[str], where: str, *, loose: bool, implied: bool) -> None:
    for name in header:
        other = next((sign for sign in ";\t|" if sign in name), None)
        if other is not None:
            message = f"The columns are separated by {other!r}; a comma is expected."
            raise bad(where, message, "Save it as CSV with commas.")
        if not loose and not is_known(name):
            mend = f"{files.near(name, COLUMNS)} A list of another make is read with --map."
            raise bad(where, f"'{name[:64]}' is not a known column.", mend)
        if header.count(name) > 1:
            raise bad(where, f"The column '{name[:64]}' stands there twice.", "Leave one out.")
    if not loose and not implied and "product" not in header:
        raise bad(where, "The column 'product' is missing.", "Name the columns on the first line.")


_SPACE: Final = re.compile(r"[ \t\r\n]*")


class _TwiceError(ValueError):
    """One name stands twice in an object."""


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _TwiceError("a name stands twice in one object")
    return found


class _JsonRows:
    """Walks the elements of one array of objects, so that each is known by its line.

    The array is the whole, or a member of the whole as exports have it.
    """

    def __init__(self, text: str, where: str) -> None:
        self._text, self._where = text, where
        self._decoder = json.JSONDecoder(object_pairs_hook=_pairs)
        self._line, self._counted = 1, 0

    def rows(self) -> Iterator[Row]:
        """Yield the elements."""
        position = self._skip(0, "[{")
        if self._text[position] == "{":
            position = yield from self._export(position)
        else:
            position = yield from self._array(position)
        if (end := self._blanks(position)) != len(self._text):
            raise bad(self._place(end), "Something follows the list.", "Take it away.")

    def _export(self, position: int) -> Generator[Row, None, int]:
        """Walk the members of the whole; yield what the list in it holds, and return where it ends."""
        found = False
        more = self._text[self._blanks(position + 1) : self._blanks(position + 1) + 1] != "}"
        position += 1
        while more:
            position = self._skip(position, '"')
            here = self._place(position)
            name, position = self._decode(position, here)
            position = self._blanks(self._skip(position, ":") + 1)
            if name in MEMBERS and self._text[position : position + 1] == "[" and not found:
                found = True
                position = yield from self._array(position)
            else:
                _, position = self._decode(position, here)
            position = self._skip(position, ",}")
            more = self._text[position] == ","
            position += more
        if not found:
            mend = f"Give a list of objects, or an export with a list called {' or '.join(MEMBERS)}."
            raise bad(self._place(position), "There is no list of devices in it.", mend)
        return self._skip(position, "}") + 1

    def _array(self, position: int) -> Generator[Row, None, int]:
        """Yield the objects of an array, and return where it ends."""
        position = self._blanks(position + 1)
        more = self._text[position : position + 1] != "]"
        while more:
            position = self._skip(position, "{")
            here = self._place(position)
            line = self._line
            row, position = self._decode(position, here)
            yield line, {name: value for name, value in row.items() if value is not None}
            position = self._skip(position, ",]")
            more = self._text[position] == ","
            position += more
        return position + 1

    def _decode(self, position: int, here: str) -> tuple[Any, int]:
        try:
            return self._decoder.raw_decode(self._text, position)
        except RecursionError:
            raise bad(here, "It is nested too deep.", "Write a list of plain objects.") from None
        except json.JSONDecodeError as error:
            message = f"This is not JSON ({error.msg.lower()})."
            raise bad(self._place(max(error.pos, self._counted)), message, "Mend that line.") from None
        except ValueError as error:
            known = str(error) if isinstance(error, _TwiceError) else "a number has too many digits"
            raise bad(here, f"This is not JSON as we read it ({known}).", "Mend that object.") from None

    def _place(self, position: int) -> str:
        self._line += self._text.count("\n", self._counted, position)
        self._counted = position
        return f"{self._where}:{self._line}"

    def _blanks(self, position: int) -> int:
        found = _SPACE.match(self._text, position)
        return found.end() if found else position

    def _skip(self, position: int, wanted: str) -> int:
        position = self._blanks(position)
        if self._text[position : position + 1] not in set(wanted):
            message = f"Expected {' or '.join(wanted)} here."
            raise bad(self._place(position), message, "Write a list of objects.")
        return position
