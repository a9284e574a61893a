"""What is wrong in a board file, in one sentence each, with the nearest thing that would be right."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, get_args

from pydantic import BaseModel, ValidationError

from hil.bench.board import BoardFile
from hil.bench.tomllines import Path

WORD_MEND: Final = "Take letters, digits, dot, hyphen and underscore, 63 at most."
_SHOWN_MAX: Final = 60  # characters of a word that a message repeats
_VARIABLE: Final = re.compile(r"\$(?:(?P<dollar>\$)|\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)\}|\{)")
_KINDS: Final = {
    "string_type": "a text",
    "int_type": "a whole number",
    "float_type": "a number",
    "finite_number": "a number",
    "bool_type": "true or false",
    "tuple_type": 'a list such as ["a", "b"]',
    "dict_type": "a table",
    "model_type": "a table",
}
"""What pydantic's kinds of faults ask for, in words."""
_LIMITS: Final = {
    "greater_than_equal": ("at least", "ge"),
    "greater_than": ("more than", "gt"),
    "less_than_equal": ("at most", "le"),
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One mistake: where, what, and how to mend it."""

    path: Path
    message: str
    mend: str = ""


def shown(word: object) -> str:
    """Return a word of the file as it may stand in a message: short, and unable to steer a terminal."""
    text = str(word)[: _SHOWN_MAX + 1]
    safe = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
    return safe if len(text) <= _SHOWN_MAX else safe[:_SHOWN_MAX] + "..."


def dotted(path: Path) -> str:
    """Return a path as a person would write it."""
    parts = (f"[{part}]" if isinstance(part, int) else f".{shown(part)}" for part in path)
    return "".join(parts).removeprefix(".")


def near(word: str, known: Iterable[str]) -> str:
    """Return the end of a message: the nearest known word, or all of them."""
    names = list(known)
    close = difflib.get_close_matches(word[:_SHOWN_MAX].lower(), names, n=1, cutoff=0.5)
    if close:
        return f"Did you mean '{close[0]}'?"
    return f"Known: {', '.join(names)}." if names else ""


def filled(value: Any, environ: Mapping[str, str], faults: list[Fault], path: Path = ()) -> Any:
    """Return a value with ``${NAME}`` replaced in its texts, and ``$$`` by a dollar.

    Args:
        value: as tomllib gave it.
        environ: the names that are set.
        faults: what cannot be replaced is added here.
        path: where the value stands.
    """
    if isinstance(value, dict):
        return {key: filled(item, environ, faults, (*path, key)) for key, item in value.items()}
    if isinstance(value, list):
        return [filled(item, environ, faults, (*path, index)) for index, item in enumerate(value)]
    if not isinstance(value, str):
        return value

    def replace(found: re.Match[str]) -> str:
        if found["dollar"]:
            return "$"
        name = found["name"]
        if name is None:
            message = f"{dotted(path)} has a '${{' that names no variable."
            faults.append(Fault(path, message, "Write ${NAME}, or $$ for a dollar."))
        elif name not in environ:
            message = f"{dotted(path)} needs the environment variable {shown(name)}, which is not set."
            faults.append(Fault(path, message, f"Set it: export {shown(name)}=..."))
        else:
            return environ[name]
        return found.group()

    return _VARIABLE.sub(replace, value)


def explained(error: ValidationError, raw: Mapping[str, Any]) -> Iterator[Fault]:
    """Turn pydantic's faults into sentences about the file.

    Args:
        error: of :class:`BoardFile`.
        raw: the values as they stand in the file, before variables were filled in.
    """
    # A misspelt key is one mistake, even where the right one is missed for it.
    found = error.errors(include_url=False, include_input=False)
    extra = {tuple(item["loc"][:-1]) for item in found if item["type"] == "extra_forbidden"}
    for item in found:
        path = tuple(item["loc"])
        if item["type"] == "missing" and path[:-1] in extra:
            continue
        yield _explain(item["type"], path, item.get("ctx", {}), str(item["msg"]), raw)


def _explain(kind: str, path: Path, context: Mapping[str, Any], said: str, raw: Mapping[str, Any]) -> Fault:
    if path[-1] == "[key]":
        path = path[:-1]
        return Fault(path, f"'{shown(path[-1])}' is no name for a board.", WORD_MEND)
    if kind == "extra_forbidden":
        message = f"Unknown key '{shown(path[-1])}' in {dotted(path[:-1]) or 'the file'}."
        return Fault(path, message, near(str(path[-1]), keys_at(path[:-1])))
    if kind == "missing":
        message = f"{dotted(path[:-1]) or 'The file'} needs the key '{path[-1]}'."
        return Fault(path[:-1], message, f"Add {path[-1]}.")
    return Fault(path, *_of_value(kind, dotted(path), _at(raw, path), context, said))


def _of_value(kind: str, name: str, value: Any, context: Mapping[str, Any], said: str) -> tuple[str, str]:
    """Return what is wrong with a value, and what to do."""
    message, mend = f"{name} is wrong: {said}.", ""
    if kind in {"literal_error", "not_one_of"}:
        known = context.get("known") or re.findall(r"'([^']*)'", context["expected"])
        message = f"{name} is {_quoted(value)}, which is not one of {', '.join(known)}."
        mend = near(str(value), known)
    elif kind in _KINDS:
        message, mend = f"{name} must be {_KINDS[kind]}, and is {_quoted(value)}.", _bare(kind, value)
    elif kind in _LIMITS:
        words, key = _LIMITS[kind]
        message = f"{name} must be {words} {context[key]}, and is {_quoted(value)}."
    elif kind in {"string_too_short", "too_short"}:
        message, mend = f"{name} is empty.", "Write a value, or leave the key out."
    elif kind in {"string_too_long", "too_long"}:
        message = f"{name} is too long: {context['max_length']} at most."
    elif kind == "string_pattern_mismatch":
        message, mend = f"{name} is {_quoted(value)}, which is no single word.", WORD_MEND
    return message, mend


def _at(raw: Any, path: Path) -> Any:
    for part in path:
        raw = raw[part]
    return raw


def _quoted(value: Any) -> str:
    if isinstance(value, str):
        return f"'{shown(value)}'"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "a table"
    return "a list" if isinstance(value, list) else f"{shown(value)}"


def _bare(kind: str, value: Any) -> str:
    """Say what to do about a number or a truth in quotes, a number as text, a lone text as a list."""
    if kind == "tuple_type" and isinstance(value, str):
        return "Put it in brackets; each argument of a command is a text of its own."
    if kind == "string_type":
        return f'Put it in quotes: "{shown(value)}".' if isinstance(value, int | float) else ""
    if kind in {"int_type", "float_type", "bool_type"} and isinstance(value, str):
        return "Write it without quotes."
    return ""


def keys_at(path: Path) -> list[str]:
    """Return the keys that a board file knows at a path."""
    kind: Any = BoardFile
    for part in path:
        kind = kind.model_fields[str(part)].annotation if _is_table(kind) else get_args(kind)[-1]
        while not _is_table(kind) and type(None) in get_args(kind):
            kind = next(one for one in get_args(kind) if one is not type(None))
    return (
        [field.validation_alias or name for name, field in kind.model_fields.items()]
        if _is_table(kind)
        else []
    )


def _is_table(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)
