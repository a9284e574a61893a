"""Which devices are meant: a small query of what is known of them, as data. Pure.

    region = DE and (label.ring = beta or account = acme) and not version >= 2.0.0

becomes ``["and", ["region", "DE"], ["or", ["label", "ring", "beta"], ["account", "acme"]], ["not", ...]]``.
Nothing of it is ever part of an SQL text: ``gateway.store.selecting`` makes bound expressions of it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final, NoReturn

from advisories.topics import is_id
from advisories.versions import Range, parse_range
from keys.errors import InputError

Query = list[Any]
"""``[operator, operand...]``; JSON values only."""

DEPTH_MAX: Final = 16
NODES_MAX: Final = 500
DEVICES_MAX: Final = 10_000  # in one list
TEXT_MAX: Final = 16_384  # characters of a query as it is typed
_FIELDS: Final = {"product": 64, "region": 35, "account": 64, "filter": 64}  # letters at most
_JOINED: Final = frozenset({"and", "or"})
_NO_TEXT: Final = re.compile("[\0\ud800-\udfff]")  # no store takes these
_TOKEN: Final = re.compile(r"""\s*(?:([()])|(>=|<=|!=|=|<|>)|"([^"]*)"|([^\s()=<>!"]+))""")


def _refuse(what: str) -> NoReturn:
    raise InputError(
        "SELECTION",
        f"The selection cannot be read: {what}.",
        mend="Write it as: region = DE and (label.ring = beta or version < 1.4.2).",
    )


def checked(query: object) -> Query:
    """Return a query from elsewhere once it is known to be one.

    Raises:
        InputError: SELECTION.
    """
    left = [NODES_MAX]

    def walk(node: object, depth: int) -> None:
        left[0] -= 1
        if depth > DEPTH_MAX or left[0] < 0:
            _refuse("it is too large")
        if not isinstance(node, list) or not node or not isinstance(node[0], str):
            _refuse("a part of it is no list that begins with an operator")
        name, operands = node[0], node[1:]
        if name in _JOINED or name == "not":
            if not operands or (name == "not" and len(operands) != 1):
                _refuse(f"'{name}' lacks operands, or has too many")
            for operand in operands:
                walk(operand, depth + 1)
        else:
            _leaf(name, operands)

    walk(query, 1)
    assert isinstance(query, list)
    return query


def _leaf(name: str, operands: Sequence[object]) -> None:
    words = [operand for operand in operands if isinstance(operand, str) and not _NO_TEXT.search(operand)]
    if len(words) != len(operands):
        _refuse(f"'{name}' takes words only")
    if name == "all" and not operands:
        return
    if name == "devices" and 1 <= len(words) <= DEVICES_MAX and all(map(is_id, words)):
        return
    if name == "label" and len(words) == 2 and 1 <= len(words[0]) <= 64 and len(words[1]) <= 128:
        return
    if name == "version" and len(words) == 1:
        version_range(words[0])
        return
    if name in _FIELDS and len(words) == 1 and len(words[0]) <= _FIELDS[name]:
        return
    _refuse(f"'{name}' is not asked so")


def version_range(text: str) -> Range:
    """Read the operand of ``version``.

    Raises:
        InputError: SELECTION.
    """
    try:
        return parse_range(text)
    except ValueError as error:
        _refuse(str(error))


def parse(text: str) -> Query:
    """Read a query as people type it: ``field = value`` joined by and, or, not and brackets.

    Fields: product, region, account, label.NAME, filter (a saved one), device (ids separated by commas),
    version (with =, <, <=, >=); ``all`` is everybody.

    Raises:
        InputError: SELECTION.
    """
    if len(text) > TEXT_MAX:
        _refuse("it is too long")
    reader = _Reader(text)
    query = reader.either(1)
    if reader.peek() is not None:
        _refuse(f"there is something behind its end, at '{reader.peek()}'")
    return checked(query)


class _Reader:
    def __init__(self, text: str) -> None:
        self._tokens: list[tuple[str, bool]] = []  # (text, quoted)
        place, text = 0, text.rstrip()
        while place < len(text):
            match = _TOKEN.match(text, place)
            if match is None:
                _refuse(f"'{text[place : place + 10]}' is not understood")
            bracket, sign, quoted, word = match.groups()
            found = next(part for part in (bracket, sign, quoted, word) if part is not None)
            self._tokens.append((found, quoted is not None))
            place = match.end()
        self._place = 0

    def peek(self) -> str | None:
        return self._tokens[self._place][0] if self._place < len(self._tokens) else None

    def _is(self, word: str) -> bool:
        return self._place < len(self._tokens) and self._tokens[self._place] == (word, False)

    def _take(self, what: str) -> str:
        found = self.peek()
        if found is None:
            _refuse(f"it ends where {what} should stand")
        self._place += 1
        return found

    def either(self, depth: int) -> Query:
        return self._joined("or", depth)

    def _joined(self, word: str, depth: int) -> Query:
        parts = [self._joined("and", depth) if word == "or" else self._one(depth)]
        while self._is(word):
            self._place += 1
            parts.append(self._joined("and", depth) if word == "or" else self._one(depth))
        return parts[0] if len(parts) == 1 else [word, *parts]

    def _one(self, depth: int) -> Query:
        if depth > DEPTH_MAX:
            _refuse("it is too large")
        if self._is("not"):
            self._place += 1
            return ["not", self._one(depth + 1)]
        if self._is("("):
            self._place += 1
            inner = self.either(depth + 1)
            if not self._is(")"):
                _refuse("a bracket is not closed")
            self._place += 1
            return inner
        if self._is("all"):
            self._place += 1
            return ["all"]
        return self._compared()

    def _compared(self) -> Query:
        name, sign = self._take("a field"), self._take("a comparison")
        value = self._take("a value")
        if name == "version" and sign in {"=", "<", "<=", ">="}:
            return ["version", f"{sign}{value}"]
        if sign == "!=":
            return ["not", self._leaf(name, value)]
        if sign != "=":
            _refuse(f"'{name}' is not compared by '{sign}'")
        return self._leaf(name, value)

    @staticmethod
    def _leaf(name: str, value: str) -> Query:
        if name.startswith("label."):
            return ["label", name.removeprefix("label."), value]
        if name == "device":
            return ["devices", *(part for part in value.split(",") if part)]
        if name == "version":
            return ["version", f"={value}"]
        return [name, value]


def describe(query: Query) -> str:
    """Write a query as :func:`parse` reads it."""
    name, *operands = query
    if name in _JOINED:
        return f" {name} ".join(map(_bracketed, operands))
    if name == "not":
        return f"not {_bracketed(operands[0])}"
    if name == "version":
        return _version(operands[0])
    if name == "label":
        return f"label.{_quoted(operands[0])} = {_quoted(operands[1])}"
    if name == "devices":
        return f"device = {_quoted(','.join(operands))}"
    return "all" if name == "all" else f"{name} = {_quoted(operands[0])}"


def _bracketed(query: Query) -> str:
    text = describe(query)
    return f"({text})" if query[0] in _JOINED or " and " in text else text


def _version(text: str) -> str:
    parts = re.findall(r"(>=|<=|<|=)?\s*([^\s<>=]+)", text)
    if text.strip() == "*":
        return "all"
    return " and ".join(f"version {sign or '='} {value}" for sign, value in parts)


def _quoted(value: str) -> str:
    plain = re.fullmatch(r"""[^\s()=<>!"]+""", value) and value not in {"and", "or", "not", "all"}
    return value if plain else f'"{value}"'
