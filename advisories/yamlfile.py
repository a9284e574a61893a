"""Strict YAML: plain values with the line of each, or one sentence that says what to mend.

A file that people sign must have one meaning only. So there are no anchors, aliases, tags, tabs or
duplicate keys, ``yes`` and ``no`` are words, and a date stays the text that was written. A file that is JSON
all through is YAML too and says the same; it is read by a faster reader.
Nothing here reads a file: text or bytes come in.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, Generic, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticCustomError
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from advisories import jsonfile
from keys.errors import InputError

M = TypeVar("M", bound=BaseModel)
Path = tuple[str | int, ...]

FILE_BYTES_MAX: Final = 4 * 1024 * 1024  # of JSON: a supplier's advisory on 1,000 weaknesses is half of it
YAML_BYTES_MAX: Final = (
    1024 * 1024
)  # of other YAML, which is read slowly: an advisory of 64 languages is a tenth
DEPTH_MAX: Final = 32  # levels of nesting
SHOWN_LETTERS_MAX: Final = 200  # of a word that a message repeats
_TAG = "tag:yaml.org,2002:"
_BOOLEANS = {"true": True, "false": False}
_KINDS = {
    "string_type": "a text",
    "int_type": "a whole number",
    "bool_type": "true or false",
    "dict_type": "a map of keys and values",
    "model_type": "a map of keys and values",
    "tuple_type": "a list",
    "list_type": "a list",
    "datetime_type": "a time like 2026-11-24T09:00:00Z",
    "date_type": "a date like 2026-11-22",
}
"""What pydantic's kinds of faults ask for, in words."""
_KIND_MENDS = {"string_type": 'Put it in quotes: "1.4.2".'}


@dataclass(frozen=True, slots=True)
class Lines:
    """Where each part of a file stands."""

    file: str
    lines: Mapping[Path, int]

    def place(self, path: Path) -> str:
        """Return ``file:line`` of a path, or of the nearest part above it that is there."""
        while path and path not in self.lines:
            path = path[:-1]
        return f"{self.file}:{self.lines.get(path, 1)}"

    def line(self, path: Path) -> int:
        """Return the line number alone, from 1."""
        return int(self.place(path).rpartition(":")[2])


@dataclass(frozen=True, slots=True)
class Read(Generic[M]):
    """A validated model and the lines it came from."""

    model: M
    lines: Lines


