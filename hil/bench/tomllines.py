"""The line of every key of a TOML text, which :mod:`tomllib` does not tell.

Only for texts that :mod:`tomllib` has read without an error: what cannot be valid is not looked for here.
"""

from __future__ import annotations

import re
import tomllib
from typing import Final

Path = tuple[str | int, ...]

_BLANK: Final = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SPACE: Final = re.compile(r"[ \t]*")
_STRING: Final = re.compile(
    r'"""(?:[^\\]|\\.)*?"{3,5}|\'\'\'.*?\'{3,5}|"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\'', re.DOTALL
)
_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")
_SCALAR: Final = re.compile(r"[^,\]}#\n]+")


class _Scanner:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.lines: dict[Path, int] = {(): 1}
        self._line = 1
        self._counted = 0
        self._tables: dict[Path, int] = {}

    def line(self) -> int:
        """Return the line of where the scanner is; it only moves on, so each line end is counted once."""
        self._line += self.text.count("\n", self._counted, self.at)
        self._counted = self.at
        return self._line

    def skip(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self.text, self.at)
        if found is None:
            return ""
        self.at = found.end()
        return found.group()

    def take(self, mark: str) -> bool:
        taken = self.text.startswith(mark, self.at)
        self.at += len(mark) * taken
        return taken

    def note(self, path: Path) -> None:
        """Keep the first line at which a part, and whatever holds it, is named."""
        line = self.line()
        while path not in self.lines:
            self.lines[path] = line
            path = path[:-1]

    def key(self) -> Path:
        """Read a key, dotted or not."""
        parts: list[str] = []
        while True:
            self.skip(_SPACE)
            quoted = self.skip(_STRING)
            part = tomllib.loads(f"v = {quoted}")["v"] if quoted else self.skip(_BARE)
            parts.append(part)
            self.skip(_SPACE)
            if not self.take("."):
                return tuple(parts)

    def _elements(self, path: Path) -> Path:
        """Return a header's path with the number of the last element of each array of tables in it."""
        found: Path = ()
        for part in path:
            found = (*found, part)
            if found in self._tables:
                found = (*found, self._tables[found])
        return found

    def header(self) -> Path:
        many = self.take("[[")
        if not many:
            self.take("[")
        key = self.key()
        if many:
            array = (*self._elements(key[:-1]), key[-1])
            self._tables[array] = self._tables.get(array, -1) + 1
        path = self._elements(key)
        self.note(path)
        self.take("]]" if many else "]")
        return path

    def value(self, path: Path) -> None:
        if self.take("["):
            self._list(path)
        elif self.take("{"):
            self._inline(path)
        elif not self.skip(_STRING):
            self.skip(_SCALAR)

    def _list(self, path: Path) -> None:
        index = 0
        while True:
            self.skip(_BLANK)
            if self.take("]"):
                return
            self.note((*path, index))
            self.value((*path, index))
            index += 1
            self.skip(_BLANK)
            self.take(",")

    def _inline(self, path: Path) -> None:
        while True:
            self.skip(_BLANK)
            if self.take("}"):
                return
            self.pair(path)
            self.skip(_BLANK)
            self.take(",")

    def pair(self, path: Path) -> None:
        whole = (*path, *self.key())
        self.note(whole)
        self.skip(_SPACE)
        self.take("=")
        self.skip(_SPACE)
        self.value(whole)


def lines_of(text: str) -> dict[Path, int]:
    """Return path -> line, from 1, of each table, key and list element of a valid TOML text."""
    scanner = _Scanner(text)
    table: Path = ()
    while True:
        scanner.skip(_BLANK)
        if scanner.at >= len(text):
            return scanner.lines
        if text.startswith("[", scanner.at):
            table = scanner.header()
        else:
            scanner.pair(table)
