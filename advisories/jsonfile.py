"""YAML files that are JSON all through, long ones that a program wrote: a quick reader, and the writer.

YAML 1.2 is a superset of JSON, so both readers must come to the same value. Whatever they might read
differently, and every fault, is left to the slow one, which knows how to tell it.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NoReturn

Path = tuple[str | int, ...]

_HEAD = re.compile(r"(?:[ ]*(?:#[^\n]*)?\n)*")
_APART = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff\r]|\\\\u[dD][89a-fA-F]")
"""Letters that YAML refuses or takes for the end of a line, and halves of letters."""
_STRANGE = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:\n]|[^\s{}\[\],:"]+')


class Places(Mapping[Path, int]):
    """Path of each part of the text -> its line; found out when somebody asks for the first one."""

    def __init__(self, text: str, first: int) -> None:
        self._text = text
        self._first = first

    @cached_property
    def _found(self) -> dict[Path, int]:
        return _lines(self._text, self._first)

    def __getitem__(self, path: Path) -> int:
        return self._found[path]

    def __iter__(self) -> Iterator[Path]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)


@dataclass(frozen=True, slots=True)
class Found:
    """What a file holds."""

    value: dict[str, Any]
    lines: Places
    head: str
    """Comments and blank lines before it."""


def safe(words: str) -> str:
    """Escape, in JSON, what JSON may hold as it is and YAML may not."""
    return _STRANGE.sub(lambda letter: f"\\u{ord(letter[0]):04x}", words)


def write(value: Mapping[str, Any]) -> str:
    """Return plain values as JSON that YAML reads the same, one part a line."""
    return safe(json.dumps(value, ensure_ascii=False, indent=1)) + "\n"


def load(source: str, depth_max: int) -> Found | None:
    """Return what a text holds that is one JSON object after comments; None: read it as YAML.

    Args:
        source: of the file.
        depth_max: levels of nesting; deeper ones are left to the reader of YAML to refuse.
    """
    head = _HEAD.match(source)
    start = head.end() if head else 0
    if not source.startswith("{", start) or _APART.search(source):
        return None
    try:
        value = json.loads(
            source[start:], object_pairs_hook=_once, parse_constant=_refuse, parse_float=_finite
        )
    except (ValueError, RecursionError):
        return None
    if not _within(value, depth_max):
        return None
    return Found(value, Places(source[start:], source.count("\n", 0, start) + 1), source[:start])


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice")
    return found


def _refuse(word: str) -> NoReturn:
    raise ValueError(word)


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError("it is too large")
    return value


def _within(value: Any, depth_max: int) -> bool:
    level = [value]
    for _ in range(depth_max + 1):
        level = [
            item
            for holder in level
            for item in (
                holder.values() if isinstance(holder, dict) else holder if isinstance(holder, list) else ()
            )
        ]
        if not level:
            return True
    return False


def _lines(text: str, first: int) -> dict[Path, int]:
    """Walk the parts of a text that is known to be JSON; a member of an object stands where its key does."""
    found: dict[Path, int] = {}
    above: list[tuple[Path, bool]] = []
    path: Path = ()
    line, at, key_next, inside_object = first, first, False, False
    for match in _TOKEN.finditer(text):
        part = match[0]
        if part == "\n":
            line += 1
        elif key_next and part[0] == '"':
            path, at, key_next = (*above[-1][0], json.loads(part)), line, False
        elif part in "{[":
            found[path] = at if inside_object else line
            above.append((path, part == "{"))
            inside_object = key_next = part == "{"
            path = (*path, 0)
        elif part in "}]":
            path, _ = above.pop()
            key_next, inside_object = False, bool(above) and above[-1][1]
        elif part == ",":
            key_next = inside_object
            if not inside_object:
                path = (*path[:-1], int(path[-1]) + 1)
        elif part != ":":
            found[path] = at if inside_object else line
    return found