def load(text: str | bytes, *, where: str) -> tuple[Any, Lines]:
    """Return the plain value of a YAML text and the line of each of its parts.

    Args:
        text: untrusted; bytes are decoded as UTF-8.
        where: the file's name, for messages.

    Raises:
        InputError: with ``file:line``.
    """
    source = _decode(text, where)
    for number, content in enumerate(source.splitlines(), 1):
        if "\t" in content[: len(content) - len(content.lstrip())]:
            raise InputError(
                "YAML_TAB",
                "The line is indented with a tab.",
                mend="Indent with spaces.",
                where=f"{where}:{number}",
            )
    found = jsonfile.load(source, DEPTH_MAX)
    if found is not None:
        return found.value, Lines(where, found.lines)
    if len(text) > YAML_BYTES_MAX:
        raise InputError(
            "YAML_TOO_BIG",
            f"The file has more than {YAML_BYTES_MAX} bytes and is not all JSON.",
            mend="Take comments and shortcuts of YAML out of it: JSON may be longer.",
            where=f"{where}:1",
        )
    yaml = YAML(typ="safe", pure=True)
    try:
        node = yaml.compose(source)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        problem = (error.problem or "it cannot be parsed").strip().rstrip(".")
        raise InputError(
            "YAML_SYNTAX",
            f"This is not well-formed YAML: {problem}.",
            mend="Look at this line and the one above: indentation, colon, quotes.",
            where=f"{where}:{line}",
        ) from None
    except RecursionError:
        raise _too_deep(f"{where}:1") from None
    except (YAMLError, ValueError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError("YAML_SYNTAX", f"This is not YAML: {reason}.", where=f"{where}:1") from None
    if node is None:
        raise InputError("YAML_EMPTY", "The file is empty.", where=f"{where}:1")
    lines: dict[Path, int] = {}
    return _Builder(where, lines).build(node, ()), Lines(where, lines)


def _decode(text: str | bytes, where: str) -> str:
    if len(text) > FILE_BYTES_MAX:
        raise InputError(
            "YAML_TOO_BIG", f"The file has more than {FILE_BYTES_MAX} bytes.", where=f"{where}:1"
        )
    if isinstance(text, str):
        return text.removeprefix("\ufeff")
    try:
        return text.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = text[: error.start].count(b"\n") + 1
        raise InputError(
            "YAML_ENCODING",
            "The file is not UTF-8 text.",
            mend="Save it as UTF-8.",
            where=f"{where}:{line}",
        ) from None


def _too_deep(place: str) -> InputError:
    return InputError("YAML_DEPTH", f"The file nests deeper than {DEPTH_MAX} levels.", where=place)


class _Builder:
    """Turns composed nodes into plain values, refusing what could be read in two ways."""

    def __init__(self, where: str, lines: dict[Path, int]) -> None:
        self._where = where
        self._lines = lines
        self._seen: set[int] = set()

    def _fail(self, code: str, node: Node, message: str, mend: str = "") -> InputError:
        return InputError(code, message, mend=mend, where=f"{self._where}:{node.start_mark.line + 1}")

    def build(self, node: Node, path: Path, line: int | None = None) -> Any:
        if node.anchor is not None or id(node) in self._seen:
            raise self._fail("YAML_ALIAS", node, "Anchors and aliases are not used here.", "Write it out.")
        self._seen.add(id(node))
        if len(path) > DEPTH_MAX:
            raise _too_deep(f"{self._where}:{node.start_mark.line + 1}")
        self._lines[path] = line or node.start_mark.line + 1
        if isinstance(node, MappingNode):
            return self._mapping(node, path)
        if isinstance(node, SequenceNode):
            return [self.build(item, (*path, index)) for index, item in enumerate(node.value)]
        return self._scalar(node)

    def _mapping(self, node: MappingNode, path: Path) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, ScalarNode):
                raise self._fail("YAML_KEY", key_node, "A key must be a plain word.")
            key = str(key_node.value)
            self._check_letters(key_node, key)
            if key in found:
                first = self._lines[(*path, key)]
                raise self._fail(
                    "YAML_DUPLICATE_KEY",
                    key_node,
                    f"The key '{shown(key)}' stands twice (first in line {first}).",
                    "Keep one of them.",
                )
            found[key] = self.build(value_node, (*path, key), key_node.start_mark.line + 1)
        return found

    def _check_letters(self, node: Node, value: str) -> None:
        r"""Refuse half letters, which only an escape such as ``\ud800`` can write and no file can hold."""
        if any("\ud800" <= letter <= "\udfff" for letter in value):
            raise self._fail("YAML_ENCODING", node, "This is not a whole letter.", "Write the letter itself.")

    def _scalar(self, node: Node) -> Any:
        tag = str(node.tag).removeprefix(_TAG)
        value = str(node.value)
        self._check_letters(node, value)
        if tag in {"str", "timestamp"}:
            return value
        if tag == "null":
            return None
        try:
            if tag == "bool":
                return _BOOLEANS[value.lower()]
            if tag == "int":
                return int(value)
            if tag == "float":
                return float(value)
        except (KeyError, ValueError):
            raise self._fail(
                "YAML_VALUE",
                node,
                f"'{shown(value)}' is not a plain number.",
                "Put it in quotes if it is a text.",
            ) from None
        raise self._fail(
            "YAML_TAG", node, f"The tag '{shown(str(node.tag))}' is not used here.", "Leave it out."
        )


def read(model: type[M], text: str | bytes, *, where: str) -> Read[M]:
    """Return a validated model of a YAML file with its lines.

    Raises:
        InputError: for the first fault in the order of the lines, with a near-miss where there is one.
    """
    value, lines = load(text, where=where)
    try:
        return Read(model.model_validate(value), lines)
    except ValidationError as error:
        faults = error.errors(include_url=False)
    # A misspelt key makes two faults: the key too much is the one to tell.
    fault = min(faults, key=lambda item: (item["type"] == "missing", lines.line(_path(item["loc"]))))
    raise explain(model, fault, lines) from None


def explain(model: type[BaseModel], fault: Mapping[str, Any], lines: Lines) -> InputError:
    """Turn one pydantic fault into one sentence about the file."""
    path = _path(fault["loc"])
    name = shown(".".join(map(str, path))) or "the file"
    place = lines.place(path)
    kind = fault["type"]
    if kind == "extra_forbidden":
        return InputError(
            "UNKNOWN_KEY",
            f"There is no key '{shown(str(path[-1]))}' here.",
            mend=near_miss(str(path[-1]), keys_at(model, path[:-1])),
            where=place,
        )
    if kind == "missing":
        holder = shown(".".join(map(str, path[:-1]))) or "the file"
        return InputError(
            "MISSING_KEY",
            f"The key '{path[-1]}' is missing in {holder}.",
            mend=f"Add '{path[-1]}:'.",
            where=place,
        )
    if kind == "not_one_of":
        context = fault["ctx"]
        return InputError(
            "BAD_VALUE",
            f"'{shown(context['value'])}' is not one of {', '.join(context['known'])} ({name}).",
            mend=near_miss(context["value"], context["known"]),
            where=place,
        )
    mend = ""
    if kind in _KINDS:
        message, mend = f"{name} must be {_KINDS[kind]}.", _KIND_MENDS.get(kind, "")
    elif kind == "value_error":
        message = f"{name}: {shown(str(fault['ctx']['error']))}."
    else:
        message = f"{name}: {str(fault['msg']).replace('Input', 'it')}."
    return InputError("BAD_VALUE", message, mend=mend, where=place)


def shown(word: str) -> str:
    """Return a word of the file as it may stand in a message: short, and unable to steer a terminal."""
    safe = "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in word)
    return safe if len(safe) <= SHOWN_LETTERS_MAX else safe[:SHOWN_LETTERS_MAX] + "..."


def not_one_of(value: object, known: Iterable[str]) -> PydanticCustomError:
    """Return the error for a word that is not among the known ones; :func:`explain` tells the nearest."""
    return PydanticCustomError(
        "not_one_of", "not one of the known words", {"value": str(value), "known": [*known]}
    )


def choice(members: type[Enum]) -> Callable[[object], object]:
    """Return a validator that reads a member by its name, as in ``act-now`` for ``ACT_NOW``."""
    names = {name.lower().replace("_", "-"): member for name, member in members.__members__.items()}

    def validate(value: object) -> object:
        if isinstance(value, members):
            return value
        if not isinstance(value, str) or value not in names:
            raise not_one_of(value, names)
        return names[value]

    return validate


def near_miss(word: str, known: Iterable[str]) -> str:
    """Return a helpful end of the message: the nearest known word, or all of them."""
    names = list(known)
    close = difflib.get_close_matches(word[:SHOWN_LETTERS_MAX].lower(), names, n=1, cutoff=0.6)
    if close:
        return f"Did you mean '{close[0]}'?"
    return f"Known: {', '.join(names)}." if names else ""


def keys_at(model: type[BaseModel], path: Path) -> list[str]:
    """Return the keys that a model knows at a path."""
    kind: Any = model
    for step in path:
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            kind = kind.model_fields[str(step)].annotation
        else:
            kind = get_args(kind)[-1]
        while not isinstance(kind, type) and type(None) in get_args(kind):
            kind = next(part for part in get_args(kind) if part is not type(None))
    return list(kind.model_fields) if isinstance(kind, type) and issubclass(kind, BaseModel) else []


def _path(loc: Iterable[Any]) -> Path:
    """Return a fault's location as a path; a dict's key faults carry an extra ``[key]``."""
    return tuple(part for part in loc if part != "[key]")
